//! The texts that a configuration was read from, kept so that an error can show the very line it is about.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use super::mask::mask_span;

/// A place in one of the [`Sources`]; ordered as a reader meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    source: usize,
    start: usize,
    end: usize,
}

impl Location {
    pub(super) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }

    pub(super) fn source(self) -> usize {
        self.source
    }

    pub(super) fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// The part of a quoted string that holds `span` of what is between its quotes.
    pub(super) fn within_quotes(self, span: Range<usize>) -> Self {
        let content = self.start + 1;
        Self { source: self.source, start: content + span.start, end: content + span.end }
    }
}

/// The files of one configuration.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Clone)]
struct Source {
    path: PathBuf,
    text: String,
}

impl Sources {
    /// Keeps a text; secrets must be masked in it already, for any of its lines can end up on a screen.
    pub(super) fn add(&mut self, path: &Path, text: String) {
        self.0.push(Source { path: path.to_owned(), text });
    }

    /// Masks a secret that was found late.
    pub(super) fn mask(&mut self, location: Location) {
        if let Some(source) = self.0.get_mut(location.source) {
            mask_span(&mut source.text, location.span());
        }
    }

    /// The number that the next source gets.
    pub(super) fn next(&self) -> usize {
        self.0.len()
    }

    pub(super) fn path(&self, source: usize) -> &Path {
        self.0.get(source).map_or(Path::new(""), |source| &source.path)
    }

    pub(super) fn text(&self, source: usize) -> &str {
        self.0.get(source).map_or("", |source| &source.text)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|source| &source.path)).finish()
    }
}

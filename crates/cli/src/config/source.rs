//! Keeps the texts of the configuration files, so that an error can show the line it is about.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use super::mask::mask_span;

/// A place in one of the [`Sources`], in reading order.
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

    /// The place of a part of a quoted string; `span` counts from the character after the opening quote.
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
    /// Keeps a text. Secrets in it must already be masked, because an error can show any of its lines.
    pub(super) fn add(&mut self, path: &Path, text: String) {
        self.0.push(Source { path: path.to_owned(), text });
    }

    /// Masks a secret that is found only after its text was added.
    pub(super) fn mask(&mut self, location: Location) {
        if let Some(source) = self.0.get_mut(location.source) {
            mask_span(&mut source.text, location.span());
        }
    }

    /// The index that the next source gets.
    pub(super) fn next_index(&self) -> usize {
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

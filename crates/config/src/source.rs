//! Keeps the texts of the configuration files, so that an error can show the line it is about.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::location::Location;

/// The files of one configuration.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

#[derive(Clone)]
struct Source {
    path: PathBuf,
    text: String,
}

/// A place in a file, as an editor counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file.
    pub file: &'a Path,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
}

impl Sources {
    /// Keeps a text. Secrets in it must already be masked, because an error can show any of its lines.
    pub(crate) fn add(&mut self, path: &Path, text: String) {
        self.0.push(Source { path: path.to_owned(), text });
    }

    /// Masks a secret that is found only after its text was added.
    pub(crate) fn mask(&mut self, location: Location) {
        if let Some(source) = self.0.get_mut(location.source()) {
            mask_span(&mut source.text, location.span());
        }
    }

    /// The index that the next source gets.
    pub(crate) fn next_index(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn path(&self, source: usize) -> &Path {
        self.0.get(source).map_or(Path::new(""), |source| &source.path)
    }

    /// Where the location begins.
    pub(crate) fn place(&self, location: Location) -> Place<'_> {
        let text = self.text(location.source());
        let before = text.get(..location.span().start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        Place { file: self.path(location.source()), line: before.matches('\n').count() + 1, column }
    }

    pub(crate) fn text(&self, source: usize) -> &str {
        self.0.get(source).map_or("", |source| &source.text)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|source| &source.path)).finish()
    }
}

/// Masks a span without the quotes around it. The length stays the same, so that all other places remain valid.
pub(crate) fn mask_span(text: &mut String, span: Range<usize>) {
    let content = &text[span.clone()];
    let is_quoted = content.len() >= 2 && content.starts_with(['"', '\'']) && content.ends_with(['"', '\'']);
    let inner = if is_quoted { span.start + 1..span.end - 1 } else { span };
    let masked: String = text[inner.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { '*' }).collect();
    text.replace_range(inner, &masked);
}

//! Where something stands in the files of a configuration. Every value and every error carries such a place.

use std::ops::Range;

/// A range of bytes in one of the files; ordered as the files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    source: usize,
    start: usize,
    end: usize,
}

impl Location {
    pub(crate) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }

    pub(crate) fn source(self) -> usize {
        self.source
    }

    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.end
    }

    /// The place of a part of a quoted string; `span` counts from the character after the opening quote.
    pub(crate) fn within_quotes(self, span: Range<usize>) -> Self {
        let content = self.start + 1;
        Self { source: self.source, start: content + span.start, end: content + span.end }
    }
}

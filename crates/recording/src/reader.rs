//! Reads a recording, line by line.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read},
};

use thiserror::Error;

use crate::line::{FORMAT, Header, Line};

/// A message has at most 16 MiB, and base64 makes it a third longer.
const LONGEST_LINE: u64 = 32 << 20;

/// Reads a recording whose first line was read.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    line: usize,
    processes: BTreeSet<u32>,
    messages: u64,
    is_complete: bool,
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is something else.
    #[error("it is not a recording: its first line is not that of a recording in UTF-8")]
    NotARecording,
    /// It was written by a later version of flowswap.
    #[error("flowswap {flowswap} wrote it in format {format}; this version reads format {FORMAT}")]
    TooNew {
        /// The version that wrote it.
        flowswap: String,
        /// Its format.
        format: u32,
    },
    /// A line is not one of a recording.
    #[error("line {line} is not a line of a recording")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A line is about a process that no line before it starts.
    #[error("line {line} is about process {process}, which no line before it starts")]
    UnknownProcess {
        /// Counted from 1.
        line: usize,
        /// The process.
        process: u32,
    },
    /// A line starts a process that a line before it starts.
    #[error("line {line} starts process {process} again")]
    StartedTwice {
        /// Counted from 1.
        line: usize,
        /// The process.
        process: u32,
    },
    /// The last line counts another number of messages.
    #[error("line {line} says that there are {said} messages before it, but there are {found}")]
    Count {
        /// Counted from 1.
        line: usize,
        /// The number in the line.
        said: u64,
        /// The number of messages.
        found: u64,
    },
    /// A line comes after the last one.
    #[error("line {line} comes after the last line of the recording")]
    AfterEnd {
        /// Counted from 1.
        line: usize,
    },
    /// A line is longer than any message.
    #[error("line {line} is longer than {} MiB", LONGEST_LINE >> 20)]
    TooLong {
        /// Counted from 1.
        line: usize,
    },
    /// The file cannot be read.
    #[error("failed to read line {line}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// If it is not the first line of a recording that this version reads.
    pub fn open(file: R) -> Result<(Header, Self), ReadError> {
        let mut reader = Self { file, line: 0, processes: BTreeSet::new(), messages: 0, is_complete: false };
        let header = match reader.read() {
            Ok(Some(Line::Recording(header))) => header,
            Err(error @ ReadError::Io { .. }) => return Err(error),
            _ => return Err(ReadError::NotARecording),
        };
        if header.format > FORMAT {
            return Err(ReadError::TooNew { flowswap: header.flowswap, format: header.format });
        }
        Ok((header, reader))
    }

    /// The next line and its number, counted from 1. `None` at the end, also if the last line was being written when flowswap was
    /// killed.
    ///
    /// # Errors
    /// If it is not a line of a recording, or does not fit the lines before it.
    pub fn next_line(&mut self) -> Result<Option<(usize, Line)>, ReadError> {
        let entry = self.read()?;
        let line = self.line;
        match entry {
            Some(_) if self.is_complete => Err(ReadError::AfterEnd { line }),
            Some(Line::End { messages: said }) if said != self.messages => {
                Err(ReadError::Count { line, said, found: self.messages })
            }
            Some(Line::End { .. }) => {
                self.is_complete = true;
                self.next_line()
            }
            Some(entry) => {
                self.check_process(&entry)?;
                self.messages += u64::from(entry.is_message());
                Ok(Some((line, entry)))
            }
            None => Ok(None),
        }
    }

    /// The number of the line that was read last.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether the recording was read to its last line.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    fn check_process(&mut self, entry: &Line) -> Result<(), ReadError> {
        let line = self.line;
        match (entry, entry.process()) {
            (Line::Started { .. }, Some(process)) if !self.processes.insert(process) => {
                Err(ReadError::StartedTwice { line, process })
            }
            (_, Some(process)) if !self.processes.contains(&process) => {
                Err(ReadError::UnknownProcess { line, process })
            }
            _ => Ok(()),
        }
    }

    fn read(&mut self) -> Result<Option<Line>, ReadError> {
        let line = self.line + 1;
        let mut text = Vec::new();
        let read = (&mut self.file).take(LONGEST_LINE + 1).read_until(b'\n', &mut text);
        if read.map_err(|source| ReadError::Io { line, source })? == 0 {
            return Ok(None);
        }
        if text.len() as u64 > LONGEST_LINE {
            return Err(ReadError::TooLong { line });
        }
        match serde_json::from_slice(&text) {
            Ok(entry) => {
                self.line = line;
                Ok(Some(entry))
            }
            Err(error) if error.is_eof() && !text.ends_with(b"\n") => Ok(None),
            Err(source) => Err(ReadError::Line { line, source }),
        }
    }
}

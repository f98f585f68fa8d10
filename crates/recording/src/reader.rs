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
    is_complete: bool,
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is something else.
    #[error("it is not a recording: its first line has no `recording`")]
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
        let mut reader = Self { file, line: 0, processes: BTreeSet::new(), is_complete: false };
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

    /// The next line and its number, counted from 1.
    ///
    /// # Errors
    /// If it is not a line of a recording. The last line may be cut off if it was being written when flowswap was killed.
    pub fn next_line(&mut self) -> Result<Option<(usize, Line)>, ReadError> {
        match self.read() {
            Ok(Some(Line::End { .. })) => {
                self.is_complete = true;
                Ok(None)
            }
            Ok(Some(entry)) => {
                self.check_process(&entry)?;
                Ok(Some((self.line, entry)))
            }
            Ok(None) => Ok(None),
            Err(ReadError::Line { source, .. }) if source.is_eof() => Ok(None),
            Err(error) => Err(error),
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
        self.line += 1;
        let line = self.line;
        let mut text = Vec::new();
        let read = (&mut self.file).take(LONGEST_LINE + 1).read_until(b'\n', &mut text);
        if read.map_err(|source| ReadError::Io { line, source })? == 0 {
            return Ok(None);
        }
        if text.len() as u64 > LONGEST_LINE {
            return Err(ReadError::TooLong { line });
        }
        serde_json::from_slice(&text).map(Some).map_err(|source| ReadError::Line { line, source })
    }
}

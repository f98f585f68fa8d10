//! `--log-file`: a line of JSON for each event of a command, with the run, the tenant, and the step that it belongs to. The
//! events are those of `--format jsonl`, so no secret is in them.

mod lines;
mod spans;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use flowswap_engine::EventSink;
use tracing::Dispatch;
use tracing_subscriber::{Registry, layer::SubscriberExt};

use self::{lines::Lines, spans::Traced};
use crate::{
    exit::{Exit, Failure},
    output::{Kind, Output},
};

/// A log that grows.
pub(crate) struct LogFile {
    sink: Arc<Sink>,
    dispatch: Dispatch,
}

/// The file.
struct Sink {
    path: PathBuf,
    file: Mutex<Growing>,
}

struct Growing {
    file: File,
    /// Whether the last line has its end. A line that was cut off would also spoil the next one.
    is_whole: bool,
    /// The first error in writing.
    error: Option<io::Error>,
}

impl LogFile {
    /// Opens the file to append to it. Only this user can read a new one.
    ///
    /// # Errors
    ///
    /// If it has anything but a log, or cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Output::prepare_file(path, Kind::Log)?;
        let failed = Failure::at(format!("write the log `{}`", path.display()));
        let opened = open(path).and_then(|file| Ok((is_whole(&file)?, file)));
        let (is_whole, file) = opened.map_err(|error| Failure { exit: Exit::Usage, ..failed(error) })?;
        let sink = Arc::new(Sink { path: path.to_owned(), file: Mutex::new(Growing { file, is_whole, error: None }) });
        // Not the subscriber of the process: no library that flowswap uses can write into this log.
        let dispatch = Dispatch::new(Registry::default().with(Lines::to(Arc::clone(&sink))));
        Ok(Self { sink, dispatch })
    }

    /// The same sink for one run at a time, with a line for each of its events.
    pub(crate) fn beside(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        Arc::new(Traced::new(events, self.dispatch.clone()))
    }

    /// Fails if a line could not be written.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        match self.sink.file.lock().unwrap_or_else(PoisonError::into_inner).error.take() {
            None => Ok(()),
            Some(error) => Err(Failure::at(format!("write the log `{}`", self.sink.path.display()))(error)
                .hint("the command itself ran to its end; only the log is incomplete")),
        }
    }
}

impl Sink {
    /// Appends a line. After an error it goes on, because the disk may have room again.
    fn write(&self, line: &str) {
        let mut growing = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if growing.is_whole { "" } else { "\n" };
        let written = growing.file.write_all(format!("{begin}{line}").as_bytes());
        growing.is_whole = written.is_ok();
        growing.error = growing.error.take().or(written.err());
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether the file ends with the end of a line.
fn is_whole(mut file: &File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

//! Writes a recording while a command runs.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::{self, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use flowswap_host::{Listen, PluginFile, Tap, Traffic};
use serde_json::value::RawValue;

use crate::line::{FORMAT, Header, Line};

/// Records what is said to the plugin processes that its [`Listen`] hears of. A thread of its own writes, so that no call waits
/// for the disk.
#[derive(Debug)]
pub struct Recorder {
    lines: mpsc::Sender<Told>,
    writer: JoinHandle<io::Result<u64>>,
    processes: Arc<AtomicU32>,
    began: Instant,
}

/// How much was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The number of plugin processes.
    pub processes: u32,
    /// The number of messages, in both directions.
    pub messages: u64,
}

#[derive(Debug)]
enum Told {
    Line(Line),
    Finish,
}

impl Recorder {
    /// Begins a recording of this command of flowswap: its name and those of its options.
    ///
    /// # Errors
    /// If the first line cannot be written.
    pub fn begin(mut file: impl Write + Send + 'static, flowswap: &str, command: Vec<String>) -> io::Result<Self> {
        let header = Header { format: FORMAT, flowswap: flowswap.to_owned(), command };
        write(&mut file, &Line::Recording(header))?;
        let (lines, told) = mpsc::channel();
        let writer = thread::spawn(move || write_all(&told, BufWriter::new(file)));
        Ok(Self { lines, writer, processes: Arc::default(), began: Instant::now() })
    }

    /// For [`Launcher`](flowswap_host::Launcher): records every process that is started.
    pub fn listen(&self) -> Listen {
        let (lines, processes, began) = (self.lines.clone(), Arc::clone(&self.processes), self.began);
        Arc::new(move |file| listen_to(file, processes.fetch_add(1, Ordering::Relaxed) + 1, began, lines.clone()))
    }

    /// Writes the last line. Nothing is recorded afterwards.
    ///
    /// # Errors
    /// If a line could not be written. The recording ends before that line.
    pub fn finish(self) -> io::Result<Recorded> {
        // If this fails, the writer has ended with an error.
        let _ = self.lines.send(Told::Finish);
        let messages = self.writer.join().map_err(|_| io::Error::other("the thread that writes panicked"))??;
        Ok(Recorded { processes: self.processes.load(Ordering::Relaxed), messages })
    }
}

fn listen_to(file: &PluginFile, process: u32, began: Instant, lines: mpsc::Sender<Told>) -> Tap {
    let ms = move || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let tell = move |line| {
        // If this fails, the recording has ended.
        let _ = lines.send(Told::Line(line));
    };
    tell(Line::Started { process, ms: ms(), plugin: file.name().to_owned(), sha256: file.sha256().to_owned() });
    let is_closed = AtomicBool::new(false);
    Arc::new(move |traffic| match traffic {
        Traffic::ToPlugin(bytes) => {
            // The host sends only JSON.
            let Ok(message) = serde_json::from_slice::<Box<RawValue>>(bytes) else { return };
            tell(Line::ToPlugin { process, ms: ms(), message });
        }
        Traffic::FromPlugin(bytes) => tell(Line::from_plugin(process, ms(), bytes)),
        Traffic::Closed => is_closed.store(true, Ordering::Relaxed),
        // That is how every process ends once flowswap does not need it.
        Traffic::Ended(_) if is_closed.load(Ordering::Relaxed) => {}
        Traffic::Ended(how) => tell(Line::Ended { process, ms: ms(), how: how.to_owned() }),
        Traffic::Stopped { why, is_late } => {
            tell(Line::Stopped { process, ms: ms(), how: why.to_owned(), late: is_late });
        }
    })
}

/// Writes until the recording is finished, and returns the number of messages. If flowswap is killed, only the lines of the last
/// moment are lost.
fn write_all(told: &mpsc::Receiver<Told>, mut file: BufWriter<impl Write>) -> io::Result<u64> {
    let mut messages = 0;
    loop {
        let next = match told.try_recv() {
            Err(TryRecvError::Empty) => {
                file.flush()?;
                told.recv().ok()
            }
            other => other.ok(),
        };
        match next {
            Some(Told::Line(line)) => {
                messages += u64::from(line.is_message());
                write(&mut file, &line)?;
            }
            Some(Told::Finish) => {
                write(&mut file, &Line::End { messages })?;
                file.flush()?;
                return Ok(messages);
            }
            None => return Ok(messages),
        }
    }
}

fn write(file: &mut impl Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

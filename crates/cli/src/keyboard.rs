//! What a person types. Every question on a terminal is asked here, because nothing that was typed before a question appeared may
//! answer it: a `y` that was meant for an earlier question would start hundreds of tenants.

use std::{
    io::{self, IsTerminal},
    sync::OnceLock,
};

use tokio::sync::{Mutex, MutexGuard, mpsc};

use crate::{
    display::text::{Text, text},
    terminal::{OpenLine, columns_of_stderr, for_people, say_always},
};

/// The stream that is no terminal, so that nobody can be asked: a person reads questions on stderr, and answers on stdin.
pub(crate) fn missing_terminal() -> Option<&'static str> {
    match (io::stdin().is_terminal(), io::stderr().is_terminal()) {
        (false, _) => Some("stdin"),
        (true, false) => Some("stderr"),
        (true, true) => None,
    }
}

/// Room for what follows a question: ` [y/N] `, or the number of tenants.
const ANSWER: usize = 8;

/// Discards what the terminal has for flowswap and nobody has read yet. The end of the input stays: it means that nobody is there.
fn discard_typed() {
    #[cfg(unix)]
    if io::stdin().is_terminal() && !is_at_end() {
        use rustix::termios::{QueueSelector, tcflush};
        // If the terminal is gone, the question fails by itself.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    }
}

/// Whether the next read says that the input has ended.
#[cfg(unix)]
fn is_at_end() -> bool {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::ioctl_fionread,
    };
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
    let is_readable = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0);
    is_readable && ioctl_fionread(&stdin).is_ok_and(|bytes| bytes == 0)
}

/// Questions to the person. One conversation goes on at a time, and others wait for it.
///
/// A question may end without an answer, because a run saw the answer elsewhere, or because the command was stopped. So a thread of
/// its own reads each line. The terminal stays in its usual mode, in which Ctrl-C, Ctrl-D, and Ctrl-Z do what they always do.
pub(crate) struct Conversation(MutexGuard<'static, Reader>);

static READER: OnceLock<Mutex<Reader>> = OnceLock::new();

impl Conversation {
    /// Begins one, once no other goes on.
    pub(crate) async fn begin() -> Self {
        Self(READER.get_or_init(|| Mutex::new(Reader::start())).lock().await)
    }

    /// Asks for a line. Asks again if the process was suspended meanwhile. Returns `None` once stdin is closed.
    pub(crate) async fn ask(&mut self, prompt: &Text) -> Option<String> {
        self.ask_in(prompt, || None).await
    }

    /// Asks while the terminal is in a mode. A shell may have changed that while the process was suspended.
    async fn ask_in(&mut self, prompt: &Text, begin: impl Fn() -> Option<Hidden>) -> Option<String> {
        let mut resumes = Resumes::listen();
        loop {
            let _mode = begin();
            discard_typed();
            self.0.begin_line();
            let _open = OpenLine::begin(&for_people(prompt, columns_of_stderr().saturating_sub(ANSWER)));
            tokio::select! {
                biased;
                () = resumes.next() => {}
                line = self.0.end_line() => {
                    let line = line?;
                    OpenLine::end_by_enter();
                    return Some(line);
                }
            }
        }
    }

    /// Asks for something that the screen must not show. Returns `None` once stdin is closed.
    pub(crate) async fn ask_hidden(&mut self, prompt: &Text) -> Option<String> {
        let typed = self.ask_in(prompt, || Some(Hidden::begin())).await;
        // The terminal did not show that Enter was pressed.
        say_always(&Text::default());
        typed
    }

    /// Asks until the answer is yes or no. Without an answer, it is no.
    pub(crate) async fn ask_yes_or_no(&mut self, question: &Text) -> bool {
        let prompt = text!("{} [y/n]", question);
        loop {
            let Some(line) = self.ask(&prompt).await else { return false };
            match line.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return true,
                "n" | "no" => return false,
                _ => say_always(&"type y or n, then press Enter".into()),
            }
        }
    }
}

/// The terminal does not show what is typed, until this is dropped.
struct Hidden {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Hidden {
    fn begin() -> Self {
        #[cfg(unix)]
        {
            use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
            let before = tcgetattr(io::stdin()).ok();
            if let Some(mut modes) = before.clone() {
                modes.local_modes.remove(LocalModes::ECHO);
                // If it fails, the terminal is gone, and the question fails by itself.
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
            }
            Self { before }
        }
        #[cfg(not(unix))]
        Self {}
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}

/// Tells when the process goes on after it was suspended, as by Ctrl-Z and `fg`.
struct Resumes {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Resumes {
    fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let kind = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
            Self { signals: signal(kind).ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            signals.recv().await;
            return;
        }
        std::future::pending().await
    }
}

/// Reads stdin, and only while a question is open: other programs, such as `ssh-keygen`, read the same terminal.
struct Reader {
    /// Each asks for a line.
    requests: std::sync::mpsc::Sender<()>,
    lines: mpsc::UnboundedReceiver<String>,
    /// Whether a line was asked for and has not come.
    is_reading: bool,
}

impl Reader {
    fn start() -> Self {
        let (requests, requested) = std::sync::mpsc::channel();
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let read = |()| io::stdin().lines().next()?.ok();
            for line in requested.into_iter().map_while(read) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { requests, lines, is_reading: false }
    }

    /// Reads a line that nobody has typed yet.
    fn begin_line(&mut self) {
        while self.lines.try_recv().is_ok() {
            self.is_reading = false;
        }
        if !self.is_reading {
            // Without the thread, there is no line.
            self.is_reading = self.requests.send(()).is_ok();
        }
    }

    /// The line, once there is one. `None` once stdin is closed.
    async fn end_line(&mut self) -> Option<String> {
        let line = self.lines.recv().await;
        self.is_reading = false;
        line
    }
}

//! A pseudo-terminal: what the binary does only where a person is at the other end.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// No test waits for as long as this; it ends one that would wait for ever.
const FOREVER: Duration = Duration::from_secs(60);

/// The person's end of a terminal, with the binary at the other.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<String>,
    /// What was on the screen so far.
    seen: String,
    /// How much of that was waited for already.
    read: usize,
}

impl Terminal {
    /// Starts a command whose three streams are a terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let other = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let stream = || Stdio::from(other.try_clone().unwrap());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        // Only the binary's own copies keep the terminal open.
        drop(command);
        drop(other);
        let keyboard = File::from(person);
        let screen = read(keyboard.try_clone().unwrap());
        Self { child, keyboard, screen, seen: String::new(), read: 0 }
    }

    /// Waits until these words are on the screen, after those that were waited for before.
    #[track_caller]
    pub(crate) fn await_words(&mut self, words: &str) {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.seen[self.read..].find(words) {
                self.read += at + words.len();
                return;
            }
            let left = FOREVER.saturating_sub(begun.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(text) => self.seen += &text,
                Err(_) => panic!("`{words}` did not come after:\n{}", self.seen),
            }
        }
    }

    /// The word that follows, up to the end of its line.
    #[track_caller]
    pub(crate) fn next_word(&mut self) -> String {
        let begin = self.read;
        self.await_words("\n");
        self.seen[begin..self.read].trim().to_owned()
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits for the end: the exit code, and all that was on the screen.
    pub(crate) fn finish(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        self.seen.extend(self.screen.iter());
        (status.code().unwrap_or(-1), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless the test failed on its way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes on the screen. Where nobody has the other end any more, reading fails and that is the end.
fn read(mut screen: File) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = screen.read(&mut bytes) {
            if count == 0 || sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

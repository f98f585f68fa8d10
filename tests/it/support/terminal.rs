//! A pseudo-terminal, for what the binary does only if a person is at the terminal.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

/// Longer than any test waits; ends a test that would wait forever.
pub(crate) const FOREVER: Duration = Duration::from_secs(60);

/// The person's end of a terminal; the binary is at the other end.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<String>,
    /// Everything on the screen so far.
    seen: String,
    /// How many bytes of that earlier waits have covered.
    read: usize,
}

impl Terminal {
    /// Starts a command whose three streams are a terminal without a size.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_on(command, 0, 0)
    }

    /// Starts a command whose three streams are a terminal of this size.
    pub(crate) fn start_on(command: Command, rows: u16, columns: u16) -> Self {
        Self::start_with(command, rows, columns, None)
    }

    /// Starts a command that talks elsewhere than on its terminal.
    pub(crate) fn start_telling(command: Command, stderr: Stdio) -> Self {
        Self::start_with(command, 40, 120, Some(stderr))
    }

    fn start_with(mut command: Command, rows: u16, columns: u16, stderr: Option<Stdio>) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        tcsetwinsize(&person, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let other = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let stream = || Stdio::from(other.try_clone().unwrap());
        let child = command.stdin(stream()).stdout(stream()).stderr(stderr.unwrap_or_else(stream)).spawn().unwrap();
        // Only the binary's own copies of the streams keep the terminal open.
        drop(command);
        drop(other);
        let keyboard = File::from(person);
        let screen = read(keyboard.try_clone().unwrap());
        Self { child, keyboard, screen, seen: String::new(), read: 0 }
    }

    /// Waits until these words appear on the screen, after the words of the previous wait.
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
                Err(_) => panic!("`{words}` did not appear after:\n{}", self.seen),
            }
        }
    }

    /// The next word, up to the end of its line.
    #[track_caller]
    pub(crate) fn next_word(&mut self) -> String {
        let begin = self.read;
        self.await_words("\n");
        self.seen[begin..self.read].trim().to_owned()
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.press(format!("{line}\n").as_bytes());
    }

    /// Waits until the terminal no longer shows what is typed.
    #[track_caller]
    pub(crate) fn await_hidden(&mut self) {
        let begun = Instant::now();
        while tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(begun.elapsed() < FOREVER, "the terminal still shows what is typed:\n{}", self.seen);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the terminal show what is typed, as a shell does.
    pub(crate) fn show_typed(&self) {
        let mut modes = tcgetattr(&self.keyboard).unwrap();
        modes.local_modes.insert(LocalModes::ECHO);
        tcsetattr(&self.keyboard, OptionalActions::Now, &modes).unwrap();
    }

    /// Types a line once the terminal no longer shows what is typed.
    #[track_caller]
    pub(crate) fn enter_hidden(&mut self, line: &str) {
        self.await_hidden();
        self.enter(line);
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Sends a signal to the binary.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Presses Ctrl-C: the terminal shows it, and the binary gets the signal. In between, the terminal discards what nobody has read
    /// yet, so the signal has to wait.
    #[track_caller]
    pub(crate) fn interrupt(&mut self) {
        self.press(b"\x03");
        self.await_words("^C");
        self.signal(Signal::INT);
    }

    /// Waits for the end. Returns the exit code and everything that was on the screen.
    pub(crate) fn finish(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        self.seen.extend(self.screen.iter());
        (status.code().unwrap_or(-1), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The process has already ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the screen until the other end is closed; reading then fails.
fn read(mut screen: File) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let (mut bytes, mut unread) = ([0; 4096], Vec::new());
        while let Ok(count) = screen.read(&mut bytes) {
            unread.extend(&bytes[..count]);
            // A read may end in the middle of a character.
            let whole = std::str::from_utf8(&unread).map_or_else(|error| error.valid_up_to(), str::len);
            let text: Vec<u8> = unread.drain(..whole).collect();
            if count == 0 || sender.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

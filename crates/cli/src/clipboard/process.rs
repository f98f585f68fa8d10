//! The process that has the clipboard: it opens it, puts one secret there, and removes it at the end of its input.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use zeroize::Zeroizing;

use super::DONE;

/// The longest secret. No field of a web page takes a longer one.
const MAX_SECRET: u32 = 1 << 20;

/// What a clipboard can do. A simulated one is in the tests.
trait Board {
    fn set(&mut self, secret: &str) -> Result<(), arboard::Error>;
    fn get(&mut self) -> Result<String, arboard::Error>;
    fn clear(&mut self) -> Result<(), arboard::Error>;
}

impl Board for arboard::Clipboard {
    fn set(&mut self, secret: &str) -> Result<(), arboard::Error> {
        let set = arboard::Clipboard::set(self);
        #[cfg(all(unix, not(target_os = "macos")))]
        let set = arboard::SetExtLinux::exclude_from_history(set);
        #[cfg(target_os = "macos")]
        let set = arboard::SetExtApple::exclude_from_history(set);
        #[cfg(windows)]
        let set = arboard::SetExtWindows::exclude_from_history(set);
        set.text(secret)
    }

    fn get(&mut self) -> Result<String, arboard::Error> {
        self.get_text()
    }

    fn clear(&mut self) -> Result<(), arboard::Error> {
        arboard::Clipboard::clear(self)
    }
}

/// Runs the process. `flowswap` starts it, and nobody else.
pub(crate) fn serve() -> ExitCode {
    let served = flowswap_host::harden().and_then(|()| {
        let clipboard = arboard::Clipboard::new();
        answer(io::stdin().lock(), io::stdout().lock(), clipboard)
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers whether the clipboard is open, takes the secret, answers whether it is there, waits for the end of the input, and
/// answers whether the secret is gone.
fn answer(
    mut requests: impl Read,
    mut answers: impl Write,
    board: Result<impl Board, arboard::Error>,
) -> io::Result<()> {
    let mut tell = |result: Result<(), arboard::Error>| {
        let line = result.map_or_else(|error| error.to_string().replace('\n', " "), |()| DONE.to_owned());
        writeln!(answers, "{line}").and_then(|()| answers.flush())
    };
    let mut board = match board {
        Ok(board) => board,
        Err(error) => return tell(Err(error)),
    };
    tell(Ok(()))?;
    let mut length = [0; 4];
    requests.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length).min(MAX_SECRET) as usize;
    let mut bytes = Zeroizing::new(vec![0; length]);
    requests.read_exact(&mut bytes)?;
    let secret = str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    let set = board.set(secret);
    let is_there = set.is_ok();
    tell(set)?;
    let _ = io::copy(&mut requests, &mut io::sink());
    if !is_there {
        return Ok(());
    }
    // Content that somebody else has put there since then stays.
    let there = board.get().map(Zeroizing::new);
    let is_ours = there.is_ok_and(|there| there.as_str() == secret);
    tell(if is_ours { board.clear() } else { Ok(()) })
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    /// The content of a clipboard, which others can change.
    #[derive(Clone, Default)]
    struct Fake(Rc<RefCell<Option<String>>>);

    impl Board for Fake {
        fn set(&mut self, secret: &str) -> Result<(), arboard::Error> {
            if secret == "refused" {
                return Err(arboard::Error::ClipboardOccupied);
            }
            self.0.replace(Some(secret.to_owned()));
            Ok(())
        }

        fn get(&mut self) -> Result<String, arboard::Error> {
            self.0.borrow().clone().ok_or(arboard::Error::ContentNotAvailable)
        }

        fn clear(&mut self) -> Result<(), arboard::Error> {
            self.0.take();
            Ok(())
        }
    }

    /// Requests that end after something else happens.
    struct Then<'a>(&'a [u8], Box<dyn FnMut() + 'a>);

    impl Read for Then<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                (self.1)();
            }
            self.0.read(buffer)
        }
    }

    /// The answers to a secret, and what the clipboard has when the input ends and after the process has ended.
    fn run(requests: &[u8], meanwhile: Option<&str>) -> (String, Option<String>, Option<String>) {
        let (board, mut answers, mut before) = (Fake::default(), Vec::new(), None);
        let change = || {
            before = board.0.borrow().clone();
            if let Some(other) = meanwhile {
                board.0.replace(Some(other.to_owned()));
            }
        };
        let _ = answer(Then(requests, Box::new(change)), &mut answers, Ok(board.clone()));
        let after = board.0.take();
        (String::from_utf8(answers).unwrap(), before, after)
    }

    #[test]
    fn the_secret_is_there_until_the_input_ends() {
        let secret = Some("secret".to_owned());
        assert_eq!(run(b"\x06\0\0\0secret", None), ("done\ndone\ndone\n".to_owned(), secret.clone(), None));
        let other = Some("other".to_owned());
        assert_eq!(run(b"\x06\0\0\0secret", Some("other")), ("done\ndone\ndone\n".to_owned(), secret, other));
    }

    #[test]
    fn nothing_is_put_there_without_a_whole_secret() {
        for requests in [&b""[..], b"\x06\0", b"\x06\0\0\0secre", b"\x01\0\0\0\xff"] {
            assert_eq!(run(requests, None), ("done\n".to_owned(), None, None), "{requests:?}");
        }
        let (answers, before, _) = run(b"\x07\0\0\0refused", None);
        assert!(answers.starts_with("done\nThe native clipboard is not accessible") && before.is_none(), "{answers}");
        assert_eq!(answers.lines().count(), 2, "{answers}");
    }

    #[test]
    fn a_clipboard_that_cannot_be_opened_is_one_line() {
        let mut answers = Vec::new();
        let description = "no\ndisplay".to_owned();
        let failed: Result<Fake, _> = Err(arboard::Error::Unknown { description });
        answer(io::empty(), &mut answers, failed).unwrap();
        let told = String::from_utf8(answers).unwrap();
        assert!(told.ends_with("no display\n") && told.lines().count() == 1, "{told}");
    }
}

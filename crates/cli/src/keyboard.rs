//! What a person types. Every question on a terminal is asked here, because nothing that was typed before a question appeared may
//! answer it: a `y` that was meant for an earlier question would start hundreds of tenants.
//!
//! If stdin is no terminal, the answers are in a pipe or a file. Then nothing is discarded.

use std::{
    io::{self, BufRead, IsTerminal},
    sync::OnceLock,
};

use tokio::sync::{Mutex, MutexGuard, mpsc};

use crate::{
    display::text::{Text, text},
    terminal::{OpenLine, can_redraw, columns_of_stderr, for_people, say_always},
};

/// Room for what follows a question: ` [y/N] `, or the number of tenants.
const ANSWER: usize = 8;

/// Asks a question that `y` answers. Enter alone means no.
pub(crate) fn confirm(question: &Text) -> io::Result<bool> {
    let prompt = begin(question);
    if !can_redraw() {
        let answer = read_line(&text!("{} [y/N]", prompt))?.to_ascii_lowercase();
        return Ok(matches!(answer.as_str(), "y" | "yes"));
    }
    let answer = dialoguer::Confirm::new().with_prompt(prompt.into_string()).default(false).interact();
    answer.map_err(|dialoguer::Error::IO(error)| error)
}

/// Asks for a word.
pub(crate) fn read_word(question: &Text) -> io::Result<String> {
    let prompt = begin(question);
    if !can_redraw() {
        return read_line(&prompt);
    }
    let input = dialoguer::Input::<String>::new().with_prompt(prompt.into_string()).allow_empty(true);
    let typed = input.interact_text().map_err(|dialoguer::Error::IO(error)| error)?;
    Ok(typed.trim().to_owned())
}

/// Asks for something that the screen must not show.
pub(crate) fn read_hidden(question: &Text) -> io::Result<String> {
    let prompt = begin(question).into_string();
    let typed = dialoguer::Password::new().with_prompt(prompt).allow_empty_password(true).interact();
    typed.map_err(|dialoguer::Error::IO(error)| error)
}

/// Prepares for a question, and shows all of its lines but the last, which is the prompt.
fn begin(question: &Text) -> Text {
    discard_typed();
    let shown = for_people(question, columns_of_stderr().saturating_sub(ANSWER)).into_string();
    let Some((before, last)) = shown.rsplit_once('\n') else { return Text::rendered(shown) };
    say_always(&Text::rendered(before.to_owned()));
    Text::rendered(last.to_owned())
}

/// Discards what the terminal has for flowswap and nobody has read yet.
fn discard_typed() {
    #[cfg(unix)]
    if io::stdin().is_terminal() {
        use rustix::termios::{QueueSelector, tcflush};
        // If the terminal is gone, the question fails by itself.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    }
}

fn read_line(prompt: &Text) -> io::Result<String> {
    let _open = OpenLine::begin(prompt);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    OpenLine::end_by_enter();
    Ok(answer.trim().to_owned())
}

/// Questions to the person while a run is at work. One conversation goes on at a time, and others wait for it.
///
/// The run may end a question that has no answer yet, because it saw the answer elsewhere, or because it was stopped. So one thread
/// reads the keyboard until the process ends, and the screen stays in its usual mode.
pub(crate) struct Conversation(MutexGuard<'static, mpsc::UnboundedReceiver<String>>);

static LINES: OnceLock<Mutex<mpsc::UnboundedReceiver<String>>> = OnceLock::new();

impl Conversation {
    /// Begins one, once no other goes on.
    pub(crate) async fn begin() -> Self {
        let begin = || {
            // The thread would take what is there before anybody can discard it.
            discard_typed();
            Mutex::new(read_lines())
        };
        Self(LINES.get_or_init(begin).lock().await)
    }

    /// Asks for a line. Returns `None` once stdin is closed.
    pub(crate) async fn ask(&mut self, prompt: &Text) -> Option<String> {
        discard_typed();
        while self.0.try_recv().is_ok() {}
        let _open = OpenLine::begin(&for_people(prompt, columns_of_stderr().saturating_sub(ANSWER)));
        let line = self.0.recv().await?;
        OpenLine::end_by_enter();
        Some(line)
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

fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

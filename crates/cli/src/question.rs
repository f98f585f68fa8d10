//! The question before a command acts.

use std::io::{self, IsTerminal};

use crate::{
    display::{
        text::{Text, text},
        times,
    },
    exit::{Exit, Failure},
    terminal::{Terminal, can_redraw, columns_of_stderr, read_line},
};

/// What a person is asked before flowswap acts.
pub(crate) struct Question {
    text: String,
    /// The number of tenants that is to be typed. `None` if `y` is enough.
    typed: Option<usize>,
}

/// With more tenants, a person types their number: a `y` is typed before it is thought about.
const MANY: usize = 20;

impl Question {
    /// A question about a number of tenants.
    pub(crate) fn about(tenants: usize, text: impl Into<String>) -> Self {
        Self { text: text.into(), typed: (tenants > MANY).then_some(tenants) }
    }

    /// Whether a person must type the number of tenants.
    pub(crate) fn is_typed(&self) -> bool {
        self.typed.is_some()
    }

    /// A question about what cannot be taken back, whether about one tenant or many.
    #[must_use]
    pub(crate) fn irreversible(self, tenants: usize) -> Self {
        Self { typed: Some(tenants), ..self }
    }

    /// Shows what is about to happen and asks for confirmation. Without a terminal, the user must pass `--yes`.
    pub(crate) fn ask(&self, terminal: Terminal, what: &Text, yes: bool) -> Result<(), Failure> {
        if yes {
            terminal.say(what);
            return Ok(());
        }
        // The question makes no sense without this, so `--quiet` does not apply.
        terminal.say_always(&times::in_text(what).wrapped(columns_of_stderr()));
        if !io::stdin().is_terminal() {
            let failure = Failure::new(Exit::Usage, "cannot ask for confirmation: stdin is not a terminal");
            return Err(failure.hint("read what will happen, then pass `--yes`"));
        }
        match self.read_answer() {
            Ok(true) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(Failure::at("ask for confirmation")(error)),
            Ok(false) => Err(unconfirmed().hint_if(self.typed.map(|number| format!("to confirm, type {number}")))),
            // Ctrl-C at the question means no.
            Err(_) => Err(unconfirmed()),
        }
    }

    fn read_answer(&self) -> io::Result<bool> {
        let prompt = match self.typed {
            None => text!("{}", self.text),
            Some(number) => text!("{} Type {} to confirm", self.text, number),
        }
        .into_string();
        match self.typed.map(|number| number.to_string()) {
            None if can_redraw() => {
                let answer = dialoguer::Confirm::new().with_prompt(prompt).default(false).interact();
                answer.map_err(|dialoguer::Error::IO(error)| error)
            }
            Some(number) if can_redraw() => {
                let input = dialoguer::Input::<String>::new().with_prompt(prompt).allow_empty(true);
                let typed = input.interact_text().map_err(|dialoguer::Error::IO(error)| error)?;
                Ok(typed.trim() == number)
            }
            None => Ok(matches!(read_line(&format!("{prompt} [y/N]"))?.to_ascii_lowercase().as_str(), "y" | "yes")),
            Some(number) => Ok(read_line(&prompt)? == number),
        }
    }
}

fn unconfirmed() -> Failure {
    Failure::new(Exit::Interrupted, "you did not confirm, so nothing was done")
}

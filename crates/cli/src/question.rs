//! The question before a command acts.

use std::io::{self, IsTerminal};

use crate::{
    display::text::{Text, text},
    exit::{Exit, Failure},
    keyboard,
    terminal::Terminal,
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
        terminal.say_always(what);
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
        match self.typed {
            None => keyboard::confirm(&text!("{}", self.text)),
            Some(number) => {
                let typed = keyboard::read_word(&text!("{} Type {} to confirm", self.text, number))?;
                Ok(typed == number.to_string())
            }
        }
    }
}

fn unconfirmed() -> Failure {
    Failure::new(Exit::Interrupted, "you did not confirm, so nothing was done")
}

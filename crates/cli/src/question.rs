//! The question before a command acts.

use crate::{
    context::Context,
    display::text::{Text, text},
    exit::{Exit, Failure},
    keyboard::{Conversation, missing_terminal},
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

    /// Shows what is about to happen and asks for confirmation. Without a terminal, the user must pass `--yes`. Ctrl-C means no.
    pub(crate) async fn ask(&self, context: &Context, what: &Text, yes: bool) -> Result<(), Failure> {
        if yes {
            context.terminal.say(what);
            return Ok(());
        }
        // The question makes no sense without this, so `--quiet` does not apply.
        context.terminal.say_always(what);
        if let Some(stream) = missing_terminal() {
            let error = format!("cannot ask for confirmation: {stream} is not a terminal");
            let failure = Failure::new(Exit::Usage, error);
            return Err(failure.hint("read what will happen, then pass `--yes`"));
        }
        let answer = tokio::select! {
            biased;
            () = context.stop.stopped() => None,
            answer = self.read_answer() => answer,
        };
        match (answer, self.typed) {
            (Some(true), _) => Ok(()),
            (Some(false), Some(number)) => Err(unconfirmed().hint(format!("to confirm, type {number}"))),
            (Some(false) | None, _) => Err(unconfirmed()),
        }
    }

    /// Whether the answer is yes. `None` once stdin is closed.
    async fn read_answer(&self) -> Option<bool> {
        let prompt = match self.typed {
            None => text!("{} [y/N]", self.text),
            Some(number) => text!("{} Type {} to confirm:", self.text, number),
        };
        let line = Conversation::begin().await.ask(&prompt).await?;
        let line = line.trim();
        Some(self.typed.map_or_else(|| is_yes(line), |number| line == number.to_string()))
    }
}

/// Whether somebody typed yes, in any case.
fn is_yes(line: &str) -> bool {
    line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")
}

fn unconfirmed() -> Failure {
    Failure::new(Exit::Interrupted, "you did not confirm, so nothing was done")
}

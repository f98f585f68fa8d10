//! How a person replies to a run sheet: at the terminal, or by a command.

use futures::future::BoxFuture;

use super::{Runner, progress::internal_error};
use crate::{Draft, Entry, JournalError, Question, TenantHistory, TenantState};

/// The person at the terminal, if there is one.
pub trait Operator: Send + Sync {
    /// Shows the run sheet and waits for the person's reply. Dropped when flowswap sees the step done.
    fn await_reply<'a>(&'a self, tenant: &'a str, question: &'a Question) -> BoxFuture<'a, OperatorReply>;

    /// Whether this tenant's run sheet is on the screen. Then its step is checked often.
    fn is_showing(&self, tenant: &str) -> bool;

    /// Tells the person what flowswap sees.
    fn notify(&self, tenant: &str, news: &str);
}

/// A person's reply to a run sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorReply {
    /// The person confirms that it is done.
    Done {
        /// A note of the person.
        note: Option<String>,
    },
    /// The person declines.
    Declined {
        /// Why.
        reason: String,
    },
    /// The person does not reply now, or nobody is at the terminal.
    Later,
}

/// Nobody is at the terminal. The person replies later, by a command.
#[derive(Debug, Clone, Copy)]
pub struct NoOperator;

impl Operator for NoOperator {
    fn await_reply<'a>(&'a self, _: &'a str, _: &'a Question) -> BoxFuture<'a, OperatorReply> {
        Box::pin(async { OperatorReply::Later })
    }

    fn is_showing(&self, _: &str) -> bool {
        false
    }

    fn notify(&self, _: &str, _: &str) {}
}

/// Why a person's reply is refused.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no open question.
    #[error("the tenant is {state}; it has no run sheet for anybody to confirm or decline")]
    NotAsked {
        /// Its state.
        state: TenantState,
    },
    /// Declining needs a reason, for those who read the journal later.
    #[error("the reason is empty")]
    NoReason,
    /// The journal failed, so nothing is recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Records that a person confirmed the open run sheet. The next run of the tenant checks it.
    pub async fn confirm(
        &self,
        tenant: &str,
        history: &TenantHistory,
        by: &str,
        note: Option<String>,
    ) -> Result<(), OperatorError> {
        let step = open_question(history)?.step.clone();
        self.say(tenant, history, Entry::Confirmed { step, by: by.to_owned(), note }).await
    }

    /// Records that a person declined the open run sheet.
    pub async fn decline(
        &self,
        tenant: &str,
        history: &TenantHistory,
        by: &str,
        reason: String,
    ) -> Result<(), OperatorError> {
        let step = open_question(history)?.step.clone();
        if reason.trim().is_empty() {
            return Err(OperatorError::NoReason);
        }
        self.say(tenant, history, Entry::Declined { step, by: by.to_owned(), reason }).await
    }

    async fn say(&self, tenant: &str, history: &TenantHistory, entry: Entry) -> Result<(), OperatorError> {
        let at = self.ports.clock.now();
        history.clone().add(&entry, self.run, at).map_err(|problem| internal_error(&problem))?;
        self.ports.journal.append(Draft { at, run: self.run, tenant: Some(tenant.to_owned()), entry }).await?;
        Ok(())
    }
}

fn open_question(history: &TenantHistory) -> Result<&Question, OperatorError> {
    let question = history.work.as_ref().and_then(|work| work.question.as_ref());
    question.ok_or(OperatorError::NotAsked { state: history.state })
}

/// Who is asked to carry out a run sheet, and how soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The person who is asked. `None` if anybody may do it.
    pub owner: Option<String>,
    /// How long the person may take before the tenant is shown as overdue.
    pub due_within: jiff::SignedDuration,
}

impl Default for Assignment {
    /// Anybody, within three days.
    fn default() -> Self {
        Self { owner: None, due_within: jiff::SignedDuration::from_hours(72) }
    }
}

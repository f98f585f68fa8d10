//! What a person says of a step that waits for one: at the terminal, or by a command.

use futures::future::BoxFuture;

use super::{Runner, progress::defect};
use crate::{Draft, Entry, JournalError, Question, TenantHistory, TenantState};

/// The person at the terminal, if there is one.
pub trait Operator: Send + Sync {
    /// Shows what is to be done and waits for what the person says of it. Dropped when the step is seen to be done.
    fn attend<'a>(&'a self, tenant: &'a str, question: &'a Question) -> BoxFuture<'a, Word>;

    /// Whether it is this tenant that the person is busy with, so that it is worth looking often.
    fn is_at(&self, tenant: &str) -> bool;

    /// Tells the person what has come of it.
    fn hear(&self, tenant: &str, news: &str);
}

/// What a person says of something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is done.
    Done {
        /// What else the person says.
        note: Option<String>,
    },
    /// The person does not do it.
    Declined {
        /// Why.
        reason: String,
    },
    /// Not now, or nobody is there.
    Later,
}

/// Nobody is at the terminal: whoever is asked says so later, by a command.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Operator for Nobody {
    fn attend<'a>(&'a self, _: &'a str, _: &'a Question) -> BoxFuture<'a, Word> {
        Box::pin(async { Word::Later })
    }

    fn is_at(&self, _: &str) -> bool {
        false
    }

    fn hear(&self, _: &str, _: &str) {}
}

/// Why a person's word is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no open question.
    #[error("the tenant is {state}, and nobody was asked to do anything for it")]
    NotAsked {
        /// Where it stands.
        state: TenantState,
    },
    /// A refusal without a reason is worth nothing later.
    #[error("the reason is empty")]
    NoReason,
    /// The journal failed, and nothing is recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Records that a person says that what was asked for is done. Whether it is so, the next run of the tenant sees.
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

    /// Records that a person does not do what was asked for.
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
        history.clone().take(&entry, self.run, at).map_err(|problem| defect(&problem))?;
        self.ports.journal.append(Draft { at, run: self.run, tenant: Some(tenant.to_owned()), entry }).await?;
        Ok(())
    }
}

fn open_question(history: &TenantHistory) -> Result<&Question, OperatorError> {
    let question = history.work.as_ref().and_then(|work| work.question.as_ref());
    question.ok_or(OperatorError::NotAsked { state: history.state })
}

/// On what terms a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Who is asked; anybody who may if nobody is named.
    pub owner: Option<String>,
    /// How long the person may take before the tenant is shown as overdue.
    pub patience: jiff::SignedDuration,
}

impl Default for Terms {
    /// Anybody, within three days.
    fn default() -> Self {
        Self { owner: None, patience: jiff::SignedDuration::from_hours(72) }
    }
}

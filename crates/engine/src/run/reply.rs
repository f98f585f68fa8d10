//! How a person replies to a run sheet: at the terminal, or by a command.

use flowswap_contract::Handle;
use futures::future::BoxFuture;

use super::{Pause, Runner};
use crate::{Entry, JournalError, Question, Recording, TenantHistory, TenantState};

/// The person at the terminal, if there is one.
pub trait Operator: Send + Sync {
    /// Shows the run sheet and waits for the person's reply. Dropped when flowswap sees the step done. What the person gets
    /// meanwhile, such as a secret, goes to the recorder.
    fn await_reply<'a>(
        &'a self,
        tenant: &'a str,
        question: &'a Question,
        recorder: &'a dyn Recording,
    ) -> BoxFuture<'a, OperatorReply>;

    /// Whether this tenant's run sheet is on the screen. Then its step is checked often.
    fn is_showing(&self, tenant: &str) -> bool;

    /// Tells the person what flowswap sees.
    fn notify(&self, tenant: &str, news: &str);

    /// Asks whether the run still starts further tenants, although flowswap could not tell about some. Nothing runs meanwhile.
    /// Dropped if the run is stopped. Without a person, it does not.
    fn may_go_on<'a>(&'a self, _pause: &'a Pause) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }
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
    fn await_reply<'a>(&'a self, _: &'a str, _: &'a Question, _: &'a dyn Recording) -> BoxFuture<'a, OperatorReply> {
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
    /// The person pasted a secret. The journal keeps every word for ever.
    #[error("your text has the secret `{0}` in it, and the journal would keep it for ever")]
    HasSecret(Handle),
    /// The journal failed, so nothing is recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Runner {
    /// Records that a person confirmed the open run sheet. The next run of the tenant checks it.
    pub async fn confirm(&self, tenant: &str, note: Option<String>) -> Result<(), OperatorError> {
        let recorder = self.ports.logbook.recorder_to_join(tenant, self.run).await?;
        let history = recorder.history()?;
        let step = open_step(&history)?;
        self.refuse_secret_in(note.as_deref().unwrap_or_default(), &history).await?;
        Ok(recorder.record(Entry::Confirmed { step, by: self.ports.actor.clone(), note }).await?)
    }

    /// Records that a person declined the open run sheet.
    pub async fn decline(&self, tenant: &str, reason: String) -> Result<(), OperatorError> {
        let recorder = self.ports.logbook.recorder_to_join(tenant, self.run).await?;
        let history = recorder.history()?;
        let step = open_step(&history)?;
        self.refuse_secret_in(&reason, &history).await?;
        if reason.trim().is_empty() {
            return Err(OperatorError::NoReason);
        }
        Ok(recorder.record(Entry::Declined { step, by: self.ports.actor.clone(), reason }).await?)
    }

    async fn refuse_secret_in(&self, text: &str, history: &TenantHistory) -> Result<(), OperatorError> {
        self.find_secret_in(text, history).await.map_or(Ok(()), |handle| Err(OperatorError::HasSecret(handle)))
    }

    /// A stored secret of the tenant that is in a text of a person. A secret that cannot be read is not looked for.
    pub(super) async fn find_secret_in(&self, text: &str, history: &TenantHistory) -> Option<Handle> {
        for handle in history.work.iter().flat_map(|work| work.may_be_stored()) {
            let secret = self.ports.secrets.get(&handle).await.ok().flatten();
            if secret.is_some_and(|secret| text.contains(secret.expose())) {
                return Some(handle);
            }
        }
        None
    }
}

/// The step of the open question.
fn open_step(history: &TenantHistory) -> Result<String, OperatorError> {
    let question = history.work.as_ref().and_then(|work| work.question.as_ref());
    question.map(|question| question.step.clone()).ok_or(OperatorError::NotAsked { state: history.state })
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

//! What a person was asked for a tenant, what was said of it, and which secrets were given to people.

use flowswap_contract::{Handle, RunSheet};
use jiff::{SignedDuration, Timestamp};

use super::work::Work;
use crate::{Direction, HandOver};

/// What another side infers is the beginning of a person's act, and its end once it has stayed so for longer than a directory
/// takes to synchronize (PAN: every five minutes): testing is seen before submitting.
const SURE_AFTER: SignedDuration = SignedDuration::from_mins(6);

/// What a person was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The step.
    pub step: String,
    /// Whether it is to be carried out or taken back.
    pub direction: Direction,
    /// What to do.
    pub sheet: RunSheet,
    /// Who is asked; anybody who may if nobody is named.
    pub owner: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it is due.
    pub deadline: Timestamp,
    /// Who has said that it is done, oldest first.
    pub claims: Vec<Claim>,
    /// Since when another side is seen to infer that it is done, by the clock of this machine.
    pub noticed: Option<Timestamp>,
}

impl Question {
    /// From when on what another side infers is believed without a word; none while it infers nothing.
    pub fn believed_at(&self) -> Option<Timestamp> {
        self.noticed?.checked_add(SURE_AFTER).ok()
    }
}

/// A person's word that something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What else was said.
    pub note: Option<String>,
}

/// A secret that was given to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// Its name.
    pub handle: Handle,
    /// To whom.
    pub by: String,
    /// How.
    pub way: HandOver,
    /// When.
    pub at: Timestamp,
}

impl Work {
    /// The run sheet that a person has at hand: of what is asked, or else of what was done.
    pub fn sheet_at_hand(&self) -> Option<&Question> {
        self.question.as_ref().or(self.answered.as_ref())
    }

    pub(super) fn ask(&mut self, question: Question) -> Result<(), String> {
        self.expect_begun_in(&question.step, question.direction)?;
        if self.question.is_some() {
            return Err(format!("a person is asked for step `{}` while another question is open", question.step));
        }
        self.question = Some(question);
        Ok(())
    }

    pub(super) fn claim(&mut self, step: &str, claim: Claim) -> Result<(), String> {
        match &mut self.question {
            Some(question) if question.step == step => {
                // Whoever says once more that the step is taken back has not carried it out meanwhile.
                if question.direction == Direction::Forward || question.claims.is_empty() {
                    self.claimed_at = Some(claim.at);
                }
                question.claims.push(claim);
                Ok(())
            }
            _ => Err(format!("step `{step}` is confirmed, and nobody was asked for it")),
        }
    }

    /// Only a change of what is seen is told.
    pub(super) fn notice(&mut self, step: &str, seen: bool, at: Timestamp) -> Result<(), String> {
        let Some(question) = self.question.as_mut().filter(|question| question.step == step) else {
            return Err(format!("step `{step}` is noticed, and nobody was asked for it"));
        };
        if question.noticed.is_some() == seen {
            let how = if seen { "again, and nothing was different since" } else { "to be gone, and was not seen" };
            return Err(format!("step `{step}` is noticed {how}"));
        }
        question.noticed = seen.then_some(at);
        Ok(())
    }

    /// Takes the question back. The step stays in doubt: whoever declines may have begun.
    pub(super) fn decline(&mut self, step: &str) -> Result<Question, String> {
        let question = self.question.take_if(|question| question.step == step);
        question.ok_or_else(|| format!("step `{step}` is declined, and nobody was asked for it"))
    }

    pub(super) fn hand_over(&mut self, handed_over: HandedOver) -> Result<(), String> {
        if !self.secrets.contains(&handed_over.handle) {
            return Err(format!("the secret `{}` is handed over, and was not kept", handed_over.handle));
        }
        self.handed_over.push(handed_over);
        Ok(())
    }
}

//! Asks a person, and takes the answers.

use jiff::Timestamp;

use super::{
    question::{Claim, Handover, Question},
    work::Work,
};
use crate::Direction;

impl Work {
    /// The run sheet that a person works with: of the open question, or else of the last answered one.
    pub fn current_sheet(&self) -> Option<&Question> {
        self.question.as_ref().or(self.answered.as_ref())
    }

    pub(super) fn ask(&mut self, question: Question) -> Result<(), String> {
        self.expect_started_in(&question.step, question.direction)?;
        if self.question.is_some() {
            return Err(format!("a person is asked for step `{}` while another run sheet is open", question.step));
        }
        self.question = Some(question);
        Ok(())
    }

    pub(super) fn claim(&mut self, step: &str, claim: Claim) -> Result<(), String> {
        match &mut self.question {
            Some(question) if question.step == step => {
                // A repeated confirmation of a rollback does not mean that the person carried the step out again.
                if question.direction == Direction::Forward || question.claims.is_empty() {
                    self.claimed_at = Some(claim.at);
                }
                question.claims.push(claim);
                Ok(())
            }
            _ => Err(format!("step `{step}` is confirmed, but nobody was asked for it")),
        }
    }

    /// Records that the other side started or stopped inferring that the step is done. Every such record is a change.
    pub(super) fn notice(&mut self, step: &str, seen: bool, at: Timestamp) -> Result<(), String> {
        let Some(question) = self.question.as_mut().filter(|question| question.step == step) else {
            return Err(format!("step `{step}` is noticed, but nobody was asked for it"));
        };
        if question.noticed.is_some() == seen {
            let how = if seen { "again without a change since" } else { "as gone, but was not noticed before" };
            return Err(format!("step `{step}` is noticed {how}"));
        }
        question.noticed = seen.then_some(at);
        Ok(())
    }

    /// Closes the question. The step stays in doubt, because the person may have started before declining.
    pub(super) fn decline(&mut self, step: &str) -> Result<Question, String> {
        let question = self.question.take_if(|question| question.step == step);
        question.ok_or_else(|| format!("step `{step}` is declined, but nobody was asked for it"))
    }

    pub(super) fn hand_over(&mut self, handed_over: Handover) -> Result<(), String> {
        if !self.secrets.contains(&handed_over.handle) {
            return Err(format!("the secret `{}` is handed over, but is not in the secret store", handed_over.handle));
        }
        self.handed_over.push(handed_over);
        Ok(())
    }
}

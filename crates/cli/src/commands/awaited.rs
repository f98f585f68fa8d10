//! What a tenant still needs before it counts as swapped, and the earliest time at which more can be seen.

use flowswap_contract::{EvidenceResult, Phase, Step};
use flowswap_engine::{Direction, Question, TenantHistory, TenantState, Work};
use jiff::Timestamp;
use serde::Serialize;

use crate::display::text::{Text, text};

/// What is missing.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Awaited {
    /// One line each, in the order of the plan.
    pub(crate) what: Vec<String>,
    /// Before this another look cannot see more.
    pub(crate) earliest: Option<Timestamp>,
}

impl Awaited {
    /// What a tenant needs on its way forward; nothing where it goes back, or where nothing was begun.
    pub(crate) fn of(tenant: &TenantHistory) -> Self {
        let Some(work) = &tenant.work else { return Self::default() };
        let is_back = tenant.direction == Direction::Back && tenant.state != TenantState::RolledBack;
        let mut what = Vec::new();
        if is_back {
            what.extend(work.question.as_ref().map(|question| person(&question.step, question.owner.as_deref())));
            return Self { what, earliest: None };
        }
        let ahead = work.tenant.steps_until(Phase::Confirm).filter(|step| !work.is_done(&step.id));
        let ahead: Vec<&Step> = ahead.collect();
        for step in &ahead {
            what.extend(lines(step, work));
        }
        let again = ahead.iter().filter_map(|step| work.looks.get(&step.id).filter(|look| !look.passed)?.again_at);
        let believed = work.question.as_ref().and_then(Question::believed_at);
        Self { what, earliest: again.chain(believed).min() }
    }

    /// The lines of a list.
    pub(crate) fn list(&self) -> Text {
        if self.what.is_empty() {
            return "  nothing\n".into();
        }
        let mut text: Text = self.what.iter().map(|line| text!("  {}\n", line)).collect();
        text.extend(self.earliest.map(|at| text!("  another look can see more from {} on\n", at)));
        text
    }

    /// All in one line; none where nothing is missing.
    pub(crate) fn line(&self) -> Option<String> {
        if self.what.is_empty() {
            return None;
        }
        let earliest = self.earliest.map(|at| format!(", from {at} on")).unwrap_or_default();
        Some(format!("awaits {}{earliest}", self.what.join("; ")))
    }
}

/// What is missing of one step.
fn lines(step: &Step, work: &Work) -> Vec<String> {
    if let Some(question) = work.question.as_ref().filter(|question| question.step == step.id) {
        return vec![person(&step.id, question.owner.as_deref())];
    }
    let look = work.looks.get(&step.id).filter(|look| !look.passed);
    let open = look.into_iter().flat_map(|look| &look.evidence);
    let open = open.filter(|seen| matches!(seen.result, EvidenceResult::Fail | EvidenceResult::Inconclusive));
    let lines: Vec<_> = open.map(|seen| format!("{}: {}: {}", step.id, seen.check, seen.detail)).collect();
    if lines.is_empty() { vec![format!("{}: {}", step.id, step.proposal.title)] } else { lines }
}

fn person(step: &str, owner: Option<&str>) -> String {
    format!("{step}: what {} is asked to do", owner.unwrap_or("a person"))
}

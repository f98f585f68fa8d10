//! What a tenant still needs before it counts as swapped, and the earliest time of a useful check.

use flowswap_contract::{EvidenceResult, Phase, Step};
use flowswap_engine::{Clock, Direction, TenantHistory, TenantState, Time, Work};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    context::SystemClock,
    display::text::{Text, text},
};

/// What is still missing.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Outstanding {
    /// One line each, in the order of the plan.
    pub(crate) what: Vec<String>,
    /// A check before this time cannot see more.
    #[schemars(with = "Option<Time>")]
    pub(crate) earliest: Option<Timestamp>,
}

impl Outstanding {
    /// What a tenant needs. On the way back that is only the open run sheet; before the first step it is nothing.
    pub(crate) fn of(tenant: &TenantHistory) -> Self {
        let Some(work) = &tenant.work else { return Self::default() };
        let is_rolling_back = tenant.direction == Direction::Back && tenant.state != TenantState::RolledBack;
        let mut what = Vec::new();
        if is_rolling_back {
            what.extend(
                work.question.as_ref().map(|question| describe_sheet(&question.step, question.owner.as_deref())),
            );
            return Self { what, earliest: None };
        }
        let ahead = work.tenant.steps_until(Phase::Confirm).filter(|step| !work.is_done(&step.id));
        let ahead: Vec<&Step> = ahead.collect();
        for step in &ahead {
            what.extend(describe_step(step, work));
        }
        // A time that has passed says nothing: later checks saw nothing new.
        Self { what, earliest: tenant.earliest().filter(|at| *at > SystemClock.now()) }
    }

    /// The items as lines of a report.
    pub(crate) fn list(&self) -> Text {
        if self.what.is_empty() {
            return "  nothing\n".into();
        }
        let mut text: Text = self.what.iter().map(|line| text!("  {}\n", line)).collect();
        text.extend(self.earliest.map(|at| text!("  check again at {}\n", at)));
        text
    }

    /// Everything on one line, or `None` if nothing is missing.
    pub(crate) fn line(&self) -> Option<String> {
        if self.what.is_empty() {
            return None;
        }
        let earliest = self.earliest.map(|at| format!("; check again at {at}")).unwrap_or_default();
        Some(format!("waits for {}{earliest}", self.what.join("; ")))
    }
}

/// What one step still needs.
fn describe_step(step: &Step, work: &Work) -> Vec<String> {
    if let Some(question) = work.question.as_ref().filter(|question| question.step == step.id) {
        return vec![describe_sheet(&step.id, question.owner.as_deref())];
    }
    let last = work.last_results.get(&step.id).filter(|last| !last.passed);
    let open = last.into_iter().flat_map(|last| &last.evidence);
    let open = open.filter(|seen| matches!(seen.result, EvidenceResult::Fail | EvidenceResult::Inconclusive));
    let lines: Vec<_> = open.map(|seen| format!("{}: {}: {}", step.id, seen.check, seen.detail)).collect();
    if lines.is_empty() { vec![format!("{}: {}", step.id, step.proposal.title)] } else { lines }
}

fn describe_sheet(step: &str, owner: Option<&str>) -> String {
    format!("{step}: {} must carry out the run sheet", owner.unwrap_or("a person"))
}

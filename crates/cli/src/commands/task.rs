//! What a person must do for a tenant, and with which commands. A tenant that needs only time has no task.

use flowswap_contract::EvidenceResult;
use flowswap_engine::{Overview, Question, Refusal, Severity, TenantHistory, TenantState, Work, all_rules};
use schemars::JsonSchema;
use serde::Serialize;

use super::{abandon, status};

/// Why a person is needed.
// `crates/cli/docs/automation.md` has the same table, and a test compares the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A run sheet is open.
    RunSheet,
    /// A run sheet is open, and the other side looks as if it was carried out.
    Confirm,
    /// A step is in doubt, or failed after it may have changed something.
    Decide,
    /// A step failed and changed nothing.
    Failed,
    /// A person declined the run sheet.
    Declined,
    /// The plan lacks approvals.
    Approve,
    /// The last run refused the tenant.
    Refused,
    /// The last run could not read a side.
    Unread,
    /// It waits without a run sheet, or its rehearsal is to be rolled back.
    Continue,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) kind: Kind,
    /// The commands, in this order.
    pub(crate) commands: Vec<String>,
    /// Why, if the kind alone does not say it.
    pub(crate) reason: Option<String>,
}

impl Kind {
    /// All of them, in the order of the table.
    #[cfg(test)]
    const ALL: [Self; 9] = [
        Self::RunSheet,
        Self::Confirm,
        Self::Decide,
        Self::Failed,
        Self::Declined,
        Self::Approve,
        Self::Refused,
        Self::Unread,
        Self::Continue,
    ];

    /// What to do, in a few words.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::RunSheet => "carry out the run sheet",
            Self::Confirm => "finish the run sheet and confirm it",
            Self::Decide => "decide about the step",
            Self::Failed => "fix the cause and try again",
            Self::Declined => "ask again or roll back",
            Self::Approve => "approve the plan",
            Self::Refused => "see why the last run refused it",
            Self::Unread => "see why flowswap could not read it",
            Self::Continue => "continue it",
        }
    }
}

/// Whether the tenant may have a task. The whole history is needed to tell.
pub(crate) fn may_have_task(tenant: &Overview) -> bool {
    use TenantState as S;
    let is_refused = tenant.refusal.as_ref().is_some_and(|refusal| !refusal.is_skipped);
    // A rollback that did not reach the tenant comes first. `resume` continues it.
    let is_of_state = matches!(tenant.state, S::Waiting | S::Stuck | S::Failed) || tenant.is_swapped_for_rehearsal();
    !tenant.waits_for_rollback() && (tenant.asked.is_some() || is_refused || is_of_state)
}

/// What a person must do for the tenant.
pub(crate) fn find_task(name: &str, tenant: &TenantHistory) -> Option<Task> {
    let overview = tenant.overview();
    let next = || status::continue_command(name, &overview).into_iter().collect::<Vec<_>>();
    let refusal = overview.refusal.as_ref().filter(|refusal| !refusal.is_skipped);
    let task = |kind, commands, reason| Some(Task { kind, commands, reason });
    if let Some(question) = tenant.work.as_ref().and_then(|work| work.question.as_ref()) {
        return Some(of_question(name, question, &overview));
    }
    match (tenant.state, refusal) {
        (TenantState::Stuck, _) => {
            let reason = tenant.reason.clone();
            task(Kind::Decide, vec![format!("flowswap stuck {name}")], reason)
        }
        (_, Some(refusal)) => {
            let kind = match refusal {
                Refusal { is_unapproved: true, .. } => Kind::Approve,
                Refusal { is_unread: true, .. } => Kind::Unread,
                _ => Kind::Refused,
            };
            task(kind, next(), Some(refusal.reasons.join("; ")))
        }
        // Any other step that fails in doubt leaves its tenant stuck.
        (TenantState::Failed, None) if tenant.work.as_ref().is_some_and(|work| work.doubt.is_some()) => {
            let back = format!("flowswap rollback {name}");
            task(Kind::Declined, next().into_iter().chain([back]).collect(), tenant.reason.clone())
        }
        (TenantState::Failed, None) => {
            let explain = tenant.work.as_deref().and_then(find_wrong).map(|rule| format!("flowswap explain {rule}"));
            task(Kind::Failed, explain.into_iter().chain(next()).collect(), tenant.reason.clone())
        }
        (_, None) if overview.is_swapped_for_rehearsal() => {
            task(Kind::Continue, next(), Some("its rehearsal ends with a rollback".to_owned()))
        }
        (TenantState::Waiting, None) => task(Kind::Continue, next(), tenant.reason.clone()),
        _ => None,
    }
}

fn of_question(name: &str, question: &Question, tenant: &Overview) -> Task {
    let (sheet, confirm) = (format!("flowswap sheet {name}"), format!("flowswap confirm {name}"));
    let is_unconfirmed = question.noticed.is_some() && question.claims.is_empty();
    let reason = "flowswap sees the change, but a test of the connection looks the same".to_owned();
    let (kind, reason) = if is_unconfirmed { (Kind::Confirm, Some(reason)) } else { (Kind::RunSheet, None) };
    let commands = [sheet, confirm].into_iter().chain(abandon::abandon_command(name, tenant));
    Task { kind, commands: commands.collect(), reason }
}

/// The first rule of the last checks that says that something is wrong.
fn find_wrong(work: &Work) -> Option<String> {
    let looks = work.last_results.values().filter(|look| !look.passed).flat_map(|look| &look.evidence);
    let wrong = looks.filter(|seen| matches!(seen.result, EvidenceResult::Fail | EvidenceResult::Inconclusive));
    let mut wrong = wrong.filter_map(|seen| seen.rule.clone());
    wrong.find(|id| all_rules().any(|rule| rule.id == *id && rule.severity == Severity::Error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_kinds_are_those_of_the_code() {
        let document = include_str!("../../docs/automation.md");
        let table = document.lines().skip_while(|line| !line.starts_with("| kind | ")).skip(2);
        let documented: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
        let words = Kind::ALL.map(|kind| serde_json::json!(kind).as_str().unwrap_or_default().to_owned());
        assert_eq!(documented.len(), words.len());
        for (line, word) in documented.iter().zip(words) {
            assert!(line.starts_with(&format!("| `{word}` | ")), "{line}");
        }
    }
}

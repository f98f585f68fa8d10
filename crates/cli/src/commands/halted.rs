//! What is told of a run that did not start all of its tenants: why, and what is safe to do.

use flowswap_engine::{Ending, FailureBudget, Goal, Halt, Outcome, Summary, TenantState};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    display::text::{Text, text},
    full_command,
};

/// Why tenants were not started, because of what happened to others.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stopped {
    /// Why, and which tenants were the reason.
    #[serde(flatten)]
    halt: Halt,
    /// The same for a person, and what is safe to do.
    message: String,
}

/// What stopped the run or a part of it. Empty if it started all tenants.
pub(crate) fn of(summary: &Summary, budget: FailureBudget, goal: Goal) -> Vec<Stopped> {
    let rest = tell_rest(summary, goal);
    let stopped = summary.halts.iter().map(|halt| {
        let message = full_command::of(format!("{}. {rest}", tell(halt, budget, summary)));
        Stopped { halt: halt.clone(), message }
    });
    stopped.collect()
}

/// A line for each reason.
pub(crate) fn show(stopped: &[Stopped]) -> Text {
    stopped.iter().map(|stopped| text!("stopped: {}\n", stopped.message)).collect()
}

fn tell(halt: &Halt, budget: FailureBudget, summary: &Summary) -> String {
    match halt {
        Halt::Budget { limit } => {
            let (failed, total) = (count(summary, Ending::Failed), summary.endings.len());
            let limit = if budget.to_string() == limit.to_string() { String::new() } else { format!(", here {limit}") };
            format!(
                "{failed} of {total} tenants failed or are stuck, and the limit is `max_failures = {budget}`{limit}"
            )
        }
        Halt::SameCause { cause, tenants: [one, other] } => {
            format!(
                "`{one}` and `{other}` failed for the same cause: {cause}. So no other tenant with the same steps was started"
            )
        }
        Halt::SameOrg { cause, tenants: [one, other], org } => {
            format!("`{one}` and `{other}` have the same trouble: {cause}. So no other tenant of `{org}` was started")
        }
        Halt::Inconclusive(pause) => format!("{pause}. So no other tenant was started"),
    }
}

/// What became of the tenants, and what is safe to do.
fn tell_rest(summary: &Summary, goal: Goal) -> String {
    let (done, skipped) = (count(summary, Ending::Done), count(summary, Ending::Skipped));
    let is_stuck =
        |(_, outcome): &&(String, Outcome)| matches!(outcome, Outcome::Ended { state: TenantState::Stuck, .. });
    let safe = match summary.outcomes.iter().filter(is_stuck).count() {
        0 if goal == Goal::RolledBack => format!("{done} done, {skipped} not started. Fix the cause"),
        0 => format!("{done} done, {skipped} not started; nothing needs to be rolled back. Fix the cause"),
        stuck => format!(
            "{done} done, {stuck} stuck, {skipped} not started. Fix the cause, and decide about the stuck tenants with \
             `flowswap stuck`"
        ),
    };
    // `resume` leaves out what failed: a run has ended its work there.
    let is_unread = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Unread { .. });
    let resumed = if summary.outcomes.iter().any(is_unread) {
        "those that were not started or could not be read"
    } else {
        "those that were not started"
    };
    format!("{safe}. Then run the same command again; `flowswap resume` continues only {resumed}")
}

fn count(summary: &Summary, ending: Ending) -> usize {
    summary.endings.iter().filter(|it| **it == ending).count()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn summary(tenants: &[(Ending, usize)], state: TenantState, halt: Halt) -> Summary {
        let endings: Vec<Ending> = tenants.iter().flat_map(|(ending, times)| vec![*ending; *times]).collect();
        let outcomes = endings.iter().map(|ending| match ending {
            Ending::Failed => (String::new(), Outcome::Ended { state, reason: None }),
            _ => (String::new(), Outcome::Skipped { reason: String::new() }),
        });
        Summary { outcomes: outcomes.collect(), endings, halts: vec![halt], interrupted: false }
    }

    #[test]
    fn a_stopped_run_says_why_and_what_is_safe() {
        use Ending as E;
        let tenants = [(E::Done, 12), (E::Failed, 5), (E::Skipped, 283)];
        let show = |state, budget: FailureBudget, goal| {
            let summary = summary(&tenants, state, Halt::Budget { limit: budget.of(300) });
            show(&of(&summary, budget, goal)).into_string()
        };
        let told = [
            show(TenantState::Failed, FailureBudget::Tenants(5), Goal::Swapped),
            show(TenantState::Stuck, FailureBudget::Percent(2), Goal::Swapped),
            show(TenantState::Failed, FailureBudget::Tenants(5), Goal::RolledBack),
        ];
        assert_snapshot!(told.concat(), @r#"
        stopped: 5 of 300 tenants failed or are stuck, and the limit is `max_failures = 5`. 12 done, 283 not started; nothing needs to be rolled back. Fix the cause. Then run the same command again; `flowswap resume` continues only those that were not started
        stopped: 5 of 300 tenants failed or are stuck, and the limit is `max_failures = "2%"`, here 6. 12 done, 5 stuck, 283 not started. Fix the cause, and decide about the stuck tenants with `flowswap stuck`. Then run the same command again; `flowswap resume` continues only those that were not started
        stopped: 5 of 300 tenants failed or are stuck, and the limit is `max_failures = 5`. 12 done, 283 not started. Fix the cause. Then run the same command again; `flowswap resume` continues only those that were not started
        "#);
    }
}

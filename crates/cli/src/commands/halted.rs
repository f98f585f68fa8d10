//! What is told of a run that did not start all of its tenants: why, and what is safe to do.

use flowswap_engine::{Ending, FailureBudget, Goal, Halt, Summary};
use serde::Serialize;

use crate::display::text::{Text, text};

/// Why tenants were not started, because of what befell others. Scripts rely on its names.
#[derive(Debug, Serialize)]
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
    let halts = summary.halts.iter();
    halts
        .map(|halt| Stopped { halt: halt.clone(), message: format!("{}. {rest}", tell(halt, budget, summary)) })
        .collect()
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
    let so_far = format!("{done} done, {skipped} not started");
    if goal == Goal::RolledBack {
        return format!("{so_far}. Fix the cause, and continue");
    }
    format!("{so_far}, and nothing needs to be rolled back. Fix the cause, and continue")
}

fn count(summary: &Summary, ending: Ending) -> usize {
    summary.endings.iter().filter(|it| **it == ending).count()
}

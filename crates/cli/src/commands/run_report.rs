//! The end of a run, for a person and for scripts. A person reads only what needs somebody, by cause, and one line of counts.

use flowswap_engine::{Direction, Ending, FailureBudget, Goal, Outcome, Overview, RunId, Summary, TenantState};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    halted::{self, Stopped},
    joint::{self, RESUME},
    status,
};
use crate::{
    context::Context,
    display::{
        self, causes, count, table,
        text::{Text, text},
        tone_of_state,
    },
    documents::{Document, DocumentName},
    exit::Failure,
    full_command,
    terminal::{Tone, paint},
    usage::HostUsage,
};

#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Report {
    /// `None` if there was nothing to do.
    run: Option<RunId>,
    /// The tenants of the run.
    pub(super) tenants: Vec<Row>,
    /// Why the run did not start all of its tenants, because of what happened to others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stopped: Vec<Stopped>,
    /// What the command has used of the rate limits of each host so far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hosts: Vec<HostUsage>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Run;
}

/// How a run ended for one tenant.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row {
    /// The name of the tenant.
    pub(super) name: String,
    /// `ended`: the run worked on the tenant. `already-done`: another plan has reached the goal, which is no failure. `unread`: a
    /// side could not be read, and `reason` says why. `refused`: `changes` says why. `skipped`: the run was stopped before it began
    /// with the tenant.
    outcome: &'static str,
    /// How the tenant counts for the exit code.
    counts_as: Ending,
    /// Where the tenant is now. `None` if the run did not work on it.
    pub(super) state: Option<TenantState>,
    /// Why the tenant is there, in one line.
    reason: Option<String>,
    /// Why the run refused the tenant, one reason each.
    changes: Vec<String>,
    /// The command that helps a tenant that was refused, or that continues one that the run left.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The ids of the rules that explain the reason.
    pub(super) rules: Vec<String>,
    /// The one command that a person runs next. `None` if there is nothing to do, or if no command helps.
    #[serde(skip)]
    command: Option<String>,
    /// Somebody stopped the run before it was done with the tenant.
    #[serde(skip)]
    is_left: bool,
}

impl Report {
    /// What a run did, without the commands that come next.
    pub(super) fn of(run: RunId, summary: &Summary, budget: FailureBudget, goal: Goal) -> Self {
        let tenants = summary.outcomes.iter().zip(&summary.endings).map(|(outcome, ending)| Row::of(outcome, *ending));
        Self {
            run: Some(run),
            tenants: tenants.collect(),
            stopped: halted::of(summary, budget, goal),
            hosts: Vec::new(),
        }
    }

    /// Whether the run started fewer tenants because of what happened to others.
    pub(super) fn has_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    /// Prints it.
    pub(super) fn print(&self, context: &Context) -> Result<(), Failure> {
        context.terminal.report(self, || self.text(context.terminal.verbose > 0))
    }

    /// What needs somebody, by cause, and the counts. With `each`, a table of all tenants instead of the causes.
    fn text(&self, each: bool) -> Text {
        let mut text = if each { self.table() + "\n" } else { self.show_causes() };
        text += text!("{}\n", count(self.tenants.iter().map(Row::word)));
        text += halted::show(&self.stopped);
        let left: Vec<&Row> = self.tenants.iter().filter(|row| row.is_left).collect();
        if !left.is_empty() {
            let command =
                if let [row] = left.as_slice() { format!("{RESUME} {}", row.name) } else { RESUME.to_owned() };
            let waiting = left.iter().filter(|row| row.outcome == "skipped").count();
            let parts = match left.len() - waiting {
                0 => text!("none of them started"),
                begun => text!("{} in the middle of its steps, {} not started", begun, waiting),
            };
            text += text!("stopped with {} left: {}\nnext: {}\n", display::tenants(left.len()), parts, command);
        }
        text
    }

    fn table(&self) -> Text {
        let rows = self.tenants.iter().map(|row| {
            [
                table::plain(&row.name),
                table::toned(row.tone(), row.word()),
                table::plain(row.command.as_deref().unwrap_or("-")),
                table::plain(causes::name_tenants(&row.note(), &[&row.name])),
            ]
        });
        table::render(["tenant", "state", "next", ""], rows)
    }

    /// Each cause with its tenants and the command that helps them. What failed comes first.
    fn show_causes(&self) -> Text {
        // The line about why the run stopped tells of all tenants that were skipped.
        let is_told = |row: &&Row| row.outcome == "skipped" && !self.stopped.is_empty();
        let mut rows: Vec<&Row> = self.tenants.iter().filter(|row| row.needs_somebody() && !is_told(row)).collect();
        rows.sort_by_key(|row| row.tone() != Tone::Bad);
        // Tenants with different outcomes stay apart even if their notes are equal.
        let groups = causes::group(rows, |row| (format!("{}\n{}", row.word(), row.note()), vec![row.name.as_str()]));
        let mut text = Text::default();
        for group in &groups {
            let names: Vec<&str> = group.items.iter().map(|row| row.name.as_str()).collect();
            let (first, note) = (group.items[0], group.text.split_once('\n').map_or("", |(_, note)| note));
            let (subject, word) = (paint(Tone::Strong, causes::subject(&names)), paint(first.tone(), first.word()));
            text += text!("{}: {}{}\n", subject, word, causes::list_names(&names));
            if !note.is_empty() {
                text += text!("  {}\n", causes::name_tenants(note, &names));
            }
            let commands = group.items.iter().filter_map(|row| Some((row.name.as_str(), row.command.as_deref()?)));
            if let Some(command) = joint::join(&commands.collect::<Vec<_>>()) {
                text += text!("  next: {}\n", command);
            }
            text += "\n";
        }
        text
    }
}

impl Row {
    fn of((name, outcome): &(String, Outcome), counts_as: Ending) -> Self {
        let (outcome, state, reason, changes) = match outcome.clone() {
            Outcome::Ended { state, reason } => ("ended", Some(state), reason, Vec::new()),
            Outcome::Unneeded { state, reason } => ("already-done", Some(state), Some(reason), Vec::new()),
            Outcome::Unapproved { reason } => ("refused", None, None, vec![reason]),
            Outcome::Unread { reason } => ("unread", None, Some(reason), Vec::new()),
            Outcome::Refused { changes } => ("refused", None, None, changes),
            Outcome::Skipped { reason } => ("skipped", None, Some(reason), Vec::new()),
        };
        let (name, next, rules, command) = (name.clone(), None, Vec::new(), None);
        Self { name, outcome, counts_as, state, reason, changes, next, rules, command, is_left: false }
    }

    /// Finds what helps the tenant. `tenant` is what the journal says about it after the run.
    pub(super) fn find_next(&mut self, goal: Goal, tenant: Option<&Overview>, is_configured: bool, interrupted: bool) {
        let name = self.name.clone();
        let is_open = tenant.is_some_and(|tenant| tenant.intent.is_some());
        self.next = match self.outcome {
            "skipped" if is_open => Some(format!("{RESUME} {name}")),
            "ended" if is_open && interrupted => Some(format!("{RESUME} {name}")),
            "unread" if is_configured => tenant.and_then(|tenant| status::next_command(&name, tenant)),
            "refused" if goal == Goal::Swapped && is_configured => tenant.and_then(|tenant| way_on(&name, tenant)),
            _ => None,
        }
        .map(full_command::of);
        self.is_left = interrupted && is_open && matches!(self.outcome, "skipped" | "ended");
        let state = self.state.filter(|_| self.outcome == "ended" && self.needs_somebody());
        let of_state = || match state? {
            TenantState::Stuck => Some(format!("flowswap stuck {name}")),
            _ => status::next_command(&name, tenant?),
        };
        self.command = self.next.clone().or_else(|| of_state().map(full_command::of));
    }

    /// Whether the run is not done with the tenant, for another reason than that it was stopped.
    fn needs_somebody(&self) -> bool {
        use TenantState as S;
        let is_unfinished = matches!(self.state, Some(S::Failed | S::Stuck | S::Waiting | S::Soaking | S::RollingBack));
        let is_open = match self.outcome {
            "ended" => is_unfinished || self.reason.is_some(),
            outcome => outcome != "already-done",
        };
        is_open && !self.is_left
    }

    fn word(&self) -> String {
        match self.state {
            // Nobody refused it, and nothing failed: flowswap could not tell.
            None | Some(TenantState::Failed) if self.counts_as == Ending::Inconclusive => "inconclusive".to_owned(),
            None => self.outcome.to_owned(),
            Some(state) => state.to_string(),
        }
    }

    fn tone(&self) -> Tone {
        let is_known = self.counts_as != Ending::Inconclusive;
        self.state.filter(|_| is_known).map_or(Tone::Care, tone_of_state)
    }

    /// Why, with the rules that explain it.
    fn note(&self) -> String {
        let mut note = self.reason.clone().unwrap_or_else(|| self.changes.join("; "));
        note.extend(self.rules.iter().map(|rule| format!(" (`flowswap explain {rule}`)")));
        note
    }
}

/// What helps a tenant that a run refused to take forward. Work that was started continues with the same command.
fn way_on(name: &str, tenant: &Overview) -> Option<String> {
    let is_started = tenant.plan.is_some() && tenant.direction == Direction::Forward && !tenant.waits_for_rollback();
    status::next_command(name, tenant).filter(|_| !is_started)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, outcome: Outcome, command: Option<&str>) -> Row {
        Row { command: command.map(str::to_owned), ..Row::of(&(name.to_owned(), outcome), Ending::Done) }
    }

    fn ended(state: TenantState, reason: Option<&str>) -> Outcome {
        Outcome::Ended { state, reason: reason.map(str::to_owned) }
    }

    #[test]
    fn only_what_needs_somebody_is_shown_by_cause() {
        let down = "step `swap` failed: no answer from ";
        let failed = |name: &str| ended(TenantState::Failed, Some(&format!("{down}{name}")));
        let (apply, sheet) = (Some("flowswap apply plan.json"), |name: &str| format!("flowswap sheet {name}"));
        let mut rows = vec![row("a", ended(TenantState::Swapped, None), None)];
        for name in ["b", "c"] {
            rows.push(row(name, ended(TenantState::Waiting, Some("swap: a person must act")), Some(&sheet(name))));
        }
        for name in ["d", "e", "f", "g"] {
            rows.push(row(name, failed(name), apply));
        }
        rows.push(row("h", Outcome::Skipped { reason: "too many failed".to_owned() }, Some("flowswap resume h")));
        rows[6].rules.push("users-lost".to_owned());
        let report = Report { tenants: rows, ..Report::default() };
        insta::assert_snapshot!(report.text(false).plain(), @r"
        3 tenants: failed (d, e, f)
          step `swap` failed: no answer from …
          next: flowswap apply plan.json

        g: failed
          step `swap` failed: no answer from g (`flowswap explain users-lost`)
          next: flowswap apply plan.json

        2 tenants: waiting (b, c)
          swap: a person must act
          next: flowswap next

        h: skipped
          too many failed
          next: flowswap resume h

        1 swapped, 2 waiting, 4 failed, 1 skipped
        ");
        insta::assert_snapshot!(report.text(true).plain(), @r"
        TENANT  STATE    NEXT
        a       swapped  -
        b       waiting  flowswap sheet b          swap: a person must act
        c       waiting  flowswap sheet c          swap: a person must act
        d       failed   flowswap apply plan.json  step `swap` failed: no answer from d
        e       failed   flowswap apply plan.json  step `swap` failed: no answer from e
        f       failed   flowswap apply plan.json  step `swap` failed: no answer from f
        g       failed   flowswap apply plan.json  step `swap` failed: no answer from g (`flowswap explain users-lost`)
        h       skipped  flowswap resume h         too many failed

        1 swapped, 2 waiting, 4 failed, 1 skipped
        ");
    }

    #[test]
    fn a_stopped_run_ends_with_the_command_that_goes_on() {
        let mut left = row("b", Outcome::Skipped { reason: "the run was stopped".to_owned() }, None);
        left.is_left = true;
        let tenants = vec![row("a", ended(TenantState::Swapped, None), None), left];
        let report = Report { tenants, ..Report::default() };
        insta::assert_snapshot!(report.text(false).plain(), @r"
        1 swapped, 1 skipped
        stopped with 1 tenant left: none of them started
        next: flowswap resume b
        ");
    }
}

//! What was done, in short, for a terminal.

use flowswap_report::{Approver, Attention, Failure, RunEnd, WorkReport, WorkedTenant};

use jiff::Timestamp;

use super::{
    causes, count, fold_rows, table,
    text::{Text, text},
    tone_of_state,
};
use crate::terminal::{Tone, paint};

/// The summary, the runs, the tenants, and what failed. Many tenants with the same state and reason share one line, except with
/// `each`.
pub(crate) fn show(report: &WorkReport, each: bool) -> Text {
    let mut text: Text = report.summary.iter().map(|sentence| text!("{}\n", sentence)).collect();
    if !report.runs.is_empty() {
        text += "\n";
        text += runs(report);
    }
    if !report.tenants.is_empty() {
        text += "\n";
        text += tenants(report, each);
    }
    if !report.failures.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "failures and refusals by cause"));
        text.extend(report.failures.iter().map(failure));
    }
    if !report.unknowns.is_empty() {
        text += text!("\n{}\n", paint(Tone::Strong, "not known"));
        for unknown in &report.unknowns {
            let names: Vec<&str> = unknown.tenants.iter().map(String::as_str).collect();
            let whose = match names.as_slice() {
                [] => Text::default(),
                [one] => text!(" ({})", one),
                many => causes::list_names(many),
            };
            text += text!("  {}{}\n", unknown.what, whose);
        }
    }
    text
}

fn runs(report: &WorkReport) -> Text {
    let rows = report.runs.iter().map(|run| {
        let by = run.by.as_ref().map_or_else(|| "not recorded".to_owned(), ToString::to_string);
        let ended = match run.end {
            RunEnd::CutOff => table::toned(Tone::Bad, "cut off"),
            RunEnd::Unrecorded => table::toned(Tone::Care, "not recorded"),
            RunEnd::Interrupted => table::toned(Tone::Care, text!("{}, stopped", time(run.ended_at))),
            RunEnd::Finished => table::plain(time(run.ended_at)),
        };
        [
            table::plain(run.id),
            table::plain(run.command),
            table::plain(by),
            table::plain(format!("{:.0}", run.started_at)),
            ended,
            table::plain(run.became().unwrap_or_else(|| run.tenants.to_string())),
        ]
    });
    let mut text = table::render(["run", "command", "started by", "started", "ended", "tenants"], rows);
    for run in &report.runs {
        text.extend(run.approvers().into_iter().map(|Approver { by, reasons, .. }| {
            let reasons: Vec<String> = reasons.into_iter().collect();
            text!("{} approved the plan of {}: {}\n", by.join(", "), run.id, reasons.join("; "))
        }));
    }
    text
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| format!("{at:.0}")).unwrap_or_default()
}

fn tenants(report: &WorkReport, each: bool) -> Text {
    let tenants = report.by_attention();
    let word = |tenant: &WorkedTenant| match tenant.attention() {
        Attention::Refused => format!("{}, refused", tenant.state),
        _ => tenant.state.to_string(),
    };
    let groups = causes::group(0..tenants.len(), |index| {
        let tenant = tenants[*index];
        // Tenants with different states stay apart even if their reasons are equal.
        (format!("{}\n{}", word(tenant), tenant.why().unwrap_or_default()), vec![tenant.name.as_str()])
    });
    let mut keys = vec![None; tenants.len()];
    for (cause, group) in groups.iter().enumerate() {
        group.items.iter().for_each(|index| keys[*index] = Some(cause));
    }
    let causes = keys.clone();
    let rows = fold_rows(keys, each).into_iter().map(|indices| {
        let tenant = tenants[indices[0]];
        let names: Vec<&str> = indices.iter().map(|index| tenants[*index].name.as_str()).collect();
        let common = causes[indices[0]].and_then(|cause| groups[cause].text.split_once('\n'));
        let why = match common {
            Some((_, common)) if indices.len() > 1 => common.to_owned(),
            _ => tenant.why().unwrap_or_default(),
        };
        let changes: usize = indices.iter().map(|index| tenants[*index].changes()).sum();
        let tone = if tenant.attention() == Attention::Refused { Tone::Bad } else { tone_of_state(tenant.state) };
        [
            table::plain(causes::subject(&names)),
            table::toned(tone, word(tenant)),
            table::plain(changes),
            table::plain(text!("{}{}", why, causes::list_names(&names))),
        ]
    });
    let text = table::render(["tenant", "state", "changes", ""], rows);
    text + text!("\n{}\n", count(report.tenants.iter().map(|tenant| tenant.state)))
}

fn failure(failure: &Failure) -> Text {
    let names: Vec<&str> = failure.tenants.iter().map(String::as_str).collect();
    let step = failure.step.as_ref().map(|step| text!(" at `{}`", step)).unwrap_or_default();
    let healed = match failure.healed.len() {
        0 => Text::default(),
        all if all == names.len() => text!(" (did not last)"),
        some => text!(" (did not last for {} of them)", some),
    };
    let (subject, list) = (paint(Tone::Strong, causes::subject(&names)), causes::list_names(&names));
    text!("  {}{}{}{}\n    {}\n", subject, step, list, healed, failure.message)
}

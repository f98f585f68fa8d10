//! What an event says to a person, if it says anything. What succeeds says nothing: the bar counts it.

use flowswap_contract::Level;
use flowswap_engine::{Direction, Ending, Event, Halt};

use crate::{
    display::{
        tenants,
        text::{Text, text},
        tone_of_ending, tone_of_state,
    },
    terminal::{Tone, paint},
};

/// A line about an event.
pub(super) struct Message {
    pub(super) text: Text,
    /// The least number of `-v` that shows it.
    pub(super) verbosity: u8,
    /// What it has in common with the lines of many other tenants. The last of them is followed by a line with this.
    pub(super) common: Option<Text>,
}

/// The line about an event. `step` is the step that its tenant was at, and `running` the number of tenants at work.
pub(super) fn describe(event: &Event, step: Option<&str>, running: usize) -> Option<Message> {
    let message = |verbosity, text| Some(Message { text, verbosity, common: None });
    let many = |text, common| Some(Message { text, verbosity: 0, common: Some(common) });
    match event {
        Event::RunStarted { run, tenants: count } => message(0, text!("run {}: {}", run, tenants(*count))),
        Event::FewerAtOnce { tenants: count, limit, .. } => {
            let why = text!("so that hardly more than {} can fail (`max_failures`)", limit);
            message(1, text!("{} at a time, {}", tenants(*count), why))
        }
        Event::RunPaused { by } => {
            let paused = paint(Tone::Care, "paused");
            message(0, text!("{} by {}: nothing is changed until somebody runs flowswap unpause", paused, by))
        }
        Event::RunUnpaused { by } => message(0, text!("{} let the run go on", by)),
        Event::RunCanceled { by } => message(0, text!("{} stops the run from another terminal", by)),
        // If nothing runs, the question follows at once, or the report.
        Event::StartsHeld { .. } | Event::StartsHalted { .. } if running == 0 => None,
        Event::StartsHeld { pause } => {
            let until = match running {
                1 => text!("until the one at work has ended"),
                more => text!("until the {} at work have ended", more),
            };
            message(0, text!("{}: {}", paint(Tone::Care, text!("no more tenants are started {}", until)), pause))
        }
        Event::StartsHalted { halt } => message(0, describe_halt(halt)),
        Event::StartsReleased => message(1, "the other tenants are started too".into()),
        Event::StepEnded { tenant, step, direction, .. } => {
            message(1, text!("{}: {}{} done", tenant, step, rollback(*direction)))
        }
        Event::StepFailed { tenant, step, direction, message: why } => {
            let not_done = paint(Tone::Care, "not done");
            message(1, text!("{}: {}{} {}: {}", tenant, step, rollback(*direction), not_done, why))
        }
        Event::Request { tenant, method, url, status, attempts } => {
            let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let attempts = if *attempts > 1 { text!(" ({} attempts)", attempts) } else { Text::default() };
            message(2, text!("{}: {} {} → {}{}", tenant, method, url, answer, attempts))
        }
        Event::Waiting { tenant, ms, reason } => {
            message(1, text!("{}: waiting {} s: {}", tenant, format!("{:.1}", *ms as f64 / 1000.0), reason))
        }
        Event::OperatorAsked { tenant, step, owner } => {
            let owner = owner.as_deref().unwrap_or("a person");
            let asked = paint(Tone::Care, text!("is waiting for {}", owner));
            many(text!("{}: {} {}", tenant, step, asked), text!("more tenants wait for {}", owner))
        }
        Event::Log { plugin, tenant, level, message: line } => {
            let prefix = tenant.as_deref().map(|tenant| text!("{}: ", tenant)).unwrap_or_default();
            let text = text!("{}plugin {}: {}", prefix, plugin, line);
            match level {
                Level::Warn => many(text, text!("more tenants: plugin {}: {}", plugin, line)),
                Level::Info => message(1, text),
                Level::Debug => message(2, text),
            }
        }
        Event::ChangesAccepted { tenant, changes } => {
            let changes = changes.join("; ");
            let common = text!("more tenants continue although they changed: {}", changes);
            many(text!("{}: continues although it changed: {}", tenant, changes), common)
        }
        Event::TenantEnded { tenant, state, reason, counts_as: Ending::Done | Ending::Waiting } => {
            let reason = reason.as_deref().map(|reason| text!(": {}", reason)).unwrap_or_default();
            message(1, text!("{}: {}{}", tenant, paint(tone_of_state(*state), state), reason))
        }
        Event::TenantEnded { tenant, state, counts_as: Ending::Failed, .. } => {
            // The report says why: each cause once.
            let at = step.map(|step| text!(" at `{}`", step)).unwrap_or_default();
            let word = paint(tone_of_state(*state), state);
            many(text!("{} {}: {}{}", paint(Tone::Bad, "✗"), tenant, word, at), text!("more tenants are {}", word))
        }
        Event::TenantEnded { tenant, counts_as, .. } | Event::TenantRefused { tenant, counts_as, .. } => {
            let (tone, at) = (tone_of_ending(*counts_as), step.map(|step| text!(" at `{}`", step)).unwrap_or_default());
            let word = paint(tone, counts_as);
            many(text!("{} {}: {}{}", paint(tone, "!"), tenant, word, at), text!("more tenants are {}", word))
        }
        Event::TenantSkipped { tenant, reason } => {
            message(1, text!("{}: {}: {}", tenant, paint(Tone::Dim, "not started"), reason))
        }
        Event::TenantStarted { .. } | Event::StepStarted { .. } | Event::Progress { .. } => None,
    }
}

/// Why some tenants are not started any more.
fn describe_halt(halt: &Halt) -> Text {
    let halted = paint(Tone::Care, "no more tenants are started");
    match halt {
        Halt::Budget { limit } => text!("{}: failed or stuck tenants have reached the limit of {}", halted, limit),
        Halt::SameCause { cause, tenants: [one, other] } => {
            let which = paint(Tone::Care, "no more tenants with the same steps are started");
            text!("{}: `{}` and `{}` failed for the same cause: {}", which, one, other, cause)
        }
        Halt::SameOrg { cause, tenants: [one, other], org } => {
            let which = paint(Tone::Care, text!("no more tenants of `{}` are started", org));
            text!("{}: `{}` and `{}` have the same trouble: {}", which, one, other, cause)
        }
        Halt::Inconclusive(pause) => text!("{}: {}", halted, pause),
    }
}

fn rollback(direction: Direction) -> &'static str {
    if direction == Direction::Back { " rollback" } else { "" }
}

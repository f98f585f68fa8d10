//! The live lines on a terminal: one bar for everything, and the tenants that run longest.

use std::time::Duration;

use super::tally::{Running, Tally};
use crate::{
    display::{
        tenants,
        text::{Text, text},
        times,
    },
    terminal::{Tone, paint},
};

/// So many tenants are shown at most.
const MOST_TENANTS: usize = 8;
/// The width of the bar itself.
const BAR: usize = 20;
/// Longer names are cut off.
const MOST_NAME: usize = 24;

/// The lines, none wider than the terminal.
pub(super) fn draw(tally: &Tally, now: Duration, columns: usize) -> Text {
    let shown = &tally.running[..tally.running.len().min(MOST_TENANTS)];
    let width_of = |cell: fn(&Running) -> &str| shown.iter().map(|it| text!("{}", cell(it)).width()).max().unwrap_or(0);
    let widths = (width_of(name).min(MOST_NAME), width_of(step));
    let mut lines = vec![overall(tally, now, columns)];
    lines.extend(shown.iter().map(|running| draw_tenant(running, widths, now)));
    let more = tally.running.len() - shown.len();
    if more > 0 {
        lines.push(text!("  and {} more", more));
    }
    Text::join(lines.into_iter().map(|line| line.trim_end().cut_to(columns)), "\n")
}

/// `████░░░░ 150/300 tenants  1 failed  42/min  4 min left`. Where that is too long, it lacks the rate.
fn overall(tally: &Tally, now: Duration, columns: usize) -> Text {
    let done = (BAR * tally.done).checked_div(tally.total).unwrap_or(BAR).min(BAR);
    let bar = Text::rendered("█".repeat(done) + &"░".repeat(BAR - done));
    let begin = text!("{} {}/{}  {}", bar, tally.done, tenants(tally.total), tally.trouble("  "));
    let rate = tally.rate(now).map(|rate| if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") });
    let rate = rate.map(|rate| text!("  {}/min", rate)).unwrap_or_default();
    let mut end = tally.phase().map(|phase| text!("  {}", paint(Tone::Care, phase))).unwrap_or_default();
    end += tally.time_left(now).map(|left| text!("  {} left", times::short(left))).unwrap_or_default();
    let has_room = begin.width() + rate.width() + end.width() <= columns;
    begin + if has_room { rate } else { Text::default() } + end
}

/// `  acme  swap  12 s  reconnect …`.
fn draw_tenant(running: &Running, (names, steps): (usize, usize), now: Duration) -> Text {
    let since = times::short(now.saturating_sub(running.since));
    let (name, step) = (padded(name(running), names), padded(step(running), steps));
    text!("  {}  {}  {:>6}  {}", name, step, since, running.doing(now))
}

fn padded(word: &str, columns: usize) -> Text {
    text!("{}", word).cut_to(columns).padded_to(columns)
}

fn name(running: &Running) -> &str {
    &running.tenant
}

fn step(running: &Running) -> &str {
    running.step.as_deref().unwrap_or("")
}

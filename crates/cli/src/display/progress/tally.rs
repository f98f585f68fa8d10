//! What a run has done so far, and what it is doing now. It knows no clock and no screen: every time is a duration since the
//! start of the command.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use flowswap_engine::{Direction, Ending, Event, Halt};

use crate::{
    display::{
        text::{Text, text},
        tone_of_ending,
    },
    terminal::paint,
};

/// How far the work is.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) total: usize,
    /// Tenants whose work has ended in any way. Those that were never started do not count.
    pub(super) done: usize,
    /// How many of them count as what.
    counted: BTreeMap<Ending, usize>,
    /// Tenants that the run does not start.
    skipped: usize,
    /// The tenants at work. The one that began first comes first.
    pub(super) running: Vec<Running>,
    /// Whether the work is a run, which the journal records.
    pub(super) is_run: bool,
    /// Somebody paused the run.
    pub(super) is_paused: bool,
    /// Somebody asked to stop.
    pub(super) is_stopping: bool,
    /// No tenant is started until those at work have ended.
    is_held: bool,
    /// No further tenant is started at all.
    is_halted: bool,
    begun: Option<Duration>,
    ended: HashSet<String>,
}

/// A tenant at work.
pub(super) struct Running {
    pub(super) tenant: String,
    /// The id of the step.
    pub(super) step: Option<String>,
    /// When the step began; before the first one, when the tenant began.
    pub(super) since: Duration,
    doing: Text,
    pause: Option<Pause>,
}

/// A pause before something is repeated.
struct Pause {
    until: Duration,
    reason: String,
}

impl Tally {
    /// Begins to count.
    pub(super) fn begin(&mut self, total: usize, now: Duration) {
        (self.total, self.begun) = (total, Some(now));
    }

    /// Notes that the work on a tenant began. Before the first step, flowswap reads both sides.
    pub(super) fn start(&mut self, tenant: &str, now: Duration) {
        if !self.ended.contains(tenant) && !self.running.iter().any(|running| running.tenant == tenant) {
            let (tenant, doing) = (tenant.to_owned(), "read both sides".into());
            self.running.push(Running { tenant, step: None, since: now, doing, pause: None });
        }
    }

    /// Notes that the work on a tenant ended.
    pub(super) fn end(&mut self, tenant: &str) {
        self.running.retain(|running| running.tenant != tenant);
        self.ended.insert(tenant.to_owned());
        self.done += 1;
    }

    /// Notes what happened.
    pub(super) fn add(&mut self, event: &Event, now: Duration) {
        match event {
            Event::RunStarted { tenants, .. } => {
                self.is_run = true;
                self.begin(*tenants, now);
            }
            // A run looks at a tenant before it starts to work on it.
            Event::TenantStarted { tenant, .. } | Event::Request { tenant, .. } => self.start(tenant, now),
            Event::StepStarted { tenant, step, title, direction } => self.change(tenant, |running| {
                let rollback = if *direction == Direction::Back { "roll back: " } else { "" };
                (running.step, running.since, running.pause) = (Some(step.clone()), now, None);
                running.doing = text!("{}{}", rollback, title);
            }),
            Event::Progress { tenant, message } => self.change(tenant, |running| {
                (running.doing, running.pause) = (text!("{}", message), None);
            }),
            Event::OperatorAsked { tenant, .. } => {
                self.change(tenant, |running| running.doing = "waits for a person".into());
            }
            Event::Waiting { tenant, ms, reason } => self.change(tenant, |running| {
                running.pause = Some(Pause { until: now + Duration::from_millis(*ms), reason: reason.clone() });
            }),
            Event::TenantEnded { tenant, counts_as, .. } | Event::TenantRefused { tenant, counts_as, .. } => {
                *self.counted.entry(*counts_as).or_default() += 1;
                self.end(tenant);
            }
            Event::TenantSkipped { tenant, .. } => {
                self.running.retain(|running| running.tenant != *tenant);
                self.skipped += 1;
            }
            Event::StartsHeld { .. } => self.is_held = true,
            Event::StartsReleased => self.is_held = false,
            // The others are skipped at once, and what is left of this run is at work already.
            Event::StartsHalted { halt } => {
                self.is_halted |= matches!(halt, Halt::Budget { .. } | Halt::Inconclusive(_));
            }
            Event::RunPaused { .. } => self.is_paused = true,
            Event::RunUnpaused { .. } => self.is_paused = false,
            Event::RunCanceled { .. } => self.is_stopping = true,
            Event::FewerAtOnce { .. }
            | Event::StepEnded { .. }
            | Event::StepFailed { .. }
            | Event::ChangesAccepted { .. }
            | Event::Log { .. } => {}
        }
    }

    /// What went otherwise than planned: `2 failed, 1 inconclusive`. The first number is always there.
    pub(super) fn trouble(&self, between: &'static str) -> Text {
        let counted = |ending| self.counted.get(&ending).copied().unwrap_or_default();
        let show = |ending: Ending| {
            let (count, tone) = (counted(ending), tone_of_ending(ending));
            let words = text!("{} {}", count, ending);
            if count > 0 { paint(tone, words) } else { words }
        };
        let others = [Ending::Inconclusive, Ending::Refused, Ending::Waiting].into_iter();
        let others = others.filter(|ending| counted(*ending) > 0);
        Text::join(std::iter::once(Ending::Failed).chain(others).map(show), between)
    }

    /// Why the work does not go on as usual, if so.
    pub(super) fn phase(&self) -> Option<&'static str> {
        [(self.is_stopping, "stopping"), (self.is_paused, "paused"), (self.is_halted || self.is_held, "starts no more")]
            .into_iter()
            .find_map(|(is_so, phase)| is_so.then_some(phase))
    }

    /// The step that a tenant is at.
    pub(super) fn step(&self, tenant: &str) -> Option<&str> {
        self.running.iter().find(|running| running.tenant == tenant)?.step.as_deref()
    }

    /// Tenants per minute. `None` before there is anything to measure.
    pub(super) fn rate(&self, now: Duration) -> Option<f64> {
        let seconds = now.saturating_sub(self.begun?).as_secs_f64();
        (self.done > 0 && seconds >= 1.0).then(|| self.done as f64 * 60.0 / seconds)
    }

    /// How long the rest takes, if it goes on like this.
    pub(super) fn time_left(&self, now: Duration) -> Option<Duration> {
        let left = self.total.saturating_sub(self.done + self.skipped) as f64;
        Some(Duration::from_secs_f64(left * 60.0 / self.rate(now)?)).filter(|_| left > 0.0 && self.phase().is_none())
    }

    fn change(&mut self, tenant: &str, change: impl FnOnce(&mut Running)) {
        if let Some(running) = self.running.iter_mut().find(|running| running.tenant == tenant) {
            change(running);
        }
    }
}

impl Running {
    /// What flowswap does for the tenant now, or what it waits for.
    pub(super) fn doing(&self, now: Duration) -> Text {
        match self.pause.as_ref().filter(|pause| pause.until > now) {
            Some(Pause { until, reason }) => text!("waits {} s: {}", (*until - now).as_secs() + 1, reason),
            None => self.doing.clone(),
        }
    }
}

//! Shows the progress of long work on stderr: a line for every running tenant and an overall bar, or plain lines if stderr
//! is not a terminal.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::{Arc, Mutex},
};

use flowswap_contract::Level;
use flowswap_engine::{Direction, Event, EventSink};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{
    causes::MANY,
    text::{Text, text},
    tone_of_state,
};
use crate::terminal::{Terminal, Tone, paint};

/// Shows the events of a run.
pub(crate) struct Progress {
    terminal: Terminal,
    bars: Option<ProgressBars>,
    /// Holds lines back during a conversation with the person at the terminal.
    gate: Option<OutputGate>,
    /// The number of tenants that were not started, by reason.
    skipped: Mutex<BTreeMap<String, usize>>,
}

/// Holds output back during a conversation with the person at the terminal, and prints it afterwards. Contains the queued
/// texts while the gate is closed.
#[derive(Clone, Default)]
pub(crate) struct OutputGate(Arc<Mutex<Option<Vec<Text>>>>);

/// Keeps an [`OutputGate`] closed. Prints the queued texts when it is dropped.
pub(crate) struct OutputHold {
    gate: OutputGate,
    terminal: Terminal,
}

impl OutputGate {
    /// Closes the gate. Conversations do not overlap, so it is open before.
    pub(crate) fn hold(&self, terminal: Terminal) -> OutputHold {
        *self.lock() = Some(Vec::new());
        OutputHold { gate: self.clone(), terminal }
    }

    /// Prints a text now, or queues it while the gate is closed.
    pub(crate) fn say(&self, terminal: Terminal, text: Text) {
        match self.lock().as_mut() {
            Some(queued) => queued.push(text),
            None => terminal.say(text),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Text>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for OutputHold {
    fn drop(&mut self) {
        for text in self.gate.lock().take().into_iter().flatten() {
            self.terminal.say(text);
        }
    }
}

struct ProgressBars {
    all: MultiProgress,
    overall: ProgressBar,
    tenants: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress {
    /// Shows bars on a terminal, and lines elsewhere.
    pub(crate) fn new(terminal: Terminal) -> Self {
        let show_bars = !terminal.quiet && std::io::stderr().is_terminal();
        Self { terminal, bars: show_bars.then(ProgressBars::new), gate: None, skipped: Mutex::default() }
    }

    /// Always shows lines, for use together with other output.
    pub(crate) fn without_bars(terminal: Terminal) -> Self {
        Self { terminal, bars: None, gate: None, skipped: Mutex::default() }
    }

    /// Shows lines, and holds them back while the gate is closed.
    pub(crate) fn gated(terminal: Terminal, gate: OutputGate) -> Self {
        Self { terminal, bars: None, gate: Some(gate), skipped: Mutex::default() }
    }

    /// Sets the number of tenants in the overall bar.
    pub(crate) fn set_total(&self, tenants: usize) {
        if let Some(bars) = &self.bars {
            bars.overall.set_length(tenants as u64);
        }
    }

    /// Counts one tenant as done.
    pub(crate) fn advance(&self) {
        if let Some(bars) = &self.bars {
            bars.overall.inc(1);
        }
    }

    /// Removes the bars until something draws them again.
    pub(crate) fn make_room(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.all.clear();
        }
    }

    /// Removes the bars before other output follows.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            bars.overall.finish_and_clear();
            let _ = bars.all.clear();
        }
    }

    /// Whether to leave out the event, because enough tenants were skipped for the same reason. The report counts all of them.
    fn is_repeated_skip(&self, event: &Event) -> bool {
        let Event::TenantSkipped { reason, .. } = event else { return false };
        let mut skipped = self.skipped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let times = skipped.entry(reason.clone()).or_default();
        *times += 1;
        if *times == MANY && self.terminal.verbose == 0 {
            self.print_line(text!("more tenants were not started: {}", reason));
        }
        *times >= MANY && self.terminal.verbose == 0
    }

    fn print_line(&self, text: Text) {
        match (&self.bars, &self.gate) {
            (Some(bars), _) => {
                let _ = bars.all.println(text.as_str());
            }
            (None, Some(gate)) => gate.say(self.terminal, text),
            (None, None) => self.terminal.say(text),
        }
    }
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        if let Some(bars) = &self.bars {
            bars.show(&event);
        }
        // Bars already show the steps; without bars, a line reports each step.
        let step_verbosity = if self.bars.is_some() { 1 } else { 0 };
        if self.is_repeated_skip(&event) {
            return;
        }
        if let Some((verbosity, text)) = describe(&event, step_verbosity)
            && self.terminal.verbose >= verbosity
        {
            self.print_line(text);
        }
    }
}

/// The line for an event, and the least verbosity that shows it. `step_verbosity` is the one for finished steps.
fn describe(event: &Event, step_verbosity: u8) -> Option<(u8, Text)> {
    let rollback = |direction: &Direction| if *direction == Direction::Back { " rollback" } else { "" };
    let line = match event {
        Event::RunStarted { run, tenants } => (0, text!("run {}: {}", run, super::tenants(*tenants))),
        Event::FewerAtOnce { tenants, limit, .. } => {
            let why = text!("so that hardly more than {} can fail (`max_failures`)", limit);
            (1, text!("{} at a time, {}", super::tenants(*tenants), why))
        }
        Event::StepEnded { tenant, step, direction, .. } => {
            (step_verbosity, text!("{}: {}{} done", tenant, step, rollback(direction)))
        }
        Event::StepFailed { tenant, step, direction, message } => {
            (0, text!("{}: {}{} {}: {}", tenant, step, rollback(direction), paint(Tone::Care, "not done"), message))
        }
        Event::Request { tenant, method, url, status, attempts } => {
            let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let attempts = if *attempts > 1 { text!(" ({} attempts)", attempts) } else { Text::default() };
            (2, text!("{}: {} {} → {}{}", tenant, method, url, answer, attempts))
        }
        Event::Waiting { tenant, ms, reason } => {
            (1, text!("{}: waiting {} s: {}", tenant, format!("{:.1}", *ms as f64 / 1000.0), reason))
        }
        Event::OperatorAsked { tenant, step, owner } => {
            let owner = owner.as_deref().unwrap_or("a person");
            (
                0,
                text!(
                    "{}: {} {}: run `flowswap sheet {}`",
                    tenant,
                    step,
                    paint(Tone::Care, text!("is waiting for {}", owner)),
                    tenant
                ),
            )
        }
        Event::Log { plugin, tenant, level, message } => {
            let verbosity = match level {
                Level::Warn => 0,
                Level::Info => 1,
                Level::Debug => 2,
            };
            let prefix = tenant.as_deref().map(|tenant| text!("{}: ", tenant)).unwrap_or_default();
            (verbosity, text!("{}plugin {}: {}", prefix, plugin, message))
        }
        Event::ChangesAccepted { tenant, changes } => {
            (0, text!("{}: continues although it changed: {}", tenant, changes.join("; ")))
        }
        Event::TenantEnded { tenant, state, reason } => {
            let reason = reason.as_deref().map(|reason| text!(": {}", reason)).unwrap_or_default();
            (0, text!("{}: {}{}", tenant, paint(tone_of_state(*state), state), reason))
        }
        Event::TenantRefused { tenant, changes } => {
            (0, text!("{}: {}: {}", tenant, paint(Tone::Care, "refused"), changes.join("; ")))
        }
        Event::TenantSkipped { tenant, reason } => {
            (0, text!("{}: {}: {}", tenant, paint(Tone::Dim, "not started"), reason))
        }
        Event::TenantStarted { .. } | Event::StepStarted { .. } | Event::Progress { .. } => return None,
    };
    Some(line)
}

impl ProgressBars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::no_length());
        // The templates are constants, so an invalid one shows in every run.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} tenants  {elapsed}") {
            overall.set_style(style);
        }
        Self { all, overall, tenants: Mutex::default() }
    }

    fn show(&self, event: &Event) {
        match event {
            Event::RunStarted { tenants, .. } => self.overall.set_length(*tenants as u64),
            Event::TenantStarted { tenant, .. } => {
                let bar = self.all.insert_before(&self.overall, ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix:<24} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(text!("{}", tenant).into_string());
                self.with_tenants(|tenants| tenants.insert(tenant.clone(), bar));
            }
            Event::StepStarted { tenant, title, direction, .. } => {
                let rollback = if *direction == Direction::Back { "rollback: " } else { "" };
                self.set_message(tenant, text!("{}{}", rollback, title));
            }
            Event::Progress { tenant, message } => self.set_message(tenant, text!("{}", message)),
            Event::OperatorAsked { tenant, .. } => self.set_message(tenant, "waiting for a person".into()),
            Event::Waiting { tenant, reason, .. } => self.set_message(tenant, text!("waiting: {}", reason)),
            Event::TenantEnded { tenant, .. }
            | Event::TenantRefused { tenant, .. }
            | Event::TenantSkipped { tenant, .. } => {
                if let Some(bar) = self.with_tenants(|tenants| tenants.remove(tenant)) {
                    bar.finish_and_clear();
                }
                self.overall.inc(1);
            }
            Event::FewerAtOnce { .. }
            | Event::StepEnded { .. }
            | Event::StepFailed { .. }
            | Event::ChangesAccepted { .. }
            | Event::Request { .. }
            | Event::Log { .. } => {}
        }
    }

    fn set_message(&self, tenant: &str, message: Text) {
        self.with_tenants(|tenants| {
            if let Some(bar) = tenants.get(tenant) {
                bar.set_message(message.into_string());
                bar.tick();
            }
        });
    }

    fn with_tenants<T>(&self, action: impl FnOnce(&mut BTreeMap<String, ProgressBar>) -> T) -> T {
        action(&mut self.tenants.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

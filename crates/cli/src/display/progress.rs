//! Progress of long work on stderr: a line for every running tenant and an overall bar, or plain lines where stderr is
//! no terminal.

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

/// Shows events.
pub(crate) struct Progress {
    terminal: Terminal,
    bars: Option<Bars>,
    /// Where somebody converses with a person meanwhile.
    floor: Option<Floor>,
    /// How many tenants were not begun, by the reason.
    skipped: Mutex<BTreeMap<String, usize>>,
}

/// Who may speak: whatever others have to say while somebody converses with a person is said afterwards.
#[derive(Clone, Default)]
pub(crate) struct Floor(Arc<Mutex<Option<Vec<Text>>>>);

/// The right to speak alone, until it is dropped.
pub(crate) struct Speaker {
    floor: Floor,
    terminal: Terminal,
}

impl Floor {
    /// Takes the floor. One conversation comes after the other, so nobody else has it.
    pub(crate) fn take(&self, terminal: Terminal) -> Speaker {
        *self.lock() = Some(Vec::new());
        Speaker { floor: self.clone(), terminal }
    }

    /// Says something now, or once the floor is free.
    pub(crate) fn say(&self, terminal: Terminal, text: Text) {
        match self.lock().as_mut() {
            Some(kept) => kept.push(text),
            None => terminal.say(text),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Text>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        for text in self.floor.lock().take().into_iter().flatten() {
            self.terminal.say(text);
        }
    }
}

struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    tenants: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress {
    /// Bars where a person watches, lines elsewhere.
    pub(crate) fn new(terminal: Terminal) -> Self {
        let watched = !terminal.quiet && std::io::stderr().is_terminal();
        Self { terminal, bars: watched.then(Bars::new), floor: None, skipped: Mutex::default() }
    }

    /// Lines in any case: for beside something else that is said.
    pub(crate) fn lines(terminal: Terminal) -> Self {
        Self { terminal, bars: None, floor: None, skipped: Mutex::default() }
    }

    /// Lines that keep out of a conversation.
    pub(crate) fn beside(terminal: Terminal, floor: Floor) -> Self {
        Self { terminal, bars: None, floor: Some(floor), skipped: Mutex::default() }
    }

    /// Sets how many tenants there are to be done.
    pub(crate) fn expect(&self, tenants: usize) {
        if let Some(bars) = &self.bars {
            bars.overall.set_length(tenants as u64);
        }
    }

    /// One tenant is done.
    pub(crate) fn advance(&self) {
        if let Some(bars) = &self.bars {
            bars.overall.inc(1);
        }
    }

    /// Takes the bars away, so that what follows stands alone.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            bars.overall.finish_and_clear();
            let _ = bars.all.clear();
        }
    }

    /// Whether as much was said of this as of any number of tenants: once one cause ends a run, the report counts the rest.
    fn is_said_enough(&self, event: &Event) -> bool {
        let Event::TenantSkipped { reason, .. } = event else { return false };
        let mut skipped = self.skipped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let times = skipped.entry(reason.clone()).or_default();
        *times += 1;
        if *times == MANY && self.terminal.verbose == 0 {
            self.line(text!("more tenants are not begun: {}", reason));
        }
        *times >= MANY && self.terminal.verbose == 0
    }

    fn line(&self, text: Text) {
        match (&self.bars, &self.floor) {
            (Some(bars), _) => drop(bars.all.println(text.as_str())),
            (None, Some(floor)) => floor.say(self.terminal, text),
            (None, None) => self.terminal.say(text),
        }
    }
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        if let Some(bars) = &self.bars {
            bars.show(&event);
        }
        // Bars show the steps already; lines must say them.
        let least = if self.bars.is_some() { 1 } else { 0 };
        if self.is_said_enough(&event) {
            return;
        }
        if let Some((verbosity, text)) = describe(&event, least)
            && self.terminal.verbose >= verbosity
        {
            self.line(text);
        }
    }
}

/// What an event reads as, and from which verbosity on. Steps are said from `steps` on.
fn describe(event: &Event, steps: u8) -> Option<(u8, Text)> {
    let back = |direction: &Direction| if *direction == Direction::Back { " back" } else { "" };
    let line = match event {
        Event::RunStarted { run, tenants } => (0, text!("run {}: {}", run, super::tenants(*tenants))),
        Event::StepEnded { tenant, step, direction, .. } => {
            (steps, text!("{}: {}{} done", tenant, step, back(direction)))
        }
        Event::StepFailed { tenant, step, direction, message } => {
            (0, text!("{}: {}{} {}: {}", tenant, step, back(direction), paint(Tone::Care, "not done"), message))
        }
        Event::Request { tenant, method, url, status, attempts } => {
            let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let again = if *attempts > 1 { text!(" ({} attempts)", attempts) } else { Text::default() };
            (2, text!("{}: {} {} → {}{}", tenant, method, url, answer, again))
        }
        Event::Waiting { tenant, ms, reason } => {
            (1, text!("{}: waits {} s: {}", tenant, format!("{:.1}", *ms as f64 / 1000.0), reason))
        }
        Event::OperatorAsked { tenant, step, owner } => {
            let owner = owner.as_deref().unwrap_or("a person");
            (
                0,
                text!(
                    "{}: {} {}: `flowswap sheet {}`",
                    tenant,
                    step,
                    paint(Tone::Care, text!("asked of {}", owner)),
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
            let of = tenant.as_deref().map(|tenant| text!("{}: ", tenant)).unwrap_or_default();
            (verbosity, text!("{}plugin {}: {}", of, plugin, message))
        }
        Event::TenantEnded { tenant, state, reason } => {
            let reason = reason.as_deref().map(|reason| text!(": {}", reason)).unwrap_or_default();
            (0, text!("{}: {}{}", tenant, paint(tone_of_state(*state), state), reason))
        }
        Event::TenantRefused { tenant, changes } => {
            (0, text!("{}: {}: {}", tenant, paint(Tone::Care, "refused"), changes.join("; ")))
        }
        Event::TenantSkipped { tenant, reason } => {
            (0, text!("{}: {}: {}", tenant, paint(Tone::Dim, "not begun"), reason))
        }
        Event::TenantStarted { .. } | Event::StepStarted { .. } | Event::Progress { .. } => return None,
    };
    Some(line)
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::no_length());
        // The templates are constants; a mistake in one shows in the first test that runs them.
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
                self.with_tenants(|tenants| drop(tenants.insert(tenant.clone(), bar)));
            }
            Event::StepStarted { tenant, title, direction, .. } => {
                let back = if *direction == Direction::Back { "back: " } else { "" };
                self.set_message(tenant, text!("{}{}", back, title));
            }
            Event::Progress { tenant, message } => self.set_message(tenant, text!("{}", message)),
            Event::OperatorAsked { tenant, .. } => self.set_message(tenant, "a person is asked".into()),
            Event::Waiting { tenant, reason, .. } => self.set_message(tenant, text!("waits: {}", reason)),
            Event::TenantEnded { tenant, .. }
            | Event::TenantRefused { tenant, .. }
            | Event::TenantSkipped { tenant, .. } => {
                if let Some(bar) = self.with_tenants(|tenants| tenants.remove(tenant)) {
                    bar.finish_and_clear();
                }
                self.overall.inc(1);
            }
            Event::StepEnded { .. } | Event::StepFailed { .. } | Event::Request { .. } | Event::Log { .. } => {}
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

    fn with_tenants<T>(&self, use_them: impl FnOnce(&mut BTreeMap<String, ProgressBar>) -> T) -> T {
        use_them(&mut self.tenants.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

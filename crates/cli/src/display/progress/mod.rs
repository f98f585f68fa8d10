//! Shows the progress of long work on stderr: a bar on a terminal, and plain lines elsewhere. What fails and what a person must
//! do is printed as it happens; what succeeds is only counted.

mod bar;
mod canvas;
mod current;
mod gate;
mod message;
mod screen;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use flowswap_engine::{Event, EventSink};

use self::{
    bar::Bar,
    canvas::Canvas,
    message::{Message, describe},
    tally::Tally,
};
pub(crate) use self::{
    current::{CurrentProgress, StopRequest},
    gate::OutputGate,
};
use super::{
    causes::MANY,
    tenants,
    text::{Text, text},
    times,
};
use crate::{
    args::ProgressMode,
    events::{Happened, Reading},
    terminal::{Terminal, can_redraw, columns_of_stderr, has_color},
};

/// A smaller fleet gets no lines between the begin and the end.
const FLEET_WITH_LINES: usize = 20;

/// Shows the events of a run.
pub(crate) struct Progress {
    terminal: Terminal,
    bar: Option<Bar>,
    /// Whether lines say how far the work is.
    has_lines: bool,
    /// Holds lines back during a conversation with the person at the terminal.
    gate: Option<OutputGate>,
    tally: Arc<Mutex<Tally>>,
    elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// How often something was said, by what the lines have in common.
    said: Mutex<BTreeMap<String, usize>>,
}

impl Progress {
    /// Shows what the options ask for. A bar needs a terminal that can be drawn on again.
    pub(crate) fn new(terminal: Terminal) -> Self {
        let begun = Instant::now();
        let wants_bar = matches!(terminal.progress, ProgressMode::Auto | ProgressMode::Bar);
        let elapsed: Arc<dyn Fn() -> Duration + Send + Sync> = Arc::new(move || begun.elapsed());
        let canvas = Canvas { columns: columns_of_stderr, has_color: has_color(), elapsed };
        let canvas = Some(canvas).filter(|_| wants_bar && can_redraw() && !terminal.quiet);
        Self::over(terminal, canvas, None)
    }

    /// Shows only what is printed as it happens, for use together with other output.
    pub(crate) fn without_bars(terminal: Terminal) -> Self {
        Self::over(Terminal { progress: ProgressMode::None, ..terminal }, None, None)
    }

    /// Shows lines, and holds them back while the gate is closed.
    pub(crate) fn gated(terminal: Terminal, gate: OutputGate) -> Self {
        Self::over(terminal, None, Some(gate))
    }

    fn over(terminal: Terminal, canvas: Option<Canvas>, gate: Option<OutputGate>) -> Self {
        let (begun, tally) = (Instant::now(), Arc::new(Mutex::new(Tally::default())));
        let elapsed = canvas.as_ref().map(|canvas| Arc::clone(&canvas.elapsed));
        let elapsed = elapsed.unwrap_or_else(|| Arc::new(move || begun.elapsed()));
        let bar = canvas.map(|canvas| Bar::new(canvas, Arc::clone(&tally)));
        let has_lines = bar.is_none() && terminal.progress != ProgressMode::None;
        Self { terminal, bar, has_lines, gate, tally, elapsed, said: Mutex::default() }
    }

    /// Begins to count tenants that are only read.
    pub(crate) fn begin(&self, total: usize) {
        self.tally().begin(total, (self.elapsed)());
        self.terminal.stream::<()>(Happened::Reading(Reading::ReadingStarted { tenants: total }));
        if self.has_lines && total >= FLEET_WITH_LINES {
            self.print(text!("reading {}", tenants(total)));
        }
        self.draw();
    }

    /// Notes that flowswap began to read a tenant.
    pub(crate) fn start(&self, tenant: &str) {
        self.tally().start(tenant, (self.elapsed)());
    }

    /// Counts a tenant as read.
    pub(crate) fn end(&self, tenant: &str) {
        self.terminal.stream::<()>(Happened::Reading(Reading::TenantRead { tenant }));
        self.count(|tally| tally.end(tenant));
    }

    /// Removes the bar until a run starts another tenant.
    pub(crate) fn make_room(&self) {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
    }

    /// Removes the bar before other output follows. Without one, says how far the work got.
    pub(crate) fn clear(&self) {
        if self.bar.as_ref().is_some_and(Bar::clear) && self.tally().is_run {
            // What follows is the report.
            self.terminal.say("");
        }
        let tally = self.tally();
        let needs_end = tally.total >= FLEET_WITH_LINES || (tally.is_run && tally.total > 1);
        drop(tally);
        if self.has_lines && needs_end {
            self.print(self.share());
        }
    }

    /// Counts, and prints a line at every tenth of the work. The end has its own line.
    fn count(&self, count: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally();
        let tenths = |tally: &Tally| 10 * tally.done / tally.total.max(1);
        let before = tenths(&tally);
        count(&mut tally);
        let is_news = tenths(&tally) > before && tally.done < tally.total && tally.total >= FLEET_WITH_LINES;
        drop(tally);
        if is_news && self.has_lines {
            self.print(self.share());
        }
    }

    /// `30 %: 90 of 300 tenants, 1 failed, 4 min left`.
    fn share(&self) -> Text {
        let tally = self.tally();
        let left = tally.time_left((self.elapsed)()).filter(|left| *left >= Duration::from_secs(60));
        let left = left.map(|left| text!(", {} left", times::short(left))).unwrap_or_default();
        let percent = 100 * tally.done / tally.total.max(1);
        text!("{} %: {} of {}, {}{}", percent, tally.done, tenants(tally.total), tally.trouble(", "), left)
    }

    fn show(&self, Message { text, verbosity, common }: Message) {
        if self.terminal.verbose < verbosity {
            return;
        }
        let Some(common) = common.filter(|_| self.terminal.verbose == 0) else { return self.print(text) };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let times = said.entry(common.as_str().to_owned()).or_default();
        *times += 1;
        let times = *times;
        drop(said);
        if times < MANY {
            self.print(text);
        } else if times == MANY {
            self.print(common);
        }
    }

    fn print(&self, text: Text) {
        match (&self.bar, &self.gate) {
            (Some(bar), _) if bar.print(&text) => {}
            (_, Some(gate)) => gate.say(self.terminal, text),
            _ => self.terminal.say(text),
        }
    }

    /// Tells only a program.
    pub(crate) fn stream(&self, event: &Event) {
        self.terminal.stream::<()>(Happened::Event(event));
    }

    fn draw(&self) {
        if let Some(bar) = &self.bar {
            bar.begin();
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Progress {
    fn emit(&self, event: Event) {
        self.stream(&event);
        let tenant = match &event {
            Event::TenantEnded { tenant, .. } | Event::TenantRefused { tenant, .. } => Some(tenant),
            _ => None,
        };
        let step = tenant.and_then(|tenant| self.tally().step(tenant).map(str::to_owned));
        let running = self.tally().running.len();
        if let Some(message) = describe(&event, step.as_deref(), running) {
            self.show(message);
        }
        self.count(|tally| tally.add(&event, (self.elapsed)()));
        match (event, &self.bar) {
            (Event::RunStarted { .. }, _) => self.draw(),
            (Event::TenantStarted { .. }, Some(bar)) => bar.go_on(),
            _ => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
    }
}

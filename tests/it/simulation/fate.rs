//! Decides at every point of a run whether a fault occurs, from the dice of a seed or from a schedule.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use flowswap_engine::{Stop, StopSwitch};
use tokio::sync::watch;

use super::{
    dice::Dice,
    schedule::{Fault, FaultKind},
};

/// Where faults come from.
pub(crate) enum Source {
    Dice(Dice),
    Schedule(Vec<Fault>),
}

/// Decides about the faults of one seed. Each process within it starts with fresh counts.
pub(crate) struct Fate {
    seed: u32,
    state: Mutex<State>,
    is_dead: watch::Sender<bool>,
}

struct State {
    source: Source,
    /// The current move; `None` while no fault may occur.
    on: Option<usize>,
    processes: usize,
    visits: BTreeMap<Point, u32>,
    /// Faults that occur again at the next visits: the index of the fault, and how many times.
    lasting: BTreeMap<Point, (usize, u32)>,
    fired: Vec<Fault>,
    trail: Vec<String>,
    stop: StopSwitch,
}

type Point = (Option<String>, String);

impl Fate {
    pub(crate) fn new(seed: u32, source: Source) -> Self {
        let state = State {
            source,
            on: None,
            processes: 0,
            visits: BTreeMap::new(),
            lasting: BTreeMap::new(),
            fired: Vec::new(),
            trail: Vec::new(),
            stop: StopSwitch::default(),
        };
        Self { seed, state: Mutex::new(state), is_dead: watch::Sender::new(false) }
    }

    /// Starts a new process, for this move or for no move. Returns its number.
    pub(crate) fn begin(&self, on: Option<usize>) -> usize {
        let mut state = self.lock();
        (state.on, state.stop) = (on, StopSwitch::default());
        state.visits.clear();
        state.lasting.clear();
        state.processes += 1;
        self.is_dead.send_replace(false);
        state.processes
    }

    /// The switch by which the operator stops the current process.
    pub(crate) fn stop(&self) -> Stop {
        self.lock().stop.listen()
    }

    /// Decides which of these faults occurs at this point, if any. A stop is carried out here.
    pub(crate) fn decide(&self, tenant: Option<&str>, at: &str, options: &[FaultKind]) -> Option<FaultKind> {
        let mut state = self.lock();
        let what = state.decide(tenant, at, options);
        let struck = what.map(|what| format!(" <- {what:?}")).unwrap_or_default();
        let line = format!("{} {} {at}{struck}", state.processes, tenant.unwrap_or("-"));
        state.trail.push(line);
        if what == Some(FaultKind::Stop) {
            state.stop.stop();
        }
        what
    }

    /// How long something at this point takes, up to `most`. It differs at every visit and is the same in every replay.
    pub(crate) fn latency(&self, tenant: Option<&str>, at: &str, most: Duration) -> Duration {
        let state = self.lock();
        let visit = state.visits.get(&point(tenant, at)).copied();
        let mut hasher = DefaultHasher::new();
        (self.seed, state.processes, tenant, at, visit).hash(&mut hasher);
        Duration::from_micros(hasher.finish() % u64::try_from(most.as_micros()).unwrap().max(1))
    }

    /// Ends the process, so that it does nothing more.
    pub(crate) async fn die(&self) {
        self.is_dead.send_replace(true);
        std::future::pending().await
    }

    /// Returns at once while the process is alive, and never once it is dead.
    pub(crate) async fn live(&self) {
        if *self.is_dead.borrow() {
            std::future::pending().await
        }
    }

    /// Returns when the process is dead.
    pub(crate) async fn death(&self) {
        let mut is_dead = self.is_dead.subscribe();
        is_dead.wait_for(|is_dead| *is_dead).await.unwrap();
    }

    /// Adds a line to the trail that is not a point.
    pub(crate) fn note(&self, line: String) {
        self.lock().trail.push(line);
    }

    /// All faults that occurred.
    pub(crate) fn fired(&self) -> Vec<Fault> {
        self.lock().fired.clone()
    }

    /// Every point that the run passed, in order.
    pub(crate) fn trail(&self) -> Vec<String> {
        self.lock().trail.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn decide(&mut self, tenant: Option<&str>, at: &str, options: &[FaultKind]) -> Option<FaultKind> {
        let point = point(tenant, at);
        let visit = self.visits.entry(point.clone()).or_default();
        let nth = std::mem::replace(visit, *visit + 1);
        let on = self.on?;
        if let Some((index, left)) = self.lasting.get_mut(&point).filter(|(_, left)| *left > 0) {
            *left -= 1;
            self.fired[*index].times += 1;
            return Some(self.fired[*index].what);
        }
        let (what, times) = match &mut self.source {
            Source::Dice(dice) => dice.throw(at, options)?,
            Source::Schedule(faults) => {
                let strikes =
                    |fault: &&Fault| fault.on == on && fault.tenant == point.0 && fault.at == at && fault.nth == nth;
                faults.iter().find(strikes).map(|fault| (fault.what, fault.times))?
            }
        };
        if !options.contains(&what) {
            return None;
        }
        self.fired.push(Fault { on, tenant: point.0.clone(), at: at.to_owned(), nth, what, times: 1 });
        self.lasting.insert(point, (self.fired.len() - 1, times - 1));
        Some(what)
    }
}

fn point(tenant: Option<&str>, at: &str) -> Point {
    (tenant.map(str::to_owned), at.to_owned())
}

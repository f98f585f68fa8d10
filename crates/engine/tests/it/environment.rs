//! Everything outside of the engine as one value that can be copied: worlds, secret store, journal, clock. A crash is a copy of
//! it that the next run starts from. A copy is kept for every moment at which a crash would differ.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowswap_contract::{Effect, Handle, Op};
use flowswap_engine::{
    Actor, Clock, Draft, Event, EventSink, Journal, JournalError, Logbook, NoOperator, Operator, Ports, Position,
    Record, Records, Secret, SecretStore, SecretStoreError, StopSwitch, Turns, Visitor,
};
use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use crate::{fault::Faults, world::World};

/// What survives a crash.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) worlds: BTreeMap<String, World>,
    pub(crate) secrets: BTreeMap<Handle, String>,
    pub(crate) records: Vec<Record>,
    /// Every call of a backend, so that invariants about their order are checked across crashes.
    pub(crate) calls: Vec<Call>,
    /// What a world accepted although a migration must never do it.
    pub(crate) violations: Vec<String>,
    /// A counter for unique names.
    pub(crate) serial: u32,
    ticks: i64,
}

/// A call of a backend.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) tenant: String,
    pub(crate) step: Option<String>,
    pub(crate) op: Op,
    /// `None` while it runs, and forever if it crashed.
    pub(crate) effect_on_return: Option<Result<(), Effect>>,
}

/// A state that changes, and the moments at which a crash could happen.
pub(crate) struct Environment {
    state: Mutex<State>,
    /// A copy for every moment between two changes of the surviving state: the change before it, the state without the records,
    /// and the number of records.
    moments: Mutex<Vec<(String, State, usize)>>,
    pub(crate) faults: Mutex<Faults>,
    /// Which append fails, from 0, and whether all later appends fail too.
    pub(crate) journal_fault: Mutex<Option<(usize, bool)>>,
    appends: AtomicUsize,
    /// Whether the secret store fails.
    pub(crate) custody_fails: Mutex<bool>,
    pub(crate) stop: StopSwitch,
    pub(crate) turns: Turns,
    /// Who is at the terminal.
    pub(crate) operator: Mutex<Arc<dyn Operator>>,
    pub(crate) events: Mutex<Vec<Event>>,
    /// How long every call takes on the paused clock.
    pub(crate) latency: Mutex<Duration>,
    /// Makes every call take up to so many times as long, by chance.
    pub(crate) dice: Mutex<Option<Dice>>,
    /// Up to when `ticks` includes the time that passed on the paused clock.
    ticked_at: Mutex<tokio::time::Instant>,
    in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
}

/// Chance that a seed decides (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u32) -> Self {
        Self(u64::from(seed).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 32) % u64::from(sides)).unwrap()
    }
}

impl Environment {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            moments: Mutex::default(),
            faults: Mutex::default(),
            journal_fault: Mutex::default(),
            appends: AtomicUsize::default(),
            custody_fails: Mutex::default(),
            stop: StopSwitch::default(),
            turns: Turns::default(),
            operator: Mutex::new(Arc::new(NoOperator)),
            events: Mutex::default(),
            latency: Mutex::default(),
            dice: Mutex::default(),
            ticked_at: Mutex::new(tokio::time::Instant::now()),
            in_flight: AtomicUsize::default(),
            most_in_flight: AtomicUsize::default(),
        })
    }

    pub(crate) fn ports(self: &Arc<Self>) -> Ports {
        let logbook = Logbook::open(self.clone(), self.clone(), None).now_or_never().unwrap().unwrap();
        Ports {
            logbook,
            secrets: self.clone(),
            clock: self.clone(),
            events: self.clone(),
            stop: self.stop.listen(),
            turns: self.turns.clone(),
            operator: self.operator.lock().unwrap().clone(),
            actor: Actor::user("alice"),
        }
    }

    /// The same ports, used by another person.
    pub(crate) fn ports_of(self: &Arc<Self>, user: &str) -> Ports {
        Ports { actor: Actor::user(user), ..self.ports() }
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap().clone()
    }

    /// Changes the surviving state, and keeps the moment after the change.
    pub(crate) fn change<T>(&self, what: &str, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        let result = change(&mut state);
        // Records are only ever added, so a moment needs only their number.
        let records = std::mem::take(&mut state.records);
        self.moments.lock().unwrap().push((what.to_owned(), state.clone(), records.len()));
        state.records = records;
        result
    }

    /// Reads the surviving state, or changes what only tests read, without a new moment.
    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut State) -> T) -> T {
        note(&mut self.state.lock().unwrap())
    }

    /// Takes the moments since the last call.
    pub(crate) fn take_moments(&self) -> Vec<(String, State)> {
        let moments = std::mem::take(&mut *self.moments.lock().unwrap());
        let records = &self.state.lock().unwrap().records;
        let complete = |(what, mut state, length): (String, State, usize)| {
            state.records = records[..length].to_vec();
            (what, state)
        };
        moments.into_iter().map(complete).collect()
    }

    fn append_now(&self, drafts: Vec<Draft>) -> Result<Position, JournalError> {
        let n = self.appends.fetch_add(1, Ordering::Relaxed);
        let fault = *self.journal_fault.lock().unwrap();
        if fault.is_some_and(|(at, for_good)| n == at || (for_good && n > at)) {
            return Err(JournalError::Storage { doing: "append to the journal", source: "disk full".into() });
        }
        let kinds: Vec<_> = drafts.iter().map(|draft| draft.entry.kind()).collect();
        let what = format!("record {}", kinds.join(" and "));
        Ok(self.change(&what, |state| {
            for draft in drafts {
                let seq = state.records.len() as u64 + 1;
                state.records.push(Record { seq, epoch: 1, draft });
            }
            position(&state.records)
        }))
    }

    pub(crate) fn appends(&self) -> usize {
        self.appends.load(Ordering::Relaxed)
    }

    /// Counts a call as in flight and waits as long as a call takes.
    pub(crate) async fn take_time(&self) {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        let times = self.dice.lock().unwrap().as_mut().map_or(1, |dice| 1 + dice.roll(100));
        let latency = *self.latency.lock().unwrap() * times;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    fn custody(&self, doing: &'static str, handle: &Handle) -> Result<(), SecretStoreError> {
        if *self.custody_fails.lock().unwrap() {
            return Err(SecretStoreError { doing, handle: handle.clone(), source: "the disk does not answer".into() });
        }
        Ok(())
    }
}

impl Environment {
    /// Sets the clock. The next reading is a second later.
    pub(crate) fn set_clock(&self, at: Timestamp) {
        self.note(|state| state.ticks = at.duration_since(start_of_time()).as_secs());
    }
}

impl Journal for Environment {
    fn append(&self, drafts: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>> {
        async move { self.append_now(drafts) }.boxed()
    }

    fn load<'a>(&'a self, wanted: Records<'a>, visit: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>> {
        let records = self.note(|state| state.records.clone());
        let is_wanted = move |record: &&Record| match wanted {
            Records::All => true,
            Records::After(position) => record.seq > position.seq,
            Records::OfTenant(name) => record.draft.tenant.as_deref() == Some(name),
        };
        async move {
            if let Records::After(place) = wanted
                && place.seq > records.len() as u64
            {
                return Err(JournalError::UnknownPosition(place.seq));
            }
            records.iter().filter(is_wanted).cloned().try_for_each(visit)?;
            Ok(position(&records))
        }
        .boxed()
    }
}

fn position(records: &[Record]) -> Position {
    Position { seq: records.len() as u64, ..Position::default() }
}

impl SecretStore for Environment {
    fn put<'a>(&'a self, handle: &'a Handle, secret: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async move {
            self.custody("store", handle)?;
            self.change("secret kept", |state| state.secrets.insert(handle.clone(), secret.expose().to_owned()));
            Ok(())
        }
        .boxed()
    }

    fn get<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        async move {
            self.custody("read", handle)?;
            Ok(self.note(|state| state.secrets.get(handle).map(Secret::new)))
        }
        .boxed()
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async move {
            self.custody("remove", handle)?;
            self.change("secret forgotten", |state| state.secrets.remove(handle));
            Ok(())
        }
        .boxed()
    }
}

impl Clock for Environment {
    /// Every reading is a second later than the one before, plus the time that passed on the paused clock.
    fn now(&self) -> Timestamp {
        let passed = {
            let mut ticked_at = self.ticked_at.lock().unwrap();
            let passed = ticked_at.elapsed().as_secs();
            *ticked_at += Duration::from_secs(passed);
            passed
        };
        let ticks = self.note(|state| {
            state.ticks += 1 + i64::try_from(passed).unwrap();
            state.ticks
        });
        start_of_time() + SignedDuration::from_secs(ticks)
    }
}

impl EventSink for Environment {
    fn emit(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

pub(crate) fn start_of_time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

//! The state of every tenant: a fold over the journal, and nothing beside it.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Effect, Evidence, Handle, Values};
use jiff::Timestamp;

use crate::{Direction, Entry, PlannedTenant, PluginPin, Record, TenantState, Verdict};

/// What the journal says of all tenants.
#[derive(Debug, Clone, Default)]
pub struct History {
    tenants: BTreeMap<String, TenantHistory>,
}

/// What the journal says of one tenant.
#[derive(Debug, Clone)]
pub struct TenantHistory {
    /// Where it stands.
    pub state: TenantState,
    /// Since when.
    pub since: Timestamp,
    /// Why, where that is not plain.
    pub reason: Option<String>,
    /// The last step that was begun.
    pub step: Option<String>,
    /// Which way the last work on it went.
    pub direction: Direction,
    /// Where its last plan was written.
    pub plan_path: Option<String>,
    /// The digests of the plans that were taken back.
    pub taken_back: BTreeSet<String>,
    /// What its last plan says of it.
    pub verdict: Option<Verdict>,
    /// The work that was begun on it; none before the first, and none after it was taken back whole.
    pub work: Option<Work>,
    /// A run is at work on it, or was cut off while it was.
    taken_up: bool,
}

/// Work on a tenant that was begun and not taken back.
#[derive(Debug, Clone)]
pub struct Work {
    /// The digest of the plan.
    pub plan: String,
    /// The tenant's part of the plan.
    pub tenant: PlannedTenant,
    /// The plugins that did it.
    pub plugins: BTreeMap<String, PluginPin>,
    /// The steps that were carried out and not taken back, in order.
    pub done: Vec<DoneStep>,
    /// The secrets that were kept and not forgotten.
    pub secrets: BTreeSet<Handle>,
    /// The step of which it is not known whether it was carried out, or taken back.
    pub doubt: Option<Doubt>,
}

/// A step that was carried out.
#[derive(Debug, Clone)]
pub struct DoneStep {
    /// The step.
    pub id: String,
    /// The values that it gave.
    pub outputs: Values,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// When.
    pub at: Timestamp,
}

/// A step that was begun and has no end, or ended with an unknown effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The step.
    pub step: String,
    /// Which way.
    pub direction: Direction,
}

/// A record that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of the journal cannot follow those before it: {problem}")]
pub struct IllegalRecord {
    /// The record's number.
    pub seq: u64,
    /// Why not.
    pub problem: String,
}

impl History {
    /// Folds records into the state.
    pub fn fold(records: &[Record]) -> Result<Self, IllegalRecord> {
        let mut history = Self::default();
        for record in records {
            history.take(record).map_err(|problem| IllegalRecord { seq: record.seq, problem })?;
        }
        Ok(history)
    }

    /// One tenant's history.
    pub fn tenant(&self, name: &str) -> Option<&TenantHistory> {
        self.tenants.get(name)
    }

    /// All tenants that the journal knows, by name.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &TenantHistory)> {
        self.tenants.iter().map(|(name, history)| (name.as_str(), history))
    }

    fn take(&mut self, record: &Record) -> Result<(), String> {
        let draft = &record.draft;
        match (&draft.entry, &draft.tenant) {
            (Entry::RunStarted { .. } | Entry::RunEnded { .. }, None) => Ok(()),
            (Entry::RunStarted { .. } | Entry::RunEnded { .. }, Some(_)) => {
                Err("a run's record names a tenant".to_owned())
            }
            (_, None) => Err("it names no tenant".to_owned()),
            (entry, Some(name)) => self
                .tenants
                .entry(name.clone())
                .or_insert_with(|| TenantHistory::new(draft.at))
                .take(entry, draft.at)
                .map_err(|problem| format!("tenant `{name}`: {problem}")),
        }
    }
}

impl TenantHistory {
    /// A tenant that the journal does not know.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            state: TenantState::Unplanned,
            since: at,
            reason: None,
            step: None,
            direction: Direction::Forward,
            plan_path: None,
            taken_back: BTreeSet::new(),
            verdict: None,
            work: None,
            taken_up: false,
        }
    }

    /// Takes one more record of the tenant in.
    pub(crate) fn take(&mut self, entry: &Entry, at: Timestamp) -> Result<(), String> {
        match entry {
            Entry::RunStarted { .. } | Entry::RunEnded { .. } => {}
            // Work that was begun goes on with the plan it was begun with.
            Entry::Planned { .. } if self.work.is_some() => {}
            Entry::Planned { path, verdict, .. } => {
                (self.plan_path, self.verdict) = (Some(path.clone()), Some(*verdict));
                let is_ready = *verdict == Verdict::Ready;
                self.enter(if is_ready { TenantState::Planned } else { TenantState::Unplanned }, None, at);
            }
            Entry::TenantStarted { direction, plan, tenant, plugins } => {
                self.start(plan, tenant, plugins)?;
                (self.direction, self.taken_up) = (*direction, true);
                let state = match direction {
                    Direction::Forward => TenantState::Running,
                    Direction::Back => TenantState::RollingBack,
                };
                self.enter(state, None, at);
            }
            Entry::TenantEnded { state, reason } => {
                self.expect_taken_up()?;
                if *state == TenantState::RolledBack {
                    let work = self.work()?;
                    if let Some(doubt) = &work.doubt {
                        return Err(format!("it is rolled back while it is not known what became of `{}`", doubt.step));
                    }
                    if let Some(step) = work.done.iter().find(|done| work.changes_something(&done.id)) {
                        return Err(format!("it is rolled back while step `{}` stands", step.id));
                    }
                    self.taken_back.extend(self.work.take().map(|work| work.plan));
                }
                self.taken_up = false;
                self.enter(*state, reason.clone(), at);
            }
            Entry::StepStarted { step, direction } => {
                self.expect_taken_up()?;
                if (self.direction, *direction) == (Direction::Forward, Direction::Back) {
                    return Err(format!("step `{step}` is taken back by a run that goes forward"));
                }
                self.work()?.begin(step, *direction)?;
                self.step = Some(step.clone());
            }
            Entry::StepEnded { step, direction, outputs, evidence } => {
                let done = DoneStep { id: step.clone(), outputs: outputs.clone(), evidence: evidence.clone(), at };
                self.work()?.end(done, *direction)?;
            }
            Entry::StepFailed { step, direction, error, .. } => self.work()?.fail(step, *direction, error.effect)?,
            Entry::RequestIntended { step, .. } | Entry::RequestEnded { step, .. } => {
                self.work()?.expect_begun(step)?;
            }
            Entry::SecretStored { step, handle } => {
                let work = self.work()?;
                work.expect_begun(step)?;
                work.secrets.insert(handle.clone());
            }
            Entry::SecretRemoved { handle } => drop(self.work()?.secrets.remove(handle)),
        }
        Ok(())
    }

    fn enter(&mut self, state: TenantState, reason: Option<String>, at: Timestamp) {
        (self.state, self.reason, self.since) = (state, reason, at);
    }

    fn start(
        &mut self,
        plan: &str,
        tenant: &PlannedTenant,
        plugins: &BTreeMap<String, PluginPin>,
    ) -> Result<(), String> {
        match &self.work {
            Some(work) if work.plan != plan => {
                Err(format!("plan {plan} begins while plan {} is not taken back", work.plan))
            }
            Some(_) => Ok(()),
            None => {
                self.work = Some(Work {
                    plan: plan.to_owned(),
                    tenant: tenant.clone(),
                    plugins: plugins.clone(),
                    done: Vec::new(),
                    secrets: BTreeSet::new(),
                    doubt: None,
                });
                Ok(())
            }
        }
    }

    fn expect_taken_up(&self) -> Result<(), String> {
        if self.taken_up { Ok(()) } else { Err("no run has taken the tenant up".to_owned()) }
    }

    fn work(&mut self) -> Result<&mut Work, String> {
        self.work.as_mut().ok_or_else(|| "nothing was begun".to_owned())
    }
}

impl Work {
    /// Whether the step was carried out and not taken back.
    pub fn is_done(&self, step: &str) -> bool {
        self.done.iter().any(|done| done.id == step)
    }

    /// The values that the steps so far gave, by name.
    pub fn values(&self) -> Values {
        self.done.iter().flat_map(|done| done.outputs.clone()).collect()
    }

    /// Whether a step is one that changes the world.
    pub fn changes_something(&self, step: &str) -> bool {
        self.tenant.step(step).is_some_and(|step| !step.proposal.phase.is_check())
    }

    fn begin(&mut self, step: &str, direction: Direction) -> Result<(), String> {
        if self.tenant.step(step).is_none() {
            return Err(format!("the plan has no step `{step}`"));
        }
        match direction {
            Direction::Forward if self.is_done(step) && self.changes_something(step) => {
                return Err(format!("step `{step}` begins, and is done"));
            }
            Direction::Back if !self.is_done(step) => {
                return Err(format!("step `{step}` is taken back, and is not done"));
            }
            _ => {}
        }
        match &self.doubt {
            Some(doubt) if doubt.step != step => {
                return Err(format!("step `{step}` begins while it is not known what became of `{}`", doubt.step));
            }
            _ => {}
        }
        self.doubt = Some(Doubt { step: step.to_owned(), direction });
        Ok(())
    }

    fn end(&mut self, done: DoneStep, direction: Direction) -> Result<(), String> {
        self.expect_begun_in(&done.id, direction)?;
        self.doubt = None;
        self.done.retain(|other| other.id != done.id);
        if direction == Direction::Forward {
            self.secrets.extend(done.outputs.values().flat_map(Handle::find_all));
            self.done.push(done);
        }
        Ok(())
    }

    fn fail(&mut self, step: &str, direction: Direction, effect: Effect) -> Result<(), String> {
        self.expect_begun_in(step, direction)?;
        // A check that did not pass again has not passed.
        if direction == Direction::Forward {
            self.done.retain(|done| done.id != step);
        }
        self.doubt = match effect {
            Effect::None => None,
            Effect::Unknown => Some(Doubt { step: step.to_owned(), direction }),
        };
        Ok(())
    }

    fn expect_begun_in(&self, step: &str, direction: Direction) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step && doubt.direction != direction => {
                Err(format!("step `{step}` was begun in the other direction"))
            }
            _ => self.expect_begun(step),
        }
    }

    fn expect_begun(&self, step: &str) -> Result<(), String> {
        match &self.doubt {
            Some(doubt) if doubt.step == step => Ok(()),
            _ => Err(format!("step `{step}` was not begun")),
        }
    }
}

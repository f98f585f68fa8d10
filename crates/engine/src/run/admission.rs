//! Decides which tenants a run still starts: counts failures against the budget, and finds causes that several tenants share.
//!
//! The counters belong to the tenants that are started together. Today these are all tenants of a run.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Role;

use super::{FleetLimits, Halt, Operator, Pause, Ports, cause::Cause, ending::Ending};
use crate::{Event, EventSink, PlannedTenant, RunCommand, Stop, TenantSpec, side_by_side::Gate};

/// What matters of a tenant for a cause that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    name: String,
    org: String,
    class: Class,
}

/// Tenants with the same plugins and the same steps in the same order. What fails twice among them fails for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    provider_plugin: String,
    directory_plugin: String,
    steps: Vec<String>,
}

impl Candidate {
    pub(super) fn new(spec: &TenantSpec, planned: Option<&PlannedTenant>) -> Self {
        let steps = planned.iter().flat_map(|planned| &planned.steps).map(|step| step.id.clone());
        let class = Class {
            provider_plugin: spec.provider_plugin.clone(),
            directory_plugin: spec.directory_plugin.clone(),
            steps: steps.collect(),
        };
        Self { name: spec.name.clone(), org: spec.domain.clone(), class }
    }
}

/// The counters, and what follows from them.
pub(super) struct Admission {
    concurrency: usize,
    /// How many tenants may fail.
    limit: usize,
    /// Whether a shared cause halts anything.
    watches_causes: bool,
    operator: Arc<dyn Operator>,
    events: Arc<dyn EventSink>,
    stop: Stop,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    /// How many tenants the run has not begun with.
    left: usize,
    failed: usize,
    /// Who had which cause.
    sightings: Vec<(Cause, Candidate)>,
    halts: Vec<(Scope, Halt)>,
    /// What a person must decide before any further tenant starts.
    pauses: Vec<Pause>,
    /// The causes that a person was asked about.
    asked: Vec<Cause>,
}

/// Which tenants a halt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    All,
    Class(Class),
    Org(String),
}

impl Scope {
    fn covers(&self, candidate: &Candidate) -> bool {
        match self {
            Self::All => true,
            Self::Class(class) => *class == candidate.class,
            Self::Org(org) => *org == candidate.org,
        }
    }
}

impl Admission {
    /// The counters for so many tenants.
    ///
    /// A shared cause never halts a rollback. A tenant that is not started forward stays as it was, and that is safe. One
    /// that is not rolled back stays as somebody no longer wants it. So only the budget ends a rollback.
    pub(super) fn new(ports: &Ports, limits: FleetLimits, tenants: usize, command: RunCommand) -> Self {
        let limit = limits.max_failures.of(tenants);
        let mut counted = Counted { left: tenants, ..Counted::default() };
        if limit == 0 {
            counted.halts.push((Scope::All, Halt::Budget { limit }));
        }
        Self {
            concurrency: limits.concurrency.max(1),
            limit,
            watches_causes: command != RunCommand::Rollback,
            operator: Arc::clone(&ports.operator),
            events: Arc::clone(&ports.events),
            stop: ports.stop.clone(),
            counted: Mutex::new(counted),
        }
    }

    /// What limits so many tenants to fewer at a time than the configuration allows, if the budget does.
    pub(super) fn narrows(&self, tenants: usize) -> Option<Event> {
        let (concurrency, limit) = (self.concurrency, self.limit);
        let width = self.width();
        (width < concurrency.min(tenants)).then_some(Event::FewerAtOnce { tenants: width, concurrency, limit })
    }

    /// Why the tenant must not be started, if so.
    pub(super) fn refusal(&self, candidate: &Candidate) -> Option<Halt> {
        let counted = self.lock();
        counted.halts.iter().find(|(scope, _)| scope.covers(candidate)).map(|(_, halt)| halt.clone())
    }

    /// Notes that the run begins with one more tenant.
    pub(super) fn begin_one(&self) {
        let mut counted = self.lock();
        counted.left = counted.left.saturating_sub(1);
    }

    /// Counts a tenant that has ended, and tells at once what follows for those that have not begun.
    pub(super) fn count(&self, candidate: Candidate, ending: Ending, cause: Option<Cause>) {
        let mut counted = self.lock();
        let known = (counted.pauses.len(), counted.halts.len());
        self.add(&mut counted, candidate, ending, cause);
        if counted.left == 0 {
            return;
        }
        let held = counted.pauses.iter().skip(known.0).cloned().map(|pause| Event::StartsHeld { pause });
        let halted = counted.halts.iter().skip(known.1).map(|(_, halt)| Event::StartsHalted { halt: halt.clone() });
        let news: Vec<Event> = held.chain(halted).collect();
        drop(counted);
        news.into_iter().for_each(|event| self.events.emit(event));
    }

    fn add(&self, counted: &mut Counted, candidate: Candidate, ending: Ending, cause: Option<Cause>) {
        if ending.counts_against_budget() {
            counted.failed += 1;
            if counted.failed == self.limit {
                counted.halts.push((Scope::All, Halt::Budget { limit: self.limit }));
            }
        }
        let is_trouble = matches!(ending, Ending::Failed | Ending::Inconclusive);
        let Some(cause) = cause.filter(|_| is_trouble && self.watches_causes) else { return };
        counted.find_shared(&cause, &candidate, ending);
        counted.sightings.push((cause, candidate));
    }

    /// What halted the run or a part of it, in this order.
    pub(super) fn halts(&self) -> Vec<Halt> {
        self.lock().halts.iter().map(|(_, halt)| halt.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Admission {
    /// How many tenants may be at work now. If all of them fail, the budget is exceeded by one at most. 0 while a person must
    /// decide.
    fn width(&self) -> usize {
        let counted = self.lock();
        if !counted.pauses.is_empty() {
            return 0;
        }
        match self.limit.saturating_sub(counted.failed) {
            // From here on, tenants are only skipped.
            0 => self.concurrency,
            left => self.concurrency.min(left.saturating_add(1)),
        }
    }

    /// Asks a person about everything that came up, until the person wants to stop. Nobody is asked once the run was stopped.
    async fn open(&self) {
        let pauses = mem::take(&mut self.lock().pauses);
        for pause in pauses {
            let goes_on = tokio::select! {
                biased;
                () = self.stop.stopped() => return,
                // Lazily, because a question that has begun is on the screen.
                goes_on = async { self.operator.may_go_on(&pause).await } => goes_on,
            };
            if !goes_on {
                let halt = Halt::Inconclusive(pause);
                self.events.emit(Event::StartsHalted { halt: halt.clone() });
                return self.lock().halts.push((Scope::All, halt));
            }
        }
        self.events.emit(Event::StartsReleased);
    }
}

impl Counted {
    /// Halts what shares the cause with another tenant. What the provider says may be about one org alone, so it halts more
    /// than that org only if two orgs say it.
    fn find_shared(&mut self, cause: &Cause, candidate: &Candidate, ending: Ending) {
        let others = self.sightings.iter().filter(|(seen, _)| seen == cause).map(|(_, other)| other);
        let (neighbors, strangers): (Vec<_>, Vec<_>) =
            others.partition(|other| cause.side == Role::Provider && other.org == candidate.org);
        let pair = |other: &Candidate| [other.name.clone(), candidate.name.clone()];
        // An answer that is missing says nothing about how a tenant is planned.
        let is_alike = |other: &&&Candidate| ending == Ending::Inconclusive || other.class == candidate.class;
        let wide = strangers.iter().find(is_alike).map(|other| pair(other));
        let narrow = neighbors.first().map(|other| pair(other));
        let cause = cause.clone();
        match (wide, narrow) {
            (Some(tenants), _) if ending == Ending::Inconclusive => {
                if !self.asked.contains(&cause) {
                    self.asked.push(cause.clone());
                    self.pauses.push(Pause { cause, tenants });
                }
            }
            (Some(tenants), _) => self.add(Scope::Class(candidate.class.clone()), Halt::SameCause { cause, tenants }),
            (None, Some(tenants)) => {
                let org = candidate.org.clone();
                self.add(Scope::Org(org.clone()), Halt::SameOrg { cause, tenants, org });
            }
            (None, None) => {}
        }
    }

    /// Adds a halt, unless nobody would start there anyway.
    fn add(&mut self, scope: Scope, halt: Halt) {
        if !self.halts.iter().any(|(known, _)| *known == scope || *known == Scope::All) {
            self.halts.push((scope, halt));
        }
    }
}

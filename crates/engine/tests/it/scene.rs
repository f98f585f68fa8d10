//! A fleet with a plan, ready to be run: what the commands do around the engine, in a few lines.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::{Op, Role};
use flowswap_engine::{
    FleetLimits, Goal, History, Job, JournalError, Outcome, Plan, PluginPin, RunCommand, RunId, Runner, Summary,
    Tenant, TenantSpec, TenantState, Terms, plan_tenant,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    backend::MemoryBackend,
    fault::{Fault, Injection},
    reality::{Reality, State, start_of_time},
    world::{View, World},
};

/// The limits of a run that is not about limits.
pub(crate) const LIMITS: FleetLimits = FleetLimits { concurrency: 4, max_failures: usize::MAX };

/// A reality and the plan for it.
pub(crate) struct Scene {
    pub(crate) reality: Arc<Reality>,
    pub(crate) plan: Plan,
}

impl Scene {
    /// Tenants of these names, planned. The names that begin with `manual` leave swapping to a person, those that begin
    /// with `attended` the way back, and those that begin with `watched` both, which only the other side sees.
    pub(crate) async fn new(names: &[&str]) -> Self {
        let mut state = State::default();
        for &name in names {
            let mut world = World::new(name);
            world.can_restore = !name.starts_with("attended");
            state.worlds.insert(name.to_owned(), world);
        }
        Self::planned(Reality::new(state), names, start_of_time()).await
    }

    async fn planned(reality: Arc<Reality>, names: &[&str], now: Timestamp) -> Self {
        let history = History::fold(&reality.state().records).unwrap();
        let mut tenants = Vec::new();
        for name in names {
            let mut tenant = tenant(&reality, name);
            tenant.spec.begun = history.tenant(name).is_some_and(|known| known.work.is_some());
            tenants.push(plan_tenant(&tenant, now).await.unwrap());
        }
        let plan = Plan::freeze(now, now + SignedDuration::from_hours(24), pins(), tenants).unwrap();
        Self { reality, plan }
    }

    /// Another process over what survived.
    pub(crate) fn after_crash(&self, state: State) -> Self {
        Self { reality: Reality::new(state), plan: self.plan.clone() }
    }

    /// Another process over what is there now.
    pub(crate) fn restarted(&self) -> Self {
        self.after_crash(self.reality.state())
    }

    /// Plans the same tenants again, as they are now, a second later: it is another plan.
    pub(crate) async fn planned_again(&self) -> Self {
        let names: Vec<&str> = self.plan.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        let now = self.plan.created_at + SignedDuration::from_secs(1);
        Self::planned(Reality::new(self.reality.state()), &names, now).await
    }

    pub(crate) fn history(&self) -> History {
        History::fold(&self.reality.state().records).unwrap()
    }

    pub(crate) fn jobs(&self, goal: Goal) -> Vec<Job> {
        let history = self.history();
        let job = |planned: &flowswap_engine::PlannedTenant| {
            let started = history.tenant(&planned.name).cloned();
            let work = started.as_ref().and_then(|started| started.work.as_ref());
            Job {
                tenant: tenant(&self.reality, &planned.name),
                plan: work.filter(|_| goal != Goal::Swapped).map_or(&self.plan.digest, |work| &work.plan).clone(),
                planned: planned.clone(),
                plugins: self.plan.plugins.clone(),
                history: started,
                goal,
                not_after: Some(self.plan.not_after).filter(|_| goal == Goal::Swapped),
                accept_changes: false,
                terms: Terms::default(),
            }
        };
        self.plan.ready().map(job).collect()
    }

    pub(crate) async fn run_within(&self, goal: Goal, limits: FleetLimits) -> Result<Summary, JournalError> {
        Runner::new(self.reality.ports(), RunId::generate()).run(command(goal), self.jobs(goal), limits).await
    }

    /// Runs jobs as they were changed.
    pub(crate) async fn run_changed(&self, goal: Goal, change: impl Fn(&mut Job)) -> Vec<Outcome> {
        let mut jobs = self.jobs(goal);
        jobs.iter_mut().for_each(change);
        let runner = Runner::new(self.reality.ports(), RunId::generate());
        let outcomes = runner.run(command(goal), jobs, LIMITS).await.unwrap().outcomes;
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    pub(crate) async fn run(&self, goal: Goal) -> Vec<(String, Outcome)> {
        self.run_within(goal, LIMITS).await.unwrap().outcomes
    }

    /// Runs the only tenant to where the run lets go of it.
    pub(crate) async fn end(&self, goal: Goal) -> (TenantState, String) {
        match self.run(goal).await.remove(0).1 {
            Outcome::Ended { state, reason } => (state, reason.unwrap_or_default()),
            other => panic!("the run did not take the tenant up: {other:?}"),
        }
    }

    /// Runs the only tenant, which must reach this state without further words.
    pub(crate) async fn reach(&self, goal: Goal, state: TenantState) {
        assert_eq!(self.end(goal).await, (state, String::new()));
    }

    /// Somebody says that what was asked of the only tenant is done.
    pub(crate) async fn claim(&self, by: &str) {
        let name = &self.plan.tenants[0].name;
        let history = self.history().tenant(name).unwrap().clone();
        Runner::new(self.reality.ports(), RunId::generate()).confirm(name, &history, by, None).await.unwrap();
    }

    pub(crate) fn order(&self, step: &str, op: Op, nth: usize, fault: Fault) {
        let injection = Injection { tenant: None, step: step.to_owned(), op, nth, fault };
        self.reality.faults.lock().unwrap().order(injection);
    }

    /// Every fault that was ordered came about.
    pub(crate) fn assert_fired(&self) {
        let faults = self.reality.faults.lock().unwrap();
        assert!(faults.unfired().is_empty(), "never came about: {:?}", faults.unfired());
    }

    pub(crate) fn world(&self, name: &str) -> World {
        self.reality.state().worlds[name].clone()
    }

    pub(crate) fn change_world(&self, name: &str, change: impl FnOnce(&mut World)) {
        self.reality.note(|state| change(state.world(name)));
    }

    pub(crate) fn views(&self) -> BTreeMap<String, View> {
        views(&self.reality.state())
    }

    /// How often an operation was called for a step, over all runs.
    pub(crate) fn count(&self, step: &str, op: Op) -> usize {
        let calls = self.reality.state().calls;
        calls.iter().filter(|call| call.step.as_deref() == Some(step) && call.op == op).count()
    }
}

fn command(goal: Goal) -> RunCommand {
    match goal {
        Goal::Swapped => RunCommand::Apply,
        Goal::Retired | Goal::Purged => RunCommand::Finalize,
        Goal::RolledBack => RunCommand::Rollback,
    }
}

pub(crate) fn views(state: &State) -> BTreeMap<String, View> {
    state.worlds.iter().map(|(name, world)| (name.clone(), world.view())).collect()
}

pub(crate) fn spec(name: &str) -> TenantSpec {
    TenantSpec {
        name: name.to_owned(),
        domain: format!("{name}.okta.test"),
        app_data: false,
        provider_plugin: "okta".to_owned(),
        directory_plugin: "rest".to_owned(),
        begun: false,
        config: json!({ "provider": { "domain": format!("{name}.okta.test") } }),
    }
}

pub(crate) fn tenant(reality: &Arc<Reality>, name: &str) -> Tenant {
    let side = |role| Arc::new(MemoryBackend { reality: reality.clone(), tenant: name.to_owned(), role });
    Tenant { spec: spec(name), provider: side(Role::Provider), directory: side(Role::Directory) }
}

pub(crate) fn pins() -> BTreeMap<String, PluginPin> {
    let pin = |digit: &str| PluginPin { version: "0.1.0".to_owned(), sha256: digit.repeat(64) };
    [("okta".to_owned(), pin("a")), ("rest".to_owned(), pin("b"))].into()
}

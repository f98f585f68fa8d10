//! A fleet with a plan, ready to run. Does in a few lines what the commands do around the engine.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::{Op, Role};
use flowswap_engine::{
    Approval, Assignment, Entry, FailureBudget, FleetLimits, Goal, History, Job, JournalError, Outcome, Plan, PlanPart,
    PluginPin, Recording, RunId, Runner, Summary, Tenant, TenantSpec, TenantState, digest_config, plan_tenant,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    backend::MemoryBackend,
    environment::{Environment, State, start_of_time},
    fault::{Fault, Injection},
    world::{View, World},
};

/// Limits for tests that are not about limits.
pub(crate) const LIMITS: FleetLimits = FleetLimits { concurrency: 4, max_failures: FailureBudget::Tenants(usize::MAX) };

/// An environment and a plan for its tenants.
pub(crate) struct TestFleet {
    pub(crate) env: Arc<Environment>,
    pub(crate) plan: Plan,
}

impl TestFleet {
    /// Planned tenants with these names. In a tenant named `manual…` a person does the swap, in `attended…` a person rolls it
    /// back, and in `watched…` a person does both and only the other side sees it.
    pub(crate) async fn new(names: &[&str]) -> Self {
        let mut state = State::default();
        for &name in names {
            let mut world = World::new(name);
            world.can_restore = !name.starts_with("attended");
            state.worlds.insert(name.to_owned(), world);
        }
        Self::planned(Environment::new(state), names, start_of_time()).await
    }

    async fn planned(env: Arc<Environment>, names: &[&str], now: Timestamp) -> Self {
        let history = History::fold(&env.state().records).unwrap();
        let mut tenants = Vec::new();
        for name in names {
            let mut tenant = tenant(&env, name);
            tenant.spec.begun = history.tenant(name).is_some_and(|known| known.work.is_some());
            tenants.push(plan_tenant(&tenant, now).await.unwrap());
        }
        let plan = Plan::freeze(now, now + SignedDuration::from_hours(24), None, pins(), tenants).unwrap();
        Self { env, plan }
    }

    /// A new process with this surviving state.
    pub(crate) fn after_crash(&self, state: State) -> Self {
        Self { env: Environment::new(state), plan: self.plan.clone() }
    }

    /// A new process with the current state.
    pub(crate) fn restarted(&self) -> Self {
        self.after_crash(self.env.state())
    }

    /// Plans the same tenants again as they are now. The plan differs, because it is made a second later.
    pub(crate) async fn planned_again(&self) -> Self {
        let names: Vec<&str> = self.plan.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        let now = self.plan.created_at + SignedDuration::from_secs(1);
        Self::planned(Environment::new(self.env.state()), &names, now).await
    }

    pub(crate) fn history(&self) -> History {
        History::fold(&self.env.state().records).unwrap()
    }

    pub(crate) fn jobs(&self, goal: Goal) -> Vec<Job> {
        let job = |planned: &flowswap_engine::PlannedTenant| Job {
            tenant: tenant(&self.env, &planned.name),
            goal,
            part: (goal == Goal::Swapped)
                .then(|| Arc::new(PlanPart::of(&self.plan, Arc::new(planned.clone()), None, None))),
            plugins: self.plan.plugins.clone(),
            assignment: Assignment::default(),
            digest_given: true,
            approval: Approval::NotRequired,
            accept_changes: false,
            rehearsal: false,
        };
        self.plan.ready().map(job).collect()
    }

    pub(crate) async fn run_within(&self, goal: Goal, limits: FleetLimits) -> Result<Summary, JournalError> {
        Runner::new(self.env.ports(), RunId::generate()).run(goal.command(), self.jobs(goal), limits).await
    }

    /// Runs the jobs after a change to them.
    pub(crate) async fn run_changed(&self, goal: Goal, change: impl Fn(&mut Job)) -> Vec<Outcome> {
        let mut jobs = self.jobs(goal);
        jobs.iter_mut().for_each(change);
        let runner = Runner::new(self.env.ports(), RunId::generate());
        let outcomes = runner.run(goal.command(), jobs, LIMITS).await.unwrap().outcomes;
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    pub(crate) async fn run(&self, goal: Goal) -> Vec<(String, Outcome)> {
        self.run_within(goal, LIMITS).await.unwrap().outcomes
    }

    /// Runs the only tenant and returns how the run ended.
    pub(crate) async fn end(&self, goal: Goal) -> (TenantState, String) {
        match self.run(goal).await.remove(0).1 {
            Outcome::Ended { state, reason } => (state, reason.unwrap_or_default()),
            other => panic!("the run did not start on the tenant: {other:?}"),
        }
    }

    /// Runs the only tenant, which must reach this state without a reason.
    pub(crate) async fn reach(&self, goal: Goal, state: TenantState) {
        assert_eq!(self.end(goal).await, (state, String::new()));
    }

    /// Records something about a tenant, as a command does between runs.
    pub(crate) async fn record(&self, tenant: &str, entry: Entry) {
        let recorder = self.env.ports().logbook.recorder(tenant, RunId::generate()).await.unwrap();
        recorder.record(entry).await.unwrap();
    }

    /// A person confirms the open run sheet of the only tenant.
    pub(crate) async fn claim(&self, by: &str) {
        let name = &self.plan.tenants[0].name;
        Runner::new(self.env.ports_of(by), RunId::generate()).confirm(name, None).await.unwrap();
    }

    pub(crate) fn inject(&self, step: &str, op: Op, nth: usize, fault: Fault) {
        let injection = Injection { tenant: None, step: step.to_owned(), op, nth, fault };
        self.env.faults.lock().unwrap().inject(injection);
    }

    /// Every injected fault must have happened.
    pub(crate) fn assert_fired(&self) {
        let faults = self.env.faults.lock().unwrap();
        assert!(faults.unfired().is_empty(), "never happened: {:?}", faults.unfired());
    }

    pub(crate) fn world(&self, name: &str) -> World {
        self.env.state().worlds[name].clone()
    }

    pub(crate) fn change_world(&self, name: &str, change: impl FnOnce(&mut World)) {
        self.env.note(|state| change(state.world(name)));
    }

    pub(crate) fn views(&self) -> BTreeMap<String, View> {
        views(&self.env.state())
    }

    /// How often an operation was called for a step, over all runs.
    pub(crate) fn count(&self, step: &str, op: Op) -> usize {
        let calls = self.env.state().calls;
        calls.iter().filter(|call| call.step.as_deref() == Some(step) && call.op == op).count()
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
        rotation: None,
        accepted: Vec::new(),
        begun: false,
        config: digest_config(&json!({ "provider": { "domain": format!("{name}.okta.test") } })).unwrap(),
    }
}

pub(crate) fn tenant(env: &Arc<Environment>, name: &str) -> Tenant {
    let side = |role| Arc::new(MemoryBackend { env: env.clone(), tenant: name.to_owned(), role });
    Tenant { spec: spec(name), provider: side(Role::Provider), directory: side(Role::Directory) }
}

pub(crate) fn pins() -> BTreeMap<String, PluginPin> {
    let pin = |digit: &str| PluginPin { version: "0.1.0".to_owned(), sha256: digit.repeat(64), uncaged: false };
    [("okta".to_owned(), pin("a")), ("rest".to_owned(), pin("b"))].into()
}

//! The operator makes the moves of a schedule with flowswap's commands, and at the end repeats the commands until
//! nothing changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flowswap_contract::Phase;
use flowswap_engine::{
    Approval, Assignment, Direction, Entry, FailureBudget, FleetLimits, Goal, History, Job, Plan, PlanPart, Recording,
    RunId, Runner, Tenant, TenantHistory, TenantState, Work, hold_back_shared_orgs, plan_tenant,
};
use flowswap_sim::{Mutation, Variant};
use futures::StreamExt;
use jiff::SignedDuration;

use super::{
    machine::{Machine, Process},
    schedule::{Change, End, Move, Schedule},
};

/// How long the operator waits until an unused client is known to be unused.
const UNTIL_UNUSED: Duration = Duration::from_secs(110 * 60);

/// How many times the operator repeats the commands before the test gives up.
const MAX_ROUNDS: usize = 12;

/// The last goal of each tenant.
pub(crate) type Goals = BTreeMap<String, Goal>;

impl Machine {
    /// Makes all moves, and then recovers. Ends early after a violation.
    pub(crate) async fn play(&self, schedule: &Schedule) {
        let untouched = self.sim.snapshot();
        let mut goals = Goals::new();
        for (index, step) in schedule.moves.iter().enumerate() {
            self.fate.note(format!("move {index}: {step:?}"));
            self.make(index, step, &mut goals).await;
            self.check_moment();
            if !self.watch.violations().is_empty() {
                return;
            }
        }
        self.heal(schedule.end, &mut goals).await;
        if self.watch.violations().is_empty() {
            self.check_end(&untouched, &goals).await;
        }
    }

    /// Makes one move.
    pub(crate) async fn make(&self, index: usize, step: &Move, goals: &mut Goals) {
        let on = Some(index);
        match step {
            Move::Plan => self.plan(on).await,
            Move::Apply => self.apply(on, goals).await,
            Move::Rollback { tenants } => {
                let is_meant = |name: &str| tenants.is_empty() || tenants.iter().any(|meant| meant == name);
                self.go_on(on, Goal::RolledBack, goals, |name, tenant| is_meant(name) && has_way_back(tenant)).await;
            }
            Move::Finalize => {
                self.go_on(on, Goal::Retired, goals, |_, tenant| can_finalize(tenant, Phase::Retire)).await
            }
            Move::Purge => self.go_on(on, Goal::Purged, goals, |_, tenant| can_finalize(tenant, Phase::Purge)).await,
            Move::Wait { seconds } => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            Move::Person { tenant, change } => self.interfere(tenant, *change),
        }
    }

    /// `flowswap plan`: detects, saves the plan, and records it in the journal.
    async fn plan(&self, on: Option<usize>) {
        // All other moves depend on the first plan.
        let on = on.filter(|index| *index > 0);
        self.run(on, async |process| {
            let now = process.ports.clock.now();
            let looking = process.tenants.iter().map(|tenant| plan_tenant(tenant, now));
            let planned: Vec<_> = futures::stream::iter(looking).buffered(self.fleet.concurrency).collect().await;
            let mut planned: Vec<_> = planned.into_iter().map(Result::unwrap).collect();
            hold_back_shared_orgs(&mut planned, &process.ports.logbook.busy_orgs());
            if process.ports.stop.is_stopped() {
                return;
            }
            let plan = Plan::freeze(now, now + SignedDuration::from_hours(168), None, process.pins, planned).unwrap();
            self.plans.lock().unwrap().push(plan.clone());
            for tenant in &plan.tenants {
                let path = "plan.json".to_owned();
                let findings = tenant.findings.iter().map(|finding| finding.id.clone()).collect();
                let entry = Entry::Planned {
                    plan: plan.digest.clone(),
                    path,
                    verdict: tenant.verdict,
                    findings,
                    wave: None,
                    by: None,
                };
                let recorder = process.ports.logbook.recorder(&tenant.name, RunId::none()).await.unwrap();
                if recorder.record(entry).await.is_err() {
                    return;
                }
            }
        })
        .await;
    }

    /// `flowswap apply` with the last plan.
    async fn apply(&self, on: Option<usize>, goals: &mut Goals) {
        let Some(plan) = self.plans.lock().unwrap().last().cloned() else { return };
        goals.extend(plan.ready().map(|tenant| (tenant.name.clone(), Goal::Swapped)));
        self.run(on, async |process| {
            let jobs = plan.ready().map(|planned| Job {
                tenant: process.tenants.iter().find(|tenant| tenant.spec.name == planned.name).unwrap().clone(),
                part: Some(Arc::new(PlanPart::of(&plan, Arc::new(planned.clone()), None, None))),
                plugins: plan.plugins.clone(),
                goal: Goal::Swapped,
                digest_given: true,
                approval: Approval::NotRequired,
                accept_changes: false,
                rehearsal: false,
                assignment: Assignment::default(),
            });
            let jobs = jobs.collect();
            self.execute(process, Goal::Swapped, jobs).await;
        })
        .await;
    }

    /// `flowswap rollback`, `flowswap finalize`, and `apply` of tenants that were started.
    async fn go_on(
        &self,
        on: Option<usize>,
        goal: Goal,
        goals: &mut Goals,
        concerns: impl Fn(&str, &TenantHistory) -> bool,
    ) {
        let history = self.history();
        let names: Vec<_> =
            history.tenants().filter(|(name, tenant)| concerns(name, tenant)).map(|(name, _)| name).collect();
        if names.is_empty() {
            return;
        }
        goals.extend(names.iter().map(|name| ((*name).to_owned(), goal)));
        self.run(on, async |process| {
            let meant = process.tenants.iter().filter(|tenant| names.contains(&tenant.spec.name.as_str()));
            let job = |tenant: &Tenant| Job {
                tenant: tenant.clone(),
                part: None,
                plugins: process.pins.clone(),
                goal,
                digest_given: true,
                approval: Approval::NotRequired,
                accept_changes: false,
                rehearsal: false,
                assignment: Assignment::default(),
            };
            let jobs = meant.map(job).collect();
            self.execute(process, goal, jobs).await;
        })
        .await;
    }

    async fn execute(&self, process: Process, goal: Goal, jobs: Vec<Job>) {
        let limits = FleetLimits { concurrency: self.fleet.concurrency, max_failures: FailureBudget::Tenants(100) };
        match Runner::new(process.ports, process.run).run(goal.command(), jobs, limits).await {
            Ok(summary) => summary.outcomes.iter().for_each(|outcome| self.fate.note(format!("  {outcome:?}"))),
            Err(error) => self.fate.note(format!("  {error}: {:?}", std::error::Error::source(&error))),
        }
    }

    fn interfere(&self, tenant: &str, change: Change) {
        let is_harmless =
            matches!(change, Change::AddClient | Change::AddLegacy | Change::RenameDirectory | Change::PauseSyncs);
        self.watch.disturb(tenant, is_harmless);
        let tenant = self.watch.tenant(tenant);
        let org = tenant.domain.clone();
        let world = self.sim.world();
        let legacy = world.orgs.iter().find(|known| known.domain == org).and_then(|org| org.legacy.first());
        let mutation = match change {
            Change::DeleteClient => {
                let Some(client) = self.watch.live_clients(&tenant.name).pop() else { return };
                Mutation::RevokeServiceClient { org, client }
            }
            Change::AddClient => {
                let variant = if tenant.app_data { Variant::ApplicationEnabled } else { Variant::Plain };
                Mutation::AddServiceClient { org, variant }
            }
            Change::DeactivateLegacy => {
                let Some(app) = legacy.map(|legacy| legacy.id.clone()) else { return };
                Mutation::SetAppActive { org, app, active: false }
            }
            Change::AddLegacy => Mutation::AddLegacyApp { org },
            Change::PauseSyncs => Mutation::PauseSyncs { directory: tenant.directory_id.clone(), paused: true },
            Change::RenameDirectory => {
                Mutation::RenameDirectory { directory: tenant.directory_id.clone(), name: "renamed".to_owned() }
            }
        };
        self.sim.mutate(mutation).unwrap();
    }

    /// Repeats the commands without faults until nothing changes.
    async fn heal(&self, end: End, goals: &mut Goals) {
        let (mut before, mut decided) = (None, false);
        for tenant in &self.watch.tenants {
            let directory = tenant.directory_id.clone();
            self.sim.mutate(Mutation::PauseSyncs { directory, paused: false }).unwrap();
        }
        for _ in 0..MAX_ROUNDS {
            let history = self.history();
            let now: Vec<_> = history.tenants().map(|(name, tenant)| (name.to_owned(), standing(tenant))).collect();
            let wanted: Vec<_> = history
                .tenants()
                .filter_map(|(name, tenant)| Some((name.to_owned(), goal_of(name, tenant, end, goals)?)))
                .filter(|(name, goal)| !has_reached(history.tenant(name), *goal))
                .collect();
            if wanted.is_empty() {
                return;
            }
            if before.as_ref() == Some(&now) {
                // Repeating the commands no longer helps. A person decides, but only once.
                if decided || !self.decide().await {
                    return;
                }
                decided = true;
            }
            before = Some(now);
            tokio::time::sleep(UNTIL_UNUSED).await;
            for goal in [Goal::RolledBack, Goal::Swapped, Goal::Retired, Goal::Purged] {
                let concerns = |name: &str| wanted.iter().any(|(wanted, to)| wanted == name && *to == goal);
                self.fate.note(format!("heal: {goal:?}"));
                self.go_on(None, goal, goals, |name, _| concerns(name)).await;
                self.check_moment();
                if !self.watch.violations().is_empty() {
                    return;
                }
            }
        }
    }

    pub(crate) fn history(&self) -> History {
        self.watch.history().unwrap_or_default()
    }
}

/// Everything that repeating a command could change.
fn standing(tenant: &TenantHistory) -> impl PartialEq + use<> {
    let work = tenant.work.as_ref();
    let done: Vec<_> = work.iter().flat_map(|work| &work.done).map(|done| done.id.clone()).collect();
    (tenant.state, tenant.reason.clone(), done, work.and_then(|work| work.doubt.clone()))
}

/// The goal of a tenant, if it was started.
fn goal_of(name: &str, tenant: &TenantHistory, end: End, goals: &Goals) -> Option<Goal> {
    tenant.work.as_ref()?;
    let last = goals.get(name).copied().unwrap_or(Goal::Swapped);
    Some(match end {
        End::Back if has_way_back(tenant) && last != Goal::Purged => Goal::RolledBack,
        // A rollback that did not reach the tenant is continued first, as `flowswap status` says.
        _ if tenant.direction == Direction::Back || tenant.rollback_to_come().is_some() => Goal::RolledBack,
        _ => last,
    })
}

pub(crate) fn has_reached(tenant: Option<&TenantHistory>, goal: Goal) -> bool {
    use TenantState as S;
    let state = tenant.map_or(S::Unplanned, |tenant| tenant.state);
    match goal {
        Goal::Swapped => state.is_swapped_or_later(),
        Goal::Retired => matches!(state, S::Retired | S::Finalized),
        Goal::Purged => state == S::Finalized,
        Goal::RolledBack => tenant.is_none_or(|tenant| tenant.work.is_none()),
    }
}

/// Whether `flowswap rollback` accepts the tenant.
fn has_way_back(tenant: &TenantHistory) -> bool {
    let is_begun =
        |work: &Work, step: &str| work.is_done(step) || work.doubt.as_ref().is_some_and(|doubt| doubt.step == step);
    tenant.work.as_ref().is_some_and(|work| !is_begun(work, "purge"))
}

/// Whether `flowswap finalize` accepts the tenant.
fn can_finalize(tenant: &TenantHistory, phase: Phase) -> bool {
    use TenantState as S;
    let Some(work) = &tenant.work else { return false };
    let is_due = || {
        let ahead = work.tenant.steps.iter().filter(|step| !step.proposal.phase.is_check() && !work.is_done(&step.id));
        ahead.map(|step| step.proposal.phase).min() == Some(phase)
    };
    let fits = match phase {
        Phase::Purge => matches!(tenant.state, S::Retired | S::Finalized),
        _ => matches!(tenant.state, S::Swapped | S::Soaking | S::Retired),
    };
    fits || matches!(tenant.state, S::Running | S::Failed) && is_due()
}

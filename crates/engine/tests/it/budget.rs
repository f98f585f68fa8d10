//! The failure budget under random schedules: whatever fails when, at most one tenant more fails than the budget allows.
//!
//! A seed determines how long each call takes, who fails where, and with what error. `FLOWSWAP_SEEDS` sets how many seeds run,
//! and `FLOWSWAP_SEED` the first of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};

use flowswap_contract::{ErrorKind, Op};
use flowswap_engine::{Ending, FailureBudget, FleetLimits, Goal, Halt, Outcome, Summary, TenantState};

use crate::{
    environment::Dice,
    fault::Fault,
    laws::assert_lawful,
    test_fleet::{LIMITS, TestFleet},
};

/// The default number of seeds.
const SEEDS: u32 = 100;

const TENANTS: usize = 80;
const BUDGET: usize = 5;
const LIMITED: FleetLimits = FleetLimits { concurrency: 64, max_failures: FailureBudget::Tenants(BUDGET) };

/// Where a tenant can fail, before and after the swap.
const POINTS: [(&str, Op); 6] = [
    ("provision", Op::Apply),
    ("prove", Op::Test),
    ("test", Op::Test),
    ("swap", Op::Apply),
    ("confirm-provider", Op::Test),
    ("confirm-directory", Op::Test),
];

/// Errors that say something about the tenant.
const CONCLUSIVE: [ErrorKind; 6] = [
    ErrorKind::Auth,
    ErrorKind::Permission,
    ErrorKind::NotFound,
    ErrorKind::Invalid,
    ErrorKind::Refused,
    ErrorKind::Unsupported,
];

async fn fleet() -> TestFleet {
    let names: Vec<String> = (0..TENANTS).map(|index| format!("t{index:02}")).collect();
    TestFleet::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

pub(crate) fn number(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

fn having(summary: &Summary, ending: Ending) -> usize {
    summary.endings.iter().filter(|it| **it == ending).count()
}

/// Who fails, and how.
fn draw_faults(dice: &mut Dice, fleet: &TestFleet) -> BTreeMap<String, Fault> {
    // All tenants, or three of four, or one of four.
    let hit = [4, 3, 1][dice.roll(3) as usize];
    // One cause for all, or one of many for each.
    let common = CONCLUSIVE[dice.roll(6) as usize];
    let is_common = dice.roll(2) == 0;
    let mut faults = BTreeMap::new();
    for tenant in &fleet.plan.tenants {
        let own = CONCLUSIVE[dice.roll(6) as usize];
        if dice.roll(4) < hit {
            faults.insert(tenant.name.clone(), Fault::Say(if is_common { common } else { own }));
        }
    }
    faults
}

#[tokio::test(start_paused = true)]
async fn at_most_one_tenant_more_fails_than_the_budget_allows() {
    let planned = fleet().await;
    let (first, seeds) = (number("FLOWSWAP_SEED", 1), number("FLOWSWAP_SEEDS", SEEDS));
    let (mut most_failed, mut kinds) = (0, BTreeSet::new());
    for seed in first..first + seeds {
        let fleet = planned.restarted();
        let mut dice = Dice::new(seed);
        let (step, op) = POINTS[dice.roll(6) as usize];
        let faults = draw_faults(&mut dice, &fleet);
        fleet.env.faults.lock().unwrap().last(step, op, faults.clone());
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(10);
        *fleet.env.dice.lock().unwrap() = Some(dice);
        let summary = fleet.run_within(Goal::Swapped, LIMITED).await.unwrap();

        let hit = fleet.env.faults.lock().unwrap().hit();
        assert!(!hit.is_empty(), "seed {seed}: no fault occurred at `{step}`");
        let failed = having(&summary, Ending::Failed);
        assert_eq!(failed, hit.len(), "seed {seed}: {:?}", summary.outcomes);
        assert!(failed <= BUDGET + 1, "seed {seed}: {failed} tenants failed at `{step}`");
        // Both sides of a tenant are inspected at once, so it has at most two calls in flight.
        let in_flight = fleet.env.most_in_flight.load(Ordering::Relaxed);
        assert!(in_flight <= 2 * (BUDGET + 1), "seed {seed}: {in_flight} calls in flight");
        assert_eq!(
            summary.halts.is_empty(),
            having(&summary, Ending::Skipped) == 0,
            "seed {seed}: {:?}",
            summary.halts
        );
        for (name, outcome) in &summary.outcomes {
            if let Outcome::Skipped { reason } = outcome {
                assert!(summary.halts.iter().any(|halt| halt.to_string() == *reason), "seed {seed}: {reason}");
                assert_eq!(fleet.world(name).view(), planned.world(name).view(), "seed {seed}: `{name}` was changed");
            }
        }
        assert_lawful(&fleet.env.state());
        most_failed = most_failed.max(failed);
        kinds.extend(summary.halts.iter().map(|halt| match halt {
            Halt::Budget { .. } => "budget",
            Halt::SameCause { .. } => "same cause",
            Halt::SameOrg { .. } => "same org",
            Halt::Inconclusive(_) => "inconclusive",
        }));
    }
    if seeds >= SEEDS {
        assert_eq!(most_failed, BUDGET + 1, "the bound is tight");
        assert_eq!(kinds, BTreeSet::from(["budget", "same cause"]));
    }
}

/// The same seed gives the same run.
#[tokio::test(start_paused = true)]
async fn the_same_schedule_gives_the_same_journal() {
    let planned = fleet().await;
    let run = async |seed| {
        let fleet = planned.restarted();
        let mut dice = Dice::new(seed);
        let faults = draw_faults(&mut dice, &fleet);
        fleet.env.faults.lock().unwrap().last("prove", Op::Test, faults);
        *fleet.env.latency.lock().unwrap() = Duration::from_millis(10);
        *fleet.env.dice.lock().unwrap() = Some(dice);
        fleet.run_within(Goal::Swapped, LIMITED).await.unwrap();
        let records = fleet.env.state().records;
        records.into_iter().map(|record| (record.draft.tenant, record.draft.entry.kind())).collect::<Vec<_>>()
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await, run(8).await);
}

/// After the cause is gone, the same command continues, and nobody needs to roll back anything.
#[tokio::test(start_paused = true)]
async fn once_the_cause_is_gone_a_stopped_fleet_goes_on() {
    let fleet = fleet().await;
    let faults = fleet.plan.tenants.iter().map(|tenant| (tenant.name.clone(), Fault::Refuse)).collect();
    fleet.env.faults.lock().unwrap().last("provision", Op::Apply, faults);
    let summary = fleet.run_within(Goal::Swapped, LIMITED).await.unwrap();
    assert!(having(&summary, Ending::Skipped) >= TENANTS - BUDGET - 1);
    let fleet = fleet.restarted();
    let summary = fleet.run_within(Goal::Swapped, LIMITED).await.unwrap();
    assert_eq!(having(&summary, Ending::Done), TENANTS);
    assert_eq!(summary.halts, []);
}

/// A percentage is of the tenants of the run.
#[tokio::test(start_paused = true)]
async fn a_percentage_is_a_budget_too() {
    let fleet = fleet().await;
    // Each tenant of a pair that runs at the same time has another cause.
    let kinds = CONCLUSIVE.iter().cycle();
    let faults = fleet.plan.tenants.iter().zip(kinds);
    let faults = faults.map(|(tenant, kind)| (tenant.name.clone(), Fault::Say(*kind))).collect();
    fleet.env.faults.lock().unwrap().last("prove", Op::Test, faults);
    let limits = FleetLimits { max_failures: FailureBudget::Percent(5), concurrency: 1 };
    let summary = fleet.run_within(Goal::Swapped, limits).await.unwrap();
    assert_eq!(having(&summary, Ending::Failed), 4, "5% of {TENANTS}");
    assert_eq!(summary.halts, [Halt::Budget { limit: 4 }]);
}

/// Somebody wants a rollback, so only the budget ends it.
#[tokio::test(start_paused = true)]
async fn a_shared_cause_does_not_end_a_rollback() {
    let fleet = fleet().await;
    fleet.run_within(Goal::Swapped, LIMITS).await.unwrap();
    for budget in [100, 5] {
        let fleet = fleet.restarted();
        let faults = fleet.plan.tenants.iter().map(|tenant| (tenant.name.clone(), Fault::Refuse)).collect();
        fleet.env.faults.lock().unwrap().last("swap", Op::Observe, faults);
        let limits = FleetLimits { max_failures: FailureBudget::Tenants(budget), concurrency: 64 };
        let summary = fleet.run_within(Goal::RolledBack, limits).await.unwrap();
        let failed = having(&summary, Ending::Failed);
        let halts = if budget == 100 { vec![] } else { vec![Halt::Budget { limit: 5 }] };
        assert_eq!(summary.halts, halts);
        assert!(if budget == 100 { failed == TENANTS } else { (5..=6).contains(&failed) }, "{failed}");
        assert!(summary.outcomes.iter().all(|(_, outcome)| match outcome {
            Outcome::Ended { state, .. } => *state == TenantState::Stuck,
            outcome => matches!(outcome, Outcome::Skipped { .. }),
        }));
    }
}

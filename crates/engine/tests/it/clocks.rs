//! Wrong clocks: a plan from the future is refused, and nothing is retired if the clocks of both sides disagree.

use std::sync::Arc;

use flowswap_engine::{Goal, Outcome, RunCommand, RunId, Runner, TenantState as S};
use jiff::SignedDuration;

use crate::{
    test_fleet::{LIMITS, TestFleet},
    world::Legacy,
};

#[tokio::test(start_paused = true)]
async fn a_plan_from_the_future_is_refused() {
    for (ahead, is_begun) in [(-60, true), (0, true), (290, true), (310, false), (7200, false)] {
        let fleet = TestFleet::new(&["acme"]).await;
        let made_at = flowswap_engine::Clock::now(fleet.env.as_ref()) + SignedDuration::from_secs(ahead);
        let runner = Runner::new(fleet.env.ports(), RunId::generate());
        let mut jobs = fleet.jobs(Goal::Swapped);
        Arc::make_mut(jobs[0].part.as_mut().unwrap()).made_at = made_at;
        let summary = runner.run(RunCommand::Apply, jobs, LIMITS).await.unwrap();
        match &summary.outcomes[0].1 {
            Outcome::Ended { state: S::Swapped, .. } => assert!(is_begun, "{ahead}"),
            Outcome::Refused { changes } => {
                assert!(!is_begun, "{ahead}: {changes:?}");
                let begin = format!("the plan was made at {made_at}, which is ");
                assert!(changes[0].starts_with(&begin), "{changes:?}");
                let end = " ahead of this machine's clock: correct the clock, or plan again";
                assert!(changes[0].ends_with(end), "{changes:?}");
                assert!(fleet.history().tenant("acme").unwrap().work.is_none(), "no work was started");
            }
            other => panic!("{ahead}: {other:?}"),
        }
    }
}

/// Retiring relies on confirmations that compare times of both sides, so their clocks may differ by no more than five minutes.
/// This machine's clock stands in for a side that shows no clock.
#[tokio::test(start_paused = true)]
async fn nothing_is_retired_or_deleted_if_the_clocks_disagree() {
    let message = |provider: &str, directory: &str, apart: &str| {
        format!(
            "the clocks of both sides are {apart} apart, but must agree within 5m. Compared with this machine, \
             provider.test is {provider}, and directory.test is {directory}"
        )
    };
    let unshown = |sides: &str| {
        format!("the clocks of both sides are 15m apart, but must agree within 5m. Compared with this machine, {sides}")
    };
    let table = [
        ([None, None], None),
        ([Some(300), None], None),
        (
            [Some(900), None],
            Some(unshown("provider.test is 15m ahead, and the directory (which shows no clock) is equal")),
        ),
        (
            [None, Some(-900)],
            Some(unshown("the provider (which shows no clock) is equal, and directory.test is 15m behind")),
        ),
        ([Some(0), Some(0)], None),
        ([Some(900), Some(900)], None),
        ([Some(-900), Some(-901)], None),
        ([Some(300), Some(0)], None),
        ([Some(301), Some(0)], Some(message("5m 1s ahead", "equal", "5m 1s"))),
        ([Some(-120), Some(200)], Some(message("2m behind", "3m 20s ahead", "5m 20s"))),
        ([Some(0), Some(3600)], Some(message("equal", "1h ahead", "1h"))),
    ];
    for goal in [Goal::Retired, Goal::Purged] {
        for (skews, expect) in &table {
            let fleet = TestFleet::new(&["acme"]).await;
            fleet.reach(Goal::Swapped, S::Swapped).await;
            fleet.change_world("acme", |world| world.skews = *skews);
            let records = fleet.env.state().records.len();
            let outcome = fleet.run(goal).await.remove(0).1;
            match expect {
                None => assert!(matches!(outcome, Outcome::Ended { reason: None, .. }), "{skews:?}: {outcome:?}"),
                Some(message) => {
                    assert_eq!(outcome, Outcome::Refused { changes: vec![message.clone()] });
                    assert_eq!(fleet.world("acme").legacy, Legacy::Active);
                    let kinds: Vec<_> =
                        fleet.env.state().records[records..].iter().map(|record| record.draft.entry.kind()).collect();
                    assert_eq!(kinds, ["run-started", "intended", "refused", "run-ended"]);
                }
            }
            // A rollback does not compare the clocks.
            fleet.restarted().run(Goal::RolledBack).await;
        }
    }
}

//! A client in use is never removed: whatever the journal or a person says, the directory is asked first.

use std::sync::Arc;

use flowswap_contract::{ErrorKind, Op, Phase};
use flowswap_engine::{Actor, Entry, Goal, Handle, HandoverChannel, Outcome, PlanPart, Resolution, TenantState as S};

use crate::{
    fault::Fault as F,
    laws::assert_lawful,
    test_fleet::TestFleet,
    world::{Legacy, World},
};

/// A step that removes a client, and how a run reaches it.
struct Removal {
    step: &'static str,
    op: Op,
    goal: Goal,
    before: &'static [(Goal, S)],
    /// The state of the tenant if the run is stopped just before.
    interrupted: S,
    end: S,
    /// The observation of the swap that means that the client is in use.
    in_use: F,
    reason: &'static str,
}

const SWAPPED: (Goal, S) = (Goal::Swapped, S::Swapped);

const REMOVALS: [Removal; 3] = [
    Removal {
        step: "provision",
        op: Op::Undo,
        goal: Goal::RolledBack,
        before: &[SWAPPED],
        interrupted: S::RollingBack,
        end: S::RolledBack,
        in_use: F::Present,
        reason: "step `provision` was not rolled back, and nothing was removed: the directory uses the new client \
                 (Applied); restore the previous connection first, or keep the new client",
    },
    Removal {
        step: "retire",
        op: Op::Apply,
        goal: Goal::Retired,
        before: &[SWAPPED],
        interrupted: S::Swapped,
        end: S::Retired,
        in_use: F::Absent,
        reason: "step `retire` was not carried out, and nothing was removed: the directory does not use the new client \
                 (NotApplied); reconnect it with the new client first, or roll back",
    },
    Removal {
        step: "purge",
        op: Op::Apply,
        goal: Goal::Purged,
        before: &[SWAPPED, (Goal::Retired, S::Retired)],
        interrupted: S::Retired,
        end: S::Finalized,
        in_use: F::Absent,
        reason: "step `purge` was not carried out, and nothing was removed: the directory does not use the new client \
                 (NotApplied); reconnect it with the new client first, or roll back",
    },
];

async fn prepared(removal: &Removal) -> TestFleet {
    let fleet = TestFleet::new(&["acme"]).await;
    for (goal, state) in removal.before {
        fleet.reach(*goal, *state).await;
    }
    fleet.restarted()
}

/// Every result of observing the connection just before a removal. Nothing is removed without a clear result, and the same
/// command continues once there is one.
#[tokio::test(start_paused = true)]
async fn no_client_is_removed_unless_the_directory_shows_that_it_does_not_use_it() {
    for removal in &REMOVALS {
        let blind =
            "flowswap cannot tell which client the directory uses now (Unknown); check its connection in the console";
        let failed = "flowswap could not check which client the directory uses now: ";
        let looks: [(&[F], S, &str); 8] = [
            (&[removal.in_use], S::Stuck, removal.reason),
            (&[F::Blind], S::Stuck, blind),
            (&[F::Refuse], S::Stuck, failed),
            (&[F::Say(ErrorKind::NotFound)], S::Stuck, failed),
            (&[F::Garble], S::Stuck, failed),
            (&[F::LoseRequest; 3], removal.end, ""),
            (&[F::LoseRequest; 4], S::Stuck, failed),
            (&[F::Interrupt], removal.interrupted, "stopped before flowswap knew whether step `"),
        ];
        for (faults, expect, words) in looks {
            let label = format!("{} {faults:?}", removal.step);
            let fleet = prepared(removal).await;
            let before = fleet.world("acme");
            for (nth, fault) in faults.iter().enumerate() {
                fleet.inject("swap", Op::Observe, nth, *fault);
            }
            let done = fleet.count(removal.step, removal.op);
            let (state, reason) = fleet.end(removal.goal).await;
            assert_eq!(state, expect, "{label}: {reason}");
            assert!(reason.contains(words), "{label}: {reason}");
            fleet.assert_fired();
            assert_lawful(&fleet.env.state());
            if expect != removal.end {
                assert_eq!(fleet.count(removal.step, removal.op), done, "{label}: it was not even started");
                let after = fleet.world("acme");
                assert_eq!((after.clients, after.legacy), (before.clients, before.legacy), "{label}");
                fleet.restarted().reach(removal.goal, removal.end).await;
            }
        }
    }
}

/// The provider must agree with the directory, or not support the question.
#[tokio::test(start_paused = true)]
async fn no_client_is_removed_before_the_provider_agrees_with_the_directory() {
    let waits = "the previous connection is back. The new client stays until its tokens have expired";
    let cannot = "nothing was removed: the provider cannot tell who uses the client: ";
    let stops = "stopped before flowswap knew whether step `provision` removes a client in use";
    let unasked =
        "the previous connection is back, but the new client stays: flowswap could not ask the provider who uses it: ";
    // The results of the provider, starting with the second observation of the swap.
    let looks: [(&[F], S, &str); 9] = [
        (&[F::Present], S::RollingBack, waits),
        (&[F::Blind], S::RollingBack, waits),
        (&[F::LoseRequest; 4], S::RollingBack, unasked),
        (&[F::Say(ErrorKind::Unreachable)], S::RollingBack, unasked),
        (&[F::Refuse], S::Stuck, cannot),
        (&[F::Garble], S::Stuck, cannot),
        (&[F::Interrupt], S::RollingBack, stops),
        (&[F::LoseRequest; 3], S::RolledBack, ""),
        (&[F::Say(ErrorKind::Unsupported)], S::RolledBack, ""),
    ];
    for (faults, expect, words) in looks {
        let fleet = prepared(&REMOVALS[0]).await;
        for (nth, fault) in faults.iter().enumerate() {
            fleet.inject("swap", Op::Observe, nth + 1, *fault);
        }
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!(state, expect, "{faults:?}: {reason}");
        assert!(reason.contains(words), "{faults:?}: {reason}");
        fleet.assert_fired();
        assert_eq!(fleet.world("acme").clients.len(), usize::from(expect != S::RolledBack), "{faults:?}");
        if expect != S::RolledBack {
            fleet.restarted().reach(Goal::RolledBack, S::RolledBack).await;
        }
    }
    for removal in &REMOVALS[1..] {
        let stays =
            "the legacy client stays until its tokens have expired. Then run the same command again. Seen so far: ";
        let looks: [(F, S, &str); 5] = [
            (F::Absent, removal.interrupted, stays),
            (F::Blind, removal.interrupted, stays),
            (F::Refuse, S::Stuck, cannot),
            (F::Garble, S::Stuck, cannot),
            (F::Say(ErrorKind::Unsupported), removal.end, ""),
        ];
        for (fault, expect, words) in looks {
            let label = format!("{} {fault:?}", removal.step);
            let fleet = prepared(removal).await;
            fleet.inject("swap", Op::Observe, 1, fault);
            let done = fleet.count(removal.step, removal.op);
            let (state, reason) = fleet.end(removal.goal).await;
            assert_eq!(state, expect, "{label}: {reason}");
            assert!(reason.contains(words), "{label}: {reason}");
            fleet.assert_fired();
            if expect != removal.end {
                assert_eq!(fleet.count(removal.step, removal.op), done, "{label}: it was not even started");
                fleet.restarted().reach(removal.goal, removal.end).await;
            }
        }
    }
    // A client that is already gone is not in use, whatever the provider saw.
    let fleet = prepared(&REMOVALS[0]).await;
    fleet.inject("swap", Op::Observe, 1, F::Blind);
    fleet.inject("provision", Op::Observe, 0, F::Absent);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::RolledBack);
    fleet.assert_fired();
    // The directory is gone: the rollback continues only once the client is gone too.
    let fleet = prepared(&REMOVALS[0]).await;
    fleet.inject("swap", Op::Observe, 0, F::Say(ErrorKind::NotFound));
    let (state, reason) = fleet.end(Goal::RolledBack).await;
    assert_eq!(state, S::Stuck);
    assert!(reason.contains("delete it yourself; the same command then finishes the rollback"), "{reason}");
    fleet.inject("swap", Op::Observe, 1, F::Say(ErrorKind::NotFound));
    fleet.inject("provision", Op::Observe, 1, F::Absent);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::RolledBack);
    fleet.assert_fired();
}

/// The directory is asked only once.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_never_swapped_in_needs_only_the_directory_to_agree() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, F::Refuse);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Failed);
    let looks = fleet.count("swap", Op::Observe);
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(fleet.count("swap", Op::Observe), looks + 1);
}

/// The journal has a person's claim that the swap is rolled back, but the directory uses the new client.
#[tokio::test(start_paused = true)]
async fn a_claim_in_the_journal_does_not_allow_a_removal() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("swap", Op::Undo, 0, F::Refuse);
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck);
    fleet
        .record(
            "acme",
            Entry::Resolved {
                step: "swap".to_owned(),
                stands: Resolution::NotApplied,
                outputs: Default::default(),
                reason: "I believe so".to_owned(),
                by: Actor::user("alice"),
            },
        )
        .await;
    for _ in 0..2 {
        let fleet = fleet.restarted();
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!((state, reason.as_str()), (S::Stuck, REMOVALS[0].reason));
        assert_eq!((fleet.count("provision", Op::Undo), fleet.world("acme").clients.len()), (0, 1));
        assert_eq!(fleet.env.state().violations, Vec::<String>::new());
    }
    // Once the directory has its previous connection, the rollback finishes.
    fleet.change_world("acme", World::sign_in);
    fleet.restarted().reach(Goal::RolledBack, S::RolledBack).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_alone_does_not_complete_a_rollback() {
    for (look, end) in
        [(F::Present, S::Stuck), (F::Blind, S::Stuck), (F::Refuse, S::Stuck), (F::Interrupt, S::RollingBack)]
    {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.reach(Goal::Swapped, S::Swapped).await;
        fleet.inject("provision", Op::Undo, 0, F::LoseAnswer);
        fleet.inject("provision", Op::Observe, 0, F::Blind);
        assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Stuck);
        let step = "provision".to_owned();
        let stands = Resolution::NotApplied;
        let reason = "I believe so".to_owned();
        let by = Actor::user("alice");
        fleet.record("acme", Entry::Resolved { step, stands, outputs: Default::default(), reason, by }).await;
        fleet.inject("swap", Op::Observe, fleet.count("swap", Op::Observe), look);
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!(state, end, "{look:?}: {reason}");
        fleet.assert_fired();
        fleet.restarted().reach(Goal::RolledBack, S::RolledBack).await;
    }
}

/// Somebody may connect the directory with the client between two attempts.
#[tokio::test(start_paused = true)]
async fn the_directory_is_asked_before_every_attempt() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    fleet.inject("provision", Op::Undo, 0, F::Say(ErrorKind::Unavailable));
    // The first attempt asks both sides, then the directory once more.
    fleet.inject("swap", Op::Observe, 3, F::Present);
    assert_eq!(fleet.end(Goal::RolledBack).await, (S::Stuck, REMOVALS[0].reason.to_owned()));
    assert_eq!(fleet.count("provision", Op::Undo), 1);
    fleet.assert_fired();
}

/// Somebody may connect the directory with the client while the provider answers.
#[tokio::test(start_paused = true)]
async fn the_directory_is_asked_last() {
    for removal in &REMOVALS {
        let fleet = prepared(removal).await;
        fleet.inject("swap", Op::Observe, 2, removal.in_use);
        assert_eq!(fleet.end(removal.goal).await, (S::Stuck, removal.reason.to_owned()));
        assert_eq!(fleet.count(removal.step, removal.op), 0, "{}", removal.step);
        fleet.assert_fired();
    }
}

/// What an observation shows is as old as its first request.
#[tokio::test(start_paused = true)]
async fn an_observation_that_takes_too_long_is_repeated() {
    for removal in &REMOVALS {
        for slow in 0..3 {
            let fleet = prepared(removal).await;
            let looks = fleet.count("swap", Op::Observe);
            fleet.inject("swap", Op::Observe, slow, F::Slow);
            assert_eq!(fleet.end(removal.goal).await.0, removal.end, "{} {slow}", removal.step);
            assert_eq!(fleet.count("swap", Op::Observe), looks + 4, "{} {slow}", removal.step);
            fleet.assert_fired();
        }
        let fleet = prepared(removal).await;
        (0..4).for_each(|nth| fleet.inject("swap", Op::Observe, nth, F::Slow));
        let (state, reason) = fleet.end(removal.goal).await;
        assert_eq!((state, fleet.count(removal.step, removal.op)), (S::Stuck, 0), "{reason}");
        assert!(reason.contains("each check took longer than 15 seconds"), "{reason}");
        fleet.restarted().reach(removal.goal, removal.end).await;
    }
}

/// A proxy or a certificate would refuse again, and proxies lock accounts.
#[tokio::test(start_paused = true)]
async fn an_unreachable_side_is_not_tried_again() {
    for removal in &REMOVALS {
        let fleet = prepared(removal).await;
        fleet.inject("swap", Op::Observe, 0, F::Say(ErrorKind::Unreachable));
        let looks = fleet.count("swap", Op::Observe);
        let (state, reason) = fleet.end(removal.goal).await;
        assert_eq!(state, S::Stuck, "{}: {reason}", removal.step);
        assert_eq!(
            (fleet.count("swap", Op::Observe), fleet.count(removal.step, removal.op)),
            (looks + 1, 0),
            "{reason}"
        );
        let fleet = fleet.restarted();
        fleet.inject(removal.step, removal.op, 0, F::Say(ErrorKind::Unreachable));
        fleet.end(removal.goal).await;
        assert_eq!(fleet.count(removal.step, removal.op), 1, "{}", removal.step);
        fleet.restarted().reach(removal.goal, removal.end).await;
    }
}

/// A client that may or may not have been made is found, and the same guard applies.
#[tokio::test(start_paused = true)]
async fn a_half_made_client_is_checked_before_its_removal() {
    for (look, end) in [(Some(F::Blind), S::Stuck), (Some(F::Present), S::Stuck), (None, S::RolledBack)] {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.inject("provision", Op::Apply, 0, F::Half);
        fleet.inject("provision", Op::Observe, 0, F::Interrupt);
        fleet.end(Goal::Swapped).await;
        if let Some(look) = look {
            fleet.inject("swap", Op::Observe, 0, look);
        }
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!(state, end, "{look:?}: {reason}");
        assert_eq!(fleet.world("acme").clients.len(), usize::from(end == S::Stuck));
        fleet.assert_fired();
    }
}

/// A plan without a swap gives the client to no directory, and shows nothing of any directory.
#[tokio::test(start_paused = true)]
async fn without_a_swap_a_client_is_removed_only_if_nobody_has_its_secret() {
    // The plan is without a swap too, but no plan file could have it: flowswap would not write it.
    let without_swap = async |phases: &'static [Phase]| {
        let fleet = TestFleet::new(&["acme"]).await;
        fleet.change_world("acme", |world| world.proposed = Some(phases));
        let mut part = PlanPart::of(&fleet.plan, Arc::new(fleet.plan.tenants[0].clone()), None, None);
        Arc::make_mut(&mut part.tenant).steps.retain(|step| phases.contains(&step.proposal.phase));
        (fleet, Arc::new(part))
    };
    for (is_given, expect) in [(false, S::RolledBack), (true, S::Stuck)] {
        let (fleet, part) = without_swap(&[Phase::Provision]).await;
        fleet.run_changed(Goal::Swapped, |job| job.part = Some(Arc::clone(&part))).await;
        if is_given {
            let handle = Handle::new("acme/provision/client_secret");
            let (by, way) = (Actor::user("alice"), HandoverChannel::Terminal);
            fleet.record("acme", Entry::SecretHandedOver { handle, by, way }).await;
        }
        let outcome = fleet.run(Goal::RolledBack).await.remove(0).1;
        let Outcome::Ended { state, reason } = outcome else { panic!("{outcome:?}") };
        assert_eq!(state, expect, "{reason:?}");
        assert_eq!(fleet.world("acme").clients.len(), usize::from(is_given));
    }
    let (fleet, part) = without_swap(&[Phase::Provision, Phase::Retire]).await;
    let outcome = fleet.run_changed(Goal::Retired, |job| job.part = Some(Arc::clone(&part))).await.remove(0);
    let reason = "step `retire` was not carried out, and nothing was removed: no step of the plan shows whether the \
                  directory works without it";
    assert_eq!(outcome, Outcome::Ended { state: S::Stuck, reason: Some(reason.to_owned()) });
    assert_eq!(fleet.world("acme").legacy, Legacy::Active);
}

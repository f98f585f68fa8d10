//! A client in use is never removed: whatever the journal says, or a person, the directory is asked first.

use flowswap_contract::{ErrorKind, Op, Phase};
use flowswap_engine::{
    Clock, Draft, Entry, Goal, HandOver, Handle, Journal, Outcome, Resolution, RunId, TenantState as S,
};

use crate::{
    fault::Fault as F,
    laws::assert_lawful,
    scene::Scene,
    world::{Legacy, World},
};

/// A step that removes a client: the goal that comes to it, how it is seen before, and what of the client is left.
struct Removal {
    step: &'static str,
    op: Op,
    goal: Goal,
    before: &'static [(Goal, S)],
    /// Where the tenant stands when the run is stopped just before.
    interrupted: S,
    end: S,
    /// The look at the swap that would let it pass wrongly.
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
        reason: "step `provision` was not taken back, and nothing was removed: the directory is connected as the new client \
                 (Applied); put the connection from before back first, or stay with the new one",
    },
    Removal {
        step: "retire",
        op: Op::Apply,
        goal: Goal::Retired,
        before: &[SWAPPED],
        interrupted: S::Swapped,
        end: S::Retired,
        in_use: F::Absent,
        reason: "step `retire` was not carried out, and nothing was removed: the directory is not connected as the new client \
                 (NotApplied); connect it first, or go back",
    },
    Removal {
        step: "purge",
        op: Op::Apply,
        goal: Goal::Purged,
        before: &[SWAPPED, (Goal::Retired, S::Retired)],
        interrupted: S::Retired,
        end: S::Finalized,
        in_use: F::Absent,
        reason: "step `purge` was not carried out, and nothing was removed: the directory is not connected as the new client \
                 (NotApplied); connect it first, or go back",
    },
];

async fn prepared(removal: &Removal) -> Scene {
    let scene = Scene::new(&["acme"]).await;
    for (goal, state) in removal.before {
        scene.reach(*goal, *state).await;
    }
    scene.restarted()
}

/// Every look at the connection just before a removal, and what comes of it. Nothing is removed but on a clear word, and the
/// same command goes on once there is one.
#[tokio::test(start_paused = true)]
async fn nothing_is_removed_unless_the_directory_is_seen_to_do_without_it() {
    for removal in &REMOVALS {
        let blind = "as which client the directory is connected now cannot be told (Unknown); look at its connection";
        let failed = "as which client the directory is connected now could not be looked at: ";
        let looks: [(&[F], S, &str); 8] = [
            (&[removal.in_use], S::Stuck, removal.reason),
            (&[F::Blind], S::Stuck, blind),
            (&[F::Refuse], S::Stuck, failed),
            (&[F::Say(ErrorKind::NotFound)], S::Stuck, failed),
            (&[F::Garble], S::Stuck, failed),
            (&[F::LoseRequest; 3], removal.end, ""),
            (&[F::LoseRequest; 4], S::Stuck, failed),
            (&[F::Interrupt], removal.interrupted, "stopped before it was known whether step `"),
        ];
        for (faults, expect, words) in looks {
            let label = format!("{} {faults:?}", removal.step);
            let scene = prepared(removal).await;
            let before = scene.world("acme");
            for (nth, fault) in faults.iter().enumerate() {
                scene.order("swap", Op::Observe, nth, *fault);
            }
            let done = scene.count(removal.step, removal.op);
            let (state, reason) = scene.end(removal.goal).await;
            assert_eq!(state, expect, "{label}: {reason}");
            assert!(reason.contains(words), "{label}: {reason}");
            scene.assert_fired();
            assert_lawful(&scene.reality.state());
            if expect != removal.end {
                assert_eq!(scene.count(removal.step, removal.op), done, "{label}: it was not even begun");
                let after = scene.world("acme");
                assert_eq!((after.clients, after.legacy), (before.clients, before.legacy), "{label}");
                scene.restarted().reach(removal.goal, removal.end).await;
            }
        }
    }
}

/// What the directory shows is not enough: the provider must have seen the same, or not be able to tell.
#[tokio::test(start_paused = true)]
async fn nothing_is_removed_before_the_provider_bears_out_what_the_directory_shows() {
    let waits = "the connection from before is back; the new client is deleted once its tokens have expired";
    let cannot = "nothing was removed: the provider cannot tell who uses the client: ";
    let stops = "stopped before it was known whether step `provision` removes a client in use";
    let unasked =
        "the connection from before is back, and the new client stays: the provider could not be asked who uses it: ";
    // What the provider says, look after look, beginning with the second look at the swap.
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
        let scene = prepared(&REMOVALS[0]).await;
        for (nth, fault) in faults.iter().enumerate() {
            scene.order("swap", Op::Observe, nth + 1, *fault);
        }
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!(state, expect, "{faults:?}: {reason}");
        assert!(reason.contains(words), "{faults:?}: {reason}");
        scene.assert_fired();
        assert_eq!(scene.world("acme").clients.len(), usize::from(expect != S::RolledBack), "{faults:?}");
        if expect != S::RolledBack {
            scene.restarted().reach(Goal::RolledBack, S::RolledBack).await;
        }
    }
    for removal in &REMOVALS[1..] {
        let stays = "the legacy client stays until its tokens have expired (";
        let looks: [(F, S, &str); 5] = [
            (F::Absent, removal.interrupted, stays),
            (F::Blind, removal.interrupted, stays),
            (F::Refuse, S::Stuck, cannot),
            (F::Garble, S::Stuck, cannot),
            (F::Say(ErrorKind::Unsupported), removal.end, ""),
        ];
        for (fault, expect, words) in looks {
            let label = format!("{} {fault:?}", removal.step);
            let scene = prepared(removal).await;
            scene.order("swap", Op::Observe, 1, fault);
            let done = scene.count(removal.step, removal.op);
            let (state, reason) = scene.end(removal.goal).await;
            assert_eq!(state, expect, "{label}: {reason}");
            assert!(reason.contains(words), "{label}: {reason}");
            scene.assert_fired();
            if expect != removal.end {
                assert_eq!(scene.count(removal.step, removal.op), done, "{label}: it was not even begun");
                scene.restarted().reach(removal.goal, removal.end).await;
            }
        }
    }
    // What is gone already is nobody's, whatever the provider saw of it.
    let scene = prepared(&REMOVALS[0]).await;
    scene.order("swap", Op::Observe, 1, F::Blind);
    scene.order("provision", Op::Observe, 0, F::Absent);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::RolledBack);
    scene.assert_fired();
    // The directory is gone: nothing leads on before the client is, too.
    let scene = prepared(&REMOVALS[0]).await;
    scene.order("swap", Op::Observe, 0, F::Say(ErrorKind::NotFound));
    let (state, reason) = scene.end(Goal::RolledBack).await;
    assert_eq!(state, S::Stuck);
    assert!(reason.contains("delete it yourself: the same command then ends the way back"), "{reason}");
    scene.order("swap", Op::Observe, 1, F::Say(ErrorKind::NotFound));
    scene.order("provision", Op::Observe, 1, F::Absent);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::RolledBack);
    scene.assert_fired();
}

/// A swap that never came about is not asked for twice.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_never_swapped_in_is_deleted_on_the_directory_s_word() {
    let scene = Scene::new(&["acme"]).await;
    scene.order("swap", Op::Apply, 0, F::Refuse);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Failed);
    let looks = scene.count("swap", Op::Observe);
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_eq!(scene.count("swap", Op::Observe), looks + 1);
}

/// A journal that says, on a person's word, that the swap is taken back, while the directory is on the new client.
#[tokio::test(start_paused = true)]
async fn a_word_in_the_journal_is_no_ground_for_a_removal() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.order("swap", Op::Undo, 0, F::Refuse);
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck);
    record(
        &scene,
        Entry::Resolved {
            step: "swap".to_owned(),
            stands: Resolution::NotApplied,
            outputs: Default::default(),
            reason: "I believe so".to_owned(),
            by: "alice".to_owned(),
        },
    )
    .await;
    for _ in 0..2 {
        let scene = scene.restarted();
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!((state, reason.as_str()), (S::Stuck, REMOVALS[0].reason));
        assert_eq!((scene.count("provision", Op::Undo), scene.world("acme").clients.len()), (0, 1));
        assert_eq!(scene.reality.state().violations, Vec::<String>::new());
    }
    // Once the directory is back, so is the tenant.
    scene.change_world("acme", World::sign_in);
    scene.restarted().reach(Goal::RolledBack, S::RolledBack).await;
}

/// Nor is it one for saying that all is taken back.
#[tokio::test(start_paused = true)]
async fn a_tenant_is_not_taken_back_on_words_alone() {
    for (look, end) in
        [(F::Present, S::Stuck), (F::Blind, S::Stuck), (F::Refuse, S::Stuck), (F::Interrupt, S::RollingBack)]
    {
        let scene = Scene::new(&["acme"]).await;
        scene.reach(Goal::Swapped, S::Swapped).await;
        scene.order("provision", Op::Undo, 0, F::LoseAnswer);
        scene.order("provision", Op::Observe, 0, F::Blind);
        assert_eq!(scene.end(Goal::RolledBack).await.0, S::Stuck);
        let (step, stands) = ("provision".to_owned(), Resolution::NotApplied);
        let (reason, by) = ("I believe so".to_owned(), "alice".to_owned());
        record(&scene, Entry::Resolved { step, stands, outputs: Default::default(), reason, by }).await;
        scene.order("swap", Op::Observe, scene.count("swap", Op::Observe), look);
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!(state, end, "{look:?}: {reason}");
        scene.assert_fired();
        scene.restarted().reach(Goal::RolledBack, S::RolledBack).await;
    }
}

/// The undo that did not come to its end is tried again; who connects the client meanwhile is not cut off by the second try.
#[tokio::test(start_paused = true)]
async fn the_directory_is_asked_before_every_try() {
    let scene = Scene::new(&["acme"]).await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    scene.order("provision", Op::Undo, 0, F::Say(ErrorKind::Unavailable));
    // The first try asks both sides, and the directory once more.
    scene.order("swap", Op::Observe, 3, F::Present);
    assert_eq!(scene.end(Goal::RolledBack).await, (S::Stuck, REMOVALS[0].reason.to_owned()));
    assert_eq!(scene.count("provision", Op::Undo), 1);
    scene.assert_fired();
}

/// The provider takes its time, and meanwhile somebody connects the directory as the client.
#[tokio::test(start_paused = true)]
async fn the_directory_is_asked_last() {
    for removal in &REMOVALS {
        let scene = prepared(removal).await;
        scene.order("swap", Op::Observe, 2, removal.in_use);
        assert_eq!(scene.end(removal.goal).await, (S::Stuck, removal.reason.to_owned()));
        assert_eq!(scene.count(removal.step, removal.op), 0, "{}", removal.step);
        scene.assert_fired();
    }
}

/// What a look shows is as old as its first request.
#[tokio::test(start_paused = true)]
async fn a_look_that_takes_long_is_made_again() {
    for removal in &REMOVALS {
        for slow in 0..3 {
            let scene = prepared(removal).await;
            let looks = scene.count("swap", Op::Observe);
            scene.order("swap", Op::Observe, slow, F::Slow);
            assert_eq!(scene.end(removal.goal).await.0, removal.end, "{} {slow}", removal.step);
            assert_eq!(scene.count("swap", Op::Observe), looks + 4, "{} {slow}", removal.step);
            scene.assert_fired();
        }
        let scene = prepared(removal).await;
        (0..4).for_each(|nth| scene.order("swap", Op::Observe, nth, F::Slow));
        let (state, reason) = scene.end(removal.goal).await;
        assert_eq!((state, scene.count(removal.step, removal.op)), (S::Stuck, 0), "{reason}");
        assert!(reason.contains("each look took longer than 15 seconds"), "{reason}");
        scene.restarted().reach(removal.goal, removal.end).await;
    }
}

/// What a proxy or a certificate refuses is refused again, and proxies lock accounts.
#[tokio::test(start_paused = true)]
async fn what_nobody_can_reach_is_not_tried_again() {
    for removal in &REMOVALS {
        let scene = prepared(removal).await;
        scene.order("swap", Op::Observe, 0, F::Say(ErrorKind::Unreachable));
        let looks = scene.count("swap", Op::Observe);
        let (state, reason) = scene.end(removal.goal).await;
        assert_eq!(state, S::Stuck, "{}: {reason}", removal.step);
        assert_eq!(
            (scene.count("swap", Op::Observe), scene.count(removal.step, removal.op)),
            (looks + 1, 0),
            "{reason}"
        );
        let scene = scene.restarted();
        scene.order(removal.step, removal.op, 0, F::Say(ErrorKind::Unreachable));
        scene.end(removal.goal).await;
        assert_eq!(scene.count(removal.step, removal.op), 1, "{}", removal.step);
        scene.restarted().reach(removal.goal, removal.end).await;
    }
}

/// A client of which it is not known whether it was made at all is found, and goes through the same gate.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_half_made_is_not_removed_blindly() {
    for (look, end) in [(Some(F::Blind), S::Stuck), (Some(F::Present), S::Stuck), (None, S::RolledBack)] {
        let scene = Scene::new(&["acme"]).await;
        scene.order("provision", Op::Apply, 0, F::Half);
        scene.order("provision", Op::Observe, 0, F::Interrupt);
        scene.end(Goal::Swapped).await;
        if let Some(look) = look {
            scene.order("swap", Op::Observe, 0, look);
        }
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!(state, end, "{look:?}: {reason}");
        assert_eq!(scene.world("acme").clients.len(), usize::from(end == S::Stuck));
        scene.assert_fired();
    }
}

/// A plan without a swap gives the client to no directory, and shows nothing of any.
#[tokio::test(start_paused = true)]
async fn without_a_swap_only_a_client_that_nobody_was_given_is_removed() {
    let without_swap = |phases: &'static [Phase]| {
        move |job: &mut flowswap_engine::Job| job.planned.steps.retain(|step| phases.contains(&step.proposal.phase))
    };
    for (is_given, expect) in [(false, S::RolledBack), (true, S::Stuck)] {
        let scene = Scene::new(&["acme"]).await;
        scene.run_changed(Goal::Swapped, without_swap(&[Phase::Provision])).await;
        if is_given {
            let handle = Handle::new("acme/provision/client_secret");
            record(&scene, Entry::SecretHandedOver { handle, by: "alice".to_owned(), way: HandOver::Terminal }).await;
        }
        let outcome = scene.run_changed(Goal::RolledBack, without_swap(&[Phase::Provision])).await.remove(0);
        let Outcome::Ended { state, reason } = outcome else { panic!("{outcome:?}") };
        assert_eq!(state, expect, "{reason:?}");
        assert_eq!(scene.world("acme").clients.len(), usize::from(is_given));
    }
    let scene = Scene::new(&["acme"]).await;
    let outcome = scene.run_changed(Goal::Retired, without_swap(&[Phase::Provision, Phase::Retire])).await.remove(0);
    let reason = "step `retire` was not carried out, and nothing was removed: the plan has no step that shows whether the \
                  directory does without it";
    assert_eq!(outcome, Outcome::Ended { state: S::Stuck, reason: Some(reason.to_owned()) });
    assert_eq!(scene.world("acme").legacy, Legacy::Active);
}

async fn record(scene: &Scene, entry: Entry) {
    let draft = Draft { at: scene.reality.now(), run: RunId::generate(), tenant: Some("acme".to_owned()), entry };
    scene.reality.append(draft).await.unwrap();
}

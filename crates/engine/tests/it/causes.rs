//! Causes that tenants share: what they stop, what they leave alone, and when a person is asked.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use flowswap_contract::{ErrorKind, Op, Phase, Role};
use flowswap_engine::{
    Ending as E, Event, EventSink, FailureBudget, Fault as Problem, FleetLimits, Goal, Halt, Operator, OperatorReply,
    Outcome, Pause, Ports, Question, Recording, RunId, Runner, Summary, TenantState as S,
};
use futures::future::BoxFuture;

use crate::{
    environment::Environment,
    fault::Fault,
    laws::assert_lawful,
    test_fleet::{LIMITS, TestFleet},
};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// One tenant at a time, so that each test says which one comes first.
const ONE: FleetLimits = FleetLimits { concurrency: 1, ..LIMITS };

/// Lets these tenants fail at a step.
fn fail(fleet: &TestFleet, step: &'static str, op: Op, tenants: &[&str], kind: ErrorKind) {
    let faults = tenants.iter().map(|name| ((*name).to_owned(), Fault::Say(kind))).collect();
    fleet.env.faults.lock().unwrap().last(step, op, faults);
}

async fn run(fleet: &TestFleet) -> Summary {
    let summary = fleet.run_within(Goal::Swapped, ONE).await.unwrap();
    assert_lawful(&fleet.env.state());
    summary
}

/// All tenants but the first three lack the last step, so they are planned otherwise.
async fn two_classes() -> TestFleet {
    let fleet = TestFleet::new(&NAMES).await;
    for name in &NAMES[3..] {
        use Phase as P;
        let phases: &[P] = &[P::Provision, P::Prove, P::Baseline, P::Test, P::Swap, P::Confirm, P::Retire];
        fleet.change_world(name, |world| world.proposed = Some(phases));
    }
    fleet.planned_again().await
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_two_tenants_share_stops_those_that_are_planned_alike() {
    let fleet = two_classes().await;
    fail(&fleet, "provision", Op::Apply, &["a", "b", "d"], ErrorKind::Permission);
    let summary = run(&fleet).await;
    assert_eq!(summary.endings, [E::Failed, E::Failed, E::Skipped, E::Failed, E::Done, E::Done]);
    let [Halt::SameCause { cause, tenants }] = &summary.halts[..] else { panic!("{:?}", summary.halts) };
    assert_eq!(tenants, &["a", "b"]);
    assert_eq!((&cause.what, cause.side), (&Problem::Call(ErrorKind::Permission), Role::Provider));
    let reason = "`a` and `b` failed for the same cause: the credential does not permit it (provider). So this run starts no \
                  other tenant with the same steps, and changed nothing here";
    assert_eq!(summary.outcomes[2].1, Outcome::Skipped { reason: reason.to_owned() });
    let history = fleet.history();
    let skipped = history.tenant("c").unwrap();
    assert_eq!(skipped.refusal.as_ref().unwrap().reasons, [reason], "the journal says why");
    assert!(skipped.work.is_none() && skipped.intent.is_some(), "`flowswap resume` continues it");
}

#[tokio::test(start_paused = true)]
async fn other_errors_other_sides_and_other_steps_are_other_causes() {
    let rows: [(&str, Op, ErrorKind, &str, Op, ErrorKind, bool); 4] = [
        ("provision", Op::Apply, ErrorKind::Auth, "provision", Op::Apply, ErrorKind::Permission, false),
        ("provision", Op::Apply, ErrorKind::Auth, "swap", Op::Apply, ErrorKind::Auth, false),
        ("prove", Op::Test, ErrorKind::Auth, "provision", Op::Apply, ErrorKind::Auth, true),
        ("test", Op::Test, ErrorKind::Invalid, "swap", Op::Apply, ErrorKind::Invalid, true),
    ];
    for (step, op, kind, other_step, other_op, other_kind, is_shared) in rows {
        let fleet = TestFleet::new(&NAMES).await;
        let [first, second] =
            [("a", step, op, kind), ("b", other_step, other_op, other_kind)].map(|(tenant, step, op, kind)| {
                crate::fault::Injection {
                    tenant: Some(tenant),
                    step: step.to_owned(),
                    op,
                    nth: 0,
                    fault: Fault::Say(kind),
                }
            });
        fleet.env.faults.lock().unwrap().inject(first);
        fleet.env.faults.lock().unwrap().inject(second);
        let summary = run(&fleet).await;
        fleet.assert_fired();
        assert_eq!(summary.endings[..2], [E::Failed; 2]);
        let rest = if is_shared { E::Skipped } else { E::Done };
        assert_eq!(summary.endings[2..], [rest; 4], "{step} {kind:?}, {other_step} {other_kind:?}");
    }
}

/// The provider's word about two tenants of one org is about that org. No person needs to be asked.
#[tokio::test(start_paused = true)]
async fn what_two_tenants_of_one_org_share_stops_only_that_org() {
    let fleet = TestFleet::new(&NAMES).await;
    fail(&fleet, "-", Op::Detect, &["a", "c", "e"], ErrorKind::Auth);
    let mut jobs = fleet.jobs(Goal::Swapped);
    for job in jobs.iter_mut().filter(|job| ["a", "c", "e"].contains(&job.tenant.spec.name.as_str())) {
        job.tenant.spec.domain = "shared.okta.test".to_owned();
    }
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let summary = runner.run(Goal::Swapped.command(), jobs, ONE).await.unwrap();
    assert_eq!(summary.endings, [E::Inconclusive, E::Done, E::Inconclusive, E::Done, E::Skipped, E::Done]);
    let [Halt::SameOrg { cause, tenants, org }] = &summary.halts[..] else { panic!("{:?}", summary.halts) };
    assert_eq!((tenants, org.as_str()), (&["a".to_owned(), "c".to_owned()], "shared.okta.test"));
    assert_eq!(cause.to_string(), "the credential was refused (provider)");
    let Outcome::Skipped { reason } = &summary.outcomes[4].1 else { panic!("{:?}", summary.outcomes[4]) };
    assert!(reason.ends_with("starts no other tenant of `shared.okta.test`, and changed nothing here"), "{reason}");
}

/// A person who answers whether the run goes on, and how often that was asked.
struct Person {
    answer: bool,
    asked: AtomicUsize,
}

impl Operator for Person {
    fn await_reply<'a>(&'a self, _: &'a str, _: &'a Question, _: &'a dyn Recording) -> BoxFuture<'a, OperatorReply> {
        Box::pin(async { OperatorReply::Later })
    }

    fn is_showing(&self, _: &str) -> bool {
        false
    }

    fn notify(&self, _: &str, _: &str) {}

    fn may_go_on<'a>(&'a self, pause: &'a Pause) -> BoxFuture<'a, bool> {
        assert_eq!(pause.tenants, ["a", "b"]);
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { self.answer })
    }
}

#[tokio::test(start_paused = true)]
async fn if_flowswap_cannot_tell_about_two_tenants_a_person_is_asked_once() {
    let first = ["a", "b", "c"];
    for (step, op, kind) in [
        ("-", Op::Detect, ErrorKind::Invalid),
        ("-", Op::Detect, ErrorKind::Unreachable),
        ("provision", Op::Apply, ErrorKind::RateLimited),
        ("prove", Op::Test, ErrorKind::Unreachable),
        ("test", Op::Test, ErrorKind::Unavailable),
    ] {
        for answer in [None, Some(false), Some(true)] {
            let fleet = TestFleet::new(&NAMES).await;
            fail(&fleet, step, op, &first, kind);
            let person = Arc::new(Person { answer: answer.unwrap_or_default(), asked: AtomicUsize::new(0) });
            if answer.is_some() {
                *fleet.env.operator.lock().unwrap() = person.clone();
            }
            // Inconclusive tenants do not count, so the smallest budget suffices.
            let limits = FleetLimits { concurrency: 1, max_failures: FailureBudget::Tenants(1) };
            let summary = fleet.run_within(Goal::Swapped, limits).await.unwrap();
            let (u, s, d) = (E::Inconclusive, E::Skipped, E::Done);
            let expect = if answer == Some(true) { [u, u, u, d, d, d] } else { [u, u, s, s, s, s] };
            assert_eq!(summary.endings, expect, "`{op}` of {step}: {kind:?}, {answer:?}");
            assert_eq!(person.asked.load(Ordering::Relaxed), usize::from(answer.is_some()), "once for each cause");
            assert_eq!(summary.halts.len(), usize::from(answer != Some(true)));
            if let Some(halt) = summary.halts.first() {
                assert!(matches!(halt, Halt::Inconclusive(_)), "{halt:?}");
                assert_eq!(summary.outcomes[5].1, Outcome::Skipped { reason: halt.to_string() });
            }
            assert_lawful(&fleet.env.state());
        }
    }
}

/// The person is asked once nothing runs any more, and not at all if no tenant is left.
#[tokio::test(start_paused = true)]
async fn a_run_that_pauses_first_finishes_what_it_has_started() {
    let fleet = TestFleet::new(&NAMES).await;
    fail(&fleet, "-", Op::Detect, &["a", "b"], ErrorKind::Unavailable);
    let limits = FleetLimits { concurrency: 4, ..LIMITS };
    let summary = fleet.run_within(Goal::Swapped, limits).await.unwrap();
    assert_eq!(summary.endings, [E::Inconclusive, E::Inconclusive, E::Done, E::Done, E::Skipped, E::Skipped]);
    let events = std::mem::take(&mut *fleet.env.events.lock().unwrap());
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let held = position(&|event| matches!(event, Event::StartsHeld { pause } if pause.tenants == ["a", "b"]));
    let ended = position(&|event| matches!(event, Event::TenantEnded { tenant, .. } if tenant == "c"));
    assert!(held < ended, "the run says at once that it starts no more");

    let fleet = TestFleet::new(&NAMES).await;
    fail(&fleet, "-", Op::Detect, &["e", "f"], ErrorKind::Unavailable);
    let summary = run(&fleet).await;
    assert_eq!(summary.endings, [E::Done, E::Done, E::Done, E::Done, E::Inconclusive, E::Inconclusive]);
    assert_eq!(summary.halts, []);
    let events = std::mem::take(&mut *fleet.env.events.lock().unwrap());
    assert!(!events.iter().any(|event| matches!(event, Event::StartsHeld { .. })), "no tenant is left to start");
}

/// Stops the run once it starts no more tenants.
struct StopAtHold(Arc<Environment>);

impl EventSink for StopAtHold {
    fn emit(&self, event: Event) {
        if matches!(event, Event::StartsHeld { .. }) {
            self.0.stop.stop();
        }
    }
}

/// Somebody stops the run while it waits for the tenants at work. Then the question is not asked any more.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_asks_nobody() {
    let fleet = TestFleet::new(&NAMES).await;
    fail(&fleet, "-", Op::Detect, &["a", "b"], ErrorKind::Unavailable);
    let person = Arc::new(Person { answer: true, asked: AtomicUsize::new(0) });
    *fleet.env.operator.lock().unwrap() = person.clone();
    let ports = Ports { events: Arc::new(StopAtHold(fleet.env.clone())), ..fleet.env.ports() };
    let runner = Runner::new(ports, RunId::generate());
    let summary = runner.run(Goal::Swapped.command(), fleet.jobs(Goal::Swapped), ONE).await.unwrap();
    assert_eq!(person.asked.load(Ordering::Relaxed), 0);
    assert!(summary.interrupted && summary.halts.is_empty(), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn one_org_that_does_not_answer_stops_no_other() {
    let fleet = TestFleet::new(&NAMES).await;
    fail(&fleet, "-", Op::Detect, &["b"], ErrorKind::TimedOut);
    let summary = run(&fleet).await;
    assert_eq!(summary.endings, [E::Done, E::Inconclusive, E::Done, E::Done, E::Done, E::Done]);
    assert_eq!(summary.halts, []);
}

/// What may have changed something has failed, even if the reason is only a missing answer. Tenants that wait have not.
#[tokio::test(start_paused = true)]
async fn a_stuck_tenant_has_failed_and_one_that_soaks_waits() {
    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("swap", Op::Apply, 0, Fault::LoseAnswer);
    fleet.inject("swap", Op::Observe, 0, Fault::Say(ErrorKind::Unavailable));
    let summary = run(&fleet).await;
    fleet.assert_fired();
    assert!(matches!(summary.outcomes[0].1, Outcome::Ended { state: S::Stuck, .. }));
    assert_eq!(summary.endings, [E::Failed]);

    let fleet = TestFleet::new(&["acme"]).await;
    fleet.inject("confirm-directory", Op::Test, 0, Fault::Say(ErrorKind::Unavailable));
    let summary = run(&fleet).await;
    assert!(matches!(summary.outcomes[0].1, Outcome::Ended { state: S::Soaking, .. }));
    assert_eq!(summary.endings, [E::Waiting]);
}

/// The run says once if the budget, and not the configured number, limits how many run at once.
#[tokio::test(start_paused = true)]
async fn the_run_says_if_the_budget_limits_how_many_run_at_once() {
    for (concurrency, budget, expect) in [(4, 2, Some(3)), (3, 2, None), (64, 5, None), (64, 4, Some(5))] {
        let fleet = TestFleet::new(&NAMES).await;
        let limits = FleetLimits { concurrency, max_failures: FailureBudget::Tenants(budget) };
        fleet.run_within(Goal::Swapped, limits).await.unwrap();
        let events = std::mem::take(&mut *fleet.env.events.lock().unwrap());
        let told = events.iter().filter_map(|event| match event {
            Event::FewerAtOnce { tenants, .. } => Some(*tenants),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(expect), "{concurrency} at once, {budget} may fail");
    }
}

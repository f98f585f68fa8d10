//! Steps by a person: asked, acting, confirming, declining, in every order. Only what flowswap sees counts.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowswap_contract::Op;
use flowswap_engine::{
    Actor, Direction, Entry, FleetLimits, Goal, Operator, OperatorError, OperatorReply, Outcome, Question, Recording,
    RunId, Runner, TenantState as S,
};
use futures::future::BoxFuture;
use jiff::SignedDuration;

use crate::{
    environment::Environment,
    laws::assert_lawful,
    test_fleet::{LIMITS, TestFleet},
    world::World,
};

/// Something that happens after the person was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoryEvent {
    /// The same command runs again.
    Run,
    /// The person does it.
    Act,
    /// Alice confirms.
    Alice,
    /// Bob confirms.
    Bob,
    /// Alice declines.
    Decline,
    /// The deadline passes.
    Overdue,
    /// Another process continues.
    Restart,
}

const ALL: [StoryEvent; 7] = [
    StoryEvent::Run,
    StoryEvent::Act,
    StoryEvent::Alice,
    StoryEvent::Bob,
    StoryEvent::Decline,
    StoryEvent::Overdue,
    StoryEvent::Restart,
];

/// A tenant with a step that waits for a person.
struct Case {
    name: &'static str,
    goal: Goal,
    end: S,
    act: fn(&mut World),
    /// The state after the person has declined.
    declined: S,
}

const FORWARD: Case = Case {
    name: "manual",
    goal: Goal::Swapped,
    end: S::Swapped,
    act: World::reconnect_in_console,
    declined: S::Failed,
};
const BACK: Case = Case {
    name: "attended",
    goal: Goal::RolledBack,
    end: S::RolledBack,
    act: World::sign_in,
    declined: S::RollingBack,
};

/// The expected state.
#[derive(Debug, Clone, Copy)]
struct Model {
    state: S,
    /// The confirmations since the person was asked. `None` while nobody is asked.
    claims: Option<usize>,
    acted: bool,
}

impl Model {
    fn take(&mut self, case: &Case, event: StoryEvent) {
        match event {
            StoryEvent::Run if self.acted => {
                self.state = case.end;
                self.claims = None;
            }
            StoryEvent::Run => {
                self.state = S::Waiting;
                self.claims = self.claims.or(Some(0));
            }
            StoryEvent::Act => self.acted = true,
            StoryEvent::Alice | StoryEvent::Bob => self.claims = self.claims.map(|claims| claims + 1),
            StoryEvent::Decline if self.claims.is_some() => {
                self.state = case.declined;
                self.claims = None;
            }
            StoryEvent::Decline | StoryEvent::Overdue | StoryEvent::Restart => {}
        }
    }
}

async fn asked(case: &Case) -> TestFleet {
    let fleet = TestFleet::new(&[case.name]).await;
    if case.goal == Goal::RolledBack {
        fleet.reach(Goal::Swapped, S::Swapped).await;
    }
    assert_eq!(fleet.end(case.goal).await.0, S::Waiting);
    fleet
}

/// Carries out an event. Returns whether a reply was accepted, or `None` if the event is not a reply.
async fn carry_out(fleet: &mut TestFleet, case: &Case, event: StoryEvent) -> Option<bool> {
    let history = fleet.history().tenant(case.name).unwrap().clone();
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let taken = |result: Result<(), OperatorError>| match result {
        Ok(()) => Some(true),
        Err(OperatorError::NotAsked { .. }) => Some(false),
        Err(other) => panic!("{other}"),
    };
    match event {
        StoryEvent::Run => {
            let has_work = history.work.is_some();
            if has_work || case.goal == Goal::Swapped {
                fleet.end(case.goal).await;
            }
        }
        StoryEvent::Act => fleet.change_world(case.name, case.act),
        StoryEvent::Alice => return taken(runner.confirm(case.name, None).await),
        StoryEvent::Bob => {
            let runner = Runner::new(fleet.env.ports_of("bob"), RunId::generate());
            return taken(runner.confirm(case.name, Some("seen".into())).await);
        }
        StoryEvent::Decline => return taken(runner.decline(case.name, "no time".into()).await),
        StoryEvent::Overdue => {
            let question = history.work.and_then(|work| work.question.clone());
            let later = question.map_or_else(crate::environment::start_of_time, |question| question.deadline);
            fleet.env.set_clock(later + SignedDuration::from_hours(1));
        }
        StoryEvent::Restart => *fleet = fleet.restarted(),
    }
    None
}

/// Every order of up to four events: 2,800 sequences forward, and as many back.
#[tokio::test(start_paused = true)]
async fn every_order_of_events_ends_in_what_flowswap_sees() {
    for case in [FORWARD, BACK] {
        let begin = asked(&case).await;
        let mut stories: Vec<(Vec<StoryEvent>, TestFleet, Model)> =
            vec![(Vec::new(), begin.restarted(), Model { state: S::Waiting, claims: Some(0), acted: false })];
        let mut told = 0;
        for _ in 0..4 {
            let mut longer = Vec::new();
            for (story, fleet, model) in &stories {
                for event in ALL {
                    let mut fleet = fleet.restarted();
                    let (mut model, mut story) = (*model, story.clone());
                    story.push(event);
                    let is_asked = model.claims.is_some();
                    let taken = carry_out(&mut fleet, &case, event).await;
                    model.take(&case, event);
                    assert!(taken.is_none_or(|taken| taken == is_asked), "{story:?}");
                    check(&fleet, &case, &model, &story);
                    told += 1;
                    longer.push((story, fleet, model));
                }
            }
            stories = longer;
        }
        assert_eq!(told, 7 + 49 + 343 + 2401);
    }
}

fn check(fleet: &TestFleet, case: &Case, model: &Model, story: &[StoryEvent]) {
    let history = fleet.history();
    let tenant = history.tenant(case.name).unwrap();
    assert_eq!(tenant.state, model.state, "{story:?}: {:?}", tenant.reason);
    let question = tenant.work.as_ref().and_then(|work| work.question.as_ref());
    assert_eq!(question.map(|question| question.claims.len()), model.claims, "{story:?}");
    assert_lawful(&fleet.env.state());
}

/// The journal is truncated after each record that was written while a person was asked and replied.
#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_record_while_a_person_is_asked_the_run_continues() {
    for case in [FORWARD, BACK] {
        let mut fleet = asked(&case).await;
        carry_out(&mut fleet, &case, StoryEvent::Alice).await;
        let whole = fleet.env.state();
        let asked_at = whole.records.iter().position(|r| matches!(r.draft.entry, Entry::OperatorAsked { .. })).unwrap();
        for end in asked_at - 1..=whole.records.len() {
            let mut state = whole.clone();
            state.records.truncate(end);
            let fleet = fleet.after_crash(state);
            assert_eq!(fleet.end(case.goal).await.0, S::Waiting, "{end}");
            fleet.change_world(case.name, case.act);
            let fleet = fleet.restarted();
            fleet.reach(case.goal, case.end).await;
            assert_lawful(&fleet.env.state());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_claim_is_reported_with_what_was_expected_and_found() {
    let mut fleet = asked(&FORWARD).await;
    carry_out(&mut fleet, &FORWARD, StoryEvent::Bob).await;
    let (state, reason) = fleet.end(Goal::Swapped).await;
    assert_eq!(state, S::Waiting);
    assert!(reason.starts_with("bob confirmed at 2026-"), "{reason}");
    let rest = "but flowswap does not see the change; expected: the directory uses the new client; found: NotApplied. \
                Check every line: `flowswap sheet manual`";
    assert!(reason.ends_with(rest), "{reason}");
    // Then the person does it, and the evidence keeps who confirmed it.
    fleet.change_world("manual", World::reconnect_in_console);
    fleet.reach(Goal::Swapped, S::Swapped).await;
    let history = fleet.history();
    let work = history.tenant("manual").unwrap().work.as_ref().unwrap();
    let done = work.done.iter().find(|done| done.id == "swap").unwrap();
    let said: Vec<_> = done.evidence.iter().map(|evidence| (evidence.check.as_str(), &evidence.detail)).collect();
    assert_eq!(said[0].0, "operator");
    assert!(said[0].1.starts_with("bob confirmed at ") && said[0].1.ends_with(": seen"), "{said:?}");
    assert_eq!((said[1].0, said[1].1.as_str()), ("seen", "Applied"));
}

#[tokio::test(start_paused = true)]
async fn the_job_sets_owner_and_deadline_and_declining_needs_a_reason() {
    let fleet = TestFleet::new(&["manual"]).await;
    fleet
        .run_changed(Goal::Swapped, |job| {
            job.assignment.owner = Some("carol".to_owned());
            job.assignment.due_within = SignedDuration::from_hours(1);
        })
        .await;
    let history = fleet.history().tenant("manual").unwrap().clone();
    assert_eq!(history.reason.as_deref(), Some("carol must act: reconnect the directory"));
    let question = history.work.as_ref().unwrap().question.clone().unwrap();
    assert_eq!(question.direction, Direction::Forward);
    let given = question.deadline.duration_since(question.since);
    assert!((3590..=3600).contains(&given.as_secs()), "{given:?}");
    let runner = Runner::new(fleet.env.ports(), RunId::generate());
    let refused = runner.decline("manual", " ".to_owned()).await;
    assert!(matches!(refused, Err(OperatorError::NoReason)), "{refused:?}");
}

const WATCHED: Case = Case { name: "watched", ..FORWARD };

/// The inference could be wrong, and the next step deletes a client that the directory may still use.
#[tokio::test(start_paused = true)]
async fn a_rollback_that_only_the_other_side_infers_needs_a_confirmation() {
    let mut fleet = asked(&WATCHED).await;
    fleet.change_world("watched", World::reconnect_in_console);
    fleet.claim("bob").await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting);
    fleet.change_world("watched", World::sign_in);
    for _ in 0..2 {
        fleet = fleet.restarted();
        assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting, "nobody has confirmed it");
        assert_eq!(fleet.world("watched").clients.len(), 1);
    }
    carry_out(&mut fleet, &WATCHED, StoryEvent::Bob).await;
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
    assert_lawful(&fleet.env.state());
}

/// A person who has confirmed the step, or has the secret, may have done it although flowswap does not see it yet.
#[tokio::test(start_paused = true)]
async fn a_person_rolls_back_what_a_person_may_have_done() {
    for (claims, takes, expect) in [(true, false, S::Waiting), (false, true, S::Waiting), (false, false, S::RolledBack)]
    {
        let mut fleet = asked(&WATCHED).await;
        if claims {
            carry_out(&mut fleet, &WATCHED, StoryEvent::Alice).await;
        }
        if takes {
            let handle = flowswap_engine::Handle::new("watched/provision/client_secret");
            let way = flowswap_engine::HandoverChannel::Terminal;
            fleet.record("watched", Entry::SecretHandedOver { handle, by: Actor::user("alice"), way }).await;
        }
        let (state, reason) = fleet.end(Goal::RolledBack).await;
        assert_eq!(state, expect, "{claims} {takes}: {reason}");
        if expect == S::Waiting {
            assert_eq!(reason, "a person must act: sign in at the directory");
            assert_eq!(fleet.world("watched").clients.len(), 1, "the directory may use it");
            carry_out(&mut fleet, &BACK_OF_WATCHED, StoryEvent::Alice).await;
            fleet.reach(Goal::RolledBack, S::RolledBack).await;
        }
        assert_lawful(&fleet.env.state());
    }
}

const BACK_OF_WATCHED: Case = Case { name: "watched", ..BACK };

/// A person decides on a step that flowswap cannot see.
#[tokio::test(start_paused = true)]
async fn a_decision_closes_the_question() {
    use flowswap_engine::{Decision, Resolution};
    let mut fleet = asked(&WATCHED).await;
    let decide = |stands| Decision {
        stands,
        outputs: [("swapped_at".to_owned(), serde_json::json!("2026-01-01T00:00:00Z"))].into(),
        reason: "seen in the console".to_owned(),
    };
    let resolve = async |fleet: &TestFleet, stands| {
        let tenant = crate::test_fleet::tenant(&fleet.env, "watched");
        Runner::new(fleet.env.ports(), RunId::generate()).resolve(&tenant, decide(stands)).await
    };
    assert!(resolve(&fleet, Resolution::Applied).await.is_err(), "nobody has confirmed it");
    carry_out(&mut fleet, &WATCHED, StoryEvent::Alice).await;
    fleet.end(Goal::Swapped).await;
    resolve(&fleet, Resolution::Applied).await.unwrap();
    let history = fleet.history();
    let work = history.tenant("watched").unwrap().work.as_ref().unwrap();
    assert!(work.question.is_none() && work.is_done("swap") && work.answered.is_some());
    // The next run continues after the step, forward and back.
    assert_eq!(fleet.restarted().end(Goal::Swapped).await.0, S::Stuck, "the directory does not confirm it");
    let (state, reason) = fleet.restarted().end(Goal::RolledBack).await;
    assert_eq!((state, reason.as_str()), (S::Waiting, "a person must act: sign in at the directory"));
}

/// A person at the terminal who gives these replies one after the other, and acts just before one of them.
struct ScriptedOperator {
    env: Arc<Environment>,
    replies: Mutex<Vec<OperatorReply>>,
    /// The reply before which the person acts. After the last reply, the person acts without one.
    acts_before: usize,
    attended: AtomicUsize,
    notices: Mutex<Vec<String>>,
}

impl Operator for ScriptedOperator {
    fn await_reply<'a>(
        &'a self,
        tenant: &'a str,
        _: &'a Question,
        _: &'a dyn Recording,
    ) -> BoxFuture<'a, OperatorReply> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(7)).await;
            let turn = self.attended.fetch_add(1, Ordering::Relaxed);
            if turn == self.acts_before {
                self.env.note(|state| state.world(tenant).reconnect_in_console());
            }
            let reply = {
                let mut replies = self.replies.lock().unwrap();
                (!replies.is_empty()).then(|| replies.remove(0))
            };
            match reply {
                Some(reply) => reply,
                None => std::future::pending().await,
            }
        })
    }

    fn is_showing(&self, _: &str) -> bool {
        true
    }

    fn notify(&self, _: &str, news: &str) {
        self.notices.lock().unwrap().push(news.to_owned());
    }
}

async fn run_with_operator(replies: Vec<OperatorReply>, acts_before: usize) -> ((S, String), Vec<String>, TestFleet) {
    run_tenant_with_operator("manual", replies, acts_before).await
}

async fn run_tenant_with_operator(
    name: &str,
    replies: Vec<OperatorReply>,
    acts_before: usize,
) -> ((S, String), Vec<String>, TestFleet) {
    let fleet = TestFleet::new(&[name]).await;
    let present = Arc::new(ScriptedOperator {
        env: fleet.env.clone(),
        replies: Mutex::new(replies),
        acts_before,
        attended: AtomicUsize::new(0),
        notices: Mutex::default(),
    });
    *fleet.env.operator.lock().unwrap() = present.clone();
    let end = fleet.end(Goal::Swapped).await;
    let notices = present.notices.lock().unwrap().clone();
    assert_lawful(&fleet.env.state());
    (end, notices, fleet)
}

#[tokio::test(start_paused = true)]
async fn a_person_at_the_terminal_is_guided_to_the_end() {
    let done = || OperatorReply::Done { note: None };
    // The inference may be only the test before the submission. The person is told, and it counts once it has lasted.
    let (end, notices, fleet) = run_tenant_with_operator("watched", vec![], 0).await;
    let notices: Vec<&str> = notices.iter().map(String::as_str).collect();
    assert_eq!(notices, ["Applied. Finish the run sheet", "Applied"]);
    assert_eq!(end, (S::Swapped, String::new()));
    let records = fleet.env.state().records;
    let at = |is_it: fn(&Entry) -> bool| records.iter().find(|record| is_it(&record.draft.entry)).unwrap().draft.at;
    let noticed = at(|entry| matches!(entry, Entry::Noticed { seen: true, .. }));
    let swapped = at(|entry| matches!(entry, Entry::StepEnded { step, .. } if step == "swap"));
    assert!((360..400).contains(&swapped.duration_since(noticed).as_secs()), "{noticed} {swapped}");
    let disagreement = "expected: the directory uses the new client; found: NotApplied";
    // flowswap sees what was done without a confirmation.
    let (end, notices, _) = run_with_operator(vec![], 0).await;
    assert_eq!((end, notices), ((S::Swapped, String::new()), vec!["Applied".to_owned()]));
    // A person who confirms too early is told what is missing, and asked again.
    let (end, notices, fleet) = run_with_operator(vec![done(), done()], 1).await;
    assert_eq!((end, notices), ((S::Swapped, String::new()), vec![disagreement.to_owned()]));
    let claims = fleet.env.state().records;
    let claims = claims.iter().filter(|r| matches!(&r.draft.entry, Entry::Confirmed { by, .. } if by.user == "alice"));
    assert_eq!(claims.count(), 2);
    let (end, ..) = run_with_operator(vec![OperatorReply::Later], 9).await;
    assert_eq!(end, (S::Waiting, "a person must act: reconnect the directory".to_owned()));
    let (end, ..) = run_with_operator(vec![OperatorReply::Declined { reason: "lunch".to_owned() }], 9).await;
    assert_eq!(end, (S::Failed, "alice declined step `swap`: lunch".to_owned()));
}

/// A person who works on one tenant after the other, while all others wait.
struct OneAtATime {
    env: Arc<Environment>,
    turn: tokio::sync::Mutex<()>,
    busy_with: Mutex<Option<String>>,
    takes: Duration,
}

impl Operator for OneAtATime {
    fn await_reply<'a>(
        &'a self,
        tenant: &'a str,
        _: &'a Question,
        _: &'a dyn Recording,
    ) -> BoxFuture<'a, OperatorReply> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            *self.busy_with.lock().unwrap() = Some(tenant.to_owned());
            tokio::time::sleep(self.takes).await;
            self.env.note(|state| state.world(tenant).reconnect_in_console());
            std::future::pending().await
        })
    }

    fn is_showing(&self, tenant: &str) -> bool {
        self.busy_with.lock().unwrap().as_deref() == Some(tenant)
    }

    fn notify(&self, _: &str, _: &str) {}
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_run_sheet_waits_for_its_turn_is_checked_rarely() {
    const TENANTS: u64 = 20;
    const TAKES: u64 = 120;
    let names: Vec<_> = (0..TENANTS).map(|n| format!("manual{n}")).collect();
    let fleet = TestFleet::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let operator = OneAtATime {
        env: fleet.env.clone(),
        turn: Default::default(),
        busy_with: Default::default(),
        takes: Duration::from_secs(TAKES),
    };
    *fleet.env.operator.lock().unwrap() = Arc::new(operator);
    let begun = tokio::time::Instant::now();
    let limits = FleetLimits { concurrency: TENANTS as usize, ..LIMITS };
    let outcomes = fleet.run_within(Goal::Swapped, limits).await.unwrap().outcomes;
    assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Ended { state: S::Swapped, .. })));
    // The tenant on the screen is not delayed by the others: its next check sees what was done.
    let took = begun.elapsed().as_secs();
    assert!((TENANTS * TAKES..=TENANTS * (TAKES + 5)).contains(&took), "{took} s");
    // Each step is checked before the person is asked, every five seconds in its own turn, and every minute in the turns of others.
    let waits = (0..TENANTS).map(|turn| turn * (TAKES + 5) / 60).sum::<u64>();
    let most = TENANTS * (1 + TAKES / 5 + 1) + waits;
    let looks = fleet.count("swap", Op::Observe) as u64;
    assert!((most - waits / 10..=most).contains(&looks), "{looks} checks, but at most {most} are expected");
}

/// Each row: the checks of a step that the other side infers, in minutes after the first, with their faults, and whether the
/// step counts as done at the end. A failed check says nothing. A check without the inference restarts the wait.
#[tokio::test(start_paused = true)]
async fn an_inference_of_the_other_side_counts_once_it_has_lasted() {
    use crate::fault::Fault as F;
    type Row = (&'static [(i64, Option<F>)], bool);
    let table: [Row; 8] = [
        (&[(0, None)], false),
        (&[(0, None), (5, None)], false),
        (&[(0, None), (6, None)], true),
        (&[(0, None), (5, None), (7, None)], true),
        (&[(0, None), (7, Some(F::Absent)), (8, None)], false),
        (&[(0, None), (3, Some(F::Absent)), (4, None), (9, None)], false),
        (&[(0, None), (3, Some(F::Blind)), (7, None)], false),
        (&[(0, None), (3, Some(F::Refuse)), (7, None)], true),
    ];
    for (looks, is_done) in table {
        let mut fleet = asked(&WATCHED).await;
        fleet.change_world("watched", World::reconnect_in_console);
        let first = flowswap_engine::Clock::now(fleet.env.as_ref());
        for (minutes, fault) in looks {
            fleet = fleet.restarted();
            fleet.env.set_clock(first + SignedDuration::from_mins(*minutes) + SignedDuration::from_secs(*minutes));
            if let Some(fault) = fault {
                fleet.inject("swap", Op::Observe, 0, *fault);
            }
            fleet.run(Goal::Swapped).await;
            fleet.assert_fired();
        }
        let history = fleet.history();
        let tenant = history.tenant("watched").unwrap();
        assert_eq!(tenant.state, if is_done { S::Swapped } else { S::Waiting }, "{looks:?}: {:?}", tenant.reason);
        assert_lawful(&fleet.env.state());
        if !is_done {
            let question = tenant.work.as_ref().unwrap().question.as_ref().unwrap();
            if let Some(at) = question.believed_at() {
                let reason = tenant.reason.clone().unwrap();
                assert!(reason.contains(&at.to_string()), "{reason}");
                assert!(reason.contains("`flowswap confirm watched`"), "{reason}");
            }
            // A confirmation makes it count at once.
            fleet.claim("bob").await;
            fleet.restarted().reach(Goal::Swapped, S::Swapped).await;
        }
    }
}

/// A person who declined may have started, and is asked again. The other side's inference alone settles neither direction.
#[tokio::test(start_paused = true)]
async fn after_declining_the_first_inference_does_not_count_either() {
    let mut fleet = asked(&WATCHED).await;
    fleet.change_world("watched", World::reconnect_in_console);
    carry_out(&mut fleet, &WATCHED, StoryEvent::Decline).await;
    let fleet = fleet.restarted();
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Waiting);
    fleet.claim("bob").await;
    fleet.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting);
    fleet.change_world("watched", World::sign_in);
    let mut fleet = fleet.restarted();
    carry_out(&mut fleet, &BACK_OF_WATCHED, StoryEvent::Decline).await;
    let fleet = fleet.restarted();
    assert_eq!(fleet.end(Goal::RolledBack).await.0, S::Waiting, "nobody has confirmed it");
    assert_eq!(fleet.world("watched").clients.len(), 1);
    fleet.claim("bob").await;
    fleet.reach(Goal::RolledBack, S::RolledBack).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_record_an_inference_is_not_forgotten() {
    let fleet = asked(&WATCHED).await;
    fleet.change_world("watched", World::reconnect_in_console);
    assert_eq!(fleet.end(Goal::Swapped).await.0, S::Waiting);
    let whole = fleet.env.state();
    let noticed = whole.records.iter().position(|r| matches!(r.draft.entry, Entry::Noticed { .. })).unwrap();
    for end in noticed - 1..=whole.records.len() {
        let mut state = whole.clone();
        state.records.truncate(end);
        let fleet = fleet.after_crash(state);
        assert_eq!(fleet.end(Goal::Swapped).await.0, S::Waiting, "{end}");
        let question = fleet.history().tenant("watched").unwrap().work.as_ref().unwrap().question.clone().unwrap();
        let later = question.believed_at().unwrap();
        if end > noticed {
            assert_eq!(
                question.noticed,
                Some(whole.records[noticed].draft.at),
                "{end}: the start of the inference is still known"
            );
        }
        let fleet = fleet.restarted();
        fleet.env.set_clock(later);
        fleet.reach(Goal::Swapped, S::Swapped).await;
        assert_lawful(&fleet.env.state());
    }
}

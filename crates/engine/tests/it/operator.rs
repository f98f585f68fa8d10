//! The operator protocol: a person is asked, acts, confirms or declines, in every order; what counts is what is seen.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flowswap_contract::Op;
use flowswap_engine::{
    Direction, Entry, FleetLimits, Goal, Operator, OperatorError, Outcome, Question, RunId, Runner, TenantState as S,
    Word,
};
use futures::future::BoxFuture;
use jiff::SignedDuration;

use crate::{laws::assert_lawful, reality::Reality, scene::Scene, world::World};

/// Something that happens after the person was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happens {
    /// The command that asked is given again.
    Run,
    /// The person does it.
    Act,
    /// Alice says that it is done.
    Alice,
    /// Bob says that it is done.
    Bob,
    /// Alice does not do it.
    Decline,
    /// More time passes than the person was given.
    Overdue,
    /// The machine starts anew.
    Restart,
}

const ALL: [Happens; 7] =
    [Happens::Run, Happens::Act, Happens::Alice, Happens::Bob, Happens::Decline, Happens::Overdue, Happens::Restart];

/// One tenant of which a step waits for a person.
struct Case {
    name: &'static str,
    goal: Goal,
    end: S,
    act: fn(&mut World),
    /// Where it stands after the person has declined.
    declined: S,
}

const FORWARD: Case =
    Case { name: "manual", goal: Goal::Swapped, end: S::Swapped, act: World::connect_by_hand, declined: S::Failed };
const BACK: Case = Case {
    name: "attended",
    goal: Goal::RolledBack,
    end: S::RolledBack,
    act: World::sign_in,
    declined: S::RollingBack,
};

/// What the protocol must come to, in a few words.
#[derive(Debug, Clone, Copy)]
struct Model {
    state: S,
    /// How often it was confirmed since the person was asked; none while nobody is asked.
    claims: Option<usize>,
    acted: bool,
}

impl Model {
    fn take(&mut self, case: &Case, event: Happens) {
        match event {
            Happens::Run if self.acted => (self.state, self.claims) = (case.end, None),
            Happens::Run => (self.state, self.claims) = (S::Waiting, self.claims.or(Some(0))),
            Happens::Act => self.acted = true,
            Happens::Alice | Happens::Bob => self.claims = self.claims.map(|claims| claims + 1),
            Happens::Decline if self.claims.is_some() => (self.state, self.claims) = (case.declined, None),
            Happens::Decline | Happens::Overdue | Happens::Restart => {}
        }
    }
}

async fn asked(case: &Case) -> Scene {
    let scene = Scene::new(&[case.name]).await;
    if case.goal == Goal::RolledBack {
        scene.reach(Goal::Swapped, S::Swapped).await;
    }
    assert_eq!(scene.end(case.goal).await.0, S::Waiting);
    scene
}

/// Carries an event out, and says whether a word was taken; none where nobody speaks.
async fn carry_out(scene: &mut Scene, case: &Case, event: Happens) -> Option<bool> {
    let history = scene.history().tenant(case.name).unwrap().clone();
    let runner = Runner::new(scene.reality.ports(), RunId::generate());
    let taken = |result: Result<(), OperatorError>| match result {
        Ok(()) => Some(true),
        Err(OperatorError::NotAsked { .. }) => Some(false),
        Err(other) => panic!("{other}"),
    };
    match event {
        Happens::Run => {
            let has_work = history.work.is_some();
            if has_work || case.goal == Goal::Swapped {
                scene.end(case.goal).await;
            }
        }
        Happens::Act => scene.change_world(case.name, case.act),
        Happens::Alice => return taken(runner.confirm(case.name, &history, "alice", None).await),
        Happens::Bob => return taken(runner.confirm(case.name, &history, "bob", Some("seen".into())).await),
        Happens::Decline => return taken(runner.decline(case.name, &history, "alice", "no time".into()).await),
        Happens::Overdue => {
            let question = history.work.and_then(|work| work.question);
            let later = question.map_or_else(crate::reality::start_of_time, |question| question.deadline);
            scene.reality.set_clock(later + SignedDuration::from_hours(1));
        }
        Happens::Restart => *scene = scene.restarted(),
    }
    None
}

/// Every order of up to four events: 2,800 stories forward, and as many back.
#[tokio::test(start_paused = true)]
async fn every_order_of_events_comes_to_what_is_seen() {
    for case in [FORWARD, BACK] {
        let begin = asked(&case).await;
        let mut stories: Vec<(Vec<Happens>, Scene, Model)> =
            vec![(Vec::new(), begin.restarted(), Model { state: S::Waiting, claims: Some(0), acted: false })];
        let mut told = 0;
        for _ in 0..4 {
            let mut longer = Vec::new();
            for (story, scene, model) in &stories {
                for event in ALL {
                    let mut scene = scene.restarted();
                    let (mut model, mut story) = (*model, story.clone());
                    story.push(event);
                    let is_asked = model.claims.is_some();
                    let taken = carry_out(&mut scene, &case, event).await;
                    model.take(&case, event);
                    assert!(taken.is_none_or(|taken| taken == is_asked), "{story:?}");
                    check(&scene, &case, &model, &story);
                    told += 1;
                    longer.push((story, scene, model));
                }
            }
            stories = longer;
        }
        assert_eq!(told, 7 + 49 + 343 + 2401);
    }
}

fn check(scene: &Scene, case: &Case, model: &Model, story: &[Happens]) {
    let history = scene.history();
    let tenant = history.tenant(case.name).unwrap();
    assert_eq!(tenant.state, model.state, "{story:?}: {:?}", tenant.reason);
    let question = tenant.work.as_ref().and_then(|work| work.question.as_ref());
    assert_eq!(question.map(|question| question.claims.len()), model.claims, "{story:?}");
    assert_lawful(&scene.reality.state());
}

/// Nothing of what is recorded while a person is asked and heard may be lost: the journal cut after each record goes on.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_record_while_a_person_is_asked_goes_on() {
    for case in [FORWARD, BACK] {
        let mut scene = asked(&case).await;
        carry_out(&mut scene, &case, Happens::Alice).await;
        let whole = scene.reality.state();
        let asked_at = whole.records.iter().position(|r| matches!(r.draft.entry, Entry::OperatorAsked { .. })).unwrap();
        for end in asked_at - 1..=whole.records.len() {
            let mut state = whole.clone();
            state.records.truncate(end);
            let scene = scene.after_crash(state);
            assert_eq!(scene.end(case.goal).await.0, S::Waiting, "{end}");
            scene.change_world(case.name, case.act);
            let scene = scene.restarted();
            scene.reach(case.goal, case.end).await;
            assert_lawful(&scene.reality.state());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_not_borne_out_is_told_with_what_was_expected_and_seen() {
    let mut scene = asked(&FORWARD).await;
    carry_out(&mut scene, &FORWARD, Happens::Bob).await;
    let (state, reason) = scene.end(Goal::Swapped).await;
    assert_eq!(state, S::Waiting);
    assert!(reason.starts_with("bob confirmed at 2026-"), "{reason}");
    let rest = "and it is not seen; expected: the directory uses the new client; seen: NotApplied";
    assert!(reason.ends_with(rest), "{reason}");
    // Then it is done, and who said so is kept with it.
    scene.change_world("manual", World::connect_by_hand);
    scene.reach(Goal::Swapped, S::Swapped).await;
    let history = scene.history();
    let work = history.tenant("manual").unwrap().work.as_ref().unwrap();
    let done = work.done.iter().find(|done| done.id == "swap").unwrap();
    let said: Vec<_> = done.evidence.iter().map(|evidence| (evidence.check.as_str(), &evidence.detail)).collect();
    assert_eq!(said[0].0, "operator");
    assert!(said[0].1.starts_with("bob confirmed at ") && said[0].1.ends_with(": seen"), "{said:?}");
    assert_eq!((said[1].0, said[1].1.as_str()), ("seen", "Applied"));
}

#[tokio::test(start_paused = true)]
async fn the_terms_are_those_of_the_job_and_words_need_a_reason() {
    let scene = Scene::new(&["manual"]).await;
    scene
        .run_changed(Goal::Swapped, |job| {
            job.terms.owner = Some("carol".to_owned());
            job.terms.patience = SignedDuration::from_hours(1);
        })
        .await;
    let history = scene.history().tenant("manual").unwrap().clone();
    assert_eq!(history.reason.as_deref(), Some("carol must act: reconnect the directory"));
    let question = history.work.as_ref().unwrap().question.clone().unwrap();
    assert_eq!(question.direction, Direction::Forward);
    let given = question.deadline.duration_since(question.since);
    assert!((3590..=3600).contains(&given.as_secs()), "{given:?}");
    let runner = Runner::new(scene.reality.ports(), RunId::generate());
    let refused = runner.decline("manual", &history, "alice", " ".to_owned()).await;
    assert!(matches!(refused, Err(OperatorError::NoReason)), "{refused:?}");
}

const WATCHED: Case = Case { name: "watched", ..FORWARD };

/// What the other side infers could be wrong, and what comes after it deletes the client that the directory may use.
#[tokio::test(start_paused = true)]
async fn the_way_back_that_another_side_infers_needs_a_word() {
    let mut scene = asked(&WATCHED).await;
    scene.change_world("watched", World::connect_by_hand);
    scene.claim("bob").await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting);
    scene.change_world("watched", World::sign_in);
    for _ in 0..2 {
        scene = scene.restarted();
        assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting, "nobody has said so");
        assert_eq!(scene.world("watched").clients.len(), 1);
    }
    carry_out(&mut scene, &WATCHED, Happens::Bob).await;
    scene.reach(Goal::RolledBack, S::RolledBack).await;
    assert_lawful(&scene.reality.state());
}

/// Whoever has said that it is done, or has the secret, may have done it although it is not seen yet.
#[tokio::test(start_paused = true)]
async fn what_a_person_may_have_done_is_taken_back_by_a_person() {
    for (claims, takes, expect) in [(true, false, S::Waiting), (false, true, S::Waiting), (false, false, S::RolledBack)]
    {
        let mut scene = asked(&WATCHED).await;
        if claims {
            carry_out(&mut scene, &WATCHED, Happens::Alice).await;
        }
        if takes {
            let handle = flowswap_engine::Handle::new("watched/provision/client_secret");
            let way = flowswap_engine::HandOver::Terminal;
            let entry = Entry::SecretHandedOver { handle, by: "alice".to_owned(), way };
            let ports = scene.reality.ports();
            let tenant = Some("watched".to_owned());
            let draft = flowswap_engine::Draft { at: ports.clock.now(), run: RunId::generate(), tenant, entry };
            ports.journal.append(draft).await.unwrap();
        }
        let (state, reason) = scene.end(Goal::RolledBack).await;
        assert_eq!(state, expect, "{claims} {takes}: {reason}");
        if expect == S::Waiting {
            assert_eq!(reason, "a person must act: sign in at the directory");
            assert_eq!(scene.world("watched").clients.len(), 1, "the directory may use it");
            carry_out(&mut scene, &BACK_OF_WATCHED, Happens::Alice).await;
            scene.reach(Goal::RolledBack, S::RolledBack).await;
        }
        assert_lawful(&scene.reality.state());
    }
}

const BACK_OF_WATCHED: Case = Case { name: "watched", ..BACK };

/// A person decides where a right act cannot be seen; the question is answered by that.
#[tokio::test(start_paused = true)]
async fn a_decision_answers_the_question() {
    use flowswap_engine::{Decision, Resolution};
    let mut scene = asked(&WATCHED).await;
    let decide = |stands| Decision {
        stands,
        outputs: [("swapped_at".to_owned(), serde_json::json!("2026-01-01T00:00:00Z"))].into(),
        reason: "seen in the console".to_owned(),
        by: "alice".to_owned(),
    };
    let resolve = async |scene: &Scene, stands| {
        let history = scene.history().tenant("watched").unwrap().clone();
        let tenant = crate::scene::tenant(&scene.reality, "watched");
        Runner::new(scene.reality.ports(), RunId::generate()).resolve(&tenant, &history, decide(stands)).await
    };
    assert!(resolve(&scene, Resolution::Applied).await.is_err(), "nobody has said that it is done");
    carry_out(&mut scene, &WATCHED, Happens::Alice).await;
    scene.end(Goal::Swapped).await;
    resolve(&scene, Resolution::Applied).await.unwrap();
    let history = scene.history();
    let work = history.tenant("watched").unwrap().work.as_ref().unwrap();
    assert!(work.question.is_none() && work.is_done("swap") && work.answered.is_some());
    // The next run goes on behind it, forward and back.
    assert_eq!(scene.restarted().end(Goal::Swapped).await.0, S::Stuck, "the directory does not confirm it");
    let (state, reason) = scene.restarted().end(Goal::RolledBack).await;
    assert_eq!((state, reason.as_str()), (S::Waiting, "a person must act: sign in at the directory"));
}

/// A person at the terminal who says these words one after the other, and acts just before one of them.
struct Present {
    reality: Arc<Reality>,
    words: Mutex<Vec<Word>>,
    /// Before which word the person acts; with no word left, while nothing is said.
    acts_before: usize,
    attended: AtomicUsize,
    heard: Mutex<Vec<String>>,
}

impl Operator for Present {
    fn attend<'a>(&'a self, tenant: &'a str, _: &'a Question) -> BoxFuture<'a, Word> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(7)).await;
            let turn = self.attended.fetch_add(1, Ordering::Relaxed);
            if turn == self.acts_before {
                self.reality.note(|state| state.world(tenant).connect_by_hand());
            }
            let word = {
                let mut words = self.words.lock().unwrap();
                (!words.is_empty()).then(|| words.remove(0))
            };
            match word {
                Some(word) => word,
                None => std::future::pending().await,
            }
        })
    }

    fn is_at(&self, _: &str) -> bool {
        true
    }

    fn hear(&self, _: &str, news: &str) {
        self.heard.lock().unwrap().push(news.to_owned());
    }
}

async fn attend(words: Vec<Word>, acts_before: usize) -> ((S, String), Vec<String>, Scene) {
    attend_to("manual", words, acts_before).await
}

async fn attend_to(name: &str, words: Vec<Word>, acts_before: usize) -> ((S, String), Vec<String>, Scene) {
    let scene = Scene::new(&[name]).await;
    let present = Arc::new(Present {
        reality: scene.reality.clone(),
        words: Mutex::new(words),
        acts_before,
        attended: AtomicUsize::new(0),
        heard: Mutex::default(),
    });
    *scene.reality.operator.lock().unwrap() = present.clone();
    let end = scene.end(Goal::Swapped).await;
    let heard = present.heard.lock().unwrap().clone();
    assert_lawful(&scene.reality.state());
    (end, heard, scene)
}

#[tokio::test(start_paused = true)]
async fn somebody_at_the_terminal_is_walked_through() {
    let done = || Word::Done { note: None };
    // What another side infers may be the test before the submit: it is told, and believed once it stays so.
    let (end, heard, scene) = attend_to("watched", vec![], 0).await;
    let heard: Vec<&str> = heard.iter().map(String::as_str).collect();
    assert_eq!(heard, ["Applied; go on with the sheet to its end", "Applied"]);
    assert_eq!(end, (S::Swapped, String::new()));
    let records = scene.reality.state().records;
    let at = |is_it: fn(&Entry) -> bool| records.iter().find(|record| is_it(&record.draft.entry)).unwrap().draft.at;
    let noticed = at(|entry| matches!(entry, Entry::Noticed { seen: true, .. }));
    let swapped = at(|entry| matches!(entry, Entry::StepEnded { step, .. } if step == "swap"));
    assert!((360..400).contains(&swapped.duration_since(noticed).as_secs()), "{noticed} {swapped}");
    let disagreement = "expected: the directory uses the new client; seen: NotApplied";
    // What was done is seen without a word.
    let (end, heard, _) = attend(vec![], 0).await;
    assert_eq!((end, heard), ((S::Swapped, String::new()), vec!["Applied".to_owned()]));
    // Who says so too early is told what is missing, and asked again.
    let (end, heard, scene) = attend(vec![done(), done()], 1).await;
    assert_eq!((end, heard), ((S::Swapped, String::new()), vec![disagreement.to_owned()]));
    let claims = scene.reality.state().records;
    let claims = claims.iter().filter(|r| matches!(&r.draft.entry, Entry::Confirmed { by, .. } if by == "alice"));
    assert_eq!(claims.count(), 2);
    let (end, ..) = attend(vec![Word::Later], 9).await;
    assert_eq!(end, (S::Waiting, "a person must act: reconnect the directory".to_owned()));
    let (end, ..) = attend(vec![Word::Declined { reason: "lunch".to_owned() }], 9).await;
    assert_eq!(end, (S::Failed, "alice declined step `swap`: lunch".to_owned()));
}

/// A person who is busy with one tenant after the other, for as long as each takes, while all the others wait.
struct OneByOne {
    reality: Arc<Reality>,
    turn: tokio::sync::Mutex<()>,
    busy_with: Mutex<Option<String>>,
    takes: Duration,
}

impl Operator for OneByOne {
    fn attend<'a>(&'a self, tenant: &'a str, _: &'a Question) -> BoxFuture<'a, Word> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            *self.busy_with.lock().unwrap() = Some(tenant.to_owned());
            tokio::time::sleep(self.takes).await;
            self.reality.note(|state| state.world(tenant).connect_by_hand());
            std::future::pending().await
        })
    }

    fn is_at(&self, tenant: &str) -> bool {
        self.busy_with.lock().unwrap().as_deref() == Some(tenant)
    }

    fn hear(&self, _: &str, _: &str) {}
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_turn_is_looked_for_rarely() {
    const TENANTS: u64 = 20;
    const TAKES: u64 = 120;
    let names: Vec<_> = (0..TENANTS).map(|n| format!("manual{n}")).collect();
    let scene = Scene::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let operator = OneByOne {
        reality: scene.reality.clone(),
        turn: Default::default(),
        busy_with: Default::default(),
        takes: Duration::from_secs(TAKES),
    };
    *scene.reality.operator.lock().unwrap() = Arc::new(operator);
    let begun = tokio::time::Instant::now();
    let limits = FleetLimits { concurrency: TENANTS as usize, max_failures: usize::MAX };
    let outcomes = scene.run_within(Goal::Swapped, limits).await.unwrap().outcomes;
    assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Ended { state: S::Swapped, .. })));
    // Whoever's turn it is loses no time to the others: what was done is seen within the next look.
    let took = begun.elapsed().as_secs();
    assert!((TENANTS * TAKES..=TENANTS * (TAKES + 5)).contains(&took), "{took} s");
    // Each is looked for before it is asked for, every five seconds at its own turn, and every minute at that of others.
    let waits = (0..TENANTS).map(|turn| turn * (TAKES + 5) / 60).sum::<u64>();
    let most = TENANTS * (1 + TAKES / 5 + 1) + waits;
    let looks = scene.count("swap", Op::Observe) as u64;
    assert!((most - waits / 10..=most).contains(&looks), "{looks} looks, and {most} are the most");
}

/// What happens between the looks at a step that another side infers, in minutes after the first sight of it, and whether the
/// step counts as done at the end. A look that fails says nothing; one that sees nothing begins anew.
#[tokio::test(start_paused = true)]
async fn what_another_side_infers_counts_once_it_has_lasted() {
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
        let mut scene = asked(&WATCHED).await;
        scene.change_world("watched", World::connect_by_hand);
        let first = flowswap_engine::Clock::now(scene.reality.as_ref());
        for (minutes, fault) in looks {
            scene = scene.restarted();
            scene.reality.set_clock(first + SignedDuration::from_mins(*minutes) + SignedDuration::from_secs(*minutes));
            if let Some(fault) = fault {
                scene.order("swap", Op::Observe, 0, *fault);
            }
            scene.run(Goal::Swapped).await;
            scene.assert_fired();
        }
        let history = scene.history();
        let tenant = history.tenant("watched").unwrap();
        assert_eq!(tenant.state, if is_done { S::Swapped } else { S::Waiting }, "{looks:?}: {:?}", tenant.reason);
        assert_lawful(&scene.reality.state());
        if !is_done {
            let question = tenant.work.as_ref().unwrap().question.as_ref().unwrap();
            if let Some(at) = question.believed_at() {
                let reason = tenant.reason.clone().unwrap();
                assert!(reason.contains(&at.to_string()), "{reason}");
                assert!(reason.contains("`flowswap confirm watched`"), "{reason}");
            }
            // A word makes it count at once.
            scene.claim("bob").await;
            scene.restarted().reach(Goal::Swapped, S::Swapped).await;
        }
    }
}

/// Who has declined may have begun, and is asked again: neither way is taken for gone by what another side infers.
#[tokio::test(start_paused = true)]
async fn what_was_declined_is_not_believed_at_the_first_look_either() {
    let mut scene = asked(&WATCHED).await;
    scene.change_world("watched", World::connect_by_hand);
    carry_out(&mut scene, &WATCHED, Happens::Decline).await;
    let scene = scene.restarted();
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Waiting);
    scene.claim("bob").await;
    scene.reach(Goal::Swapped, S::Swapped).await;
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting);
    scene.change_world("watched", World::sign_in);
    let mut scene = scene.restarted();
    carry_out(&mut scene, &BACK_OF_WATCHED, Happens::Decline).await;
    let scene = scene.restarted();
    assert_eq!(scene.end(Goal::RolledBack).await.0, S::Waiting, "nobody has said that it is done");
    assert_eq!(scene.world("watched").clients.len(), 1);
    scene.claim("bob").await;
    scene.reach(Goal::RolledBack, S::RolledBack).await;
}

/// A crash loses nothing of what was noticed.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_record_while_something_is_noticed_goes_on() {
    let scene = asked(&WATCHED).await;
    scene.change_world("watched", World::connect_by_hand);
    assert_eq!(scene.end(Goal::Swapped).await.0, S::Waiting);
    let whole = scene.reality.state();
    let noticed = whole.records.iter().position(|r| matches!(r.draft.entry, Entry::Noticed { .. })).unwrap();
    for end in noticed - 1..=whole.records.len() {
        let mut state = whole.clone();
        state.records.truncate(end);
        let scene = scene.after_crash(state);
        assert_eq!(scene.end(Goal::Swapped).await.0, S::Waiting, "{end}");
        let question = scene.history().tenant("watched").unwrap().work.as_ref().unwrap().question.clone().unwrap();
        let later = question.believed_at().unwrap();
        if end > noticed {
            assert_eq!(question.noticed, Some(whole.records[noticed].draft.at), "{end}: it is still known since when");
        }
        let scene = scene.restarted();
        scene.reality.set_clock(later);
        scene.reach(Goal::Swapped, S::Swapped).await;
        assert_lawful(&scene.reality.state());
    }
}

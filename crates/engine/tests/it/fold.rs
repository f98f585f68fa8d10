//! The state computed from the journal: a record that cannot follow is refused and named, and every valid prefix gives a valid
//! state.

use std::sync::Arc;

use flowswap_contract::{Error, ErrorKind, Handle, Op};
use flowswap_engine::{
    Actor, Direction, Draft, Entry, Goal, History, Record, RequestOutcome, Resolution, RunCommand, RunId, TenantState,
    Verdict,
};

use crate::{environment::start_of_time, fault::Fault, laws::assert_lawful, test_fleet::TestFleet};

use Direction::{Back, Forward};

/// Makes records from a shorthand.
struct Shorthand {
    start: [Entry; 2],
}

impl Shorthand {
    async fn new() -> Self {
        let plan = TestFleet::new(&["acme"]).await.plan;
        // As up to format 2, so that a shorthand needs no intent.
        let start = |direction| Entry::TenantStarted {
            direction,
            plan: plan.digest.clone(),
            tenant: Some(Arc::new(plan.tenants[0].clone())),
            plugins: plan.plugins.clone(),
            accepted: Vec::new(),
        };
        Self { start: [start(Forward), start(Back)] }
    }

    /// `f` and `b` start work on the tenant, forward and back. `step` starts a step, `step+` ends it, `step-` fails it, and
    /// `step?` fails it with an unknown effect; a `<` in front means a rollback. `step!1` intends a request that brings the
    /// secret `h`, and `step!1+` ends it. `step=asked` asks a person; `step~seen` and `step~gone` record an inference.
    /// `keep-whole` abandons the rollback. `step#h` stores a secret. `step:applied` is a person's decision. `=state` ends work
    /// on the tenant. `end` ends the run.
    fn entry(&self, word: &str) -> Entry {
        let (direction, rest) = word.strip_prefix('<').map_or((Forward, word), |rest| (Back, rest));
        let step = rest.trim_end_matches(['+', '-', '?']).split(['!', '#', ':']).next().unwrap().to_owned();
        let error = Error::new(ErrorKind::Unavailable, "no answer");
        let failed = |error| Entry::StepFailed {
            outputs: Default::default(),
            step: step.clone(),
            direction,
            error,
            evidence: vec![],
        };
        let ended = |state| Entry::TenantEnded { state, reason: None, interrupted: false };
        let planned = |verdict| Entry::Planned {
            plan: "p".into(),
            path: "plan.json".into(),
            verdict,
            findings: Vec::new(),
            wave: None,
            by: None,
        };
        match word {
            "f" => return self.start[0].clone(),
            "b" => return self.start[1].clone(),
            "=back" => return ended(TenantState::RolledBack),
            "=swapped" => return ended(TenantState::Swapped),
            "=stuck" => return ended(TenantState::Stuck),
            "planned" => return planned(Verdict::Ready),
            "blocked" => return planned(Verdict::Blocked),
            "keep" | "keep-whole" | "keep-why" => {
                let all = if word == "keep" { &["provision"][..] } else { &["provision", "swap"] };
                let stands = all.iter().map(|step| ((*step).to_owned(), Default::default())).collect();
                let reason = if word == "keep-why" { " " } else { "it works" }.to_owned();
                return Entry::Abandoned { stands, seen: "the new client".into(), reason, by: Actor::user("alice") };
            }
            "forget" => return Entry::SecretRemoved { handle: Handle::new("h") },
            "end" => return Entry::RunEnded { interrupted: false, outcomes: Vec::new() },
            _ => {}
        }
        if let Some((step, seen)) = rest.split_once('~') {
            return Entry::Noticed { step: step.to_owned(), seen: seen == "seen" };
        }
        if let Some((step, _)) = rest.split_once('=') {
            let sheet = flowswap_contract::RunSheet {
                title: "do it".into(),
                url: None,
                lines: vec![],
                keep: vec![],
                care: vec![],
                proof: "it is seen".into(),
            };
            let (step, sheet, deadline) = (step.to_owned(), Box::new(sheet), start_of_time());
            return Entry::OperatorAsked { step, direction, sheet, owner: None, deadline };
        }
        if let Some((_, number)) = rest.split_once('!') {
            let request = number.trim_end_matches('+').parse().unwrap();
            return if number.ends_with('+') {
                Entry::RequestEnded { step, request, outcome: RequestOutcome::Lost { message: "cut".into() } }
            } else {
                let (method, url, secrets) = ("POST".into(), "https://x.test".into(), vec![Handle::new("h")]);
                Entry::RequestIntended { step, request, method, url, body_sha256: None, secrets }
            };
        }
        if let Some((_, handle)) = rest.split_once('#') {
            return Entry::SecretStored { step, handle: Handle::new(handle) };
        }
        if let Some((_, said)) = rest.split_once(':') {
            let stands = if said.starts_with("applied") { Resolution::Applied } else { Resolution::NotApplied };
            let outputs = if said.ends_with("-whole") {
                ["client_id", "client_secret"].map(|name| (name.to_owned(), "x".into())).into()
            } else {
                Default::default()
            };
            let reason = if said.ends_with("-why") { " " } else { "seen in the console" }.to_owned();
            return Entry::Resolved { step, stands, outputs, reason, by: Actor::user("alice") };
        }
        match rest.chars().last() {
            Some('+') => Entry::StepEnded { step, direction, outputs: Default::default(), evidence: vec![] },
            Some('-') => failed(error),
            Some('?') => failed(error.with_unknown_effect()),
            _ => Entry::StepStarted { step, direction },
        }
    }

    /// The records of a run, with its start as the first.
    fn records(&self, words: &str) -> Vec<Record> {
        let record = |(index, word): (usize, &str)| record(index as u64 + 2, Some("acme"), self.entry(word));
        let mut records = vec![record_of_run(1)];
        records.extend(words.split_whitespace().enumerate().map(record));
        records
    }
}

fn record_of_run(seq: u64) -> Record {
    record(
        seq,
        None,
        Entry::RunStarted {
            command: RunCommand::Apply,
            version: "0".into(),
            by: None,
            scope: None,
            approvals: Vec::new(),
        },
    )
}

fn record(seq: u64, tenant: Option<&str>, entry: Entry) -> Record {
    let tenant = tenant.filter(|_| !matches!(entry, Entry::RunEnded { .. })).map(str::to_owned);
    Record { seq, epoch: 1, draft: Draft { at: start_of_time(), run: RunId::none(), tenant, entry } }
}

#[tokio::test]
async fn a_record_that_cannot_follow_is_refused_and_named() {
    let short = Shorthand::new().await;
    let check = |words: &str, seq: u64, problem: &str| {
        // The first record is the run's.
        let seq = seq + 1;
        let error = History::fold(&short.records(words)).expect_err(words);
        assert_eq!((error.seq, error.problem.as_str()), (seq, format!("tenant `acme`: {problem}").as_str()), "{words}");
        assert!(error.to_string().starts_with(&format!("record {seq} of the journal cannot follow")));
        // Everything before the record is valid.
        assert!(History::fold(&short.records(words)[..seq as usize - 1]).is_ok(), "{words}");
    };
    let nobody = "no run works on the tenant";
    check("provision", 1, nobody);
    check("planned provision", 2, nobody);
    check("=swapped", 1, nobody);
    check("forget", 1, nobody);
    check("provision+", 1, nobody);
    check("f provision+", 2, "step `provision` was not started");
    check("f provision-", 2, "step `provision` was not started");
    check("f provision#h", 2, "step `provision` was not started");
    check("f provision!0", 2, "step `provision` was not started");
    check("f unheard-of", 2, "the plan has no step `unheard-of`");
    check("f provision prove", 3, "step `prove` starts while step `provision` is in doubt");
    check("f provision provision? prove", 4, "step `prove` starts while step `provision` is in doubt");
    check("f provision prove+", 3, "step `prove` was not started");
    check("f provision prove#h", 3, "step `prove` was not started");
    check("f provision provision+ provision+", 4, "step `provision` was not started");
    check("f provision provision+ provision", 4, "step `provision` starts, but is already done");
    check("f provision provision- provision-", 4, "step `provision` was not started");
    check("f provision <provision+", 3, "step `provision` was started in the other direction");
    check("f <provision", 2, "step `provision` is rolled back by a run that goes forward");
    check("b <provision", 2, "step `provision` is rolled back, but is not done");
    check("f provision provision+ b =back", 5, "it is rolled back while step `provision` is in place");
    check("f provision b =back", 4, "it is rolled back while step `provision` is in doubt");
    check("f provision provision+ b <provision <provision+ =back <provision", 8, nobody);
    check("f provision provision+ b <provision <provision+ =back forget", 8, nobody);
    check("f =swapped provision", 3, nobody);
    check("f =swapped =swapped", 3, nobody);
    check("f provision provision!0 provision!0", 4, "request 0 of step `provision` comes after request 0");
    check("f provision provision!4 provision!3", 4, "request 3 of step `provision` comes after request 4");
    check("f provision provision!0+", 3, "request 0 of step `provision` ends, but was not intended");
    check("f provision provision!0 provision!1+", 4, "request 1 of step `provision` ends, but was not intended");
    check("f provision provision!0 provision!0+ provision!0+", 5, "request 0 of step `provision` ends twice");
    let stray = "step `provision` stores the secret `g`, but none of its requests brings it";
    check("f provision provision!0 provision#g", 4, stray);
    check("f provision provision#g", 3, stray);
    check("f provision provision:applied", 3, "step `provision` is resolved, but the tenant is running");
    check("provision:applied", 1, "step `provision` is resolved, but the tenant is unplanned");
    check("f provision =stuck provision:applied-why", 4, "step `provision` is resolved without a reason");
    check("f provision provision~seen", 3, "step `provision` is noticed, but nobody was asked for it");
    check("f swap swap=asked provision~seen", 4, "step `provision` is noticed, but nobody was asked for it");
    let again = "step `swap` is noticed again without a change since";
    check("f swap swap=asked swap~seen swap~seen", 5, again);
    check("f swap swap=asked swap~gone", 4, "step `swap` is noticed as gone, but was not noticed before");
    check("f swap swap=asked =stuck swap~seen", 5, nobody);
    let abandoned = |state: &str| format!("the rollback is abandoned, but the tenant is {state}");
    check("keep-whole", 1, &abandoned("unplanned"));
    let swapped = "f provision provision+ swap swap+";
    check(&format!("{swapped} keep-whole"), 6, &abandoned("running"));
    check(&format!("{swapped} =stuck keep-whole"), 7, &abandoned("stuck"));
    check(&format!("{swapped} b =stuck keep-why"), 8, "the rollback is abandoned without a reason");
    check(&format!("{swapped} b =stuck keep"), 8, "the rollback is abandoned, but step `swap` is not in place");
    let gone = format!("{swapped} b <swap <swap+ <provision <provision+");
    check(&format!("{gone} keep-whole"), 11, &abandoned("rolling-back"));
    check(&format!("{gone} =back keep-whole"), 12, &abandoned("rolled-back"));
    check(&format!("{swapped} b =stuck keep-whole keep-whole"), 9, &abandoned("soaking"));
    check(&format!("{swapped} b keep-whole <swap"), 8, nobody);
    check("f provision =stuck swap:applied", 4, "step `swap` is resolved, but the tenant is stuck at another step");
    check("f provision provision- =stuck provision:applied", 5, "step `provision` is not in doubt");
    check(
        "f provision =stuck provision:applied-whole provision:applied",
        5,
        "step `provision` is resolved, but the tenant is running",
    );
}

#[tokio::test]
async fn a_record_that_can_follow_is_accepted() {
    let short = Shorthand::new().await;
    let check = |words: &str, state: TenantState, done: &[&str], doubt: Option<&str>| {
        let history = History::fold(&short.records(words)).unwrap_or_else(|error| panic!("{words}: {error}"));
        let tenant = history.tenant("acme").unwrap();
        assert_eq!(tenant.state, state, "{words}");
        let work = tenant.work.as_ref();
        let ids: Vec<&str> = work.iter().flat_map(|work| work.done.iter().map(|done| done.id.as_str())).collect();
        assert_eq!(ids, done, "{words}");
        assert_eq!(work.and_then(|work| work.doubt.as_ref()).map(|doubt| doubt.step.as_str()), doubt, "{words}");
    };
    use TenantState::{Planned, RolledBack, RollingBack, Running, Swapped, Unplanned};
    check("planned", Planned, &[], None);
    check("blocked", Unplanned, &[], None);
    check("planned blocked", Unplanned, &[], None);
    check("f blocked", Running, &[], None);
    check("planned f", Running, &[], None);
    check("f planned", Running, &[], None);
    check("f f", Running, &[], None);
    check("f provision", Running, &[], Some("provision"));
    check("f provision f provision provision+", Running, &["provision"], None);
    check("f provision provision?", Running, &[], Some("provision"));
    check("f provision provision? provision-", Running, &[], None);
    check(
        "f provision provision!0 provision#h provision!0+ provision+ prove prove+",
        Running,
        &["provision", "prove"],
        None,
    );
    check("f provision provision+ prove prove+ prove prove-", Running, &["provision"], None);
    check("f provision provision+ prove prove+ =swapped f prove prove+", Running, &["provision", "prove"], None);
    check("f =swapped", Swapped, &[], None);
    let swapped = "f provision provision+ swap swap+";
    let both = ["provision", "swap"];
    check(&format!("{swapped} b =stuck keep-whole"), TenantState::Soaking, &both, None);
    check(&format!("{swapped} b <swap <swap? =stuck keep-whole"), TenantState::Soaking, &both, None);
    check(&format!("{swapped} b <swap <swap+ =stuck keep-whole"), TenantState::Soaking, &both, None);
    check(&format!("{swapped} b <swap <swap=asked keep-whole"), TenantState::Soaking, &both, None);
    check(&format!("{swapped} b =stuck keep-whole b <swap <swap+"), RollingBack, &["provision"], None);
    check("f swap swap=asked swap~seen swap~gone swap~seen swap+", Running, &["swap"], None);
    check("f provision provision? b", RollingBack, &[], Some("provision"));
    check("f provision b provision provision+", RollingBack, &["provision"], None);
    check("f provision provision+ b <provision", RollingBack, &["provision"], Some("provision"));
    check("f provision provision+ b <provision <provision?", RollingBack, &["provision"], Some("provision"));
    check("f provision provision+ b <provision <provision-", RollingBack, &["provision"], None);
    check("f provision provision+ b <provision <provision+", RollingBack, &[], None);
    check(
        "f provision provision!0 provision#h provision+ b <provision <provision+ forget =back",
        RolledBack,
        &[],
        None,
    );
    check("f =swapped b =back planned", Planned, &[], None);
    check("f =swapped b =back f", Running, &[], None);
    check("f provision provision!1 provision!7 provision!1+ provision!7+", Running, &[], Some("provision"));
    check("f provision =stuck provision:applied-whole", Running, &["provision"], None);
    check("f provision =stuck provision:applied", Running, &[], Some("provision"));
    check("f provision =stuck provision:not-applied", Running, &[], None);
    check("f provision provision+ b <provision =stuck provision:applied", RollingBack, &["provision"], None);
    check("f provision provision+ b <provision =stuck provision:not-applied", RollingBack, &[], None);
    check("f provision provision+ b <provision <provision- =stuck provision:not-applied", RollingBack, &[], None);
}

#[tokio::test]
async fn outputs_that_a_person_passed_are_known_when_the_step_starts_again() {
    let short = Shorthand::new().await;
    let mut records = short.records("f provision =stuck provision:applied f provision");
    let Entry::Resolved { outputs, .. } = &mut records[4].draft.entry else { unreachable!() };
    outputs.insert("client_id".into(), "0oaX".into());
    let history = History::fold(&records).unwrap();
    let tenant = history.tenant("acme").unwrap();
    let doubt = tenant.work.as_ref().unwrap().doubt.clone().unwrap();
    assert_eq!(doubt.known["client_id"], "0oaX");
    let history = History::fold(&records[..5]).unwrap();
    let said = history.tenant("acme").unwrap().reason.clone().unwrap();
    assert_eq!(said, "alice says that step `provision` is applied: seen in the console");
}

/// Runs may be mixed, but only one of them works on a tenant.
#[tokio::test]
async fn only_one_run_works_on_a_tenant_at_a_time() {
    let short = Shorthand::new().await;
    let (first, second) = (RunId::none(), RunId::generate());
    let check = |words: &str, run: RunId, next: &str, problem: Option<String>| {
        let mut records = short.records(words);
        let seq = records.len() as u64 + 1;
        let mut next = record(seq, Some("acme"), short.entry(next));
        next.draft.run = run;
        records.push(next);
        let found = History::fold(&records).err().map(|error| error.problem);
        assert_eq!(found, problem.map(|problem| format!("tenant `acme`: {problem}")), "{words}");
    };
    check("f provision", first, "provision+", None);
    // After a crash, the next run takes the tenant up.
    check("f provision", second, "f", None);
    let late = format!("it belongs to run {second}, but run {first} has worked on the tenant since");
    check("f provision", second, "provision+", Some(late));
    check("f provision =stuck", first, "provision+", Some("no run works on the tenant".to_owned()));
    // Other runs and other tenants do not matter.
    let mut records = short.records("f provision");
    let seq = records.len() as u64;
    let of = |seq, tenant, run, word| {
        let mut record = record(seq, Some(tenant), short.entry(word));
        record.draft.run = run;
        record
    };
    records.extend([of(seq + 1, "beta", second, "f"), of(seq + 2, "acme", first, "provision+")]);
    records.extend([of(seq + 3, "beta", second, "provision"), of(seq + 4, "acme", first, "=swapped")]);
    let history = History::fold(&records).unwrap();
    assert_eq!(history.tenant("acme").unwrap().state, TenantState::Swapped);
    assert_eq!(history.tenant("beta").unwrap().state, TenantState::Running);
}

/// The writers of a tenant follow each other.
#[tokio::test]
async fn a_record_of_an_earlier_writer_is_refused() {
    let short = Shorthand::new().await;
    let mut records = short.records("f provision provision+");
    records[1].epoch = 3;
    records[2].epoch = 3;
    records[3].epoch = 2;
    let error = History::fold(&records).unwrap_err();
    assert_eq!(error.problem, "tenant `acme`: its epoch is 2, but an earlier record has epoch 3");
    // Another tenant may have a writer of its own.
    records[3].draft.tenant = Some("beta".to_owned());
    records[3].draft.entry = short.entry("f");
    History::fold(&records).unwrap();
}

#[test]
fn records_of_runs_name_no_tenant_and_all_others_do() {
    let started = Entry::RunStarted {
        command: RunCommand::Apply,
        version: "0".into(),
        by: None,
        scope: None,
        approvals: Vec::new(),
    };
    let failed = Entry::TenantEnded { state: TenantState::Failed, reason: None, interrupted: false };
    for (tenant, entry, problem) in [
        (Some("acme"), started, "a run's record names a tenant"),
        (Some("acme"), Entry::RunEnded { interrupted: false, outcomes: Vec::new() }, "a run's record names a tenant"),
        (None, failed, "it names no tenant"),
    ] {
        let draft = Draft { at: start_of_time(), run: RunId::none(), tenant: tenant.map(str::to_owned), entry };
        let error = History::fold(&[Record { seq: 7, epoch: 1, draft }]).unwrap_err();
        assert_eq!((error.seq, error.problem.as_str()), (7, problem));
    }
}

#[tokio::test]
async fn a_second_plan_cannot_start_before_the_first_is_rolled_back() {
    let short = Shorthand::new().await;
    let mut records = short.records("f provision f");
    let Entry::TenantStarted { plan, .. } = &mut records[3].draft.entry else { unreachable!() };
    let before = std::mem::replace(plan, "other".into());
    let error = History::fold(&records).unwrap_err();
    assert_eq!(error.problem, format!("tenant `acme`: plan other starts while plan {before} is not rolled back"));
}

/// Runs of random goals with random faults, from a seed. The journal is valid at every length and true at its end. A tenant's
/// state in the journal is the state that the run reported. A failure prints the seed.
#[tokio::test(start_paused = true)]
async fn the_journal_of_random_runs_agrees_with_what_they_reported() {
    let mut faults = 0;
    for seed in 1..=60_u64 {
        let mut random = Random(seed);
        let names = &["a", "b", "c"][..1 + random.below(3)];
        let mut fleet = TestFleet::new(names).await;
        for _ in 0..6 {
            for _ in 0..random.below(3) {
                let step = ["provision", "swap", "retire", "prove", "confirm-provider"][random.below(5)];
                let op = [Op::Apply, Op::Undo, Op::Observe, Op::Test][random.below(4)];
                let every = [
                    Fault::Refuse,
                    Fault::Interrupt,
                    Fault::LoseRequest,
                    Fault::LoseAnswer,
                    Fault::Die,
                    Fault::Garble,
                    Fault::Half,
                    Fault::Blind,
                    Fault::Stop,
                ];
                fleet.inject(step, op, random.below(2), every[random.below(every.len())]);
                faults += 1;
            }
            let goal = [Goal::Swapped, Goal::Swapped, Goal::Retired, Goal::RolledBack][random.below(4)];
            let outcomes = fleet.run(goal).await;
            let state = fleet.env.state();
            let seeded = std::panic::AssertUnwindSafe(|| {
                assert_lawful(&state);
                for length in 0..state.records.len() {
                    History::fold(&state.records[..length]).unwrap();
                }
                let history = fleet.history();
                for (name, outcome) in &outcomes {
                    if let flowswap_engine::Outcome::Ended { state, reason } = outcome {
                        let tenant = history.tenant(name).unwrap();
                        assert_eq!((&tenant.state, &tenant.reason), (state, reason), "{goal:?} {name}");
                    }
                }
            });
            if std::panic::catch_unwind(seeded).is_err() {
                panic!("seed {seed}\n{}", crate::tree::render(&state.records));
            }
            fleet = fleet.restarted();
        }
    }
    println!("random runs: 60 seeds of 6 runs, {faults} faults injected");
}

/// Xorshift (Marsaglia, 2003): random enough for a test, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

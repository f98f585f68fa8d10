//! Checks that are not made: for want of a case they are skipped, and where the world does not work they fail.

use std::sync::Arc;

use flowswap_conformance::{Check, Group, MakeWorld, Outcome, Report, SessionConfig, World, serde_json::Value};

use crate::{gateway::Gateway, seeded, world::Clients};

#[test]
fn a_world_that_the_host_opens_no_session_in_fails_every_group_that_needs_one() {
    for (spoil, expect) in [
        (as_http as fn(&mut SessionConfig), "`http://rogue.test` is not an https origin"),
        (without_base, "`base_url` is missing"),
    ] {
        let report = run(&Group::ALL, Arc::new(move || Box::new(Spoilt { world: Clients::new(None), spoil })));
        for group in Group::ALL {
            let failures: Vec<String> = of(&report, group).filter_map(failure).collect();
            match group {
                Group::Hello => assert_eq!(failures, Vec::<String>::new()),
                _ => assert!(failures.iter().any(|seen| seen.contains(expect)), "{group:?}: {failures:?}"),
            }
        }
        assert!(!report.is_clean());
    }
}

#[test]
fn a_check_without_a_case_is_skipped_and_says_why() {
    let attended: MakeWorld = Arc::new(|| Box::new(Clients::new(Some("attended-well"))));
    let idle: MakeWorld = Arc::new(|| Box::new(Spoilt { world: Clients::new(None), spoil: without_clients }));
    let silent: MakeWorld = Arc::new(|| Box::new(Clients::new(Some("no-access-test"))));
    for (world, id, expect) in [
        (&attended, "undo.twice", "no step of the plan is undone by the plugin"),
        (&attended, "lost.undo.after", "no step of the plan is undone by the plugin"),
        (&attended, "lost.apply.undone", "no step of the plan is undone by the plugin"),
        (&idle, "lost.apply.after", "no request was made"),
        (&idle, "errors.500", "no request was made"),
        (&idle, "protocol.cancel", "`detect` asks for nothing"),
        (&idle, "detect.dropped", "`detect` makes no request"),
        (&silent, "access.pure", "`test` without a step is unsupported"),
    ] {
        let report = run(&[Group::of(id).unwrap()], Arc::clone(world));
        let check = report.checks.iter().find(|check| check.id == id).unwrap();
        assert_eq!(check.outcome, Outcome::Skipped { why: expect.to_owned() }, "{id}");
    }
}

#[test]
fn passes_say_how_many_cases_they_had() {
    let report = run(&[Group::Laws], Arc::new(|| Box::new(Clients::new(None))));
    // It provisions and retires.
    let twice = report.checks.iter().find(|check| check.id == "undo.twice").unwrap();
    assert_eq!(twice.outcome, Outcome::Passed { cases: 2 });
}

#[test]
fn the_world_of_the_documentation_is_one_to_be_migrated() {
    let report = run(&[Group::Looks], Arc::new(|| Box::new(Gateway::new())));
    let sound = report.checks.iter().find(|check| check.id == "plan.sound").unwrap();
    assert_eq!(sound.outcome, Outcome::Passed { cases: 1 }, "{report}");
}

/// A world that a session does not open in, or in which there is nothing to do.
struct Spoilt {
    world: Clients,
    spoil: fn(&mut SessionConfig),
}

fn as_http(session: &mut SessionConfig) {
    session.config.insert("base_url".to_owned(), "http://rogue.test".into());
}

fn without_base(session: &mut SessionConfig) {
    session.config.remove("base_url");
}

fn without_clients(session: &mut SessionConfig) {
    session.config.remove("clients");
}

impl World for Spoilt {
    fn session(&self) -> SessionConfig {
        let mut session = self.world.session();
        (self.spoil)(&mut session);
        session
    }

    fn http(&self) -> flowswap_conformance::HttpService {
        self.world.http()
    }

    fn snapshot(&self) -> Value {
        self.world.snapshot()
    }

    fn other_side(&self) -> flowswap_contract::Inventory {
        self.world.other_side()
    }

    fn secrets(&self) -> Vec<String> {
        self.world.secrets()
    }
}

fn run(groups: &[Group], world: MakeWorld) -> Report {
    let kit = seeded::without_world(seeded::library()).world(world);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut whole = Report { plugin: "rogue".to_owned(), checks: Vec::new() };
        for group in groups {
            whole.checks.extend(kit.run_group(*group).await.checks);
        }
        whole
    })
}

fn of(report: &Report, group: Group) -> impl Iterator<Item = &Check> {
    report.checks.iter().filter(move |check| Group::of(check.id) == Some(group))
}

fn failure(check: &Check) -> Option<String> {
    match &check.outcome {
        Outcome::Failed(failure) => Some(failure.seen.clone()),
        _ => None,
    }
}

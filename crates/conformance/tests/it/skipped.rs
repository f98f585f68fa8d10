//! Checks that cannot run: without a case they are skipped, and if the world does not work they fail.

use std::sync::Arc;

use flowswap_conformance::{Check, Group, MakeWorld, Outcome, Report, SessionConfig, World, serde_json::Value};

use crate::{gateway::Gateway, seeded, world::Clients};

#[test]
fn a_world_without_a_working_session_fails_every_group_that_needs_one() {
    for (alter, expect) in [
        (as_http as fn(&mut SessionConfig), "`http://rogue.test` is not an https origin"),
        (without_base, "`base_url` is missing"),
    ] {
        let report = run(&Group::ALL, Arc::new(move || Box::new(AlteredWorld { world: Clients::new(None), alter })));
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
fn a_check_without_a_case_is_skipped_with_a_reason() {
    let attended: MakeWorld = Arc::new(|| Box::new(Clients::new(Some("attended-well"))));
    let idle: MakeWorld = Arc::new(|| Box::new(AlteredWorld { world: Clients::new(None), alter: without_clients }));
    let silent: MakeWorld = Arc::new(|| Box::new(Clients::new(Some("no-access-test"))));
    for (world, id, expect) in [
        (&attended, "undo.twice", "the plugin undoes no step of the plan"),
        (&attended, "lost.undo.after", "the plugin undoes no step of the plan"),
        (&attended, "lost.apply.undone", "the plugin undoes no step of the plan"),
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
fn a_passed_check_reports_its_number_of_cases() {
    let report = run(&[Group::Steps], Arc::new(|| Box::new(Clients::new(None))));
    // The rogue has two steps that can be undone: `provision` and `retire`.
    let twice = report.checks.iter().find(|check| check.id == "undo.twice").unwrap();
    assert_eq!(twice.outcome, Outcome::Passed { cases: 2 });
}

#[test]
fn the_tenant_in_the_world_of_the_documentation_is_ready() {
    let report = run(&[Group::ReadOnly], Arc::new(|| Box::new(Gateway::new())));
    let sound = report.checks.iter().find(|check| check.id == "plan.sound").unwrap();
    assert_eq!(sound.outcome, Outcome::Passed { cases: 1 }, "{report}");
}

/// A world with an altered session: one that does not open, or one without any request.
struct AlteredWorld {
    world: Clients,
    alter: fn(&mut SessionConfig),
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

impl World for AlteredWorld {
    fn session(&self) -> SessionConfig {
        let mut session = self.world.session();
        (self.alter)(&mut session);
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

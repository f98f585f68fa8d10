//! Wrong moves in the console, one by one. A rule catches each of them before the legacy client is retired.

use std::collections::BTreeSet;

use flowswap_engine::EVIDENCE_RULES;
use flowswap_sim::{Mutation, SimTenant};
use serde_json::Value;

use super::{
    MINUTE, let_sync, only,
    person::{Form, legacy_client, reconnect, service_client, try_test},
    waiting,
};
use crate::support::Lab;

/// A wrong move and the rule that catches it.
struct Move {
    name: &'static str,
    /// Whether the tenant collects application data.
    app_data: bool,
    act: fn(&Lab, &SimTenant),
    rule: &'static str,
}

fn right(lab: &Lab, tenant: &SimTenant) -> Form {
    Form::right(lab, tenant)
}

fn act(lab: &Lab, tenant: &SimTenant, form: &Form) {
    reconnect(lab, tenant, &tenant.directory_id, form);
}

const MOVES: &[Move] = &[
    Move {
        name: "tested and not submitted",
        app_data: false,
        act: |lab, tenant| act(lab, tenant, &Form { submits: false, ..right(lab, tenant) }),
        rule: "legacy-still-active",
    },
    Move {
        name: "the old id and secret after the test",
        app_data: false,
        act: |lab, tenant| {
            let afterwards = Some(legacy_client(lab, tenant));
            act(lab, tenant, &Form { afterwards, ..right(lab, tenant) });
        },
        rule: "credentials-refused",
    },
    Move {
        name: "a secret with a slip after the test",
        app_data: false,
        act: |lab, tenant| {
            let form = right(lab, tenant);
            let afterwards = Some((form.client_id.clone(), form.client_secret.to_ascii_uppercase()));
            act(lab, tenant, &Form { afterwards, ..form });
        },
        rule: "credentials-refused",
    },
    Move {
        name: "the directory renamed",
        app_data: false,
        act: |lab, tenant| act(lab, tenant, &Form { name: "corporate".to_owned(), ..right(lab, tenant) }),
        rule: "directory-renamed",
    },
    Move {
        name: "the box of applications left clear",
        app_data: true,
        act: |lab, tenant| act(lab, tenant, &Form { applications: false, ..right(lab, tenant) }),
        rule: "app-data-lost",
    },
    Move {
        name: "the box of applications ticked for the plain integration",
        app_data: false,
        act: |lab, tenant| act(lab, tenant, &Form { applications: true, ..right(lab, tenant) }),
        rule: "app-data-lost",
    },
    Move {
        name: "the authorization-code flow chosen again",
        app_data: false,
        act: |lab, tenant| {
            act(lab, tenant, &right(lab, tenant));
            go_on(lab);
            act(lab, tenant, &Form::back(lab, tenant));
        },
        rule: "legacy-still-active",
    },
    Move {
        name: "green and a tenth of the users gone",
        app_data: false,
        act: |lab, tenant| {
            act(lab, tenant, &right(lab, tenant));
            let users = lab.directory(tenant).sync.users / 10;
            lose(lab, tenant, users, 0);
        },
        rule: "users-lost",
    },
    Move {
        name: "green and a group gone",
        app_data: false,
        act: |lab, tenant| {
            act(lab, tenant, &right(lab, tenant));
            lose(lab, tenant, 0, 1);
        },
        rule: "groups-lost",
    },
    Move {
        name: "the service client's scope for users taken away",
        app_data: false,
        act: |lab, tenant| {
            let form = right(lab, tenant);
            act(lab, tenant, &form);
            let (org, client) = (tenant.domain.clone(), form.client_id);
            lab.sim.mutate(Mutation::RemoveScope { org, client, scope: "okta.users.read".to_owned() }).unwrap();
        },
        rule: "users-lost",
    },
    Move {
        name: "the service client revoked",
        app_data: false,
        act: |lab, tenant| {
            let form = right(lab, tenant);
            act(lab, tenant, &form);
            go_on(lab);
            let (org, client) = (tenant.domain.clone(), form.client_id);
            lab.sim.mutate(Mutation::RevokeServiceClient { org, client }).unwrap();
        },
        rule: "sync-stalled",
    },
];

fn lose(lab: &Lab, tenant: &SimTenant, users: usize, groups: usize) {
    let directory = tenant.directory_id.clone();
    lab.sim.mutate(Mutation::LoseObjects { directory, users, groups }).unwrap();
}

#[test]
fn each_wrong_move_is_caught_by_its_rule_before_the_legacy_client_is_retired() {
    // Two at a time, because most of the time is spent waiting.
    std::thread::scope(|threads| {
        for cases in MOVES.chunks(MOVES.len().div_ceil(2)) {
            threads.spawn(move || cases.iter().for_each(catch));
        }
    });
    // These rules catch no wrong move of a person; other tests cover them.
    let others = ["members-changed", "directory-missing", "new-client-blind", "rate-limited", "secret-not-updated"];
    let rules = EVIDENCE_RULES.iter().map(|rule| rule.id).filter(|rule| !others.contains(rule));
    let caught: BTreeSet<&str> = MOVES.iter().map(|case| case.rule).collect();
    assert_eq!(caught, rules.collect(), "every rule has a move");
}

fn catch(case: &Move) {
    let lab = waiting(2);
    let tenant = lab.sim.tenants().into_iter().find(|tenant| tenant.app_data == case.app_data).unwrap();
    (case.act)(&lab, &tenant);
    let name = tenant.name.as_str();
    go_on(&lab);
    // Longer than anybody would wait: some syncs take place, and half an hour passes.
    for _ in 0..3 {
        let_sync(&lab, 3);
        go_on(&lab);
    }
    lab.sim.clock().advance(31 * MINUTE);
    go_on(&lab);

    let state = lab.states().into_iter().find(|(known, _)| known == name).unwrap().1;
    assert!(["stuck", "soaking", "waiting"].contains(&state.as_str()), "{}: {state}", case.name);
    let rules = rules(&lab, name);
    assert!(rules.contains(case.rule), "{}: {state}, {rules:?}\n{}", case.name, lab.run(&["evidence", name]).stdout);
    expect_a_task(&lab, name, case);
    let refused = lab.run(&["finalize", name, "--yes"]);
    assert!([3, 6].contains(&refused.code), "{}: {}", case.name, refused.show());
    assert_eq!(lab.org(&tenant).legacy[0].status, "ACTIVE", "{}: it was retired", case.name);
}

/// A person made a mistake, so `next` must say what to do, with commands that apply to the tenant.
fn expect_a_task(lab: &Lab, name: &str, case: &Move) {
    let listed = lab.json(&["next", name, "--fail-on", "never"], 0);
    let [row] = listed["tenants"].as_array().unwrap().as_slice() else {
        panic!("{}: `next` does not list {name}: {}", case.name, lab.run(&["evidence", name]).stdout);
    };
    assert!(["run-sheet", "confirm", "decide"].contains(&row["kind"].as_str().unwrap()), "{row}");
    // These change nothing.
    let shows =
        |command: &&str| ["sheet", "stuck", "explain"].iter().any(|word| command.contains(&format!(" {word} ")));
    let commands = row["next"].as_array().unwrap().iter().map(|command| command.as_str().unwrap());
    let shown =
        commands.filter(shows).map(|command| lab.run(&command.split(' ').skip(1).collect::<Vec<_>>()).expect(0));
    assert!(shown.count() > 0, "{}: {row}", case.name);
}

/// Confirms every waiting tenant, rightly or not, and continues the plan. Ignores the exit codes; the caller checks the
/// result.
fn go_on(lab: &Lab) {
    for tenant in lab.in_state("waiting") {
        let _ = lab.run(&["confirm", &tenant]);
    }
    let _ = lab.run(&["apply", "plan.json", "--yes"]);
}

/// The rules that the latest checks of the tenant's steps named.
fn rules(lab: &Lab, tenant: &str) -> BTreeSet<String> {
    let evidence = lab.json(&["evidence", tenant], 0);
    let mut rules = BTreeSet::new();
    collect(&evidence, &mut rules);
    rules
}

fn collect(value: &Value, rules: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let failed = members.get("result").is_some_and(|result| result == "fail");
            rules.extend(members.get("rule").and_then(Value::as_str).filter(|_| failed).map(str::to_owned));
            members.values().for_each(|member| collect(member, rules));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, rules)),
        _ => {}
    }
}

/// The other directory of the group belongs to another org, so its connection test fails and nothing can be submitted.
/// If a person confirms the step anyway, flowswap reports what it expects and what it sees.
#[test]
fn another_directory_accepts_nothing_and_a_false_confirmation_changes_nothing() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let neighbor = tenant.neighbor_id.clone().unwrap();
    let page = try_test(&lab, &tenant, &neighbor, &right(&lab, &tenant));
    assert!(page.contains(">Failed: "), "{page}");
    let_sync(&lab, 2);
    let told = lab.run(&["confirm", "acme", "--note", "done at noon"]).expect(4);
    let (client, _) = service_client(&lab, &tenant);
    let expected = format!("an access token for {client} that flowswap did not request");
    for words in [
        "but flowswap does not see the change; expected: ",
        &expected,
        "; found: ",
        "nobody except flowswap has received one since",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    assert_eq!(lab.in_state("waiting"), ["acme"]);
}

//! Rehearsals: one tenant shows that others like it can be migrated and rolled back.

use flowswap_sim::{Scenario, SimConfig};

use crate::{
    guided::{
        self, UNTIL_TOKENS_EXPIRED, let_sync,
        person::{Form, reconnect},
    },
    support::Lab,
};

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

#[test]
fn a_wave_begins_after_a_rehearsal_and_the_same_plan_goes_on() {
    let waves = "[[wave]]\nname = \"canary\"\npick = { tenants = \"acme\" }\n[[wave]]\nname = \"others\"\nrequires = \"rehearsal\"\n";
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 4]).app_data_every(0));
    lab.edit_config(|text| format!("{waves}\n{text}"));
    lab.plan().expect(0);
    let shown = lab.run(&["show", "plan.json", "--as", "markdown"]).expect(0).stdout;
    assert!(shown.contains("| others | swapped, and a rehearsal | 3 |"), "{shown}");
    let held = lab.json(&APPLY, 4);
    assert_eq!(held["held"]["reason"], "nobody has rehearsed a tenant like `globex` with these plugins");
    assert_eq!(held["held"]["next"], "flowswap rehearse globex --plan plan.json");
    assert_eq!(lab.in_state("swapped"), ["acme"], "the canary is swapped");

    let refused = lab.run(&["rehearse", "acme", "--yes"]).expect(6).stderr;
    assert!(refused.contains("the tenant `acme` is swapped already, and not for a rehearsal"), "{refused}");
    // The new client stays until nothing can use its tokens.
    let waiting = lab.run(&["rehearse", "globex", "--yes"]).expect(4);
    assert!(waiting.stdout.contains("the previous connection is back"), "{}", waiting.show());
    lab.outlive_tokens();
    let told = lab.run(&["rehearse", "globex", "--yes"]).expect(0);
    let receipt = told
        .stdout
        .lines()
        .find(|line| line.starts_with("globex: rehearsed with plan "))
        .unwrap_or_else(|| panic!("{}", told.show()));
    assert!(
        receipt.contains("; swapped and proven at ") && receipt.contains(", rolled back and proven at "),
        "{receipt}"
    );
    assert!(told.stdout.ends_with("next: flowswap apply plan.json\n"), "{}", told.stdout);
    assert_eq!(lab.in_state("rolled-back"), ["globex"]);

    lab.run(&APPLY).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 4);
    lab.audit(4);
    lab.run(&["audit", "verify"]).expect(0);
}

#[test]
fn a_rehearsal_is_one_json_document() {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 2]));
    let unplanned = lab.run(&["rehearse", "acme", "--yes"]).expect(2).stderr;
    assert!(unplanned.contains("the tenant `acme` has no plan yet"), "{unplanned}");
    lab.plan().expect(0);
    let begun = lab.json(&["rehearse", "acme", "globex", "--yes"], 4);
    assert_eq!(begun["tenants"][0]["next"], "flowswap rehearse acme");
    lab.outlive_tokens();
    let report = lab.json(&["rehearse", "acme", "globex", "--yes"], 0);
    let rows = report["tenants"].as_array().unwrap();
    for row in rows {
        assert_eq!(
            (row["state"].as_str(), row["next"].as_str()),
            (Some("rolled-back"), Some("flowswap apply plan.json"))
        );
        assert!(row["rehearsed"]["swapped_at"].is_string(), "{row}");
    }
    assert_eq!(rows.len(), 2);
}

/// With a person in it, a rehearsal takes several commands. Nothing else takes its place meanwhile.
#[test]
fn a_person_takes_part_in_a_rehearsal() {
    let lab = guided::lab(1);
    lab.plan().expect(0);
    let tenant = lab.sim.tenants().remove(0);
    let rehearse = ["rehearse", "acme", "--yes"];
    lab.run(&rehearse).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"]);
    let refused = lab.run(&APPLY).expect(6).stdout;
    assert!(refused.contains("a rehearsal is under way"), "{refused}");

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    let next = |lab: &Lab| lab.json(&["status"], 0)["tenants"][0]["next"].clone();
    assert_eq!(next(&lab), "flowswap rehearse acme");
    let_sync(&lab, 2);
    lab.run(&rehearse).expect(4);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    let back = lab.run(&rehearse).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"], "a person must reconnect it as before: {}", back.show());
    let finalize = lab.run(&["finalize", "acme", "--yes"]).expect(6).stderr;
    assert!(finalize.contains("rehearsal"), "{finalize}");

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::back(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED + 2);
    let done = lab.run(&rehearse).expect(0);
    assert!(done.stdout.contains("acme: rehearsed with plan "), "{}", done.show());
    assert_eq!(next(&lab), "flowswap apply plan.json");
}

#[test]
fn a_rehearsal_that_is_over_does_not_begin_again_and_a_blocked_tenant_begins_none() {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready, Scenario::LegacyInactive]));
    let names: Vec<String> = lab.sim.tenants().into_iter().map(|tenant| tenant.name).collect();
    lab.plan().expect(4);
    let blocked = lab.run(&["rehearse", &names[1], "--yes"]).expect(2).stderr;
    assert!(blocked.contains("it is blocked") && blocked.contains("flowswap detect"), "{blocked}");
    let rehearse = ["rehearse", names[0].as_str(), "--yes"];
    lab.run(&rehearse).expect(4);
    lab.outlive_tokens();
    lab.run(&rehearse).expect(0);
    let before = lab.sim.world().orgs[0].requests.mutate;
    let again = lab.run(&rehearse).expect(0);
    assert!(again.stderr.contains("these tenants are rehearsed"), "{}", again.show());
    assert_eq!(lab.sim.world().orgs[0].requests.mutate, before, "nothing was done");
}

/// Nothing began, so the rehearsal goes on by its own command, and not only with its first half.
#[test]
fn a_rehearsal_of_a_tenant_that_could_not_be_read_goes_on_as_one() {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 2]));
    lab.edit_config(|text| format!("[run]\nsoak = \"48h\"\n{text}"));
    lab.plan().expect(0);
    let tenant = lab.sim.tenants()[0].clone();
    let token = lab.path("tokens/acme.token");
    std::fs::write(&token, "00bad").unwrap();
    let unread = &lab.json(&["rehearse", "acme", "--yes"], 4)["tenants"][0];
    assert_eq!(unread["next"], "flowswap rehearse acme");
    assert!(unread["reason"].as_str().unwrap().starts_with("could not read the provider again"), "{unread}");
    std::fs::write(&token, &tenant.admin_token).unwrap();
    // Somebody uses the other command all the same.
    let resumed = lab.run(&["resume", "acme", "--yes"]).expect(4);
    assert!(
        resumed.stderr.contains("acme: the rehearsal ends with a rollback; next: flowswap rehearse acme"),
        "{}",
        resumed.show()
    );
    let shown = lab.json(&["status", "acme"], 0);
    assert_eq!(shown["tenants"][0]["next"], "flowswap rehearse acme");
    assert_eq!(shown["tenants"][0]["finalize_from"], serde_json::Value::Null);
    lab.run(&["rehearse", "acme", "--yes"]).expect(4);
    lab.outlive_tokens();
    lab.run(&["rehearse", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

//! Confirm: the syncs that checks note for each other, and every rule about losses.

use flowswap_contract::{Error, TestReply, Values};
use serde_json::{Value, json};

use crate::{
    SWAPPED_AT,
    driver::{Driver, results},
    fake::FakeCie,
    open, params_of, plan, table, test,
};

/// A session after the swap.
struct Migration {
    plugin: Driver<flowswap_cie_guided::CieGuided>,
    cie: FakeCie,
    steps: Value,
    before: Values,
    notes: Values,
}

impl Migration {
    fn new(app_data: bool) -> Self {
        Self::of(FakeCie::new(), table(), app_data)
    }

    fn of(mut cie: FakeCie, table: Value, app_data: bool) -> Self {
        let mut plugin = open(table);
        let steps = plan(&mut plugin, &mut cie, app_data);
        let taken = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
        plugin.asked.clear();
        Self { plugin, cie, steps, before: taken.outputs, notes: Values::new() }
    }

    /// Checks once, at this time and with this last success.
    fn check(&mut self, now: &str, last_success: &'static str) -> Result<TestReply, Error> {
        // This machine's clock is a day behind; that must not matter.
        self.plugin.now = now.replace("01-01T", "01-00T").replace("2026-01-00", "2025-12-31");
        self.cie.date = Some(format!("Thu, 01 Jan 2026 {} GMT", &now[11..19]));
        self.cie.last_success = last_success;
        let params = params_of(&self.steps, "confirm", &json!(self.before), json!(self.notes));
        let reply = test(&mut self.plugin, &mut self.cie, params)?;
        self.notes = reply.outputs.clone();
        Ok(reply)
    }

    /// Checks after two syncs, when only people count.
    fn check_after_syncs(&mut self) -> TestReply {
        self.check("2026-01-01T15:10:00Z", "2026-01-01T15:08:00Z").unwrap()
    }
}

const WAITING: [&str; 3] = ["directory: Pass", "sync: Inconclusive", "status: Pass"];
const PEOPLE: [&str; 3] = ["users: Pass", "groups: Pass", "members: Pass"];

#[test]
fn people_are_compared_after_two_syncs() {
    let mut migration = Migration::new(false);
    let first = migration.check("2026-01-01T12:01:00Z", "2026-01-01T11:58:00Z").unwrap();
    assert_eq!(results(&first.evidence), WAITING);
    assert_eq!(first.wait_ms, Some(600_000), "a sync that is 5 minutes later than the swap, and a little");
    let second = migration.check("2026-01-01T12:10:00Z", "2026-01-01T12:08:00Z").unwrap();
    assert_eq!(results(&second.evidence), WAITING);
    assert_eq!(second.outputs["syncs"], json!(["2026-01-01T12:08:00Z"]));
    assert!(!migration.plugin.asked.iter().any(|ask| ask.contains("cache-")), "people are read when it is time");
    let third = migration.check("2026-01-01T12:14:00Z", "2026-01-01T12:13:00Z").unwrap();
    assert_eq!(results(&third.evidence), [&["directory: Pass", "sync: Pass", "status: Pass"][..], &PEOPLE].concat());
    assert_eq!(third.wait_ms, None);
    assert_eq!(
        third.evidence[1].detail,
        format!("syncs more than 5 minutes after the swap at {SWAPPED_AT}: 2026-01-01T12:08:00Z, 2026-01-01T12:13:00Z")
    );
    assert_eq!(third.evidence[3].detail, "2500 users; 0 of the earlier 2500 are missing (allowed: 12)");
}

#[test]
fn one_late_sync_is_enough() {
    let reply = Migration::new(false).check("2026-01-01T12:17:00Z", "2026-01-01T12:15:30Z").unwrap();
    assert_eq!(
        reply.evidence.iter().find(|evidence| evidence.check == "sync").unwrap().result,
        flowswap_contract::EvidenceResult::Pass
    );
}

#[test]
fn applications_take_three_hours_and_the_evidence_says_why() {
    let mut migration = Migration::new(true);
    let of = |reply: &TestReply| reply.evidence.iter().find(|e| e.check == "applications").unwrap().clone();
    let early = migration.check("2026-01-01T12:30:30Z", "2026-01-01T12:28:00Z").unwrap();
    assert_eq!(results(&[of(&early)]), ["applications: Inconclusive"]);
    assert_eq!(early.wait_ms, Some(155 * 60 * 1000), "nothing else is waited for");
    let late = migration.check("2026-01-01T15:05:30Z", "2026-01-01T15:03:00Z").unwrap();
    assert_eq!(results(&[of(&late)]), ["applications: Pass"]);
    assert!(of(&late).detail.ends_with("so this check relies only on the schedule"), "{}", of(&late).detail);
    assert_eq!(late.wait_ms, None);
}

/// Each row: one change after the swap, and the result of the check.
#[test]
fn each_loss_has_its_rule() {
    type Change = fn(&mut FakeCie);
    let table: [(&str, Change, &str, Option<&str>); 17] = [
        ("nothing", |_| {}, "users: Pass", None),
        ("new users", |cie| cie.users += 500, "users: Pass", None),
        ("a few users", |cie| cie.gone_users.extend(0..12), "users: Pass", None),
        ("and their memberships", |cie| cie.gone_users.extend(0..12), "members: Pass", None),
        ("many users", |cie| cie.gone_users.extend(0..13), "users: Fail", Some("users-lost")),
        (
            "as many new ones as went",
            |cie| {
                cie.users += 13;
                cie.gone_users.extend(0..13);
            },
            "users: Fail",
            Some("users-lost"),
        ),
        ("many by the list", |cie| cie.listed = Some((2400, 40)), "users: Fail", Some("users-lost")),
        ("new groups", |cie| cie.everyone = true, "groups: Pass", None),
        ("a group", |cie| _ = cie.gone_groups.insert(7), "groups: Fail", Some("groups-lost")),
        ("a group by the list", |cie| cie.listed = Some((2500, 39)), "groups: Fail", Some("groups-lost")),
        (
            "members",
            |cie| cie.left = (0..40).map(|group| (group, group)).collect(),
            "members: Fail",
            Some("members-changed"),
        ),
        ("other people's memberships", |cie| cie.left = [(99, 99)].into(), "members: Pass", None),
        (
            "the directory",
            |cie| {
                cie.name = "other.okta.test";
                cie.others.clear();
            },
            "directory: Fail",
            Some("directory-missing"),
        ),
        ("its name", |cie| cie.name = "acme", "directory: Fail", Some("directory-renamed")),
        (
            "its name, and another came",
            |cie| {
                cie.name = "acme";
                cie.others.push("unrelated.okta.test");
            },
            "directory: Fail",
            Some("directory-renamed"),
        ),
        ("an unknown status", |cie| cie.status = "In Progress", "status: NotApplicable", None),
        ("a failed sync", |cie| cie.status = "sync_failed", "status: Inconclusive", None),
    ];
    for (what, change, expected, rule) in table {
        let mut migration = Migration::new(false);
        change(&mut migration.cie);
        let reply = migration.check_after_syncs();
        let check = expected.split(':').next().unwrap();
        let found = reply.evidence.iter().find(|evidence| evidence.check == check).unwrap();
        assert_eq!(results(std::slice::from_ref(found)), [expected], "{what}: {}", found.detail);
        assert_eq!(found.rule.as_deref(), rule, "{what}: {}", found.detail);
        let others = reply.evidence.iter().filter(|e| e.rule.is_some() && e.check != check);
        assert_eq!(others.count(), 0, "{what}: {:?}", reply.evidence);
        assert_eq!(reply.wait_ms.is_some(), expected.ends_with("Inconclusive"), "{what}");
    }
}

#[test]
fn the_new_name_is_reported() {
    let mut migration = Migration::new(false);
    migration.cie.others.push("unrelated.okta.test");
    migration.cie.name = "acme";
    let reply = migration.check_after_syncs();
    let detail = &reply.evidence[0].detail;
    assert!(detail.starts_with("acme.okta.test no longer exists, but a new directory acme does"), "{detail}");
}

/// The list may still show the old name when the groups no longer have it.
#[test]
fn groups_with_new_distinguished_names_mean_a_renamed_directory() {
    let mut migration = Migration::new(false);
    migration.cie.dn_suffix = Some("acme");
    let reply = migration.check_after_syncs();
    let groups = reply.evidence.iter().find(|evidence| evidence.check == "groups").unwrap();
    assert_eq!(groups.rule.as_deref(), Some("directory-renamed"), "{}", groups.detail);
}

#[test]
fn a_green_directory_without_syncs_is_stalled() {
    let mut migration = Migration::new(false);
    let early = migration.check("2026-01-01T12:35:29Z", "2026-01-01T11:58:00Z").unwrap();
    assert_eq!(results(&early.evidence), WAITING);
    let late = migration.check("2026-01-01T12:35:30Z", "2026-01-01T11:58:00Z").unwrap();
    assert_eq!(results(&late.evidence), ["directory: Pass", "sync: Fail", "status: Pass"]);
    assert_eq!(late.evidence[1].rule.as_deref(), Some("sync-stalled"));
}

#[test]
fn the_loss_budget_comes_from_the_configuration() {
    let mut generous = table();
    generous["loss_budget"] = json!({"users_percent": 10, "groups": 1});
    let mut migration = Migration::of(FakeCie::new(), generous, false);
    migration.cie.gone_users.extend(0..250);
    migration.cie.gone_groups.insert(7);
    let reply = migration.check_after_syncs();
    assert_eq!(results(&reply.evidence[3..]), PEOPLE);
    migration.cie.gone_users.insert(250);
    migration.cie.gone_groups.insert(8);
    let reply = migration.check_after_syncs();
    assert_eq!(results(&reply.evidence[3..5]), ["users: Fail", "groups: Fail"]);
}

#[test]
fn no_sync_is_judged_without_a_date() {
    let mut migration = Migration::new(false);
    migration.cie.last_success = "2026-01-01T12:40:00Z";
    for date in [None, Some("jeudi".to_owned())] {
        migration.cie.date = date;
        let params = params_of(&migration.steps, "confirm", &json!(migration.before), json!({}));
        let reply = test(&mut migration.plugin, &mut migration.cie, params).unwrap();
        assert_eq!(results(&reply.evidence), ["sync: Inconclusive"]);
    }
}

#[test]
fn an_unreadable_time_neither_passes_nor_stalls() {
    let mut migration = Migration::new(false);
    migration.cie.change_body = Some(|url, mut body| {
        if url.ends_with("/domains") {
            body["result"][0]["status"]["lastSuccessUpdatedOn"] = json!("yesterday");
        }
        body
    });
    let reply = migration.check("2026-01-01T15:10:00Z", "2026-01-01T15:08:00Z").unwrap();
    assert_eq!(results(&reply.evidence), WAITING);
    assert!(reply.evidence[1].detail.contains("shows `yesterday` as its last sync"), "{}", reply.evidence[1].detail);
}

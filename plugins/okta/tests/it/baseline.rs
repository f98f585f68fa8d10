//! Compares what the new client sees with what the directory holds, over several pages and without seeing a name.

use flowswap_contract::{DirectoryInventory, ErrorKind, EvidenceResult, KnownFrom, Op, Role, TestReply, sdk::Crowd};
use flowswap_okta::Okta;
use serde_json::{Value, json};

use crate::{
    directory,
    driver::{Driver, answer, blinded, proposal_of, refused, results, step_params},
    fake::{Failure, FakeOkta, oauth_error, okta_error, service},
    open,
};

const KEY: &str = "CANARY-blinding-key";

/// Users and groups by number.
type Numbers = std::ops::Range<u32>;

fn login(number: u32) -> String {
    format!("Person{number}@Acme.test")
}

fn group(number: u32) -> String {
    format!("Group {number}")
}

/// What the directory holds, as its own plugin hashes it. The case of its names differs from the org's.
fn held(users: Numbers, groups: &[String]) -> Value {
    let hash = |name: &String| blinded(&name.to_uppercase(), KEY);
    let users: Vec<_> = users.map(|number| hash(&login(number))).collect();
    let groups: Vec<_> = groups.iter().map(hash).collect();
    let crowd = |hashes: &[String]| json!(Crowd::of(hashes.iter().map(String::as_str)));
    json!({"at": "2026-01-01T11:00:00Z", "users": crowd(&users), "groups": "", "group_names": crowd(&groups), "sample": []})
}

fn groups(numbers: Numbers) -> Vec<String> {
    numbers.map(group).collect()
}

/// A session, an org that shows these users and groups to the new client, and the step.
fn prepare(users: Numbers, groups: Numbers, held: &Value) -> (Driver<Okta>, FakeOkta, Value) {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    let provider = crate::detect(&mut okta, &mut org);
    let directory = DirectoryInventory { known_from: KnownFrom::Unknown, ..directory(None) };
    let params = json!({"tenant": "acme", "app_data": false, "provider": provider, "directory": directory});
    let steps: Value = okta.call(&mut org, Op::Plan, params).unwrap();
    let proposal = proposal_of(&steps, "baseline");
    assert_eq!(proposal["needs"], json!(["blinding_key", "baseline", "client_id", "client_secret"]));
    assert_eq!(proposal["gives"], json!(["provider_baseline"]));
    okta.asked.clear();

    org.services.push(service("0oaNEW", "panw_cie", "x", &[]));
    org.secrets.push(("0oaNEW".to_owned(), "ocs1".to_owned(), "ACTIVE", "CANARY-held".to_owned()));
    okta.secrets.insert("held".to_owned(), "CANARY-held".to_owned());
    okta.secrets.insert("key".to_owned(), KEY.to_owned());
    let own = |kind: &str, name: String| json!({"type": kind, "profile": {"name": name}});
    org.users = users.map(|number| json!({"status": "ACTIVE", "profile": {"login": login(number)}})).collect();
    org.groups = groups.map(|number| own("OKTA_GROUP", group(number))).collect();
    org.groups.insert(0, own("BUILT_IN", "Everyone".to_owned()));

    let inputs = json!({
        "client_id": "0oaNEW", "client_secret": {"$secret": "held"}, "blinding_key": {"$secret": "key"}, "baseline": held,
    });
    (okta, org, json!({ "step": step_params(Role::Provider, &proposal, inputs, json!({})) }))
}

#[test]
fn the_new_client_must_see_everyone_in_the_directory() {
    use EvidenceResult::{Fail, NotApplicable, Pass};
    let with_everyone = [groups(0..5), vec!["Everyone".to_owned()]].concat();
    let strangers: Vec<_> = (0..5).map(|number| format!("acme.test/Group {number}")).collect();
    // What the directory holds, what Okta shows, and the results for users and for groups.
    let table = [
        ("the same", held(0..9, &groups(0..5)), 0..9, 0..5, Pass, Pass),
        ("more is no loss", held(0..9, &groups(0..5)), 0..12, 0..9, Pass, Pass),
        ("everyone does not count", held(0..9, &with_everyone), 0..9, 0..5, Pass, Pass),
        ("one of 200", held(0..200, &groups(0..5)), 1..200, 0..5, Pass, Pass),
        ("two of 200", held(0..200, &groups(0..5)), 2..200, 0..5, Fail, Pass),
        ("one of 199", held(0..199, &groups(0..5)), 1..199, 0..5, Fail, Pass),
        ("one group", held(0..9, &groups(0..5)), 0..9, 1..5, Pass, Fail),
        ("another one instead", held(0..9, &groups(0..5)), 0..9, 1..9, Pass, Fail),
        ("nothing", held(0..9, &groups(0..5)), 0..0, 0..0, Fail, Fail),
        ("few", held(0..100, &groups(0..5)), 0..10, 0..5, Fail, Pass),
        ("half is in common", held(0..10, &groups(0..5)), 5..20, 0..5, Fail, Pass),
        ("less than half is", held(0..10, &groups(0..5)), 6..20, 0..5, NotApplicable, Pass),
        ("others' names", held(0..9, &strangers), 0..9, 0..5, Pass, NotApplicable),
        ("others' names, and fewer", held(0..9, &strangers), 0..9, 0..2, Pass, Fail),
        ("an empty directory", held(0..0, &[]), 0..9, 0..5, NotApplicable, NotApplicable),
    ];
    for (case, held, users, groups, for_users, for_groups) in table {
        let (mut okta, mut org, params) = prepare(users, groups, &held);
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        let expected = [("token", Pass), ("users-visible", for_users), ("groups-visible", for_groups)];
        let seen: Vec<_> = reply.evidence.iter().map(|e| (e.check.as_str(), e.result)).collect();
        assert_eq!(seen, expected, "{case}: {:?}", reply.evidence);
        for evidence in &reply.evidence {
            let expected = (evidence.result == Fail).then_some("new-client-blind");
            assert_eq!(evidence.rule.as_deref(), expected, "{case}: {}", evidence.detail);
        }
    }
}

#[test]
fn all_pages_are_read_without_names() {
    let (mut okta, mut org, params) = prepare(0..5, 0..4, &held(0..5, &groups(0..4)));
    let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
    insta::assert_snapshot!("baseline-asks", okta.asked.join("\n"));
    let given = &reply.outputs["provider_baseline"];
    assert_eq!(given["counts"], json!({"users": 5, "groups": 4}), "without Everyone");
    assert_eq!(given["at"], "2026-01-01T12:00:00Z");
    let users: Crowd = serde_json::from_value(given["users"].clone()).unwrap();
    let names: Crowd = serde_json::from_value(given["group_names"].clone()).unwrap();
    assert!(users.len() == 5 && (0..5).all(|number| users.contains(&blinded(&login(number), KEY))));
    assert!(names.len() == 5 && names.contains(&blinded("everyone", KEY)));
    let text = serde_json::to_string(&reply).unwrap().to_lowercase();
    assert!(!text.contains("acme.test") && !text.contains("group 1"), "{text}");
}

#[test]
fn refused_reads_are_reported() {
    let table: [(&str, Failure, &[&str]); 4] = [
        ("/token", Failure::Answer(oauth_error(403, "access_denied")), &["token: Fail"]),
        (
            "/api/v1/users",
            Failure::Answer(okta_error(403, "E0000006")),
            &["token: Pass", "users-visible: Fail", "groups-visible: Pass"],
        ),
        (
            "/api/v1/groups?after",
            Failure::Answer(answer(403, Value::Null)),
            &["token: Pass", "users-visible: Pass", "groups-visible: Fail"],
        ),
        ("nothing", Failure::LoseAnswer, &["token: Pass", "users-visible: Pass", "groups-visible: Pass"]),
    ];
    for (at, failure, expected) in table {
        let (mut okta, mut org, params) = prepare(0..5, 0..4, &held(0..5, &groups(0..4)));
        org.fail(at, failure);
        let reply: TestReply = okta.call(&mut org, Op::Test, &params).unwrap();
        assert_eq!(results(&reply.evidence), expected, "{at}");
        let is_whole = reply.evidence.iter().all(|e| e.result == EvidenceResult::Pass);
        assert_eq!(reply.outputs.contains_key("provider_baseline"), is_whole, "{at}");
        let refusal = reply.evidence.iter().find(|e| e.check != "token" && e.result == EvidenceResult::Fail);
        assert!(
            refusal.is_none_or(|e| e.rule.as_deref() == Some("new-client-blind") && e.request_id.is_some()),
            "{at}"
        );
    }
    let (mut okta, mut org, params) = prepare(0..5, 0..4, &held(0..5, &groups(0..4)));
    org.fail("/api/v1/users?after", Failure::Answer(okta_error(500, "E0000009")));
    assert_eq!(refused(okta.call::<TestReply>(&mut org, Op::Test, &params)).kind, ErrorKind::Unavailable);
}

#[test]
fn a_malformed_baseline_is_refused() {
    for (held, expected) in [
        (Value::Null, "does not decode"),
        (json!({"users": "abc", "group_names": ""}), "expected a sequence of hashes"),
        (json!({"users": ""}), "missing field `group_names`"),
    ] {
        let (mut okta, mut org, params) = prepare(0..1, 0..1, &held);
        let error = refused(okta.call::<TestReply>(&mut org, Op::Test, &params));
        assert_eq!(error.kind, ErrorKind::Protocol, "{held}");
        assert!(error.message.contains(expected), "{held}: {}", error.message);
        assert!(okta.asked.is_empty(), "{held}");
    }
}

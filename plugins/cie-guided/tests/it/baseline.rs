//! The baseline reads every page once, keeps no names, leaves Everyone out, and uses one key for all attempts.

use flowswap_contract::{ErrorKind, sdk::Crowd};
use serde_json::{Value, json};

use crate::{
    driver::{answer, blinded, refused, results},
    fake::FakeCie,
    open, params_of, plan, table, test,
};

/// The hash of a text with the key that the plugin minted.
fn hash(text: &str) -> String {
    blinded(text, "CANARY-blinding_key")
}

fn crowd(value: &Value) -> Crowd {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn everything_is_read_once_and_kept_as_hashes() {
    let (mut plugin, mut cie) = (open(table()), FakeCie { everyone: true, ..FakeCie::new() });
    let steps = plan(&mut plugin, &mut cie, true);
    let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    insta::assert_snapshot!("baseline-asks", plugin.asked.join("\n"));
    assert_eq!(results(&reply.evidence), ["users: Pass", "groups: Pass", "sample: Pass"]);
    assert_eq!(reply.evidence[0].detail, "2500 users");
    assert_eq!(reply.evidence[1].detail, "40 groups", "Everyone does not count");

    let baseline = &reply.outputs["baseline"];
    assert_eq!(baseline["at"], "2026-01-01T12:00:00Z");
    assert_eq!(baseline["last_success"], "2026-01-01T11:58:00Z");
    assert_eq!((&baseline["counts"]["users"], &baseline["counts"]["groups"]), (&json!(2500), &json!(40)));
    assert_eq!(baseline["directories"], json!(["acme.okta.test", "other.okta.test"]));
    let users = crowd(&baseline["users"]);
    assert_eq!(users.len(), 2500);
    assert!(users.contains(&hash("user0@acme.test")) && users.contains(&hash("user2499@acme.test")));
    let groups = crowd(&baseline["groups"]);
    assert_eq!((groups.len(), crowd(&baseline["group_names"]).len()), (40, 40));
    assert!(groups.contains(&hash(&cie.dn(0))) && !groups.contains(&hash("CN=Everyone")));
    let text = serde_json::to_string(&reply).unwrap();
    assert!(!text.contains("acme.test") && !text.contains("Group "), "a name was kept: {text}");
}

#[test]
fn the_sample_has_the_groups_with_the_smallest_hashes() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let steps = plan(&mut plugin, &mut cie, true);
    let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    let mut by_hash: Vec<_> = (0..cie.groups).map(|group| (hash(&cie.dn(group)), group)).collect();
    by_hash.sort();
    let sample = reply.outputs["baseline"]["sample"].as_array().unwrap();
    assert_eq!(sample.len(), 3);
    for (sampled, (expected, group)) in sample.iter().zip(by_hash) {
        assert_eq!(sampled["group"], expected);
        let members = crowd(&sampled["members"]);
        assert_eq!(members.len(), cie.members(group).count());
        for user in cie.members(group) {
            assert!(members.contains(&hash(&format!("user{user}@acme.test"))), "{user}");
        }
    }
}

#[test]
fn groups_with_too_many_members_are_left_out_of_the_sample() {
    let (mut plugin, mut cie) = (open(table()), FakeCie { users: 20_002, groups: 2, ..FakeCie::new() });
    let steps = plan(&mut plugin, &mut cie, true);
    let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    assert_eq!(reply.outputs["baseline"]["sample"], json!([]));
    assert_eq!(reply.evidence[2].detail, "0 groups with 0 members in total");
}

#[test]
fn a_second_attempt_uses_the_same_key() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let steps = plan(&mut plugin, &mut cie, true);
    let first = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    plugin.asked.clear();
    let again = params_of(&steps, "baseline", &json!({}), json!(first.outputs));
    let second = test(&mut plugin, &mut cie, again).unwrap();
    assert_eq!(first.outputs, second.outputs);
    assert!(!plugin.asked.iter().any(|ask| ask.starts_with("mint")), "{:?}", plugin.asked);
}

#[test]
fn counts_that_do_not_match_are_reported() {
    let said = |cie: &mut FakeCie| {
        let mut plugin = open(table());
        let steps = plan(&mut plugin, cie, true);
        let reply = test(&mut plugin, cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
        let evidence = reply.evidence.into_iter().take(2);
        evidence.map(|evidence| format!("{:?}: {}", evidence.result, evidence.detail)).collect::<Vec<_>>()
    };
    let mut cie = FakeCie { listed: Some((2501, 41)), ..FakeCie::new() };
    let differs =
        ["Pass: 2500 users; the list of directories shows 2501", "Pass: 40 groups; the list of directories shows 41"];
    assert_eq!(said(&mut cie), differs);

    let mut cie = FakeCie { users: 0, listed: Some((2500, 40)), ..FakeCie::new() };
    let nobody = "Fail: 0 users; the list of directories shows 2500";
    assert_eq!(said(&mut cie)[0], nobody);

    let mut cie = FakeCie { users: 0, listed: Some((0, 40)), ..FakeCie::new() };
    assert_eq!(said(&mut cie)[0], "Pass: 0 users", "an empty directory is one");
}

#[test]
fn malformed_and_endless_pages_are_refused() {
    let take = |cie: &mut FakeCie| {
        let mut plugin = open(table());
        let steps = plan(&mut plugin, &mut FakeCie::new(), true);
        let error = refused(test(&mut plugin, cie, params_of(&steps, "baseline", &json!({}), json!({}))));
        assert!(plugin.asked.len() < 10, "{:?}", plugin.asked);
        error
    };
    let error = take(&mut FakeCie { endless: true, ..FakeCie::new() });
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("endless pages of users: 1000 remain"), "{}", error.message);

    let result = |result: Value| answer(200, json!({"success": true, "result": result}));
    let table = [
        (result(json!({"data": {"domains": []}})), ErrorKind::Invalid, "does not say how many remain"),
        (result(json!({"data": "x", "remains": 0})), ErrorKind::Invalid, "has no list at /result/data/domains"),
        (
            result(json!({"data": {"domains": ["x"]}, "remains": 1000})),
            ErrorKind::Invalid,
            "has a domain without a list of objects",
        ),
        (
            result(json!({"data": {"domains": [{"objects": []}]}, "remains": 1000})),
            ErrorKind::Invalid,
            "is empty, but says that 1000 remain",
        ),
        (
            result(json!({"data": {"domains": [{"objects": ["x"]}]}, "remains": 0})),
            ErrorKind::Invalid,
            "has a domain without a list of objects",
        ),
        (result(json!("x")), ErrorKind::Invalid, "does not say how many remain"),
        (answer(200, json!("<html>")), ErrorKind::Invalid, "does not say how many remain"),
        (
            answer(403, json!({"message": "no"})),
            ErrorKind::Permission,
            "refused to show users of acme.okta.test: 403: no",
        ),
        (
            answer(403, Value::Null),
            ErrorKind::Unavailable,
            "something between this machine and the directory service may have answered",
        ),
    ];
    for (page, kind, message) in table {
        let mut cie = FakeCie::new();
        cie.refusal = Some(("/cache-users", page));
        let error = take(&mut cie);
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

/// The body with other names for the attributes of its objects. An attribute with an empty name is left out.
fn rename(mut body: Value, names: &[(&str, &str)]) -> Value {
    let Some(domains) = body.pointer_mut("/result/data/domains").and_then(Value::as_array_mut) else { return body };
    for object in domains.iter_mut().flat_map(|domain| domain["objects"].as_array_mut().unwrap()) {
        let object = object.as_object_mut().unwrap();
        for (from, to) in names {
            let value = object.remove(*from);
            if let (Some(value), false) = (value, to.is_empty()) {
                object.insert((*to).to_owned(), value);
            }
        }
    }
    body
}

const RAW: [(&str, &str); 4] = [
    ("Distinguished Name", "dn"),
    ("Name", "name"),
    ("Unique Identifier", "objectGUID"),
    ("User Principal Name", "userPrincipalName"),
];

/// Each row: how the interface names attributes, then which one identifies users and groups, and how many groups the sample has.
#[test]
fn any_known_attribute_can_identify_objects() {
    type Change = fn(&str, Value) -> Value;
    let table: [(&str, Change, &str, &str, usize); 7] = [
        ("normalized", |_, body| body, "User Principal Name", "Distinguished Name", 3),
        ("raw", |_, body| rename(body, &RAW), "User Principal Name", "Distinguished Name", 3),
        (
            "no distinguished names",
            |_, body| rename(body, &[("Distinguished Name", "")]),
            "User Principal Name",
            "Unique Identifier",
            3,
        ),
        (
            "names only",
            |_, body| rename(body, &[("Distinguished Name", ""), ("Unique Identifier", ""), ("Name", "cn")]),
            "User Principal Name",
            "Name",
            0,
        ),
        (
            "users by id",
            |_, body| rename(body, &[("User Principal Name", "objectGUID")]),
            "Unique Identifier",
            "Distinguished Name",
            3,
        ),
        (
            "data as a list of objects",
            |_, mut body| {
                if let Some(data) = body.pointer_mut("/result/data") {
                    *data = json!([data.take()]);
                }
                rename(body, &RAW)
            },
            "User Principal Name",
            "Distinguished Name",
            3,
        ),
        (
            "data as a list of domains",
            |_, mut body| {
                if let Some(data) = body.pointer_mut("/result/data") {
                    *data = data["domains"].take();
                }
                body
            },
            "User Principal Name",
            "Distinguished Name",
            3,
        ),
    ];
    for (what, change_body, user_key, group_key, sample) in table {
        let (mut plugin, mut cie) = (open(crate::table()), FakeCie { everyone: true, ..FakeCie::new() });
        let steps = plan(&mut plugin, &mut cie, true);
        cie.change_body = Some(change_body);
        let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
        assert_eq!(results(&reply.evidence), ["users: Pass", "groups: Pass", "sample: Pass"], "{what}");
        let baseline = &reply.outputs["baseline"];
        assert_eq!((&baseline["user_key"], &baseline["group_key"]), (&json!(user_key), &json!(group_key)), "{what}");
        // Everyone counts if only its name could identify it.
        let groups = if group_key == "Name" { 41 } else { 40 };
        assert_eq!((crowd(&baseline["users"]).len(), crowd(&baseline["groups"]).len()), (2500, groups), "{what}");
        assert_eq!(baseline["sample"].as_array().unwrap().len(), sample, "{what}");
        let text = serde_json::to_string(&reply).unwrap();
        assert!(!text.contains("acme.test") && !text.contains("Group "), "{what}: a name was kept: {text}");
    }
}

#[test]
fn a_baseline_without_identifiable_objects_fails() {
    let (mut plugin, mut cie) = (open(crate::table()), FakeCie::new());
    let steps = plan(&mut plugin, &mut cie, true);
    cie.change_body = Some(|_, body| {
        rename(
            body,
            &[("Distinguished Name", ""), ("Name", "label"), ("Unique Identifier", ""), ("User Principal Name", "x")],
        )
    });
    let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    assert_eq!(results(&reply.evidence)[..2], ["users: Fail", "groups: Fail"]);
    assert!(
        reply.evidence[1]
            .detail
            .ends_with("they need one of Distinguished Name, Unique Identifier, Name, but show only label"),
        "{}",
        reply.evidence[1].detail
    );
}

//! The baseline: every page once, nobody's name kept, Everyone left out, one key for all looks.

use flowswap_contract::{ErrorKind, sdk::Crowd};
use serde_json::{Value, json};

use crate::{
    driver::{answer, blinded, refused, results},
    fake::FakeCie,
    open, params_of, plan, table, test,
};

/// What stands for a text under the key that the plugin minted.
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
fn the_sample_is_that_of_the_smallest_hashes() {
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
fn groups_of_too_many_members_are_left_out_of_the_sample() {
    let (mut plugin, mut cie) = (open(table()), FakeCie { users: 20_002, groups: 2, ..FakeCie::new() });
    let steps = plan(&mut plugin, &mut cie, true);
    let reply = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    assert_eq!(reply.outputs["baseline"]["sample"], json!([]));
    assert_eq!(reply.evidence[2].detail, "0 groups with 0 members in all");
}

#[test]
fn a_second_look_hashes_by_the_same_key() {
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
fn what_does_not_fit_together_is_said() {
    let said = |cie: &mut FakeCie| {
        let mut plugin = open(table());
        let steps = plan(&mut plugin, cie, true);
        let reply = test(&mut plugin, cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
        let evidence = reply.evidence.into_iter().take(2);
        evidence.map(|evidence| format!("{:?}: {}", evidence.result, evidence.detail)).collect::<Vec<_>>()
    };
    let mut cie = FakeCie { listed: Some((2501, 41)), ..FakeCie::new() };
    let differs =
        ["Pass: 2500 users; the list of directories says 2501", "Pass: 40 groups; the list of directories says 41"];
    assert_eq!(said(&mut cie), differs);

    let mut cie = FakeCie { users: 0, listed: Some((2500, 40)), ..FakeCie::new() };
    let nobody = "Fail: 0 users; the list of directories says 2500";
    assert_eq!(said(&mut cie)[0], nobody);

    let mut cie = FakeCie { users: 0, listed: Some((0, 40)), ..FakeCie::new() };
    assert_eq!(said(&mut cie)[0], "Pass: 0 users", "an empty directory is one");
}

#[test]
fn pages_that_lead_nowhere_are_refused() {
    let take = |cie: &mut FakeCie| {
        let mut plugin = open(table());
        let steps = plan(&mut plugin, &mut FakeCie::new(), true);
        let error = refused(test(&mut plugin, cie, params_of(&steps, "baseline", &json!({}), json!({}))));
        assert!(plugin.asked.len() < 10, "{:?}", plugin.asked);
        error
    };
    let error = take(&mut FakeCie { endless: true, ..FakeCie::new() });
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("pages of users without end: 1000 remain"), "{}", error.message);

    let result = |result: Value| answer(200, json!({"success": true, "result": result}));
    let table = [
        (result(json!({"data": {"domains": []}})), ErrorKind::Invalid, "does not say how many remain"),
        (result(json!({"data": [], "remains": 0})), ErrorKind::Invalid, "has no list at /result/data/domains"),
        (
            result(json!({"data": {"domains": ["x"]}, "remains": 1000})),
            ErrorKind::Invalid,
            "shows nobody, and says that 1000 remain",
        ),
        (result(json!("x")), ErrorKind::Invalid, "does not say how many remain"),
        (answer(200, json!("<html>")), ErrorKind::Invalid, "does not say how many remain"),
        (answer(403, Value::Null), ErrorKind::Permission, "refused to show users of acme.okta.test: 403"),
    ];
    for (page, kind, message) in table {
        let mut cie = FakeCie::new();
        cie.refusal = Some(("/cache-users", page));
        let error = take(&mut cie);
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(message), "{}", error.message);
    }
}

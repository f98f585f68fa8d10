//! Inventories over several pages, and the plans that follow from them.

use flowswap_contract::{
    DirectoryInventory, ErrorKind, HttpAsk, Inventory, KnownFrom, LegacyClient, Op, ProviderInventory, Role,
    StepProposal,
};
use flowswap_okta::Okta;
use serde_json::{Value, json};

use crate::{
    detect, directory,
    driver::{Driver, answer, proposal_of, refused, results},
    fake::{Failure, FakeOkta, SCOPES, next_link, oidc_app, okta_error},
    open,
};

#[test]
fn an_org_is_read_completely() {
    let (mut okta, mut org) = (open(), FakeOkta::new().with_instance());
    org.services.push(crate::fake::service("0oaLEAKED", "panw_cie_apps", "Whatever", &["okta.apps.read"]));
    org.apps.push(oidc_app("0oaLEAKED", crate::fake::PLAIN, &[]));
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("inventory", detect(&mut okta, &mut org)) });
    insta::assert_snapshot!("detect-asks", okta.asked.join("\n"));
}

/// Writes events, each as `xxDD`: what happened, and on which day of December. The directory got a token (`+`) as the
/// legacy client (`L`) or the service client (`S`), or was refused one (`-`). flowswap did so (`F`), or somebody as another client (`X`). A person
/// signed in (`Pc`) or may have (`P?`), or a refresh token was rotated (`Pr`). A sign-in itself got a token (`Lc`).
fn write_log(org: &mut FakeOkta, events: &str) {
    for event in events.split_whitespace() {
        let (what, day) = event.split_at(2);
        let (client, agent) = match &what[..1] {
            "L" | "P" => ("0oaLEGACY-client", "CIE/1.0"),
            "S" => ("0oaOLD", "CIE/1.0"),
            "F" => ("0oaOLD", "flowswap/0.1.0 (+intent:run/prove)"),
            _ => ("0oaELSE", "CIE/1.0"),
        };
        let result = if what.ends_with('-') { "FAILURE" } else { "SUCCESS" };
        let event = org.log_token(client, agent, result, &format!("2025-12-{day}T08:00:00.000Z"));
        if what.starts_with('P') {
            event["eventType"] = json!("app.oauth2.token.grant.refresh_token");
        }
        event["debugContext"]["debugData"]["grantType"] = match &what[1..] {
            "c" => json!("authorization_code"),
            "r" => json!("refresh_token"),
            _ => Value::Null,
        };
    }
}

#[test]
fn the_log_shows_who_gets_tokens() {
    // The last sign-in, then the last tokens granted and refused: of the legacy client, then of the service client.
    let table: [(&str, [&str; 5]); 12] = [
        ("", [""; 5]),
        ("L+03", ["", "03", "", "", ""]),
        ("L+05 L+03 L-09 L-08", ["", "05", "09", "", ""]),
        ("L-03 L+09", ["", "09", "03", "", ""]),
        ("S+03 S-02", ["", "", "", "03", "02"]),
        ("F+03 F-04 X+05 X-06", [""; 5]),
        ("S+03 F+04 F-05 X+06", ["", "", "", "03", ""]),
        ("Pc04", ["04", "", "", "", ""]),
        ("P?04", ["04", "", "", "", ""]),
        ("Pc04 Pr06", ["04", "", "", "", ""]),
        ("Lc07", ["07", "07", "", "", ""]),
        ("Pc04 Lc07 L+09", ["07", "09", "", "", ""]),
    ];
    for (events, expected) in table {
        for ignores_search in [false, true] {
            let (mut okta, mut org) = (open(), FakeOkta { ignores_search, ..FakeOkta::new().with_instance() });
            write_log(&mut org, events);
            let inventory = detect(&mut okta, &mut org);
            let (legacy, service) = (&inventory.legacy_clients[0], &inventory.service_clients[0]);
            let seen = [
                &legacy.last_sign_in,
                &legacy.tokens.granted_at,
                &legacy.tokens.refused_at,
                &service.tokens.granted_at,
                &service.tokens.refused_at,
            ];
            let expected = expected.map(|day| match day {
                "" => None,
                day => Some(format!("2025-12-{day}T08:00:00Z")),
            });
            assert_eq!(seen.map(Clone::clone), expected, "{events}");
            // If the log does not show the grant type, a second search goes without it.
            let looks = okta.asked.iter().filter(|line| line.contains("/api/v1/logs")).count();
            assert!((3..=4).contains(&looks), "{events}: {looks}");
        }
    }
}

#[test]
fn a_refused_log_hides_nothing_else() {
    let table = [
        (okta_error(403, "E0000006"), None),
        (answer(403, Value::Null), None),
        (okta_error(404, "E0000008"), None),
        (okta_error(401, "E0000011"), Some(ErrorKind::Auth)),
        (okta_error(500, "E0000009"), Some(ErrorKind::Unavailable)),
    ];
    for (refusal, expected) in table {
        let (mut okta, mut org) = (open(), FakeOkta::new().with_instance());
        let whole = detect(&mut okta, &mut org);
        org.log_token("0oaLEGACY-client", "CIE/1.0", "SUCCESS", "2025-12-07T08:00:00.000Z");
        okta.asked.clear();
        org.fail("/api/v1/logs", Failure::Answer(refusal.clone()));
        let seen = okta.call::<Value>(&mut org, Op::Detect, json!({}));
        assert_eq!(okta.asked.iter().filter(|line| line.contains("/api/v1/logs")).count(), 1, "asked no further");
        match expected {
            None => {
                assert_eq!(serde_json::from_value::<ProviderInventory>(seen.unwrap()).unwrap(), whole, "{refusal:?}");
            }
            Some(kind) => assert_eq!(refused(seen).kind, kind, "{refusal:?}"),
        }
    }
}

#[test]
fn a_type_is_learned_from_the_newest_instance() {
    let mut okta = Driver::<Okta>::open(Role::Provider, json!({"domain": "acme.okta.test"})).unwrap();
    let mut org = FakeOkta::new().with_instance();
    for (id, type_key, month) in [("0oaA", "panw_cie_1", 5), ("0oaM", "panw_cie_2", 7), ("0oaZ", "panw_cie_3", 6)] {
        let mut instance = crate::fake::service(id, type_key, crate::fake::PLAIN, &["okta.users.read"]);
        instance["createdAt"] = json!(format!("2025-{month:02}-01T00:00:00.000Z"));
        org.services.push(instance);
    }
    let variants = serde_json::to_value(detect(&mut okta, &mut org).variants).unwrap();
    assert_eq!(
        variants,
        json!([
            {"variant": "plain", "type": "panw_cie_2", "scopes": ["okta.users.read"], "source": "0oaM"}
        ])
    );
}

#[test]
fn scopes_come_from_the_configuration_then_an_instance_then_the_documents() {
    let config =
        |scopes: Value| json!({"domain": "acme.okta.test", "variant_types": {"plain": "panw_cie"}, "scopes": scopes});
    let mut with_other = FakeOkta::new().with_instance();
    with_other.services[1]["grantedScopes"] = json!(["okta.users.read", "okta.groups.read"]);
    let table = [
        (config(json!({"plain": ["b", "a", "b"]})), FakeOkta::new().with_instance(), vec!["a", "b"]),
        (config(json!({})), with_other, vec!["okta.groups.read", "okta.users.read"]),
        (config(json!({})), FakeOkta::new(), SCOPES.to_vec()),
    ];
    for (config, mut org, expected) in table {
        let mut okta = Driver::<Okta>::open(Role::Provider, config.clone()).unwrap();
        let inventory = detect(&mut okta, &mut org);
        assert_eq!(inventory.variants[0].scopes, expected, "{config}");
        assert_eq!(inventory.variants[0].source, "config");
    }
}

#[test]
fn pages_with_wrong_links_are_refused() {
    let foreign = {
        let mut page = answer(200, json!([]));
        page.headers.push(("link".to_owned(), "<https://acme.okta.test.evil.test/x>; rel=\"next\"".to_owned()));
        page
    };
    let circle = {
        let mut page = answer(200, json!([]));
        page.headers.push(next_link("/integrations/api/v1/api-services"));
        page
    };
    for (page, expected) in
        [(foreign, "continues at another origin"), (circle, "has endless pages: a page leads back to an earlier one")]
    {
        let (mut okta, mut org) = (open(), FakeOkta::new());
        org.fail("GET /integrations", Failure::Answer(page));
        let error = refused(okta.call::<Value>(&mut org, Op::Detect, json!({})));
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(expected), "{}", error.message);
    }
}

#[test]
fn a_list_that_never_ends_is_refused() {
    let mut okta = open();
    let mut pages = 0;
    let mut endless = |ask: &HttpAsk| {
        if ask.url.contains("well-known") {
            return Ok(answer(200, json!({"_links": {"organization": {"href": "https://a.test"}}})));
        }
        if ask.url.contains("/apps") {
            return Ok(answer(200, json!([])));
        }
        pages += 1;
        let mut page = answer(200, json!([]));
        page.headers.push(next_link(&format!("/integrations/api/v1/api-services?after={pages}")));
        Ok(page)
    };
    let error = refused(okta.call::<Value>(&mut endless, Op::Detect, json!({})));
    assert!(error.message.contains("has endless pages: more than 2000"), "{}", error.message);
    assert_eq!(pages, 2000);
}

#[test]
fn answers_that_do_not_decode_are_named() {
    let table = [
        ("okta-organization", answer(200, json!({})), "missing field `_links`"),
        (
            "okta-organization",
            answer(200, json!({"_links": {"organization": {"href": "http://a.test"}}})),
            "not name its organization by an https URL",
        ),
        ("GET /api/v1/apps?", answer(200, json!([{"label": "no id"}])), "missing field `id`"),
        ("GET /api/v1/apps?", answer(200, json!("<html>")), "invalid type: string"),
        ("GET /api/v1/apps?", answer(200, Value::Null), "invalid type: null"),
        ("GET /integrations", answer(200, json!([{"id": "0oa1"}])), "missing field `type`"),
        ("/grants", answer(200, json!([{"status": "ACTIVE"}])), "missing field `scopeId`"),
    ];
    for (at, page, expected) in table {
        let (mut okta, mut org) = (open(), FakeOkta::new());
        org.fail(at, Failure::Answer(page));
        let error = refused(okta.call::<Value>(&mut org, Op::Detect, json!({})));
        assert_eq!(error.kind, ErrorKind::Invalid, "{at}");
        assert!(error.message.contains(expected), "{at}: {}", error.message);
    }
}

#[test]
fn each_permission_is_checked() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    org.fail("GET /integrations", Failure::Answer(okta_error(403, "E0000006")));
    let reply: flowswap_contract::TestReply = okta.call(&mut org, Op::Test, json!({})).unwrap();
    let expected = ["organization: Pass", "list-apps: Pass", "list-integrations: Fail", "read-logs: Pass"];
    assert_eq!(results(&reply.evidence), expected);
    assert!(reply.evidence[2].detail.contains("E0000006"), "{}", reply.evidence[2].detail);
    assert!(reply.evidence.iter().all(|e| e.request_id.as_deref() == Some("req-1")));
    assert!(okta.asked.iter().all(|line| line.starts_with("GET")), "{:?}", okta.asked);
    assert_eq!(okta.asked.len(), 4, "no page is followed");
}

fn propose(
    provider: &ProviderInventory,
    client_id: Option<&str>,
    app_data: bool,
) -> Result<Value, flowswap_contract::Error> {
    let params =
        json!({"tenant": "acme", "app_data": app_data, "provider": provider, "directory": directory(client_id)});
    open().call(&mut |_: &HttpAsk| panic!("plan asks for nothing"), Op::Plan, params)
}

fn phases(steps: &Value) -> Vec<&str> {
    steps["steps"].as_array().unwrap().iter().map(|step| step["phase"].as_str().unwrap()).collect()
}

#[test]
fn the_plan_is_complete() {
    let provider = detect(&mut open(), &mut FakeOkta::new().with_instance());
    let steps = propose(&provider, Some("0oaLEGACY-client"), false).unwrap();
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("plan", steps) });
    // Each proposal decodes to what it was encoded from.
    let _: Vec<StepProposal> = serde_json::from_value(steps["steps"].clone()).unwrap();
}

#[test]
fn only_the_right_legacy_client_is_retired() {
    let mut provider = detect(&mut open(), &mut FakeOkta::new());
    let with_retirement = ["provision", "prove", "test", "confirm", "retire", "purge"];
    let without = &with_retirement[..4];
    assert_eq!(phases(&propose(&provider, Some("0oaLEGACY-client"), false).unwrap()), with_retirement);
    assert_eq!(phases(&propose(&provider, None, false).unwrap()), with_retirement);
    assert_eq!(phases(&propose(&provider, Some("0oaOTHER"), false).unwrap()), without);
    let second =
        LegacyClient { id: "0oa2".to_owned(), client_id: "0oa2".to_owned(), ..provider.legacy_clients[0].clone() };
    provider.legacy_clients.push(second);
    assert_eq!(phases(&propose(&provider, None, false).unwrap()), without);
    let chosen = propose(&provider, Some("0oa2"), false).unwrap();
    assert_eq!(proposal_of(&chosen, "retire")["payload"]["app_id"], "0oa2");
    provider.legacy_clients.clear();
    assert_eq!(phases(&propose(&provider, None, false).unwrap()), without);
}

/// Only if a person reconnects. The plan also says what confirm checks.
#[test]
fn a_directory_that_does_not_show_its_connection_gets_a_baseline() {
    let provider = detect(&mut open(), &mut FakeOkta::new());
    let shown = directory(Some("0oaLEGACY-client"));
    for (known_from, client_id, expected) in [
        (KnownFrom::Directory, Some("0oaLEGACY-client"), false),
        (KnownFrom::Record, Some("0oaELSE"), true),
        (KnownFrom::Provider, Some("0oaLEGACY-client"), true),
        (KnownFrom::Unknown, None, true),
    ] {
        let directory = DirectoryInventory { known_from, client_id: client_id.map(str::to_owned), ..shown.clone() };
        let params = json!({"tenant": "acme", "app_data": true, "provider": provider, "directory": directory});
        let steps: Value = open().call(&mut |_: &HttpAsk| panic!("plan asks for nothing"), Op::Plan, params).unwrap();
        assert_eq!(phases(&steps).contains(&"baseline"), expected, "{known_from:?}");
        let mut payload = json!({"legacy_client_id": client_id.unwrap_or("0oaLEGACY-client"), "app_data": true});
        if expected {
            payload["by_log_alone"] = json!(true);
        }
        assert_eq!(proposal_of(&steps, "confirm")["payload"], payload, "{known_from:?}");
    }
}

#[test]
fn the_plan_says_that_a_client_serves_several_regions() {
    let mut provider = detect(&mut open(), &mut FakeOkta::new());
    let eu = "https://directory-sync.eu.paloaltonetworks.com/authorize".to_owned();
    provider.legacy_clients[0].redirect_uris.push(eu);
    let steps = propose(&provider, None, false).unwrap();
    assert!(proposal_of(&steps, "retire")["title"].as_str().unwrap().ends_with("it serves 2 CIE regions"));
}

#[test]
fn an_unknown_type_is_a_configuration_error() {
    let mut provider = detect(&mut open(), &mut FakeOkta::new());
    provider.variants.retain(|known| known.variant == flowswap_contract::Variant::Plain);
    assert_eq!(proposal_of(&propose(&provider, None, false).unwrap(), "provision")["payload"]["type"], "panw_cie");
    let error = refused(propose(&provider, None, true));
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.hint.unwrap().contains("variant_types.application-enabled"));
}

#[test]
fn the_answer_of_detect_names_its_role() {
    let inventory: Inventory = open().call(&mut FakeOkta::new(), Op::Detect, json!({})).unwrap();
    assert!(matches!(inventory, Inventory::Provider(_)));
}

/// An org with many apps: 450 from the catalog, and 250 custom OIDC apps before the legacy client.
fn large() -> FakeOkta {
    let mut org = FakeOkta::new();
    let catalog = (0..450)
        .map(|n| json!({"id": format!("0oaC{n}"), "name": format!("app_{n}"), "label": "App", "status": "ACTIVE"}));
    let custom = (0..250).map(|n| oidc_app(&format!("0oaO{n}"), "Portal", &["https://portal.test/callback"]));
    org.apps.splice(0..0, catalog.chain(custom));
    org
}

fn app_pages(okta: &Driver<Okta>) -> Vec<&str> {
    let lines = okta.asked.iter().filter_map(|asked| asked.lines().next());
    lines.filter(|line| line.contains("/api/v1/apps?")).collect()
}

#[test]
fn in_a_large_org_okta_searches() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    let small = detect(&mut okta, &mut org);
    let (mut okta, mut org) = (open(), large());
    let mut found = detect(&mut okta, &mut org);
    insta::assert_snapshot!(app_pages(&okta).join("\n"), @r#"
    GET https://acme.okta.test/api/v1/apps?limit=200
    GET https://acme.okta.test/api/v1/apps?filter=name%20eq%20%22oidc_client%22&limit=200
    GET https://acme.okta.test/api/v1/apps?q=palo&limit=200
    GET https://acme.okta.test/api/v1/apps?filter=name%20eq%20%22oidc_client%22&after=200
    "#);
    // The SAML app's label begins otherwise, but its name does not.
    assert_eq!(found, small);
    // Without a search, flowswap reads all pages.
    let (mut okta, mut org) = (open(), FakeOkta { ignores_search: true, ..large() });
    found = detect(&mut okta, &mut org);
    assert_eq!(found, small);
    assert_eq!(app_pages(&okta).iter().filter(|line| !line.contains("filter=") && !line.contains("q=")).count(), 4);
}

#[test]
fn a_search_that_fails_for_another_reason_hides_no_app() {
    let (mut okta, mut org) = (open(), large());
    org.fail("filter=", Failure::Answer(okta_error(400, "E0000001")));
    assert_eq!(refused(okta.call::<Value>(&mut org, Op::Detect, json!({}))).kind, ErrorKind::Invalid);
}

#[test]
fn flowswap_sees_who_may_sign_in() {
    let active = json!("ACTIVE");
    let admin = Some(json!([{"type": "READ_ONLY_ADMIN", "status": "ACTIVE"}]));
    let person = |n: usize, status: &Value, roles: &Option<Value>| (format!("00u{n}"), status.clone(), roles.clone());
    let table = [
        (vec![], Some(vec![])),
        (vec![person(1, &active, &admin)], Some(vec![("ACTIVE", Some(true))])),
        (vec![person(1, &active, &Some(json!([])))], Some(vec![("ACTIVE", Some(false))])),
        (vec![person(1, &active, &Some(json!([{"status": "INACTIVE"}])))], Some(vec![("ACTIVE", Some(false))])),
        (vec![person(1, &active, &None)], Some(vec![("ACTIVE", None)])),
        (
            vec![person(1, &json!("SUSPENDED"), &admin), person(2, &active, &admin)],
            Some(vec![("SUSPENDED", Some(true)), ("ACTIVE", Some(true))]),
        ),
        // Without the status of an account, and of more than five people, flowswap says nothing.
        (vec![person(1, &Value::Null, &admin)], None),
        ((0..6).map(|n| person(n, &active, &admin)).collect(), None),
    ];
    for (assigned, expected) in table {
        let (mut okta, mut org) = (open(), FakeOkta { assigned: assigned.clone(), ..FakeOkta::new() });
        let seen = detect(&mut okta, &mut org).legacy_clients.remove(0).assigned;
        let seen = seen.as_ref().map(|seen| seen.iter().map(|user| (user.status.as_str(), user.is_admin)).collect());
        assert_eq!(seen, expected, "{assigned:?}");
    }
}

#[test]
fn an_app_that_is_open_to_all_or_whose_users_are_hidden_says_nothing() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    org.app("0oaLEGACY")["settings"]["implicitAssignment"] = json!(true);
    assert_eq!(detect(&mut okta, &mut org).legacy_clients[0].assigned, None);
    assert!(!okta.asked.iter().any(|line| line.contains("/users")), "{:?}", okta.asked);
    for (refusal, expected) in [
        (okta_error(403, "E0000006"), None),
        (answer(403, Value::Null), None),
        (okta_error(404, "E0000008"), None),
        (okta_error(500, "E0000009"), Some(ErrorKind::Unavailable)),
    ] {
        let (mut okta, mut org) = (open(), FakeOkta::new());
        org.fail("/users?expand", Failure::Answer(refusal.clone()));
        let seen = okta.call::<Value>(&mut org, Op::Detect, json!({}));
        match expected {
            None => assert_eq!(seen.unwrap()["legacy_clients"][0].get("assigned"), None, "{refusal:?}"),
            Some(kind) => assert_eq!(refused(seen).kind, kind, "{refusal:?}"),
        }
    }
}

#[test]
fn an_app_of_the_catalog_that_sends_codes_to_cie_is_a_lookalike() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    org.app("0oaLEGACY")["name"] = json!("panw_gallery_app");
    org.app("0oaSAML")["features"] = json!(["PUSH_NEW_USERS"]);
    let inventory = detect(&mut okta, &mut org);
    assert!(inventory.legacy_clients.is_empty());
    let kinds: Vec<_> = inventory.lookalikes.iter().map(|app| (app.id.as_str(), app.kind.as_str())).collect();
    let expected =
        [("0oaLEGACY", "OPENID_CONNECT"), ("0oaNAMESAKE", "OPENID_CONNECT"), ("0oaSAML", "SAML_2_0 with provisioning")];
    assert_eq!(kinds, expected);
}

//! The whole world: the initial conditions of the tenants, the seed, and views without secrets.

use std::collections::HashSet;

use flowswap_sim::{ADMIN_HOST, Interface, Mutation, Scenario, Sim, SimConfig, Variant, World, diff};
use serde_json::json;

use crate::support::{ask, find, mixed_world};

fn fixed(seed: u64) -> Sim {
    let start = "2026-03-01T12:00:00Z".parse().unwrap();
    Sim::in_process(SimConfig::default().seed(seed).start(start))
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_world() {
    let (a, b, c) = (fixed(7), fixed(7), fixed(8));
    assert_eq!(diff(&a.snapshot(), &b.snapshot()), Vec::<String>::new());
    assert_eq!(a.tenants(), b.tenants());
    assert_eq!((a.gateway_token(), a.admin_token()), (b.gateway_token(), b.admin_token()));
    assert!(!diff(&a.snapshot(), &c.snapshot()).is_empty());
    assert_ne!(a.tenants()[0].admin_token, c.tenants()[0].admin_token);
}

#[tokio::test]
async fn reads_change_no_object() {
    let sim = mixed_world();
    let before = sim.snapshot();
    for tenant in sim.tenants() {
        for path in ["apps", "users", "groups", "logs"] {
            ask(&format!("GET https://{}/api/v1/{path}", tenant.domain)).ssws(&tenant).send(&sim).await;
        }
    }
    assert_eq!(diff(&before, &sim.snapshot()), Vec::<String>::new());
    let counts = sim.world().orgs[0].requests;
    assert_eq!((counts.read, counts.authenticate, counts.mutate), (4, 0, 0));
}

#[tokio::test]
async fn every_tenant_starts_in_its_condition() {
    let sim = mixed_world();
    let world = sim.world();
    let types = sim.variant_types();
    for (tenant, (org, directory)) in sim.tenants().iter().zip(world.orgs.iter().zip(&world.directories)) {
        let kinds: Vec<_> = org.service_clients.iter().map(|client| client.kind.as_str()).collect();
        let right = if tenant.app_data { types.application_enabled } else { types.plain };
        let legacy = &org.legacy[0];
        let uses_legacy = directory.client_id == legacy.client_id;
        let seen = (directory.flow.as_str(), legacy.status.as_str(), uses_legacy, kinds.as_slice());
        let (code, credentials) = ("authorization_code", "client_credentials");
        let expected: (&str, &str, bool, &[&str]) = match tenant.scenario {
            Scenario::Ready => (code, "ACTIVE", true, &[]),
            Scenario::Migrated => (credentials, "INACTIVE", false, &[right]),
            Scenario::WrongVariant => (credentials, "ACTIVE", false, &[types.plain]),
            Scenario::LegacyIdReused => (credentials, "ACTIVE", true, &[]),
            Scenario::Unknown => (code, "ACTIVE", false, &[]),
            Scenario::LegacyInactive => (code, "INACTIVE", true, &[]),
        };
        assert_eq!(seen, expected, "{tenant:?}");
        assert_eq!((&directory.name, directory.app_data), (&tenant.name, tenant.app_data));
        assert!(tenant.admin_token.starts_with("00") && tenant.name.len() <= 15);
        let works = matches!(tenant.scenario, Scenario::Ready | Scenario::Migrated);
        let status = &sim.snapshot()["directories"][&tenant.directory_id]["sync"]["status"];
        assert_eq!(status, if works { "success" } else { "failed" }, "{tenant:?}");
    }
    assert!(sim.tenants().iter().any(|tenant| tenant.scenario == Scenario::Ready && tenant.app_data));
    assert!(world.orgs.iter().any(|org| org.legacy[0].id != org.legacy[0].client_id));
}

#[tokio::test]
async fn large_fleets_have_distinct_names_tokens_and_ids() {
    let sim = Sim::in_process(SimConfig::default().tenants(200));
    let tenants = sim.tenants();
    let distinct = |of: fn(&flowswap_sim::SimTenant) -> &String| tenants.iter().map(of).collect::<HashSet<_>>().len();
    assert_eq!((distinct(|t| &t.name), distinct(|t| &t.admin_token), distinct(|t| &t.directory_id)), (200, 200, 200));
    assert_eq!((tenants[0].name.as_str(), tenants[12].name.as_str()), ("acme", "tenant-013"));
    assert!(Sim::in_process(SimConfig::default().tenants(3)).tenants().iter().all(|t| t.scenario == Scenario::Ready));
}

#[tokio::test]
async fn views_have_no_secrets_and_survive_serialization() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let get =
        |path: &str| ask(&format!("GET https://{ADMIN_HOST}{path}")).auth(&format!("Bearer {}", sim.admin_token()));
    let world: World = serde_json::from_value(get("/world").send(&sim).await.json).unwrap();
    assert_eq!(world, sim.world());
    let legacy = find(&sim, Scenario::Ready);
    let app = sim.world().orgs[0].legacy[0].id.clone();
    let url = format!("GET https://{}/api/v1/apps/{app}/credentials/secrets", legacy.domain);
    let secret = ask(&url).ssws(&legacy).send(&sim).await.json[0]["client_secret"].as_str().unwrap().to_owned();
    let shown = format!("{} {}", get("/snapshot").send(&sim).await.json, get("/world").send(&sim).await.json);
    for canary in [&secret, &tenant.admin_token, sim.gateway_token()] {
        assert!(!shown.contains(canary as &str));
    }
}

#[tokio::test]
async fn every_mutation_changes_the_snapshot_or_is_refused() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let view = sim.world().orgs.into_iter().find(|org| org.domain == tenant.domain).unwrap();
    let (org, directory) = (tenant.domain.clone(), tenant.directory_id.clone());
    let enabled = sim.snapshot()["orgs"][&org]["authorization_servers"].as_bool().unwrap();
    let (app, client) = (view.legacy[0].id.clone(), view.service_clients[0].id.clone());
    for (body, expected) in [
        (json!({ "op": "rename_app", "org": org, "app": app, "label": "New" }), "label"),
        (json!({ "op": "set_app_active", "org": org, "app": app, "active": true }), "status"),
        (json!({ "op": "remove_grant", "org": org, "app": app, "scope": "okta.logs.read" }), "grants"),
        (json!({ "op": "add_grant", "org": org, "app": app, "scope": "okta.users.manage" }), "grants"),
        (json!({ "op": "add_redirect_uri", "org": org, "app": app, "uri": "https://x/authorize" }), "redirect_uris"),
        (
            json!({ "op": "set_refresh_token_rotation", "org": org, "app": app, "rotates": true }),
            "rotates_refresh_tokens",
        ),
        (json!({ "op": "delete_app", "org": org, "app": app }), "removed"),
        (json!({ "op": "add_legacy_app", "org": org }), "added"),
        (json!({ "op": "add_service_client", "org": org, "variant": "application_enabled" }), "added"),
        (json!({ "op": "remove_scope", "org": org, "client": client, "scope": "okta.logs.read" }), "scopes"),
        (json!({ "op": "revoke_service_client", "org": org, "client": client }), "removed"),
        (json!({ "op": "set_authorization_servers", "org": org, "enabled": !enabled }), "authorization_servers"),
        (
            json!({ "op": "set_connection", "directory": directory, "flow": "authorization_code", "client_id": "0oa" }),
            "flow",
        ),
        (json!({ "op": "set_app_data", "directory": directory, "app_data": !tenant.app_data }), "collect_applications"),
        (json!({ "op": "rename_directory", "directory": directory, "name": "other" }), "name"),
        (json!({ "op": "set_auth_logs", "directory": directory, "auth_logs": true }), "auth_logs"),
        (json!({ "op": "lose_objects", "directory": directory, "users": 3, "groups": 1 }), "loses"),
        (json!({ "op": "set_sync_admin_active", "org": org, "active": false }), "sync_admin"),
        (json!({ "op": "set_admin_role", "org": org, "role": "READ_ONLY_ADMIN" }), "admin_role"),
        (json!({ "op": "set_sync_admin_role", "org": org, "has_role": false }), "sync_admin"),
    ] {
        let before = sim.snapshot();
        let url = format!("POST https://{ADMIN_HOST}/mutate");
        let answer = ask(&url).auth(&format!("Bearer {}", sim.admin_token())).json(&body).send(&sim).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.json);
        let lines = diff(&before, &sim.snapshot()).join("\n");
        assert!(lines.contains(expected), "{body}: {lines}");
    }
    assert!(sim.mutate(Mutation::DeleteApp { org: org.clone(), app }).is_err());
    let elsewhere = "none.okta.test".to_owned();
    assert!(sim.mutate(Mutation::AddServiceClient { org: elsewhere, variant: Variant::Plain }).is_err());
}

#[tokio::test]
async fn the_configuration_is_written_for_the_requested_interface() {
    let start = jiff::Timestamp::UNIX_EPOCH;
    let sim = Sim::in_process(SimConfig::default().interface(Interface::CieGuided).start(start));
    let text = sim.configuration("");
    let account = sim.parent_account();
    assert!(!text.contains("gateway") && !text.contains(&account.client_secret));
    for line in [
        "plugin = \"cie-guided\"",
        "auth_url = \"https://auth.cie.test\"",
        "api_url = \"https://api.cie.test\"",
        "console_url = \"https://console.cie.test/tenants/{name}/directories\"",
        &format!("client_id = \"{}\"", account.client_id),
        "client_secret = { file = \"cie.secret\" }",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
    }
    let tenants: Vec<_> = text.split("[[tenant]]").skip(1).collect();
    for (tenant, (text, view)) in sim.tenants().iter().zip(tenants.iter().zip(sim.world().directories)) {
        for (key, value) in [
            ("tsg_id", &tenant.account.tsg_id),
            ("directory", &tenant.name),
            ("domain", &tenant.domain),
            ("directory_id", &tenant.directory_id),
        ] {
            assert!(text.contains(&format!("\n{key} = \"{value}\"\n")), "{key} in {text}");
        }
        let signed_in = &sim.snapshot()["directories"][&tenant.directory_id]["connection"]["last_sign_in"];
        assert_eq!(text.contains("record = "), view.flow == "authorization_code", "{text}");
        assert_eq!(signed_in.is_string(), view.flow == "authorization_code");
        if let Some(at) = signed_in.as_str() {
            let day = at.get(..10).unwrap();
            assert!(
                text.contains(&format!(
                    "client_id = \"{}\", auth_logs = false, last_sign_in = \"{day}",
                    view.client_id
                ))
            );
        }
    }
    let dir = std::env::temp_dir().join(format!("flowswap-sim-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    sim.write_client_files(&dir, "").unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("cie.secret")).unwrap(), account.client_secret);
    assert!(!dir.join("gateway.token").exists());
    std::fs::remove_dir_all(&dir).unwrap();
}

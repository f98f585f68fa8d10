//! Cloud Identity Engine's interface: tokens, the answers of the operations, and their refusals.

use flowswap_sim::{
    CIE_API_HOST, CIE_AUTH_HOST, Fault, FaultKind, Mutation, Scenario, ServiceAccount, Sim, SimConfig, SimTenant,
};
use serde_json::{Value, json};

use crate::support::{Answer, ask, create_service, credentials, find, mixed_world, take_token};

/// Requests a token with a service account.
async fn sign_on(sim: &Sim, account: &ServiceAccount, form: &str) -> Answer {
    let url = format!("POST https://{CIE_AUTH_HOST}/oauth2/access_token");
    ask(&url).basic(&account.client_id, &account.client_secret).form(form).send(sim).await
}

/// Gets a token for the tenant's group with the parent's account.
pub(crate) async fn bearer(sim: &Sim, tenant: &SimTenant) -> String {
    let form = format!("grant_type=client_credentials&scope=tsg_id:{}", tenant.account.tsg_id);
    let granted = sign_on(sim, sim.parent_account(), &form).await;
    assert_eq!(granted.status, 200, "{}", granted.json);
    format!("Bearer {}", granted.json["access_token"].as_str().unwrap())
}

/// Calls an operation for the tenant's group with the parent's account.
pub(crate) async fn call(sim: &Sim, tenant: &SimTenant, line: &str, body: Option<&Value>) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = ask(&format!("{method} https://{CIE_API_HOST}/cie/directory-sync/v1/{path}"));
    let request = request.auth(&bearer(sim, tenant).await);
    match body {
        Some(body) => request.json(body).send(sim).await,
        None => request.send(sim).await,
    }
}

/// The values of one attribute of all objects in an answer.
fn values(answer: &Answer, attribute: &str) -> Vec<String> {
    let objects = answer.json["result"]["data"]["domains"][0]["objects"].as_array().unwrap();
    objects.iter().map(|object| object[attribute].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_token_is_for_its_own_group_or_a_group_below() {
    let sim = mixed_world();
    let [acme, globex] = [&sim.tenants()[0], &sim.tenants()[1]];
    let scope = |tsg: &str| format!("grant_type=client_credentials&scope=tsg_id%3A{tsg}");
    let own = scope(&acme.account.tsg_id);
    let wrong = ServiceAccount { client_secret: "wrong".to_owned(), ..acme.account.clone() };
    assert_eq!(acme.account.tsg_id.len(), 10);
    for (account, form, status, error) in [
        (&acme.account, own.clone(), 200, ""),
        (sim.parent_account(), own.clone(), 200, ""),
        (sim.parent_account(), scope(&sim.parent_account().tsg_id), 200, ""),
        (&globex.account, own.clone(), 400, "invalid_scope"),
        (&acme.account, scope(&sim.parent_account().tsg_id), 400, "invalid_scope"),
        (sim.parent_account(), scope("1999999999"), 400, "invalid_scope"),
        (sim.parent_account(), "grant_type=client_credentials".to_owned(), 400, "invalid_scope"),
        (sim.parent_account(), own.replace("tsg_id", "tsg"), 400, "invalid_scope"),
        (sim.parent_account(), own.replace("client_credentials", "password"), 400, "unsupported_grant_type"),
        (sim.parent_account(), own.replace("grant_type", "grant"), 400, "invalid_request"),
        (sim.parent_account(), format!("{own}&client_secret=x"), 400, "invalid_request"),
        (sim.parent_account(), "%zz".to_owned(), 400, "invalid_request"),
        (&wrong, own.clone(), 401, "invalid_client"),
    ] {
        let answer = sign_on(&sim, account, &form).await;
        let got = (answer.status, answer.json["error"].as_str().unwrap_or_default());
        assert_eq!(got, (status, error), "{} with {form}", account.client_id);
        assert_eq!(answer.json["error_description"].is_string(), status != 200);
        assert_eq!(answer.header("www-authenticate").starts_with("Basic "), status == 401);
    }
    let url = format!("https://{CIE_AUTH_HOST}/oauth2/access_token");
    assert_eq!(ask(&format!("GET {url}")).send(&sim).await.status, 405);
    assert_eq!(ask(&format!("POST {url}")).form(&own).send(&sim).await.json["error"], "invalid_client");
    let text = ask(&format!("POST {url}")).body("text/plain", &own).send(&sim).await;
    assert_eq!(text.json["error"], "invalid_request");
}

#[tokio::test]
async fn a_token_lives_for_15_minutes_and_works_for_one_group() {
    let sim = Sim::in_process(SimConfig::default().neighbors(true));
    let [acme, globex] = [&sim.tenants()[0], &sim.tenants()[1]];
    let token = bearer(&sim, acme).await;
    let domains = ask(&format!("GET https://{CIE_API_HOST}/cie/directory-sync/v1/domains"));
    let list = domains.clone().auth(&token).send(&sim).await;
    let names: Vec<_> = list.json["result"].as_array().unwrap().iter().map(|item| item["domain"].clone()).collect();
    assert_eq!(names, ["acme", "acme-lab"]);
    let body = json!({ "domain": globex.name, "attrs": ["Name"] });
    for operation in ["cache-users", "cache-groups"] {
        let url = format!("POST https://{CIE_API_HOST}/cie/directory-sync/v1/{operation}");
        let foreign = ask(&url).auth(&token).json(&body).send(&sim).await;
        assert_eq!((foreign.status, &foreign.json["error"]), (400, &json!("Bad Request")), "{operation}");
    }
    sim.clock().advance(std::time::Duration::from_secs(15 * 60 - 1));
    assert_eq!(domains.clone().auth(&token).send(&sim).await.status, 200);
    sim.clock().advance(std::time::Duration::from_secs(1));
    for refused in [domains.clone().auth(&token), domains.clone(), domains.auth("Bearer wrong")] {
        let answer = refused.send(&sim).await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (401, &json!(401)));
    }
}

#[tokio::test]
async fn a_domain_shows_counts_and_times_and_no_connection() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let view = sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap();
    let list = call(&sim, &tenant, "GET domains", None).await;
    let started = sim.clock().now().as_second();
    let item = &list.json["result"][0];
    let shown: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
    assert_eq!(shown, ["count", "domain", "log", "netbios", "status", "sync_duration", "type"]);
    let (users, groups) = (view.sync.users, view.sync.groups);
    assert_eq!(item["count"], json!({ "computer": 0, "container": 0, "group": groups, "ou": 0, "user": users }));
    assert_eq!((&item["status"]["description"], &item["domain"]), (&json!("cache_applied"), &json!(tenant.name)));
    assert!(item["status"]["lastSuccessUpdatedOn"].as_i64().unwrap() <= started);
    for hidden in [&tenant.directory_id, &view.client_id] {
        assert!(!list.json.to_string().contains(hidden.as_str()));
    }
}

#[tokio::test]
async fn the_operations_make_every_documented_refusal() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let plain = find(&sim, Scenario::Ready);
    let users = json!({ "domain": tenant.name });
    let groups = json!({ "domain": tenant.name, "attrs": ["Name"] });
    let name = json!({ "attrName": "Name", "attrValue": "x", "match": "equal" });
    let with = |body: &Value, changes: Value| {
        let mut body = body.clone();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let by = |key: &str, value: Value| with(&name, json!({ key: value }));
    let group = |key: &str, value: Value| json!({ "filter": with(&json!({ "type": "group", "name": name, "level": "immediate" }), json!({ key: value })) });
    let (u, g, s) = ("POST cache-users", "POST cache-groups", "POST connection/update-secret");
    let secret = json!({ "directoryId": tenant.directory_id, "provider": "okta", "client_secret": "s3cret" });
    let before = sim.snapshot();
    for (line, body, status) in [
        (u, users.clone(), 200),
        (u, json!({}), 400),
        (u, with(&users, json!({ "domain": "elsewhere" })), 400),
        (u, with(&users, json!({ "domain": plain.name })), 400),
        (u, with(&users, json!({ "pageNum": 0 })), 400),
        (u, with(&users, json!({ "pageNum": "1" })), 400),
        (u, with(&users, json!({ "pageSz": 0 })), 400),
        (u, with(&users, json!({ "pageSz": 1000 })), 200),
        (u, with(&users, json!({ "pageSz": 1001 })), 400),
        (u, with(&users, json!({ "attrs": "Name" })), 400),
        (u, with(&users, json!({ "attrs": [1] })), 400),
        (u, with(&users, json!({ "attrs": ["Manager"] })), 200),
        (u, with(&users, json!({ "useNormalizedAttrs": true })), 400),
        (u, with(&users, json!({ "useNormalizedAttrs": "true" })), 400),
        (u, with(&users, json!({ "useNormalizedAttrs": "False" })), 200),
        (u, with(&users, json!({ "name": name })), 200),
        (u, with(&users, json!({ "name": by("attrName", json!("Mail")) })), 400),
        (u, with(&users, json!({ "name": by("attrName", json!("cn")) })), 400),
        (u, with(&users, json!({ "name": by("match", json!("prefix")) })), 400),
        (u, with(&users, json!({ "name": by("attrValue", json!(1)) })), 400),
        (u, with(&users, group("type", json!("group"))), 200),
        (u, with(&users, group("type", json!("user"))), 400),
        (u, with(&users, group("level", json!("deep"))), 400),
        (u, with(&users, group("level", Value::Null)), 400),
        (u, with(&users, group("name", Value::Null)), 400),
        (g, groups.clone(), 200),
        (g, users.clone(), 400),
        (g, with(&groups, group("type", json!("group"))), 400),
        (g, with(&groups, group("type", json!("user"))), 200),
        (g, with(&groups, json!({ "filter": { "type": "user", "name": name } })), 200),
        (s, with(&secret, json!({ "directoryId": Value::Null })), 400),
        (s, with(&secret, json!({ "directoryId": "acme" })), 400),
        (s, with(&secret, json!({ "provider": Value::Null })), 400),
        (s, with(&secret, json!({ "client_secret": "" })), 400),
        (s, with(&secret, json!({ "directoryId": plain.directory_id })), 404),
        (s, with(&secret, json!({ "directoryId": "b7e3a1f4-2c9d-4e6b-8a05-d3f7c2e91b40" })), 404),
        (s, with(&secret, json!({ "provider": "google" })), 421),
        (s, with(&secret, json!({ "provider": "aad" })), 404),
        ("GET cache-users", users.clone(), 405),
        ("POST domains", users.clone(), 405),
        ("GET domain", users.clone(), 404),
    ] {
        let answer = call(&sim, &tenant, line, Some(&body)).await;
        assert_eq!(answer.status, status, "{line} {body}: {}", answer.json);
        let (json, message) = (&answer.json, &answer.json["result"]["error"]["error-message"]);
        match status {
            200 => assert_eq!(json["success"], true),
            404 | 421 if line == s => assert!(json["success"] == true && message.is_string(), "{json}"),
            _ => assert!(json["statusCode"] == status && json["error"].is_string() && json["message"].is_string()),
        }
    }
    let legacy = json!({ "directoryId": plain.directory_id, "provider": "okta", "client_secret": "s3cret" });
    assert_eq!(call(&sim, &plain, s, Some(&legacy)).await.status, 400, "the connection has the other flow");
    let url = format!("POST https://{CIE_API_HOST}/cie/directory-sync/v1/cache-users");
    let ready = ask(&url).auth(&bearer(&sim, &tenant).await);
    assert_eq!(ready.clone().body("text/plain", "{}").send(&sim).await.status, 415);
    assert_eq!(ready.clone().body("application/json", "[]").send(&sim).await.status, 400);
    assert_eq!(ready.without_length().send(&sim).await.status, 411);
    assert_eq!(flowswap_sim::diff(&before, &sim.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn the_cache_lists_users_and_their_groups() {
    let sim = mixed_world();
    let tenant = sim.tenants()[0].clone();
    let name =
        |attribute: &str, value: &str, how: &str| json!({ "attrName": attribute, "attrValue": value, "match": how });
    let body = json!({ "domain": tenant.name, "pageSz": 2, "attrs": ["User Principal Name", "Distinguished Name"] });
    let page = call(&sim, &tenant, "POST cache-users", Some(&body)).await;
    let logins = values(&page, "User Principal Name");
    assert_eq!(logins, ["user@acme.okta.test", "user1@acme.okta.test"]);
    assert_eq!(values(&page, "Distinguished Name")[1], "CN=Given Family1,DC=acme");
    let total = sim.world().directories[0].sync.users;
    let result = &page.json["result"];
    let sizes = ["count", "pageNum", "pageSz", "remains"].map(|key| result[key].as_u64().unwrap());
    assert_eq!(sizes, [2, 1, 2, total as u64 - 2]);
    let okta = ask("GET https://acme.okta.test/api/v1/users?limit=2").ssws(&tenant).send(&sim).await;
    assert_eq!(okta.json[1]["profile"]["login"], logins[1].as_str());

    let raw = json!({ "domain": tenant.name, "attrs": ["Common-Name", "dn"], "useNormalizedAttrs": "False",
                      "name": name("Name", "group-2", "equal") });
    let group = call(&sim, &tenant, "POST cache-groups", Some(&raw)).await;
    let expected = json!([{ "cn": "group-2", "dn": "CN=group-2,DC=acme" }]);
    assert_eq!(group.json["result"]["data"]["domains"][0]["objects"], expected);
    for (value, how, found) in
        [("Everyone", "equal", 0), ("group-2", "equal", 1), ("GROUP-1", "equal", 0), ("OUP-1", "textSearch", 1)]
    {
        let body = json!({ "domain": tenant.name, "attrs": ["Name"], "name": name("Name", value, how), "pageSz": 1 });
        let answer = call(&sim, &tenant, "POST cache-groups", Some(&body)).await;
        assert_eq!(answer.json["result"]["count"], found, "{value} {how}");
    }

    // Both directions of a membership agree, also with Okta.
    let filter = json!({ "type": "group", "name": name("Common-Name", "group-2", "equal"), "level": "recursive" });
    let body = json!({ "domain": tenant.name, "attrs": ["User Principal Name"], "filter": filter, "pageSz": 1000 });
    let members = values(&call(&sim, &tenant, "POST cache-users", Some(&body)).await, "User Principal Name");
    let groups = ask("GET https://acme.okta.test/api/v1/groups?limit=2").ssws(&tenant).send(&sim).await;
    let groups = ask(&format!("GET {}", groups.link("next").unwrap())).ssws(&tenant).send(&sim).await;
    let mut url = groups.json[0]["_links"]["users"]["href"].as_str().unwrap().to_owned();
    let mut in_okta = Vec::new();
    loop {
        let page = ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await;
        in_okta.extend(page.json.as_array().unwrap().iter().map(|user| user["profile"]["login"].clone()));
        let Some(next) = page.link("next") else { break };
        url = next;
    }
    assert!(members.len() > 2);
    assert_eq!(in_okta, members);
    let user = json!({ "type": "user", "name": name("User Principal Name", &members[1], "equal") });
    let body = json!({ "domain": tenant.name, "attrs": ["Name"], "filter": user });
    let groups = values(&call(&sim, &tenant, "POST cache-groups", Some(&body)).await, "Name");
    assert!(groups.len() == 3 && groups.contains(&"group-2".to_owned()), "{groups:?}");
    let body =
        json!({ "domain": tenant.name, "attrs": ["Name"], "filter": user, "name": name("Name", "group-2", "equal") });
    assert_eq!(call(&sim, &tenant, "POST cache-groups", Some(&body)).await.json["result"]["count"], 1);
}

#[tokio::test]
async fn a_new_directory_name_changes_every_dn() {
    let sim = mixed_world();
    let tenant = sim.tenants()[0].clone();
    let (directory, name) = (tenant.directory_id.clone(), "acme.okta.test".to_owned());
    sim.mutate(Mutation::RenameDirectory { directory, name }).unwrap();
    let old = json!({ "domain": "acme", "attrs": ["Distinguished Name"], "pageSz": 1 });
    assert_eq!(call(&sim, &tenant, "POST cache-groups", Some(&old)).await.status, 400);
    let new = json!({ "domain": "acme.okta.test", "attrs": ["Distinguished Name"], "pageSz": 1 });
    let answer = call(&sim, &tenant, "POST cache-groups", Some(&new)).await;
    assert_eq!(values(&answer, "Distinguished Name"), ["CN=group-1,DC=acme,DC=okta,DC=test"]);
    assert_eq!(answer.json["result"]["data"]["domains"][0]["netbios"], "acme");
}

#[tokio::test]
async fn a_new_secret_is_stored_and_a_success_can_contain_an_error() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let client = sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap().client_id;
    let url = format!("POST https://{}/integrations/api/v1/api-services/{client}/credentials/secrets", tenant.domain);
    let added = ask(&url).ssws(&tenant).send(&sim).await;
    let secret = added.json["client_secret"].as_str().unwrap();
    let body = json!({ "directoryId": tenant.directory_id, "provider": "okta", "client_secret": secret });
    let path = "/cie/directory-sync/v1/connection/update-secret".to_owned();
    let fault = |kind| Fault {
        host: CIE_API_HOST.to_owned(),
        method: None,
        path: path.clone(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    };
    let kinds = [
        (FaultKind::ErrorInResult, 200, json!(true)),
        (FaultKind::Status { status: 500 }, 500, json!(false)),
        (FaultKind::TooManyRequests { reset_seconds: 7 }, 429, Value::Null),
    ];
    let before = sim.snapshot();
    for (number, (kind, status, success)) in kinds.into_iter().enumerate() {
        sim.add_fault(fault(kind.clone()));
        let answer = call(&sim, &tenant, "POST connection/update-secret", Some(&body)).await;
        assert_eq!((answer.status, &answer.json["success"]), (status, &success), "{kind:?}");
        assert_eq!(answer.json["result"]["error"]["error-message"].is_string(), status != 429, "{kind:?}");
        assert_eq!(answer.header("retry-after"), if status == 429 { "7" } else { "" });
        assert_eq!(sim.faults()[number].fired, 1);
    }
    assert_eq!(flowswap_sim::diff(&before, &sim.snapshot()), Vec::<String>::new());
    sim.add_fault(Fault {
        host: CIE_AUTH_HOST.to_owned(),
        path: String::new(),
        ..fault(FaultKind::Status { status: 503 })
    });
    let form = format!("grant_type=client_credentials&scope=tsg_id:{}", tenant.account.tsg_id);
    let unavailable = sign_on(&sim, &tenant.account, &form).await;
    assert_eq!((unavailable.status, &unavailable.json["statusCode"]), (503, &json!(503)));
    let answer = call(&sim, &tenant, "POST connection/update-secret", Some(&body)).await;
    assert_eq!((answer.status, &answer.json), (200, &json!({ "success": true, "result": true })));
    let changed = flowswap_sim::diff(&before, &sim.snapshot());
    assert!(changed.len() == 1 && changed[0].contains("/connection/secret_hash"), "{changed:?}");
    assert!(sim.find_defect(&tenant.directory_id).is_none());
    assert!(sim.traffic().iter().any(|exchange| exchange.host == CIE_API_HOST && exchange.status == Some(429)));
}

#[tokio::test]
async fn two_hundred_thousand_users_are_paged_on_both_sides() {
    const USERS: usize = 200_000;
    let sim = Sim::in_process(SimConfig::default().tenants(1).population(USERS, 5_000).page_size(1000));
    let tenant = sim.tenants()[0].clone();
    let lost = Mutation::LoseObjects { directory: tenant.directory_id.clone(), users: 1_000, groups: 5 };
    // Okta's pages at the start, in the middle, and at the end cost the same.
    let url = format!("https://{}/api/v1/users?limit=1000", tenant.domain);
    let first = ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await;
    let last_on_first = first.json[199]["id"].as_str().unwrap();
    let cursor = |number: usize| format!("{}{number:09}", &last_on_first[..11]);
    assert_eq!(last_on_first, cursor(199), "Okta shows 200 users at most");
    for (after, count, login, more) in
        [(cursor(99_999), 200, "user100000@", true), (cursor(USERS - 51), 50, "user199950@", false)]
    {
        let page = ask(&format!("GET {url}&after={after}")).ssws(&tenant).send(&sim).await;
        assert_eq!((page.json.as_array().unwrap().len(), page.link("next").is_some()), (count, more));
        assert!(page.json[0]["profile"]["login"].as_str().unwrap().starts_with(login));
    }
    sim.mutate(lost).unwrap();
    sim.clock().advance(std::time::Duration::from_secs(1));
    let status = format!("GET https://{}/v1/directories/{}/status", sim.gateway_host(), tenant.directory_id);
    ask(&status).auth(&format!("Bearer {}", sim.gateway_token())).send(&sim).await;
    let (mut number, mut held) = (1, std::collections::HashSet::new());
    loop {
        let body = json!({ "domain": "acme", "attrs": ["User Principal Name"], "pageNum": number, "pageSz": 1000 });
        let page = call(&sim, &tenant, "POST cache-users", Some(&body)).await;
        held.extend(values(&page, "User Principal Name"));
        if page.json["result"]["remains"] == 0 {
            break;
        }
        number += 1;
    }
    assert_eq!((number, held.len()), (199, USERS - 1_000));
    // The missing objects are spread evenly.
    let lost =
        |from: usize| (from..from + 20_000).filter(|n| !held.contains(&format!("user{n}@acme.okta.test"))).count();
    assert_eq!((lost(1), lost(100_000), lost(180_000)), (100, 100, 100));
    let list = call(&sim, &tenant, "GET domains", None).await;
    let count = &list.json["result"][0]["count"];
    assert_eq!((&count["user"], &count["group"]), (&json!(USERS - 1_000), &json!(4_999 - 5)));
}

#[tokio::test]
async fn requests_to_other_hosts_do_not_count_for_the_orgs() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let counts = sim.world().orgs[0].requests;
    call(&sim, &tenant, "GET domains", None).await;
    assert_eq!(sim.world().orgs[0].requests, counts);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    assert_eq!(take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await.status, 200);
    assert_ne!(sim.world().orgs[0].requests, counts);
}

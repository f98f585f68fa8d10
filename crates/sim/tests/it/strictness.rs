//! What the simulator refuses, in one table: a request, the status, and the code of the error.

use flowswap_sim::{Scenario, Sim, SimTenant};
use serde_json::json;

use crate::support::{Answer, PLAIN, ask, create_service, credentials, find, mixed_world, take_token};

/// Who asks.
#[derive(Clone, Copy, Debug)]
enum As {
    Nobody,
    Admin,
    WrongAdmin,
    WrongBearer,
    /// An access token with `okta.users.read` alone.
    UsersOnly,
    Basic,
    LegacyBasic,
    WrongSecret,
}

/// What is sent along.
#[derive(Clone, Copy, Debug)]
enum With {
    Nothing,
    NoLength,
    Json(&'static str),
    Text(&'static str),
    Form(&'static str),
}

const SERVICES: &str = "/integrations/api/v1/api-services";
const TOKEN: &str = "/oauth2/v1/token";
const SECRETS: &str = "/integrations/api/v1/api-services/{service}/credentials/secrets";

/// Method, path, who, what, expected status, expected `errorCode` or `error`. An empty code is an empty body.
const TABLE: &[(&str, &str, As, With, u16, &str)] = &[
    // Who may ask.
    ("GET", "/api/v1/apps", As::Nobody, With::Nothing, 403, "E0000005"),
    ("GET", "/api/v1/apps", As::WrongAdmin, With::Nothing, 401, "E0000011"),
    ("GET", "/api/v1/users", As::WrongBearer, With::Nothing, 401, "E0000011"),
    ("GET", "/api/v1/groups", As::UsersOnly, With::Nothing, 403, ""),
    ("GET", "/api/v1/apps", As::UsersOnly, With::Nothing, 403, ""),
    ("POST", SERVICES, As::UsersOnly, With::Json("{}"), 403, ""),
    ("POST", SERVICES, As::Nobody, With::Json("{}"), 403, "E0000005"),
    ("DELETE", "/api/v1/apps/{legacy}", As::Basic, With::Nothing, 401, "E0000011"),
    // What there is.
    ("GET", "/api/v1/nothing", As::Admin, With::Nothing, 404, "E0000008"),
    ("GET", "/", As::Admin, With::Nothing, 404, "E0000008"),
    ("GET", "/api/v1/apps/0oaNone", As::Admin, With::Nothing, 404, "E0000007"),
    ("GET", "/integrations/api/v1/api-services/0oaNone", As::Admin, With::Nothing, 404, "E0000007"),
    ("DELETE", "/integrations/api/v1/api-services/0oaNone", As::Admin, With::Nothing, 404, "E0000007"),
    ("PATCH", "/api/v1/apps", As::Admin, With::Json("{}"), 405, "E0000022"),
    ("PUT", "/integrations/api/v1/api-services/{service}", As::Admin, With::Json("{}"), 405, "E0000022"),
    ("GET", TOKEN, As::Nobody, With::Nothing, 405, "E0000022"),
    ("POST", "/api/v1/apps", As::Admin, With::Json("{}"), 501, "E0000060"),
    // How it must be said.
    ("POST", "/api/v1/apps/{legacy}/lifecycle/deactivate", As::Admin, With::NoLength, 411, ""),
    ("POST", SECRETS, As::Admin, With::NoLength, 411, ""),
    ("POST", SERVICES, As::Admin, With::Json("{"), 400, "E0000003"),
    ("POST", SERVICES, As::Admin, With::Json("[]"), 400, "E0000003"),
    ("POST", SERVICES, As::Admin, With::Text("{}"), 400, "E0000021"),
    ("POST", SERVICES, As::Admin, With::Json("{}"), 400, "E0000001"),
    ("POST", SERVICES, As::Admin, With::Json(r#"{"type":"panw_cie_sim"}"#), 400, "E0000001"),
    ("POST", SERVICES, As::Admin, With::Json(r#"{"type":"panw_cie_sim","grantedScopes":[]}"#), 400, "E0000001"),
    (
        "POST",
        SERVICES,
        As::Admin,
        With::Json(r#"{"type":"panw_cie_sim","grantedScopes":["okta.users.read"]}"#),
        400,
        "E0000001",
    ),
    ("POST", SERVICES, As::Admin, With::Json(r#"{"type":"other","grantedScopes":[]}"#), 400, "E0000001"),
    ("GET", "/api/v1/apps?limit=many", As::Admin, With::Nothing, 400, "E0000001"),
    ("GET", "/api/v1/apps?after=nowhere", As::Admin, With::Nothing, 400, "E0000001"),
    ("GET", "/api/v1/apps?filter=label+eq+%22x%22", As::Admin, With::Nothing, 400, "E0000031"),
    ("GET", "/api/v1/logs?filter=eventType+sw+%22a%22", As::Admin, With::Nothing, 400, "E0000031"),
    ("GET", "/api/v1/logs?since=yesterday", As::Admin, With::Nothing, 400, "E0000001"),
    ("GET", "/api/v1/logs?limit=1001", As::Admin, With::Nothing, 400, "E0000001"),
    // What is in the way.
    ("DELETE", "/api/v1/apps/{legacy}", As::Admin, With::Nothing, 403, "E0000056"),
    (
        "DELETE",
        "/integrations/api/v1/api-services/{service}/credentials/secrets/{secret}",
        As::Admin,
        With::Nothing,
        400,
        "E0000001",
    ),
    (
        "POST",
        "/integrations/api/v1/api-services/{service}/credentials/secrets/{secret}/lifecycle/deactivate",
        As::Admin,
        With::Nothing,
        400,
        "E0000001",
    ),
    // The token endpoint.
    (
        "POST",
        TOKEN,
        As::Nobody,
        With::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        As::WrongSecret,
        With::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        As::Admin,
        With::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        As::Nobody,
        With::Form("grant_type=client_credentials&scope=okta.users.read&client_id={service}&client_secret={value}"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        As::Basic,
        With::Form("grant_type=client_credentials&scope=okta.users.read&client_secret=x"),
        400,
        "invalid_request",
    ),
    ("POST", TOKEN, As::Basic, With::Json("{}"), 400, "invalid_request"),
    ("POST", TOKEN, As::Basic, With::Form("grant_type=password&scope=okta.users.read"), 400, "unsupported_grant_type"),
    (
        "POST",
        TOKEN,
        As::Basic,
        With::Form("grant_type=refresh_token&scope=okta.users.read"),
        400,
        "unauthorized_client",
    ),
    (
        "POST",
        TOKEN,
        As::LegacyBasic,
        With::Form("grant_type=client_credentials&scope=okta.users.read"),
        400,
        "unauthorized_client",
    ),
    ("POST", TOKEN, As::Basic, With::Form("grant_type=client_credentials"), 400, "invalid_scope"),
    ("POST", TOKEN, As::Basic, With::Form("grant_type=client_credentials&scope="), 400, "invalid_scope"),
    (
        "POST",
        TOKEN,
        As::Basic,
        With::Form("grant_type=client_credentials&scope=okta.dreams.read"),
        400,
        "invalid_scope",
    ),
    (
        "POST",
        TOKEN,
        As::Basic,
        With::Form("grant_type=client_credentials&scope=okta.users.read+okta.users.read.self"),
        400,
        "client_credentials_self_scope_requested",
    ),
    (
        "POST",
        TOKEN,
        As::Basic,
        With::Form("grant_type=client_credentials&scope=okta.apps.read"),
        400,
        "consent_required",
    ),
];

/// What the placeholders of the table stand for.
struct Names {
    legacy: String,
    legacy_client: (String, String),
    service: String,
    value: String,
    secret: String,
    users_token: String,
}

#[tokio::test]
async fn every_refusal_of_the_table_is_made() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let names = prepare(&sim, &tenant).await;
    let before = sim.snapshot();
    let mut wrong = Vec::new();
    for (method, path, who, what, status, code) in TABLE {
        let answer = send(&sim, &tenant, &names, (method, path, *who, *what)).await;
        let got = [&answer.json["errorCode"], &answer.json["error"]].into_iter().find_map(|v| v.as_str());
        if answer.status != *status || got.unwrap_or_default() != *code || (code.is_empty() && !answer.body.is_empty())
        {
            wrong.push(format!("{method} {path} as {who:?} with {what:?}: {} {}", answer.status, answer.json));
        }
        assert!(!answer.header("x-okta-request-id").is_empty() && !answer.header("x-rate-limit-reset").is_empty());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A refusal leaves no trace in any object.
    assert_eq!(flowswap_sim::diff(&before, &sim.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_scope_is_named_in_the_header() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let names = prepare(&sim, &tenant).await;
    let answer = send(&sim, &tenant, &names, ("GET", "/api/v1/groups", As::UsersOnly, With::Nothing)).await;
    let header = answer.header("www-authenticate");
    assert!(header.starts_with("Bearer "), "{header}");
    for part in ["scope=\"okta.groups.read\"", "error=\"insufficient_scope\"", "resource=\"/api/v1/groups\""] {
        assert!(header.contains(part), "{part} in {header}");
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_two_are_the_most() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let created = create_service(&sim, &tenant).await;
    let (id, first) = credentials(&created);
    let secrets = format!("https://{}/integrations/api/v1/api-services/{id}/credentials/secrets", tenant.domain);
    let url = format!("https://{}/integrations/api/v1/api-services/{id}", tenant.domain);
    assert_eq!((created.status, first.len()), (201, 64));
    assert_eq!(ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await.json.get("clientSecret"), None);

    let second = ask(&format!("POST {secrets}")).ssws(&tenant).send(&sim).await;
    let clear = second.json["client_secret"].as_str().unwrap().to_owned();
    assert_eq!((second.status, clear.len()), (201, 64));
    let third = ask(&format!("POST {secrets}")).ssws(&tenant).send(&sim).await;
    assert_eq!(third.status, 400);
    let cause = "You've reached the maximum number of client secrets per client.";
    assert_eq!(third.json["errorCauses"][0]["errorSummary"], cause);

    let list = ask(&format!("GET {secrets}")).ssws(&tenant).send(&sim).await;
    let text = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(!text.contains(&first) && !text.contains(&clear));
    assert_eq!(list.json[1]["client_secret"], format!("***{}", &clear[60..]));

    // The first can go now that the second is there: off, and then away.
    let old = format!("{secrets}/{}", list.json[0]["id"].as_str().unwrap());
    assert_eq!(
        ask(&format!("POST {old}/lifecycle/deactivate")).ssws(&tenant).send(&sim).await.json["status"],
        "INACTIVE"
    );
    assert_eq!(take_token(&sim, &tenant.domain, &id, &first, "okta.users.read").await.status, 401);
    assert_eq!(take_token(&sim, &tenant.domain, &id, &clear, "okta.users.read").await.status, 200);
    assert_eq!(ask(&format!("DELETE {old}")).ssws(&tenant).send(&sim).await.status, 204);
}

#[tokio::test]
async fn a_revoked_integration_takes_its_tokens_along() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let granted = take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read okta.apps.read").await;
    assert_eq!(granted.json["scope"], "okta.users.read", "what is not granted is dropped in silence");
    let bearer = format!("Bearer {}", granted.json["access_token"].as_str().unwrap());
    let users = ask(&format!("GET https://{}/api/v1/users?limit=1", tenant.domain)).auth(&bearer);
    assert_eq!(users.clone().send(&sim).await.status, 200);
    let url = format!("https://{}/integrations/api/v1/api-services/{id}", tenant.domain);
    assert_eq!(ask(&format!("DELETE {url}")).ssws(&tenant).send(&sim).await.status, 204);
    assert_eq!(users.send(&sim).await.status, 401);
    assert_eq!(take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await.status, 401);
}

#[tokio::test]
async fn tokens_end_after_an_hour() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let granted = take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await;
    let bearer = format!("Bearer {}", granted.json["access_token"].as_str().unwrap());
    let users = ask(&format!("GET https://{}/api/v1/users", tenant.domain)).auth(&bearer);
    sim.clock().advance(std::time::Duration::from_secs(3500));
    assert_eq!(users.clone().send(&sim).await.status, 200);
    sim.clock().advance(std::time::Duration::from_secs(101));
    assert_eq!(users.send(&sim).await.json["errorCode"], "E0000011");
}

#[tokio::test]
async fn an_app_is_deactivated_before_it_is_deleted() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let legacy = sim.world().orgs[0].legacy[0].id.clone();
    let url = format!("https://{}/api/v1/apps/{legacy}", tenant.domain);
    let off = ask(&format!("POST {url}/lifecycle/deactivate")).ssws(&tenant).send(&sim).await;
    assert_eq!((off.status, &off.json), (200, &json!({})));
    let app = ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await.json;
    assert_eq!(app["status"], "INACTIVE");
    assert!(app["_links"]["activate"].is_object() && app["_links"]["deactivate"].is_null());
    assert_eq!(ask(&format!("DELETE {url}")).ssws(&tenant).send(&sim).await.status, 204);
    assert_eq!(ask(&format!("GET {url}")).ssws(&tenant).send(&sim).await.status, 404);
}

async fn prepare(sim: &Sim, tenant: &SimTenant) -> Names {
    let (service, value) = credentials(&create_service(sim, tenant).await);
    let org = format!("https://{}", tenant.domain);
    let legacy = sim.world().orgs[0].legacy[0].clone();
    let url = format!("GET {org}/integrations/api/v1/api-services/{service}/credentials/secrets");
    let secret = ask(&url).ssws(tenant).send(sim).await.json[0]["id"].as_str().unwrap().to_owned();
    let url = format!("GET {org}/api/v1/apps/{}/credentials/secrets", legacy.id);
    let legacy_secret = ask(&url).ssws(tenant).send(sim).await.json[0]["client_secret"].as_str().unwrap().to_owned();
    let token = take_token(sim, &tenant.domain, &service, &value, "okta.users.read").await;
    assert_eq!(PLAIN.len(), 5);
    Names {
        legacy: legacy.id,
        legacy_client: (legacy.client_id, legacy_secret),
        service,
        value,
        secret,
        users_token: token.json["access_token"].as_str().unwrap().to_owned(),
    }
}

async fn send(sim: &Sim, tenant: &SimTenant, names: &Names, line: (&str, &str, As, With)) -> Answer {
    let (method, path, who, what) = line;
    let fill = |text: &str| {
        let names = [("legacy", &names.legacy), ("service", &names.service), ("secret", &names.secret)];
        names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    };
    let request = ask(&format!("{method} https://{}{}", tenant.domain, fill(path)));
    let request = match who {
        As::Nobody => request,
        As::Admin => request.ssws(tenant),
        As::WrongAdmin => request.auth("SSWS 00wrong"),
        As::WrongBearer => request.auth("Bearer wrong"),
        As::UsersOnly => request.auth(&format!("Bearer {}", names.users_token)),
        As::Basic => request.basic(&names.service, &names.value),
        As::LegacyBasic => request.basic(&names.legacy_client.0, &names.legacy_client.1),
        As::WrongSecret => request.basic(&names.service, "wrong"),
    };
    let request = match what {
        With::Nothing => request,
        With::NoLength => request.without_length(),
        With::Json(body) => request.body("application/json", body),
        With::Text(body) => request.body("text/plain", body),
        With::Form(body) => request.form(&fill(body).replace("{value}", &names.value)),
    };
    request.send(sim).await
}

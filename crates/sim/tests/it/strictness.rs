//! The refusals of the simulator in one table: the request, the status, and the error code.

use flowswap_sim::{Scenario, Sim, SimTenant};
use serde_json::json;

use crate::support::{Answer, PLAIN, ask, create_service, credentials, find, mixed_world, take_token};

/// Who sends the request.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Anonymous,
    Admin,
    WrongAdmin,
    WrongBearer,
    /// An access token with `okta.users.read` alone.
    UsersOnly,
    Basic,
    LegacyBasic,
    WrongSecret,
}

/// The body of the request.
#[derive(Clone, Copy, Debug)]
enum Body {
    Empty,
    NoLength,
    Json(&'static str),
    Text(&'static str),
    Form(&'static str),
}

const SERVICES: &str = "/integrations/api/v1/api-services";
const TOKEN: &str = "/oauth2/v1/token";
const SECRETS: &str = "/integrations/api/v1/api-services/{service}/credentials/secrets";

/// Method, path, caller, body, expected status, expected `errorCode` or `error`. An empty code means an empty body.
const TABLE: &[(&str, &str, Caller, Body, u16, &str)] = &[
    // Authorization.
    ("GET", "/api/v1/apps", Caller::Anonymous, Body::Empty, 403, "E0000005"),
    ("GET", "/api/v1/apps", Caller::WrongAdmin, Body::Empty, 401, "E0000011"),
    ("GET", "/api/v1/users", Caller::WrongBearer, Body::Empty, 401, "E0000011"),
    ("GET", "/api/v1/groups", Caller::UsersOnly, Body::Empty, 403, ""),
    ("GET", "/api/v1/apps", Caller::UsersOnly, Body::Empty, 403, ""),
    ("POST", SERVICES, Caller::UsersOnly, Body::Json("{}"), 403, ""),
    ("POST", SERVICES, Caller::Anonymous, Body::Json("{}"), 403, "E0000005"),
    ("DELETE", "/api/v1/apps/{legacy}", Caller::Basic, Body::Empty, 401, "E0000011"),
    // Unknown paths, objects, and methods.
    ("GET", "/api/v1/nothing", Caller::Admin, Body::Empty, 404, "E0000008"),
    ("GET", "/", Caller::Admin, Body::Empty, 404, "E0000008"),
    ("GET", "/api/v1/apps/0oaNone", Caller::Admin, Body::Empty, 404, "E0000007"),
    ("GET", "/integrations/api/v1/api-services/0oaNone", Caller::Admin, Body::Empty, 404, "E0000007"),
    ("DELETE", "/integrations/api/v1/api-services/0oaNone", Caller::Admin, Body::Empty, 404, "E0000007"),
    ("PATCH", "/api/v1/apps", Caller::Admin, Body::Json("{}"), 405, "E0000022"),
    ("PUT", "/integrations/api/v1/api-services/{service}", Caller::Admin, Body::Json("{}"), 405, "E0000022"),
    ("GET", TOKEN, Caller::Anonymous, Body::Empty, 405, "E0000022"),
    ("POST", "/api/v1/apps", Caller::Admin, Body::Json("{}"), 501, "E0000060"),
    // The form of the request.
    ("POST", "/api/v1/apps/{legacy}/lifecycle/deactivate", Caller::Admin, Body::NoLength, 411, ""),
    ("POST", SECRETS, Caller::Admin, Body::NoLength, 411, ""),
    ("POST", SERVICES, Caller::Admin, Body::Json("{"), 400, "E0000003"),
    ("POST", SERVICES, Caller::Admin, Body::Json("[]"), 400, "E0000003"),
    ("POST", SERVICES, Caller::Admin, Body::Text("{}"), 400, "E0000021"),
    ("POST", SERVICES, Caller::Admin, Body::Json("{}"), 400, "E0000001"),
    ("POST", SERVICES, Caller::Admin, Body::Json(r#"{"type":"panw_cie_sim"}"#), 400, "E0000001"),
    ("POST", SERVICES, Caller::Admin, Body::Json(r#"{"type":"panw_cie_sim","grantedScopes":[]}"#), 400, "E0000001"),
    (
        "POST",
        SERVICES,
        Caller::Admin,
        Body::Json(r#"{"type":"panw_cie_sim","grantedScopes":["okta.users.read"]}"#),
        400,
        "E0000001",
    ),
    ("POST", SERVICES, Caller::Admin, Body::Json(r#"{"type":"other","grantedScopes":[]}"#), 400, "E0000001"),
    ("GET", "/api/v1/apps?limit=many", Caller::Admin, Body::Empty, 400, "E0000001"),
    ("GET", "/api/v1/apps?after=nowhere", Caller::Admin, Body::Empty, 400, "E0000001"),
    ("GET", "/api/v1/apps?filter=label+eq+%22x%22", Caller::Admin, Body::Empty, 400, "E0000031"),
    ("GET", "/api/v1/logs?filter=eventType+sw+%22a%22", Caller::Admin, Body::Empty, 400, "E0000031"),
    ("GET", "/api/v1/logs?since=yesterday", Caller::Admin, Body::Empty, 400, "E0000001"),
    ("GET", "/api/v1/logs?limit=1001", Caller::Admin, Body::Empty, 400, "E0000001"),
    // Conflicts with the state of an object.
    ("DELETE", "/api/v1/apps/{legacy}", Caller::Admin, Body::Empty, 403, "E0000056"),
    (
        "DELETE",
        "/integrations/api/v1/api-services/{service}/credentials/secrets/{secret}",
        Caller::Admin,
        Body::Empty,
        400,
        "E0000001",
    ),
    (
        "POST",
        "/integrations/api/v1/api-services/{service}/credentials/secrets/{secret}/lifecycle/deactivate",
        Caller::Admin,
        Body::Empty,
        400,
        "E0000001",
    ),
    // The token endpoint.
    (
        "POST",
        TOKEN,
        Caller::Anonymous,
        Body::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        Caller::WrongSecret,
        Body::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        Caller::Admin,
        Body::Form("grant_type=client_credentials&scope=okta.users.read"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        Caller::Anonymous,
        Body::Form("grant_type=client_credentials&scope=okta.users.read&client_id={service}&client_secret={value}"),
        401,
        "invalid_client",
    ),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=client_credentials&scope=okta.users.read&client_secret=x"),
        400,
        "invalid_request",
    ),
    ("POST", TOKEN, Caller::Basic, Body::Json("{}"), 400, "invalid_request"),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=password&scope=okta.users.read"),
        400,
        "unsupported_grant_type",
    ),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=refresh_token&scope=okta.users.read"),
        400,
        "unauthorized_client",
    ),
    (
        "POST",
        TOKEN,
        Caller::LegacyBasic,
        Body::Form("grant_type=client_credentials&scope=okta.users.read"),
        400,
        "unauthorized_client",
    ),
    ("POST", TOKEN, Caller::Basic, Body::Form("grant_type=client_credentials"), 400, "invalid_scope"),
    ("POST", TOKEN, Caller::Basic, Body::Form("grant_type=client_credentials&scope="), 400, "invalid_scope"),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=client_credentials&scope=okta.dreams.read"),
        400,
        "invalid_scope",
    ),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=client_credentials&scope=okta.users.read+okta.users.read.self"),
        400,
        "client_credentials_self_scope_requested",
    ),
    (
        "POST",
        TOKEN,
        Caller::Basic,
        Body::Form("grant_type=client_credentials&scope=okta.apps.read"),
        400,
        "consent_required",
    ),
];

/// The values of the placeholders in the table.
struct Names {
    legacy: String,
    legacy_client: (String, String),
    service: String,
    value: String,
    secret: String,
    users_token: String,
}

#[tokio::test]
async fn every_request_in_the_table_is_refused() {
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
    // A refusal changes no object.
    assert_eq!(flowswap_sim::diff(&before, &sim.snapshot()), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_scope_is_named_in_the_header() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let names = prepare(&sim, &tenant).await;
    let answer = send(&sim, &tenant, &names, ("GET", "/api/v1/groups", Caller::UsersOnly, Body::Empty)).await;
    let header = answer.header("www-authenticate");
    assert!(header.starts_with("Bearer "), "{header}");
    for part in ["scope=\"okta.groups.read\"", "error=\"insufficient_scope\"", "resource=\"/api/v1/groups\""] {
        assert!(header.contains(part), "{part} in {header}");
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_a_client_has_at_most_two() {
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

    // The first secret can go now that there is a second one: deactivate it, and then delete it.
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
async fn the_tokens_of_a_revoked_integration_stop_working() {
    let sim = mixed_world();
    let tenant = find(&sim, Scenario::Ready);
    let (id, secret) = credentials(&create_service(&sim, &tenant).await);
    let granted = take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read okta.apps.read").await;
    assert_eq!(granted.json["scope"], "okta.users.read", "scopes that are not granted are dropped silently");
    let bearer = format!("Bearer {}", granted.json["access_token"].as_str().unwrap());
    let users = ask(&format!("GET https://{}/api/v1/users?limit=1", tenant.domain)).auth(&bearer);
    assert_eq!(users.clone().send(&sim).await.status, 200);
    let url = format!("https://{}/integrations/api/v1/api-services/{id}", tenant.domain);
    assert_eq!(ask(&format!("DELETE {url}")).ssws(&tenant).send(&sim).await.status, 204);
    assert_eq!(users.send(&sim).await.status, 401);
    assert_eq!(take_token(&sim, &tenant.domain, &id, &secret, "okta.users.read").await.status, 401);
}

#[tokio::test]
async fn tokens_expire_after_an_hour() {
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
async fn an_app_must_be_deactivated_before_it_is_deleted() {
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

async fn send(sim: &Sim, tenant: &SimTenant, names: &Names, line: (&str, &str, Caller, Body)) -> Answer {
    let (method, path, who, what) = line;
    let fill = |text: &str| {
        let names = [("legacy", &names.legacy), ("service", &names.service), ("secret", &names.secret)];
        names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    };
    let request = ask(&format!("{method} https://{}{}", tenant.domain, fill(path)));
    let request = match who {
        Caller::Anonymous => request,
        Caller::Admin => request.ssws(tenant),
        Caller::WrongAdmin => request.auth("SSWS 00wrong"),
        Caller::WrongBearer => request.auth("Bearer wrong"),
        Caller::UsersOnly => request.auth(&format!("Bearer {}", names.users_token)),
        Caller::Basic => request.basic(&names.service, &names.value),
        Caller::LegacyBasic => request.basic(&names.legacy_client.0, &names.legacy_client.1),
        Caller::WrongSecret => request.basic(&names.service, "wrong"),
    };
    let request = match what {
        Body::Empty => request,
        Body::NoLength => request.without_length(),
        Body::Json(body) => request.body("application/json", body),
        Body::Text(body) => request.body("text/plain", body),
        Body::Form(body) => request.form(&fill(body).replace("{value}", &names.value)),
    };
    request.send(sim).await
}

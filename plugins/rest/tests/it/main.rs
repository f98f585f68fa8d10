//! The plugin as the host drives it, against a gateway in memory. The README's example must work too.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod config;
mod detect;
#[path = "../../../okta/tests/it/driver.rs"]
mod driver;
mod fake;
mod refusals;
mod swap;

use flowswap_contract::{DirectoryInventory, Op, ProviderInventory, Role};
use flowswap_rest::Rest;
use serde_json::{Value, json};

use crate::{
    driver::{Driver, proposal_of, step_params},
    fake::FakeGateway,
};

/// The description of the gateway, as the README gives it in TOML.
fn table() -> Value {
    json!({
        "base_url": "https://gateway.cie.test",
        "id": "dir-1",
        "fields": {
            "id": "/id", "name": "/name", "domain": "/domain", "kind": "/type",
            "flow": "/connection/flow", "client_id": "/connection/client_id",
            "app_data": "/connection/collect_applications", "last_sign_in": "/connection/last_sign_in",
            "status": "/sync/status", "last_success": "/sync/last_success",
            "users": "/sync/users", "groups": "/sync/groups", "applications": "/sync/applications",
        },
        "flows": {"authorization_code": "authorization-code", "client_credentials": "client-credentials"},
        "healthy": ["success"],
        "busy": ["in_progress"],
        "error": "/error/message",
        "gone": {"status": 404, "pointer": "/error/code", "equals": "not_found"},
        "list": {"path": "/v1/directories", "items": "/directories", "next": "/next", "next_param": "cursor"},
        "read": {"path": "/v1/directories/$id"},
        "status": {
            "path": "/v1/directories/$id/status",
            "fields": {
                "flow": "/flow", "client_id": "/client_id", "status": "/sync/status",
                "last_success": "/sync/last_success",
                "users": "/sync/users", "groups": "/sync/groups", "applications": "/sync/applications",
            },
        },
        "test": {
            "path": "/v1/directories/$id/test-connection",
            "body": {
                "flow": "$flow", "domain": "$domain", "client_id": "$client_id", "client_secret": "$client_secret",
                "collect_applications": "$app_data",
            },
            "passed": {"pointer": "/result", "equals": "success"},
            "reason": "/reason",
            "receipt": "/receipt",
        },
        "submit": {
            "path": "/v1/directories/$id/reconnect",
            "body": {
                "receipt": "$receipt", "flow": "$flow", "domain": "$domain", "client_id": "$client_id",
                "client_secret": "$client_secret", "collect_applications": "$app_data",
            },
        },
        "restore": {"path": "/v1/directories/$id/restore", "body": {}},
    })
}

fn open(table: Value) -> Driver<Rest> {
    let mut rest = Driver::open(Role::Directory, table).unwrap();
    rest.secrets.insert("new-secret".to_owned(), "CANARY-new-secret".to_owned());
    rest
}

fn detect(rest: &mut Driver<Rest>, gateway: &mut FakeGateway) -> DirectoryInventory {
    let inventory: Value = rest.call(gateway, Op::Detect, json!({})).unwrap();
    serde_json::from_value(inventory).unwrap()
}

/// The steps for the directory as it is now.
fn plan(rest: &mut Driver<Rest>, gateway: &mut FakeGateway) -> Value {
    let directory = detect(rest, gateway);
    rest.asked.clear();
    let provider = ProviderInventory::default();
    let params = json!({"tenant": "acme", "app_data": true, "provider": provider, "directory": directory});
    rest.call(gateway, Op::Plan, params).unwrap()
}

/// The parameters of one step, with everything that it may need.
fn params_of(steps: &Value, phase: &str) -> Value {
    let inputs = json!({
        "client_id": "0oaNEW", "client_secret": {"$secret": "new-secret"}, "receipt": "rcp-1",
        "swapped_at": "2026-01-01T12:00:00Z",
        "baseline": {"counts": {"users": 1000, "groups": 20, "applications": 7}, "was_healthy": true},
    });
    step_params(Role::Directory, &proposal_of(steps, phase), inputs, json!({}))
}

/// A session, a gateway and the parameters of one step.
fn prepare(phase: &str) -> (Driver<Rest>, FakeGateway, Value) {
    let (mut rest, mut gateway) = (open(table()), FakeGateway::new());
    let steps = plan(&mut rest, &mut gateway);
    (rest, gateway, params_of(&steps, phase))
}

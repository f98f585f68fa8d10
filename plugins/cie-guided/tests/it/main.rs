//! The plugin as the host drives it, against an interface in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod access;
mod baseline;
mod config;
mod confirm;
#[expect(dead_code, reason = "the other plugins' tests open their sessions with an admin's token")]
#[path = "../../../okta/tests/it/driver.rs"]
mod driver;
mod fake;
mod many;
mod secret;
mod sheets;

use flowswap_cie_guided::CieGuided;
use flowswap_contract::{DirectoryInventory, Error, Handle, Op, ProviderInventory, Role, TestReply};
use serde_json::{Map, Value, json};

use crate::{
    driver::{Driver, proposal_of, step_params},
    fake::FakeCie,
};

/// The directory's table.
fn table() -> Value {
    json!({
        "tsg_id": "1234567890",
        "client_id": "svc@1234567890.iam.panserviceaccount.com",
        "directory": "acme.okta.test",
        "domain": "acme.okta.test",
        "console_url": "https://directory-sync.us.paloaltonetworks.com/directory?instance=abc",
        "record": {
            "flow": "authorization-code", "client_id": "0oaOLD", "app_data": true, "auth_logs": false,
            "last_sign_in": "2025-11-01T08:00:00+01:00",
        },
        "sample_groups": 3,
    })
}

fn try_open(table: Value) -> Result<Driver<CieGuided>, Error> {
    let Value::Object(table) = table else { panic!("a table is wanted") };
    let secrets = [("client_secret".to_owned(), Handle::new("cie-secret"))].into();
    let mut plugin = Driver::open_with(Role::Directory, table, secrets)?;
    plugin.secrets.insert("cie-secret".to_owned(), "CANARY-cie-secret".to_owned());
    plugin.secrets.insert("new-secret".to_owned(), "CANARY-new-secret".to_owned());
    Ok(plugin)
}

fn open(table: Value) -> Driver<CieGuided> {
    try_open(table).unwrap()
}

fn detect(plugin: &mut Driver<CieGuided>, cie: &mut FakeCie) -> Result<DirectoryInventory, Error> {
    let inventory: Value = plugin.call(cie, Op::Detect, json!({}))?;
    Ok(serde_json::from_value(inventory).unwrap())
}

/// The steps for the directory as it is now, with the app that the provider shows.
fn plan(plugin: &mut Driver<CieGuided>, cie: &mut FakeCie, app_data: bool) -> Value {
    let directory = detect(plugin, cie).unwrap();
    plugin.asked.clear();
    let mut provider = json!(ProviderInventory::default());
    provider["legacy_clients"] = json!([{
        "id": "0oaOLD", "client_id": "0oaOLD", "label": "CIE Directory Sync", "status": "ACTIVE",
        "grant_types": ["refresh_token"], "redirect_uris": [], "scopes": [],
    }]);
    let params = json!({"tenant": "acme", "app_data": app_data, "provider": provider, "directory": directory});
    plugin.call(cie, Op::Plan, params).unwrap()
}

const SWAPPED_AT: &str = "2026-01-01T12:00:30Z";

/// The parameters of one step, with the outputs of the provider's steps.
fn params_of(steps: &Value, phase: &str, more: &Value, notes: Value) -> Value {
    let mut inputs: Map<String, Value> = Map::new();
    inputs.insert("client_id".to_owned(), json!("0oaNEW"));
    inputs.insert("client_secret".to_owned(), json!({"$secret": "new-secret"}));
    inputs.insert("receipt".to_owned(), json!("acme.okta.test seen at 2026-01-01T12:00:00Z"));
    inputs.insert("swapped_at".to_owned(), json!(SWAPPED_AT));
    inputs.extend(more.as_object().cloned().unwrap_or_default());
    step_params(Role::Directory, &proposal_of(steps, phase), Value::Object(inputs), notes)
}

fn test(plugin: &mut Driver<CieGuided>, cie: &mut FakeCie, params: Value) -> Result<TestReply, Error> {
    plugin.call(cie, Op::Test, json!({ "step": params }))
}

//! The plugin as the host drives it, against an org in memory and against recorded answers of the real API.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod baseline;
mod config;
mod confirm;
mod detect;
mod driver;
mod fake;
mod migration;
mod outside;
mod prove;
mod provision;
mod recordings;
mod retire;
mod witness;

use flowswap_contract::{DirectoryInventory, Flow, Op, ProviderInventory, Role};
use flowswap_okta::Okta;
use serde_json::{Value, json};

use crate::{
    driver::{Driver, proposal_of, step_params},
    fake::FakeOkta,
};

/// A session with the org, with both type keys configured.
fn open() -> Driver<Okta> {
    let types = json!({"plain": "panw_cie", "application-enabled": "panw_cie_apps"});
    Driver::open(Role::Provider, json!({"domain": "acme.okta.test", "variant_types": types})).unwrap()
}

fn detect(okta: &mut Driver<Okta>, org: &mut FakeOkta) -> ProviderInventory {
    let inventory: Value = okta.call(org, Op::Detect, json!({})).unwrap();
    serde_json::from_value(inventory).unwrap()
}

fn directory(client_id: Option<&str>) -> DirectoryInventory {
    DirectoryInventory {
        id: "dir1".to_owned(),
        name: "acme".to_owned(),
        domain: "acme-real.okta.test".to_owned(),
        flow: Flow::AuthorizationCode,
        client_id: client_id.map(str::to_owned),
        ..DirectoryInventory::default()
    }
}

/// The steps for the org as it is now.
fn plan(okta: &mut Driver<Okta>, org: &mut FakeOkta, app_data: bool) -> Value {
    let provider = detect(okta, org);
    let directory = directory(Some("0oaLEGACY-client"));
    okta.asked.clear();
    let params = json!({"tenant": "acme", "app_data": app_data, "provider": provider, "directory": directory});
    okta.call(org, Op::Plan, params).unwrap()
}

/// A session, an org and the parameters of one step of its plan.
fn prepare(phase: &str, inputs: Value, outputs: Value) -> (Driver<Okta>, FakeOkta, Value) {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    let steps = plan(&mut okta, &mut org, false);
    let params = step_params(Role::Provider, &proposal_of(&steps, phase), inputs, outputs);
    (okta, org, params)
}

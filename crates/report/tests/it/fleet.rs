//! A fleet of five shapes, planned by the engine from recorded answers of the plugins.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_contract::{self as contract, Op, Role};
use flowswap_engine::{
    Actor, Backend, BackendCall, Plan, PlannedTenant, PluginPin, Tenant, TenantSpec, digest_config, plan_tenant,
};
use futures::future::{BoxFuture, FutureExt, ready};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What the plugins `okta` and `rest` answered for one tenant of `flowswap sim`.
const RECORDED: &str = include_str!("../../../engine/benches/recorded.json");

/// When the plans of the tests are made.
pub(crate) fn now() -> Timestamp {
    "2026-09-12T00:00:00Z".parse().unwrap()
}

/// How a tenant differs from the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Usual,
    /// The new client gets a scope more.
    MoreScopes,
    /// The directory does not show the last sign-in.
    Undated,
    /// Its connection dies within days.
    Urgent,
    Migrated,
    /// The provider does not answer.
    Unreadable,
}

/// A side of a tenant that answers as recorded, under the tenant's own name.
struct Recorded {
    role: Role,
    name: String,
    shape: Shape,
}

impl Backend for Recorded {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        ready(self.answer(call.op)).boxed()
    }

    fn origins(&self) -> Vec<String> {
        vec![if self.is_provider() {
            format!("https://{}.okta.test", self.name)
        } else {
            "https://gateway.test".to_owned()
        }]
    }

    fn token_paths(&self) -> Vec<String> {
        if self.is_provider() { vec!["/oauth2/v1/token".to_owned()] } else { Vec::new() }
    }
}

impl Recorded {
    fn is_provider(&self) -> bool {
        self.role == Role::Provider
    }

    fn answer(&self, op: Op) -> Result<Value, contract::Error> {
        let mut recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let mut side = recorded[self.role.to_string()].take();
        let mut reply =
            if op == Op::Detect { side["inventory"].take() } else { json!({ "steps": side["steps"].take() }) };
        reply["role"] = self.role.to_string().into();
        match (self.shape, self.role, op) {
            (Shape::Unreadable, Role::Provider, Op::Detect) => {
                return Err(contract::Error::new(contract::ErrorKind::Unavailable, "the org does not answer"));
            }
            (Shape::MoreScopes, Role::Provider, Op::Plan) => {
                let payload = &mut reply["steps"][0]["payload"]["scopes"];
                payload.as_array_mut().expect("the recorded step has scopes").push("okta.devices.read".into());
            }
            (Shape::Undated, Role::Directory, Op::Detect) => reply["last_sign_in"] = Value::Null,
            (Shape::Urgent, Role::Directory, Op::Detect) => reply["last_sign_in"] = "2026-06-18T00:00:00Z".into(),
            (Shape::Migrated, Role::Directory, Op::Detect) => reply["flow"] = "client-credentials".into(),
            _ => {}
        }
        rename(&mut reply, &self.name);
        Ok(reply)
    }
}

/// Every tenant has an org, a directory, and clients of its own.
fn rename(value: &mut Value, name: &str) {
    match value {
        Value::String(text) => {
            *text = text
                .replace("acme", name)
                .replace("0oaV7veSES6AaaSovrSj", &format!("0oa{:x<17}", name.replace('-', "")));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, name)),
        _ => {}
    }
}

/// The tenant as the engine plans it.
pub(crate) fn planned(name: &str, shape: Shape) -> PlannedTenant {
    let side = |role| Arc::new(Recorded { role, name: name.to_owned(), shape });
    let domain = format!("{name}.okta.test");
    let config = json!({ "provider": { "domain": domain }, "directory": { "id": name } });
    let tenant = Tenant {
        provider: side(Role::Provider),
        directory: side(Role::Directory),
        spec: TenantSpec {
            name: name.to_owned(),
            domain,
            app_data: false,
            provider_plugin: "okta".to_owned(),
            directory_plugin: "rest".to_owned(),
            rotation: None,
            accepted: Vec::new(),
            begun: false,
            config: digest_config(&config).unwrap(),
        },
    };
    plan_tenant(&tenant, now()).now_or_never().expect("nothing waits").unwrap()
}

fn planner() -> Actor {
    Actor { name: Some("Dana".to_owned()), host: Some("laptop".to_owned()), ..Actor::user("svc-ops") }
}

/// The plan of these tenants.
pub(crate) fn freeze(tenants: Vec<PlannedTenant>) -> Plan {
    let pin = || PluginPin { version: "0.1.0".to_owned(), sha256: "0".repeat(64), uncaged: false };
    let plugins = BTreeMap::from(["okta", "rest"].map(|name| (name.to_owned(), pin())));
    Plan::freeze(now(), now() + SignedDuration::from_hours(24), Some(planner()), plugins, tenants).unwrap()
}

/// The plan of a fleet with this many tenants of the usual shape, and one of each other.
pub(crate) fn plan(usual: usize) -> Plan {
    let usual = (1..=usual).map(|number| planned(&format!("tenant-{number}"), Shape::Usual));
    let odd = [
        ("more", Shape::MoreScopes),
        ("undated", Shape::Undated),
        ("urgent", Shape::Urgent),
        ("migrated", Shape::Migrated),
        ("silent", Shape::Unreadable),
    ];
    freeze(usual.chain(odd.map(|(name, shape)| planned(name, shape))).collect())
}

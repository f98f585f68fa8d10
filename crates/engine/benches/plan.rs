//! Plans ten thousand tenants from recorded answers of the plugins, without a network and without plugins, and writes the plan.
//!
//! `recorded.json` has what the plugins `okta` and `rest` answered for one tenant of `flowswap sim`.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{self, Write},
    sync::Arc,
    time::Instant,
};

use flowswap_contract::{self as contract, Op, Role};
use flowswap_engine::{
    Backend, BackendCall, Plan, PluginPin, Tenant, TenantSpec, digest_config, plan_tenant, side_by_side,
};
use futures::future::{BoxFuture, ready};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const TENANTS: usize = 10_000;

/// A side of a tenant that answers as recorded, under the tenant's own name.
struct Recorded {
    role: Role,
    name: String,
    answers: Arc<Value>,
}

impl Backend for Recorded {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        let mut recorded = self.answers[self.role.to_string()].clone();
        let mut reply = match call.op {
            Op::Detect => recorded["inventory"].take(),
            _ => json!({ "steps": recorded["steps"].take() }),
        };
        rename(&mut reply, &self.name);
        reply["role"] = self.role.to_string().into();
        Box::pin(ready(Ok(reply)))
    }
}

/// Every tenant has an org and a directory of its own.
fn rename(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if text.contains("acme") => *text = text.replace("acme", name),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, name)),
        _ => {}
    }
}

fn tenant(index: usize, answers: &Arc<Value>) -> Result<Tenant, Box<dyn Error>> {
    let name = format!("tenant-{index}");
    let domain = format!("{name}.okta.test");
    let config = json!({ "provider": { "domain": domain }, "directory": { "id": name } });
    let side = |role| Arc::new(Recorded { role, name: name.clone(), answers: Arc::clone(answers) });
    Ok(Tenant {
        provider: side(Role::Provider),
        directory: side(Role::Directory),
        spec: TenantSpec {
            name,
            domain,
            app_data: false,
            provider_plugin: "okta".to_owned(),
            directory_plugin: "rest".to_owned(),
            rotation: None,
            accepted: Vec::new(),
            begun: false,
            config: digest_config(&config)?,
        },
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let answers = Arc::new(serde_json::from_str(include_str!("recorded.json"))?);
    let now: Timestamp = "2026-09-12T00:00:00Z".parse()?;
    let tenants = (0..TENANTS).map(|index| tenant(index, &answers)).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let works = tenants.into_iter().map(|tenant| async move { plan_tenant(&tenant, now).await });
    let planned = side_by_side(works, 256).await.into_iter().collect::<Result<_, _>>()?;
    let seconds = start.elapsed().as_secs_f64();
    let pin = || PluginPin { version: "0.1.0".to_owned(), sha256: "0".repeat(64), uncaged: false };
    let plugins = BTreeMap::from(["okta", "rest"].map(|name| (name.to_owned(), pin())));
    let plan = Plan::freeze(now, now + SignedDuration::from_hours(24), None, plugins, planned)?;
    if plan.ready().count() != TENANTS {
        return Err("a tenant has no steps".into());
    }
    let frozen = start.elapsed().as_secs_f64();
    plan.write(io::sink())?;
    writeln!(
        io::stdout(),
        "{TENANTS} tenants: planned after {seconds:.2} s, frozen after {frozen:.2} s, written after {:.2} s; {}",
        start.elapsed().as_secs_f64(),
        peak().unwrap_or_default(),
    )?;
    Ok(())
}

/// The most memory so far, as Linux tells it.
fn peak() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(format!("peak memory {}", line.trim()))
}

//! A malicious plugin asks for what it must not have, in a cage and without one: the host is what stops it. The tables have a
//! row for each way of the threats marked P in `crates/host/THREATS.md`, except those that attack from the plugin's process
//! (`cage.rs`, `memory.rs`).
//!
//! Every row is played by a tenant of its own. It shows that the attack reached the host or the other side, and that it failed.

/// Attacks while flowswap only looks.
mod dry_run;
/// Attacks on what a provider may use while it creates a client.
mod excess;
/// What was attempted, and what it achieved.
mod judge;
/// Attacks of a directory on the secret of the new client.
mod theft;
use flowswap_contract::{Ask, Auth, Body, Handle, HttpAsk, Intent, Role};
use flowswap_sim::{GATEWAY_HOST, Scenario, SimConfig, SimTenant};
use serde_json::{Value, json};

use self::judge::Judge;
use super::stage::side_of;
use crate::support::Lab;

/// One attack.
struct Row {
    /// What the plugin tries.
    what: &'static str,
    /// What it asks for, one after the other.
    asks: fn(&Place) -> Vec<Ask>,
    end: End,
}

/// How an attack must end.
enum End {
    /// The host refuses the last ask in these words, and sends everything before it. The words may have `{request}`, `{secret}`
    /// for that of the new client, `{tenant}`, `{side}`, and `{other_side}`.
    Refused(&'static str),
    /// The host sends everything, because a plugin may do that. It achieves nothing.
    Sent,
    /// The host sends everything, and the plugin gets an answer or an error with these words.
    Got(&'static str),
}

/// A side that the rogue plays.
struct Place {
    tenant: String,
    side: Role,
    /// Where it may send requests.
    own: String,
    /// The other origin of its session: the server of the tenant's other side.
    other: String,
    /// The step in which it attacks; none in a dry run.
    step: Option<&'static str>,
}

/// The path at which the secret of a step may stand in a body.
const PLACE: &str = "place";

/// A tenant of the lab whose sides have their own plugins.
const NEIGHBOR: &str = "acme";

impl Place {
    fn new(tenant: &SimTenant, side: Role) -> Self {
        let [org, gateway] = [&tenant.domain, GATEWAY_HOST].map(|host| format!("https://{host}"));
        let (own, other) = if side == Role::Provider { (org, gateway) } else { (gateway, org) };
        Self { tenant: tenant.name.clone(), side, own, other, step: None }
    }

    /// The keys of the rogue's table that let it play the row here.
    fn keys(&self, lab: &Lab, tenant: &SimTenant, moment: &str, row: &Row) -> String {
        let asks = toml::Value::String(serde_json::to_string(&(row.asks)(self)).unwrap());
        let mut keys = side_of(tenant, self.side);
        for (key, value) in [
            ("other_url", &self.other),
            ("domain", &tenant.domain),
            ("client_id", &lab.org(tenant).legacy[0].client_id),
            ("asks_in", &moment.to_owned()),
        ] {
            keys += &format!("{key} = \"{value}\"\n");
        }
        format!("{keys}asks = {asks}\n")
    }

    /// A URL that only this side uses, and where no server has anything.
    fn url(&self) -> String {
        self.url_of("rogue")
    }

    /// The same below a path that a test may give an answer to.
    fn url_of(&self, what: &str) -> String {
        format!("{}/{what}/{}/{}", self.own, self.tenant, self.side)
    }

    /// A request with the side's own credential.
    fn ask(&self, intent: Intent, method: &str) -> HttpAsk {
        self.ask_at(intent, method, self.url())
    }

    fn ask_at(&self, intent: Intent, method: &str, url: String) -> HttpAsk {
        // What each of the two servers expects.
        let scheme = if self.side == Role::Provider { "SSWS" } else { "Bearer" };
        let auth = Auth::Token { scheme: scheme.to_owned(), token: self.credential() };
        HttpAsk { auth: Some(auth), ..HttpAsk::new(intent, method, url) }
    }

    /// A read with any secret as its token.
    fn ask_with_token(&self, token: Handle) -> HttpAsk {
        let auth = Auth::Token { scheme: "Bearer".to_owned(), token };
        HttpAsk { auth: Some(auth), ..self.ask(Intent::Read, "GET") }
    }

    /// A read with the name of a secret in its query and in a header. The host replaces neither.
    fn ask_with_name(&self, handle: Handle) -> HttpAsk {
        let name = handle.to_value().to_string();
        let ask = self.ask_at(Intent::Read, "GET", format!("{}?search={name}", self.url()));
        HttpAsk { headers: [("prefer".to_owned(), name)].into(), ..ask }
    }

    fn in_step(tenant: &SimTenant, side: Role, step: &'static str) -> Self {
        Self { step: Some(step), ..Self::new(tenant, side) }
    }

    fn other_side(&self) -> Role {
        if self.side == Role::Provider { Role::Directory } else { Role::Provider }
    }

    /// The side's own credential.
    fn credential(&self) -> Handle {
        Handle::of_side(&self.tenant, self.side, "credential")
    }

    /// The secret of the new client of a tenant.
    fn secret_of(tenant: &str) -> Handle {
        Handle::of_step(tenant, "provision", "client_secret")
    }

    /// The secret of the new client.
    fn secret(&self) -> Handle {
        Self::secret_of(&self.tenant)
    }

    /// A request that could change something, with a body.
    fn mutation(&self, body: Value) -> HttpAsk {
        HttpAsk { body: Some(Body::Json(body)), ..self.ask(Intent::Mutate, "POST") }
    }

    /// A request for a token with these fields beside the type of the grant. Only the org has such a path.
    fn token_request(&self, fields: &[(&str, Value)]) -> HttpAsk {
        let org = if self.side == Role::Provider { &self.own } else { &self.other };
        let fields = std::iter::once(("grant_type", json!("client_credentials"))).chain(fields.iter().cloned());
        let body = Body::Form(fields.map(|(name, value)| (name.to_owned(), value)).collect());
        let url = format!("{org}/oauth2/v1/token");
        HttpAsk { body: Some(body), ..HttpAsk::new(Intent::Authenticate, "POST", url) }
    }
}

/// A list of one request.
fn one(ask: HttpAsk) -> Vec<Ask> {
    vec![Ask::Http(ask)]
}

/// The row that the tenant plays. The first tenant, the neighbor, plays none.
fn row_of<'a, T>(rows: &'a [T], lab: &Lab, tenant: &SimTenant) -> Option<&'a T> {
    let at = lab.sim.tenants().iter().position(|other| other.name == tenant.name)?;
    rows.get(at.checked_sub(1)?)
}

/// A tenant for each row, and the neighbor.
fn config(rows: usize) -> SimConfig {
    SimConfig::default().scenarios(vec![Scenario::Ready; rows + 1]).record(true)
}

/// Migrates every tenant. Only the neighbor is sure to get to the end.
fn migrate(lab: &Lab) -> Judge<'_> {
    let mut judge = Judge::new(lab, 1);
    // Most attacks end in a failure, and every one must be attempted. So all start before one of them ends.
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1000\nmax_failures = 1000\n"));
    judge.run(&["plan", "-o", "plan.json"], 0);
    judge.run(&["apply", "plan.json", "--yes", "-v"], 3);
    assert!(lab.in_state("swapped").contains(&NEIGHBOR.to_owned()), "the neighbor suffers");
    for args in [&["status"][..], &["stuck"]] {
        judge.run(args, 0);
    }
    judge
}

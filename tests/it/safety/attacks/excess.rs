//! A provider may change things while it creates the client. It tries to replace a secret that was shown once, to get one
//! into the journal, and to use up what flowswap has.

use flowswap_contract::{Capture, Custody};
use flowswap_sim::{Fault, FaultKind};

use super::*;
use crate::safety::{
    canary_by_hand::in_custody,
    echo::new_secret,
    rogue::read_state,
    stage::{CAGES, cage, stage},
};

/// What a provider tries while it creates the client.
const IN_PROVISION: &[Row] = &[
    Row {
        what: OVERWRITE,
        asks: |at| vec![Ask::Http(creation(at)), Ask::Http(creation(at))],
        end: End::Refused("asked for a new secret `{tenant}/provision/client_secret`, which already exists"),
    },
    Row {
        what: "two secrets under one name",
        asks: |at| {
            let mut ask = creation(at);
            ask.capture.push(Capture { pointer: "/id".to_owned(), ..ask.capture[0].clone() });
            one(ask)
        },
        end: End::Refused("asked for two secrets under the name `{tenant}/provision/client_secret`"),
    },
    Row { what: REQUEST_ID, asks: |at| one(HttpAsk { url: at.url_of("shown"), ..creation(at) }), end: End::Sent },
    Row {
        // A filter that cuts one after the other would leave most of the token.
        what: "a needle of its own that overlaps a secret",
        asks: |at| {
            let capture = capture("/needle", "needle", Custody::Durable);
            let creation = HttpAsk { capture, url: at.url_of("echo"), ..at.mutation(json!({})) };
            vec![Ask::Http(creation), Ask::Http(at.ask_at(Intent::Read, "GET", at.url_of("echo")))]
        },
        end: End::Got("\"text\":\"[redacted]\""),
    },
    Row {
        // With text of its own around it, the plugin could guess it piece by piece.
        what: "a known secret under a new name",
        asks: |at| {
            let capture = capture("/text", "text", Custody::Durable);
            one(HttpAsk { capture, url: at.url_of("echo"), ..at.mutation(json!({})) })
        },
        end: End::Got("repeats something else as a new secret"),
    },
    Row {
        what: "a token of a read",
        asks: |at| {
            let capture = capture("/text", "text", Custody::Session);
            one(HttpAsk { capture, ..at.ask_at(Intent::Read, "GET", at.url_of("echo")) })
        },
        end: End::Refused("that captures a token, which only a token request may do"),
    },
    Row {
        what: "too many secrets",
        asks: |at| {
            let capture = |n| Capture { pointer: format!("/{n}"), name: format!("s{n}"), custody: Custody::Durable };
            one(HttpAsk { capture: (0..257).map(capture).collect(), ..at.mutation(json!({})) })
        },
        end: End::Refused("asked for more than 256 secrets in one call"),
    },
    Row {
        what: "too many changes",
        asks: |at| vec![Ask::Http(at.mutation(json!({}))); 101],
        end: End::Refused("asked for more than 100 changes in one step"),
    },
    Row {
        what: "an answer that is too long",
        asks: |at| one(at.ask_at(Intent::Read, "GET", at.url_of("long"))),
        end: End::Got("the answer is longer than 16 MiB"),
    },
];

const OVERWRITE: &str = "a secret over one that was shown once";
const REQUEST_ID: &str = "a secret as the id of its request";

fn capture(pointer: &str, name: &str, custody: Custody) -> Vec<Capture> {
    vec![Capture { pointer: pointer.to_owned(), name: name.to_owned(), custody }]
}

/// Creates a client as the org expects it, and captures its secret.
fn creation(at: &Place) -> HttpAsk {
    let scopes = ["users.read", "users.read.self", "groups.read", "authorizationServers.read", "logs.read"];
    let scopes = scopes.map(|scope| format!("okta.{scope}"));
    HttpAsk {
        url: format!("{}/integrations/api/v1/api-services", at.own),
        capture: capture("/clientSecret", "client_secret", Custody::Durable),
        ..at.mutation(json!({ "type": "panw_cie_sim", "grantedScopes": scopes }))
    }
}

#[test]
fn in_a_step_a_provider_overwrites_no_secret_and_uses_nothing_up() {
    for how in CAGES {
        let lab = stage(config(IN_PROVISION.len()), |lab, tenant, side| {
            let row = row_of(IN_PROVISION, lab, tenant)?;
            Some(match side {
                Role::Provider => Place::in_step(tenant, side, "provision").keys(lab, tenant, "provision", row),
                Role::Directory => side_of(tenant, side) + &format!("domain = \"{}\"\n", tenant.domain),
            })
        });
        cage(&lab, how);
        lab.sim.add_fault(script("*", "/long/", Vec::new(), "x".repeat(17 << 20)));
        for tenant in &lab.sim.tenants() {
            let token = &tenant.admin_token;
            let echo = json!({ "needle": format!("x{}", &token[..8]), "text": format!("x{token}y") });
            lab.sim.add_fault(script(&tenant.domain, "/echo/", Vec::new(), echo.to_string()));
            let secret = format!("1f8e-shown-once-to-{}", tenant.name);
            let id = vec![("x-okta-request-id".to_owned(), secret.clone())];
            let body = json!({ "id": "0oa1", "clientSecret": secret }).to_string();
            lab.sim.add_fault(script(&tenant.domain, "/shown/", id, body));
        }
        let mut judge = migrate(&lab);
        for tenant in &lab.sim.tenants() {
            let Some(row) = row_of(IN_PROVISION, &lab, tenant) else { continue };
            let report = judge.run(&["history", &tenant.name, "--format", "json"], 0);
            judge.try_row(row, &Place::in_step(tenant, Role::Provider, "provision"), &report);
            if row.what == REQUEST_ID {
                let journal = String::from_utf8_lossy(&read_state(lab.dir())).into_owned();
                assert!(journal.contains(r#""request_id":"[redacted]""#), "the journal has no such id");
            }
            if row.what == OVERWRITE {
                let kept = (Place::secret_of(&tenant.name).to_string(), new_secret(&lab, &tenant.domain));
                assert!(in_custody(&lab).contains(&kept), "the first secret is lost");
            }
        }
        judge.find_secrets();
    }
}

/// From now on, the server answers in this way below a path.
fn script(host: &str, path: &str, headers: Vec<(String, String)>, body: String) -> Fault {
    let kind = FaultKind::Script { status: 200, headers, body, after_commit: false, milliseconds: 0 };
    Fault { host: host.to_owned(), method: None, path: path.to_owned(), query: String::new(), kind, times: 0, skip: 0 }
}

//! A directory has the name of a real secret, and tries to send that secret elsewhere and to use other secrets.

use super::*;
use crate::safety::{
    echo::new_secret,
    stage::{CAGES, cage, stage},
};

/// What a directory tries with the secret of the new client, each in a step.
const THEFTS: &[(&str, Row)] = &[
    (
        "swap",
        // It may do that: the plan shows the place. So the secret is there to be stolen.
        Row {
            what: "the secret in its place",
            asks: |at| one(HttpAsk { url: at.url_of(PLACE), ..secret_in(at, "secret") }),
            end: End::Sent,
        },
    ),
    (
        "swap",
        Row {
            what: "the secret in its place of another server",
            asks: |at| one(HttpAsk { url: at.url().replace(&at.own, &at.other), ..secret_in(at, "secret") }),
            end: End::Refused("put {secret} in the body at `/secret` of a request ({request})"),
        },
    ),
    (
        "swap",
        Row {
            what: "the secret to a server that nobody named",
            asks: |at| one(HttpAsk { url: "https://elsewhere.test/rogue".to_owned(), ..secret_in(at, "secret") }),
            end: End::Refused("asked for a request to a foreign origin ({request}); its session may use only"),
        },
    ),
    (
        "swap",
        Row {
            what: "another path in a header",
            asks: |at| {
                let headers = [("x-original-url".to_owned(), "/elsewhere".to_owned())].into();
                one(HttpAsk { headers, ..at.mutation(json!({})) })
            },
            end: End::Refused("the header `x-original-url` ({request}), which you have not allowed"),
        },
    ),
    (
        "swap",
        Row {
            what: "the secret as a label",
            asks: |at| one(secret_in(at, "label")),
            end: End::Refused("put {secret} in the body at `/label` of a request ({request})"),
        },
    ),
    (
        "swap",
        Row {
            what: "the secret in a form",
            asks: |at| {
                let body = Body::Form(vec![("label".to_owned(), at.secret().to_value())]);
                one(HttpAsk { body: Some(body), ..at.mutation(json!({})) })
            },
            end: End::Refused("put {secret} in the body at `/label` of a request ({request})"),
        },
    ),
    (
        "swap",
        Row {
            what: "a search for the secret by its beginning",
            asks: |at| {
                let body = json!({ "search": { "starts_with": at.secret().to_value() } });
                one(HttpAsk { query: true, intent: Intent::Read, ..at.mutation(body) })
            },
            end: End::Refused("in the body at `/search/starts_with` of a request ({request}), where it may not stand"),
        },
    ),
    (
        "swap",
        Row {
            what: "a change under the name of a query",
            asks: |at| {
                let url = at.url_of("deactivate");
                one(HttpAsk { query: true, intent: Intent::Read, url, ..at.mutation(json!({})) })
            },
            end: End::Refused("as a query, but its step does not name this URL among its `queries`"),
        },
    ),
    (
        "swap",
        Row {
            what: "a credential by a scheme that servers decode",
            asks: |at| {
                let auth = Some(Auth::Token { scheme: "Basic".to_owned(), token: at.credential() });
                one(HttpAsk { auth, ..at.ask(Intent::Read, "GET") })
            },
            end: End::Refused("asked to send a token by the scheme `Basic` ({request}), which you have not allowed"),
        },
    ),
    (
        // Only the name of the secret leaves.
        "swap",
        Row {
            what: "the secret in a query and in a header",
            asks: |at| one(at.ask_with_name(at.secret())),
            end: End::Sent,
        },
    ),
    (
        "swap",
        Row {
            what: "the secret as a token",
            asks: |at| one(at.ask_with_token(at.secret())),
            end: End::Refused("put {secret} as a token of a request ({request})"),
        },
    ),
    (
        "swap",
        Row {
            what: "the secret as a password",
            asks: |at| {
                let auth = Auth::Basic { username: "me".to_owned(), password: at.secret() };
                one(HttpAsk { auth: Some(auth), ..at.mutation(json!({})) })
            },
            end: End::Refused("put {secret} as a password of a request ({request})"),
        },
    ),
    (
        "test",
        Row {
            what: "the secret as the name of a client",
            asks: |at| one(at.token_request(&[("client_id", at.secret().to_value())])),
            end: End::Refused("in the body at `/client_id` of a request ({request}), where it may not stand"),
        },
    ),
    (
        "swap",
        Row {
            what: "a credential where the secret may stand",
            asks: |at| one(at.mutation(json!({ "secret": at.credential().to_value() }))),
            end: End::Refused(
                "put the secret `{tenant}/directory/credential` in the body at `/secret` of a request ({request})",
            ),
        },
    ),
    (
        "swap",
        Row {
            what: "the secret of another tenant",
            asks: |at| one(at.mutation(json!({ "secret": Place::secret_of(NEIGHBOR).to_value() }))),
            end: End::Refused("named the secret `acme/provision/client_secret`, which this call may not use"),
        },
    ),
    (
        "swap",
        Row {
            what: "the credential of the other side",
            asks: |at| {
                let secret = Handle::of_side(&at.tenant, at.other_side(), "credential");
                one(at.mutation(json!({ "secret": secret.to_value() })))
            },
            end: End::Refused("named the secret `{tenant}/provider/credential`, which this call may not use"),
        },
    ),
    (
        "baseline",
        Row {
            what: "a secret that the step does not need",
            asks: |at| {
                let body = json!({ "secret": at.secret().to_value() });
                one(HttpAsk { query: true, intent: Intent::Read, ..at.mutation(body) })
            },
            end: End::Refused("named {secret}, which this call may not use"),
        },
    ),
    (
        "baseline",
        Row {
            what: "a change in a check",
            asks: |at| one(at.mutation(json!({}))),
            end: End::Refused("asked for a `mutate` request ({request}) during `test`, which must not change anything"),
        },
    ),
];

/// The secret of the new client in a member of the body.
fn secret_in(at: &Place, member: &str) -> HttpAsk {
    at.mutation(json!({ member: at.secret().to_value() }))
}

#[test]
fn in_a_step_a_directory_sends_no_secret_elsewhere() {
    for how in CAGES {
        let lab = stage(config(THEFTS.len()), |lab, tenant, side| {
            let (step, row) = row_of(THEFTS, lab, tenant).filter(|_| side == Role::Directory)?;
            Some(Place::in_step(tenant, side, step).keys(lab, tenant, step, row))
        });
        cage(&lab, how);
        let mut judge = migrate(&lab);
        for tenant in &lab.sim.tenants() {
            let Some((step, row)) = row_of(THEFTS, &lab, tenant) else { continue };
            let report = judge.run(&["history", &tenant.name, "--format", "json"], 0);
            judge.try_row(row, &Place::in_step(tenant, Role::Directory, step), &report);
            assert_eq!(lab.directory(tenant).flow, "authorization_code", "{}", row.what);
        }
        judge.find_secrets();
        let here =
            lab.sim.traffic().into_iter().find(|exchange| exchange.path_and_query.starts_with(&format!("/{PLACE}/")));
        let body: Value = serde_json::from_slice(&here.unwrap().request_body).unwrap();
        assert_eq!(body["secret"], new_secret(&lab, &lab.sim.tenants()[1].domain), "there was nothing to steal");
    }
}

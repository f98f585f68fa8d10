//! In a dry run, a plugin tries to change something, to send a secret elsewhere, and to use secrets of others.

use flowswap_contract::{Capture, Custody};

use super::*;
use crate::safety::stage::{CAGES, cage, stage};

const ROWS: &[Row] = &[
    Row {
        what: "a change",
        asks: |at| one(at.mutation(json!({}))),
        end: End::Refused("asked for a `mutate` request ({request}) during `detect`, which must not change anything"),
    },
    Row {
        what: "a deletion as a read",
        asks: |at| one(at.ask(Intent::Read, "DELETE")),
        end: End::Refused("({request}) during `detect` in a dry run; there, only GET and HEAD count as reading"),
    },
    Row {
        what: "a read by POST",
        asks: |at| one(HttpAsk { body: Some(Body::Json(json!({}))), ..at.ask(Intent::Read, "POST") }),
        end: End::Refused("({request}) during `detect` in a dry run; there, only GET and HEAD count as reading"),
    },
    Row {
        what: "a query by POST",
        asks: |at| one(HttpAsk { query: true, ..at.ask(Intent::Read, "POST") }),
        end: End::Refused("({request}) during `detect` in a dry run; there, only GET and HEAD count as reading"),
    },
    Row {
        what: "another method in a header",
        asks: |at| one(with_header(at, "X-HTTP-Method-Override", "DELETE")),
        end: End::Refused("the header `X-HTTP-Method-Override` ({request}), which only the host may set"),
    },
    Row {
        what: "another method in a header that nobody listed",
        asks: |at| one(with_header(at, "x-original-url", "/api/v1/apps/0oa1/lifecycle/deactivate")),
        end: End::Refused("the header `x-original-url` ({request}), which you have not allowed"),
    },
    Row {
        what: "another host in a header",
        asks: |at| one(with_header(at, "Host", "elsewhere.test")),
        end: End::Refused("the header `Host` ({request}), which only the host may set"),
    },
    Row {
        // The server that the operator named gets a GET.
        what: "another method in the query",
        asks: |at| one(at.ask_at(Intent::Read, "GET", format!("{}?_method=DELETE", at.url()))),
        end: End::Sent,
    },
    Row {
        what: "a body of a GET",
        asks: |at| one(HttpAsk { body: Some(Body::Json(json!({}))), ..at.ask(Intent::Read, "GET") }),
        end: End::Refused("({request}) during `detect` with a body, which only other methods may have"),
    },
    Row {
        what: "a secret in the body of a GET",
        asks: |at| one(HttpAsk { body: Some(Body::Json(at.credential().to_value())), ..at.ask(Intent::Read, "GET") }),
        end: End::Refused("({request}) during `detect` with a body, which only other methods may have"),
    },
    Row {
        what: "a token request with other fields",
        asks: |at| one(at.token_request(&[("delete", json!("all"))])),
        end: End::Refused("asked for an `authenticate` request ({request}) during `detect`; a token request must POST"),
    },
    Row {
        what: "a token request as the administrator",
        asks: |at| one(HttpAsk { auth: at.ask(Intent::Read, "GET").auth, ..at.token_request(&[]) }),
        end: End::Refused("asked for an `authenticate` request ({request}) during `detect`; a token request must POST"),
    },
    Row {
        what: "a token request with a query",
        asks: |at| {
            let ask = at.token_request(&[]);
            one(HttpAsk { url: format!("{}?_method=DELETE", ask.url), ..ask })
        },
        end: End::Refused("asked for an `authenticate` request ({request}) during `detect`; a token request must POST"),
    },
    Row {
        what: "a token request to another path",
        asks: |at| {
            let ask = at.token_request(&[]);
            one(HttpAsk { url: ask.url.replace("/token", "/revoke"), ..ask })
        },
        end: End::Refused("asked for a token at a path that it does not declare ({request})"),
    },
    Row {
        what: "a credential in a token request",
        asks: |at| one(at.token_request(&[("client_secret", at.credential().to_value())])),
        end: End::Refused(
            "put the secret `{tenant}/{side}/credential` in the body at `/client_secret` of a request ({request})",
        ),
    },
    Row {
        what: "a server that nobody named",
        asks: |at| one(at.ask_at(Intent::Read, "GET", "https://elsewhere.test/rogue".to_owned())),
        end: End::Refused("asked for a request to a foreign origin ({request}); its session may use only"),
    },
    Row {
        what: "a request without TLS",
        asks: |at| one(at.ask_at(Intent::Read, "GET", at.url().replace("https", "http"))),
        end: End::Refused("asked for a request without TLS ({request})"),
    },
    Row {
        what: "a password in the URL",
        asks: |at| one(at.ask_at(Intent::Read, "GET", at.url().replace("https://", "https://me:too@"))),
        end: End::Refused("asked for a request with credentials in the URL"),
    },
    Row {
        what: "the credential of another tenant",
        asks: |at| {
            let token = Handle::of_side(NEIGHBOR, at.side, "credential");
            one(at.ask_with_token(token))
        },
        end: End::Refused("named the secret `acme/{side}/credential`, which this call may not use"),
    },
    Row {
        what: "the credential of the other side",
        asks: |at| one(at.ask_with_token(Handle::of_side(&at.tenant, at.other_side(), "credential"))),
        end: End::Refused("named the secret `{tenant}/{other_side}/credential`, which this call may not use"),
    },
    Row {
        what: "the secret of a step",
        asks: |at| one(at.ask_with_token(at.secret())),
        end: End::Refused("named {secret}, which this call may not use"),
    },
    Row {
        // Only the name of the secret leaves.
        what: "a secret in a query and in a header",
        asks: |at| one(at.ask_with_name(at.credential())),
        end: End::Sent,
    },
    Row {
        what: "a secret that is stored",
        asks: |at| {
            let (pointer, name) = ("/secret".to_owned(), "client_secret".to_owned());
            let capture = vec![Capture { pointer, name, custody: Custody::Durable }];
            one(HttpAsk { capture, ..at.ask(Intent::Read, "GET") })
        },
        end: End::Refused("({request}) during `detect` that stores a secret, which only a mutation may do"),
    },
    Row {
        what: "a secret that is made",
        asks: |_| vec![Ask::Mint { name: "key".to_owned() }],
        end: End::Refused("asked for a new secret during `detect`, where it cannot be stored"),
    },
    Row {
        what: "a long pause",
        asks: |_| vec![Ask::Sleep { ms: 10 * 60 * 1000 + 1 }],
        end: End::Refused("asked to wait longer than 10 min"),
    },
];

fn with_header(at: &Place, name: &str, value: &str) -> HttpAsk {
    HttpAsk { headers: [(name.to_owned(), value.to_owned())].into(), ..at.ask(Intent::Read, "GET") }
}

/// The neighbor has its own plugins. The rogue plays both sides of each other tenant.
#[test]
fn in_a_dry_run_a_plugin_changes_nothing_and_takes_no_secret() {
    for how in CAGES {
        let lab = stage(config(ROWS.len()), |lab, tenant, side| {
            let row = row_of(ROWS, lab, tenant)?;
            Some(Place::new(tenant, side).keys(lab, tenant, "detect", row))
        });
        cage(&lab, how);
        let before = lab.sim.snapshot();
        let mut judge = Judge::new(&lab, 2);
        let looked = judge.run(&["detect", "--format", "json", "-v"], 4);
        judge.run(&["plan", "-o", "plan.json"], 4);
        for args in [&["check", "-v"][..], &["show", "plan.json"], &["status"]] {
            judge.run(args, 0);
        }
        assert_eq!(flowswap_sim::diff(&before, &lab.sim.snapshot()), Vec::<String>::new(), "cage: {how}");

        let looked: Value = serde_json::from_str(&looked).unwrap();
        for (row, tenant) in ROWS.iter().zip(lab.sim.tenants().iter().skip(1)) {
            let shown = looked["tenants"].as_array().unwrap().iter().find(|shown| shown["name"] == *tenant.name);
            for side in [Role::Provider, Role::Directory] {
                judge.try_row(row, &Place::new(tenant, side), &shown.unwrap().to_string());
            }
        }
        judge.find_secrets();
        assert_eq!(looked["tenants"][0]["verdict"], "ready", "the neighbor suffers");
    }
}

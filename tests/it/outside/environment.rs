//! Rows in which this machine is set up wrongly, or the connection to the other side cannot be trusted.

use std::fs;

use flowswap_sim::{Certificate, SimConfig};

use super::{
    answers::raw,
    row::{
        Row,
        Stage::{Applied, New},
        at, row,
    },
};
use crate::support::Lab;

/// Writes the certificate in one line, as from a variable that lost its line breaks.
fn flatten_certificate(lab: &Lab) {
    let path = lab.path("ca.pem");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace('\n', " ") + CANARY).unwrap();
}

const CANARY: &str = "MIIOutsideCanary";

/// Replaces the certificate with that of another authority.
fn swap_certificate(lab: &Lab) {
    let other =
        lab.wait(flowswap_sim::Sim::start(SimConfig::default().tenants(1), ([127, 0, 0, 1], 0).into())).unwrap();
    fs::write(lab.path("ca.pem"), other.ca_pem()).unwrap();
}

fn empty_certificate(lab: &Lab) {
    fs::write(lab.path("ca.pem"), "").unwrap();
}

fn nobody_listens(lab: &Lab) {
    let address = lab.sim.addr().to_string();
    lab.edit_config(|text| {
        text.replace(&format!("\"*.okta.test\" = \"{address}\""), "\"*.okta.test\" = \"127.0.0.1:1\"")
    });
}

/// Configures a host that the certificate does not name.
fn wrong_name(lab: &Lab) {
    let address = lab.sim.addr().to_string();
    lab.edit_config(|text| {
        text.replace("resolve = { ", &format!("resolve = {{ \"acme.other.test\" = \"{address}\", "))
            .replace("domain = \"acme.okta.test\"", "domain = \"acme.other.test\"")
    });
}

/// Configures a host that no name server knows (RFC 6761 §6.4).
fn unknown_host(lab: &Lab) {
    lab.edit_config(|text| text.replace("domain = \"acme.okta.test\"", "domain = \"acme.nowhere.invalid\""));
}

/// Lets a rollback get stuck at the directory, which keeps the service client.
fn stuck_way_back(lab: &Lab) {
    let body = "{\"error\":{\"code\":\"conflict\",\"message\":\"the old grant has expired\"}}";
    let fault = at("POST", "gateway.cie.test /v1/directories/", raw(409, body)).ordered(lab, &lab.sim.tenants()[0]);
    lab.sim.add_fault(fault);
    lab.run(&["rollback", "acme", "--yes"]).expect(3);
    lab.sim.clear_faults();
}

pub(super) fn rows() -> Vec<Row> {
    let check = |name, why| row(name, why, New, &["check", "{tenant}"]);
    vec![
        check("check: a certificate without line breaks", "1Password/load-secrets-action#123")
            .prepare(flatten_certificate)
            .code(2)
            .says(&["ca.pem"])
            .never_says(&[CANARY, "MII"]),
        check("check: an empty certificate file", "a failed download")
            .prepare(empty_certificate)
            .code(2)
            .says(&["ca.pem"]),
        check("check: an authority that is not trusted", "seanmonstar/reqwest#2041")
            .prepare(swap_certificate)
            .code(3)
            .says(&["certificate"]),
        check("check: a host that the certificate does not name", "a host mistyped")
            .prepare(wrong_name)
            .code(3)
            .says(&["certificate"]),
        check("check: an expired certificate", "seanmonstar/reqwest#2041")
            .config(|world| world.certificate(Certificate::Expired))
            .code(3)
            .says(&["certificate", "expired"]),
        check("check: a certificate that signed itself", "a middlebox that inspects")
            .config(|world| world.certificate(Certificate::SelfSigned))
            .code(3)
            .says(&["certificate"]),
        check("check: a host that nobody knows", "a host mistyped")
            .prepare(unknown_host)
            .code(3)
            .says(&["acme.nowhere.invalid"]),
        check("check: nobody listens", "a firewall that refuses")
            .prepare(nobody_listens)
            .code(3)
            .says(&["acme.okta.test"]),
        row("detect: nobody listens", "a firewall that refuses", New, &["detect", "{tenant}"])
            .prepare(nobody_listens)
            .code(4)
            .says(&["acme.okta.test"]),
        check("check: HTTPS_PROXY that is no URL", "seanmonstar/reqwest#1176")
            .environment("HTTPS_PROXY", "ht!tp://operator:hunter2@proxy:80:80")
            .code(2)
            .says(&["HTTPS_PROXY"])
            .never_says(&["hunter2", "operator"]),
        check("check: https_proxy that is no URL", "seanmonstar/reqwest#1176")
            .environment("https_proxy", "http://operator:hunter2@")
            .code(2)
            .says(&["https_proxy"])
            .never_says(&["hunter2", "operator"]),
        check("check: NO_PROXY that is no list", "a shell's quoting")
            .environment("NO_PROXY", "'*.okta.test;hunter2'")
            .code(2)
            .says(&["NO_PROXY"])
            .never_says(&["hunter2"]),
        row(
            "resolve: a word that the world contradicts",
            "a stuck way back, decided blindly",
            Applied,
            &["resolve", "{tenant}", "--as", "not-applied", "--reason", "I think so", "--yes"],
        )
        .prepare(stuck_way_back)
        .code(6)
        .says(&["client-credentials"])
        .state("stuck"),
        row(
            "rollback: abandoned while stuck",
            "a way back that has no end",
            Applied,
            &["rollback", "{tenant}", "--abandon", "--reason", "restore answers 409", "--yes"],
        )
        .prepare(stuck_way_back)
        .says(&["swapped"])
        .state("swapped"),
    ]
}

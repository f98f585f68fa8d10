//! Secrets are only in the secret store and in requests to their own side. The test searches every file, every output,
//! and every request for every secret of a fleet, in every form in which it could leak.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use flowswap_sim::{Exchange, Fault, FaultKind, GATEWAY_HOST, SimConfig};
use serde_json::Value;

use crate::support::{Background, Lab, Output};

/// A secret, and the one host that it may be sent to; client secrets go to the gateway as well.
pub(super) struct Canary {
    pub(super) what: String,
    pub(super) value: String,
    needles: Vec<String>,
    pub(super) owner: String,
    /// The directory whose requests to the gateway may carry it.
    directory: Option<String>,
}

impl Canary {
    pub(super) fn new(what: String, value: &str, owner: &str) -> Self {
        Self { what, value: value.to_owned(), needles: needles(value), owner: owner.to_owned(), directory: None }
    }
}

#[test]
fn secrets_are_only_in_the_secret_store_and_in_requests_to_their_own_side() {
    let lab = Lab::new(SimConfig::default().tenants(8).record(true));
    let outputs = use_everything(&lab);
    let canaries = collect(&lab);
    let kinds: BTreeSet<&str> = canaries.iter().map(|canary| canary.what.split(' ').next().unwrap()).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["access_token", "admin", "client_secret", "clientSecret", "gateway", "identity"])
    );

    let mut leaks = Vec::new();
    let mut places = outputs;
    places.extend(files_of_the_client(lab.dir()));
    assert!(places.iter().any(|(name, _)| name.ends_with(".age")), "no secret is in custody");
    assert!(places.iter().any(|(name, _)| name.ends_with("journal.sqlite")), "there is no journal");
    for (place, text) in &places {
        for canary in canaries.iter().filter(|canary| is_in(canary, text)) {
            // Only the key of the secret store must be on the disk in clear text.
            if !(canary.what == "identity" && place.ends_with("identity.txt")) {
                leaks.push(format!("{} is in {place}", canary.what));
            }
        }
    }
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for exchange in lab.sim.traffic() {
        let request = read_request(&exchange);
        for canary in canaries.iter().filter(|canary| is_in(canary, &request)) {
            let line = format!("{} {}{}", exchange.method, exchange.host, exchange.path_and_query);
            if !may_carry(canary, &exchange) {
                leaks.push(format!("{} of {} is in {line}", canary.what, canary.owner));
            }
            seen.entry(canary.what.split(' ').next().unwrap()).or_default().insert(exchange.host.clone());
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    // The search works: it found every kind that is sent, in requests to orgs and to the gateway.
    assert!(seen["admin"].len() == 8 && seen["access_token"].len() >= 4, "{seen:#?}");
    assert!(seen["gateway"].len() == 1 && seen["clientSecret"].contains(GATEWAY_HOST), "{seen:#?}");
    // The client whose creation had no answer got a new secret, as `client_secret`.
    let acme = BTreeSet::from([GATEWAY_HOST.to_owned(), lab.sim.tenants()[0].domain.clone()]);
    assert_eq!((seen["clientSecret"].len(), &seen["client_secret"]), (4, &acme), "{seen:#?}");
    assert!(!seen.contains_key("identity"));
}

#[test]
fn the_search_finds_secrets_in_every_form() {
    let secret = Canary::new("a secret".to_owned(), "se/cret-VALUE+1234", "nobody");
    for text in [
        "x se/cret-VALUE+1234 y".to_owned(),
        "a=se%2Fcret-VALUE%2B1234&b".to_owned(),
        "a=se%2fcret-VALUE%2b1234&b".to_owned(),
        r#""se\/cret-VALUE+1234""#.to_owned(),
        format!("Basic {}", base64(b"0oaId:se/cret-VALUE+1234")),
        format!("Basic {}", base64(b"0oaIdA:se/cret-VALUE+1234")),
        format!("Basic {}", base64(b"0oaIdAB:se/cret-VALUE+1234")),
        format!("Basic {}", base64(b"0oaIdAB:se/cret-VALUE%2B1234")),
    ] {
        assert!(is_in(&secret, &text), "{text}");
    }
    assert!(!is_in(&secret, "se/cret-value+1234"));
}

/// Runs every command with maximum verbosity. A lost answer and a crash leave traces that a clean run would not.
fn use_everything(lab: &Lab) -> Vec<(String, String)> {
    let mut outputs = Vec::new();
    let mut keep = |name: &str, output: Output| {
        outputs.push((format!("stdout of {name}"), output.stdout));
        outputs.push((format!("stderr of {name}"), output.stderr));
    };
    let mut run = |args: &[&str], code: i32| {
        for form in [&["-vv"][..], &["-vv", "--format", "json"][..]] {
            // The second run has no effect, but shows the other output format.
            let output = lab.run(&[args, form].concat());
            assert_eq!(output.code, code, "{args:?} {form:?}: {}", output.stderr);
            keep(&args.join(" "), output);
        }
    };
    run(&["check"], 0);
    run(&["detect"], 4);
    run(&["plan", "-o", "plan.json"], 4);
    run(&["show", "plan.json"], 0);
    let org = lab.sim.tenants()[0].domain.clone();
    let post = |path: &str, kind| Fault {
        host: org.clone(),
        method: Some("POST".to_owned()),
        path: path.to_owned(),
        query: String::new(),
        kind,
        times: 1,
        skip: 0,
    };
    lab.sim.add_fault(post("/integrations/api/v1/api-services", FaultKind::DropAfterCommit));
    lab.sim.add_fault(post("/oauth2/v1/token", FaultKind::Delay { milliseconds: 600_000 }));
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "-vv"]);
    while lab.sim.faults().iter().any(|report| report.fired == 0) && !running.has_ended() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    running.kill();
    let crashed = running.finish();
    assert_eq!(crashed.code, -9, "{}", crashed.stderr);
    run(&["apply", "plan.json", "--yes"], 0);
    run(&["status"], 0);
    let last = lab.in_state("swapped").pop().unwrap();
    lab.outlive_tokens();
    run(&["finalize", &last, "--yes"], 0);
    run(&["plugins", "list"], 0);
    keep("the crash", crashed);
    // A wrong token leads to a refusal, which must not quote a secret either.
    let token = lab.path("tokens/acme.token");
    let right = fs::read_to_string(&token).unwrap();
    fs::write(&token, "00wrong-token-of-nobody").unwrap();
    keep("a wrong token", lab.run(&["detect", "acme", "-vv"]).expect(4));
    fs::write(&token, right).unwrap();
    keep("a rollback", lab.run(&["rollback", "acme", "--yes", "-vv"]).expect(0));
    outputs
}

/// All secrets: those from the simulator's configuration, and those that were created meanwhile.
pub(super) fn collect(lab: &Lab) -> Vec<Canary> {
    let tenants = lab.sim.tenants();
    let admin = tenants
        .iter()
        .map(|tenant| Canary::new(format!("admin token of {}", tenant.name), &tenant.admin_token, &tenant.domain));
    let mut canaries: Vec<Canary> = admin.collect();
    canaries.push(Canary::new("gateway token".to_owned(), lab.sim.gateway_token(), GATEWAY_HOST));
    let identity = fs::read_to_string(lab.path(".flowswap/identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    canaries.push(Canary::new("identity".to_owned(), key, "nobody"));
    for exchange in lab.sim.traffic() {
        let Some(tenant) = tenants.iter().find(|tenant| tenant.domain == exchange.host) else { continue };
        let Ok(body) = serde_json::from_slice::<Value>(&exchange.response_body) else { continue };
        for what in ["clientSecret", "client_secret", "access_token"] {
            // Lists show secrets masked.
            let Some(value) = body[what].as_str().filter(|value| !value.contains('*')) else { continue };
            let directory = (what != "access_token").then(|| tenant.directory_id.clone());
            let canary = Canary::new(format!("{what} of {}", tenant.name), value, &tenant.domain);
            canaries.push(Canary { directory, ..canary });
        }
    }
    canaries
}

pub(super) fn may_carry(canary: &Canary, exchange: &Exchange) -> bool {
    let to_its_directory = |directory: &String| {
        exchange.host == GATEWAY_HOST && exchange.path_and_query.starts_with(&format!("/v1/directories/{directory}/"))
    };
    exchange.host == canary.owner || canary.directory.as_ref().is_some_and(to_its_directory)
}

/// Every file below the folder, except those in which the simulator stores its tokens and its service account's secret.
pub(super) fn files_of_the_client(dir: &Path) -> Vec<(String, String)> {
    let is_token = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "token" || kind == "secret");
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !is_token(&path) && !path.ends_with("sim.json") {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                files.push((path.display().to_string(), text));
            }
        }
    }
    files
}

pub(super) fn read_request(exchange: &Exchange) -> String {
    let headers: String = exchange.request_headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n{headers}\n{}", exchange.path_and_query, String::from_utf8_lossy(&exchange.request_body))
}

/// Whether the text contains the secret: in clear, percent-encoded, escaped as in JSON, or within base64.
pub(super) fn is_in(canary: &Canary, text: &str) -> bool {
    canary.needles.iter().any(|needle| text.contains(needle))
}

fn needles(secret: &str) -> Vec<String> {
    let percent = |upper: bool| -> String {
        let encode = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        secret.bytes().map(encode).collect()
    };
    let mut needles = vec![secret.to_owned(), percent(true), percent(false), secret.replace('/', "\\/")];
    // In basic authentication a secret is unchanged, or percent-encoded only where necessary.
    let sparing = secret.replace('%', "%25").replace('+', "%2B").replace(':', "%3A");
    for (text, offset) in [secret, &sparing].into_iter().flat_map(|text| (0..3).map(move |offset| (text, offset))) {
        let padded = [&vec![0; offset][..], text.as_bytes()].concat();
        // The characters at both ends also depend on the neighboring bytes.
        let whole = base64(&padded[..padded.len() - padded.len() % 3]);
        let inner = whole.get(if offset == 0 { 0 } else { 4 }..).unwrap_or_default().to_owned();
        needles.push(inner.replace('+', "-").replace('/', "_"));
        needles.push(inner);
    }
    needles
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(chunk.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

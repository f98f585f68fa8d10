//! A Vault on this machine, as HashiCorp's documentation of the HTTP API describes it, and as OpenBao answers (`real.rs`). It refuses
//! every request that flowswap has no reason to send.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::support::{Lab, tls::issue};

/// A token that may read everything below `kv` and `old`.
pub(super) const TOKEN: &str = "hvs.canary-of-the-token";
/// The secret ID of the role `flowswap`.
pub(super) const SECRET_ID: &str = "canary-of-the-secret-id";
/// The token of the service account.
pub(super) const JWT: &str = "canary-of-the-service-account";
/// A field of a secret that nothing needs.
pub(super) const OTHER: &str = "canary-of-another-field";

/// What Vault does with a request in place of answering it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    Sealed,
    Hang,
    Close,
    /// It answers with this status, these headers, and this body.
    Answer(u16, &'static str, &'static str),
}

/// What is in Vault, and what was asked.
#[derive(Default)]
pub(super) struct Inside {
    /// Answers in KV version 2 by their paths, without `data/`.
    versioned: BTreeMap<String, Value>,
    /// Secrets in KV version 1.
    flat: BTreeMap<String, Value>,
    trouble: Option<Trouble>,
    /// How many requests meet the trouble.
    lasts: usize,
    pub(super) namespace: Option<&'static str>,
    /// The method and the path of every request.
    pub(super) asked: Vec<String>,
}

/// A server of Vault.
pub(super) struct Vault {
    pub(super) inside: Arc<Mutex<Inside>>,
    url: String,
    _runtime: Runtime,
}

impl Vault {
    /// One that the lab trusts, and that has the token of every org. The tenants of the lab refer to it.
    pub(super) fn for_lab(lab: &Lab) -> Self {
        let (ca, acceptor) = issue();
        let vault = Self::start(Some(acceptor));
        fs::OpenOptions::new().append(true).open(lab.path("ca.pem")).unwrap().write_all(ca.as_bytes()).unwrap();
        for tenant in lab.sim.tenants() {
            let fields = json!({ "token": tenant.admin_token, "owner": OTHER, "port": 443 });
            vault.put(&format!("okta/{}", tenant.name), 3, &fields, "", false);
        }
        lab.edit_config(|text| {
            text.replacen("{ file = \"tokens/{name}.token\" }", "{ vault = \"kv/data/okta/{name}#token\" }", 1)
        });
        vault
    }

    /// An agent of Vault on this machine, which does not use TLS.
    pub(super) fn agent_of(other: &Self) -> Self {
        let agent = Self::start(None);
        agent.lock().versioned = other.lock().versioned.clone();
        agent
    }

    fn start(acceptor: Option<TlsAcceptor>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let inside = Arc::<Mutex<Inside>>::default();
        let serving = Arc::clone(&inside);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inside) = (acceptor.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &inside).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &inside).await;
                            }
                        }
                    }
                });
            }
        });
        Self { inside, url: format!("{scheme}://{address}"), _runtime: runtime }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Writes a secret of KV version 2.
    pub(super) fn put(&self, name: &str, version: u64, fields: &Value, deletion_time: &str, destroyed: bool) {
        let data = if deletion_time.is_empty() && !destroyed { fields.clone() } else { Value::Null };
        let metadata = json!({
            "created_time": "2026-03-22T02:24:06.945319214Z",
            "custom_metadata": null,
            "deletion_time": deletion_time,
            "destroyed": destroyed,
            "version": version,
        });
        self.lock().versioned.insert(name.to_owned(), json!({ "data": data, "metadata": metadata }));
    }

    /// Writes a secret of KV version 1.
    pub(super) fn put_flat(&self, name: &str, fields: Value) {
        self.lock().flat.insert(name.to_owned(), fields);
    }

    /// From now on, every request meets this.
    pub(super) fn disturb(&self, trouble: Trouble) {
        self.disturb_some(trouble, usize::MAX);
    }

    /// This many requests meet this.
    pub(super) fn disturb_some(&self, trouble: Trouble, lasts: usize) {
        let mut inside = self.lock();
        (inside.trouble, inside.lasts) = (Some(trouble), lasts);
    }

    /// What was asked since the last call.
    pub(super) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }
}

/// Writes a secret that only its owner can read.
pub(super) fn write_private(lab: &Lab, name: &str, text: &str) {
    fs::write(lab.path(name), text).unwrap();
    fs::set_permissions(lab.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

async fn serve(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, inside: &Mutex<Inside>) {
    while let Some(asked) = read(&mut stream).await {
        let trouble = {
            let mut inside = inside.lock().unwrap();
            inside.asked.push(asked.line.clone());
            let trouble = inside.trouble.filter(|_| inside.lasts > 0);
            inside.lasts = inside.lasts.saturating_sub(1);
            trouble
        };
        let (status, headers, body) = match trouble {
            Some(Trouble::Close) => return,
            Some(Trouble::Hang) => {
                let _ = stream.read_u8().await;
                return;
            }
            Some(Trouble::Sealed) => {
                (503, "content-type: application/json\r\n", refusal(&["Vault is sealed"]).to_string())
            }
            Some(Trouble::Answer(status, headers, body)) => (status, headers, body.to_owned()),
            None => {
                let (status, body) = inside.lock().unwrap().answer(&asked);
                (status, "content-type: application/json\r\ncache-control: no-store\r\n", body.to_string())
            }
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A request. `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { line, headers, body })
}

impl Inside {
    fn answer(&self, asked: &Asked) -> (u16, Value) {
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        assert_eq!(header("x-vault-request"), Some("true"), "{}", asked.line);
        assert!(header("user-agent").is_some_and(|agent| agent.starts_with("flowswap/")), "{}", asked.line);
        let (method, path) = asked.line.split_once(" /v1/").unwrap();
        let is_there = header("x-vault-namespace") == self.namespace;
        match (method, path) {
            ("POST", path) => {
                assert_eq!((header("x-vault-token"), header("content-type")), (None, Some("application/json")));
                let body: Value = serde_json::from_slice(&asked.body).unwrap();
                if is_there { log_in(path, &body) } else { (404, refusal(&["namespace not found"])) }
            }
            ("GET", path) => {
                assert!(asked.body.is_empty() && header("content-type").is_none());
                let token = header("x-vault-token").unwrap();
                match token {
                    _ if !is_there => (404, refusal(&["namespace not found"])),
                    TOKEN => self.read(path),
                    "hvs.narrow" if path == "auth/token/lookup-self" => (200, result(&json!({ "ttl": 3600 }))),
                    "hvs.narrow" => (403, refusal(&["1 error occurred:\n\t* permission denied\n\n"])),
                    _ => (403, refusal(&["permission denied"])),
                }
            }
            _ => panic!("{}", asked.line),
        }
    }

    fn read(&self, path: &str) -> (u16, Value) {
        let (mount, rest) = path.split_once('/').unwrap();
        match (mount, rest.strip_prefix("data/")) {
            ("kv", Some(name)) => match self.versioned.get(name) {
                Some(secret) => (if secret["data"].is_null() { 404 } else { 200 }, result(secret)),
                None => (404, refusal(&[])),
            },
            ("kv", None) => {
                let mut nothing = result(&Value::Null);
                nothing["warnings"] = json!([
                    "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If \
                     using the Vault CLI, use 'vault kv get' for this operation."
                ]);
                (404, nothing)
            }
            ("old", _) => match self.flat.get(rest) {
                Some(secret) => (200, result(secret)),
                None => (404, refusal(&[])),
            },
            _ => (404, refusal(&[&format!("no handler for route \"{path}\". route entry not found.")])),
        }
    }
}

fn log_in(path: &str, body: &Value) -> (u16, Value) {
    let is_known = match path {
        "auth/approle/login" if *body == json!({ "role_id": "flowswap", "secret_id": SECRET_ID }) => true,
        "auth/k8s/emea/login" if *body == json!({ "role": "flowswap", "jwt": JWT }) => true,
        // Vault does not repeat what it gets, but a plugin of it could.
        "auth/approle/login" => {
            let sent = body["secret_id"].as_str().unwrap();
            return (400, refusal(&[&format!("invalid role or secret ID {sent}")]));
        }
        "auth/k8s/emea/login" => return (403, refusal(&["service account name not authorized"])),
        "auth/mfa/login" => false,
        // Older versions of Vault answer otherwise.
        "auth/older/login" => return (400, refusal(&["missing client token"])),
        _ => return (403, refusal(&["permission denied"])),
    };
    let token = if is_known { TOKEN } else { "" };
    let mut answer = result(&Value::Null);
    answer["auth"] = json!({
        "client_token": token,
        "accessor": "accessor",
        "policies": ["default", "flowswap"],
        "lease_duration": 3600,
        "renewable": true,
    });
    (200, answer)
}

fn result(data: &Value) -> Value {
    json!({
        "request_id": "1d2f3a4b-0000-4000-8000-5c6d7e8f9a0b",
        "lease_id": "",
        "renewable": false,
        "lease_duration": 0,
        "data": data,
        "wrap_info": null,
        "warnings": null,
        "auth": null,
    })
}

fn refusal(errors: &[&str]) -> Value {
    json!({ "errors": errors })
}

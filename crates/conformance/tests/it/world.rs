//! A world with clients, their secrets, and a switch for the legacy client, behind an interface of five requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use flowswap_conformance::{HttpService, Secret, SessionConfig, World, http_from};
use flowswap_contract::{DirectoryInventory, Flow, Inventory, Phase, Role, Step};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const TOKEN: &str = "t0ken-of-the-rogues-admin";

/// The world of one tenant of the rogue.
pub(crate) struct Clients {
    misbehave: Option<&'static str>,
    state: Arc<Mutex<State>>,
}

struct State {
    minted: usize,
    clients: BTreeMap<String, String>,
    legacy_active: bool,
    touched: usize,
    secrets: Vec<String>,
}

impl Clients {
    pub(crate) fn new(misbehave: Option<&'static str>) -> Self {
        let state = State {
            minted: 0,
            clients: BTreeMap::new(),
            legacy_active: true,
            touched: 0,
            secrets: vec![TOKEN.to_owned()],
        };
        Self { misbehave, state: Arc::new(Mutex::new(state)) }
    }
}

impl World for Clients {
    fn session(&self) -> SessionConfig {
        let mut config = json!({
            "base_url": "https://rogue.test", "domain": "rogue.okta.test", "clients": "/clients", "pages": 7,
        });
        if let Some(word) = self.misbehave {
            config["misbehave"] = json!(word);
        }
        SessionConfig {
            tenant: "acme".to_owned(),
            role: Role::Provider,
            config: config.as_object().cloned().unwrap(),
            secrets: [("credential".to_owned(), Secret::new(TOKEN))].into(),
            known: Arc::default(),
            origins: Vec::new(),
        }
    }

    fn http(&self) -> HttpService {
        let state = Arc::clone(&self.state);
        http_from(move |request| state.lock().unwrap().answer(&request))
    }

    fn snapshot(&self) -> Value {
        let state = self.state.lock().unwrap();
        json!({"clients": state.clients, "legacy_active": state.legacy_active, "touched": state.touched})
    }

    fn outcome(&self) -> Value {
        let state = self.state.lock().unwrap();
        json!({"clients": state.clients.len(), "legacy_active": state.legacy_active, "touched": state.touched})
    }

    fn other_side(&self) -> Inventory {
        Inventory::Directory(DirectoryInventory {
            id: "d1".to_owned(),
            name: "rogue".to_owned(),
            domain: "rogue.okta.test".to_owned(),
            flow: Flow::AuthorizationCode,
            client_id: Some("0oaROGUE".to_owned()),
            app_data: Some(false),
            can_restore: true,
            ..DirectoryInventory::default()
        })
    }

    /// Acts for a person, unless the rogue misbehaves as `attended`.
    fn take_back(&self, step: &Step) -> bool {
        let mut state = self.state.lock().unwrap();
        match step.proposal.phase {
            _ if self.misbehave == Some("attended") => return false,
            Phase::Provision => state.clients.clear(),
            _ => state.legacy_active = true,
        }
        true
    }

    fn secrets(&self) -> Vec<String> {
        self.state.lock().unwrap().secrets.clone()
    }
}

impl State {
    fn answer(&mut self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let is_known = request.headers().get("authorization").is_some_and(|given| *given == *format!("Bearer {TOKEN}"));
        if !is_known {
            return answer(StatusCode::UNAUTHORIZED, &json!({}));
        }
        let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
        match (request.method(), path.as_slice()) {
            (&Method::GET, ["clients"]) => {
                let clients: Vec<_> = self.clients.keys().map(|id| json!({ "id": id })).collect();
                answer(StatusCode::OK, &json!({"clients": clients, "legacy_active": self.legacy_active}))
            }
            (&Method::POST, ["clients"]) => {
                self.minted += 1;
                let id = format!("client-{}", self.minted);
                let secret = self.mint();
                self.clients.insert(id.clone(), secret.clone());
                answer(StatusCode::CREATED, &json!({"id": id, "secret": secret}))
            }
            (&Method::POST, ["clients", id, "secret"]) if self.clients.contains_key(*id) => {
                let secret = self.mint();
                self.clients.insert((*id).to_owned(), secret.clone());
                answer(StatusCode::OK, &json!({ "secret": secret }))
            }
            (&Method::DELETE, ["clients", id]) => match self.clients.remove(*id) {
                Some(_) => answer(StatusCode::NO_CONTENT, &Value::Null),
                None => answer(StatusCode::NOT_FOUND, &json!({})),
            },
            (&Method::PUT, ["clients", "legacy"]) => {
                let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
                self.legacy_active = body["active"] != false;
                answer(StatusCode::OK, &json!({ "active": self.legacy_active }))
            }
            (&Method::GET, ["touch"]) => {
                self.touched += 1;
                answer(StatusCode::OK, &json!({}))
            }
            (_, ["rogue"]) => answer(StatusCode::OK, &json!({})),
            _ => answer(StatusCode::NOT_FOUND, &json!({})),
        }
    }

    fn mint(&mut self) -> String {
        self.minted += 1;
        let secret = format!("s3cret-of-number-{}", self.minted);
        self.secrets.push(secret.clone());
        secret
    }
}

fn answer(status: StatusCode, body: &Value) -> http::Response<Bytes> {
    let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let mut response = http::Response::new(bytes);
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

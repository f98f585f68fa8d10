//! A small, complete world for a directory plugin. Its names refer to the rogue, the plugin that these tests run in it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use flowswap_conformance::{
    HttpService, Secret, SessionConfig, StepOutput, World,
    bytes::Bytes,
    http::{Method, Request, Response, StatusCode},
    http_from,
    serde_json::{self, Value, json},
};
use flowswap_contract::{Inventory, LegacyClient, ProviderInventory, Role, Tokens, Variant, VariantType};

const TOKEN: &str = "t0ken-of-acme";
const NEW_SECRET: &str = "s3cret-of-the-new-client";

/// The product that the plugin talks to: one connection that can be read and replaced.
pub(crate) struct Gateway {
    connection: Arc<Mutex<Value>>,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        let connection = json!({"flow": "authorization-code", "client_id": "0oaROGUE"});
        Self { connection: Arc::new(Mutex::new(connection)) }
    }
}

impl World for Gateway {
    fn session(&self) -> SessionConfig {
        let config = json!({"base_url": "https://gateway.test"});
        SessionConfig {
            tenant: "acme".to_owned(),
            role: Role::Directory,
            config: config.as_object().cloned().unwrap_or_default(),
            secrets: [("credential".to_owned(), Secret::new(TOKEN))].into(),
            known: Arc::default(),
            origins: Vec::new(),
        }
    }

    fn http(&self) -> HttpService {
        let connection = Arc::clone(&self.connection);
        http_from(move |request| {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&request, &mut connection)
        })
    }

    fn snapshot(&self) -> Value {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The tenant is ready, because the legacy client exists and the provider knows both types of service clients.
    fn other_side(&self) -> Inventory {
        let scopes = vec!["okta.groups.read".to_owned(), "okta.users.read".to_owned()];
        let legacy = LegacyClient {
            last_sign_in: None,
            tokens: Tokens::default(),
            id: "0oaROGUE".to_owned(),
            client_id: "0oaROGUE".to_owned(),
            label: "Cloud Identity Engine".to_owned(),
            status: "ACTIVE".to_owned(),
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            redirect_uris: vec!["https://directory-sync.us.paloaltonetworks.com/authorize".to_owned()],
            scopes: scopes.clone(),
            refresh_token_rotation: None,
            assigned: None,
        };
        let variant = |variant, key: &str| VariantType {
            variant,
            type_key: key.to_owned(),
            scopes: scopes.clone(),
            source: "config".to_owned(),
        };
        Inventory::Provider(ProviderInventory {
            domain: "rogue.okta.test".to_owned(),
            legacy_clients: vec![legacy],
            variants: vec![variant(Variant::Plain, "plain"), variant(Variant::ApplicationEnabled, "apps")],
            ..ProviderInventory::default()
        })
    }

    /// The outputs of the provider's steps.
    fn other_side_outputs(&self) -> BTreeMap<String, StepOutput> {
        let id = StepOutput::Value(json!("0oaNEW"));
        [("client_id".to_owned(), id), ("client_secret".to_owned(), StepOutput::Secret(Secret::new(NEW_SECRET)))].into()
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned(), NEW_SECRET.to_owned()]
    }
}

fn answer(request: &Request<Bytes>, connection: &mut Value) -> Response<Bytes> {
    let is_known = request.headers().get("authorization").is_some_and(|given| *given == *format!("Bearer {TOKEN}"));
    let (status, body) = match (request.method(), request.uri().path()) {
        _ if !is_known => (StatusCode::UNAUTHORIZED, json!({})),
        (&Method::GET, "/connection") => (StatusCode::OK, connection.clone()),
        (&Method::PUT, "/connection") => match serde_json::from_slice(request.body()) {
            Ok(new) => (StatusCode::OK, std::mem::replace(connection, new)),
            Err(_) => (StatusCode::BAD_REQUEST, json!({})),
        },
        _ => (StatusCode::NOT_FOUND, json!({})),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response
}

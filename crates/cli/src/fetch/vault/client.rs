//! Sends requests to one Vault, each once: a login, and the reading of a secret.

use std::time::Duration;

use bytes::Bytes;
use flowswap_config::VaultField;
use flowswap_engine::Secret;
use flowswap_host::{Connect, HttpService, NearbyError, connect_nearby};
use http::{HeaderValue, Method as Verb, Request, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tower::ServiceExt;

use super::{
    answer::{Answer, Lease},
    error::{Method, VaultError},
};

/// What a path may have besides letters and digits (RFC 3986 §3.3).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a secret is asked for while Vault puts that off. A fleet asks for hundreds of secrets, and a quota is soon reached.
const TRIES: u32 = 4;
/// How long to wait after the first try. Each wait is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A connection to Vault.
pub(super) struct Client {
    pub(super) address: String,
    pub(super) namespace: Option<String>,
    service: HttpService,
    timeout: Duration,
}

/// What a method of logging in asks for.
pub(super) struct Credentials {
    /// Which role; not a secret.
    pub(super) role: String,
    pub(super) secret: Secret,
}

/// A token that opens secrets.
pub(super) struct Token {
    pub(super) secret: Secret,
    /// Where it is from, for messages.
    pub(super) from: String,
}

impl Client {
    pub(super) fn new(
        connect: &dyn Connect,
        address: String,
        namespace: Option<String>,
        timeout: Duration,
    ) -> Result<Self, VaultError> {
        let uri: Uri = address.parse().map_err(|_| VaultError::Address)?;
        let service = connect_nearby(connect, &uri).map_err(|error| match error {
            NearbyError::Url => VaultError::Address,
            NearbyError::Network(error) => VaultError::Network(error),
        })?;
        Ok(Self { address, namespace, service, timeout })
    }

    /// Logs in.
    pub(super) async fn log_in(
        &self,
        method: Method,
        mount: &str,
        credentials: &Credentials,
    ) -> Result<(Secret, Lease), VaultError> {
        let Credentials { role, secret } = credentials;
        let (role_key, secret_key) = match method {
            Method::AppRole => ("role_id", "secret_id"),
            Method::Kubernetes => ("role", "jwt"),
        };
        let sent = Bytes::from(json!({ role_key: role, secret_key: secret.expose() }).to_string());
        let answer = self.send(Verb::POST, &format!("auth/{mount}/login"), None, sent).await?;
        let mount = mount.to_owned();
        // Everything else needs a token, so that is what a server says of a method that is not there. A wrong AppRole is a 400.
        let is_missing = answer.mentions("missing client token")
            || (method == Method::AppRole && answer.status == 403 && answer.mentions("permission denied"));
        match answer.status {
            200 => answer.token().ok_or(VaultError::SecondFactor { mount }),
            404 if answer.mentions("namespace not found") => Err(self.no_namespace()),
            404 => Err(VaultError::NoLogin { mount }),
            400 | 403 if is_missing => Err(VaultError::NoLogin { mount }),
            400 | 403 | 500 => Err(VaultError::LoginRefused { mount, said: answer.said(&[secret]), method }),
            _ => Err(self.describe(&answer, &[secret])),
        }
    }

    /// Reads a field of a secret.
    pub(super) async fn read(&self, token: &Token, wanted: &VaultField) -> Result<Secret, VaultError> {
        let answer = self.get(token, &wanted.path).await?;
        match answer.status {
            200 => answer.field(wanted),
            403 => Err(self.why_forbidden(token, wanted).await?),
            404 if answer.mentions("namespace not found") => Err(self.no_namespace()),
            404 => Err(answer.why_nothing(&wanted.path)),
            _ => Err(self.describe(&answer, &[&token.secret])),
        }
    }

    /// Vault answers a wrong token and a path that no policy allows alike. Every token may look itself up, so that shows which it is.
    async fn why_forbidden(&self, token: &Token, wanted: &VaultField) -> Result<VaultError, VaultError> {
        let looked_up = self.get(token, "auth/token/lookup-self").await?;
        let from = token.from.clone();
        Ok(match looked_up.status {
            200 => VaultError::Forbidden { path: wanted.path.clone(), token: from },
            403 => VaultError::TokenRefused { token: from },
            _ => self.describe(&looked_up, &[&token.secret]),
        })
    }

    async fn get(&self, token: &Token, path: &str) -> Result<Answer, VaultError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            let answer = self.send(Verb::GET, path, Some(token), Bytes::new()).await?;
            if !answer.may_change() {
                return Ok(answer);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.send(Verb::GET, path, Some(token), Bytes::new()).await
    }

    async fn send(&self, verb: Verb, path: &str, token: Option<&Token>, body: Bytes) -> Result<Answer, VaultError> {
        let url = format!("{}/v1/{}", self.address, utf8_percent_encode(path, IN_PATH));
        let mut request = Request::builder()
            .method(verb)
            .uri(url)
            // Agents of Vault can require it, because no browser sends it.
            .header("x-vault-request", "true")
            .header(header::USER_AGENT, concat!("flowswap/", env!("CARGO_PKG_VERSION")));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            let garbled = |_| VaultError::Garbled { what: "the token" };
            let mut value = HeaderValue::from_str(token.secret.expose()).map_err(garbled)?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        // Only a namespace of the environment was not checked before.
        let request = request.body(body).map_err(|_| VaultError::Variable("VAULT_NAMESPACE"))?;
        let sending = tokio::time::timeout(self.timeout, self.service.clone().oneshot(request));
        let address = self.address.clone();
        let Ok(answer) = sending.await else {
            return Err(VaultError::TimedOut { address, seconds: self.timeout.as_secs() });
        };
        Answer::read(&self.address, answer.map_err(|source| VaultError::Unreachable { address, source })?)
    }

    fn no_namespace(&self) -> VaultError {
        VaultError::NoNamespace { namespace: self.namespace.clone().unwrap_or_default() }
    }

    /// What an answer means that can come at any time.
    fn describe(&self, answer: &Answer, secrets: &[&Secret]) -> VaultError {
        let address = self.address.clone();
        match answer.status {
            503 if answer.mentions("sealed") => VaultError::Sealed { address },
            429 => VaultError::Busy { address },
            status => VaultError::Failed { address, status, said: answer.said(secrets) },
        }
    }
}

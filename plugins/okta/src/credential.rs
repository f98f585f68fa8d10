//! What the administrator lets flowswap act as: an API token, or a service app (developer.okta.com, "Implement OAuth for Okta
//! with a service app").

use flowswap_contract::{Auth, ClientProof, Error, ErrorKind, Handle, Intent, OAuthClient, Open};
use serde_json::Value;

use crate::{api::SERVICES, prove::TOKEN};

/// Who makes the requests.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// An administrator, by an API token.
    ApiToken(Handle),
    /// An app for API services, by its own key or secret.
    ServiceApp(ServiceApp),
}

/// An app for API services.
#[derive(Debug, Clone)]
pub(crate) struct ServiceApp {
    pub(crate) client_id: String,
    proof: ClientProof,
    dpop: Option<bool>,
}

impl Credential {
    /// Reads the keys of the tenant's table. There must be one credential and not more.
    pub(crate) fn read(open: &Open) -> Result<Self, Error> {
        let secret = |name: &str| open.secrets.get(name).cloned();
        let [token, key, client_secret] = ["credential", "private_key", "client_secret"].map(secret);
        let of_app =
            ["client_id", "key_id", "algorithm", "dpop"].into_iter().find(|name| open.config.contains_key(*name));
        match (token, key, client_secret) {
            (Some(token), None, None) => match of_app {
                None => Ok(Self::ApiToken(token)),
                Some(name) => {
                    Err(wrong(format!("`{name}` belongs to a service app, and `credential` is an API token"))
                        .with_hint("name `private_key` in place of `credential`, or remove the other keys"))
                }
            },
            (None, Some(key), None) => {
                let (key_id, algorithm) = (text(open, "key_id")?, text(open, "algorithm")?);
                Self::service_app(open, ClientProof::PrivateKeyJwt { key, key_id, algorithm })
            }
            (None, None, Some(secret)) => {
                match ["key_id", "algorithm"].into_iter().find(|name| open.config.contains_key(*name)) {
                    None => Self::service_app(open, ClientProof::ClientSecretBasic { secret }),
                    Some(name) => Err(wrong(format!("`{name}` belongs to `private_key`, and not to `client_secret`"))),
                }
            }
            (None, None, None) => Err(wrong(
                "`credential` must refer to an administrator's API token, or `private_key` to the key of a service app",
            )),
            _ => Err(wrong("only one of `credential`, `private_key`, and `client_secret` can be used")
                .with_hint("keep the one that you want flowswap to use")),
        }
    }

    fn service_app(open: &Open, proof: ClientProof) -> Result<Self, Error> {
        let client_id = text(open, "client_id")?.ok_or_else(|| {
            wrong("`client_id` must be the client ID of the service app")
                .with_hint("copy it from the app's page, tab General")
        })?;
        let dpop = match open.config.get("dpop") {
            None => None,
            Some(Value::Bool(dpop)) => Some(*dpop),
            Some(_) => {
                return Err(
                    wrong("`dpop` must be true or false").with_hint("without it, flowswap does what the app asks for")
                );
            }
        };
        Ok(Self::ServiceApp(ServiceApp { client_id, proof, dpop }))
    }

    /// How a request authenticates. A service app gets a token with the one scope that the request needs.
    pub(crate) fn auth(&self, origin: &str, intent: Intent, path: &str) -> Auth {
        match self {
            Self::ApiToken(token) => Auth::Token { scheme: "SSWS".to_owned(), token: token.clone() },
            Self::ServiceApp(app) => app.auth(origin, scope_of(intent, path)),
        }
    }
}

impl ServiceApp {
    /// A token of the app with this scope.
    pub(crate) fn auth(&self, origin: &str, scope: &str) -> Auth {
        Auth::Client(Box::new(OAuthClient {
            token_url: format!("{origin}{TOKEN}"),
            client_id: self.client_id.clone(),
            proof: self.proof.clone(),
            scopes: vec![scope.to_owned()],
            dpop: self.dpop,
        }))
    }
}

/// The scope of a request (Okta management API, `oauth2` of each operation).
pub(crate) fn scope_of(intent: Intent, path: &str) -> &'static str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let changes = intent == Intent::Mutate;
    match path {
        _ if path.starts_with(SERVICES) && changes => "okta.oauthIntegrations.manage",
        _ if path.starts_with(SERVICES) => "okta.oauthIntegrations.read",
        "/api/v1/logs" => "okta.logs.read",
        _ if path.ends_with("/grants") && changes => "okta.appGrants.manage",
        _ if path.ends_with("/grants") => "okta.appGrants.read",
        _ if path.ends_with("/roles") => "okta.roles.read",
        _ if changes => "okta.apps.manage",
        _ => "okta.apps.read",
    }
}

fn text(open: &Open, name: &str) -> Result<Option<String>, Error> {
    match open.config.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(wrong(format!("`{name}` must be a text that is not empty"))),
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}

//! Why a secret cannot be read from Vault, and what to do about it. No variant has a token or a value of a secret.

use flowswap_config::{VaultField, find_nearest};
use flowswap_host::{NetworkError, TransportError};

use crate::fetch::FetchError;

/// How many names of fields a message has.
const MOST_NAMES: usize = 12;

/// What a pod of Kubernetes logs in with.
pub(super) const SERVICE_TOKEN: &str = "the token of the service account";

/// Why a secret cannot be read from Vault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("a secret is in Vault, but nothing says where Vault is")]
    NoAddress,
    #[error("the environment variable `VAULT_ADDR` is not an address of Vault")]
    Address,
    #[error("the environment variable `{0}` cannot be used in a request to Vault")]
    Variable(&'static str),
    #[error("failed to prepare the network for Vault")]
    Network(#[source] NetworkError),
    #[error("failed to reach Vault at `{address}`")]
    Unreachable {
        address: String,
        #[source]
        source: TransportError,
    },
    #[error("Vault at `{address}` did not answer within {seconds} s")]
    TimedOut { address: String, seconds: u64 },
    #[error("something other than Vault answered at `{address}` (status {status}, {content})")]
    NotVault { address: String, status: u16, content: String },
    #[error("Vault at `{address}` sends flowswap to another server: {to}")]
    Redirected { address: String, to: String },
    #[error("Vault at `{address}` is sealed")]
    Sealed { address: String },
    #[error("Vault at `{address}` limits the rate of requests, and refused one")]
    Busy { address: String },
    #[error("failed to get {what} for Vault")]
    Own {
        what: &'static str,
        #[source]
        source: Box<FetchError>,
    },
    #[error("{what} for Vault contains characters that a request cannot carry")]
    Garbled { what: &'static str },
    #[error("Vault refused the login at `auth/{mount}`: {said}")]
    LoginRefused { mount: String, said: String, method: Method },
    #[error("Vault has no login at `auth/{mount}`")]
    NoLogin { mount: String },
    #[error("Vault has no namespace `{namespace}`")]
    NoNamespace { namespace: String },
    #[error("Vault wants a second factor for the login at `auth/{mount}`")]
    SecondFactor { mount: String },
    #[error("Vault does not accept {token}")]
    TokenRefused { token: String },
    #[error("Vault does not allow {token} to read `{path}`")]
    Forbidden { path: String, token: String },
    #[error("Vault has no secret at `{path}`")]
    NotFound { path: String },
    #[error("Vault has no secrets engine at `{path}`")]
    NoEngine { path: String },
    #[error("`{path}` is in a secrets engine of KV version 2, whose paths have `data/` in them")]
    Versioned { path: String },
    #[error("version {version} of the secret `{path}` in Vault is the latest one, and it is deleted")]
    Deleted { path: String, version: u64 },
    #[error("version {version} of the secret `{path}` in Vault is the latest one, and it is destroyed")]
    Destroyed { path: String, version: u64 },
    #[error("the secret `{}` in Vault has no field `{}`; it has {}", wanted.path, wanted.field, list(there))]
    NoField { wanted: VaultField, there: Vec<String> },
    #[error("the field `{}` of the secret `{}` in Vault is {kind}, and not a text", wanted.field, wanted.path)]
    NotText { wanted: VaultField, kind: &'static str },
    #[error("Vault at `{address}` failed with status {status}: {said}")]
    Failed { address: String, status: u16, said: String },
    #[error("flowswap stopped before Vault answered")]
    Stopped,
}

/// A method of logging in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    AppRole,
    Kubernetes,
}

impl VaultError {
    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoAddress => "set `address` under `[vault]`, or the environment variable VAULT_ADDR",
            Self::Address => {
                "write it as `https://vault.example.com:8200`, without a path; `http://` is only for an agent on this machine"
            }
            Self::Variable(_) => "correct the variable, or unset it",
            Self::Network(error) => return error.hint(),
            Self::Unreachable { source, .. } => {
                source.hint().unwrap_or("check that Vault runs, then run the same command again")
            }
            Self::TimedOut { .. } => "check that Vault runs, and that a firewall lets flowswap reach it",
            Self::NotVault { .. } => {
                "check `address` under `[vault]`; a proxy or a load balancer on the way may have answered in its place"
            }
            Self::Redirected { .. } => {
                "set `address` under `[vault]` to the active server, or let the standby servers forward requests"
            }
            Self::Sealed { .. } => "unseal it, then run the same command again",
            Self::Busy { .. } => "lower `concurrency` under `[run]`, or raise the quota in Vault",
            Self::Own { source, .. } if matches!(**source, FetchError::EnvUnset(_)) => {
                "set the variable, or name another login with `auth` under `[vault]`"
            }
            Self::Own { what: SERVICE_TOKEN, .. } => {
                "run flowswap in a pod with a service account, or name the file of its token with `jwt`"
            }
            Self::Own { .. } | Self::Garbled { .. } => "correct `auth` under `[vault]`",
            Self::LoginRefused { method: Method::AppRole, .. } => {
                "check `role_id` and `secret_id` under `[vault]`; a secret ID can expire or be used up"
            }
            Self::LoginRefused { method: Method::Kubernetes, .. } => {
                "check `role` and `mount` under `[vault]`, and that the role is bound to this service account"
            }
            Self::NoLogin { .. } => {
                "name where the method is mounted with `mount`, and check `namespace` under `[vault]`"
            }
            Self::NoNamespace { .. } => {
                "check `namespace` under `[vault]`, or the environment variable VAULT_NAMESPACE"
            }
            Self::SecondFactor { .. } => "use a login without a second factor",
            Self::TokenRefused { .. } => "get a new token; this one has expired, or somebody revoked it",
            Self::Forbidden { .. } => "allow the path in a policy of Vault, with the capability `read`",
            Self::NotFound { .. } => {
                "check the path. In KV version 2 it has `data/` after the mount, in version 1 it has not"
            }
            Self::NoEngine { .. } => "check the first name of the path, and `namespace` under `[vault]`",
            Self::Versioned { path } => return Some(format!("write `{}`", with_data(path))),
            Self::Deleted { .. } => "bring it back with `vault kv undelete`, or write a new version",
            Self::Destroyed { .. } => "write a new version with `vault kv put`",
            Self::NoField { wanted, there } => {
                let meant = find_nearest(&wanted.field, there.iter().map(String::as_str));
                let meant = meant.map(|field| format!("did you mean `{}#{field}`?", wanted.path));
                return Some(meant.unwrap_or_else(|| "name one of its fields after `#`".to_owned()));
            }
            Self::NotText { .. } => "store it in Vault as a text in quotes",
            Self::Failed { .. } => "read what Vault wrote into its log, then run the same command again",
            Self::Stopped => return None,
        };
        Some(hint.to_owned())
    }
}

/// The path as it is in KV version 2, if the mount is its first name.
fn with_data(path: &str) -> String {
    match path.split_once('/') {
        Some((mount, name)) => format!("{mount}/data/{name}"),
        None => format!("{path}/data/NAME"),
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    match (shown.is_empty(), names.len().saturating_sub(MOST_NAMES)) {
        (true, _) => "no fields".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, and {more} more", shown.join(", ")),
    }
}

//! Reads secrets from HashiCorp Vault or OpenBao. flowswap logs in when the first secret is read, and all secrets of the process share
//! that login. The token is only in memory.

mod answer;
mod client;
mod error;

use std::{
    env,
    ffi::OsStr,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use flowswap_config::{Config, SecretRef, Vault as Settings, VaultField, VaultLogin};
use flowswap_engine::Secret;
use flowswap_host::{Network, build, is_nearby_origin};
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::error::VaultError;
use self::{
    answer::Lease,
    client::{Client, Credentials, Token},
    error::{Method, SERVICE_TOKEN},
};
use super::FetchError;

/// A token is replaced this long before it ends, so that it does not end on the way. A short one is used for half of its time.
const MARGIN: Duration = Duration::from_secs(10);

/// Vault, as the configuration describes it.
pub(super) struct Vault {
    settings: Settings,
    network: Network,
    timeout: Duration,
    /// `None` before the first login.
    session: Mutex<Option<Login>>,
}

/// The login, or why it failed. A wrong password is not sent again for every tenant: Vault locks who tries too often.
type Login = Result<Arc<Session>, Arc<VaultError>>;

/// A login that worked.
struct Session {
    client: Arc<Client>,
    token: Arc<Token>,
    ends: Option<Instant>,
    runtime: Tasks,
}

/// Reads what Vault itself needs, such as a token from a file.
type ReadOwn<'a> = &'a dyn Fn(&SecretRef) -> Result<Secret, FetchError>;

impl Vault {
    pub(super) fn of(config: &Config) -> Self {
        let network = Network {
            ca_file: config.network.ca_file.clone(),
            resolve: config.network.resolve.clone(),
            ..Network::default()
        };
        Self { settings: config.vault.clone(), network, timeout: config.network.timeout, session: Mutex::default() }
    }

    /// What Vault itself needs from elsewhere, for a login.
    pub(super) fn own_secret(&self) -> Option<&SecretRef> {
        match &self.settings.login {
            VaultLogin::Token(reference) | VaultLogin::AppRole { secret_id: reference, .. } => Some(reference),
            VaultLogin::Kubernetes { .. } => None,
        }
    }

    /// Lets the next secret log in again, if the last login failed or the token is in a file that somebody else renews.
    pub(super) fn begin(&self) {
        let is_renewed = matches!(self.settings.login, VaultLogin::Token(SecretRef::File(_)));
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.take_if(|session| session.is_err() || is_renewed);
    }

    /// Reads a field. Blocks the thread until Vault answered.
    pub(super) fn read(&self, wanted: &VaultField, read_own: ReadOwn<'_>) -> Result<Secret, Arc<VaultError>> {
        let session = self.session(read_own)?;
        let (client, token, wanted) = (Arc::clone(&session.client), Arc::clone(&session.token), wanted.clone());
        Ok(session.runtime.wait(async move { client.read(&token, &wanted).await })?)
    }

    /// Where Vault is, and who flowswap is there, for a report. Logs in.
    pub(super) fn describe(&self, read_own: ReadOwn<'_>) -> Result<String, Arc<VaultError>> {
        let session = self.session(read_own)?;
        let Client { address, namespace, .. } = &*session.client;
        let namespace = namespace.as_ref().map(|name| format!(" in the namespace `{name}`")).unwrap_or_default();
        Ok(format!("`{address}`{namespace}, with {}", session.token.from))
    }

    fn session(&self, read_own: ReadOwn<'_>) -> Login {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.take_if(|session| session.as_ref().is_ok_and(|session| session.is_over()));
        session.get_or_insert_with(|| self.log_in(read_own).map(Arc::new).map_err(Arc::new)).clone()
    }

    fn log_in(&self, read_own: ReadOwn<'_>) -> Result<Session, VaultError> {
        let address = match &self.settings.address {
            Some(address) => address.clone(),
            None => address_of(env::var_os("VAULT_ADDR").as_deref())?,
        };
        let namespace = match &self.settings.namespace {
            Some(namespace) => Some(namespace.clone()),
            None => namespace_of(env::var_os("VAULT_NAMESPACE").as_deref())?,
        };
        let connect = build(&self.network).map_err(VaultError::Network)?;
        let client = Arc::new(Client::new(&*connect, address, namespace, self.timeout)?);
        let own = |what, reference: &SecretRef| {
            read_own(reference).map_err(|source| VaultError::Own { what, source: Box::new(source) })
        };
        let runtime = Tasks::start()?;
        let (secret, lease, from) = match &self.settings.login {
            VaultLogin::Token(reference) => {
                (own("the token", reference)?, None, format!("the token from {}", super::describe(reference)))
            }
            VaultLogin::AppRole { mount, role_id, secret_id } => {
                let credentials = Credentials { role: role_id.clone(), secret: own("the secret ID", secret_id)? };
                let (token, lease) = enter(&runtime, &client, Method::AppRole, mount, credentials)?;
                (token, lease, format!("the AppRole login at `auth/{mount}`"))
            }
            VaultLogin::Kubernetes { mount, role, jwt } => {
                let jwt = super::read_service_token(jwt)
                    .map_err(|source| VaultError::Own { what: SERVICE_TOKEN, source: Box::new(source) })?;
                let credentials = Credentials { role: role.clone(), secret: jwt };
                let (token, lease) = enter(&runtime, &client, Method::Kubernetes, mount, credentials)?;
                (token, lease, format!("the Kubernetes login of the role `{role}` at `auth/{mount}`"))
            }
        };
        let ends = lease.and_then(|seconds| Instant::now().checked_add(usable_for(seconds)));
        Ok(Session { client, token: Arc::new(Token { secret, from }), ends, runtime })
    }
}

impl Session {
    fn is_over(&self) -> bool {
        self.ends.is_some_and(|ends| ends <= Instant::now())
    }
}

/// How long a token is used whose lease has so many seconds.
fn usable_for(seconds: u64) -> Duration {
    let lease = Duration::from_secs(seconds);
    lease.saturating_sub(MARGIN).max(lease / 2)
}

fn enter(
    runtime: &Tasks,
    client: &Arc<Client>,
    method: Method,
    mount: &str,
    credentials: Credentials,
) -> Result<(Secret, Lease), VaultError> {
    let (client, mount) = (Arc::clone(client), mount.to_owned());
    runtime.wait(async move { client.log_in(method, &mount, &credentials).await })
}

/// The address that a variable says.
fn address_of(variable: Option<&OsStr>) -> Result<String, VaultError> {
    let text = variable.filter(|text| !text.is_empty()).ok_or(VaultError::NoAddress)?;
    let text = text.to_str().filter(|text| is_nearby_origin(text)).ok_or(VaultError::Address)?;
    Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
}

fn namespace_of(variable: Option<&OsStr>) -> Result<Option<String>, VaultError> {
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.to_str().map(|text| Some(text.to_owned())).ok_or(VaultError::Variable("VAULT_NAMESPACE"))
}

/// Runs requests beside the threads that wait for them. Those may belong to a runtime that must not wait for itself.
struct Tasks(Option<Runtime>);

impl Tasks {
    fn start() -> Result<Self, VaultError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("vault").build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|_| VaultError::Stopped)
    }

    /// Blocks this thread until the task has ended.
    fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, VaultError>> + Send + 'static,
    ) -> Result<T, VaultError> {
        let (sender, result) = mpsc::channel();
        if let Some(runtime) = &self.0 {
            runtime.spawn(async move {
                // If nobody waits any more, the command has ended.
                let _ = sender.send(task.await);
            });
        }
        result.recv().unwrap_or(Err(VaultError::Stopped))
    }
}

impl Drop for Tasks {
    /// A runtime must not wait for its end within another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_it_ends() {
        for (lease, used) in [(3_600, 3_590.0), (20, 10.0), (12, 6.0), (1, 0.5)] {
            assert_eq!(usable_for(lease), Duration::from_secs_f64(used), "{lease}");
        }
    }

    #[test]
    fn an_address_of_the_environment_is_an_origin() {
        let address = |text: &str| address_of(Some(OsStr::new(text)));
        assert_eq!(address("https://vault.test:8200/").unwrap(), "https://vault.test:8200");
        assert!(matches!(address_of(None), Err(VaultError::NoAddress)));
        assert!(matches!(address(""), Err(VaultError::NoAddress)));
        for wrong in ["vault.test:8200", "http://vault.test:8200", "https://vault.test/v1", "https://me@vault.test"] {
            assert!(matches!(address(wrong), Err(VaultError::Address)), "{wrong}");
        }
    }
}

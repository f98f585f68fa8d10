//! The two sides of a tenant: their secrets, and the sessions in which plugins work for them.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_config::{SecretRef, SideConfig, TenantConfig};
use flowswap_contract::{self as contract, ErrorKind, Role};
use flowswap_engine::{Backend, BackendCall, JournalError, Logbook, PluginPin, Secret, chain};
use flowswap_host::{Effects, KnownSecrets, PluginProcess, Session, SessionConfig};
use futures::future::{BoxFuture, FutureExt};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::fetch::{Fetcher, Unreadable};

/// A plugin with its process.
pub(crate) struct RunningPlugin {
    pub(crate) process: Arc<PluginProcess>,
    pub(crate) pin: PluginPin,
    /// The origins that the operator allows it beside those of the tenants.
    pub(crate) origins: Vec<String>,
}

/// What a side needs to open its session.
pub(crate) struct SessionParts {
    pub(crate) plugins: BTreeMap<String, RunningPlugin>,
    pub(crate) fetcher: Fetcher,
    /// The secrets that programs printed.
    pub(crate) printed: BTreeMap<SecretRef, Result<Secret, Unreadable>>,
    pub(crate) effects: Arc<Effects>,
    pub(crate) logbook: Arc<Logbook>,
}

/// The secrets of one tenant: the credentials of both sides, and what is stored for it. flowswap gets to know all of them before
/// the first request of either side, because a server may repeat the secret of the other side.
pub(crate) struct TenantSecrets {
    tenant: String,
    sides: BTreeMap<Role, Arc<SideConfig>>,
    parts: Arc<SessionParts>,
    known: Arc<KnownSecrets>,
    credentials: OnceCell<BTreeMap<Role, Credentials>>,
}

/// The credentials of a side by their keys in the configuration, or why one cannot be read.
type Credentials = Result<BTreeMap<String, Secret>, contract::Error>;

impl TenantSecrets {
    pub(crate) fn of(tenant: &TenantConfig, parts: &Arc<SessionParts>) -> Self {
        let sides = [(Role::Provider, Arc::clone(&tenant.provider)), (Role::Directory, Arc::clone(&tenant.directory))];
        Self {
            tenant: tenant.name.clone(),
            sides: sides.into(),
            parts: Arc::clone(parts),
            known: Arc::default(),
            credentials: OnceCell::new(),
        }
    }

    /// The credentials of a side. From then on, no secret of the tenant is shown.
    async fn credentials(&self, role: Role) -> Credentials {
        let fetched = self.credentials.get_or_try_init(|| self.learn()).await;
        let fetched = fetched.map_err(|error| contract::Error::new(ErrorKind::Internal, chain(&error)))?;
        fetched.get(&role).cloned().unwrap_or_else(|| Ok(BTreeMap::new()))
    }

    async fn learn(&self) -> Result<BTreeMap<Role, Credentials>, JournalError> {
        let mut credentials = BTreeMap::new();
        for (role, config) in &self.sides {
            credentials.insert(*role, self.fetch(*role, config).await);
        }
        let Self { tenant, parts, .. } = self;
        let has_work = parts.logbook.overview(tenant).is_some_and(|known| known.plan.is_some());
        let history = if has_work { parts.logbook.tenant(tenant).await? } else { None };
        let work = history.and_then(|history| history.work);
        if let Some(planned) = work.as_ref().and_then(|work| serde_json::to_string(&*work.tenant).ok()) {
            self.known.publish("the plan", &planned);
        }
        for handle in work.iter().flat_map(|work| work.may_be_stored()) {
            // A run that needs it says what is wrong with it.
            if let Ok(Some(secret)) = parts.effects.secrets.get(&handle).await {
                self.known.remember_as(handle, &secret);
            }
        }
        Ok(credentials)
    }

    async fn fetch(&self, role: Role, config: &SideConfig) -> Credentials {
        let mut secrets = BTreeMap::new();
        let mut failed = None;
        for (key, reference) in &config.secrets {
            let fetched = match self.parts.printed.get(reference) {
                Some(printed) => printed.clone(),
                None => self.parts.fetcher.credential(reference).await,
            };
            // The other side is asked even if this one cannot be, so whatever can be read must be known.
            match fetched {
                Ok(secret) => {
                    self.known.remember(&secret);
                    secrets.insert(key.clone(), secret);
                }
                Err(Unreadable { why, hint }) => {
                    let error = format!("the {role}'s `{key}` cannot be read: {why}");
                    let error = contract::Error::new(ErrorKind::Config, error);
                    failed.get_or_insert(match hint {
                        Some(hint) => error.with_hint(hint),
                        None => error,
                    });
                }
            }
        }
        failed.map_or(Ok(secrets), Err)
    }
}

/// One side of a tenant. Its first call opens the session. So a fleet needs only as much memory as it has tenants at work, and
/// this process holds only their secrets, and those that programs printed.
pub(crate) struct Side {
    role: Role,
    secrets: Arc<TenantSecrets>,
    session: OnceCell<Result<Arc<Session>, contract::Error>>,
}

impl Side {
    pub(crate) fn new(role: Role, secrets: &Arc<TenantSecrets>) -> Self {
        Self { role, secrets: Arc::clone(secrets), session: OnceCell::new() }
    }

    async fn open(&self) -> Result<Arc<Session>, contract::Error> {
        let secrets = self.secrets.credentials(self.role).await?;
        let TenantSecrets { tenant, sides, parts, known, .. } = &*self.secrets;
        let side = sides.get(&self.role);
        let Some((side, plugin)) = side.and_then(|side| Some((side, parts.plugins.get(&side.plugin)?))) else {
            let error = format!("the plugin of the {} was not loaded", self.role);
            return Err(contract::Error::new(ErrorKind::Internal, error));
        };
        let (tenant, config, known) = (tenant.clone(), side.table(), Arc::clone(known));
        let config = SessionConfig { tenant, role: self.role, config, secrets, origins: plugin.origins.clone(), known };
        Session::open(Arc::clone(&plugin.process), Arc::clone(&parts.effects), config).await
    }

    /// The session, if it was opened.
    fn opened(&self) -> Option<&Arc<Session>> {
        self.session.get()?.as_ref().ok()
    }
}

impl Backend for Side {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        async {
            match self.session.get_or_init(|| self.open()).await {
                Ok(session) => session.call(call).await,
                Err(error) => Err(error.clone()),
            }
        }
        .boxed()
    }

    fn redact(&self, text: &str) -> Option<String> {
        self.opened().map_or_else(|| self.secrets.known.redact(text), |session| session.redact(text))
    }

    fn origins(&self) -> Vec<String> {
        self.opened().map(|session| session.origins()).unwrap_or_default()
    }

    fn token_paths(&self) -> Vec<String> {
        self.opened().map(|session| session.token_paths()).unwrap_or_default()
    }

    fn skews(&self) -> BTreeMap<String, SignedDuration> {
        self.opened().map(|session| session.skews()).unwrap_or_default()
    }
}

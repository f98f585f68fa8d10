//! Opens the configured tenants: loads their plugins and opens a session for each side.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use flowswap_config::{Config, SecretRef, SideConfig, TenantConfig};
use flowswap_contract::{self as contract, ErrorKind, Role};
use flowswap_engine::{Backend, BackendCall, History, PluginPin, Ports, Secret, Tenant, TenantSpec};
use flowswap_host::{
    Effects, Gate, Launcher, Limits, Network, PluginFile, PluginProcess, Session, SessionConfig, build, locate,
};
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream,
};
use serde_json::{Value, json};

use crate::{
    PLUGIN_PROCESS,
    context::Context,
    display::progress::Progress,
    exit::{Exit, Failure},
    fetch::fetch_secret,
};

/// Tenants with their sessions, and the plugins that serve them.
pub(crate) struct Fleet {
    /// In the order of the configuration.
    pub(crate) tenants: Vec<Tenant>,
    /// The plugins, by name.
    pub(crate) pins: BTreeMap<String, PluginPin>,
}

impl Fleet {
    /// Notes for each tenant whether the journal has started work on it.
    pub(crate) fn mark_started(&mut self, history: &History) {
        for tenant in &mut self.tenants {
            tenant.spec.begun = history.tenant(&tenant.spec.name).is_some_and(|known| known.work.is_some());
        }
    }

    /// Does something with every tenant and shows progress. The configuration limits how many run at a time.
    pub(crate) async fn each<T, F>(&self, config: &Config, progress: &Progress, work: impl Fn(Tenant) -> F) -> Vec<T>
    where
        F: Future<Output = T>,
    {
        progress.set_total(self.tenants.len());
        let working = self.tenants.iter().cloned().map(|tenant| {
            let working = work(tenant);
            async {
                let result = working.await;
                progress.advance();
                result
            }
        });
        let results = stream::iter(working).buffered(config.run.concurrency.max(1)).collect().await;
        progress.clear();
        results
    }

    /// Opens the selected tenants, or all of them without a selection. If a session cannot be opened, its tenant stays
    /// in the fleet and answers every call with the error, so that it does not stop the others.
    pub(crate) async fn open(
        context: &Context,
        config: &Config,
        selected: &[String],
        ports: &Ports,
    ) -> Result<Self, Failure> {
        let tenants = select(config, selected)?;
        let sides = tenants.iter().flat_map(|tenant| [&tenant.provider, &tenant.directory]);
        let names: BTreeSet<&str> = sides.map(|side| side.plugin.as_str()).collect();
        let effects = Arc::new(effects(config, ports)?);
        let mut plugins = BTreeMap::new();
        for name in names {
            let file = read_plugin(context, config, name)?;
            let process = start_plugin(context, &file, ports).await?;
            let pin = PluginPin { version: process.hello().version.clone(), sha256: file.sha256().to_owned() };
            plugins.insert(name.to_owned(), (process, pin));
        }
        let hello =
            |name: &str| plugins.get(name).map(|(process, _): &(Arc<PluginProcess>, PluginPin)| process.hello());
        config.check_plugin_keys(&tenants, hello).map_err(|errors| Failure::new(Exit::Usage, errors))?;
        let secrets = resolve_secrets(&tenants, config.run.concurrency.max(1)).await;
        let parts = SessionParts { plugins: &plugins, secrets: &secrets, effects: &effects };
        let opening = tenants.iter().map(|tenant| open_tenant(tenant, &parts));
        let tenants = stream::iter(opening).buffered(config.run.concurrency.max(1)).collect().await;
        Ok(Self { tenants, pins: plugins.into_iter().map(|(name, (_, pin))| (name, pin)).collect() })
    }
}

/// The tenants with these names, or all without a name.
pub(crate) fn select<'a>(config: &'a Config, names: &[String]) -> Result<Vec<&'a TenantConfig>, Failure> {
    if let Some(unknown) = names.iter().find(|name| !config.tenants.iter().any(|tenant| tenant.name == **name)) {
        let failure = Failure::new(Exit::Usage, format!("the configuration has no tenant `{unknown}`"));
        return Err(failure.hint("list the tenants: flowswap status"));
    }
    if config.tenants.is_empty() {
        let failure = Failure::new(Exit::Usage, "the configuration has no tenant");
        return Err(failure.hint("add a `[[tenant]]` or an `inventory`; `migrate.toml.example` shows both"));
    }
    Ok(config.tenants.iter().filter(|tenant| names.is_empty() || names.contains(&tenant.name)).collect())
}

/// Finds a plugin by name, reads it, and compares it with its pin.
pub(crate) fn read_plugin(context: &Context, config: &Config, name: &str) -> Result<PluginFile, Failure> {
    let entry = config.plugins.get(name);
    let dirs = context.plugin_dirs();
    let path = entry.and_then(|entry| entry.path.clone()).or_else(|| locate(name, &dirs)).ok_or_else(|| {
        let looked: Vec<_> = dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
        Failure::new(Exit::Usage, format!("there is no plugin `{name}` in {}", looked.join(", ")))
            .hint("pass `--plugin-dir`, or set `path` in `[plugins]`")
    })?;
    let pin = entry.and_then(|entry| entry.sha256.as_deref());
    read_library(name, &path, pin)
}

/// Reads a plugin's library.
pub(crate) fn read_library(name: &str, path: &Path, pin: Option<&str>) -> Result<PluginFile, Failure> {
    PluginFile::read(name, path, pin).map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::Usage, error).hint_if(hint)
    })
}

/// Starts a plugin's process.
pub(crate) async fn start_plugin(
    context: &Context,
    file: &PluginFile,
    ports: &Ports,
) -> Result<Arc<PluginProcess>, Failure> {
    PluginProcess::start(file, &plugin_launcher(context)?, Arc::clone(&ports.events)).await.map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::Failed, error).hint_if(hint)
    })
}

/// How to start plugin processes: the same binary with another first argument.
pub(crate) fn plugin_launcher(context: &Context) -> Result<Launcher, Failure> {
    let exe = std::env::current_exe().map_err(Failure::at("find the flowswap binary"))?;
    let limits = Limits { thinking: context.global.plugin_patience, ..Limits::default() };
    Ok(Launcher { limits, ..Launcher::new(exe, vec![PLUGIN_PROCESS.into()]) })
}

fn effects(config: &Config, ports: &Ports) -> Result<Effects, Failure> {
    let network = Network {
        ca_file: config.network.ca_file.clone(),
        resolve: config.network.resolve.clone(),
        ..Network::default()
    };
    Ok(Effects {
        http: build(&network).map_err(|error| {
            let hint = error.hint();
            let failure = Failure::at("prepare the network")(error);
            // Only the configuration and the environment can be wrong here: no request has been made yet.
            Failure { exit: Exit::Usage, ..failure }.hint_if(hint)
        })?,
        journal: Arc::clone(&ports.journal),
        secrets: Arc::clone(&ports.secrets),
        clock: Arc::clone(&ports.clock),
        events: Arc::clone(&ports.events),
        stop: ports.stop.clone(),
        gate: Gate::default(),
        timeout: config.network.timeout,
    })
}

/// What [`open_side`] needs to open a session.
struct SessionParts<'a> {
    plugins: &'a BTreeMap<String, (Arc<PluginProcess>, PluginPin)>,
    secrets: &'a BTreeMap<SecretRef, Result<Secret, String>>,
    effects: &'a Arc<Effects>,
}

/// Fetches every secret once, even if many tenants share it. A command can be slow, so several run in parallel.
async fn resolve_secrets(tenants: &[&TenantConfig], at_once: usize) -> BTreeMap<SecretRef, Result<Secret, String>> {
    let sides = tenants.iter().flat_map(|tenant| [&tenant.provider, &tenant.directory]);
    let references: BTreeSet<SecretRef> = sides.flat_map(|side| side.secrets.values().cloned()).collect();
    let resolving = references.into_iter().map(|reference| async move {
        let resolved = tokio::task::spawn_blocking({
            let reference = reference.clone();
            move || fetch_secret(&reference).map_err(|error| error.to_string())
        });
        (reference, resolved.await.unwrap_or_else(|error| Err(error.to_string())))
    });
    stream::iter(resolving).buffer_unordered(at_once).collect().await
}

async fn open_tenant(tenant: &TenantConfig, parts: &SessionParts<'_>) -> Tenant {
    let (provider, directory) = tokio::join!(
        open_side(tenant, Role::Provider, &tenant.provider, parts),
        open_side(tenant, Role::Directory, &tenant.directory, parts),
    );
    Tenant { spec: spec(tenant), provider, directory }
}

/// What the engine needs from a tenant's configuration.
fn spec(tenant: &TenantConfig) -> TenantSpec {
    let domain = tenant.provider.table.get("domain").and_then(Value::as_str).unwrap_or_default().to_owned();
    TenantSpec {
        name: tenant.name.clone(),
        domain,
        app_data: tenant.app_data,
        provider_plugin: tenant.provider.plugin.clone(),
        begun: false,
        directory_plugin: tenant.directory.plugin.clone(),
        config: json!({ "provider": tenant.provider.table, "directory": tenant.directory.table }),
    }
}

async fn open_side(tenant: &TenantConfig, role: Role, side: &SideConfig, parts: &SessionParts<'_>) -> Arc<dyn Backend> {
    match try_open_side(tenant, role, side, parts).await {
        Ok(session) => session,
        Err(error) => Arc::new(UnavailableSide(error)),
    }
}

async fn try_open_side(
    tenant: &TenantConfig,
    role: Role,
    side: &SideConfig,
    parts: &SessionParts<'_>,
) -> Result<Arc<Session>, contract::Error> {
    let mut secrets = BTreeMap::new();
    for (key, reference) in &side.secrets {
        let resolved =
            parts.secrets.get(reference).cloned().unwrap_or_else(|| Err("flowswap did not fetch it".to_owned()));
        let secret = resolved.map_err(|why| {
            contract::Error::new(ErrorKind::Config, format!("the {role}'s `{key}` cannot be read: {why}"))
        })?;
        secrets.insert(key.clone(), secret);
    }
    let Some((process, _)) = parts.plugins.get(&side.plugin) else {
        return Err(contract::Error::new(ErrorKind::Internal, format!("plugin `{}` was not loaded", side.plugin)));
    };
    let config = SessionConfig { tenant: tenant.name.clone(), role, config: side.table.clone(), secrets };
    Session::open(Arc::clone(process), Arc::clone(parts.effects), config).await
}

/// Stands in for a session that could not be opened, and answers every call with the error.
struct UnavailableSide(contract::Error);

impl Backend for UnavailableSide {
    fn call<'a>(&'a self, _: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        async { Err(self.0.clone()) }.boxed()
    }
}

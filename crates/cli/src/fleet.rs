//! Opens the configured tenants: loads their plugins and opens a session for each side.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use flowswap_config::{Config, SecretRef, TenantConfig, find_nearest};
use flowswap_contract::Role;
use flowswap_engine::{
    EventSink, Logbook, PlannedTenant, PluginPin, Ports, Secret, Tenant, TenantSpec, digest_config, side_by_side,
};
use flowswap_host::{Cage, Effects, Launcher, Limits, Network, PluginFile, PluginProcess, build, locate};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    PLUGIN_PROCESS,
    context::{Context, read_tenant},
    display::progress::Progress,
    exit::{Exit, Failure},
    fetch::{Fetcher, Unreadable},
    plugin_search,
    side::{RunningPlugin, SessionParts, Side, TenantSecrets},
    trust::require_credentials,
};

/// Tenants with their sessions, and the plugins that serve them.
pub(crate) struct Fleet {
    /// In the order of the configuration.
    pub(crate) tenants: Vec<Tenant>,
    /// The plugins, by name.
    pub(crate) pins: BTreeMap<String, PluginPin>,
}

impl Fleet {
    /// Does something with every tenant and shows progress. The configuration limits how many run at a time.
    ///
    /// Afterwards the fleet has no tenants: the sessions of each are closed when its work is done.
    pub(crate) async fn each<F>(
        &mut self,
        config: &Config,
        progress: &Arc<Progress>,
        work: impl Fn(Tenant) -> F,
    ) -> Vec<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        progress.begin(self.tenants.len());
        let works = std::mem::take(&mut self.tenants).into_iter().map(|tenant| {
            let (name, progress) = (tenant.spec.name.clone(), Arc::clone(progress));
            let working = work(tenant);
            async move {
                progress.start(&name);
                let result = working.await;
                progress.end(&name);
                result
            }
        });
        let results = side_by_side(works, config.run.concurrency).await;
        progress.clear();
        results
    }

    /// Starts the plugins of these tenants. The sessions of a tenant are opened when it is called first. If that fails, it answers
    /// every call with the error, and does not stop the others.
    pub(crate) async fn open(
        context: &Context,
        config: &Config,
        names: &[String],
        ports: &Ports,
    ) -> Result<Self, Failure> {
        let names: BTreeSet<&String> = names.iter().collect();
        let tenants: Vec<_> = config.tenants.iter().filter(|tenant| names.contains(&tenant.name)).collect();
        let sides = tenants.iter().flat_map(|tenant| [&tenant.provider, &tenant.directory]);
        let names: BTreeSet<&str> = sides.map(|side| side.plugin.as_str()).collect();
        let effects = Arc::new(effects(context, config, ports)?);
        let mut plugins = BTreeMap::new();
        for name in names {
            let file = read_plugin(context, config, name)?;
            let entry = config.plugins.get(name);
            let cage = entry.map(|entry| entry.cage).unwrap_or_default();
            let origins = entry.map(|entry| entry.origins.clone()).unwrap_or_default();
            let process = start_plugin(context, &file, cage, Arc::clone(&ports.events)).await?;
            let pin = PluginPin {
                version: process.hello().version.clone(),
                sha256: file.sha256().to_owned(),
                uncaged: cage == Cage::Off,
            };
            plugins.insert(name.to_owned(), RunningPlugin { process, pin, origins });
        }
        let hello = |name: &str| plugins.get(name).map(|plugin: &RunningPlugin| plugin.process.hello());
        config.check_plugin_keys(&tenants, hello).map_err(|errors| Failure::new(Exit::Usage, errors))?;
        require_credentials(&tenants)?;
        let fetcher = context.fetcher.clone();
        fetcher.begin();
        let printed = run_secret_programs(&fetcher, &tenants, config.run.concurrency.max(1)).await;
        let pins = plugins.iter().map(|(name, plugin)| (name.clone(), plugin.pin.clone())).collect();
        let logbook = Arc::clone(&ports.logbook);
        let parts = Arc::new(SessionParts { plugins, fetcher, printed, effects, logbook });
        let open = |tenant: &&TenantConfig| {
            let secrets = Arc::new(TenantSecrets::of(tenant, &parts));
            Ok(Tenant {
                spec: spec(tenant, &ports.logbook)?,
                provider: Arc::new(Side::new(Role::Provider, &secrets)),
                directory: Arc::new(Side::new(Role::Directory, &secrets)),
            })
        };
        Ok(Self { tenants: tenants.iter().map(open).collect::<Result<_, Failure>>()?, pins })
    }
}

/// Fails for tenants that the configuration does not have. The error says what the journal knows of them, so that they can be added
/// again.
pub(crate) async fn refuse_gone(config: &Config, names: &[String], logbook: &Logbook) -> Result<(), Failure> {
    let mut gone = Vec::new();
    for name in names.iter().filter(|name| config.tenant(name).is_none()) {
        let work = read_tenant(logbook, name).await?.and_then(|history| history.work);
        gone.push((name, work.map(|work| describe_tables(&work.tenant))));
    }
    let Some((first, _)) = gone.first() else { return Ok(()) };
    let (names, tables): (Vec<_>, Vec<_>) = gone
        .iter()
        .filter_map(|(name, tables)| Some((format!("`{name}`"), format!("`{name}` with {}", tables.as_ref()?))))
        .unzip();
    if names.is_empty() {
        let failure = Failure::new(Exit::Usage, format!("the configuration no longer has the tenant `{first}`"));
        return Err(failure.hint("flowswap did not start to migrate it; to plan it again, add its `[[tenant]]`"));
    }
    let error = format!("the configuration no longer has what flowswap started to migrate: {}", names.join(", "));
    let hint = format!("add a `[[tenant]]` for each again, with its credentials: {}", tables.join("; "));
    Err(Failure::new(Exit::Usage, error).hint(hint))
}

/// The plugins of a planned tenant, and the keys of its tables, as far as its plan knows them.
fn describe_tables(planned: &PlannedTenant) -> String {
    let seen = planned.seen.as_ref().and_then(|seen| seen.get().ok());
    let keys = |side: Role| {
        let prefix = format!("{side}.");
        let keys = seen.iter().flat_map(|seen| seen.config.keys());
        let keys: Vec<_> = keys.filter_map(|key| key.strip_prefix(&prefix)).collect();
        if keys.is_empty() { String::new() } else { format!(" ({})", keys.join(", ")) }
    };
    let domain = seen.as_ref().map(|seen| format!(" for {}", seen.provider.domain)).unwrap_or_default();
    let id = seen.as_ref().map(|seen| format!(" for {}", seen.directory.id)).unwrap_or_default();
    let PlannedTenant { provider_plugin, directory_plugin, .. } = planned;
    let (provider, directory) = (keys(Role::Provider), keys(Role::Directory));
    format!("provider `{provider_plugin}`{domain}{provider} and directory `{directory_plugin}`{id}{directory}")
}

/// Finds a plugin by name, reads it, and compares it with its pin.
pub(crate) fn read_plugin(context: &Context, config: &Config, name: &str) -> Result<PluginFile, Failure> {
    let entry = config.plugins.get(name);
    let dirs = context.plugin_dirs()?;
    let path = entry.and_then(|entry| entry.path.clone()).or_else(|| locate(name, &dirs)).ok_or_else(|| {
        let looked: Vec<_> = dirs.iter().map(|dir| format!("`{}`", dir.display())).collect();
        let failure = Failure::new(Exit::Usage, format!("there is no plugin `{name}` in {}", looked.join(", ")));
        let known = plugin_search::find(context, &config.plugins).unwrap_or_default();
        failure.hint(match find_nearest(name, known.keys().map(String::as_str)) {
            Some(meant) => format!("did you mean `plugin = \"{meant}\"`?"),
            None => "pass `--plugin-dir`, or set `path` in `[plugins]`".to_owned(),
        })
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
    cage: Cage,
    events: Arc<dyn EventSink>,
) -> Result<Arc<PluginProcess>, Failure> {
    PluginProcess::start(file, &plugin_launcher(context, cage)?, events).await.map_err(|error| {
        let hint = error.hint();
        Failure::at(format!("start the plugin from `{}`", file.path().display()))(error).hint_if(hint)
    })
}

/// How to start plugin processes: the same binary with another first argument.
pub(crate) fn plugin_launcher(context: &Context, cage: Cage) -> Result<Launcher, Failure> {
    let exe = std::env::current_exe().map_err(Failure::at("find the flowswap binary"))?;
    let limits = Limits { thinking: context.global.plugin_patience, ..Limits::default() };
    let listen = context.listen.clone();
    Ok(Launcher { limits, cage, listen, ..Launcher::new(exe, vec![PLUGIN_PROCESS.into()]) })
}

fn effects(context: &Context, config: &Config, ports: &Ports) -> Result<Effects, Failure> {
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
        secrets: Arc::clone(&ports.secrets),
        clock: Arc::clone(&ports.clock),
        events: Arc::clone(&ports.events),
        stop: ports.stop.clone(),
        gate: context.gate(config),
        timeout: config.network.timeout,
    })
}

/// Runs every program that prints a secret, once, even if many tenants share it. A program may ask the person at the
/// terminal, so all of them run before the progress of the work is shown. That includes the program that prints a token for Vault.
/// A program can be slow, so several run in parallel.
async fn run_secret_programs(
    fetcher: &Fetcher,
    tenants: &[&TenantConfig],
    at_once: usize,
) -> BTreeMap<SecretRef, Result<Secret, Unreadable>> {
    let sides = tenants.iter().flat_map(|tenant| [&tenant.provider, &tenant.directory]);
    let references = sides.flat_map(|side| side.secrets.values());
    let programs: BTreeSet<SecretRef> = references.filter(|reference| fetcher.may_ask(reference)).cloned().collect();
    let running = programs.into_iter().map(|program| async move {
        let printed = fetcher.credential(&program).await;
        (program, printed)
    });
    stream::iter(running).buffer_unordered(at_once).collect().await
}

/// What the engine needs from a tenant's configuration.
fn spec(tenant: &TenantConfig, logbook: &Logbook) -> Result<TenantSpec, Failure> {
    let (provider, directory) = (tenant.provider.table(), tenant.directory.table());
    let domain = provider.get("domain").and_then(Value::as_str).unwrap_or_default().to_owned();
    let tables = json!({ "provider": provider, "directory": directory });
    Ok(TenantSpec {
        name: tenant.name.clone(),
        domain,
        app_data: tenant.app_data,
        accepted: tenant.accept.clone(),
        rotation: None,
        provider_plugin: tenant.provider.plugin.clone(),
        begun: logbook.overview(&tenant.name).is_some_and(|known| known.plan.is_some()),
        directory_plugin: tenant.directory.plugin.clone(),
        config: digest_config(&tables).map_err(Failure::at("compute the digest of the configuration"))?,
    })
}

//! `flowswap plugins`: lists plugins, shows what one declares, and checks one against the contract.

use std::{collections::BTreeMap, path::PathBuf};

use flowswap_config::PluginEntry;
use flowswap_contract::PluginHello;
use flowswap_host::{Cage, PluginFile, is_allowed};
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "sandbox")]
use super::conformance;
use crate::{
    args::PluginsCommand,
    context::Context,
    display::{
        table,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::{read_library, start_plugin},
    plugin_search::{find, library_name},
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct List {
    /// The plugins, by name.
    plugins: Vec<Found>,
}

impl Document for List {
    const NAME: DocumentName = DocumentName::Plugins;
}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// The name of the plugin.
    name: String,
    /// The file of its library.
    path: PathBuf,
    /// The SHA-256 of the library. `None` if it cannot be read.
    sha256: Option<String>,
    /// Whether the configuration pins this SHA-256.
    pinned: bool,
    /// Why flowswap would refuse it.
    problem: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Inspection {
    /// The file of its library.
    path: PathBuf,
    /// The SHA-256 of the library.
    sha256: String,
    /// What confines its process.
    cage: String,
    /// The origins that the configuration allows it beside those of the tenants.
    allowed: Vec<String>,
    /// What the plugin says about itself.
    plugin: PluginHello,
}

impl Document for Inspection {
    const NAME: DocumentName = DocumentName::Plugin;
}

pub(crate) async fn run(context: &Context, command: &PluginsCommand) -> Result<Exit, Failure> {
    match command {
        PluginsCommand::List => list(context),
        PluginsCommand::Inspect { plugin } => inspect(context, plugin).await,
        #[cfg(feature = "sandbox")]
        PluginsCommand::Conformance { plugin } => {
            let (path, file, entry) = read(context, plugin)?;
            conformance::run(context, file, path, entry.cage).await
        }
    }
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let entries = configured(context)?;
    let list = List {
        plugins: find(context, &entries)?.into_iter().map(|(name, path)| examine(name, path, &entries)).collect(),
    };
    context.terminal.report(&list, || list_text(&list))?;
    Ok(Exit::Done)
}

async fn inspect(context: &Context, plugin: &str) -> Result<Exit, Failure> {
    let (path, file, entry) = read(context, plugin)?;
    let process = start_plugin(context, &file, entry.cage, context.progress()).await?;
    let inspection = Inspection {
        path,
        sha256: file.sha256().to_owned(),
        cage: describe_cage(entry.cage),
        allowed: entry.origins,
        plugin: process.hello().clone(),
    };
    context.terminal.report(&inspection, || inspection_text(&inspection))?;
    Ok(Exit::Done)
}

/// The origins that a plugin may send credentials to, and those that it only declares.
fn describe_origins(inspection: &Inspection) -> String {
    let Inspection { allowed, plugin, .. } = inspection;
    let describe = |origin: &String| {
        if is_allowed(origin, allowed) { origin.clone() } else { format!("{origin} (not allowed)") }
    };
    plugin.origins.iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// The line of the configuration that allows every origin that it declares.
fn allowing_line(inspection: &Inspection) -> Option<String> {
    let Inspection { allowed, plugin, .. } = inspection;
    let missing: Vec<_> = plugin.origins.iter().filter(|origin| !is_allowed(origin, allowed)).collect();
    let origins = missing.iter().copied().chain(allowed).map(|origin| format!("\"{origin}\"")).collect::<Vec<_>>();
    (!missing.is_empty()).then(|| format!("origins = [{}] under [plugins.{}]", origins.join(", "), plugin.name))
}

/// What confines the process of a plugin, or why nothing does.
pub(crate) fn describe_cage(cage: Cage) -> String {
    match (cage, Cage::of_this_machine()) {
        (Cage::Required, Ok(given) | Err(given)) => given,
        (Cage::Off, Ok(given)) => format!("off, although this machine has one ({given})"),
        (Cage::Off, Err(missing)) => format!("off ({missing})"),
    }
}

/// Finds a plugin by name, and reads it. The last part is what the configuration says of it.
pub(crate) fn read_named(context: &Context, plugin: &str) -> Result<(PluginFile, PluginEntry), Failure> {
    let mut entries = configured(context)?;
    let path = find(context, &entries)?.remove(plugin).ok_or_else(|| unknown(plugin))?;
    let entry = entries.remove(plugin).unwrap_or_default();
    Ok((read_library(plugin, &path, entry.sha256.as_deref())?, entry))
}

fn unknown(plugin: &str) -> Failure {
    Failure::new(Exit::Usage, format!("there is no plugin `{plugin}`")).hint("list the plugins: flowswap plugins list")
}

/// Finds a plugin by name or library path, and reads it. The last part is what the configuration says of it.
fn read(context: &Context, plugin: &str) -> Result<(PathBuf, PluginFile, PluginEntry), Failure> {
    let mut entries = configured(context)?;
    let named = find(context, &entries)?.remove(plugin);
    let as_path = || Some(PathBuf::from(plugin)).filter(|path| path.is_file());
    let path = named.or_else(as_path).ok_or_else(|| unknown(plugin))?;
    let name = library_name(&path).unwrap_or_else(|| plugin.to_owned());
    let entry = entries.remove(&name).unwrap_or_default();
    let file = read_library(&name, &path, entry.sha256.as_deref())?;
    Ok((path, file, entry))
}

/// The `[plugins]` of the configuration; empty without a configuration.
fn configured(context: &Context) -> Result<BTreeMap<String, PluginEntry>, Failure> {
    if context.has_config()? { Ok(context.load_config()?.plugins) } else { Ok(BTreeMap::new()) }
}

fn examine(name: String, path: PathBuf, entries: &BTreeMap<String, PluginEntry>) -> Found {
    let pin = entries.get(&name).and_then(|entry| entry.sha256.as_deref());
    match read_library(&name, &path, pin) {
        Ok(file) => Found { name, path, sha256: Some(file.sha256().to_owned()), pinned: pin.is_some(), problem: None },
        Err(failure) => {
            Found { name, path, sha256: None, pinned: pin.is_some(), problem: Some(failure.error.to_string()) }
        }
    }
}

fn list_text(list: &List) -> Text {
    let rows = list.plugins.iter().map(|found| {
        let note = match (&found.problem, found.pinned) {
            (Some(_), _) => table::toned(Tone::Bad, "refused"),
            (None, true) => table::toned(Tone::Good, "pinned"),
            (None, false) => table::toned(Tone::Dim, "not pinned"),
        };
        [
            table::plain(&found.name),
            note,
            table::plain(found.sha256.as_deref().unwrap_or("-")),
            table::plain(found.path.display()),
        ]
    });
    let mut text = table::render(["plugin", "", "sha256", "path"], rows);
    let problems = list.plugins.iter().filter_map(|found| found.problem.as_ref());
    for (index, problem) in problems.enumerate() {
        if index == 0 {
            text += "\n";
        }
        text += text!("{}\n", problem);
    }
    text
}

fn inspection_text(inspection: &Inspection) -> Text {
    let plugin = &inspection.plugin;
    let roles: Vec<_> = plugin.roles.iter().map(ToString::to_string).collect();
    let mut text = text!(
        "{} {}\n  path:     {}\n  sha256:   {}\n  protocol: {}.{}\n  roles:    {}\n  origins:  {}\n  tokens:   {}\n  cage:     {}\n\n",
        paint(Tone::Strong, &plugin.name),
        plugin.version,
        inspection.path.display(),
        inspection.sha256,
        plugin.protocol.major,
        plugin.protocol.minor,
        roles.join(", "),
        describe_origins(inspection),
        match plugin.token_paths.as_slice() {
            [] => "it requests none".to_owned(),
            paths => format!("it requests them at {}", paths.join(", ")),
        },
        inspection.cage
    );
    if let Some(line) = allowing_line(inspection) {
        text += text!("if you trust this plugin with your credentials there, write {}\n\n", line);
    }
    text += &table::render(
        ["key", "", "about"],
        plugin.config.iter().map(|key| {
            let kind = match (key.required, key.secret) {
                (true, true) => "required, secret",
                (true, false) => "required",
                (false, true) => "secret",
                (false, false) => "",
            };
            [table::plain(&key.name), table::toned(Tone::Dim, kind), table::plain(&key.about)]
        }),
    );
    text
}

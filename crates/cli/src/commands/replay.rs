//! `flowswap replay`: sends the messages of a recording to another build of its plugins, and shows the first difference.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use flowswap_host::{PluginFile, RawPlugin};
use flowswap_recording::{Header, Line, ReadError, Reader, Replay, ReplayedProcess};
use schemars::JsonSchema;
use serde::Serialize;

use super::plugins;
use crate::{
    args::ReplayArgs,
    context::Context,
    display,
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::plugin_launcher,
};

/// What a replay showed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Replayed {
    /// What the recording is of.
    pub(crate) recording: Header,
    /// Whether the recording has its last line.
    pub(crate) complete: bool,
    /// The processes, in the order of their start.
    pub(crate) processes: Vec<Process>,
}

impl Document for Replayed {
    const NAME: DocumentName = DocumentName::Replay;
}

/// What a replay showed of one process, and which builds were compared.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Process {
    /// The name of the plugin.
    pub(crate) plugin: String,
    /// The SHA-256 of the library that was recorded.
    pub(crate) recorded_sha256: String,
    /// The SHA-256 of the library that was compared.
    pub(crate) sha256: String,
    #[serde(flatten)]
    pub(crate) replayed: ReplayedProcess,
}

pub(crate) async fn run(context: &Context, args: &ReplayArgs) -> Result<Exit, Failure> {
    let path = args.recording.display().to_string();
    let unreadable = |error: ReadError| {
        let failure = Failure::at(format!("read the recording `{path}`"))(error);
        Failure { exit: Exit::Usage, ..failure }
    };
    let (header, mut reader) = Reader::open(open(&args.recording)?).map_err(unreadable)?;
    let mut replay = Replay::default();
    let mut builds = BTreeMap::new();
    while let Some((line, entry)) = reader.next_line().map_err(unreadable)? {
        if context.stop.is_stopped() {
            return Err(Failure::new(Exit::Interrupted, "stopped before the end of the recording"));
        }
        if let Line::Started { process, plugin, sha256, .. } = &entry {
            let (file, running) = start(context, plugin)?;
            builds.insert(*process, (plugin.clone(), sha256.clone(), file.sha256().to_owned()));
            replay.start(*process, running);
        }
        replay.follow(line, &entry).await;
    }
    let processes = replay.finish(reader.line(), reader.is_complete()).await.into_iter().filter_map(|replayed| {
        let (plugin, recorded_sha256, sha256) = builds.remove(&replayed.process)?;
        Some(Process { plugin, recorded_sha256, sha256, replayed })
    });
    let replayed = Replayed { processes: processes.collect(), recording: header, complete: reader.is_complete() };
    context.terminal.report(&replayed, || display::replay::show(&replayed, &path))?;
    let differs = replayed.processes.iter().any(|process| process.replayed.difference.is_some());
    Ok(if differs { Exit::SomeFailed } else { Exit::Done })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(Failure::at(format!("read the recording `{}`", path.display())));
    let file = file.map_err(|failure| Failure { exit: Exit::Usage, ..failure })?;
    Ok(Box::new(BufReader::new(file)))
}

/// Starts a process of the build that flowswap finds under this name.
fn start(context: &Context, plugin: &str) -> Result<(PluginFile, RawPlugin), Failure> {
    let (file, entry) = plugins::read_named(context, plugin)?;
    let launcher = plugin_launcher(context, entry.cage)?;
    let patience = launcher.limits.greeting.min(launcher.limits.thinking);
    let running = RawPlugin::start(&file, &launcher, context.progress(), patience);
    let running = running.map_err(Failure::at(format!("start the plugin from `{}`", file.path().display())))?;
    Ok((file, running))
}

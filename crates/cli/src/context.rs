//! What every command uses: the terminal, the configuration, and the ports that a run needs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use flowswap_config::Config;
use flowswap_engine::{
    Actor, Draft, EventSink, Journal, JournalError, Logbook, NoOperator, Ports, Position, Records, SecretStore,
    Snapshot, Stop, StopSwitch, TenantHistory, Turns, Visitor,
};
use flowswap_host::{Gate, Listen, trusted_temp_dir};
use flowswap_store::{
    AgeSecretStore, Identity, SqliteJournal, StateDir, read_snapshot, remains_of_lost_journal, write_snapshot,
};
use futures::future::{BoxFuture, FutureExt};

pub(crate) use crate::clock::SystemClock;
use crate::{
    args::Global,
    clock,
    display::{
        progress::{CurrentProgress, OutputGate, Progress},
        text::{Text, text},
        times,
    },
    door::{self, AtWork},
    exit::{Exit, Failure},
    fetch::Fetcher,
    identity, interrupt,
    known::ToKnow,
    log_file::LogFile,
    metrics::Metrics,
    notify::Courier,
    terminal::Terminal,
    trust::{require_state, require_state_folder},
};

/// What to do when the state cannot be opened.
pub(crate) const NOTHING_DONE: &str = "nothing was done; make the folder writable, and run the same command again";

/// How often to look for the door of a command that has just opened the journal, and how long to wait in between.
const DOOR_TRIES: usize = 50;
const DOOR_WAIT: Duration = Duration::from_millis(100);

/// Who can write to the journal.
pub(crate) enum Writer {
    /// This process.
    Here(Box<Ports>),
    /// Another process, which is at work.
    AtWork(AtWork),
}

/// What every command gets.
#[derive(Clone)]
pub(crate) struct Context {
    /// The global options.
    pub(crate) global: Global,
    /// Where to write.
    pub(crate) terminal: Terminal,
    /// Set once the user asks to stop.
    pub(crate) stop: Stop,
    /// Sets it.
    pub(crate) switch: StopSwitch,
    /// What shows the progress of the work.
    pub(crate) current: CurrentProgress,
    /// Fetches the secrets that the configuration refers to.
    pub(crate) fetcher: Fetcher,
    /// What all sessions of the process know of the servers, once one was opened.
    pub(crate) gate: Arc<OnceLock<Gate>>,
    /// Tells people what happened.
    pub(crate) courier: Courier,
    /// What `--metrics` writes, if it was passed.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Where `--log-file` writes, if it was passed.
    pub(crate) log: Option<Arc<LogFile>>,
    /// Sends traces to a collector, if the environment names one.
    #[cfg(feature = "otlp")]
    pub(crate) traces: Arc<crate::traces::Traces>,
    /// Listens to every plugin process, for `flowswap record`.
    pub(crate) listen: Option<Listen>,
}

impl Context {
    /// From the global options. Also starts to listen for Ctrl-C.
    ///
    /// # Errors
    ///
    /// If the system refuses to tell about Ctrl-C.
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        let terminal = Terminal::new(&global);
        let progress = CurrentProgress::default();
        let switch = StopSwitch::default();
        interrupt::listen(terminal, progress.clone(), switch.clone()).map_err(Failure::at("listen for Ctrl-C"))?;
        let fetcher = Fetcher::new(terminal);
        let metrics = global.metrics.as_deref().map(Metrics::prepare).transpose()?.map(Arc::new);
        let log = global.log_file.as_deref().map(LogFile::open).transpose()?.map(Arc::new);
        refuse_one_file_for_both(&global)?;
        Ok(Self {
            stop: switch.listen(),
            switch,
            metrics,
            log,
            global,
            terminal,
            current: progress,
            gate: Arc::default(),
            courier: Courier::new(fetcher.clone(), Arc::new(SystemClock)),
            fetcher,
            #[cfg(feature = "otlp")]
            traces: Arc::default(),
            listen: None,
        })
    }

    /// What all sessions of the process know of the servers.
    pub(crate) fn gate(&self, config: &Config) -> Gate {
        self.gate.get_or_init(|| Gate::new(config.network.share, fastrand::u64(..))).clone()
    }

    /// Reads the configuration. Fails if other users can change it or what flowswap keeps for it.
    pub(crate) fn load_config(&self) -> Result<Config, Failure> {
        let path = &self.global.config;
        if !self.has_config()? {
            let failure = Failure::new(Exit::Usage, format!("there is no configuration `{}`", path.display()));
            return Err(failure.hint("write one with `flowswap init`, or name another with `--config`"));
        }
        let mut config = flowswap_config::load(path).map_err(|errors| Failure::new(Exit::Usage, errors))?;
        self.global.override_in(&mut config);
        require_state(&config)?;
        times::remember(&config);
        self.fetcher.use_vault(&config);
        #[cfg(feature = "otlp")]
        self.traces.use_network(&config);
        if let Some(ahead) = clock::remember(&config)? {
            let (distance, side) = (ahead.abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
            let distance = times::age(distance.as_secs());
            self.terminal.say(text!("all times are those of the simulator, {} {} this machine", distance, side));
        }
        Ok(config)
    }

    /// Whether there is a configuration. A file that this user cannot reach is an error.
    pub(crate) fn has_config(&self) -> Result<bool, Failure> {
        let path = &self.global.config;
        let reach = Failure::at(format!("reach the configuration `{}`", path.display()));
        path.try_exists().map_err(|error| Failure { exit: Exit::Usage, ..reach(error) })
    }

    /// The folders to search for plugins. The first match wins. Fails if the user named a folder that is missing.
    pub(crate) fn plugin_dirs(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut dirs: Vec<PathBuf> = self.global.plugin_dir.iter().cloned().collect();
        if let Some(missing) = dirs.iter().find(|dir| !dir.is_dir()) {
            let failure = Failure::new(Exit::Usage, format!("there is no folder `{}`", missing.display()));
            return Err(failure.hint("name the folder of your plugins with `--plugin-dir`, or leave the option out"));
        }
        if let Some(bin) = std::env::current_exe().ok().as_deref().and_then(|exe| exe.parent()) {
            // Cargo builds the libraries of dependencies into `deps`; a copy beside the binary may be older.
            dirs.extend([bin.join("deps"), bin.to_owned(), bin.join("../lib/flowswap/plugins")]);
        }
        Ok(dirs)
    }

    /// Ports that read the journal and cannot write, for commands that change nothing.
    pub(crate) async fn read_ports(&self, config: &Config, events: Arc<dyn EventSink>) -> Result<Ports, Failure> {
        Ok(self.ports_over(read_logbook(config).await?, Arc::new(ToKnow::of(config, &self.fetcher)), events))
    }

    /// Ports that cannot write, but can read the journal and the secret store.
    pub(crate) async fn read_only_ports(&self, config: &Config, events: Arc<dyn EventSink>) -> Result<Ports, Failure> {
        let folder = StateDir::at(&config.state).secrets();
        let secrets = AgeSecretStore::read_only(folder, self.load_identity(config)?);
        Ok(Ports { secrets: Arc::new(secrets), ..self.read_ports(config, events).await? })
    }

    /// The ports of a run.
    pub(crate) async fn run_ports(&self, config: &Config, events: Arc<dyn EventSink>) -> Result<Ports, Failure> {
        create_state(config)?;
        let secrets = self.open_secrets(config)?;
        let logbook = write_logbook(self.terminal, config).await?;
        self.courier.start(config, &logbook);
        Ok(self.ports_over(logbook, Arc::new(secrets), events))
    }

    /// The secret store, and the journal, which no other command can have meanwhile.
    pub(crate) async fn secrets_alone(&self, config: &Config) -> Result<(AgeSecretStore, Arc<Logbook>), Failure> {
        create_state(config)?;
        Ok((self.open_secrets(config)?, write_logbook(self.terminal, config).await?))
    }

    /// The ports of a run, or the command that is at work on this state and can do something small meanwhile.
    pub(crate) async fn ports_or_door(&self, config: &Config, events: Arc<dyn EventSink>) -> Result<Writer, Failure> {
        let mut tries = 0..DOOR_TRIES;
        loop {
            if let Some(at_work) = AtWork::find(config, &self.global).await? {
                return Ok(Writer::AtWork(at_work));
            }
            match self.run_ports(config, Arc::clone(&events)).await {
                // A command opens its door a little later than the journal, and closes it a little earlier.
                Err(failure) if is_in_use(&failure) && tries.next().is_some() => {
                    tokio::time::sleep(DOOR_WAIT).await;
                }
                ports => return Ok(Writer::Here(Box::new(ports?))),
            }
        }
    }

    fn ports_over(&self, logbook: Arc<Logbook>, secrets: Arc<dyn SecretStore>, events: Arc<dyn EventSink>) -> Ports {
        Ports {
            logbook,
            secrets,
            clock: Arc::new(SystemClock),
            events: self.overheard(events),
            stop: self.stop.clone(),
            turns: Turns::default(),
            operator: Arc::new(NoOperator),
            actor: self.actor(),
        }
    }

    /// The sink for the events of a command, to which everything listens that the options ask for.
    pub(crate) fn overheard(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        let events = self.logged(events);
        match &self.metrics {
            Some(metrics) => metrics.beside(events),
            None => events,
        }
    }

    /// The same for a run beside the one that the metrics are about. Each run needs a sink of its own.
    pub(crate) fn logged(&self, events: Arc<dyn EventSink>) -> Arc<dyn EventSink> {
        #[cfg(feature = "otlp")]
        let events = self.traces.beside(events);
        match &self.log {
            Some(log) => log.beside(events),
            None => events,
        }
    }

    /// Opens the secret store with the identity.
    fn open_secrets(&self, config: &Config) -> Result<AgeSecretStore, Failure> {
        let folder = StateDir::at(&config.state).secrets();
        let doing = format!("open the secrets in `{}`", folder.display());
        AgeSecretStore::open_for(folder, self.load_identity(config)?, &identity::recipients(config)?)
            .map_err(Failure::at(doing))
            .map_err(|failure| failure.hint(NOTHING_DONE))
    }

    /// The key of the secret store.
    pub(crate) fn load_identity(&self, config: &Config) -> Result<Identity, Failure> {
        identity::unlock(&self.fetcher, &identity::locate(config)?, config.passphrase.as_ref())
    }

    /// The person who runs this command.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            user: whoami::username().unwrap_or_else(|_| "an unknown user".to_owned()),
            host: whoami::hostname().ok(),
            name: self.global.actor.clone().filter(|name| !name.trim().is_empty()),
        }
    }

    /// Fails if the user has stopped a read-only command, because an incomplete report is worse than no report.
    pub(crate) fn fail_if_stopped(&self) -> Result<(), Failure> {
        if self.stop.is_stopped() {
            let error = "stopped before the end: flowswap reported nothing and wrote nothing";
            return Err(Failure::new(Exit::Interrupted, error));
        }
        Ok(())
    }

    /// Shows progress on stderr.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.shown(Progress::new(self.terminal))
    }

    /// Shows progress without bars during a conversation, because bars would draw over what a person reads and types.
    pub(crate) fn progress_beside(&self, conversation: Option<&OutputGate>) -> Arc<Progress> {
        match conversation {
            Some(gate) => self.shown(Progress::gated(self.terminal, gate.clone())),
            None => self.progress(),
        }
    }

    fn shown(&self, progress: Progress) -> Arc<Progress> {
        let progress = Arc::new(progress);
        self.current.set(&progress);
        progress
    }
}

/// Opens the journal for writing. Tells the user if the previous writer was interrupted.
pub(crate) async fn write_logbook(terminal: Terminal, config: &Config) -> Result<Arc<Logbook>, Failure> {
    let path = create_state(config)?.journal();
    refuse_lost_journal(&path)?;
    let journal = SqliteJournal::open(&path).map_err(|error| cannot_open(&path, error))?;
    // Only this process can be at work now, so nobody is behind a door that is there.
    door::remove_leftover(&StateDir::at(&config.state));
    if let Some(takeover) = journal.takeover() {
        terminal.say(Text::of_lines(&takeover.to_string()));
    }
    open_logbook(Arc::new(journal), read_snapshot(&path)).await
}

/// Keeps the state of all tenants, so that the next command need not read the whole journal. If that fails, the next command
/// only takes longer.
pub(crate) fn keep_snapshot(config: &Config, logbook: &Logbook) {
    if let Some(snapshot) = logbook.snapshot() {
        let _ = write_snapshot(&StateDir::at(&config.state).journal(), &snapshot);
    }
}

/// Opens the journal without a lock, so that others can write. A missing journal has no tenants.
pub(crate) async fn read_logbook(config: &Config) -> Result<Arc<Logbook>, Failure> {
    let path = StateDir::at(&config.state).journal();
    open_logbook(open_to_read(&path)?, read_snapshot(&path)).await
}

/// Everything that the journal has of one tenant.
pub(crate) async fn read_tenant(logbook: &Logbook, name: &str) -> Result<Option<TenantHistory>, Failure> {
    logbook.tenant(name).await.map_err(cannot_read)
}

/// Refuses to begin a new journal in place of one that got lost: it would know nothing of what was done.
fn refuse_lost_journal(path: &Path) -> Result<(), Failure> {
    let Some(remains) = remains_of_lost_journal(path) else { return Ok(()) };
    let (path, remains) = (path.display(), remains.display());
    let failure = Failure::new(
        Exit::Failed,
        format!("the journal `{path}` is missing, but `{remains}` shows that there was one"),
    );
    Err(failure.hint(format!(
        "restore the whole state folder from its last good copy. Without one, flowswap knows nothing of what it did. To start \
         again without it, remove `{remains}`"
    )))
}

/// The journal for reading. A missing journal is empty.
pub(crate) fn open_to_read(path: &Path) -> Result<Arc<dyn Journal>, Failure> {
    refuse_lost_journal(path)?;
    if !path.exists() {
        return Ok(Arc::new(NoJournal));
    }
    match SqliteJournal::open_read_only(path) {
        Ok(journal) => Ok(Arc::new(journal)),
        Err(error) => match open_copy(path) {
            Some(copy) => Ok(Arc::new(copy)),
            None => Err(cannot_open(path, error)),
        },
    }
}

async fn open_logbook(journal: Arc<dyn Journal>, snapshot: Option<Snapshot>) -> Result<Arc<Logbook>, Failure> {
    Logbook::open(journal, Arc::new(SystemClock), snapshot).await.map_err(cannot_read)
}

pub(crate) fn cannot_read(error: JournalError) -> Failure {
    hint_at_audit(Failure::at("read the journal")(error))
}

/// SQLite must write to the folder to read the log of an interrupted writer. In a read-only folder flowswap therefore
/// reads a copy of both files. The hash chain of the records shows whether the copy is complete.
fn open_copy(path: &Path) -> Option<CopiedJournal> {
    let log = path.with_extension("sqlite-wal");
    if !log.exists() || is_writable(path.parent()?) {
        return None;
    }
    let dir = tempfile::tempdir_in(trusted_temp_dir()).ok()?;
    for file in [path, &log] {
        std::fs::copy(file, dir.path().join(file.file_name()?)).ok()?;
    }
    let journal = SqliteJournal::open_read_only(&dir.path().join(path.file_name()?)).ok()?;
    Some(CopiedJournal { journal, _dir: dir })
}

fn is_writable(dir: &Path) -> bool {
    tempfile::tempfile_in(dir).is_ok()
}

/// Whether locking failed because the file system has no locks.
fn has_no_locks(error: &JournalError) -> bool {
    const NO_LOCKS: i32 = 37;
    let JournalError::Storage { doing: "lock the journal", source } = error else { return false };
    let source = source.downcast_ref::<std::io::Error>();
    source.is_some_and(|source| {
        source.kind() == std::io::ErrorKind::Unsupported
            || (cfg!(target_os = "linux") && source.raw_os_error() == Some(NO_LOCKS))
    })
}

/// Without locks, two flowswap processes could change the same tenant.
const NO_LOCKS_HINT: &str = "this file system has no locks, so two flowswap processes could change the same tenant; \
                             set `state` to a folder on a local disk";

fn cannot_open(path: &Path, error: JournalError) -> Failure {
    let doing = format!("open the journal `{}`", path.display());
    let hint = match &error {
        JournalError::InUse { .. } => {
            "wait until it ends, or stop it with `flowswap cancel`; `flowswap status` works meanwhile"
        }
        error if has_no_locks(error) => NO_LOCKS_HINT,
        JournalError::Storage { .. } => NOTHING_DONE,
        JournalError::Damaged { .. }
        | JournalError::Altered { .. }
        | JournalError::Illegal(_)
        | JournalError::UnknownPosition(_) => "verify the whole journal: flowswap audit verify",
        JournalError::NotAJournal => "nothing was done; restore the last good copy of the folder",
        JournalError::TooNew { .. } => "use the version of flowswap that wrote it, or a later one",
        JournalError::WriterReplaced(_) => "another flowswap process has taken over this state",
    };
    match error {
        // The error itself repeats what the failure says, so only its source is kept.
        JournalError::Storage { source, .. } => Failure::at(doing)(source),
        error => Failure::at(doing)(error),
    }
    .hint(hint)
}

/// Whether another process writes to the journal.
pub(crate) fn is_in_use(failure: &Failure) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(failure.error.as_ref());
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(JournalError::InUse { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn hint_at_audit(failure: Failure) -> Failure {
    match failure.hint {
        Some(_) => failure,
        None => failure.hint("verify the whole journal: flowswap audit verify"),
    }
}

fn create_state(config: &Config) -> Result<StateDir, Failure> {
    create_state_folder(&config.state).map_err(|failure| match failure.hint {
        Some(_) => failure,
        None => failure.hint(NOTHING_DONE),
    })
}

/// Creates the state folder if it is missing. Fails if another user can change it, or has just created it.
pub(crate) fn create_state_folder(path: &Path) -> Result<StateDir, Failure> {
    let state = StateDir::create(path).map_err(Failure::at(format!("create the folder `{}`", path.display())))?;
    require_state_folder(&state)?;
    Ok(state)
}

/// A copy of a journal in a folder that flowswap must not write to.
struct CopiedJournal {
    journal: SqliteJournal,
    _dir: tempfile::TempDir,
}

impl Journal for CopiedJournal {
    fn append(&self, drafts: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>> {
        self.journal.append(drafts)
    }

    fn load<'a>(&'a self, records: Records<'a>, visit: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>> {
        self.journal.load(records, visit)
    }
}

/// A missing journal. It is empty and refuses every write.
struct NoJournal;

impl Journal for NoJournal {
    fn append(&self, _: Vec<Draft>) -> BoxFuture<'_, Result<Position, JournalError>> {
        let error = JournalError::Storage { doing: "append to the journal", source: "there is no journal".into() };
        async { Err(error) }.boxed()
    }

    fn load<'a>(&'a self, records: Records<'a>, _: Visitor<'a>) -> BoxFuture<'a, Result<Position, JournalError>> {
        let loaded = match records {
            Records::After(position) if position.seq > 0 => Err(JournalError::UnknownPosition(position.seq)),
            _ => Ok(Position::default()),
        };
        async { loaded }.boxed()
    }
}

/// The metrics would replace the log.
fn refuse_one_file_for_both(global: &Global) -> Result<(), Failure> {
    let (Some(metrics), Some(log)) = (&global.metrics, &global.log_file) else { return Ok(()) };
    let [metrics_file, log_file] = [metrics, log].map(|path| path.canonicalize().ok());
    if metrics_file.is_none() || metrics_file != log_file {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, format!("`{}` cannot be both the log and the metrics", log.display()));
    Err(failure.hint("name another file for one of them"))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_file_system_without_locks_differs_from_a_full_one() {
        let table = [
            ("lock the journal", Error::from(ErrorKind::Unsupported), true),
            ("lock the journal", Error::from(ErrorKind::StorageFull), false),
            ("append to the journal", Error::from(ErrorKind::Unsupported), false),
        ];
        for (doing, source, expect) in table {
            let failure = cannot_open(Path::new("j"), JournalError::Storage { doing, source: source.into() });
            assert_eq!(failure.hint.as_deref() == Some(NO_LOCKS_HINT), expect, "{doing}");
        }
    }
}

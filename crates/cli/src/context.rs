//! What a command has at hand: the terminal, the configuration, and the ports that a run needs.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use flowswap_contract::Handle;
use flowswap_engine::{
    Clock, Draft, EventSink, History, Journal, JournalError, Nobody, Ports, Record, Secret, SecretStore,
    SecretStoreError, Stop,
};
use flowswap_store::{AgeSecretStore, Identity, SqliteJournal, StateDir};
use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;

use crate::{
    args::Global,
    config::{self, Config},
    display::{
        progress::{Floor, Progress},
        text::Text,
    },
    exit::{Exit, Failure},
    interrupt,
    terminal::Terminal,
};

/// What to do when the state cannot be opened.
const NOTHING_DONE: &str = "nothing was done; make the folder writable, and run the same command again";

/// What every command has.
#[derive(Clone)]
pub(crate) struct Context {
    /// The global options.
    pub(crate) global: Global,
    /// Where to write.
    pub(crate) terminal: Terminal,
    /// The operator's wish to stop.
    pub(crate) stop: Stop,
}

impl Context {
    /// From the global options; begins to listen for Ctrl-C.
    pub(crate) fn new(global: Global) -> Self {
        let terminal = Terminal::new(&global);
        Self { stop: interrupt::listen(terminal), global, terminal }
    }

    /// Reads the configuration.
    pub(crate) fn load_config(&self) -> Result<Config, Failure> {
        let path = &self.global.config;
        if !path.exists() {
            let failure = Failure::new(Exit::Usage, format!("there is no configuration `{}`", path.display()));
            return Err(failure.hint("`flowswap init` writes a first one; `--config` names another"));
        }
        config::load(path).map_err(|errors| Failure::new(Exit::Usage, errors))
    }

    /// The folders in which plugins are looked for, first come first served.
    pub(crate) fn plugin_dirs(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = self.global.plugin_dir.iter().cloned().collect();
        if let Some(bin) = std::env::current_exe().ok().as_deref().and_then(|exe| exe.parent()) {
            // Cargo builds the libraries of dependencies into `deps`; what lies beside the binary may be older.
            dirs.extend([bin.join("deps"), bin.to_owned(), bin.join("../lib/flowswap/plugins")]);
        }
        dirs
    }

    /// Ports that can write nothing, for commands that change nothing.
    pub(crate) fn dry_ports(&self, events: Arc<dyn EventSink>) -> Ports {
        Ports {
            journal: Arc::new(NoJournal),
            secrets: Arc::new(NoSecrets),
            clock: Arc::new(SystemClock),
            events,
            stop: self.stop.clone(),
            operator: Arc::new(Nobody),
            user: user(),
        }
    }

    /// Ports that can write nothing, and read the secrets in custody.
    pub(crate) fn looking_ports(&self, config: &Config, events: Arc<dyn EventSink>) -> Result<Ports, Failure> {
        let folder = StateDir::at(&config.state).secrets();
        let secrets = AgeSecretStore::read_only(folder, load_identity(config)?);
        Ok(Ports { secrets: Arc::new(secrets), ..self.dry_ports(events) })
    }

    /// The ports of a run, and what the journal says so far.
    pub(crate) async fn run_ports(
        &self,
        config: &Config,
        events: Arc<dyn EventSink>,
    ) -> Result<(Ports, History), Failure> {
        create_state(config)?;
        let secrets = open_secrets(config)?;
        let (journal, history) = open_journal(self.terminal, config).await?;
        let ports = Ports {
            journal: Arc::new(journal),
            secrets: Arc::new(secrets),
            clock: Arc::new(SystemClock),
            events,
            stop: self.stop.clone(),
            operator: Arc::new(Nobody),
            user: user(),
        };
        Ok((ports.fused(), history))
    }

    /// What is left of a command that only looks once the operator has stopped it: nothing, because half a look tells
    /// less than none.
    pub(crate) fn heed_stop(&self) -> Result<(), Failure> {
        match self.stop.is_stopped() {
            true => Err(Failure::new(Exit::Interrupted, "stopped, so nothing is reported and nothing was written")),
            false => Ok(()),
        }
    }

    /// What shows progress on stderr.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::new(Progress::new(self.terminal))
    }

    /// The same beside a conversation, if there is one: bars would draw over what a person reads and types.
    pub(crate) fn progress_beside(&self, conversation: Option<&Floor>) -> Arc<Progress> {
        match conversation {
            Some(floor) => Arc::new(Progress::beside(self.terminal, floor.clone())),
            None => self.progress(),
        }
    }
}

/// Opens the custody of secrets with the identity.
fn open_secrets(config: &Config) -> Result<AgeSecretStore, Failure> {
    let folder = StateDir::at(&config.state).secrets();
    let doing = format!("open the secrets in `{}`", folder.display());
    AgeSecretStore::open(folder, load_identity(config)?)
        .map_err(Failure::at(doing))
        .map_err(|failure| failure.hint(NOTHING_DONE))
}

/// Opens the journal for writing, and says so if the writer before this one was cut off.
pub(crate) async fn open_journal(terminal: Terminal, config: &Config) -> Result<(SqliteJournal, History), Failure> {
    let path = create_state(config)?.journal();
    let journal = SqliteJournal::open(&path).map_err(|error| cannot_open(&path, error))?;
    if let Some(takeover) = journal.takeover() {
        terminal.say(Text::of_lines(&takeover.to_string()));
    }
    let history = fold(&journal).await?;
    Ok((journal, history))
}

/// What the journal says, without keeping others from writing. A journal that does not exist says nothing.
pub(crate) async fn read_history(config: &Config) -> Result<History, Failure> {
    let records = read_records(config).await.map_err(unsound)?;
    History::fold(&records).map_err(Failure::at("read the journal")).map_err(unsound)
}

/// All records of the journal, without keeping others from writing.
pub(crate) async fn read_records(config: &Config) -> Result<Vec<Record>, Failure> {
    let path = StateDir::at(&config.state).journal();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let (journal, _copy) = match SqliteJournal::open_read_only(&path) {
        Ok(journal) => (journal, None),
        Err(error) => match copy_of(&path) {
            Some((journal, copy)) => (journal, Some(copy)),
            None => return Err(cannot_open(&path, error)),
        },
    };
    journal.load().await.map_err(Failure::at("read the journal"))
}

/// What a writer that was cut off has left can only be read by who may write beside it. Where the folder is read-only, a
/// copy of both files can: the chain of the records tells whether it is whole.
fn copy_of(path: &Path) -> Option<(SqliteJournal, tempfile::TempDir)> {
    let log = path.with_extension("sqlite-wal");
    if !log.exists() || is_writable(path.parent()?) {
        return None;
    }
    let dir = tempfile::tempdir().ok()?;
    for file in [path, &log] {
        std::fs::copy(file, dir.path().join(file.file_name()?)).ok()?;
    }
    let journal = SqliteJournal::open_read_only(&dir.path().join(path.file_name()?)).ok()?;
    Some((journal, dir))
}

fn is_writable(dir: &Path) -> bool {
    tempfile::tempfile_in(dir).is_ok()
}

/// Whether the file system refused a lock because it has none.
fn has_no_locks(error: &JournalError) -> bool {
    const NO_LOCKS: i32 = 37;
    let JournalError::Storage { doing: "lock the journal", source } = error else { return false };
    let source = source.downcast_ref::<std::io::Error>();
    source.is_some_and(|source| {
        source.kind() == std::io::ErrorKind::Unsupported
            || (cfg!(target_os = "linux") && source.raw_os_error() == Some(NO_LOCKS))
    })
}

/// Why no two flowswaps may work on one state.
const NO_LOCKS_HINT: &str = "the file system of this folder has no locks, without which two flowswaps could change the same \
                             tenant; let `state` name a folder on a local disk";

fn cannot_open(path: &Path, error: JournalError) -> Failure {
    let doing = format!("open the journal `{}`", path.display());
    let hint = match &error {
        JournalError::InUse { .. } => "wait until it is done, or stop it; `flowswap status` can be used meanwhile",
        error if has_no_locks(error) => NO_LOCKS_HINT,
        JournalError::Storage { .. } => NOTHING_DONE,
        JournalError::Damaged { .. } | JournalError::Altered { .. } => {
            "`flowswap audit verify` looks through all of it"
        }
        JournalError::NotAJournal => "nothing was done; put the last good copy of the folder back",
        JournalError::TooNew { .. } => "use the flowswap that wrote it, or a later one",
        JournalError::Fenced(_) => "another flowswap is at work on this state",
    };
    match error {
        // It says the same as the failure.
        JournalError::Storage { source, .. } => Failure::at(doing)(source),
        error => Failure::at(doing)(error),
    }
    .hint(hint)
}

async fn fold(journal: &SqliteJournal) -> Result<History, Failure> {
    let records = journal.load().await.map_err(Failure::at("read the journal")).map_err(unsound)?;
    History::fold(&records).map_err(Failure::at("read the journal")).map_err(unsound)
}

fn unsound(failure: Failure) -> Failure {
    match failure.hint {
        Some(_) => failure,
        None => failure.hint("`flowswap audit verify` looks through all of it"),
    }
}

fn create_state(config: &Config) -> Result<StateDir, Failure> {
    StateDir::create(&config.state)
        .map_err(Failure::at(format!("make the folder `{}`", config.state.display())))
        .map_err(|failure| failure.hint(NOTHING_DONE))
}

/// Makes the key of a new state folder, where a configuration looks for it by default; one that is there is kept.
pub(crate) fn make_identity(state: &StateDir) -> Result<PathBuf, Failure> {
    let path = state.root().join("identity.txt");
    if !path.exists() {
        Identity::generate(&path, None).map_err(Failure::at("make the identity"))?;
    }
    Ok(path)
}

/// The key of the secret store.
pub(crate) fn load_identity(config: &Config) -> Result<Identity, Failure> {
    let passphrase = config.passphrase.as_ref().map(|reference| reference.resolve()).transpose();
    let passphrase = passphrase.map_err(Failure::at("get the passphrase of the identity"))?;
    let identity = match &passphrase {
        None => Identity::load(&config.identity),
        Some(passphrase) => Identity::unlock(&config.identity, passphrase),
    };
    identity.map_err(|error| {
        let doing = format!("load the identity `{}`", config.identity.display());
        Failure::at(doing)(error).hint("`flowswap init` makes one; without it captured secrets cannot be kept")
    })
}

/// The user of the operating system, in whose name the operator speaks.
pub(crate) fn user() -> String {
    whoami::username().unwrap_or_else(|_| "an unknown user".to_owned())
}

/// The clock of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Milliseconds are what the other sides write, and all that anybody compares.
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The journal of a dry run: nothing may need one.
struct NoJournal;

impl Journal for NoJournal {
    fn append(&self, _: Draft) -> BoxFuture<'_, Result<u64, JournalError>> {
        let error = JournalError::Storage { doing: "append to the journal", source: "a dry run has none".into() };
        async { Err(error) }.boxed()
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// The secret store of a dry run: it is empty and stays so.
struct NoSecrets;

impl NoSecrets {
    fn refuse(doing: &'static str, handle: &Handle) -> SecretStoreError {
        SecretStoreError { doing, handle: handle.clone(), source: "a dry run keeps no secrets".into() }
    }
}

impl SecretStore for NoSecrets {
    fn put<'a>(&'a self, handle: &'a Handle, _: &'a Secret) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async { Err(Self::refuse("store", handle)) }.boxed()
    }

    fn get<'a>(&'a self, _: &'a Handle) -> BoxFuture<'a, Result<Option<Secret>, SecretStoreError>> {
        async { Ok(None) }.boxed()
    }

    fn remove<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<(), SecretStoreError>> {
        async { Err(Self::refuse("remove", handle)) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_from_one_that_is_full() {
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

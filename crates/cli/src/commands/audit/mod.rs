//! `flowswap audit verify`: verifies the journal and the secret store and, with `--online`, both sides of every tenant.

pub(super) mod anchor;
mod custody;
pub(super) mod export;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use flowswap_engine::{History, Journal as _, JournalError, Overview, Record, Records, Snapshot};
use flowswap_host::chain;
use flowswap_store::{SqliteJournal, StateDir, read_snapshot, remains_of_lost_journal, snapshot_path};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    context::Context,
    display::{
        table,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The journal. `None` if there is no journal, or if it cannot be read.
    journal: Option<Journal>,
    /// What was checked.
    checks: Vec<Check>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Audit;
}

#[derive(Serialize, JsonSchema)]
struct Journal {
    /// The file.
    path: String,
    /// How many records it has.
    records: u64,
    /// The hash of the last record, which covers all records.
    head: String,
}

#[derive(Serialize, JsonSchema)]
struct Check {
    /// What kind of check it is.
    check: &'static str,
    /// The secret or step that the check is about; `None` if it is about everything.
    about: Option<String>,
    /// Whether everything is as it must be.
    passed: bool,
    /// What the check saw, in one line.
    detail: String,
    /// What the user can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl Check {
    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

pub(crate) async fn run(context: &Context, online: bool, anchors: &[PathBuf]) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let state = StateDir::at(&config.state);
    let mut checks = Vec::new();
    let (journal, history) = if state.journal().exists() {
        verify_journal(&state, &mut checks).await
    } else {
        checks.push(check_missing_journal(&state));
        (None, Some(History::default()))
    };
    checks.extend(anchor::verify(&config, journal.as_ref(), anchors).await);
    if let Some(history) = &history {
        checks.extend(custody::verify(context, &config, &state, history));
        if online {
            checks.extend(world::verify(context, &config, history).await?);
        }
    }
    let passed = checks.iter().all(|check| check.passed);
    let report = Report { journal, checks };
    context.terminal.report(&report, || text(&report))?;
    Ok(if passed { Exit::Done } else { Exit::SomeFailed })
}

/// A missing journal is fine if nothing was ever done. A file that only a journal leaves behind shows that it was
/// deleted.
fn check_missing_journal(state: &StateDir) -> Check {
    let lock = state.root().join("journal.sqlite.lock");
    let remains = remains_of_lost_journal(&state.journal()).or_else(|| lock.exists().then_some(lock));
    match remains.as_deref().and_then(Path::file_name) {
        Some(name) => {
            let name = name.display();
            failed("chain", None, format!("the journal is missing, but its `{name}` is still there"))
        }
        None => passed("chain", None, "there is no journal: flowswap has not changed anything yet".to_owned()),
    }
}

/// Verifies the chain, the format, the order of the records, and the snapshot. A journal that cannot be read ends the audit.
async fn verify_journal(state: &StateDir, checks: &mut Vec<Check>) -> (Option<Journal>, Option<History>) {
    let path = state.journal();
    let snapshot = read_snapshot(&path);
    let (mut history, mut illegal) = (History::default(), None);
    // The overviews as of the record that the snapshot covers.
    let mut at_snapshot = None;
    let mut visit = |record: Record| {
        if illegal.is_none() {
            illegal = history.add(&record).err();
        }
        if snapshot.as_ref().is_some_and(|snapshot| snapshot.position.seq == record.seq) {
            at_snapshot = Some(history.tenants().map(|(name, tenant)| (name.to_owned(), tenant.overview())).collect());
        }
        Ok(())
    };
    let read = async {
        let journal = SqliteJournal::open_read_only(&path)?;
        let summary = journal.check().await?;
        journal.load(Records::All, &mut visit).await?;
        Ok::<_, JournalError>(summary)
    };
    let summary = match read.await {
        Ok(summary) => summary,
        Err(error) => {
            checks.push(failed("chain", None, chain(&error)));
            return (None, None);
        }
    };
    let detail = format!("{} records form an unbroken chain; the last hash is {}", summary.records, summary.head);
    checks.push(passed("chain", None, detail));
    let journal = Journal { path: path.display().to_string(), records: summary.records, head: summary.head };
    if let Some(error) = illegal {
        checks.push(failed("sequence", None, error.to_string()));
        return (Some(journal), None);
    }
    let tenants = history.tenants().count();
    let detail = format!("every record may follow the records before it; {tenants} tenants");
    checks.push(passed("sequence", None, detail));
    match (snapshot, at_snapshot) {
        (Some(snapshot), Some(expected)) if is_of_this_journal(&path, &snapshot).await => {
            checks.push(check_snapshot(&path, &snapshot, &expected));
        }
        _ if snapshot_path(&path).symlink_metadata().is_ok() => {
            let detail = "it does not belong to this journal, or it is damaged; no command uses it, and the next one that \
                          writes replaces it";
            checks.push(passed("snapshot", None, detail.to_owned()));
        }
        _ => {}
    }
    (Some(journal), Some(history))
}

/// Whether the journal has the record that the snapshot covers last. Otherwise no command uses the snapshot.
async fn is_of_this_journal(path: &Path, snapshot: &Snapshot) -> bool {
    let Ok(journal) = SqliteJournal::open_read_only(path) else { return false };
    journal.load(Records::After(&snapshot.position), &mut |_| Ok(())).await.is_ok()
}

/// Compares the snapshot with what the journal gives.
fn check_snapshot(journal: &Path, snapshot: &Snapshot, expected: &BTreeMap<String, Overview>) -> Check {
    let is_wrong = |name: &&String| snapshot.tenants.get(*name) != expected.get(*name);
    match snapshot.tenants.keys().chain(expected.keys()).find(is_wrong) {
        None => passed("snapshot", None, format!("it agrees with the journal up to record {}", snapshot.position.seq)),
        Some(name) => {
            let file = snapshot_path(journal);
            let problem =
                format!("it does not agree with the journal; delete `{}`: it is only a cache", file.display());
            failed("snapshot", Some(name.clone()), problem)
        }
    }
}

fn passed(check: &'static str, about: Option<String>, detail: String) -> Check {
    Check { check, about, passed: true, detail, hint: None }
}

fn failed(check: &'static str, about: Option<String>, detail: String) -> Check {
    Check { check, about, passed: false, detail, hint: None }
}

fn text(report: &Report) -> Text {
    let rows = report.checks.iter().map(|check| {
        let (tone, word) = if check.passed { (Tone::Good, "pass") } else { (Tone::Bad, "fail") };
        [
            table::plain(check.check),
            table::plain(check.about.as_deref().unwrap_or("-")),
            table::toned(tone, word),
            table::plain(&check.detail),
        ]
    });
    let mut text = table::render(["check", "about", "result", ""], rows);
    let failed = report.checks.iter().filter(|check| !check.passed).count();
    text += text!("\n{} checks, {} failed\n", report.checks.len(), failed);
    let hints: BTreeSet<&str> = report.checks.iter().filter_map(|check| check.hint).collect();
    text.extend(hints.into_iter().map(|hint| text!("{} {}\n", paint(Tone::Strong, "hint:"), hint)));
    text
}

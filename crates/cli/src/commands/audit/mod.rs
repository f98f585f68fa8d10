//! `flowswap audit verify`: verifies the journal and the secret store and, with `--online`, both sides of every tenant.

mod custody;
mod world;

use flowswap_engine::{History, JournalError};
use flowswap_host::chain;
use flowswap_store::{SqliteJournal, StateDir};
use serde::Serialize;

use crate::{
    context::Context,
    display::{
        table,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    terminal::Tone,
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    journal: Option<Journal>,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Journal {
    path: String,
    records: u64,
    head: String,
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    /// The secret or step that the check is about; `None` if it is about everything.
    about: Option<String>,
    passed: bool,
    detail: String,
}

pub(crate) async fn run(context: &Context, online: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let state = StateDir::at(&config.state);
    let mut checks = Vec::new();
    let (journal, history) = if state.journal().exists() {
        verify_journal(&state, &mut checks).await
    } else {
        checks.push(check_missing_journal(&state));
        (None, Some(History::default()))
    };
    if let Some(history) = &history {
        checks.extend(custody::verify(&config, &state, history));
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
    let remains =
        ["journal.sqlite-wal", "journal.sqlite.lock"].into_iter().find(|name| state.root().join(name).exists());
    match remains {
        Some(name) => failed("chain", None, format!("the journal is missing, but its `{name}` is still there")),
        None => passed("chain", None, "there is no journal: flowswap has not changed anything yet".to_owned()),
    }
}

/// Verifies the chain, the format, and the order of the records. A journal that cannot be read ends the audit.
async fn verify_journal(state: &StateDir, checks: &mut Vec<Check>) -> (Option<Journal>, Option<History>) {
    let path = state.journal();
    let records = async {
        let journal = SqliteJournal::open_read_only(&path)?;
        Ok::<_, JournalError>((journal.check().await?, flowswap_engine::Journal::load(&journal).await?))
    };
    let (summary, records) = match records.await {
        Ok(read) => read,
        Err(error) => {
            checks.push(failed("chain", None, chain(&error)));
            return (None, None);
        }
    };
    let detail = format!("{} records form an unbroken chain; the last hash is {}", summary.records, summary.head);
    checks.push(passed("chain", None, detail));
    let journal = Journal { path: path.display().to_string(), records: summary.records, head: summary.head };
    match History::fold(&records) {
        Ok(history) => {
            let tenants = history.tenants().count();
            let detail = format!("every record may follow the records before it; {tenants} tenants");
            checks.push(passed("sequence", None, detail));
            (Some(journal), Some(history))
        }
        Err(error) => {
            checks.push(failed("sequence", None, error.to_string()));
            (Some(journal), None)
        }
    }
}

fn passed(check: &'static str, about: Option<String>, detail: String) -> Check {
    Check { check, about, passed: true, detail }
}

fn failed(check: &'static str, about: Option<String>, detail: String) -> Check {
    Check { check, about, passed: false, detail }
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
    text
}

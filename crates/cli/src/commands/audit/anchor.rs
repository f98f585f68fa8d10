//! `flowswap audit anchor`: signs the last record of the journal. `audit verify --anchor` then finds a journal that does not go
//! on from there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use flowswap_attest::{AnchorPredicate, Predicate as _, Signed, Statement};
use flowswap_config::Config;
use flowswap_engine::{Clock, JournalError, Position, Records};
use flowswap_host::chain;
use flowswap_store::{SqliteJournal, StateDir};

use super::{Check, Journal, failed, passed};
use crate::{
    approvals::SignersFile,
    args::SigningKey,
    context::{Context, SystemClock, cannot_read, open_to_read},
    display::text::text,
    exit::{Exit, Failure},
    output::{Kind, Output},
    signing,
};

pub(crate) async fn run(context: &Context, output: &Path, key: &SigningKey) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let place = Output::create(output, Kind::Anchor)?;
    let path = StateDir::at(&config.state).journal();
    if !path.exists() {
        let failure = Failure::new(Exit::Usage, "there is no journal yet, so there is nothing to sign");
        return Err(failure.hint("flowswap makes it with the first plan that it writes"));
    }
    let signers = read_signers(&config)?;
    let now = SystemClock.now();
    let key = signing::choose_key(key, signers.as_ref(), AnchorPredicate::NAMESPACE, now)?;
    let summary = SqliteJournal::open_read_only(&path).map_err(cannot_read)?.check().await.map_err(cannot_read)?;
    let predicate = AnchorPredicate { records: summary.records, anchored_at: now };
    let statement = Statement::new("journal.sqlite".to_owned(), summary.head.clone(), predicate);
    let envelope = signing::sign(context, &key, statement.to_sign())?.render();
    let signers = signers.as_ref().map(|file| &file.signers);
    let signed = Signed::<AnchorPredicate>::read(&envelope, signers, now).map_err(|error| {
        Failure::new(Exit::Refused, format!("your anchor would not count: {error}")).hint(signing::ANOTHER_KEY)
    })?;
    place.stream(context.terminal, |out| out.write_all(envelope.as_bytes()))?;
    context.terminal.say(text!("anchored {} records with the key {}", summary.records, signed.fingerprint));
    context.terminal.say(text!("the last hash is {}", summary.head));
    Ok(Exit::Done)
}

/// `None` if the configuration names no file of signers. Then anybody's anchor will do.
pub(super) fn read_signers(config: &Config) -> Result<Option<SignersFile>, Failure> {
    config.approvals.as_ref().map(|approvals| SignersFile::read(&approvals.signers)).transpose()
}

/// Checks that the journal goes on from each anchor. Without a `journal`, there is no journal that can be read.
pub(super) async fn verify(config: &Config, journal: Option<&Journal>, files: &[PathBuf]) -> Vec<Check> {
    let mut checks = Vec::new();
    let signers = if files.is_empty() { Ok(None) } else { read_signers(config) };
    for file in files {
        let name = Some(file.display().to_string());
        let read = match &signers {
            Ok(signers) => Anchor::read(file, signers.as_ref()),
            Err(failure) => Err(chain(failure.error.as_ref())),
        };
        let anchor = match read {
            Ok(anchor) => anchor,
            Err(problem) => {
                checks.push(failed("anchor", name, problem).hint("take the anchor from the place where you keep it"));
                continue;
            }
        };
        checks.push(match anchor.find_problem(config, journal).await {
            None => passed("anchor", name, anchor.describe()),
            Some(problem) => failed("anchor", name, problem).hint(
                "restore a copy of the state folder that has all records, and find out who could write to the folder",
            ),
        });
    }
    checks
}

/// What the journal was once, as somebody signed it.
struct Anchor {
    predicate: AnchorPredicate,
    hash: [u8; 32],
    signed_by: String,
}

impl Anchor {
    fn read(file: &Path, signers: Option<&SignersFile>) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("it cannot be read: {error}"))?;
        let signers = signers.map(|file| &file.signers);
        let Signed { statement, fingerprint, signer } =
            Signed::<AnchorPredicate>::read(&text, signers, SystemClock.now()).map_err(|error| chain(&error))?;
        let (subject, predicate) = statement.into_one().map_err(|error| chain(&error))?;
        if predicate.records == 0 {
            return Err("it is of a journal without records, so it proves nothing".to_owned());
        }
        let mut hash = [0; 32];
        base16ct::lower::decode(&subject.digest.sha256, &mut hash).map_err(|_| "its hash is malformed".to_owned())?;
        let signed_by = match signer {
            Some(signer) => signer.principals.into_iter().collect::<Vec<_>>().join(", "),
            None => format!("the key {fingerprint}; no file of signers says whose it is"),
        };
        Ok(Self { predicate, hash, signed_by })
    }

    fn describe(&self) -> String {
        let AnchorPredicate { records, anchored_at } = &self.predicate;
        format!("the journal goes on from its {records} records of {anchored_at}, signed by {}", self.signed_by)
    }

    /// Why the journal does not go on from here, if so.
    async fn find_problem(&self, config: &Config, journal: Option<&Journal>) -> Option<String> {
        let AnchorPredicate { records, anchored_at } = self.predicate;
        let Some(journal) = journal else {
            return Some("the journal cannot be read, so nothing shows whether it goes on from there".to_owned());
        };
        let have = journal.records;
        if have < records {
            return Some(format!(
                "the journal has {have} records, but it had {records} at {anchored_at}: it is an old copy, or its last records \
                 are lost"
            ));
        }
        let position = Position { seq: records, hash: self.hash };
        let journal = match open_to_read(&StateDir::at(&config.state).journal()) {
            Ok(journal) => journal,
            Err(failure) => return Some(chain(failure.error.as_ref())),
        };
        match journal.load(Records::After(&position), &mut |_| Ok(())).await {
            Ok(_) => None,
            Err(JournalError::UnknownPosition(_)) => Some(format!(
                "record {records} is not the one that was there at {anchored_at}: somebody rewrote the history"
            )),
            Err(error) => Some(chain(&error)),
        }
    }
}

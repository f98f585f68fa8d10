//! The records of an export: which of them have a body, and what else they bring along.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use flowswap_attest::Envelope;
use flowswap_engine::{Draft, Entry, Journal as _, PlannedTenant, Position, Record, Records, RunId};
use flowswap_report::{Selection, WorkReader, WorkedTenant};
use flowswap_store::{SqliteJournal, Written};
use serde::Serialize;

use super::folder::Folder;
use crate::{
    context::cannot_read,
    exit::{Exit, Failure},
    selection::Selected,
};

/// The name of the file.
const JOURNAL: &str = "journal.jsonl";
/// Why a record has no body although its tenant is selected.
const WITHHELD: &str = "the outputs of a check can hold keyed hashes of people";

/// Which records of a journal have a body.
pub(super) struct Slice {
    /// What the person selected; empty for everything.
    pub(super) named: BTreeSet<String>,
    /// The tenants with records.
    tenants: BTreeSet<String>,
    /// The runs that did something for one of them.
    runs: BTreeSet<RunId>,
    /// A writer may add records meanwhile. They are not in the export.
    end: Position,
}

/// What was found in the records that have a body, and where the journal ends.
pub(super) struct Exported {
    /// All records of the journal.
    pub(super) records: u64,
    /// Those that have a body.
    pub(super) told: usize,
    pub(super) last_hash: String,
    /// The digests of the plans that runs carried out.
    pub(super) plans: BTreeSet<String>,
    /// The envelopes of the approvals, by digest.
    pub(super) approvals: BTreeMap<String, String>,
    /// What was done for each tenant.
    pub(super) work: Vec<WorkedTenant>,
}

impl Slice {
    /// Looks for the tenants and their runs.
    pub(super) async fn find(journal: &SqliteJournal, selected: &Selected) -> Result<Self, Failure> {
        let narrowed = || selected.names.iter().filter(|_| selected.is_narrowed).cloned();
        let selection = Selection { tenants: narrowed().collect(), ..Selection::default() };
        let (mut tenants, mut runs) = (BTreeSet::new(), BTreeSet::new());
        let mut visit = |record: Record| {
            if let Some(name) = record.draft.tenant.filter(|name| selection.is_about(name)) {
                tenants.insert(name);
                runs.insert(record.draft.run);
            }
            Ok(())
        };
        let end = journal.load(Records::All, &mut visit).await.map_err(cannot_read)?;
        let written = |name: &String| selected.is_written(name);
        if let Some(unknown) = narrowed().filter(written).find(|name| !tenants.contains(name)) {
            let error = format!("the journal has no record of the tenant `{unknown}`");
            return Err(Failure::new(Exit::Usage, error).hint("list the tenants: flowswap status"));
        }
        if end.seq == 0 {
            let failure = Failure::new(Exit::Usage, "the journal has no record yet, so there is nothing to export");
            return Err(failure.hint("plan first: flowswap plan -o plan.json"));
        }
        if selected.is_narrowed && tenants.is_empty() {
            let failure = Failure::new(Exit::Usage, "the journal has no record of these tenants");
            return Err(failure.hint("list the tenants: flowswap status"));
        }
        Ok(Self { named: narrowed().filter(|name| tenants.contains(name)).collect(), tenants, runs, end })
    }

    fn shows(&self, Draft { tenant, run, .. }: &Draft) -> bool {
        match tenant {
            Some(name) => self.tenants.contains(name),
            None => self.named.is_empty() || self.runs.contains(run),
        }
    }
}

/// Writes the file of the records.
pub(super) async fn export(journal: &SqliteJournal, slice: Slice, folder: &mut Folder) -> Result<Exported, Failure> {
    let selection = Selection { tenants: slice.named.clone(), ..Selection::default() };
    let mut reader = WorkReader::new(selection, Some(slice.tenants.clone()));
    let mut found = Found::default();
    let mut file = folder.create(JOURNAL)?;
    // Reading has errors of its own, so this one waits until the end.
    let (mut is_written, mut told) = (Ok(()), 0);
    let mut visit = |written: Written| {
        if written.record.seq <= slice.end.seq {
            reader.read(&written.record)?;
            let line = found.add(&slice, written);
            told += usize::from(line.body.is_some());
            if is_written.is_ok() {
                is_written = line.write(&mut file);
            }
        }
        Ok(())
    };
    journal.load_written(&mut visit).await.map_err(cannot_read)?;
    is_written.map_err(Failure::at(format!("write `{JOURNAL}` of the export")))?;
    folder.close(JOURNAL, file)?;
    let Found { plans, approvals, .. } = found;
    let report = reader.into_report(slice.end);
    let (records, last_hash) = (report.journal.records, report.journal.hash);
    Ok(Exported { records, told, last_hash, plans, approvals, work: report.tenants })
}

/// A line of the file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    seq: u64,
    hash: String,
    /// The SHA-256 of the body, which the hash covers. Before format 4 of the journal, the hash covered the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<&'static str>,
}

impl Line {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

/// What the records so far have.
#[derive(Default)]
struct Found {
    plans: BTreeSet<String>,
    approvals: BTreeMap<String, String>,
    /// For each tenant, its steps that change something.
    changing: BTreeMap<String, BTreeSet<String>>,
}

impl Found {
    fn add(&mut self, slice: &Slice, Written { record, body, body_hash, hash }: Written) -> Line {
        let Record { seq, draft, .. } = record;
        if !slice.shows(&draft) {
            return Line { seq, hash, body_hash, body: None, withheld: None };
        }
        match &draft.entry {
            Entry::RunStarted { approvals, .. } => {
                // The name of a file must not be what somebody else wrote.
                let readable = approvals.iter().filter_map(|it| Some((Envelope::read(&it.envelope).ok()?, it)));
                self.approvals.extend(readable.map(|(read, it)| (read.digest(), it.envelope.clone())));
            }
            Entry::Intended { plan, part, .. } => {
                self.plans.insert(plan.clone());
                self.learn(part.as_ref().map(|part| &*part.tenant));
            }
            Entry::TenantStarted { plan, tenant, .. } => {
                self.plans.insert(plan.clone());
                self.learn(tenant.as_deref());
            }
            _ => {}
        }
        if self.may_tell_of_people(&draft) {
            return Line { seq, hash, body_hash, body: None, withheld: Some(WITHHELD) };
        }
        Line { seq, hash, body_hash, body: Some(body), withheld: None }
    }

    fn learn(&mut self, tenant: Option<&PlannedTenant>) {
        let Some(tenant) = tenant else { return };
        let changing = tenant.steps.iter().filter(|step| !step.proposal.phase.is_check());
        let known = self.changing.entry(tenant.name.clone()).or_default();
        known.extend(changing.map(|step| step.id.clone()));
    }

    /// Whether the record has outputs of a step that is not known to change something.
    fn may_tell_of_people(&self, Draft { tenant, entry, .. }: &Draft) -> bool {
        let (step, has_outputs) = match entry {
            Entry::StepEnded { step, outputs, .. } => (step, !outputs.is_empty()),
            Entry::StepFailed { step, outputs, .. } => (step, !outputs.is_empty()),
            _ => return false,
        };
        let changing = tenant.as_ref().and_then(|tenant| self.changing.get(tenant));
        has_outputs && !changing.is_some_and(|steps| steps.contains(step))
    }
}

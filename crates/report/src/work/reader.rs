//! Makes the report of work from the records of the journal, in one pass.

use std::collections::{BTreeMap, BTreeSet};

use base16ct::lower::encode_string as hex;
use flowswap_engine::{Draft, Entry, History, IllegalRecord, Position, Record, RunId};
use jiff::Timestamp;

use super::{
    Head, WORK_REPORT_FORMAT, WorkReport,
    approval::{ApprovalLine, Approved},
    duration::measure,
    failure::by_cause,
    gap::gaps,
    run::{RunEnd, RunLine},
    selection::Selection,
    summary::summarize,
    tenant::WorkedTenant,
};
use crate::own_words::OwnWords;

/// Reads the records of a journal, oldest first. It keeps the history of each tenant that it shows, and nothing of others.
#[derive(Debug)]
pub struct WorkReader {
    selection: Selection,
    /// The tenants to show. `None` for all that the selection is about.
    tenants: Option<BTreeSet<String>>,
    history: History,
    runs: BTreeMap<RunId, ReadRun>,
    /// Who gave each approval, by its digest.
    approvers: BTreeMap<String, String>,
    read: BTreeMap<String, ReadTenant>,
    range: Option<(Timestamp, Timestamp)>,
    /// The writer of the last record.
    epoch: u64,
}

#[derive(Debug)]
struct ReadRun {
    line: RunLine,
    /// The writer of its last record.
    epoch: u64,
    /// Whether the report shows it.
    is_shown: bool,
}

#[derive(Debug, Default)]
struct ReadTenant {
    /// Whether there was work before the first record of the report.
    began_before: bool,
    /// `None` until the first record of the report.
    shown: Option<WorkedTenant>,
}

impl WorkReader {
    /// Begins a report. `tenants` are those with records of the selection, if the caller knows them. Without them, a limited
    /// selection keeps the history of every tenant until its end.
    pub fn new(selection: Selection, tenants: Option<BTreeSet<String>>) -> Self {
        Self {
            selection,
            tenants,
            history: History::default(),
            runs: BTreeMap::new(),
            approvers: BTreeMap::new(),
            read: BTreeMap::new(),
            range: None,
            epoch: 0,
        }
    }

    /// Reads the next record of the journal. Records that the report does not show are read too, because they tell what came
    /// before and after.
    ///
    /// # Errors
    ///
    /// If the record cannot follow those before it.
    pub fn read(&mut self, record: &Record) -> Result<(), IllegalRecord> {
        self.epoch = record.epoch;
        if let Some(run) = self.runs.get_mut(&record.draft.run) {
            run.epoch = record.epoch;
        }
        match &record.draft.tenant {
            None => self.read_run(record),
            Some(name) if self.shows(name) => self.read_tenant(name, record),
            Some(_) => Ok(()),
        }
    }

    /// The report. `end` is the position after the last record.
    pub fn into_report(self, end: Position) -> WorkReport {
        let Self { selection, history, runs, read, range, epoch, .. } = self;
        let tenants: Vec<WorkedTenant> = read.into_values().filter_map(|tenant| tenant.shown).collect();
        let mut counts: BTreeMap<RunId, usize> = BTreeMap::new();
        for run in tenants.iter().flat_map(|tenant| &tenant.runs) {
            *counts.entry(*run).or_default() += 1;
        }
        let shown = runs.into_values().filter(|run| run.is_shown).map(|run| {
            let is_cut_off = run.line.end == RunEnd::Unrecorded && run.epoch < epoch;
            RunLine { end: if is_cut_off { RunEnd::CutOff } else { run.line.end }, ..run.line }
        });
        let mut runs: Vec<RunLine> =
            shown.map(|line| RunLine { tenants: counts.get(&line.id).copied().unwrap_or_default(), ..line }).collect();
        runs.sort_by_key(|run| run.started_at);
        let mut states = BTreeMap::new();
        for tenant in &tenants {
            *states.entry(tenant.state).or_default() += 1;
        }
        let own_words = |name: &str| {
            let tenant = history.tenant(name);
            let work = tenant.and_then(|tenant| tenant.work.as_ref().or(tenant.former.as_ref()));
            // A run that refused a tenant left only the part of its plan.
            let part = || tenant.and_then(|tenant| tenant.part.as_ref()).map(|part| &part.tenant);
            let planned = work.map(|work| &work.tenant).or_else(part);
            let words = planned.map(|planned| OwnWords::of(planned, planned.seen().as_ref()).into_words());
            words.unwrap_or_else(|| vec![name.to_owned()])
        };
        let summary = summarize(&selection, &runs, &tenants, range, own_words);
        WorkReport {
            format: WORK_REPORT_FORMAT,
            selection,
            journal: Head { records: end.seq, hash: hex(&end.hash) },
            from: range.map(|(from, _)| from),
            to: range.map(|(_, to)| to),
            summary,
            states,
            durations: measure(&tenants),
            failures: by_cause(&tenants, own_words),
            unknowns: gaps(&runs, &tenants),
            runs,
            tenants,
        }
    }

    fn shows(&self, name: &str) -> bool {
        self.selection.is_about(name) && self.tenants.as_ref().is_none_or(|tenants| tenants.contains(name))
    }

    fn read_run(&mut self, record: &Record) -> Result<(), IllegalRecord> {
        self.history.add(record)?;
        let draft = &record.draft;
        let Draft { at, run, .. } = *draft;
        match &draft.entry {
            Entry::RunStarted { command, version, by, approvals, .. } => {
                for approval in approvals {
                    self.approvers.insert(approval.digest.clone(), approval.who());
                }
                let approvals = approvals.iter().map(ApprovalLine::of).collect();
                let line = RunLine::new(run, *command, version.clone(), by.clone(), approvals, at);
                self.runs.insert(run, ReadRun { line, epoch: record.epoch, is_shown: false });
            }
            Entry::RunEnded { interrupted, outcomes } => {
                if let Some(started) = self.runs.get_mut(&run) {
                    started.line.finish(at, *interrupted, outcomes.clone());
                }
            }
            _ => {}
        }
        // A report about some tenants shows a run only if it did something for them.
        if self.selection.tenants.is_empty() && self.selection.includes(draft) {
            self.include(run, at);
        }
        Ok(())
    }

    fn read_tenant(&mut self, name: &str, record: &Record) -> Result<(), IllegalRecord> {
        self.history.add(record)?;
        let draft = &record.draft;
        let Some(after) = self.history.tenant(name) else { return Ok(()) };
        let read = self.read.entry(name.to_owned()).or_default();
        if !self.selection.includes(draft) {
            match &mut read.shown {
                Some(shown) => {
                    shown.follow(draft);
                    shown.state_now = Some(after.state).filter(|now| *now != shown.state);
                }
                None => read.began_before |= !matches!(draft.entry, Entry::Planned { .. }),
            }
            return Ok(());
        }
        let begun = read.began_before;
        let shown = read.shown.get_or_insert_with(|| WorkedTenant::new(name, draft.at, begun));
        let started = self.runs.get(&draft.run);
        if let Entry::Intended { plan, approvals, .. } = &draft.entry
            && !approvals.is_empty()
        {
            let names = approvals.iter().filter_map(|digest| self.approvers.get(digest)).cloned();
            let names: BTreeSet<String> = names.collect();
            shown.approved.retain(|earlier| earlier.plan != *plan);
            shown.approved.push(Approved { at: draft.at, plan: plan.clone(), by: names.into_iter().collect() });
        }
        shown.add(draft, after, started.and_then(|run| run.line.by.as_ref()));
        if started.is_some() && !shown.runs.contains(&draft.run) {
            shown.runs.push(draft.run);
        }
        self.include(draft.run, draft.at);
        Ok(())
    }

    /// Adds a record to the range, and shows its run.
    fn include(&mut self, run: RunId, at: Timestamp) {
        let from = self.range.map_or(at, |(from, _)| from);
        self.range = Some((from, at));
        if let Some(run) = self.runs.get_mut(&run) {
            run.is_shown = true;
        }
    }
}

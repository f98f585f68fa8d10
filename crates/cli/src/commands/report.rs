//! `flowswap report`: reports what was done, from the journal alone.

use std::collections::BTreeSet;

use flowswap_engine::{Entry, Journal, Record, Records, RunCommand, RunId};
use flowswap_report::{ReportKind, Selection, WorkReader, WorkReport};
use flowswap_store::StateDir;
use jiff::Timestamp;

use crate::{
    args::ReportArgs,
    context::{Context, cannot_read, open_to_read, read_logbook},
    display,
    exit::{Exit, Failure},
    report_files::{ReportFiles, print},
    selection::{self, Selected},
};

/// What `--run` takes for the run that started last.
const LAST: &str = "last";
/// A hint names at most this many runs.
const MAX_RUNS: usize = 5;

pub(crate) async fn run(context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let files = ReportFiles::prepare(ReportKind::Work, &args.outputs, None, args.force)?;
    let selected = selection::select(&config, &*read_logbook(&config).await?, &args.select)?;
    let journal = open_to_read(&StateDir::at(&config.state).journal())?;
    let report = read(&*journal, args, &selected).await?;
    let terminal = context.terminal;
    match args.face {
        Some(name) => print(terminal, name.into(), &report)?,
        None if !files.is_empty() => {}
        None => terminal.report(&report, || display::work::show(&report, terminal.verbose > 0))?,
    }
    files.write(terminal, || report)?;
    Ok(Exit::Done)
}

/// Makes the report. The journal is read twice, so that the second time only the tenants of the report take memory.
async fn read(journal: &dyn Journal, args: &ReportArgs, selected: &Selected) -> Result<WorkReport, Failure> {
    let mut scan = Scan::new(args, selected);
    let mut visit = |record: Record| {
        scan.add(record);
        Ok(())
    };
    journal.load(Records::All, &mut visit).await.map_err(cannot_read)?;
    let selection = scan.select()?;
    let mut reader = WorkReader::new(selection, Some(scan.found));
    let mut visit = |record: Record| Ok(reader.read(&record)?);
    let end = journal.load(Records::All, &mut visit).await.map_err(cannot_read)?;
    Ok(reader.into_report(end))
}

/// A run of the journal.
struct FoundRun {
    id: RunId,
    command: RunCommand,
    at: Timestamp,
}

/// Finds out what the journal has of what was asked for.
struct Scan<'a> {
    args: &'a ReportArgs,
    selected: &'a Selected,
    /// The tenants that were asked for. `None` for all.
    wanted: Option<BTreeSet<&'a str>>,
    runs: Vec<FoundRun>,
    known: BTreeSet<String>,
    /// The tenants with records of what was asked for.
    found: BTreeSet<String>,
    /// Whether any other record is of what was asked for.
    has_run: bool,
}

impl<'a> Scan<'a> {
    fn new(args: &'a ReportArgs, selected: &'a Selected) -> Self {
        Self {
            args,
            selected,
            wanted: selected.wanted(),
            runs: Vec::new(),
            known: BTreeSet::new(),
            found: BTreeSet::new(),
            has_run: false,
        }
    }

    fn add(&mut self, Record { draft, .. }: Record) {
        if let Entry::RunStarted { command, .. } = draft.entry {
            self.runs.push(FoundRun { id: draft.run, command, at: draft.at });
            if self.args.run.as_deref() == Some(LAST) {
                // What was found so far is of an earlier run.
                self.found.clear();
            }
        }
        let is_in_range = self.args.since.is_none_or(|since| draft.at >= since);
        let is_asked_for = is_in_range && self.is_asked_for(draft.run);
        let Some(name) = draft.tenant else {
            self.has_run |= is_asked_for;
            return;
        };
        if is_asked_for && self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name.as_str())) {
            self.found.insert(name.clone());
        }
        self.known.insert(name);
    }

    fn is_asked_for(&self, run: RunId) -> bool {
        match self.args.run.as_deref() {
            None => true,
            Some(LAST) => self.runs.last().is_some_and(|last| last.id == run),
            Some(start) => run.to_string().starts_with(start),
        }
    }

    /// The selection, if the journal has something of it.
    fn select(&self) -> Result<Selection, Failure> {
        let usage = |error: String| Failure::new(Exit::Usage, error);
        let is_known = |name: &String| self.known.contains(name);
        if self.known.is_empty() && self.runs.is_empty() {
            return Err(
                usage("the journal has no record yet".to_owned()).hint("plan first: flowswap plan -o plan.json")
            );
        }
        let written = |name: &&String| self.selected.is_written(name);
        if let Some(unknown) = self.selected.names.iter().filter(written).find(|name| !is_known(name)) {
            let failure = usage(format!("the journal has no record of the tenant `{unknown}`"));
            return Err(failure.hint("list the tenants: flowswap status"));
        }
        let run = self.args.run.as_deref().map(|start| self.find_run(start)).transpose()?;
        if self.found.is_empty() && (self.selected.is_narrowed || !self.has_run) {
            let of = match self.selected.names.as_slice() {
                _ if !self.selected.is_narrowed => String::new(),
                [name] => format!(" for {name}"),
                names => format!(" for these {} tenants", names.len()),
            };
            let failure = usage(format!("the journal has nothing{of} in this range"));
            return Err(failure.hint(self.list_runs("the last runs")));
        }
        let names = self.selected.names.iter().filter(|name| self.selected.is_narrowed && is_known(name));
        let tenants = names.cloned().collect();
        Ok(Selection { tenants, run, since: self.args.since })
    }

    fn find_run(&self, start: &str) -> Result<RunId, Failure> {
        let usage = |error: String, hint: String| Err(Failure::new(Exit::Usage, error).hint(hint));
        if self.runs.is_empty() {
            return usage(
                "the journal has no run yet".to_owned(),
                "carry out a plan: flowswap apply plan.json".to_owned(),
            );
        }
        let found: Vec<&FoundRun> = self.runs.iter().filter(|run| self.is_asked_for(run.id)).collect();
        match found.as_slice() {
            [run] => Ok(run.id),
            [] => usage(format!("no run of the journal begins with `{start}`"), self.list_runs("the last runs")),
            many => usage(format!("{} runs begin with `{start}`", many.len()), self.list_runs("pass more of an id")),
        }
    }

    /// A hint that lists the last runs, newest first.
    fn list_runs(&self, what: &str) -> String {
        if self.runs.is_empty() {
            return "the journal has no run yet; see what it has: flowswap history".to_owned();
        }
        let last = self.runs.iter().rev().take(MAX_RUNS);
        let runs: Vec<_> = last.map(|run| format!("{} ({}, {:.0})", run.id, run.command, run.at)).collect();
        format!("{what}: {}", runs.join(", "))
    }
}

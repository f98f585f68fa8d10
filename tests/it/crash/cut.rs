//! Truncates the journal, as a disk that lost its end would: after every record, and after every byte of the last
//! record. Such a journal is behind the world. The same command then recovers, or refuses and says why. It never
//! creates a second client.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use flowswap_engine::{Draft, Entry, Journal, RunCommand, RunId};
use flowswap_store::{SqliteJournal, verify};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::{
    each,
    field::{Case, Field},
    judge::{End, Judge},
};
use crate::{
    faults::points::Run,
    support::{
        Output,
        disk::{self, DiskFault, DiskPoint},
        print,
    },
};

/// The sizes of the header of SQLite's write-ahead log and of a frame header, from SQLite's documentation of the file
/// format.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4096;

#[test]
fn after_a_cut_at_any_record_the_same_command_recovers_or_names_the_reason() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    for (run, name, least, most_refused) in [(Run::Forward, "forward", 20, 5), (Run::Back, "back", 12, 0)] {
        let borders = {
            let field = Field::new(run, 1);
            let case = field.case();
            leave_log(&case, run).unwrap();
            borders(&fs::read(log_of(&journal_of(&case))).unwrap())
        };
        assert!(borders.len() > least, "only {} transactions", borders.len() - 1);
        let field = Field::new(run, borders.len() + 1);
        let cuts: Vec<usize> = (0..borders.len()).collect();
        let cases = each(&cuts, |kept| {
            let case = field.case();
            let left = leave_log(&case, run);
            let output = left.map(|()| {
                let path = journal_of(&case);
                cut(&path, borders_of(&path)[*kept]);
                case.run(run)
            });
            (case, output)
        });
        let reference = field.case();
        reference.run(run).expect(0);
        let judge = Judge::new(&field);
        let expected = judge.reference(run, &reference);
        let (mut healed, mut refused, mut broken) = (0, 0, Vec::new());
        for (kept, (case, output)) in cuts.iter().zip(&cases) {
            match output.clone().and_then(|output| weigh(&judge, case, &output, &expected)) {
                Ok(true) => healed += 1,
                Ok(false) => refused += 1,
                Err(problem) => broken.push(format!("after {kept} transactions: {problem}")),
            }
        }
        assert!(broken.is_empty(), "{name}: {}", broken.join("\n"));
        assert!(refused <= most_refused, "{name}: only {healed} healed, and {refused} were refused");
        print(&format!(
            "journal cut after each of its {} transactions {name}: {healed} healed, {refused} refused by name; \
             lost secrets 0; second clients 0; connections that do not work 0",
            borders.len() - 1,
        ));
    }
}

#[test]
fn a_cut_inside_the_last_record_keeps_all_records_before_it() {
    let folder = crate::support::folder();
    let whole = folder.path().join("whole.sqlite");
    let journal = SqliteJournal::inline(&whole).unwrap();
    let runtime = Runtime::new().unwrap();
    for _ in 0..3 {
        let entry = Entry::RunStarted {
            command: RunCommand::Apply,
            version: "1".to_owned(),
            by: None,
            scope: None,
            approvals: Vec::new(),
        };
        let draft = Draft { at: Timestamp::UNIX_EPOCH, run: RunId::none(), tenant: None, entry };
        runtime.block_on(journal.append(vec![draft])).unwrap();
    }
    // While the journal is open, its records are in the write-ahead log.
    let path = folder.path().join("journal.sqlite");
    fs::copy(&whole, &path).unwrap();
    fs::copy(log_of(&whole), log_of(&path)).unwrap();
    let borders = borders_of(&path);
    let [.., last, end] = borders.as_slice() else { panic!("{borders:?}") };
    // The first transaction takes the lease.
    assert_eq!((borders.len() - 1, verify(&path).unwrap().records), (4, 3));
    let mut seen = 0;
    for length in (*last..*end).rev() {
        cut(&path, length);
        assert_eq!(verify(&path).unwrap().records, 2, "cut to {length} bytes; the last record begins at byte {last}");
        seen += 1;
    }
    print(&format!("journal cut after each of {seen} bytes of its last record, opened and verified: healed 100 %"));
}

/// Runs the binary on journals whose last record was cut in its first frame, in the middle, or by a single byte.
#[test]
fn a_torn_last_record_is_written_again() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    for run in [Run::Forward, Run::Back] {
        let kept: [fn(usize) -> usize; 5] =
            [|_| 1, |_| FRAME_HEADER, |_| FRAME_HEADER + 1, |size| size / 2, |size| size - 1];
        let field = Field::new(run, kept.len() + 1);
        let reference = field.case();
        reference.run(run).expect(0);
        let cases = each(&kept, |kept| {
            let case = field.case();
            leave_log(&case, run).unwrap();
            let path = journal_of(&case);
            // The last transaction releases the lease.
            let [.., last, end, _] = borders_of(&path)[..] else { panic!("no records") };
            cut(&path, last + kept(end - last));
            case.heal(run).unwrap();
            case
        });
        let judge = Judge::new(&field);
        let expected = judge.reference(run, &reference);
        for case in &cases {
            assert_eq!(judge.end(case).unwrap(), expected);
        }
    }
}

/// Runs the command, and kills it when everything is recorded, just before the log is moved into the journal's main
/// file.
fn leave_log(case: &Case, run: Run) -> Result<(), String> {
    let point = DiskPoint::new("write", ".flowswap/journal.sqlite", 1);
    match case.kill(run, &DiskFault::new("kill-before", point))? {
        true => Ok(()),
        false => Err("the run did not move the log".to_owned()),
    }
}

/// Returns whether the run recovered. If it did not, it must have named the reason and lost nothing.
fn weigh(judge: &Judge<'_>, case: &Case, output: &Output, expected: &End) -> Result<bool, String> {
    let said = format!("{}{}", output.stdout, output.stderr);
    if output.code == 0 {
        let end = judge.end(case)?;
        let told = || format!("{:#?}: {said}", end.differences(expected));
        return if end == *expected { Ok(true) } else { Err(told()) };
    }
    if !(1..=6).contains(&output.code) || said.contains("panicked") || !is_refused_by_name(case, output) {
        return Err(format!("ended with {}: {said}", output.code));
    }
    judge.nothing_is_lost(case).map(|()| false).map_err(|problem| format!("{problem}: {said}"))
}

/// Whether the report says why the tenant cannot continue, or an error names the journal. A tenant's name on stderr is not enough,
/// because stderr names the tenant at every step.
fn is_refused_by_name(case: &Case, output: &Output) -> bool {
    let lines: Vec<&str> = output.stdout.lines().collect();
    let is_refusal = |pair: &[&str]| {
        let state = pair[0].strip_prefix(&format!("{}: ", case.tenant.name));
        let reason = pair[1].strip_prefix("  ").is_some_and(|reason| !reason.starts_with("next: "));
        state.is_some_and(|state| ["refused", "failed", "stuck"].contains(&state)) && reason
    };
    let error = output.stderr.split_once("error: ").map(|(_, error)| error);
    lines.windows(2).any(is_refusal) || error.is_some_and(|error| error.contains("journal.sqlite"))
}

fn journal_of(case: &Case) -> PathBuf {
    case.state().join("journal.sqlite")
}

fn log_of(journal: &Path) -> PathBuf {
    journal.with_extension("sqlite-wal")
}

fn borders_of(journal: &Path) -> Vec<usize> {
    borders(&fs::read(log_of(journal)).unwrap())
}

/// The offsets at which the log's transactions end, starting with the end of the header. The second word of a frame
/// header is not zero if the frame ends a transaction. Here each transaction contains one record, except the first,
/// which takes the lease, and the last, which releases it.
fn borders(log: &[u8]) -> Vec<usize> {
    let frames =
        (LOG_HEADER..).step_by(FRAME_HEADER + PAGE).take_while(|start| start + FRAME_HEADER + PAGE <= log.len());
    let ends = frames.filter(|start| log[start + 4..start + 8] != [0; 4]).map(|start| start + FRAME_HEADER + PAGE);
    std::iter::once(LOG_HEADER).chain(ends).collect()
}

/// Truncates the log, and removes its index, which does not survive a power failure.
fn cut(journal: &Path, length: usize) {
    let log: File = OpenOptions::new().write(true).open(log_of(journal)).unwrap();
    log.set_len(length as u64).unwrap();
    let _ = fs::remove_file(journal.with_extension("sqlite-shm"));
}

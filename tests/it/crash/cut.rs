//! The journal cut short, as by a disk that lost its end: after every record, and after every byte of the last one. The
//! world is ahead of such a journal. The same command then heals, or refuses and says why; it never makes a second client.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use flowswap_engine::{Draft, Entry, Journal, RunCommand, RunId};
use flowswap_store::{SqliteJournal, verify};
use jiff::Timestamp;
use tempfile::TempDir;
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
        disk::{self, DiskPoint, Strike},
        print,
    },
};

/// The sizes that SQLite's documentation of the file format gives: of the log's header, and of a frame's.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4096;

#[test]
fn cut_after_every_record_the_same_command_heals_or_refuses_by_name() {
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
fn cut_after_every_byte_of_the_last_record_all_before_it_is_there() {
    let folder = TempDir::new().unwrap();
    let whole = folder.path().join("whole.sqlite");
    let journal = SqliteJournal::inline(&whole).unwrap();
    let runtime = Runtime::new().unwrap();
    for _ in 0..3 {
        let entry = Entry::RunStarted { command: RunCommand::Apply, version: "1".to_owned(), scope: None };
        let draft = Draft { at: Timestamp::UNIX_EPOCH, run: RunId::none(), tenant: None, entry };
        runtime.block_on(journal.append(draft)).unwrap();
    }
    // While it is open, its records are in the log.
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
        assert_eq!(
            verify(&path).unwrap().records,
            2,
            "cut to {length} bytes, of which the last record begins at {last}"
        );
        seen += 1;
    }
    print(&format!("journal cut after each of {seen} bytes of its last record, opened and verified: healed 100 %"));
}

/// The binary on journals whose last record was torn: within its first frame, in the middle, by a single byte.
#[test]
fn a_last_record_that_was_torn_is_made_again() {
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
            // The last transaction lets go of the lease.
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

/// Runs the command, and kills it when all is recorded and the log is about to be taken into the journal's file.
fn leave_log(case: &Case, run: Run) -> Result<(), String> {
    case.kill(run, &Strike::new("kill-before", DiskPoint::new("write", ".flowswap/journal.sqlite", 1)))
}

/// Whether it healed; or else it must have refused by name, and lost nothing.
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

/// Whether a row of the report says why the tenant does not go on, or an error names the journal. That a tenant is
/// named on stderr says nothing: every step is told there.
fn is_refused_by_name(case: &Case, output: &Output) -> bool {
    let is_refusal = |line: &str| {
        let mut words = line.split_whitespace();
        let (tenant, state, reason) = (words.next(), words.next(), words.next());
        tenant == Some(&case.tenant.name)
            && state.is_some_and(|state| ["refused", "failed", "stuck"].contains(&state))
            && reason.is_some()
    };
    let error = output.stderr.split_once("error: ").map(|(_, error)| error);
    output.stdout.lines().any(is_refusal) || error.is_some_and(|error| error.contains("journal.sqlite"))
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

/// Where the log's transactions end; before the first there is none. In a frame's header the second word is not zero if the
/// frame ends a transaction. Here each holds one record, but the first, which takes the lease, and the last, which lets
/// go of it.
fn borders(log: &[u8]) -> Vec<usize> {
    let frames =
        (LOG_HEADER..).step_by(FRAME_HEADER + PAGE).take_while(|start| start + FRAME_HEADER + PAGE <= log.len());
    let ends = frames.filter(|start| log[start + 4..start + 8] != [0; 4]).map(|start| start + FRAME_HEADER + PAGE);
    std::iter::once(LOG_HEADER).chain(ends).collect()
}

/// Cuts the log, and removes its index, which is not on the disk when the power fails.
fn cut(journal: &Path, length: usize) {
    let log: File = OpenOptions::new().write(true).open(log_of(journal)).unwrap();
    log.set_len(length as u64).unwrap();
    let _ = fs::remove_file(journal.with_extension("sqlite-shm"));
}

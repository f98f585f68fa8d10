//! A disk that is full, broken, or read-only, at every write and sync of the journal and of a secret. The command says
//! what failed and ends with the documented exit code. It reports nothing as done that is not stored. Once the disk
//! works again, the same command recovers.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use flowswap_engine::{Direction, Entry, Record};
use flowswap_store::SqliteJournal;

use crate::support::read_records;
use crate::{
    crash::{
        each,
        field::{Case, Field},
        judge::Judge,
    },
    faults::points::Run,
    support::{
        Lab, Output, command,
        disk::{self, DiskFault, DiskPoint, Watch},
        finish, print,
    },
};

const WAL: &str = ".flowswap/journal.sqlite-wal";
const STATE: &str = ".flowswap*";

#[test]
fn a_disk_failure_at_any_write_is_reported_and_recovered_from() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    for (run, name, least) in [(Run::Forward, "forward", 90), (Run::Back, "back", 50)] {
        let strikes = strikes(&Field::new(run, 1).case().record(run));
        assert!(strikes.len() >= least, "only {} faults", strikes.len());
        let field = Field::new(run, strikes.len() + 1);
        let reference = field.case();
        reference.run(run).expect(0);
        let claims = AtomicUsize::new(0);
        let cases = each(&strikes, |strike| {
            let case = field.case();
            let (output, watch) = case.run_on_disk(run, Some(strike));
            let problem = match watch.struck() {
                0 => Err("the fault did not occur".to_owned()),
                _ => check_words(&output).and_then(|()| check_claims(&field.lab, &case, &output)).map(|checked| {
                    claims.fetch_add(checked, Ordering::Relaxed);
                }),
            };
            let healed = problem.map_err(|problem| format!("{problem}\n{}", output.show()));
            let healed = healed.and_then(|()| case.heal(run));
            (case, output.code, healed)
        });
        let judge = Judge::new(&field);
        let expected = judge.reference(run, &reference);
        let mut broken = Vec::new();
        for (strike, (case, _, healed)) in strikes.iter().zip(&cases) {
            match healed.clone().and_then(|()| judge.end(case)) {
                Ok(end) if end == expected => {}
                Ok(end) => broken.push(format!("{strike}: {:#?}", end.differences(&expected))),
                Err(problem) => broken.push(format!("{strike}: {problem}")),
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
        let claims = claims.into_inner();
        assert!(claims > 0, "nothing was claimed, so nothing was checked");
        let of_code = |wanted: i32| cases.iter().filter(|(_, code, _)| *code == wanted).count();
        print(&format!(
            "storage faults {name}: {}; {} were survived at once, {} ended the command, {} ended a tenant, and {} were left to do; \
             {claims} claims checked, all kept; healed 100 %",
            cases.len(),
            of_code(0),
            of_code(1),
            of_code(3),
            of_code(4),
        ));
    }
}

/// Every fault for every transaction of the journal and every file of a secret. The disk does not see renames; see
/// `fixtures/disk`.
fn strikes(points: &[DiskPoint]) -> Vec<DiskFault> {
    let mut strikes = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let is_first = !index.checked_sub(1).is_some_and(|before| points[before].is_like(point));
        let modes: &[&'static str] = match (point.call.as_str(), point.path.as_str()) {
            ("write", WAL) if is_first => &["ENOSPC+", "EIO", "short"],
            ("sync", WAL) => &["EIO"],
            ("create" | "sync", path) if path.starts_with(".flowswap/secrets") => &["ENOSPC", "EIO"],
            ("write", path) if path.starts_with(".flowswap/secrets") => &["ENOSPC", "ENOSPC+", "EIO", "short"],
            ("unlink", path) if path.starts_with(".flowswap/secrets") => &["EIO"],
            ("create" | "write" | "sync" | "rename", path) if path.starts_with(".flowswap/journal.sqlite.new") => {
                &["EIO"]
            }
            _ => &[],
        };
        strikes.extend(modes.iter().map(|mode| DiskFault::new(mode, point.clone())));
    }
    strikes
}

/// Checks that the output says what failed, why, and what to do.
fn check_words(output: &Output) -> Result<(), String> {
    let said = format!("{}{}", output.stdout, output.stderr);
    if said.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    let words: &[&str] = match output.code {
        // A run can succeed despite a fault: a short write is continued, a client whose secret was lost gets another,
        // and data that SQLite could not move out of its log stays there. `check_claims` checks the report in any case.
        0 => &[],
        1 => &["error:", "caused by:", "hint:", ".flowswap"],
        3 => &["failed to store the secret"],
        4 => &["failed to remove the secret"],
        code => return Err(format!("it ended with {code}")),
    };
    match words.iter().find(|word| !said.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(format!("`{word}` is missing")),
    }
}

/// Checks that the journal on the disk contains every step that the output reports as done, and the reported state.
/// Returns how many such claims there were.
fn check_claims(lab: &Lab, case: &Case, output: &Output) -> Result<usize, String> {
    let records = records(lab, case)?;
    let mut claims = 0;
    for line in output.stderr.lines().filter_map(|line| line.strip_suffix(" done")) {
        let (_, step) = line.split_once(": ").ok_or("a step without a tenant is reported as done")?;
        let (step, direction) = match step.strip_suffix(" rollback") {
            Some(step) => (step, Direction::Back),
            None => (step, Direction::Forward),
        };
        let is_kept = |record: &Record| matches!(&record.draft.entry, Entry::StepEnded { step: of, direction: way, .. } if of == step && *way == direction);
        if !records.iter().any(is_kept) {
            return Err(format!("`{line} done` was reported, but is not in the journal"));
        }
        claims += 1;
    }
    let reported = output.stdout.lines().find_map(|line| line.strip_prefix(&case.tenant.name));
    let reported = reported.and_then(|line| line.split_whitespace().next());
    let kept = records.iter().rev().find_map(|record| match &record.draft.entry {
        Entry::TenantEnded { state, .. } => Some(state.to_string()),
        _ => None,
    });
    match reported {
        Some(state) if kept.as_deref() != Some(state) => {
            Err(format!("`{state}` was reported, but the journal has {kept:?}"))
        }
        reported => Ok(claims + usize::from(reported.is_some())),
    }
}

/// The records of the journal after reopening it; empty if it was never created.
fn records(lab: &Lab, case: &Case) -> Result<Vec<Record>, String> {
    let path = case.state().join("journal.sqlite");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let journal = SqliteJournal::open_read_only(&path).map_err(|error| error.to_string())?;
    lab.wait(read_records(&journal)).map_err(|error| error.to_string())
}

#[test]
fn a_state_folder_that_cannot_be_written_stops_the_run_before_it_changes_anything() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    for mode in ["EROFS+", "EACCES+", "ENOSPC+"] {
        let field = Field::new(Run::Forward, 1);
        let case = field.case();
        let (output, watch) =
            case.run_on_disk(Run::Forward, Some(&DiskFault::new(mode, DiskPoint::new("*", STATE, 1))));
        assert!(watch.struck() > 0);
        output.clone().expect(1);
        for word in ["error:", ".flowswap", "hint:"] {
            assert!(output.stderr.contains(word), "{mode}: `{word}` is missing: {}", output.stderr);
        }
        assert_eq!(field.lab.sim.snapshot(), field.before, "{mode}");
        case.heal(Run::Forward).unwrap();
    }
}

#[test]
fn a_plan_is_written_whole_or_not_at_all() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let before = fs::read_to_string(lab.path("plan.json")).unwrap();
    let folder = crate::support::folder();
    for (mode, call) in [("ENOSPC+", "create"), ("ENOSPC+", "write"), ("EIO", "sync")] {
        let mut command = command(lab.dir(), &["plan", "-o", "plan.json"]);
        let strike = DiskFault::new(mode, DiskPoint::new(call, ".tmp*", 1));
        let root = lab.dir().canonicalize().unwrap();
        let watch = Watch::over(&mut command, &root, folder.path(), Some(&strike));
        let output = finish(command).expect(1);
        assert!(watch.struck() > 0);
        for word in ["failed to write the plan `plan.json`", "hint:"] {
            assert!(output.stderr.contains(word), "{strike}: `{word}` is missing: {}", output.stderr);
        }
        assert_eq!(output.stdout, "", "{strike}");
        assert_eq!(fs::read_to_string(lab.path("plan.json")).unwrap(), before);
        let names = fs::read_dir(lab.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{strike}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command(lab.dir(), Run::Forward.args());
    command.stdout(Stdio::from(full));
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("failed to write to stdout"), "{stderr}");
    // The finished work is kept nevertheless.
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}

/// A really full disk: a small file system in memory, in its own mount namespace, which is enlarged later.
#[cfg(target_os = "linux")]
#[test]
fn a_run_on_a_full_file_system_continues_once_there_is_room() {
    const SCRIPT: &str = "
        cp .flowswap/identity.txt . || exit 90
        mount -t tmpfs -o size=180k,mode=700 tmpfs .flowswap || exit 77
        cp -p identity.txt .flowswap || exit 91
        \"$0\" apply plan.json --yes --digest \"$1\" >first 2>&1
        echo $? >code
        mount -o remount,size=16m .flowswap || exit 92
        exec \"$0\" apply plan.json --yes --digest \"$1\"";
    let field = Field::new(Run::Forward, 1);
    let case = field.case();
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", SCRIPT, env!("CARGO_BIN_EXE_flowswap"), &case.digest()]).current_dir(case.root());
    let Ok(output) = command.env("NO_COLOR", "1").output() else {
        return print("skipped: `unshare` is missing, so the test cannot mount a file system");
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !case.root().join("code").exists() {
        return print(&format!("skipped: mounting a file system is not permitted here: {}", said.trim()));
    }
    let first = fs::read_to_string(case.root().join("first")).unwrap();
    assert_eq!(fs::read_to_string(case.root().join("code")).unwrap(), "1\n", "{first}");
    for word in ["error:", "full", "hint:", "journal.sqlite"] {
        assert!(first.contains(word), "`{word}` is missing: {first}");
    }
    assert!(!first.contains("swapped"), "{first}");
    assert_eq!(output.status.code(), Some(0), "{first}{said}");
    assert_eq!(field.lab.clients_made(&case.tenant), 1);
    let (directory, org) = (field.lab.directory(&case.tenant), field.lab.org(&case.tenant));
    assert_eq!(directory.client_id, org.service_clients[0].id);
}

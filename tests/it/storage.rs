//! A disk that is full, broken or closed, at every write and sync of the journal and of a secret. The command says what
//! failed and ends as documented; it claims nothing that is not kept; and once the disk is well again, the same
//! command brings all to a good end.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use flowswap_engine::{Direction, Entry, Journal, Record};
use flowswap_store::SqliteJournal;

use crate::{
    crash::{
        each,
        field::{Case, Field},
        judge::Judge,
    },
    faults::points::Run,
    support::{
        Lab, Output, command,
        disk::{self, DiskPoint, Strike, Watch},
        finish, print,
    },
};

const WAL: &str = ".flowswap/journal.sqlite-wal";
const STATE: &str = ".flowswap*";

#[test]
fn a_disk_that_fails_at_any_write_is_told_of_and_survived() {
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
                0 => Err("the fault did not strike".to_owned()),
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
            "storage faults {name}: {}, of which {} were survived at once, {} ended the command, {} a tenant and {} were left to do; \
             {claims} claims checked, all kept; healed 100 %",
            cases.len(),
            of_code(0),
            of_code(1),
            of_code(3),
            of_code(4),
        ));
    }
}

/// Every fault of every transaction and every file of a secret. Renaming is not seen by the disk; see `fixtures/disk`.
fn strikes(points: &[DiskPoint]) -> Vec<Strike> {
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
        strikes.extend(modes.iter().map(|mode| Strike::new(mode, point.clone())));
    }
    strikes
}

/// Whoever reads it learns what failed, why, and what to do.
fn check_words(output: &Output) -> Result<(), String> {
    let said = format!("{}{}", output.stdout, output.stderr);
    if said.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    let words: &[&str] = match output.code {
        // A short write is gone on with, a client whose secret was lost gets another, and what could not be moved out of
        // SQLite's log stays there: what is claimed is looked at in any case.
        0 => &[],
        1 => &["error:", "caused by:", "hint:", ".flowswap"],
        3 => &["failed to store the secret"],
        4 => &["failed to remove the secret"],
        code => return Err(format!("it ended with {code}")),
    };
    match words.iter().find(|word| !said.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(format!("`{word}` is not said")),
    }
}

/// Every step that is said to be done, and the state that is reported, stands in the journal as it is on the disk. Gives
/// how many claims there were.
fn check_claims(lab: &Lab, case: &Case, output: &Output) -> Result<usize, String> {
    let records = records(lab, case)?;
    let mut claims = 0;
    for line in output.stderr.lines().filter_map(|line| line.strip_suffix(" done")) {
        let (_, step) = line.split_once(": ").ok_or("a step is done of no tenant")?;
        let (step, direction) = match step.strip_suffix(" back") {
            Some(step) => (step, Direction::Back),
            None => (step, Direction::Forward),
        };
        let is_kept = |record: &Record| matches!(&record.draft.entry, Entry::StepEnded { step: of, direction: way, .. } if of == step && *way == direction);
        if !records.iter().any(is_kept) {
            return Err(format!("`{line} done` was said, and is not kept"));
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
        Some(state) if kept.as_deref() != Some(state) => Err(format!("`{state}` was reported, and {kept:?} is kept")),
        reported => Ok(claims + usize::from(reported.is_some())),
    }
}

/// What the journal holds once it is opened again; nothing if it was never made.
fn records(lab: &Lab, case: &Case) -> Result<Vec<Record>, String> {
    let path = case.state().join("journal.sqlite");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let journal = SqliteJournal::open_read_only(&path).map_err(|error| error.to_string())?;
    lab.wait(journal.load()).map_err(|error| error.to_string())
}

#[test]
fn a_state_folder_that_cannot_be_written_stops_the_run_before_it_changes_anything() {
    if let Some(reason) = disk::missing() {
        return print(&format!("skipped: {reason}"));
    }
    for mode in ["EROFS+", "EACCES+", "ENOSPC+"] {
        let field = Field::new(Run::Forward, 1);
        let case = field.case();
        let (output, watch) = case.run_on_disk(Run::Forward, Some(&Strike::new(mode, DiskPoint::new("*", STATE, 1))));
        assert!(watch.struck() > 0);
        output.clone().expect(1);
        for word in ["error:", ".flowswap", "hint:"] {
            assert!(output.stderr.contains(word), "{mode}: `{word}` is not said: {}", output.stderr);
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
    let folder = tempfile::TempDir::new().unwrap();
    for (mode, call) in [("ENOSPC+", "create"), ("ENOSPC+", "write"), ("EIO", "sync")] {
        let mut command = command(lab.dir(), &["plan", "-o", "plan.json"]);
        let strike = Strike::new(mode, DiskPoint::new(call, ".tmp*", 1));
        let root = lab.dir().canonicalize().unwrap();
        let watch = Watch::over(&mut command, &root, folder.path(), Some(&strike));
        let output = finish(command).expect(1);
        assert!(watch.struck() > 0);
        for word in ["failed to write the plan `plan.json`", "hint:"] {
            assert!(output.stderr.contains(word), "{strike}: `{word}` is not said: {}", output.stderr);
        }
        assert_eq!(output.stdout, "", "{strike}");
        assert_eq!(fs::read_to_string(lab.path("plan.json")).unwrap(), before);
        let names = fs::read_dir(lab.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{strike}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command(lab.dir(), Run::Forward.args());
    command.stdout(Stdio::from(full));
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("failed to write to stdout"), "{stderr}");
    // What was done is kept all the same.
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}

/// A real full disk: a small file system in memory, in a name space of its own, which then gets larger.
#[cfg(target_os = "linux")]
#[test]
fn a_state_folder_on_a_full_file_system_is_gone_on_with_once_there_is_room() {
    const SCRIPT: &str = "
        cp .flowswap/identity.txt . || exit 90
        mount -t tmpfs -o size=160k,mode=700 tmpfs .flowswap || exit 77
        cp -p identity.txt .flowswap || exit 91
        \"$0\" apply plan.json --yes >first 2>&1
        echo $? >code
        mount -o remount,size=16m .flowswap || exit 92
        exec \"$0\" apply plan.json --yes";
    let field = Field::new(Run::Forward, 1);
    let case = field.case();
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", SCRIPT, env!("CARGO_BIN_EXE_flowswap")]).current_dir(case.root());
    let Ok(output) = command.env("NO_COLOR", "1").output() else {
        return print("skipped: there is no `unshare` here, and so no file system of one's own");
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !case.root().join("code").exists() {
        return print(&format!("skipped: no file system of one's own is permitted here: {}", said.trim()));
    }
    let first = fs::read_to_string(case.root().join("first")).unwrap();
    assert_eq!(fs::read_to_string(case.root().join("code")).unwrap(), "1\n", "{first}");
    for word in ["error:", "full", "hint:", "journal.sqlite"] {
        assert!(first.contains(word), "`{word}` is not said: {first}");
    }
    assert!(!first.contains("swapped"), "{first}");
    assert_eq!(output.status.code(), Some(0), "{first}{said}");
    assert_eq!(field.lab.clients_made(&case.tenant), 1);
    let world = field.lab.sim.world();
    assert_eq!(world.directories[0].client_id, world.orgs[0].service_clients[0].id);
}

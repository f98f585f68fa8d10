//! `audit export`: what an auditor verifies without flowswap, with the block of commands that is in the export itself.

/// Exports that somebody changed.
mod changed;
/// Exports that somebody changed and signed again.
mod forged;
mod good;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    approvals::people::Office,
    support::{Output, finish},
};

/// The folder that tests export to.
const FOLDER: &str = "audit";

/// Two people approved a plan, and it is carried out.
fn approved_work(tenants: usize) -> Office {
    let office = Office::open(tenants);
    office.lab.plan().expect(0);
    for name in ["alice", "bob"] {
        office.approve(name, &[]).expect(0);
    }
    office.lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    office
}

/// A person exports. Returns the folder, and what flowswap said.
#[track_caller]
fn export(office: &Office, who: &str, more: &[&str]) -> (PathBuf, String) {
    let said = office.run_as(who, &[&["audit", "export", "-o", FOLDER][..], more].concat()).expect(0).stderr;
    (office.lab.path(FOLDER), said)
}

/// Runs the block of commands of `VERIFY.md`, as the repository has it.
pub(crate) fn verify(folder: &Path) -> Output {
    let page = crate::support::repository().join("crates/cli/src/commands/audit/export/VERIFY.md");
    run_block(folder, &fs::read_to_string(page).unwrap())
}

fn run_block(folder: &Path, page: &str) -> Output {
    let (_, rest) = page.split_once("\n```bash\n").unwrap();
    let (block, _) = rest.split_once("\n```\n").unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-c", block]).current_dir(folder).env_clear().env("PATH", env::var_os("PATH").unwrap());
    finish(shell)
}

/// Fails unless the block fails at this check.
#[track_caller]
fn expect_failure(folder: &Path, check: &str) {
    let found = verify(folder);
    assert!(found.code != 0 && !found.stdout.contains("\nverified"), "{}", found.show());
    assert!(found.stdout.contains(&format!("FAILED: {check}")), "{check}: {}", found.show());
}

/// The lines of the exported journal.
fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of all files below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = crate::tidy::walk(folder)
        .into_iter()
        .map(|path| path.strip_prefix(folder).unwrap().display().to_string())
        .collect();
    names.sort();
    names
}

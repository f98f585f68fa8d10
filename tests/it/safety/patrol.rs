//! Runs commands one after the other, and searches everything that flowswap leaves behind after each of them.

use std::{cell::Cell, fs, os::unix::fs::PermissionsExt, process::Command};

use super::search::{Canary, Search, files_of_the_client};
use crate::support::{Lab, Output, command, finish};

/// Searches after each command: what it printed, and every file in the folder of the lab. The temporary files are there as well,
/// and so would be a core file.
pub(super) struct Patrol<'a> {
    pub(super) lab: &'a Lab,
    /// Everything that must not leak by now.
    collect: &'a dyn Fn() -> Vec<Canary>,
    search: Search,
    pub(super) printed: Vec<(String, String)>,
    leaks: Vec<String>,
    /// How many commands were recorded.
    recordings: Cell<usize>,
}

impl<'a> Patrol<'a> {
    pub(super) fn new(lab: &'a Lab, collect: &'a dyn Fn() -> Vec<Canary>) -> Self {
        let temporary = lab.path("tmp");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(temporary, PermissionsExt::from_mode(0o700)).unwrap();
        Self {
            lab,
            collect,
            search: Search::new(Vec::new()),
            printed: Vec::new(),
            leaks: Vec::new(),
            recordings: Cell::new(0),
        }
    }

    /// The command with as much talk as there is, recorded, logged, and with its temporary files in the folder of the lab.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.recordings.set(self.recordings.get() + 1);
        let recording = format!("{}.recording", self.recordings.get());
        let mut command =
            command(self.lab.dir(), &[&["record", "-o", &recording], args, &["-vv", "--log-file", "run.log"]].concat());
        command.env("TMPDIR", self.lab.path("tmp"));
        command
    }

    /// Runs a command, and searches.
    #[track_caller]
    pub(super) fn run(&mut self, args: &[&str], code: i32) -> Output {
        let output = self.run_anyhow(args);
        assert_eq!(output.code, code, "{args:?}: {}{}", output.stdout, output.stderr);
        output
    }

    /// Runs a command with any end, and searches.
    pub(super) fn run_anyhow(&mut self, args: &[&str]) -> Output {
        let output = finish(self.command(args));
        self.search_after(&args.join(" "), &output);
        output
    }

    /// Runs a command twice, for both forms of its report. The second time it has nothing to do.
    #[track_caller]
    pub(super) fn run_in_both_forms(&mut self, args: &[&str], code: i32) {
        self.run(args, code);
        self.run(&[args, &["--format", "json"]].concat(), code);
    }

    /// Searches after a command.
    pub(super) fn search_after(&mut self, name: &str, output: &Output) {
        self.search.add((self.collect)());
        let printed = [("stdout", &output.stdout), ("stderr", &output.stderr)]
            .map(|(to, text)| (format!("{to} of {name}"), text.clone()));
        self.leaks.extend(self.search.leaks(&printed));
        let left = self.search.leaks(&files_of_the_client(self.lab.dir()));
        self.leaks.extend(left.into_iter().map(|leak| format!("{leak}, after {name}")));
        self.printed.extend(printed);
    }

    /// Asserts that nothing was found, and returns everything that must not leak.
    pub(super) fn end(self) -> Search {
        assert!(self.leaks.is_empty(), "{:#?}", self.leaks);
        // The files that were searched have what flowswap and the plugins said to each other.
        let recordings = (1..=self.recordings.get()).map(|n| self.lab.path(&format!("{n}.recording")));
        let lines = recordings.filter_map(|path| fs::read_to_string(path).ok()).map(|text| text.lines().count());
        assert!(lines.sum::<usize>() > 500, "the recordings are missing");
        let logged = fs::read_to_string(self.lab.path("run.log")).unwrap();
        assert!(logged.lines().count() > 100, "the log is missing");
        assert_eq!(self.search.leaks(&self.printed), [""; 0]);
        self.search
    }
}

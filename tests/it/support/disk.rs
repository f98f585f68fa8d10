//! A disk that fails on order under the unchanged binary: `fixtures/disk`, preloaded.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use super::library;

/// Why there is no such disk here, if there is none.
pub(crate) fn missing() -> Option<&'static str> {
    (!cfg!(target_os = "linux")).then_some("only Linux has a way to preload the failing disk that is used here")
}

/// A call by which something is written below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskPoint {
    /// `write`, `sync` and so on.
    pub(crate) call: String,
    /// The file, relative to the root.
    pub(crate) path: String,
    /// Counts the calls of this kind on this file from 1, since its last sync.
    pub(crate) nth: u32,
    /// How often the file was synced before.
    pub(crate) syncs: u32,
}

/// What is to happen at a point: `kill-before`, `kill-after`, `short`, or the name of an error, with a `+` if it stays.
#[derive(Debug, Clone)]
pub(crate) struct Strike {
    pub(crate) mode: &'static str,
    pub(crate) point: DiskPoint,
}

/// The list of the calls of one run, and the strike in it, if one was ordered.
pub(crate) struct Watch {
    list: PathBuf,
}

impl Watch {
    /// Lets the command run on the disk. `list` must not lie below `root`.
    pub(crate) fn over(command: &mut Command, root: &Path, list: &Path, strike: Option<&Strike>) -> Self {
        File::create(list).unwrap();
        command.env("LD_PRELOAD", library("failing_disk"));
        command.env("FLOWSWAP_DISK_ROOT", root).env("FLOWSWAP_DISK_LIST", list);
        if let Some(strike) = strike {
            command.env("FLOWSWAP_DISK_STRIKE", strike.order());
        }
        Self { list: list.to_owned() }
    }

    /// How many calls were hit.
    pub(crate) fn struck(&self) -> usize {
        self.lines().iter().filter(|line| line.starts_with("struck ")).count()
    }

    /// All calls, in order.
    pub(crate) fn points(&self) -> Vec<DiskPoint> {
        let (mut counts, mut synced) = (BTreeMap::new(), BTreeMap::new());
        let lines = self.lines();
        let calls = lines.iter().filter(|line| !line.starts_with("struck ")).map(|line| line.split_once(' ').unwrap());
        let points = calls.map(|(call, path)| {
            let syncs: &mut u32 = synced.entry(path).or_default();
            let nth: &mut u32 = counts.entry((call, path, *syncs)).or_default();
            *nth += 1;
            let point = DiskPoint { call: call.to_owned(), path: path.to_owned(), nth: *nth, syncs: *syncs };
            *syncs += u32::from(call == "sync");
            point
        });
        points.collect()
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.list).unwrap().lines().map(str::to_owned).collect()
    }
}

impl DiskPoint {
    pub(crate) fn new(call: &str, path: &str, nth: u32) -> Self {
        Self { call: call.to_owned(), path: path.to_owned(), nth, syncs: 0 }
    }

    /// Whether another call is of the same kind on the same file.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.call, &self.path) == (&other.call, &other.path)
    }
}

impl Strike {
    pub(crate) fn new(mode: &'static str, point: DiskPoint) -> Self {
        Self { mode, point }
    }

    fn order(&self) -> String {
        let DiskPoint { call, path, nth, syncs } = &self.point;
        format!("{} {call} {path} {nth} {syncs}", self.mode)
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DiskPoint { call, path, nth, syncs } = &self.point;
        write!(f, "{} {call} {path} #{nth} after {syncs} syncs", self.mode)
    }
}

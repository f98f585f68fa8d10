//! A disk that fails on request, under the unchanged binary: the preloaded library `fixtures/disk`.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use super::{command, finish, library};

/// Why the faulty disk is not available on this machine, if it is not.
pub(crate) fn missing() -> Option<&'static str> {
    static IS_LOADED: LazyLock<bool> = LazyLock::new(is_loaded);
    if !cfg!(target_os = "linux") {
        Some("only Linux has a way to preload the failing disk that is used here")
    } else if cfg!(target_feature = "crt-static") {
        Some("a binary that is linked statically loads no failing disk")
    } else {
        assert!(*IS_LOADED, "the faulty disk was not loaded into the binary");
        None
    }
}

/// Whether the faulty disk sees what the binary writes.
fn is_loaded() -> bool {
    let folder = crate::support::folder();
    let root = folder.path().join("work");
    fs::create_dir(&root).unwrap();
    let mut command = command(&root, &["--version"]);
    command.stdout(File::create(root.join("version")).unwrap());
    let watch = Watch::over(&mut command, &root, folder.path(), None);
    let _ = finish(command).expect(0);
    watch.points().iter().any(|point| point.is_like(&DiskPoint::new("write", "version", 1)))
}

/// A call that writes something below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskPoint {
    /// The kind of call, such as `write` or `sync`.
    pub(crate) call: String,
    /// The file, relative to the root.
    pub(crate) path: String,
    /// The number of this call among those of its kind on this file since its last sync, counted from 1.
    pub(crate) nth: u32,
    /// How often the file was synced before.
    pub(crate) syncs: u32,
}

/// A fault at a point: `kill-before`, `kill-after`, `short`, or the name of an error, followed by `+` if it is
/// permanent.
#[derive(Debug, Clone)]
pub(crate) struct DiskFault {
    pub(crate) mode: &'static str,
    pub(crate) point: DiskPoint,
}

/// The list of the calls of one run, with the fault if one was requested.
pub(crate) struct Watch {
    list: PathBuf,
}

impl Watch {
    /// Sets the command up to run on the faulty disk. The disk's own files go into `folder`, which must not be below
    /// `root`.
    pub(crate) fn over(command: &mut Command, root: &Path, folder: &Path, strike: Option<&DiskFault>) -> Self {
        let list = folder.join("list");
        File::create(&list).unwrap();
        command.env("LD_PRELOAD", plainly_named(folder));
        command.env("FLOWSWAP_DISK_ROOT", root).env("FLOWSWAP_DISK_LIST", &list);
        if let Some(strike) = strike {
            command.env("FLOWSWAP_DISK_STRIKE", strike.order());
        }
        Self { list }
    }

    /// How many calls the fault hit.
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

/// The library under a path without spaces and colons. The path of a checkout may contain them, but in `LD_PRELOAD`
/// they separate entries.
fn plainly_named(folder: &Path) -> PathBuf {
    let link = folder.join("failing_disk.so");
    if !link.exists() {
        std::os::unix::fs::symlink(library("failing_disk"), &link).unwrap();
    }
    link
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

impl DiskFault {
    pub(crate) fn new(mode: &'static str, point: DiskPoint) -> Self {
        Self { mode, point }
    }

    fn order(&self) -> String {
        let DiskPoint { call, path, nth, syncs } = &self.point;
        format!("{} {call} {path} {nth} {syncs}", self.mode)
    }
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DiskPoint { call, path, nth, syncs } = &self.point;
        write!(f, "{} {call} {path} #{nth} after {syncs} syncs", self.mode)
    }
}

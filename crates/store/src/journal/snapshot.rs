//! The file of the journal's snapshot: the state of every tenant up to one record.
//!
//! It is a cache. A missing, damaged, or foreign file counts as none, and then the journal itself is read. So it is written
//! without a sync, and never the reason why a command fails, unless the journal itself is gone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flowswap_engine::{Overview, Position, SNAPSHOT_FORMAT, Snapshot};
use serde::{Deserialize, Serialize};

use super::chain::Hash;
use crate::durable;

/// The first line.
#[derive(PartialEq, Serialize, Deserialize)]
struct Header {
    format: u32,
    seq: u64,
    hash: String,
    /// SHA-256 of the other lines.
    sha256: String,
}

/// Where the snapshot of a journal is.
pub fn snapshot_path(journal: &Path) -> PathBuf {
    journal.with_extension("snapshot")
}

/// What shows that a missing journal was there before: its snapshot, or its last records that are not in the main file yet.
/// `None` if the journal exists or if nothing of it is left.
pub fn remains_of_lost_journal(journal: &Path) -> Option<PathBuf> {
    let is_left = |path: &PathBuf| path.symlink_metadata().is_ok_and(|it| it.is_dir() || it.len() > 0);
    let remains = [snapshot_path(journal), durable::sibling(journal, "-wal")].into_iter().find(is_left);
    remains.filter(|_| !journal.exists())
}

/// Reads the snapshot of a journal, if there is a usable one.
pub fn read_snapshot(journal: &Path) -> Option<Snapshot> {
    let path = snapshot_path(journal);
    // Reading anything else than a file could wait forever.
    let content = fs::metadata(&path).is_ok_and(|it| it.is_file()).then(|| fs::read(&path).ok()).flatten()?;
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let (header, lines) = content.split_at_checked(end + 1)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    if header.format != SNAPSHOT_FORMAT || header.sha256 != Hash::of(lines).to_string() {
        return None;
    }
    let position = Position { seq: header.seq, hash: *Hash::parse(&header.hash)?.bytes() };
    let tenants = serde_json::Deserializer::from_slice(lines).into_iter::<(String, Overview)>();
    Some(Snapshot { position, tenants: tenants.collect::<Result<BTreeMap<_, _>, _>>().ok()? })
}

/// Writes the snapshot of a journal.
pub fn write_snapshot(journal: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let mut lines = Vec::new();
    for tenant in &snapshot.tenants {
        serde_json::to_writer(&mut lines, &tenant)?;
        lines.push(b'\n');
    }
    let header = Header {
        format: SNAPSHOT_FORMAT,
        seq: snapshot.position.seq,
        hash: Hash::from_bytes(&snapshot.position.hash).map(|hash| hash.to_string()).unwrap_or_default(),
        sha256: Hash::of(&lines).to_string(),
    };
    let mut content = serde_json::to_vec(&header)?;
    content.push(b'\n');
    content.append(&mut lines);
    // A reader that comes too early sees that the content is not whole.
    let mut file = durable::open_or_create(&snapshot_path(journal))?;
    file.write_all(&content)?;
    file.set_len(content.len() as u64)
}

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        Self::from_bytes(base16ct::lower::decode(text, &mut bytes).ok()?)
    }
}

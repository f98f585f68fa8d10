//! Who can change the files that flowswap trusts.

use std::{fs, os::unix::fs::MetadataExt};

/// Whether anyone but its owner can change a file, or replace the files of a folder. Two cases are safe. In a folder with the
/// sticky bit, only owners replace files. A group may be the owner's private one, which Debian and Fedora give every user
/// together with a umask of 002 (wiki.debian.org/UserPrivateGroups).
pub(crate) fn others_can_change(metadata: &fs::Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    let mode = metadata.mode() & 0o7777;
    let sticky_folder = metadata.is_dir() && mode & STICKY != 0;
    let by_group = mode & 0o020 != 0 && metadata.gid() != metadata.uid();
    let by_others = mode & 0o002 != 0;
    (by_group || by_others) && !sticky_folder
}

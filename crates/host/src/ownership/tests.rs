//! Trees of every kind, judged.

use std::{
    fs::{DirBuilder, Permissions, create_dir, set_permissions},
    os::unix::fs::{DirBuilderExt, PermissionsExt, chown, lchown, symlink},
};

use tempfile::TempDir;

use super::*;
use crate::testing::folder;

/// `nobody`, in every container too.
const OTHER: u32 = 65_534;

/// A file `a/b/file` in a folder.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(folder());
        DirBuilder::new().recursive(true).mode(0o755).create(tree.path("a/b")).unwrap();
        fs::write(tree.path("a/b/file"), "text").unwrap();
        tree.mode("a/b/file", 0o644);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// The file that is refused when `name` is opened, and why; nothing if it is trusted.
    fn refused(&self, name: &str) -> Option<String> {
        let error = match read_trusted(&self.path(name)) {
            Ok(text) => {
                assert_eq!(text, b"text");
                require_trusted(&self.path(name)).unwrap();
                return None;
            }
            Err(error) => error,
        };
        Some(self.shorten(&error))
    }

    fn shorten(&self, error: &TrustError) -> String {
        let hint = error.hint().unwrap_or_default();
        format!("{error}; {hint}").replace(&format!("{}", self.0.path().display()), "TREE")
    }
}

/// What a user thinks of a file.
fn judged_by(user: u32, path: &Path) -> Result<(), TrustError> {
    let mut trust = Trust::of(Some(user));
    trust.walk(path)?;
    trust.verdict()
}

/// Whether this test can make files of another user. If not, it says so.
fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        let _ = io::Write::write_all(&mut io::stderr(), b"skipped: only root can make files of another user\n");
    }
    is_root
}

#[test]
fn modes_decide_on_every_level() {
    let me = geteuid().as_raw();
    for (name, mode, is_accepted) in [
        ("a/b/file", 0o600, true),
        ("a/b/file", 0o444, true),
        ("a/b/file", 0o646, false),
        ("a/b/file", 0o662, false),
        ("a/b", 0o700, true),
        ("a/b", 0o757, false),
        ("a", 0o777, false),
        ("a", 0o703, false),
        // The sticky bit keeps others from replacing what they do not own.
        ("a", 0o1777, true),
        ("a/b", 0o1777, true),
        // On a file it means nothing.
        ("a/b/file", 0o1646, false),
    ] {
        let tree = Tree::new();
        tree.mode(name, mode);
        let kind = if name.ends_with("file") { "file" } else { "folder" };
        let owner = if me == 0 { "root".to_owned() } else { me.to_string() };
        let why = format!(
            "other users can change the {kind} `TREE/{name}` (owner {owner}, mode {mode:04o}); chmod go-w TREE/{name}"
        );
        assert_eq!(tree.refused("a/b/file"), (!is_accepted).then_some(why), "{name} {mode:o}");
    }
}

#[test]
fn a_private_group_may_write() {
    let tree = Tree::new();
    let metadata = fs::metadata(tree.path("a/b/file")).unwrap();
    for (name, mode) in [("a/b/file", 0o664), ("a/b", 0o2775), ("a", 0o770)] {
        tree.mode(name, mode);
    }
    let is_private = metadata.gid() == metadata.uid() || metadata.gid() == 0;
    assert_eq!(judged_by(metadata.uid(), &tree.path("a/b/file")).is_ok(), is_private);
    if is_root() {
        // A volume that Kubernetes prepares for a user (`fsGroup`) belongs to root and to the group of that user.
        chown(tree.path("a"), Some(0), Some(1_000)).unwrap();
        assert!(judged_by(1_000, &tree.path("a/b/file")).is_ok());
        let error = judged_by(1_001, &tree.path("a/b/file")).unwrap_err();
        assert!(tree.shorten(&error).starts_with("other users can change the folder `TREE/a` (owner root, mode 0770)"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_access_list_is_more_than_a_private_group() {
    let tree = Tree::new();
    // Version 2: the owner, user 65534, the group, the mask, and others (include/uapi/linux/posix_acl_xattr.h).
    let mut list = vec![2, 0, 0, 0];
    for (tag, rights, id) in
        [(1_u16, 6_u16, u32::MAX), (2, 6, OTHER), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 4, u32::MAX)]
    {
        list.extend([&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    let name = "system.posix_acl_access";
    let path = tree.path("a/b/file");
    if let Err(error) = rustix::fs::lsetxattr(&path, name, &list, rustix::fs::XattrFlags::empty()) {
        assert_eq!(error, Errno::NOTSUP, "{error}");
        let _ = io::Write::write_all(&mut io::stderr(), b"skipped: this file system has no access lists\n");
        return;
    }
    let refused = tree.refused("a/b/file").unwrap();
    assert!(refused.contains("other users can change the file `TREE/a/b/file`"), "{refused}");
    // This also takes the right from the list.
    tree.mode("a/b/file", 0o644);
    assert_eq!(tree.refused("a/b/file"), None);
}

#[test]
fn files_and_folders_of_another_user_are_refused() {
    if !is_root() {
        return;
    }
    for name in ["a/b/file", "a/b", "a"] {
        let tree = Tree::new();
        let mode = fs::metadata(tree.path(name)).unwrap().mode() & 0o7777;
        chown(tree.path(name), Some(OTHER), None).unwrap();
        let kind = if name.ends_with("file") { "file" } else { "folder" };
        let why = format!(
            "the {kind} `TREE/{name}` belongs to another user (owner 65534, mode {mode:04o}); run flowswap as user 65534, \
             or make it root's: chown root TREE/{name}"
        );
        assert_eq!(tree.refused("a/b/file"), Some(why));
        // Root's folders above a file of mine are fine, and a third user's are not.
        chown(tree.0.path(), Some(0), None).unwrap();
        assert!(judged_by(OTHER, &tree.path("a/b/file")).is_ok());
        let error = judged_by(1_000, &tree.path("a/b/file")).unwrap_err();
        assert!(
            matches!(&error, TrustError::Untrusted(found) if found.iter().all(|it| it.wrong == Wrong::Foreign)),
            "{error:?}"
        );
    }
}

#[test]
fn in_a_sticky_folder_only_my_files_and_those_of_root_are_trusted() {
    if !is_root() {
        return;
    }
    let tree = Tree::new();
    tree.mode("a", 0o1777);
    chown(tree.path("a/b"), Some(OTHER), None).unwrap();
    assert!(tree.refused("a/b/file").unwrap().starts_with("the folder `TREE/a/b` belongs to another user"));
    chown(tree.path("a/b"), Some(0), None).unwrap();
    assert_eq!(tree.refused("a/b/file"), None);
    // The owner of a sticky folder can replace every file in it.
    chown(tree.path("a"), Some(OTHER), None).unwrap();
    assert!(tree.refused("a/b/file").unwrap().starts_with("the folder `TREE/a` belongs to another user"));
}

#[test]
fn a_link_counts_where_it_is_and_where_it_leads() {
    let tree = Tree::new();
    for (place, target) in [("x/link", "../a/b/file"), ("x/folder", "../a/b"), ("x/far", "TREE/a/../a/./b/file")] {
        if !tree.path("x").exists() {
            create_dir(tree.path("x")).unwrap();
        }
        tree.mode("x", 0o755);
        let target = target.replace("TREE", &tree.0.path().display().to_string());
        symlink(target, tree.path(place)).unwrap();
        let name = if place == "x/folder" { "x/folder/file" } else { place };
        assert_eq!(tree.refused(name), None);
        for open in ["x", "a/b", "a"] {
            tree.mode(open, 0o777);
            let why = tree.refused(name).unwrap();
            assert!(why.starts_with(&format!("other users can change the folder `TREE/{open}`")), "{name} {why}");
            tree.mode(open, 0o755);
        }
        if is_root() {
            tree.mode("x", 0o1777);
            lchown(tree.path(place), Some(OTHER), None).unwrap();
            let why = tree.refused(name).unwrap();
            assert!(why.starts_with(&format!("the link `TREE/{place}` belongs to another user")), "{why}");
            assert!(
                why.ends_with(&format!("chown -h root TREE/{place}"))
                    || why.ends_with(&format!("chown root TREE/{place}"))
            );
        }
    }
}

#[test]
fn links_in_a_circle_end() {
    let tree = Tree::new();
    symlink("circle", tree.path("circle")).unwrap();
    let error = require_trusted(&tree.path("circle")).unwrap_err();
    assert!(matches!(&error, TrustError::Io(io) if io.raw_os_error() == Some(Errno::LOOP.raw_os_error())), "{error}");
}

#[test]
fn what_does_not_exist_is_judged_by_the_folders_above() {
    let tree = Tree::new();
    require_trusted(&tree.path("a/new/folder")).unwrap();
    tree.mode("a", 0o777);
    require_trusted(&tree.path("a/new/folder")).unwrap_err();
    symlink("new", tree.path("a/dangling")).unwrap();
    tree.mode("a", 0o755);
    require_trusted(&tree.path("a/dangling")).unwrap();
    assert!(matches!(open_trusted(&tree.path("a/new")), Err(TrustError::Io(_))));
}

#[test]
fn a_folder_is_judged_with_its_files() {
    let tree = Tree::new();
    let folder = || require_trusted_folder(&tree.path("a/b"));
    folder().unwrap();
    require_trusted_folder(&tree.path("a/none")).unwrap();
    // Others could add a file.
    tree.mode("a/b", 0o1777);
    let why = tree.shorten(&folder().unwrap_err());
    assert!(why.ends_with("chmod go-w TREE/a/b"), "{why}");
    tree.mode("a/b", 0o755);
    tree.mode("a/b/file", 0o666);
    let why = tree.shorten(&folder().unwrap_err());
    assert!(why.ends_with("chmod go-w TREE/a/b/file"), "{why}");
    tree.mode("a/b/file", 0o600);
    create_dir(tree.path("open")).unwrap();
    tree.mode("open", 0o777);
    symlink("../../open/target", tree.path("a/b/link")).unwrap();
    let why = tree.shorten(&folder().unwrap_err());
    assert!(why.contains("the folder `TREE/open`"), "{why}");
}

#[test]
fn a_relative_path_starts_at_the_current_folder() {
    // Tests run in the folder of their crate.
    let here = env::current_dir().unwrap();
    let inode = |path: &Path| Trust::of_this_user().walk(path).map(|found| found.map(|found| found.ino())).unwrap();
    assert_eq!(inode(Path::new("src/../Cargo.toml")), inode(&here.join("Cargo.toml")));
    let told = |path: &Path| require_trusted(path).err().map(|error| error.to_string());
    assert_eq!(told(Path::new("Cargo.toml")), told(&here.join("Cargo.toml")));
}

#[test]
fn devices_and_open_files_have_no_folders() {
    assert_eq!(read_trusted(Path::new("/dev/null")).unwrap(), b"");
    let tree = Tree::new();
    let file = File::open(tree.path("a/b/file")).unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file)));
    tree.mode("a", 0o777);
    assert_eq!(read_trusted(&path).unwrap(), b"text");
    tree.mode("a/b/file", 0o666);
    read_trusted(&path).unwrap_err();
    assert!(!is_descriptor(Path::new("/dev/fd/3/file")));
}

#[test]
fn temporary_files_go_where_others_cannot_replace_them() {
    let tree = Tree::new();
    for (mode, is_usual) in [(0o700, true), (0o1777, true), (0o777, false)] {
        tree.mode("a", mode);
        let other = PathBuf::from("/var/tmp");
        assert_eq!(usual_or_var_tmp(tree.path("a")), if is_usual { tree.path("a") } else { other }, "{mode:o}");
    }
}

#[test]
fn a_folder_for_everyone_stays_one() {
    let hint = |path: &str| {
        let found = Finding { path: path.into(), kind: "folder", owner: 0, mode: 0o777, wrong: Wrong::Writable };
        TrustError::Untrusted(vec![found]).hint().unwrap()
    };
    assert_eq!(hint("/tmp"), "chmod +t /tmp");
    assert_eq!(hint("/srv"), "chmod go-w /srv");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let tree = Tree::new();
    tree.mode("a", 0o777);
    tree.mode("a/b", 0o777);
    tree.mode("a/b/file", 0o666);
    let why = tree.refused("a/b/file").unwrap();
    assert!(why.starts_with("other users can change the folder `TREE/a` ("), "{why}");
    assert!(why.ends_with("; chmod go-w TREE/a TREE/a/b TREE/a/b/file"), "{why}");
    fs::write(tree.path("a/b/second"), "text").unwrap();
    tree.mode("a/b/second", 0o666);
    tree.mode("a/b/file", 0o644);
    let error = require_trusted_folder(&tree.path("a/b")).unwrap_err();
    assert!(tree.shorten(&error).ends_with("; chmod go-w TREE/a TREE/a/b TREE/a/b/second"), "{error}");
}

#[test]
fn the_root_folder_of_another_user_has_its_own_hint() {
    let found = Finding { path: "/".into(), kind: "folder", owner: OTHER, mode: 0o755, wrong: Wrong::Foreign };
    let hint = TrustError::Untrusted(vec![found]).hint().unwrap();
    assert!(hint.starts_with("a user namespace hides the owners of files"), "{hint}");
}

/// A process without a number sees itself and every other user as `nobody`.
#[test]
fn a_process_without_a_number_trusts_nobody() {
    let whole = "         0          0 4294967295\n";
    assert!(is_mapped(0, whole) && is_mapped(OTHER, whole));
    let part = "0 1000 1\n1 100000 65536\n";
    assert!(is_mapped(0, part) && is_mapped(65_536, part) && !is_mapped(65_537, part));
    assert!(!is_mapped(OTHER, ""));

    let tree = Tree::new();
    let mut trust = Trust::of(None);
    trust.judge(&tree.path("a"), &fs::metadata(tree.path("a")).unwrap());
    assert_eq!(trust.verdict().is_ok(), geteuid().is_root());
}

#[test]
fn a_private_folder_is_closed_to_others() {
    let tree = Tree::new();
    require_trusted_folder(&tree.path("a/b")).unwrap();
    let why = tree.shorten(&require_private_folder(&tree.path("a/b")).unwrap_err());
    assert!(why.starts_with("other users can look into the folder `TREE/a/b` ("), "{why}");
    assert!(why.ends_with("mode 0755); chmod go-rwx TREE/a/b"), "{why}");
    tree.mode("a/b", 0o700);
    require_private_folder(&tree.path("a/b")).unwrap();
    require_private_folder(&tree.path("a/none")).unwrap();
    let mut roots = Trust::of(Some(1_000));
    tree.mode("a", 0o2775);
    if is_root() {
        roots.judge_privacy(&tree.path("a"), &fs::metadata(tree.path("a")).unwrap());
        roots.verdict().unwrap();
    }
}

//! Only the owner can access the files, and every file is at its documented path.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use flowswap_engine::{Handle, Secret, SecretStore};
use flowswap_store::{AgeSecretStore, Identity, SqliteJournal, StateDir};

use crate::support::{Simply, draft, error_text};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file and folder under `root`, with its mode.
fn modes(root: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push((path.strip_prefix(root).unwrap().display().to_string(), mode(&path)));
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn only_the_owner_can_access_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::create(folder.path().join("a/b")).unwrap();
    let identity = Identity::generate(&state.root().join("identity.age"), None).unwrap();
    let secrets = AgeSecretStore::open(state.secrets(), identity).unwrap();
    secrets.put(&Handle::new("acme/key"), &Secret::new("s")).await.unwrap();
    let journal = SqliteJournal::open(&state.journal()).unwrap();
    journal.write(draft(1)).await.unwrap();
    let found = modes(folder.path());
    let expected = [
        ("a", 0o700),
        ("a/b", 0o700),
        ("a/b/identity.age", 0o600),
        ("a/b/journal.sqlite", 0o600),
        ("a/b/journal.sqlite-shm", 0o600),
        ("a/b/journal.sqlite-wal", 0o600),
        ("a/b/journal.sqlite.lock", 0o600),
        ("a/b/secrets", 0o700),
        ("a/b/secrets/.lock", 0o600),
        ("a/b/secrets/acme%2fkey.age", 0o600),
    ];
    assert_eq!(found, expected.map(|(path, mode)| (path.to_owned(), mode)));
}

#[test]
fn a_state_folder_inside_a_file_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let message = error_text(&StateDir::create(path.join("state")).unwrap_err());
    assert!(message.starts_with(&format!("failed to create the folder `{}`", path.display())), "{message}");
}

/// A copy is written once, and again only if it is damaged.
#[test]
fn the_copy_of_a_plan_is_private_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::create(folder.path().join("state")).unwrap();
    let path = state.plan("abc");
    assert_eq!(path, state.root().join("plans/abc.json"));
    let file = || fs::metadata(&path).unwrap();
    state.keep_plan("abc", "the plan").unwrap();
    let first = file().ino();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), file().mode() & 0o777), ("the plan", 0o600));
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    state.keep_plan("abc", "the plan").unwrap();
    assert_eq!(file().ino(), first, "it was written again");
    fs::write(&path, "the pl").unwrap();
    fs::write(path.with_file_name(".unfinished-abc"), "the").unwrap();
    state.keep_plan("abc", "the plan").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "the plan");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something is left of an interrupted writer");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.parent().unwrap(), "").unwrap();
    let message = error_text(&state.keep_plan("abc", "the plan").unwrap_err());
    assert!(message.starts_with("failed to create the folder `"), "{message}");
}

//! Only the owner can access the files, and every file is at its documented path.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
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

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    let identity = Identity::generate(&folder.path().join("identity.age"), None).unwrap();
    fs::create_dir(&path).unwrap();
    for (bits, is_refused) in [(0o700, false), (0o755, false), (0o775, true), (0o702, true), (0o777, true)] {
        fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
        assert_eq!(StateDir::create(&path).is_err(), is_refused, "{bits:o}");
        assert_eq!(AgeSecretStore::open(&path, identity.clone()).is_err(), is_refused, "{bits:o}");
    }
    let message = error_text(&StateDir::create(&path).unwrap_err());
    assert!(message.contains("other users can write to it (mode 0777); run `chmod go-w` on it"), "{message}");
}

#[test]
fn a_state_folder_inside_a_file_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let message = error_text(&StateDir::create(path.join("state")).unwrap_err());
    assert!(message.starts_with(&format!("failed to create the folder `{}`", path.display())), "{message}");
}

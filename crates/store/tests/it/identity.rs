//! Identity files: who may read them, what they may contain, and that no error reveals it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use flowswap_engine::Secret;
use flowswap_store::{Identity, IdentityError};
use tempfile::TempDir;

use crate::support::error_text;

fn identity_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity.age");
    (folder, path)
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_generated_identity_can_be_loaded() {
    let (_folder, path) = identity_file();
    let made = Identity::generate(&path, None).unwrap();
    assert_eq!(Identity::load(&path).unwrap().public_keys(), made.public_keys());
    assert_eq!(Identity::unlock(&path, &Secret::new("not needed")).unwrap().public_keys(), made.public_keys());

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("# created: 20") && lines[0].ends_with('Z'), "{}", lines[0]);
    assert_eq!(lines[1], format!("# public key: {}", made.public_keys()[0]));
    assert!(lines[2].starts_with("AGE-SECRET-KEY-1"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_identity_is_never_overwritten() {
    let (_folder, path) = identity_file();
    Identity::generate(&path, None).unwrap();
    let before = fs::read(&path).unwrap();
    let message = error_text(&Identity::generate(&path, None).unwrap_err());
    assert!(message.contains("failed to create the identity file") && message.contains("File exists"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let (_folder, path) = identity_file();
    Identity::generate(&path, None).unwrap();
    for (mode, is_refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match Identity::load(&path) {
            Ok(_) => assert!(!is_refused, "{mode:o}"),
            Err(IdentityError::Exposed { mode: found, .. }) => assert!(is_refused && found == mode, "{mode:o}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (_folder, path) = identity_file();
    Identity::generate(&path, None).unwrap();
    if chown(&path, Some(12_345), None).is_err() {
        println!("skipped: only root can give a file away");
        return;
    }
    let error = Identity::load(&path).unwrap_err();
    assert!(matches!(error, IdentityError::NotOwned { owner: 12_345, .. }), "{error:?}");
}

#[test]
fn a_file_that_is_not_an_identity_is_refused_without_quoting_it() {
    let (_folder, path) = identity_file();
    let canary = "AGE-SECRET-KEY-1CANARY";
    for (content, expected) in [
        (String::new(), "it contains no key"),
        ("# only a comment\n".to_owned(), "it contains no key"),
        (format!("# comment\n{canary}\n"), "line 2: invalid Bech32 encoding"),
        (format!("{canary} and more"), "line 1: "),
        ("age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z".to_owned(), "line 1: incorrect HRP"),
    ] {
        write(&path, &content);
        let error = Identity::load(&path).unwrap_err();
        assert!(error.to_string().contains(expected), "{content}: {error}");
        assert!(!error_text(&error).contains("CANARY"), "{error:?}");
    }
    write(&path, [0xff, 0xfe, 0x00]);
    assert!(Identity::load(&path).unwrap_err().to_string().ends_with("is not an age identity file: it is not text"));
}

#[test]
fn debug_shows_only_the_public_key() {
    let (_folder, path) = identity_file();
    let identity = Identity::generate(&path, None).unwrap();
    let text = format!("{identity:?}");
    assert!(text.contains(&identity.public_keys()[0]) && !text.contains("SECRET"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let (_folder, path) = identity_file();
    let message = error_text(&Identity::load(&path).unwrap_err());
    assert!(
        message.starts_with(&format!("failed to read the identity file `{}`: No such file", path.display())),
        "{message}"
    );
}

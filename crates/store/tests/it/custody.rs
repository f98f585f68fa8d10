//! Secrets: kept, given back, forgotten, and shown to nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowswap_engine::{Handle, Secret, SecretStore};
use flowswap_store::{AgeSecretStore, Identity};
use tempfile::TempDir;

use crate::support::tell;

struct Place {
    folder: TempDir,
    identity: Identity,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::generate(&folder.path().join("identity.age"), None).unwrap();
        Self { folder, identity }
    }

    fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    fn open(&self) -> AgeSecretStore {
        AgeSecretStore::open(self.secrets(), self.identity.clone()).unwrap()
    }

    fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.secrets()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

async fn read(store: &AgeSecretStore, handle: &Handle) -> Option<String> {
    store.get(handle).await.unwrap().map(|secret| secret.expose().to_owned())
}

/// Handles of every awkward kind, among them pairs that careless file names would confuse.
fn weird_handles() -> Vec<Handle> {
    let mut names: Vec<String> = [
        "",
        ".",
        "..",
        "/",
        "//",
        "../../etc/passwd",
        "/etc/passwd",
        "a/b",
        "a%2fb",
        "a%2Fb",
        "a\\b",
        "a:b",
        "A",
        "a",
        "acme/provision/client_secret",
        "Acme/Provision/client_secret",
        ".lock",
        ".unfinished-1",
        "x.age",
        "x",
        "~",
        "%",
        "%25",
        "-rf",
        "con",
        " ",
        "a b",
        "a\nb",
        "a\0b",
        "ÜBER/größe",
        "日本語",
        "é",
        "e\u{301}",
        "🔑",
        "~0",
        "_",
        "-",
    ]
    .map(String::from)
    .into();
    // Around the length at which names are hashed, and far beyond what a file system takes.
    names.extend([199, 200, 201, 255, 256, 5_000].map(|length| "l".repeat(length)));
    names.extend([66, 67, 100].map(|length| "L".repeat(length)));
    names.push("日".repeat(300));
    names.push("../".repeat(1_000));
    names.into_iter().map(Handle::new).collect()
}

async fn round_trip_all(place: &Place) {
    let handles = weird_handles();
    let store = place.open();
    for (number, handle) in handles.iter().enumerate() {
        assert_eq!(read(&store, handle).await, None, "{handle:?}");
        store.put(handle, &Secret::new(format!("value {number}"))).await.unwrap();
    }
    drop(store);

    let store = place.open();
    for (number, handle) in handles.iter().enumerate() {
        assert_eq!(read(&store, handle).await, Some(format!("value {number}")), "{handle:?}");
    }
    let mut sorted = handles.clone();
    sorted.sort();
    assert_eq!(store.list().unwrap(), sorted);
    let inside = place.names();
    assert!(inside.iter().all(|name| name.len() <= 255 && name.is_ascii()), "{inside:?}");
    let folded: BTreeSet<_> = inside.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), inside.len(), "file systems that ignore case keep them apart");
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 2, "nothing was written outside of the folder");

    for handle in &handles {
        store.remove(handle).await.unwrap();
        assert_eq!(read(&store, handle).await, None, "{handle:?}");
        store.remove(handle).await.unwrap();
    }
    assert_eq!(place.names(), BTreeSet::from([".lock".to_owned()]));
}

#[tokio::test]
async fn any_handle_is_kept_apart_from_any_other() {
    round_trip_all(&Place::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_handle_is_kept_apart_from_any_other_on_the_blocking_threads() {
    round_trip_all(&Place::new()).await;
}

#[tokio::test]
async fn any_value_comes_back_as_it_was() {
    let place = Place::new();
    let store = place.open();
    let handle = Handle::new("acme/key");
    for value in [String::new(), "x".into(), "line\nbreak\r\n\0".into(), "日本語".into(), "v".repeat(1 << 20)] {
        store.put(&handle, &Secret::new(value.clone())).await.unwrap();
        assert_eq!(read(&store, &handle).await, Some(value));
    }
    assert_eq!(store.list().unwrap(), [handle]);
}

#[tokio::test]
async fn another_identity_and_damage_are_told_apart() {
    let place = Place::new();
    let handle = Handle::new("acme/key");
    place.open().put(&handle, &Secret::new("canary-value")).await.unwrap();
    let stranger = Identity::generate(&place.folder.path().join("stranger.age"), None).unwrap();
    let stranger = AgeSecretStore::open(place.secrets(), stranger).unwrap();
    let error = tell(&stranger.get(&handle).await.unwrap_err());
    let expected = "failed to read the secret `acme/key`: its file is encrypted to another identity";
    assert!(error.starts_with(expected), "{error}");

    let store = place.open();
    let path = place.secrets().join("acme%2fkey.age");
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flips = (0..whole.len()).map(|position| {
        let mut flipped = whole.clone();
        flipped[position] ^= 1;
        flipped
    });
    for content in cuts.chain(flips) {
        fs::write(&path, content).unwrap();
        let told = tell(&store.get(&handle).await.unwrap_err());
        assert!(told.starts_with("failed to read the secret `acme/key`: its file is "), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(read(&store, &handle).await.as_deref(), Some("canary-value"));
}

#[tokio::test]
async fn the_value_is_nowhere_but_inside_the_encryption() {
    let place = Place::new();
    let store = place.open();
    let canary = "canary-7f3a9c-value";
    let handles = [Handle::new("acme/key"), Handle::new("long".repeat(100))];
    let mut shown = format!("{store:?}");
    for handle in &handles {
        store.put(handle, &Secret::new(canary)).await.unwrap();
        store.put(handle, &Secret::new(canary)).await.unwrap();
        shown += &format!("{:?}", store.get(handle).await.unwrap());
    }
    // A folder in the way makes the last step of the write fail, and the folder gone makes the first.
    let blocked = Handle::new("blocked");
    fs::create_dir(place.secrets().join("blocked.age")).unwrap();
    for error in [
        store.put(&blocked, &Secret::new(canary)).await.unwrap_err(),
        store.get(&blocked).await.unwrap_err(),
        store.remove(&blocked).await.unwrap_err(),
    ] {
        shown += &tell(&error);
    }
    assert!(!place.names().iter().any(|name| name.starts_with(".unfinished")), "a failed write leaves nothing");
    for path in walk(place.folder.path()) {
        let content = fs::read(&path).unwrap();
        assert!(!content.windows(canary.len()).any(|window| window == canary.as_bytes()), "{}", path.display());
    }
    fs::remove_dir_all(place.secrets()).unwrap();
    let error = store.put(&handles[0], &Secret::new(canary)).await.unwrap_err();
    assert!(error.to_string().starts_with("failed to store the secret `acme/key`"), "{error}");
    shown += &tell(&error);
    assert!(!shown.contains(canary), "{shown}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn leftovers_of_a_crash_are_ignored_and_removed_once_nobody_else_is_writing() {
    let place = Place::new();
    let store = place.open();
    let long = Handle::new("l".repeat(300));
    store.put(&Handle::new("kept"), &Secret::new("value")).await.unwrap();
    store.put(&long, &Secret::new("value")).await.unwrap();
    let before = place.names();
    // A file that was never renamed, and the handle of a secret that was never written.
    let orphan = format!("~{}.handle", "0".repeat(64));
    for name in [".unfinished-Ab12", &orphan] {
        fs::write(place.secrets().join(name), "half").unwrap();
    }
    assert_eq!(store.list().unwrap(), [Handle::new("kept"), long.clone()]);

    let second = place.open();
    assert!(place.names().contains(".unfinished-Ab12"), "it may belong to the store that is open");
    drop((store, second));
    let store = place.open();
    assert_eq!(place.names(), before);
    assert_eq!(store.list().unwrap(), [Handle::new("kept"), long]);
}

#[tokio::test]
async fn a_secret_under_a_name_that_no_handle_has_is_reported() {
    let place = Place::new();
    let store = place.open();
    for name in ["Upper.age", "a%2Fb.age", "%zz.age", "~1.age", "a%.age", "%ff.age"] {
        fs::write(place.secrets().join(name), "").unwrap();
        let told = tell(&store.list().unwrap_err());
        assert!(told.contains(&format!("failed to name the secret in `{}", place.secrets().display())), "{told}");
        assert!(told.contains(name), "{told}");
        fs::remove_file(place.secrets().join(name)).unwrap();
    }
    assert_eq!(store.list().unwrap(), []);
}

/// The same promise as the format's, kept by another implementation of it, in both directions.
#[tokio::test]
async fn the_age_tool_opens_our_files_and_we_open_its() {
    if Command::new("age").arg("--version").output().is_err() {
        println!("skipped: there is no `age` on the PATH; the library's round trip is tested elsewhere");
        return;
    }
    let place = Place::new();
    let store = place.open();
    let handle = Handle::new("acme/key");
    store.put(&handle, &Secret::new("from us")).await.unwrap();
    let identity = place.folder.path().join("identity.age");
    let file = place.secrets().join("acme%2fkey.age");
    let output = Command::new("age").arg("--decrypt").arg("-i").arg(&identity).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "from us");

    let plain = place.folder.path().join("plain");
    fs::write(&plain, "from age").unwrap();
    let encrypt =
        Command::new("age").args(["-r", &place.identity.public_keys()[0], "-o"]).arg(&file).arg(plain).status();
    assert!(encrypt.unwrap().success());
    assert_eq!(read(&store, &handle).await.as_deref(), Some("from age"));
}

//! Secrets: kept, given back, forgotten, and shown to nobody.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowswap_engine::{Handle, Secret, SecretStore};
use flowswap_store::{AgeSecretStore, Identity, Inventory, StrayProblem};
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

    fn inspect(&self) -> Inventory {
        AgeSecretStore::inspect(&self.secrets(), &self.identity).unwrap()
    }

    /// The secrets, where the folder holds nothing else.
    fn list(&self) -> Vec<Handle> {
        let Inventory { secrets, strays } = self.inspect();
        assert!(strays.is_empty(), "{strays:?}");
        secrets
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
    assert_eq!(place.list(), sorted);
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
    assert_eq!(place.list(), [handle]);
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
    let Inventory { secrets, strays } = place.inspect();
    assert_eq!(secrets, [Handle::new("kept"), long.clone()]);
    assert!(matches!(strays[0].problem, StrayProblem::Unfinished), "{strays:?}");
    assert!(matches!(strays[1].problem, StrayProblem::WithoutSecret), "{strays:?}");
    assert_eq!(strays.len(), 2);

    let second = place.open();
    assert!(place.names().contains(".unfinished-Ab12"), "it may belong to the store that is open");
    drop((store, second));
    let _alone = place.open();
    assert_eq!(place.names(), before);
    assert_eq!(place.list(), [Handle::new("kept"), long]);
}

/// Whatever else is in the folder is told by name, and does not hide the secrets that are well.
#[tokio::test]
async fn an_inventory_names_every_file_that_is_no_secret() {
    let place = Place::new();
    assert_eq!(place.list(), [], "a folder that is not there holds nothing");
    let store = place.open();
    let canary = Secret::new("canary-value");
    let long = |letter: &str| Handle::new(letter.repeat(300));
    let short = ["acme/key", "flipped", "kept", "other"].map(Handle::new);
    let handles: BTreeSet<_> = short.into_iter().chain([long("l"), long("m"), long("n")]).collect();
    for handle in &handles {
        store.put(handle, &canary).await.unwrap();
    }
    assert_eq!(place.list(), Vec::from_iter(handles));

    let stranger = Identity::generate(&place.folder.path().join("stranger.age"), None).unwrap();
    let stranger = AgeSecretStore::open(place.secrets(), stranger).unwrap();
    stranger.put(&Handle::new("other"), &canary).await.unwrap();
    let path = |name: &str| place.secrets().join(name);
    let mut flipped = fs::read(path("flipped.age")).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(path("flipped.age"), flipped).unwrap();
    fs::write(path("acme%2fkey.age"), "").unwrap();
    let named_by_file = |letter| {
        let handle = long(letter);
        let is_its = |name: &String| {
            name.ends_with(".handle") && fs::read_to_string(path(name)).is_ok_and(|text| text == handle.as_str())
        };
        place.names().into_iter().find(is_its).unwrap()
    };
    let handle_file = named_by_file("m");
    fs::remove_file(path(&handle_file)).unwrap();
    let nameless = handle_file.replace(".handle", ".age");
    let handle_file = named_by_file("n");
    fs::write(path(&handle_file), "acme/key").unwrap();
    let misnamed = handle_file.replace(".handle", ".age");
    fs::create_dir(path("folder.age")).unwrap();
    let orphan = format!("~{}.handle", "0".repeat(64));
    let foreign = ["%ff.age", "%zz.age", "Upper.age", "a%.age", "a%2Fb.age", "notes.txt", "short.handle"];
    for name in foreign.iter().copied().chain([".unfinished-Ab12", &orphan]) {
        fs::write(path(name), "half").unwrap();
    }
    fs::write(place.secrets().join(OsStr::from_bytes(b"\xff.age")), "not text").unwrap();

    let Inventory { secrets, strays } = place.inspect();
    assert_eq!(secrets, [Handle::new("kept"), long("l")]);
    let told = strays.iter().map(|stray| {
        let name = stray.path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(stray.to_string().starts_with(&format!("`{}` is ", stray.path.display())), "{stray}");
        (name, stray.handle.as_ref().map(ToString::to_string), stray.problem.to_string())
    });
    let told: BTreeSet<_> = told.collect();
    let no_file = "no file of flowswap's";
    let mut expected: BTreeSet<_> = foreign.iter().map(|name| (name.to_string(), None, no_file.to_owned())).collect();
    for (name, handle, problem) in [
        ("acme%2fkey.age", Some("acme/key"), "a secret that is damaged"),
        ("flipped.age", Some("flipped"), "a secret that is damaged"),
        ("other.age", Some("other"), "a secret that is encrypted to another identity"),
        ("folder.age", Some("folder"), "a secret that cannot be read: Is a directory (os error 21)"),
        (&nameless, None, "a secret whose name is not there"),
        (&misnamed, None, "a secret whose name is not there"),
        (&orphan, None, "the name of a secret that is not there"),
        (".unfinished-Ab12", None, "a write that was cut off, or that another process is just doing"),
        ("\u{fffd}.age", None, no_file),
    ] {
        expected.insert((name.to_owned(), handle.map(str::to_owned), problem.to_owned()));
    }
    assert_eq!(told, expected);
    assert!(!format!("{strays:?}").contains("canary"));
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

#[tokio::test]
async fn who_only_reads_makes_cleans_and_writes_nothing() {
    let place = Place::new();
    let reader = AgeSecretStore::read_only(place.secrets(), place.identity.clone());
    let handle = Handle::new("acme/provision/client_secret");
    assert_eq!(read(&reader, &handle).await, None);
    assert!(!place.secrets().exists());
    place.open().put(&handle, &Secret::new("kept")).await.unwrap();
    fs::write(place.secrets().join(".unfinished-1"), "cut off").unwrap();
    let names = place.names();
    assert_eq!(read(&reader, &handle).await.as_deref(), Some("kept"));
    for refused in [reader.put(&handle, &Secret::new("other")).await, reader.remove(&handle).await] {
        assert!(tell(&refused.unwrap_err()).contains("the secrets were opened for reading only"));
    }
    assert_eq!(place.names(), names);
}

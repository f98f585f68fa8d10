//! The secret store keeps, returns, and removes secrets, and never reveals them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowswap_engine::{Handle, Secret, SecretStore};
use flowswap_store::{AgeSecretStore, FileProblem, Identity, Inventory};
use tempfile::TempDir;

use crate::support::error_text;

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

    /// Lists the secrets, and asserts that the folder contains nothing else.
    fn list(&self) -> Vec<Handle> {
        let Inventory { secrets, unbound, unusable, .. } = self.inspect();
        assert!(unusable.is_empty() && unbound == 0, "{unusable:?}");
        secrets
    }

    fn names(&self) -> BTreeSet<String> {
        fs::read_dir(self.secrets()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

async fn read(store: &AgeSecretStore, handle: &Handle) -> Option<String> {
    store.get(handle).await.unwrap().map(|secret| secret.expose().to_owned())
}

/// Awkward handles of every kind, including pairs that a naive file name would confuse.
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
    // Around the length from which names are hashed, and far beyond the limit of file systems.
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
async fn every_handle_has_its_own_secret() {
    round_trip_all(&Place::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_handle_has_its_own_secret_on_a_multi_threaded_runtime() {
    round_trip_all(&Place::new()).await;
}

#[tokio::test]
async fn every_value_is_returned_unchanged() {
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
async fn a_wrong_identity_and_damage_give_different_errors() {
    let place = Place::new();
    let handle = Handle::new("acme/key");
    place.open().put(&handle, &Secret::new("canary-value")).await.unwrap();
    let stranger = Identity::generate(&place.folder.path().join("stranger.age"), None).unwrap();
    let stranger = AgeSecretStore::open(place.secrets(), stranger).unwrap();
    let error = error_text(&stranger.get(&handle).await.unwrap_err());
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
        let message = error_text(&store.get(&handle).await.unwrap_err());
        assert!(message.starts_with("failed to read the secret `acme/key`: its file is "), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(read(&store, &handle).await.as_deref(), Some("canary-value"));
}

#[tokio::test]
async fn the_plain_value_is_in_no_file_and_no_message() {
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
    // A folder at the target path makes the last step of a write fail; removing the parent folder makes the first fail.
    let blocked = Handle::new("blocked");
    fs::create_dir(place.secrets().join("blocked.age")).unwrap();
    for error in [
        store.put(&blocked, &Secret::new(canary)).await.unwrap_err(),
        store.get(&blocked).await.unwrap_err(),
        store.remove(&blocked).await.unwrap_err(),
    ] {
        shown += &error_text(&error);
    }
    assert!(!place.names().iter().any(|name| name.starts_with(".unfinished")), "a failed write leaves nothing");
    for path in walk(place.folder.path()) {
        let content = fs::read(&path).unwrap();
        assert!(!content.windows(canary.len()).any(|window| window == canary.as_bytes()), "{}", path.display());
    }
    fs::remove_dir_all(place.secrets()).unwrap();
    let error = store.put(&handles[0], &Secret::new(canary)).await.unwrap_err();
    assert!(error.to_string().starts_with("failed to store the secret `acme/key`"), "{error}");
    shown += &error_text(&error);
    assert!(!shown.contains(canary), "{shown}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn leftovers_of_a_crash_are_ignored_and_removed_once_no_other_store_is_open() {
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
    let Inventory { secrets, unusable, .. } = place.inspect();
    assert_eq!(secrets, [Handle::new("kept"), long.clone()]);
    assert!(matches!(unusable[0].problem, FileProblem::Unfinished), "{unusable:?}");
    assert!(matches!(unusable[1].problem, FileProblem::WithoutSecret), "{unusable:?}");
    assert_eq!(unusable.len(), 2);

    let second = place.open();
    assert!(place.names().contains(".unfinished-Ab12"), "it may belong to the store that is open");
    drop((store, second));
    let _only = place.open();
    assert_eq!(place.names(), before);
    assert_eq!(place.list(), [Handle::new("kept"), long]);
}

/// Other files are listed by name and do not hide the usable secrets.
#[tokio::test]
async fn an_inventory_names_every_file_that_is_not_a_usable_secret() {
    let place = Place::new();
    assert_eq!(place.list(), [], "a missing folder contains nothing");
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
    let name_file_of = |letter| {
        let handle = long(letter);
        let is_its_name_file = |name: &String| {
            name.ends_with(".handle") && fs::read_to_string(path(name)).is_ok_and(|text| text == handle.as_str())
        };
        place.names().into_iter().find(is_its_name_file).unwrap()
    };
    let handle_file = name_file_of("m");
    fs::remove_file(path(&handle_file)).unwrap();
    let nameless = handle_file.replace(".handle", ".age");
    let handle_file = name_file_of("n");
    fs::write(path(&handle_file), "acme/key").unwrap();
    let misnamed = handle_file.replace(".handle", ".age");
    fs::create_dir(path("folder.age")).unwrap();
    let orphan = format!("~{}.handle", "0".repeat(64));
    let foreign = ["%ff.age", "%zz.age", "Upper.age", "a%.age", "a%2Fb.age", "notes.txt", "short.handle"];
    for name in foreign.iter().copied().chain([".unfinished-Ab12", &orphan]) {
        fs::write(path(name), "half").unwrap();
    }
    fs::write(place.secrets().join(OsStr::from_bytes(b"\xff.age")), "not text").unwrap();

    let Inventory { secrets, unusable, .. } = place.inspect();
    assert_eq!(secrets, [Handle::new("kept"), long("l")]);
    let listed = unusable.iter().map(|file| {
        let name = file.path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(file.to_string().starts_with(&format!("`{}` is ", file.path.display())), "{file}");
        (name, file.handle.as_ref().map(ToString::to_string), file.problem.to_string())
    });
    let listed: BTreeSet<_> = listed.collect();
    let not_ours = "not a file of flowswap";
    let mut expected: BTreeSet<_> = foreign.iter().map(|name| (name.to_string(), None, not_ours.to_owned())).collect();
    for (name, handle, problem) in [
        ("acme%2fkey.age", Some("acme/key"), "a damaged secret"),
        ("flipped.age", Some("flipped"), "a damaged secret"),
        ("other.age", Some("other"), "a secret encrypted to another identity"),
        ("folder.age", Some("folder"), "an unreadable secret: Is a directory (os error 21)"),
        (&nameless, None, "a secret without its name file"),
        (&misnamed, None, "a secret without its name file"),
        (&orphan, None, "a name file whose secret is missing"),
        (".unfinished-Ab12", None, "an unfinished write: it was interrupted, or another process is writing now"),
        ("\u{fffd}.age", None, not_ours),
    ] {
        expected.insert((name.to_owned(), handle.map(str::to_owned), problem.to_owned()));
    }
    assert_eq!(listed, expected);
    assert!(!format!("{unusable:?}").contains("canary"));
}

/// Short names, a hashed name, and a handle that is the beginning of another.
#[tokio::test]
async fn a_file_under_the_name_of_another_secret_is_refused() {
    let place = Place::new();
    let store = place.open();
    let handles = ["acme/key", "acme/key2", "globex/key"].map(Handle::new).into_iter();
    let handles: Vec<_> = handles.chain([Handle::new("l".repeat(300))]).collect();
    let mut files = Vec::new();
    for handle in &handles {
        let before = place.names();
        store.put(handle, &Secret::new(format!("canary of {handle}"))).await.unwrap();
        let written = &place.names() - &before;
        let name = written.into_iter().find(|name| name.ends_with(".age")).unwrap();
        files.push((handle, place.secrets().join(&name), fs::read(place.secrets().join(name)).unwrap()));
    }
    for (own, _, content) in &files {
        for (handle, path, right) in files.iter().filter(|(handle, ..)| handle != own) {
            fs::write(path, content).unwrap();
            let error = error_text(&store.get(handle).await.unwrap_err());
            let expected =
                format!("failed to read the secret `{handle}`: its file is that of another secret, `{own}`: somebody");
            assert!(error.starts_with(&expected) && !error.contains("canary"), "{error}");
            let [file] = place.inspect().unusable.try_into().unwrap();
            assert_eq!(file.handle.as_ref(), Some(*handle));
            let expected = format!("the file of another secret, `{own}`: somebody moved or swapped it");
            assert_eq!(file.problem.to_string(), expected);
            fs::write(path, right).unwrap();
        }
    }
    assert_eq!(place.list().len(), files.len());
}

#[tokio::test]
async fn files_of_earlier_versions_are_read_and_counted() {
    let place = Place::new();
    let store = place.open();
    let (old, new) = (Handle::new("acme/key"), Handle::new("globex/key"));
    for handle in [&old, &new] {
        store.put(handle, &Secret::new("bound")).await.unwrap();
    }
    let recipient: age::x25519::Recipient = place.identity.public_keys()[0].parse().unwrap();
    let content = age::encrypt(&recipient, b"from an earlier version").unwrap();
    fs::write(place.secrets().join("acme%2fkey.age"), content).unwrap();
    assert_eq!(read(&store, &old).await.as_deref(), Some("from an earlier version"));
    assert_eq!(read(&store, &new).await.as_deref(), Some("bound"));
    let Inventory { secrets, unbound, unusable, .. } = place.inspect();
    assert_eq!((secrets, unbound, unusable.len()), (vec![old.clone(), new], 1, 0));
    // A write makes a file of this version.
    store.put(&old, &Secret::new("from this version")).await.unwrap();
    assert_eq!(place.inspect().unbound, 0);
}

/// Checks the file format in both directions against an independent implementation.
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
    assert_eq!(output.stdout, b"\xffflowswap-secret-v1\xffacme/key\xfffrom us");

    let plain = place.folder.path().join("plain");
    fs::write(&plain, "from age").unwrap();
    let encrypt =
        Command::new("age").args(["-r", &place.identity.public_keys()[0], "-o"]).arg(&file).arg(plain).status();
    assert!(encrypt.unwrap().success());
    assert_eq!(read(&store, &handle).await.as_deref(), Some("from age"));
}

#[tokio::test]
async fn a_read_only_store_creates_removes_and_writes_nothing() {
    let place = Place::new();
    let reader = AgeSecretStore::read_only(place.secrets(), place.identity.clone());
    let handle = Handle::new("acme/provision/client_secret");
    assert_eq!(read(&reader, &handle).await, None);
    assert!(!place.secrets().exists());
    place.open().put(&handle, &Secret::new("kept")).await.unwrap();
    fs::write(place.secrets().join(".unfinished-1"), "half").unwrap();
    let names = place.names();
    assert_eq!(read(&reader, &handle).await.as_deref(), Some("kept"));
    for refused in [reader.put(&handle, &Secret::new("other")).await, reader.remove(&handle).await] {
        assert!(error_text(&refused.unwrap_err()).contains("the secret store is open for reading only"));
    }
    assert_eq!(place.names(), names);
}

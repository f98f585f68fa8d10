//! Several people open the same secrets, each with a key of their own.

use std::{fs, path::Path, process::Command};

use flowswap_engine::{Handle, Secret, SecretStore};
use flowswap_store::{AgeSecretStore, Identity, IdentityError, Recipient};

/// A private SSH key by OpenSSH, and its public one.
fn ssh_key(folder: &Path, kind: &str, passphrase: &str) -> (Identity, Recipient) {
    let file = folder.join(kind);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-C", "ada@example.com", "-N", passphrase, "-f"]).arg(&file);
    assert!(command.status().expect("OpenSSH is installed").success());
    let public = fs::read_to_string(file.with_extension("pub")).unwrap().parse().unwrap();
    let identity = if passphrase.is_empty() {
        Identity::load(&file).unwrap()
    } else {
        assert!(matches!(Identity::load(&file).unwrap_err(), IdentityError::Locked { .. }));
        let wrong = Identity::unlock(&file, &Secret::new("another")).unwrap_err();
        assert!(matches!(wrong, IdentityError::WrongPassphrase { .. }), "{wrong}");
        Identity::unlock(&file, &Secret::new(passphrase)).unwrap()
    };
    (identity, public)
}

/// What this identity reads, or why it cannot.
async fn read(folder: &Path, identity: &Identity, handle: &Handle) -> Result<Option<String>, String> {
    let read = AgeSecretStore::read_only(folder, identity.clone()).get(handle).await;
    read.map(|secret| secret.map(|secret| secret.expose().to_owned()))
        .map_err(|error| crate::support::error_text(&error))
}

#[tokio::test]
async fn each_recipient_opens_the_secrets_until_they_are_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    let own = Identity::create();
    let colleague = Identity::create();
    let keys = [
        (colleague.clone(), colleague.recipients().remove(0)),
        ssh_key(folder.path(), "ed25519", "correct horse"),
        ssh_key(folder.path(), "rsa", ""),
    ];
    assert_eq!((keys[1].1.comment(), keys[1].0.recipients()), ("ada@example.com", vec![keys[1].1.clone()]));
    let before = Handle::new("acme/before");
    let after = Handle::new("acme/after");
    AgeSecretStore::open(&secrets, own.clone()).unwrap().put(&before, &Secret::new("canary-1")).await.unwrap();

    let others: Vec<Recipient> = keys.iter().map(|(_, recipient)| recipient.clone()).collect();
    // Naming one's own key as well changes nothing.
    let named = [others.clone(), own.recipients()].concat();
    let store = AgeSecretStore::open_for(&secrets, own.clone(), &named).unwrap();
    store.put(&after, &Secret::new("canary-2")).await.unwrap();
    let count = |identity: &Identity| AgeSecretStore::inspect(&secrets, identity).unwrap().recipients;
    assert_eq!(count(&own), [(1, 1), (4, 1)].into());
    for (identity, recipient) in &keys {
        assert_eq!(read(&secrets, identity, &after).await, Ok(Some("canary-2".to_owned())), "{recipient:?}");
        let refused = read(&secrets, identity, &before).await.unwrap_err();
        assert!(refused.contains("encrypted to another identity"), "{refused}");
    }

    for handle in [&before, &after] {
        assert!(store.rekey(handle).await.unwrap());
    }
    assert!(!store.rekey(&Handle::new("acme/missing")).await.unwrap());
    assert_eq!(count(&own), [(4, 2)].into());
    for (identity, recipient) in &keys {
        assert_eq!(read(&secrets, identity, &before).await, Ok(Some("canary-1".to_owned())), "{recipient:?}");
    }
    drop(store);

    // One of them leaves.
    let left = &others[1..];
    let store = AgeSecretStore::open_for(&secrets, own.clone(), left).unwrap();
    for handle in [&before, &after] {
        store.rekey(handle).await.unwrap();
    }
    assert!(read(&secrets, &colleague, &before).await.is_err() && read(&secrets, &colleague, &after).await.is_err());
    for identity in [&own, &keys[1].0, &keys[2].0] {
        assert_eq!(read(&secrets, identity, &after).await, Ok(Some("canary-2".to_owned())));
    }
}

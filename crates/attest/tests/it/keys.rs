//! Keys of every type that `ssh-keygen` makes: flowswap accepts what it signs, and it accepts what flowswap keeps.

use flowswap_attest::{Envelope, Signers, SshError, armor, judge, unarmor};

use crate::{
    refusals::{expected, statement},
    ssh_keygen::{Key, NAMESPACE, verifies},
};

const KINDS: [&str; 6] = ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-4096"];

#[test]
fn every_type_of_key_signs_approvals_that_both_accept() {
    let dir = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let key = Key::new(&dir, kind, kind);
        let unsigned = statement().to_sign();
        let bytes = unsigned.bytes();
        let envelope = unsigned.seal(key.sign(&bytes));
        let read_again = Envelope::read(&envelope.render()).unwrap();
        assert_eq!(read_again, envelope);
        let lines = format!("alice@example.com {}", key.public);
        let signers = Signers::read(&lines).unwrap();
        let judged = judge(&read_again, &signers, &expected());
        let approval = judged.into_iter().next().unwrap().unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(approval.signer.principals.contains("alice@example.com"), "{kind}");
        assert_eq!(approval.signer.fingerprint, envelope.signatures[0].key_id, "{kind}");
        let armored = armor(&envelope.signatures[0].signature);
        assert!(verifies(dir.path(), &lines, "alice@example.com", &armored, &bytes), "{kind}");
        assert!(!verifies(dir.path(), &lines, "alice@example.com", &armored, b"other"), "{kind}");
    }
}

/// The armor is exactly what `ssh-keygen` prints, so nothing of a signature is lost.
#[test]
fn the_armor_is_that_of_ssh_keygen() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::new(&dir, "key", "ed25519");
    let armored = key.sign_armored(NAMESPACE, b"hello");
    assert_eq!(armor(&unarmor(NAMESPACE, &armored).unwrap().signature), armored);
    let other = unarmor(NAMESPACE, &key.sign_armored("git", b"hello"));
    assert!(matches!(other, Err(SshError::Namespace { found, .. }) if found == "git"));
    for text in ["", "hello", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"] {
        assert!(matches!(unarmor(NAMESPACE, text), Err(SshError::Malformed)), "{text}");
    }
}

#[test]
fn a_short_rsa_key_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::new(&dir, "short", "rsa-1024");
    let unsigned = statement().to_sign();
    let signature = key.sign(&unsigned.bytes());
    let signers = Signers::read(&format!("alice {}", key.public)).unwrap();
    let refused = judge(&unsigned.seal(signature), &signers, &expected()).remove(0).unwrap_err();
    assert_eq!(refused.to_string(), "the signature does not count: its RSA key has fewer than 2048 bits");
}

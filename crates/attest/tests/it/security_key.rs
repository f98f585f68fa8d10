//! Keys on hardware. Their private parts cannot be had for a test, so this one signs as such a key does (`PROTOCOL.u2f` of
//! OpenSSH), and `ssh-keygen` confirms it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowswap_attest::{Refusal, Signature, Signers, SshError, armor, judge};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256, Sha512};

use crate::{
    refusals::{expected, statement},
    ssh_keygen::{NAMESPACE, verifies},
};

const KIND: &str = "sk-ssh-ed25519@openssh.com";

/// A string of the SSH protocol (RFC 4251 §5).
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// The public key of a security key, and its signature of these bytes with these flags.
fn sign(bytes: &[u8], flags: u8) -> (Vec<u8>, Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = [string(KIND.as_bytes()), string(pair.public_key().as_ref()), string(b"ssh:")].concat();
    let to_sign = [
        &b"SSHSIG"[..],
        &string(NAMESPACE.as_bytes()),
        &string(b""),
        &string(b"sha512"),
        &string(&Sha512::digest(bytes)),
    ]
    .concat();
    // It has signed four times before.
    let counter = 5_u32.to_be_bytes();
    let touched = [&Sha256::digest(b"ssh:")[..], &[flags], &counter, &Sha256::digest(&to_sign)].concat();
    let made = [&string(KIND.as_bytes())[..], &string(pair.sign(&touched).as_ref()), &[flags], &counter].concat();
    let signature = [
        &b"SSHSIG"[..],
        &1_u32.to_be_bytes(),
        &string(&key),
        &string(NAMESPACE.as_bytes()),
        &string(b""),
        &string(b"sha512"),
        &string(&made),
    ]
    .concat();
    (key, signature)
}

#[test]
fn a_security_key_signs_approvals_that_both_accept() {
    let unsigned = statement().to_sign();
    let bytes = unsigned.bytes();
    let (key, signature) = sign(&bytes, 1);
    let lines = format!("alice {KIND} {}", STANDARD.encode(&key));
    let dir = tempfile::tempdir().unwrap();
    assert!(verifies(dir.path(), &lines, "alice", &armor(&signature), &bytes));
    let signers = Signers::read(&lines).unwrap();
    let seal = |signature| unsigned.clone().seal(Signature { key_id: String::new(), signature });
    judge(&seal(signature.clone()), &signers, &expected()).remove(0).unwrap();

    // Another counter is another signature.
    let mut forged = signature;
    *forged.last_mut().unwrap() ^= 1;
    assert!(!verifies(dir.path(), &lines, "alice", &armor(&forged), &bytes));
    let judged = judge(&seal(forged), &signers, &expected()).remove(0);
    assert!(matches!(judged, Err(Refusal::Signature(SshError::Forged))));
}

/// A program on the machine of the person can get such a signature without the person.
#[test]
fn a_signature_that_nobody_touched_the_key_for_does_not_count() {
    let unsigned = statement().to_sign();
    let bytes = unsigned.bytes();
    // The person was only verified (4), or neither.
    for flags in [0, 4] {
        let (key, signature) = sign(&bytes, flags);
        let lines = format!("alice {KIND} {}", STANDARD.encode(&key));
        let dir = tempfile::tempdir().unwrap();
        assert!(verifies(dir.path(), &lines, "alice", &armor(&signature), &bytes), "ssh-keygen takes it");
        let envelope = unsigned.clone().seal(Signature { key_id: String::new(), signature });
        let judged = judge(&envelope, &Signers::read(&lines).unwrap(), &expected()).remove(0);
        assert!(matches!(judged, Err(Refusal::Signature(SshError::Untouched))), "{flags}: {judged:?}");
    }
}

//! Anchors of the journal: who signed them, and that nothing else passes for one.

use flowswap_attest::{AnchorError, AnchorPredicate, Predicate as _, Signers, Statement, read_anchor, unarmor};
use jiff::tz::TimeZone;

use crate::{
    refusals::{expected, statement},
    ssh_keygen::Key,
};

fn anchor(key: &Key, namespace: &'static str) -> String {
    let predicate = AnchorPredicate { records: 42, anchored_at: expected().now };
    let unsigned = Statement::new("journal.sqlite".to_owned(), "abcd".to_owned(), predicate).to_sign();
    let armored = key.sign_armored(namespace, &unsigned.bytes());
    unsigned.seal(unarmor(namespace, &armored).unwrap()).render()
}

#[test]
fn an_anchor_says_who_signed_what() {
    let dir = tempfile::tempdir().unwrap();
    let (alice, bob) = (Key::new(&dir, "alice", "ed25519"), Key::new(&dir, "bob", "ed25519"));
    let signers = Signers::read(&format!("alice {}", alice.public), &TimeZone::UTC).unwrap();
    let now = expected().now;
    let good = anchor(&alice, AnchorPredicate::NAMESPACE);
    let (read, fingerprint, signer) = read_anchor(&good, Some(&signers), now).unwrap();
    assert_eq!((read.predicate.records, read.subject[0].digest.sha256.as_str()), (42, "abcd"));
    assert_eq!(signer.unwrap().fingerprint, fingerprint);
    // Without a file of signers, anybody's key will do, and the reader learns which one.
    assert!(read_anchor(&anchor(&bob, AnchorPredicate::NAMESPACE), None, now).unwrap().2.is_none());

    let unsigned = statement().to_sign();
    let approval = unsigned.clone().seal(alice.sign(&unsigned.bytes())).render();
    let as_anchor =
        unarmor(AnchorPredicate::NAMESPACE, &alice.sign_armored(AnchorPredicate::NAMESPACE, &unsigned.bytes()));
    let approval_for_anchors = unsigned.seal(as_anchor.unwrap()).render();
    let table = [
        ("a stranger's", anchor(&bob, AnchorPredicate::NAMESPACE), "nobody in the file of signers"),
        ("signed for something else", anchor(&alice, "flowswap-approval"), "the namespace `flowswap-approval`"),
        ("an approval", approval, "the namespace `flowswap-approval`"),
        ("an approval, signed as an anchor", approval_for_anchors, "it is of type `https://github.com"),
        ("no envelope", "{}".to_owned(), "not a DSSE envelope"),
    ];
    for (case, text, why) in table {
        let error: AnchorError = read_anchor(&text, Some(&signers), now).expect_err(case);
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
        let text: String = causes.map(|cause| format!("{cause}: ")).collect();
        assert!(text.contains(why), "{case}: {text}");
    }
}

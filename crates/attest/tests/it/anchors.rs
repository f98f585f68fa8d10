//! Anchors of the journal: who signed them, and that nothing else passes for one.

use flowswap_attest::{
    AnchorPredicate, ExportPredicate, Predicate as _, Signed, SignedError, Signers, Statement, StatementError, Subject,
    unarmor,
};

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
    let signers = Signers::read(&format!("alice {}", alice.public)).unwrap();
    let read = |text: &str, signers| Signed::<AnchorPredicate>::read(text, signers, expected().now);
    let good = anchor(&alice, AnchorPredicate::NAMESPACE);
    let signed = read(&good, Some(&signers)).unwrap();
    assert_eq!(signed.signer.unwrap().fingerprint, signed.fingerprint);
    let (subject, predicate) = signed.statement.into_one().unwrap();
    assert_eq!((predicate.records, subject.digest.sha256.as_str()), (42, "abcd"));
    // Without a file of signers, anybody's key will do, and the reader learns which one.
    assert!(read(&anchor(&bob, AnchorPredicate::NAMESPACE), None).unwrap().signer.is_none());

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
        let error: SignedError = read(&text, Some(&signers)).expect_err(case);
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
        let text: String = causes.map(|cause| format!("{cause}: ")).collect();
        assert!(text.contains(why), "{case}: {text}");
    }
}

/// A statement of several things is no anchor and no approval, even with a good signature.
#[test]
fn only_an_export_is_about_several_things() {
    let subject = |name: &str| Subject::read(name.to_owned(), &b"hello"[..]).unwrap();
    let predicate = ExportPredicate {
        version: "1".to_owned(),
        records: 42,
        last_hash: "abcd".to_owned(),
        tenants: Vec::new(),
        missing_plans: Vec::new(),
        exported_at: expected().now,
    };
    let export = Statement::about(vec![subject("a"), subject("b")], predicate.clone());
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert!(export.subject.iter().all(|subject| subject.digest.sha256 == hello));
    for (subjects, count) in [(Vec::new(), 0), (export.subject.clone(), 2)] {
        let refused = Statement::about(subjects, predicate.clone()).into_one().unwrap_err();
        assert!(matches!(refused, StatementError::Subjects(found) if found == count), "{refused}");
    }

    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    let unsigned = export.to_sign();
    let armored = alice.sign_armored(ExportPredicate::NAMESPACE, &unsigned.bytes());
    let text = unsigned.seal(unarmor(ExportPredicate::NAMESPACE, &armored).unwrap()).render();
    assert_eq!(Signed::<ExportPredicate>::read(&text, None, expected().now).unwrap().statement, export);
}

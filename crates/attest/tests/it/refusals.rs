//! Everything that can be wrong with an approval, and what flowswap says of it.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_attest::{
    Approval, ApprovalPredicate, Envelope, Expected, Refusal, Signers, Statement, count_persons, judge, unarmor,
};
use jiff::Timestamp;

use crate::ssh_keygen::{Key, NAMESPACE};

const PLAN: &str = "8f00b204e9800998ecf8427e0000000000000000000000000000000000000000";

pub(crate) fn statement() -> Statement<ApprovalPredicate> {
    Statement::new("plan.json".to_owned(), PLAN.to_owned(), predicate())
}

fn predicate() -> ApprovalPredicate {
    let Expected { classes, configuration, plugins, now, .. } = expected();
    let reason = "CHG-1042".to_owned();
    ApprovalPredicate {
        classes,
        reason,
        approved_at: now,
        not_after: time("2026-11-29T08:00:00Z"),
        configuration,
        plugins,
    }
}

pub(crate) fn expected() -> Expected {
    Expected {
        plan: PLAN.to_owned(),
        classes: ["aaaaaaaaaaaa", "bbbbbbbbbbbb"].map(str::to_owned).into(),
        configuration: "c0ffee".to_owned(),
        plugins: [("okta", "11"), ("rest", "22")].map(|(name, sha256)| (name.to_owned(), sha256.to_owned())).into(),
        excluded: None,
        now: time("2026-11-28T08:00:00Z"),
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seal(statement: &Statement<ApprovalPredicate>, key: &Key) -> Envelope {
    let unsigned = statement.to_sign();
    let signature = key.sign(&unsigned.bytes());
    unsigned.seal(signature)
}

/// An approval with one thing changed, signed as always.
fn changed(key: &Key, change: impl FnOnce(&mut Statement<ApprovalPredicate>)) -> Envelope {
    let mut statement = statement();
    change(&mut statement);
    seal(&statement, key)
}

/// An approval whose JSON somebody edits before signing.
fn foreign(key: &Key, from: &str, to: &str) -> Envelope {
    let mut envelope = statement().to_sign().seal(key.sign(b""));
    envelope.payload = String::from_utf8(envelope.payload).unwrap().replacen(from, to, 1).into_bytes();
    envelope.signatures = vec![key.sign(&envelope.signed_bytes())];
    envelope
}

fn judge_one(envelope: &Envelope, signers: &Signers, expected: &Expected) -> Result<Approval, Refusal> {
    let mut judged = judge(envelope, signers, expected);
    assert_eq!(judged.len(), 1);
    judged.remove(0)
}

#[test]
fn each_approval_that_does_not_count_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    let stranger = Key::new(&dir, "stranger", "ed25519");
    let signers = |options: &str| Signers::read(&format!("alice@example.com {options} {}", alice.public)).unwrap();
    let all = signers("");
    let good = seal(&statement(), &alice);
    judge_one(&good, &all, &expected()).unwrap();

    let edited =
        Envelope { payload: changed(&alice, |it| it.predicate.reason = "other".into()).payload, ..good.clone() };
    let other_type = Envelope { payload_type: "application/json".to_owned(), ..good.clone() };
    let mut flipped = good.clone();
    *flipped.signatures[0].signature.last_mut().unwrap() ^= 1;
    let mut longer = good.clone();
    longer.signatures[0].signature.push(0);
    let mut for_git = good.clone();
    let armored = alice.sign_armored("git", &good.signed_bytes());
    for_git.signatures[0].signature = base64_of(&armored);
    assert!(unarmor(NAMESPACE, &armored).is_err());

    let table: Vec<(&str, Envelope, &Signers, &str)> = vec![
        ("edited after signing", edited, &all, "does not match what was signed"),
        ("another type of payload", other_type, &all, "does not match what was signed"),
        ("forged", flipped, &all, "does not match what was signed"),
        ("bytes after the signature", longer, &all, "it is not an SSH signature"),
        ("signed as a commit", for_git, &all, "it was made for the namespace `git`"),
        ("an unknown key", seal(&statement(), &stranger), &all, "nobody in the file of signers has the key SHA256:"),
        (
            "another plan",
            changed(&alice, |it| it.subject[0].digest.sha256 = "0".repeat(64)),
            &all,
            "approves the plan 000",
        ),
        (
            "expired",
            changed(&alice, |it| it.predicate.not_after = time("2026-11-28T07:59:59Z")),
            &all,
            "it was valid only until 2026-11-28T07:59:59Z",
        ),
        (
            "another build of a plugin",
            changed(&alice, |it| drop(it.predicate.plugins.insert("okta".into(), "33".into()))),
            &all,
            "another build of the plugin `okta`",
        ),
        (
            "a plugin less",
            changed(&alice, |it| drop(it.predicate.plugins.remove("rest"))),
            &all,
            "another build of the plugin `rest`",
        ),
        (
            "a plugin more",
            changed(&alice, |it| drop(it.predicate.plugins.insert("scim".into(), "33".into()))),
            &all,
            "another build of the plugin `scim`",
        ),
        (
            "another configuration",
            changed(&alice, |it| it.predicate.configuration = "beef".into()),
            &all,
            "the configuration has changed since",
        ),
        (
            "another class",
            changed(&alice, |it| it.predicate.classes.extend(["cccccccccccc".into()])),
            &all,
            "approves the class cccccccccccc",
        ),
        ("no class", changed(&alice, |it| it.predicate.classes.clear()), &all, "it approves no class"),
        ("no reason", changed(&alice, |it| it.predicate.reason = " ".into()), &all, "it gives no reason"),
        ("another predicate", changed(&alice, |it| it.predicate_type = "x/y".into()), &all, "it is of type `x/y`"),
        ("another statement", changed(&alice, |it| it.statement_type = "x/z".into()), &all, "it is of type `x/z`"),
        (
            "a condition that this version does not know",
            foreign(&alice, r#""reason""#, r#""wave":"canary","reason""#),
            &all,
            "unknown field `wave`",
        ),
        (
            "not a statement",
            foreign(&alice, "{", "["),
            &all,
            "not an approval that this version of flowswap understands",
        ),
    ];
    for (name, envelope, signers, reason) in table {
        let refusal = judge_one(&envelope, signers, &expected()).expect_err(name).to_string();
        assert!(refusal.contains(reason), "{name}: {refusal}");
    }

    let keys = [
        (r#"valid-before="20261128075959Z""#, "the key of alice@example.com was valid only until 2026-11-28T07:59:59Z"),
        (r#"valid-after="20261128080001Z""#, "the key of alice@example.com is valid only after 2026-11-28T08:00:01Z"),
        (r#"namespaces="git,file""#, "may not sign for the namespace `flowswap-approval`"),
        (r#"cert-authority"#, "nobody in the file of signers has the key"),
    ];
    for (options, reason) in keys {
        let refusal = judge_one(&good, &signers(options), &expected()).expect_err(options).to_string();
        assert!(refusal.contains(reason), "{options}: {refusal}");
    }
    for options in
        [r#"valid-before="20261128080000Z""#, r#"valid-after="20261128080000Z""#, r#"namespaces="flowswap-*""#]
    {
        judge_one(&good, &signers(options), &expected()).unwrap_or_else(|error| panic!("{options}: {error}"));
    }
}

/// Whatever byte of the file changes, the approval does not count, or it says the same.
#[test]
fn no_byte_can_change_what_an_approval_says() {
    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    let signers = Signers::read(&format!("alice {}", alice.public)).unwrap();
    let text = seal(&statement(), &alice).render();
    let mut counted = 0;
    for at in 0..text.len() {
        for mask in [1, 0x20] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= mask;
            let Some(envelope) = String::from_utf8(bytes).ok().and_then(|text| Envelope::read(&text).ok()) else {
                continue;
            };
            if let Ok(approval) = judge_one(&envelope, &signers, &expected()) {
                assert_eq!(approval.predicate, predicate(), "byte {at}");
                counted += 1;
            }
        }
    }
    // The id of the key and the last line break are the only places that nobody signed.
    assert!((1..=2 * "SHA256:".len() + 100).contains(&counted), "{counted}");
}

/// A signature in its armor, without a look at its namespace.
fn base64_of(armored: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let body: String = armored.lines().filter(|line| !line.starts_with("---")).collect();
    STANDARD.decode(body).unwrap()
}

#[test]
fn the_person_who_made_the_plan_may_be_excluded() {
    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    // Another line says what else this person is called.
    let other = Key::new(&dir, "other", "ed25519");
    let lines = format!("Alice@example.com {}\nalice@example.com,ali {}", alice.public, other.public);
    let signers = Signers::read(&lines).unwrap();
    let envelope = seal(&statement(), &alice);
    let table = [
        ("alice", false),
        ("ALICE@example.com", false),
        ("alice@laptop", false),
        (" alice ", false),
        ("Alice Smith <alice@example.com>", false),
        ("ali", false),
        (r"CORP\Alice", false),
        ("alice+ops@example.com", false),
        (r"alice\bob", true),
        ("alic", true),
        ("example.com", true),
        ("", true),
    ];
    for (planner, counts) in table {
        let expected = Expected { excluded: Some([planner.to_owned()].into()), ..expected() };
        let judged = judge_one(&envelope, &signers, &expected);
        assert_eq!(judged.is_ok(), counts, "{planner}: {judged:?}");
    }
}

#[test]
fn people_are_counted_and_not_keys_or_names() {
    let dir = tempfile::tempdir().unwrap();
    let keys: BTreeMap<&str, Key> = ["a", "b", "c"].map(|name| (name, Key::new(&dir, name, "ed25519"))).into();
    let line = |names: &str, key: &str| format!("{names} {}\n", keys[key].public);
    // The lines of the file, whose keys signed, and how many people that is.
    let table = [
        (vec![line("alice", "a"), line("bob", "b")], vec!["a", "b"], 2),
        (vec![line("alice", "a"), line("alice", "b")], vec!["a", "b"], 1),
        (vec![line("alice", "a"), line("Alice", "b")], vec!["a", "b"], 1),
        (vec![line("alice", "a"), line("bob", "a")], vec!["a", "a"], 1),
        (vec![line("alice,bob", "a"), line("bob", "b")], vec!["a", "b"], 1),
        (vec![line("alice", "a"), line("bob", "b"), line("alice,bob", "c")], vec!["a", "b", "c"], 1),
        // Only a third line says that the first two are of one person.
        (vec![line("alice", "a"), line("ali", "b"), line("alice,ali", "c")], vec!["a", "b"], 1),
        (vec![line("alice", "a"), line("ali", "b"), line("ali", "a")], vec!["a", "b"], 1),
        (vec![line("alice", "a")], vec!["a"], 1),
        (vec![line("alice", "a")], vec![], 0),
    ];
    for (lines, signed, people) in table {
        let signers = Signers::read(&lines.concat()).unwrap();
        let judge = |key: &&str| judge_one(&seal(&statement(), &keys[key]), &signers, &expected()).unwrap();
        let approvals: Vec<Approval> = signed.iter().map(judge).collect();
        assert_eq!(count_persons(&approvals), people, "{lines:?}");
    }
}

/// Two people can sign the same envelope. Each signature is judged alone.
#[test]
fn an_envelope_may_have_several_signatures() {
    let dir = tempfile::tempdir().unwrap();
    let (alice, bob) = (Key::new(&dir, "alice", "ed25519"), Key::new(&dir, "bob", "rsa-2048"));
    let signers = Signers::read(&format!("alice {}\nbob {}", alice.public, bob.public)).unwrap();
    let mut envelope = seal(&statement(), &alice);
    let bytes = envelope.signed_bytes();
    envelope.signatures.push(bob.sign(&bytes));
    envelope.signatures.push(bob.sign(b"something else"));
    // The same key once more adds nothing.
    envelope.signatures.push(alice.sign(&bytes));
    let judged = judge(&envelope, &signers, &expected());
    let names: Vec<BTreeSet<String>> = judged.iter().flatten().map(|it| it.signer.principals.clone()).collect();
    assert_eq!(names, [["alice".to_owned()].into(), ["bob".to_owned()].into()]);
    assert!(matches!(judged[2], Err(Refusal::Signature(_))));
    assert_eq!(judged.len(), 3);
    // Each approval has its own signature alone, and its own digest.
    let [first, second] = [&judged[0], &judged[1]].map(|judged| judged.as_ref().unwrap());
    assert_eq!((first.envelope.signatures.len(), second.envelope.signatures.len()), (1, 1));
    assert_ne!(first.envelope.digest(), second.envelope.digest());
    envelope.signatures = vec![envelope.signatures[0].clone(); 17];
    let crowded = Envelope::read(&envelope.render()).unwrap_err().to_string();
    assert_eq!(crowded, "it has more than 16 signatures");
    assert!(unarmor(NAMESPACE, &alice.sign_armored(NAMESPACE, b"")).is_ok());
}

//! The file of signers: flowswap reads it as `ssh-keygen` does.

use flowswap_attest::{Signers, judge};

use crate::{
    refusals::{expected, statement},
    ssh_keygen::{Key, verifies},
};

/// Lines with `KEY` in place of the key, whether alice's signature counts, and what is wrong if the file is refused. All
/// times are far from now, because `ssh-keygen` has no other clock.
const TABLE: &[(&str, bool, Option<&str>)] = &[
    ("alice KEY", true, None),
    ("alice KEY a comment", true, None),
    ("  alice\t KEY", true, None),
    ("# a comment\n\nalice KEY\n", true, None),
    ("alice,bob KEY", true, None),
    ("\"alice\" KEY", true, None),
    ("alice namespaces=\"flowswap-approval\" KEY", true, None),
    ("alice namespaces=\"git,flowswap-approval\" KEY", true, None),
    ("alice NAMESPACES=\"flow*\" KEY", true, None),
    ("alice namespaces=\"flowswap-approva?\" KEY", true, None),
    ("alice namespaces=\"*,!flowswap-approval\" KEY", false, None),
    ("alice namespaces=\"git\" KEY", false, None),
    ("alice namespaces=\"flowswap\" KEY", false, None),
    ("alice valid-after=\"20200101Z\",valid-before=\"20990101Z\" KEY", true, None),
    ("alice valid-after=\"202001012359Z\" KEY", true, None),
    ("alice valid-after=\"20990101235959Z\" KEY", false, None),
    ("alice valid-before=\"20200101Z\" KEY", false, None),
    ("alice cert-authority KEY", false, None),
    ("alice KEY\nbob", true, Some("line 2 is not valid: it has no SSH public key")),
    ("alice", false, Some("line 1 is not valid: it has no SSH public key")),
    ("alice ssh-ed25519 AAAA", false, Some("it has no SSH public key")),
    ("alice valid-until=\"20200101\" KEY", false, Some("`valid-until` is neither a type of key nor an option")),
    ("alice namespaces=git KEY", false, Some("the value of `namespaces` must be in double quotes")),
    ("alice valid-after=\"2020\" KEY", false, Some("`2020` is not a time such as 20261231Z")),
    ("alice valid-after=\"20201301\" KEY", false, Some("`20201301` is not a time")),
    ("*@example.com KEY", false, Some("`*@example.com` is not the name of one person")),
    ("\"alice smith\" KEY", false, Some("`alice smith` is not the name of one person")),
    ("alice valid-before=\"20990101\" KEY", true, Some("write `20990101Z`, a time of UTC; without `Z` it depends on")),
    ("al\"i\"ce KEY", false, Some("`al\"i\"ce` is not the name of one person")),
    ("\"alice\",bob KEY", false, Some("is not the name of one person")),
    ("alice,ali\u{200b}ce KEY", true, Some("is not the name of one person")),
    ("alice KEY\nalice namespaces=\"git\" KEY", true, None),
    ("alice namespaces=\"git\" KEY\nalice KEY", true, None),
    ("alice valid-before=\"20990101Z\",valid-before=\"20990101Z\" KEY", false, Some("`valid-before` is there twice")),
    ("alice namespaces=\"git KEY", false, Some("a double quote is not closed")),
];

#[test]
fn the_file_means_what_it_means_to_ssh_keygen() {
    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    let unsigned = statement().to_sign();
    let bytes = unsigned.bytes();
    let envelope = unsigned.seal(alice.sign(&bytes));
    let armored = flowswap_attest::armor(&envelope.signatures[0].signature);
    for (lines, counts, wrong) in TABLE {
        let text = lines.replace("KEY", &alice.public);
        assert_eq!(verifies(dir.path(), &text, "alice", &armored, &bytes), *counts, "ssh-keygen: {lines}");
        match (Signers::read(&text), wrong) {
            (Ok(signers), None) => {
                let judged = judge(&envelope, &signers, &expected()).remove(0);
                assert_eq!(judged.is_ok(), *counts, "{lines}: {judged:?}");
            }
            // flowswap refuses the whole file; `ssh-keygen` may stop before it sees the line.
            (Err(error), Some(wrong)) => assert!(error.to_string().contains(wrong), "{lines}: {error}"),
            (read, _) => panic!("{lines}: {read:?}"),
        }
    }
}

#[test]
fn a_time_counts_to_the_second() {
    let dir = tempfile::tempdir().unwrap();
    let alice = Key::new(&dir, "alice", "ed25519");
    let unsigned = statement().to_sign();
    let bytes = unsigned.bytes();
    let envelope = unsigned.seal(alice.sign(&bytes));
    for (time, counts) in [("20261128080000Z", true), ("20261128080001Z", false), ("202611280801Z", false)] {
        let signers = Signers::read(&format!("alice valid-after=\"{time}\" {}", alice.public)).unwrap();
        assert_eq!(judge(&envelope, &signers, &expected()).remove(0).is_ok(), counts, "{time}");
    }
}

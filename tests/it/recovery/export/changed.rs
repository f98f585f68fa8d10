//! An export that was changed after it was signed: every byte and every file counts.

use std::{env, fs, path::Path};

use super::{approved_work, expect_failure, export, forged::copy, names, verify};
use crate::support::print;

/// In the ordinary test, how many positions of each file are changed, and of `export.json`.
const SAMPLE: (usize, usize) = (4, 40);

/// A byte that differs as little as possible. In Base64, the last letter before the end has bits that most decoders ignore.
fn change(byte: u8) -> u8 {
    match byte {
        b'Z' => b'a',
        b'z' => b'0',
        b'9' => b'+',
        b'A'..=b'Y' | b'a'..=b'y' | b'0'..=b'8' => byte + 1,
        b'\n' => b' ',
        other => other ^ 1,
    }
}

/// All positions, or the first, the last, and some between.
fn positions(length: usize, count: usize) -> Vec<usize> {
    match env::var("FLOWSWAP_EXPORT_BYTES") {
        Ok(_) => (0..length).collect(),
        Err(_) => (0..count).map(|index| index * (length - 1) / (count - 1)).collect(),
    }
}

#[test]
fn every_byte_counts() {
    let office = approved_work(1);
    let (folder, _) = export(&office, "alice", &[]);
    verify(&folder).expect(0);
    let only = env::var("FLOWSWAP_EXPORT_BYTES").ok().filter(|only| only != "all");
    let mut changed = 0;
    for name in names(&folder).into_iter().filter(|name| only.as_ref().is_none_or(|only| only == name)) {
        let file = folder.join(&name);
        let good = fs::read(&file).unwrap();
        let mut places = positions(good.len(), if name == "export.json" { SAMPLE.1 } else { SAMPLE.0 });
        if name == "export.json" {
            places.extend(ends_of_base64(&good));
        }
        for place in places {
            let mut bytes = good.clone();
            bytes[place] = change(bytes[place]);
            fs::write(&file, &bytes).unwrap();
            let found = verify(&folder);
            assert!(found.code != 0, "byte {place} of {name} is {:?} and nobody notices", bytes[place] as char);
            assert!(found.stdout.contains("\nFAILED: "), "byte {place} of {name}: {}", found.show());
            changed += 1;
        }
        fs::write(&file, good).unwrap();
    }
    assert!(changed > 60 || only.is_some(), "only {changed} bytes were changed");
    print(&format!("{changed} bytes were changed, and each was found"));
    verify(&folder).expect(0);
}

/// The last characters of each Base64 text, and the quotes and line break after them.
fn ends_of_base64(envelope: &[u8]) -> Vec<usize> {
    let is_end = |place: &usize| matches!(envelope[*place], b'"' | b'=') && envelope[*place - 1] != b':';
    (1..envelope.len()).filter(is_end).flat_map(|place| [place - 1, place]).collect()
}

/// A line break inside Base64, a space in the JSON, and members that say the same twice do not hide.
#[test]
fn the_same_statement_in_another_form_is_found() {
    let office = approved_work(1);
    let (folder, _) = export(&office, "alice", &[]);
    let file = folder.join("export.json");
    let good = fs::read_to_string(&file).unwrap();
    for (old, new) in [
        ("\"payload\":\"ey", "\"payload\":\"\\ney"),
        ("\"payload\":\"ey", "\"payload\": \"ey"),
        ("\"payload\":\"ey", "\"note\":1,\"payload\":\"ey"),
        ("\"payload\":\"ey", "\"payload\":\"x\",\"payload\":\"ey"),
        ("\"payload\":\"ey", "\"payload\":\"\\u0065y"),
        ("}]}\n", "}]}"),
        ("}]}\n", "}]}\n\n"),
        ("}]}\n", "}]}\n{}\n"),
        ("}]}\n", "},{\"keyid\":\"\",\"sig\":\"\"}]}\n"),
        ("\"keyid\":\"SHA256:", "\"keyid\":\"SHA257:"),
    ] {
        assert!(good.contains(old), "{old} is not in {good}");
        fs::write(&file, good.replacen(old, new, 1)).unwrap();
        let found = verify(&folder);
        assert!(found.code != 0 && found.stdout.contains("\nFAILED: "), "{old} → {new}: {}", found.show());
    }
    fs::write(file, good).unwrap();
    verify(&folder).expect(0);
}

#[test]
fn files_that_come_go_or_move_are_found() {
    let office = approved_work(1);
    let (folder, _) = export(&office, "alice", &[]);
    let (same, others) = ("every file is as it was signed", "there are no other files");
    type Edit = fn(&Path);
    let table: &[(&str, Edit)] = &[
        (others, |it| fs::write(it.join("notes"), "").unwrap()),
        (others, |it| fs::write(it.join(".hidden"), "").unwrap()),
        (others, |it| fs::write(it.join("statements/a\nb"), "").unwrap()),
        (others, |it| std::os::unix::fs::symlink("statements", it.join("more")).unwrap()),
        (same, |it| fs::remove_file(it.join("statements/acme.json")).unwrap()),
        (same, |it| fs::remove_file(it.join("allowed_signers")).unwrap()),
        (same, |it| fs::rename(it.join("statements/acme.json"), it.join("statements/globex.json")).unwrap()),
        (same, |it| fs::rename(it.join("VERIFY.md"), it.join("verify.md")).unwrap()),
        ("the signature of export.json", |it| fs::remove_file(it.join("export.json")).unwrap()),
        ("the signature of export.json", |it| fs::write(it.join("allowed_signers"), "").unwrap()),
    ];
    for (check, edit) in table {
        let copy = copy(&folder);
        edit(&copy);
        expect_failure(&copy, check);
    }
}

//! `crates/sim/BELIEFS.md` matches the table in the code, and every test that it names exists.

use std::{fs, path::Path};

use flowswap_sim::{BELIEFS, Row};

use crate::support::repository;

/// The head of the table in the document.
const HEAD: &str =
    "| belief | what flowswap believes | source | if it is false | test |\n| --- | --- | --- | --- | --- |\n";

fn render(row: &Row) -> String {
    let Row { id, says, source, if_false, test, .. } = row;
    format!("| `{id}` | {says} | {source} | {if_false} | `{test}` |\n")
}

#[test]
fn the_document_contains_the_table_from_the_code() {
    let text = fs::read_to_string(repository().join("crates/sim/BELIEFS.md")).unwrap();
    let (_, table) = text.split_once(HEAD).expect("the head of the table");
    let expected: String = BELIEFS.iter().map(render).collect();
    assert_eq!(
        table, expected,
        "the document must match the code; the table in the code renders as\n\n{HEAD}{expected}"
    );
}

#[test]
fn every_belief_has_one_row_that_says_what_happens_when_it_is_false() {
    for (index, row) in BELIEFS.iter().enumerate() {
        assert_eq!(row.belief as usize, index, "{}", row.id);
        assert!(!row.if_false.is_empty(), "{} does not say what happens when it is false", row.id);
        assert_eq!(BELIEFS.iter().filter(|other| other.id == row.id).count(), 1, "{}", row.id);
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut sources = String::new();
    read(&repository().join("tests/it"), &mut sources);
    let is_missing = |row: &&Row| !sources.contains(&format!("fn {}()", row.test));
    let missing: Vec<_> = BELIEFS.iter().filter(is_missing).map(|row| (row.id, row.test)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn read(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

//! Every threat names the tests that try it, and they exist.

use std::{collections::BTreeSet, fs};

use super::walk;
use crate::support::repository;

#[test]
fn every_threat_has_tests() {
    let sources = walk(&repository()).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let sources = sources.map(|path| fs::read_to_string(path).unwrap());
    let functions: BTreeSet<String> = sources
        .flat_map(|text| {
            let names =
                text.split("fn ").skip(1).filter_map(|after| after.split_once("()")).map(|(name, _)| name.to_owned());
            names.collect::<Vec<_>>()
        })
        .collect();
    let page = fs::read_to_string(repository().join("crates/host/THREATS.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() >= 15, "{}", rows.len());
    for row in rows {
        let named: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for test in named {
            assert!(functions.contains(test), "no test has the name `{test}`");
        }
    }
}

//! `cargo demo` and the command behind it.

use std::fs;

use crate::{
    documents::documented,
    support::{repository, run_in},
};

#[test]
fn the_demo_ends_with_every_ready_tenant_swapped_and_one_rolled_back() {
    let dir = crate::support::folder();
    let session = documented("two-commands");
    let config: toml::Table = fs::read_to_string(repository().join(".cargo/config.toml")).unwrap().parse().unwrap();
    let alias = config["alias"]["demo"].as_str().unwrap().strip_prefix("run --locked --package flowswap -- ").unwrap();
    let output = run_in(dir.path(), &[alias, "--keep", "kept"]).expect(0);
    session.typed("cargo demo", &output);
    // This test itself is part of `cargo test --locked`.
    session.done("cargo test --locked");
    let status = output.stdout.rsplit("TENANT").next().unwrap();
    let count = |word: &str| status.lines().filter(|line| line.split_whitespace().nth(1) == Some(word)).count();
    assert_eq!((count("swapped"), count("rolled-back"), count("unplanned")), (6, 1, 5), "{status}");
    assert!(output.stderr.contains("are in kept"), "{}", output.stderr);
    for file in [
        "migrate.toml",
        "ca.pem",
        "plan.json",
        "plan.html",
        "report.html",
        ".flowswap/journal.sqlite",
        ".flowswap/identity.txt",
    ] {
        assert!(dir.path().join("kept").join(file).is_file(), "{file}");
    }
}

#[test]
fn the_demo_does_not_write_into_a_folder_in_use() {
    let dir = crate::support::folder();
    std::fs::write(dir.path().join("precious"), "x").unwrap();
    let output = run_in(dir.path(), &["demo", "--keep", "."]).expect(2);
    assert!(output.stderr.contains("is not an empty folder"), "{}", output.stderr);
}

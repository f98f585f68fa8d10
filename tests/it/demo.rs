//! The demo, from the outside.

use crate::support::run_in;

#[test]
fn the_demo_ends_with_every_ready_tenant_swapped_and_one_rolled_back() {
    let dir = tempfile::TempDir::new().unwrap();
    let output = run_in(dir.path(), &["demo", "--keep", "kept"]).expect(0);
    let status = output.stdout.rsplit("TENANT").next().unwrap();
    let count = |word: &str| status.lines().filter(|line| line.split_whitespace().nth(1) == Some(word)).count();
    assert_eq!((count("swapped"), count("rolled-back"), count("unplanned")), (6, 1, 5), "{status}");
    assert!(output.stderr.contains("are kept in kept"), "{}", output.stderr);
    for file in ["migrate.toml", "ca.pem", "plan.json", ".flowswap/journal.sqlite", ".flowswap/identity.txt"] {
        assert!(dir.path().join("kept").join(file).is_file(), "{file}");
    }
}

#[test]
fn the_demo_does_not_write_into_a_folder_in_use() {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::write(dir.path().join("precious"), "x").unwrap();
    let output = run_in(dir.path(), &["demo", "--keep", "."]).expect(2);
    assert!(output.stderr.contains("is not an empty folder"), "{}", output.stderr);
}

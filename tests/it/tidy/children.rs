//! No child of flowswap inherits its environment, which may hold credentials.

use std::collections::BTreeSet;

use super::sources;

/// Every place that starts a process clears its environment. The benchmark starts flowswap itself, on simulated tenants.
#[test]
fn every_process_is_started_with_an_empty_environment() {
    let mut starting = BTreeSet::new();
    for (path, text) in sources() {
        let path = path.display().to_string();
        if !path.contains("/src/") || !path.starts_with("crates/") || path.starts_with("crates/bench/") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let count = |words: &str| code.matches(words).count();
        let started = count("Command::new(");
        if started > 0 && !path.ends_with("tests.rs") {
            assert_eq!(count(".env_clear()"), started, "{path} starts a process that inherits the environment");
            starting.insert(path);
        }
    }
    let expected = [
        "crates/cli/src/clipboard/mod.rs",
        "crates/cli/src/fetch/mod.rs",
        "crates/cli/src/signing.rs",
        "crates/host/src/spawn.rs",
    ];
    assert_eq!(starting, expected.map(str::to_owned).into());
}

//! The repository itself: arrows, `unsafe`, printing, headers. What `crates/README.md` states, this checks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::support::repository;

/// Which of our crates each crate may name, outside of tests. A plugin stands for every plugin.
fn allowed(package: &str) -> Option<&'static [&'static str]> {
    Some(match package {
        "flowswap-contract" | "flowswap-sim" | "flowswap-disk" => &[],
        "flowswap-engine" => &["flowswap-contract"],
        "flowswap-host" => &["flowswap-engine", "flowswap-contract"],
        "flowswap-store" => &["flowswap-engine"],
        "flowswap-conformance" => &["flowswap-contract", "flowswap-engine", "flowswap-host"],
        "flowswap" => &[
            "flowswap-conformance",
            "flowswap-contract",
            "flowswap-engine",
            "flowswap-host",
            "flowswap-store",
            "flowswap-sim",
            "flowswap-cie-guided",
            "flowswap-okta",
            "flowswap-rest",
        ],
        "flowswap-cie-guided" | "flowswap-okta" | "flowswap-rest" | "flowswap-rogue" => &["flowswap-contract"],
        _ => return None,
    })
}

#[test]
fn no_manifest_draws_a_forbidden_arrow() {
    let mut seen = 0;
    for path in files("Cargo.toml").into_iter().filter(|path| path.parent() != Some(&repository())) {
        let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let package = manifest["package"]["name"].as_str().unwrap();
        let allowed = allowed(package).unwrap_or_else(|| panic!("{package} has no place in the map"));
        let used = ["dependencies", "build-dependencies"].iter().filter_map(|table| manifest.get(*table)?.as_table());
        for name in used.flat_map(toml::Table::keys).filter(|name| name.starts_with("flowswap")) {
            assert!(allowed.contains(&name.as_str()), "{package} must not depend on {name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn no_code_uses_a_plugin() {
    for (path, text) in sources() {
        if path.ends_with("tests/it/tidy.rs") || path.components().any(|part| part.as_os_str() == "plugins") {
            continue;
        }
        for plugin in
            ["flowswap_cie_guided::", "flowswap_okta::", "flowswap_rest::", "flowswap_rogue::", "failing_disk::"]
        {
            assert!(!text.contains(plugin), "{} uses {plugin}", path.display());
        }
    }
}

/// The way to run a plugin without a process of its own is for simulations.
#[test]
fn only_tests_load_a_plugin_into_their_own_process() {
    for (path, text) in sources() {
        let is_test = path.starts_with("tests") || path.components().any(|part| part.as_os_str() == "tests");
        assert!(is_test || !text.contains("PluginProcess::inline("), "{} loads a plugin", path.display());
    }
}

#[test]
fn unsafe_lives_in_two_files() {
    let unsafe_files: BTreeSet<_> = sources()
        .into_iter()
        // What is made for tests never runs anywhere else.
        .filter(|(path, text)| {
            !path.ends_with("tests/it/tidy.rs") && !path.starts_with("fixtures") && text.lines().any(is_unsafe)
        })
        .map(|(path, _)| path)
        .collect();
    let expected = ["crates/contract/src/abi.rs", "crates/contract/src/sdk/export.rs", "crates/host/src/library.rs"];
    assert_eq!(unsafe_files, expected.iter().map(PathBuf::from).collect());
    // The layout only names the type of functions; nothing in it is executed.
    let abi = fs::read_to_string(repository().join("crates/contract/src/abi.rs")).unwrap();
    assert!(abi.lines().filter(|line| is_unsafe(line)).all(|line| line.contains("unsafe extern \"C\" fn(")));
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains("unsafe ") || code.contains("unsafe(")
}

#[test]
fn nobody_prints_but_the_cli() {
    for (path, text) in sources() {
        let is_test =
            path.components().any(|part| ["tests", "benches"].iter().any(|folder| part.as_os_str() == *folder))
                || path.ends_with("tests.rs");
        if is_test || path.starts_with("crates/cli") || path.starts_with("fixtures") {
            continue;
        }
        for line in text.lines().take_while(|line| !line.contains("#[cfg(test)]")) {
            let code = line.split("//").next().unwrap_or_default();
            for print in ["println!", "print!(", "eprintln!", "eprint!(", "dbg!"] {
                assert!(!code.contains(print), "{} prints: {line}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not open with a paragraph", path.display());
    }
}

#[test]
fn every_test_module_is_in_the_target() {
    let main = fs::read_to_string(repository().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(repository().join("tests/it")).unwrap().flatten() {
        let name = entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = entry.path().extension().is_some_and(|extension| extension == "rs") && name != "main";
        assert!(!is_module || main.contains(&format!("mod {name};")), "{name} is not in the target");
    }
}

#[test]
fn the_documented_exit_codes_are_those_of_the_code() {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let code = fs::read_to_string(repository().join("crates/cli/src/exit.rs")).unwrap();
    let digit = |text: &str| text.chars().find(char::is_ascii_digit);
    let documented: Vec<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `") && line.as_bytes()[3].is_ascii_digit())
        .map(digit)
        .collect();
    let codes: Vec<_> =
        code.lines().filter(|line| line.trim_end().ends_with(',') && line.contains(" = ")).map(digit).collect();
    assert_eq!(documented, codes);
    assert!(codes.len() > 1);
}

/// All Rust files of the repository, by their path within it.
fn sources() -> Vec<(PathBuf, String)> {
    let root = repository();
    let paths: Vec<PathBuf> =
        walk(&root).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    assert!(paths.len() > 50, "only {} sources found", paths.len());
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn files(name: &str) -> Vec<PathBuf> {
    walk(&repository()).into_iter().filter(|path| path.file_name().is_some_and(|file| file == name)).collect()
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name();
        let skipped = name == "target" || name.to_str().is_some_and(|name| name.starts_with('.'));
        if entry.path().is_dir() && !skipped {
            found.extend(walk(&entry.path()));
        } else if entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found
}

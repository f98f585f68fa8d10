//! The repository itself: dependencies, `unsafe`, printing, and file headers, as `crates/README.md` describes them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::repository;

mod children;
mod modules;
mod threats;

/// The crates of this repository that each crate may depend on, outside of tests.
fn allowed(package: &str) -> Option<&'static [&'static str]> {
    Some(match package {
        "flowswap-attest" | "flowswap-contract" | "flowswap-sim" | "flowswap-disk" => &[],
        "flowswap-engine" => &["flowswap-contract"],
        "flowswap-host" => &["flowswap-engine", "flowswap-contract"],
        "flowswap-store" => &["flowswap-engine"],
        "flowswap-report" => &["flowswap-contract", "flowswap-engine"],
        "flowswap-conformance" => &["flowswap-contract", "flowswap-engine", "flowswap-host"],
        "flowswap-recording" => &["flowswap-contract", "flowswap-host"],
        "flowswap-config" => &["flowswap-contract", "flowswap-engine", "flowswap-host"],
        "flowswap-bench" => &["flowswap-sim", "flowswap-store"],
        "flowswap" => &[
            "flowswap-attest",
            "flowswap-config",
            "flowswap-conformance",
            "flowswap-contract",
            "flowswap-engine",
            "flowswap-host",
            "flowswap-recording",
            "flowswap-report",
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
fn no_crate_has_a_forbidden_dependency() {
    let mut seen = 0;
    for path in files("Cargo.toml").into_iter().filter(|path| path.parent() != Some(&repository())) {
        let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let package = manifest["package"]["name"].as_str().unwrap();
        let allowed =
            allowed(package).unwrap_or_else(|| panic!("{package} is missing in the list of allowed dependencies"));
        let used = ["dependencies", "build-dependencies"].iter().filter_map(|table| manifest.get(*table)?.as_table());
        for name in used.flat_map(toml::Table::keys).filter(|name| name.starts_with("flowswap")) {
            assert!(allowed.contains(&name.as_str()), "{package} must not depend on {name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 17);
}

/// A binary for production cannot be mistaken for a simulation, and has no code to issue certificates.
#[test]
fn without_the_sandbox_the_binary_has_no_simulator() {
    let tree = |features: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--offline", "--locked", "--package=flowswap", "--edges=normal,features", "--prefix=none"]);
        let output = cargo.args(features).current_dir(repository()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (with, without) = (tree(&[]), tree(&["--no-default-features"]));
    for part in ["flowswap-sim v", "flowswap-conformance v", "rcgen v", "hyper feature \"server\""] {
        let is_in = |tree: &str| tree.lines().any(|line| line.starts_with(part));
        assert!(is_in(&with), "the list of this test is out of date: {part}");
        assert!(!is_in(&without), "{part} is in the binary without the sandbox");
    }
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

/// Only simulations may run a plugin without its own process.
#[test]
fn only_tests_load_a_plugin_into_their_own_process() {
    for (path, text) in sources() {
        let is_test = path.starts_with("tests") || path.components().any(|part| part.as_os_str() == "tests");
        assert!(is_test || !text.contains("PluginProcess::inline("), "{} loads a plugin", path.display());
    }
}

#[test]
fn unsafe_code_is_only_where_c_is_called() {
    let unsafe_files: BTreeSet<_> = sources()
        .into_iter()
        // Code for tests never runs anywhere else.
        .filter(|(path, text)| {
            !path.ends_with("tests/it/tidy.rs") && !path.starts_with("fixtures") && text.lines().any(is_unsafe)
        })
        .map(|(path, _)| path)
        .collect();
    let expected = [
        "crates/contract/src/abi.rs",
        "crates/contract/src/sdk/export.rs",
        "crates/host/src/cage/linux.rs",
        "crates/host/src/library.rs",
    ];
    assert_eq!(unsafe_files, expected.iter().map(PathBuf::from).collect());
    // The layout only declares types of functions; it executes nothing.
    let abi = fs::read_to_string(repository().join("crates/contract/src/abi.rs")).unwrap();
    assert!(abi.lines().filter(|line| is_unsafe(line)).all(|line| line.contains("unsafe extern \"C\" fn(")));
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains("unsafe ") || code.contains("unsafe(")
}

#[test]
fn only_the_cli_prints() {
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
        assert!(text.starts_with("//! "), "{} does not start with a `//!` summary", path.display());
    }
}

#[test]
fn every_test_module_is_in_the_target() {
    let main = fs::read_to_string(repository().join("tests/it/main.rs")).unwrap();
    for entry in fs::read_dir(repository().join("tests/it")).unwrap().flatten() {
        let name = entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = entry.path().extension().is_some_and(|extension| extension == "rs") && name != "main";
        assert!(!is_module || main.contains(&format!("mod {name};")), "{name} is not declared in `main.rs`");
    }
}

#[test]
fn the_documented_exit_codes_are_those_of_the_code() {
    let document = fs::read_to_string(repository().join("crates/cli/docs/automation.md")).unwrap();
    let code = fs::read_to_string(repository().join("crates/cli/src/exit.rs")).unwrap();
    let digit = |text: &str| text.chars().find(char::is_ascii_digit);
    let documented: Vec<_> = document
        .lines()
        .filter(|line| line.starts_with("| `") && line.as_bytes()[3].is_ascii_digit())
        .map(digit)
        .collect();
    let codes: Vec<_> =
        code.lines().filter(|line| line.trim_end().ends_with(',') && line.contains(" = ")).map(digit).collect();
    assert_eq!(documented, codes);
    assert!(codes.len() > 1);
}

/// What `cargo test-quick` leaves out, another part runs; what another part runs, it leaves out.
#[test]
fn the_parts_are_all_tests() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let config: toml::Table = read(".cargo/config.toml").parse().unwrap();
    let aliases = config["alias"].as_table().unwrap();
    let words = |name: &str| -> Vec<&str> { aliases[name].as_str().unwrap().split_whitespace().collect() };
    let quick = words("test-quick");
    let mut left_out: Vec<_> = quick.windows(2).filter(|pair| pair[0] == "--skip").map(|pair| pair[1]).collect();
    let parts: Vec<_> = aliases.keys().filter(|name| name.starts_with("test-") && *name != "test-quick").collect();
    let mut run: Vec<_> =
        parts.iter().flat_map(|name| words(name).into_iter().skip_while(|word| *word != "--").skip(1)).collect();
    left_out.sort_unstable();
    run.sort_unstable();
    assert_eq!(left_out, run);
    assert!(run.len() > 3, "{run:?}");

    let guide = read("CONTRIBUTING.md");
    let untold: Vec<_> = parts.iter().filter(|name| !guide.contains(&format!("`cargo {name}`"))).collect();
    assert!(untold.is_empty(), "CONTRIBUTING.md does not have {untold:?}");
    // A filter that matches nothing passes without a word.
    let simulation = read("tests/it/simulation/mod.rs");
    let ci = read(".ci/run");
    let filter = ci.split_whitespace().find_map(|word| word.strip_prefix("simulation::")).unwrap();
    assert!(simulation.contains(&format!("\nfn {filter}")), "no test begins with {filter}");
}

/// All Rust files of the repository, by their path within it.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let sources = texts(|name| name.ends_with(".rs"));
    assert!(sources.len() > 50, "only {} sources found", sources.len());
    sources.into_iter().map(|(name, text)| (name.into(), text)).collect()
}

/// The files whose path within the repository is wanted: the path, and the text.
pub(crate) fn texts(is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let root = repository();
    let named = walk(&root).into_iter().map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), path));
    named.filter(|(name, _)| is_wanted(name)).map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

fn files(name: &str) -> Vec<PathBuf> {
    walk(&repository()).into_iter().filter(|path| path.file_name().is_some_and(|file| file == name)).collect()
}

pub(crate) fn walk(dir: &Path) -> Vec<PathBuf> {
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

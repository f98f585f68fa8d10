//! The example in the repository is a valid configuration, unchanged and with all of its optional keys.

use std::{fs, path::Path, time::Duration};

use serde_json::json;

use super::accept;
use crate::{Config, Occasion, SecretRef};

const EXAMPLE: &str = include_str!("../../../../migrate.toml.example");

/// Turns `#key = …` into `key = …`. A line that only explains has a space or nothing after the `#`.
fn uncomment(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn names(config: &Config) -> Vec<&str> {
    config.tenants.iter().map(|tenant| tenant.name.as_str()).collect()
}

#[test]
fn the_example_is_read() {
    let (folder, config) = accept(&[("migrate.toml", EXAMPLE)]);
    assert_eq!(names(&config), ["acme", "globex"]);
    let [acme, globex] = &config.tenants[..] else { panic!("two tenants") };

    assert!(acme.app_data);
    assert_eq!((acme.provider.plugin.as_str(), acme.directory.plugin.as_str()), ("okta", "rest"));
    assert_eq!(acme.provider.table()["domain"], "acme.okta.com");
    assert_eq!(acme.provider.secrets.get("credential"), Some(&SecretRef::Env("ACME_OKTA_TOKEN".to_owned())));
    assert_eq!(acme.directory.table()["base_url"], "https://gateway.example");
    assert_eq!(acme.directory.table()["submit"]["body"]["client_secret"], "$client_secret");
    assert_eq!(acme.directory.table()["test"]["passed"], json!({ "pointer": "/result", "equals": "success" }));

    assert!(!globex.app_data);
    assert_eq!(globex.provider.table()["domain"], "globex.okta.com");
    assert_eq!(globex.provider.secrets.get("credential"), Some(&SecretRef::File(folder.path("secrets/globex.token"))));
    assert_eq!(globex.directory.table()["base_url"], "https://us.gateway.example");
    assert_eq!(globex.directory.table()["id"], "dir-2");
    assert_eq!(globex.directory.table()["read"], json!({ "path": "/directories/$id" }));
    assert_eq!(
        globex.directory.secrets.get("credential"),
        Some(&SecretRef::File(folder.path("secrets/gateway.token")))
    );
}

#[test]
fn the_defaults_that_it_shows_are_the_real_ones() {
    let (folder, bare) = accept(&[("migrate.toml", "")]);
    let text = uncomment(EXAMPLE).replace("inventory =", "#");
    fs::write(folder.path("migrate.toml"), &text).unwrap();
    let full = folder.load().unwrap();
    assert_eq!(full.state, bare.state);
    assert_eq!(full.network.timeout, bare.network.timeout);
    let limits = |config: &Config| {
        (config.run.concurrency, config.run.max_failures, config.run.plan_lifetime, config.run.operator_deadline)
    };
    assert_eq!(limits(&full), limits(&bare));
}

#[test]
fn its_optional_keys_and_its_inventory_are_read() {
    let inventory: Vec<_> = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let start = inventory.iter().position(|line| line.starts_with("name,")).unwrap();
    let csv = inventory[start..].join("\n");
    let (folder, config) = accept(&[("migrate.toml", &uncomment(EXAMPLE)), ("tenants.csv", &csv)]);
    assert_eq!(names(&config), ["acme", "globex", "initech", "umbrella"]);
    assert_eq!(config.identity.as_deref(), Some(std::path::Path::new("/etc/flowswap/identity.txt")));
    assert_eq!(config.passphrase, Some(SecretRef::Env("FLOWSWAP_PASSPHRASE".to_owned())));
    assert_eq!(config.network.ca_file, Some(folder.path("ca.pem")));
    assert_eq!((config.network.resolve.len(), config.network.timeout), (2, Duration::from_secs(30)));
    assert_eq!(config.plugins["okta"].path.as_deref(), Some(folder.path("plugins/libflowswap_okta.so").as_path()));
    assert_eq!(config.plugins["okta"].sha256.as_deref(), Some("0".repeat(64).as_str()));
    assert_eq!(config.tenants[0].provider.table()["variant_types"]["plain"], "the-key-of-the-plain-one");

    let [.., initech, umbrella] = &config.tenants[..] else { panic!("two rows") };
    assert_eq!((initech.app_data, umbrella.app_data), (true, false));
    assert_eq!(initech.directory.table()["base_url"], "https://us.gateway.example");
    assert_eq!(umbrella.directory.table()["base_url"], "https://eu.gateway.example", "the default of the field");
    assert_eq!(umbrella.provider.table()["domain"], "umbrella.oktapreview.com");
    assert_eq!(umbrella.directory.table()["id"], "dir-4");
    let owners: Vec<_> = config.tenants.iter().map(|tenant| tenant.owner.as_deref()).collect();
    assert_eq!(owners, [Some("dana"), Some("us-team"), Some("us-team"), Some("eu-team")]);
    assert_eq!(Path::new(".flowswap").file_name(), config.state.file_name());
}

/// Its example of the attended plugin can be copied unchanged.
#[test]
fn its_attended_directory_is_read() {
    let block: Vec<_> = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let find = |word: &str| block.iter().position(|line| line.starts_with(word)).unwrap();
    let block = &block[find("[tenant.directory]")..find("name,")];
    let toml = format!("[[tenant]]\nname = \"acme\"\nprovider = {{ plugin = \"okta\" }}\n{}\n", block.join("\n"));
    let (_folder, config) = accept(&[("migrate.toml", &toml)]);
    let directory = &config.tenants[0].directory;
    assert_eq!(directory.plugin, "cie-guided");
    assert_eq!(directory.secrets.get("client_secret"), Some(&SecretRef::Env("CIE_CLIENT_SECRET".to_owned())));
    assert_eq!(directory.table()["loss_budget"], json!({ "users_percent": 0.5, "groups": 0 }));
}

/// Every key that the reader knows is in the example.
#[test]
fn every_key_is_in_the_example() {
    let keys = [
        "state",
        "inventory",
        "identity",
        "passphrase",
        "ca_file",
        "resolve",
        "timeout",
        "concurrency",
        "max_failures",
        "plan_lifetime",
        "operator_deadline",
        "path",
        "sha256",
        "name",
        "app_data",
        "owner",
        "timezone",
        "plugin",
    ];
    let text = uncomment(EXAMPLE);
    for key in keys {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
    }
}

/// Its example of who is told can be copied unchanged.
#[test]
fn its_targets_of_notifications_are_read() {
    let block: Vec<_> = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let start = block.iter().position(|line| *line == "[[notify]]").unwrap();
    let end = block.iter().position(|line| line.starts_with("env = [\"SMTP_HOST\"]")).unwrap();
    let (_folder, config) = accept(&[("migrate.toml", &block[start..=end].join("\n"))]);
    let names: Vec<_> = config.notify.iter().map(|target| (target.name.as_str(), target.on.len())).collect();
    assert_eq!(names, [("ops", Occasion::ALL.len()), ("mail", 1)]);
}

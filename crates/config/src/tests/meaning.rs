//! What an approval is for: whatever changes what flowswap does changes the digest, and nothing else does.

use super::{Folder, accept};
use crate::Config;

const USUAL: &str = r#"
state = "state"
[network]
timeout = "10s"
[run]
concurrency = 2
[approvals]
required = 2
signers = "allowed_signers"
[plugins.okta]
path = "lib/okta.so"
origins = ["https://a.example"]
[[tenant]]
name = "acme"
owner = "dana"
provider = { plugin = "okta", domain = "acme.okta.com", credential = { env = "TOKEN" } }
directory = { plugin = "rest", base_url = "https://a.example", credential = { file = "secrets/token" } }
[[tenant]]
name = "globex"
provider = { plugin = "okta", domain = "globex.okta.com", credential = { env = "TOKEN" } }
directory = { plugin = "rest", base_url = "https://a.example", credential = { file = "secrets/token" } }
"#;

fn meaning(toml: &str) -> String {
    let (_folder, config): (Folder, Config) = accept(&[("migrate.toml", toml)]);
    config.meaning_for(["acme"])
}

#[test]
fn only_what_changes_the_work_changes_the_digest() {
    let usual = meaning(USUAL);
    let same = [
        ("state = \"state\"", "# a comment\nstate = \"elsewhere\""),
        ("path = \"lib/okta.so\"\n", ""),
        ("concurrency = 2", "\n\nconcurrency    = 2"),
        ("globex.okta.com", "other.okta.com"),
    ];
    for (from, to) in same {
        assert!(USUAL.contains(from), "{from}");
        assert_eq!(meaning(&USUAL.replacen(from, to, 1)), usual, "{to}");
    }
    let different = [
        ("timeout = \"10s\"", "timeout = \"20s\""),
        ("concurrency = 2", "concurrency = 3"),
        ("required = 2", "required = 1"),
        ("allowed_signers", "others"),
        ("\"https://a.example\"]", "\"https://b.example\"]"),
        ("origins =", "cage = \"off\"\norigins ="),
        ("owner = \"dana\"", "owner = \"erik\""),
        ("owner = \"dana\"", "app_data = true"),
        ("owner = \"dana\"", "owner = \"dana\"\naccept = [\"deadline-passed\"]"),
        ("domain = \"acme.okta.com\"", "domain = \"acme.oktapreview.com\""),
        ("{ env = \"TOKEN\" }", "{ env = \"OTHER\" }"),
        ("{ file = \"secrets/token\" }", "{ file = \"secrets/other\" }"),
        ("plugin = \"okta\"", "plugin = \"other\""),
        ("[network]", "[network]\nresolve = { \"a.example\" = \"127.0.0.1:1\" }"),
        ("[network]", "[network]\nca_file = \"ca.pem\""),
    ];
    for (from, to) in different {
        assert!(USUAL.contains(from), "{from}");
        assert_ne!(meaning(&USUAL.replacen(from, to, 1)), usual, "{to}");
    }
}

/// The digest does not depend on where the file is, and a tenant counts even if it is gone.
#[test]
fn the_folder_does_not_count_but_the_tenants_do() {
    let (_first, first) = accept(&[("migrate.toml", USUAL)]);
    let (_second, second) = accept(&[("migrate.toml", USUAL)]);
    assert_eq!(first.meaning_for(["acme", "globex"]), second.meaning_for(["globex", "acme"]));
    assert_ne!(first.meaning_for(["acme"]), first.meaning_for(["acme", "globex"]));
    assert_ne!(first.meaning_for(["acme"]), first.meaning_for(["acme", "gone"]));
}

//! The errors for tables that do not match the keys of their plugins.

use flowswap_contract::{ConfigKey, PROTOCOL, PluginHello, Role};
use insta::assert_snapshot;

use super::{Folder, accept};

fn hello(name: &str, roles: &[Role], keys: &[(&str, bool, bool)]) -> PluginHello {
    let key = |&(name, required, secret): &(&str, bool, bool)| ConfigKey {
        name: name.to_owned(),
        required,
        secret,
        about: format!("what `{name}` is"),
    };
    PluginHello {
        name: name.to_owned(),
        version: "1".to_owned(),
        protocol: PROTOCOL,
        features: vec![],
        roles: roles.to_vec(),
        config: keys.iter().map(key).collect(),
        origins: vec![],
        token_paths: vec![],
        headers: None,
    }
}

fn refuse(files: &[(&str, &str)]) -> Option<String> {
    let okta =
        hello("okta", &[Role::Provider], &[("domain", true, false), ("key", true, true), ("scopes", false, false)]);
    let rest = hello("rest", &[Role::Directory], &[("base_url", true, false), ("id", false, false)]);
    let (folder, config): (Folder, _) = accept(files);
    let tenants: Vec<_> = config.tenants.iter().collect();
    let find = |name: &str| [&okta, &rest].into_iter().find(|hello| hello.name == name);
    config.check_plugin_keys(&tenants, find).err().map(|errors| folder.shorten(&errors.to_string()))
}

#[test]
fn tables_that_match_their_plugins_are_accepted() {
    let toml = r#"
        [[tenant]]
        name = "acme"
        provider = { plugin = "okta", domain = "a", key = { env = "A" }, scopes = { x = 1 } }
        directory = { plugin = "rest", base_url = "b" }
        [[tenant]]
        name = "unknown-plugins-are-refused-elsewhere"
        provider = { plugin = "x", a = 1 }
        directory = { plugin = "y", b = 2 }
    "#;
    assert_eq!(refuse(&[("migrate.toml", toml)]), None);
}

#[test]
fn keys_that_do_not_match_the_plugin() {
    let toml = r#"[[tenant]]
name = "acme"
provider = { plugin = "okta", domian = "a", key = "canary", scopes = { env = "A" } }
directory = { plugin = "rest", id = "x" }
[[tenant]]
name = "b"
provider = { plugin = "rest" }
directory = { plugin = "okta" }
"#;
    let shown = refuse(&[("migrate.toml", toml)]).unwrap();
    assert!(!shown.contains("canary"), "{shown}");
    assert_snapshot!(shown, @r#"
    error: the provider needs `domain`
     --> migrate.toml:3:12
      |
    3 | provider = { plugin = "okta", domian = "a", key = "******", scopes = { env = "A" } }
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the plugin `okta` requires it
      |
      = note: for tenant `acme`
      = help: `domain`: what `domain` is

    error: unknown key `domian`
     --> migrate.toml:3:31
      |
    3 | provider = { plugin = "okta", domian = "a", key = "******", scopes = { env = "A" } }
      |                               ^^^^^^ not a key of the plugin `okta`
      |
      = note: for tenant `acme`
      = help: did you mean `domain`?

    error: `key` holds a plain-text secret
     --> migrate.toml:3:51
      |
    3 | provider = { plugin = "okta", domian = "a", key = "******", scopes = { env = "A" } }
      |                                                   ^^^^^^^^ expected a reference to where the secret is kept
      |
      = note: for tenant `acme`
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `scopes` is not a secret
     --> migrate.toml:3:70
      |
    3 | provider = { plugin = "okta", domian = "a", key = "******", scopes = { env = "A" } }
      |                                                                      ^^^^^^^^^^^^^ expected the value itself
      |
      = note: for tenant `acme`
      = help: `scopes`: what `scopes` is

    error: the directory needs `base_url`
     --> migrate.toml:4:13
      |
    4 | directory = { plugin = "rest", id = "x" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the plugin `rest` requires it
      |
      = note: for tenant `acme`
      = help: `base_url`: what `base_url` is

    error: the plugin `rest` cannot be a provider
     --> migrate.toml:7:23
      |
    7 | provider = { plugin = "rest" }
      |                       ^^^^^^ can be a directory
      |
      = note: for tenant `b`

    error: the plugin `okta` cannot be a directory
     --> migrate.toml:8:24
      |
    8 | directory = { plugin = "okta" }
      |                        ^^^^^^ can be a provider
      |
      = note: for tenant `b`

    error: 7 errors in the configuration
    "#);
}

#[test]
fn a_wrong_column_is_reported_once() {
    let toml = "inventory = \"t.csv\"\n[defaults.provider]\nplugin = \"okta\"\nkey = { env = \"A\" }\n[defaults.directory]\n\
                plugin = \"rest\"\nbase_url = \"b\"\n";
    let csv = "name,provider.domian,directory.id\na,x,1\nb,y,2\nc,z,3\n";
    assert_snapshot!(refuse(&[("migrate.toml", toml), ("t.csv", csv)]).unwrap(), @r"
    error: the provider needs `domain`
     --> migrate.toml:2:1
      |
    2 | [defaults.provider]
      | ^^^^^^^^^^^^^^^^^^^ the plugin `okta` requires it
      |
      = note: for tenants `a`, `b`, and `c`
      = help: `domain`: what `domain` is

    error: unknown key `domian`
     --> t.csv:1:6
      |
    1 | name,provider.domian,directory.id
      |      ^^^^^^^^^^^^^^^ not a key of the plugin `okta`
      |
      = note: for tenants `a`, `b`, and `c`
      = help: did you mean `domain`?

    error: 2 errors in the configuration
    ");
}

#[test]
fn the_place_of_a_key_is_found() {
    let toml = "[defaults.directory]\nplugin = \"rest\"\nread = { path = \"/\" }\n[[tenant]]\nname = \"a\"\n\
                provider = { plugin = \"okta\", domain = \"d\" }\n";
    let (_folder, config) = accept(&[("migrate.toml", toml)]);
    let text = config.sources.text(0);
    let directory = &config.tenants[0].directory;
    for (key, found) in [("read", Some("read")), ("read.path", Some("path")), ("read.path.x", None), ("id", None)] {
        assert_eq!(directory.locate(key).map(|at| &text[at.span()]), found, "{key}");
    }
    assert_eq!(directory.locate("plugin").map(|at| &text[at.span()]), Some("\"rest\""));
}

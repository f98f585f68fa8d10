//! What is shown for mistakes in the file itself and in the tables about the tool.

use insta::assert_snapshot;

use super::{Folder, refuse_toml};
use crate::config::load;

#[test]
fn no_file() {
    let folder = Folder::new(&[]);
    assert_snapshot!(folder.shorten(&folder.load().unwrap_err().to_string()), @r"error: failed to read `migrate.toml`: there is no such file");
}

#[test]
fn a_folder_in_place_of_the_file() {
    let folder = Folder::new(&[]);
    let error = load(folder.0.path()).unwrap_err().to_string();
    assert!(error.ends_with("`: it is a folder"), "{error}");
}

#[test]
fn an_unquoted_value() {
    assert_snapshot!(refuse_toml("[network]\nca_file = ca.pem\n"), @r"
    error: a value is not in quotes
     --> migrate.toml:2:11
      |
    2 | ca_file = ca.pem
      |           ^^^^^^
      |
      = help: put it in double quotes
    ");
}

#[test]
fn an_open_string() {
    assert_snapshot!(refuse_toml("state = \".flowswap\ninventory = \"tenants.csv\"\n"), @r#"
    error: a string is not closed
     --> migrate.toml:1:19
      |
    1 | state = ".flowswap
      |                   ^ expected `"` before the end of the line
    "#);
}

#[test]
fn no_value() {
    assert_snapshot!(refuse_toml("state =\n"), @r"
    error: a key has no value
     --> migrate.toml:1:8
      |
    1 | state =
      |        ^ expected a value
    ");
}

#[test]
fn a_key_twice() {
    assert_snapshot!(refuse_toml("state = \"a\"\nstate = \"b\"\n"), @r#"
    error: a key is there twice
     --> migrate.toml:2:1
      |
    2 | state = "b"
      | ^^^^^ the second time
      |
      = help: a key, and a `[table]`, can be there only once; a list of tables is `[[table]]`
    "#);
}

#[test]
fn a_table_twice() {
    assert_snapshot!(refuse_toml("[run]\nconcurrency = 1\n[run]\nmax_failures = 1\n"), @r"
    error: a key is there twice
     --> migrate.toml:3:2
      |
    3 | [run]
      |  ^^^ the second time
      |
      = help: a key, and a `[table]`, can be there only once; a list of tables is `[[table]]`
    ");
}

#[test]
fn unknown_keys_everywhere() {
    let text = "inventroy = \"t.csv\"\n[secrets]\nidentiy = \"a\"\n[network]\nproxy = \"p\"\n[run]\nconcurency = 4\n\
                [plugins.okta]\nsha = \"a\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: unknown key `inventroy`
     --> migrate.toml:1:1
      |
    1 | inventroy = "t.csv"
      | ^^^^^^^^^ not a key of the configuration
      |
      = help: did you mean `inventory`?

    error: unknown key `identiy`
     --> migrate.toml:3:1
      |
    3 | identiy = "a"
      | ^^^^^^^ not a key of `[secrets]`
      |
      = help: did you mean `identity`?

    error: unknown key `proxy`
     --> migrate.toml:5:1
      |
    5 | proxy = "p"
      | ^^^^^ not a key of `[network]`
      |
      = help: write one of `ca_file`, `resolve`, `timeout`

    error: unknown key `concurency`
     --> migrate.toml:7:1
      |
    7 | concurency = 4
      | ^^^^^^^^^^ not a key of `[run]`
      |
      = help: did you mean `concurrency`?

    error: unknown key `sha`
     --> migrate.toml:9:1
      |
    9 | sha = "a"
      | ^^^ not a key of `[plugins.okta]`
      |
      = help: write one of `path`, `sha256`

    error: 5 errors in the configuration
    "#);
}

#[test]
fn values_of_the_wrong_kind() {
    let text = "state = 3\nplugins = true\n[network]\ntimeout = 30\nresolve = \"x\"\nca_file = []\n[run]\nconcurrency = 0\n\
                max_failures = 2.5\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `state` has the wrong kind of value
     --> migrate.toml:1:9
      |
    1 | state = 3
      |         ^ expected a path in quotes, found a number

    error: `plugins` has the wrong kind of value
     --> migrate.toml:2:11
      |
    2 | plugins = true
      |           ^^^^ expected a table, found a boolean

    error: `timeout` has the wrong kind of value
     --> migrate.toml:4:11
      |
    4 | timeout = 30
      |           ^^ expected a duration such as "250ms", "30s", "5m" or "24h", found a number

    error: `resolve` has the wrong kind of value
     --> migrate.toml:5:11
      |
    5 | resolve = "x"
      |           ^^^ expected a table, found a string

    error: `ca_file` has the wrong kind of value
     --> migrate.toml:6:11
      |
    6 | ca_file = []
      |           ^^ expected a path in quotes, found a list

    error: `concurrency` is not a count
     --> migrate.toml:8:15
      |
    8 | concurrency = 0
      |               ^ expected a whole number, 1 at least

    error: `max_failures` is not a count
     --> migrate.toml:9:16
      |
    9 | max_failures = 2.5
      |                ^^^ expected a whole number, 1 at least

    error: 7 errors in the configuration
    "#);
}

#[test]
fn durations() {
    let text = "[network]\ntimeout = \"30\"\n[run]\nplan_lifetime = \"0s\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `timeout` is not a duration
     --> migrate.toml:2:11
      |
    2 | timeout = "30"
      |           ^^^^ expected a duration such as "250ms", "30s", "5m" or "24h"
      |
      = help: write a number and its unit, more than zero

    error: `plan_lifetime` is not a duration
     --> migrate.toml:4:17
      |
    4 | plan_lifetime = "0s"
      |                 ^^^^ expected a duration such as "250ms", "30s", "5m" or "24h"
      |
      = help: write a number and its unit, more than zero

    error: 2 errors in the configuration
    "#);
}

#[test]
fn overrides_of_addresses() {
    let text = "[network.resolve]\n\"https://acme.okta.com\" = \"127.0.0.1:8443\"\n\"*.okta.test\" = \"localhost\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `https://acme.okta.com` is not a host name
     --> migrate.toml:2:1
      |
    2 | "https://acme.okta.com" = "127.0.0.1:8443"
      | ^^^^^^^^^^^^^^^^^^^^^^^ expected a host such as "acme.okta.com" or "*.okta.com"
      |
      = help: leave out scheme, port and path

    error: `*.okta.test` does not lead to an address
     --> migrate.toml:3:17
      |
    3 | "*.okta.test" = "localhost"
      |                 ^^^^^^^^^^^ expected an IP address with a port such as "127.0.0.1:8443"

    error: 2 errors in the configuration
    "#);
}

#[test]
fn a_pin_that_is_none() {
    assert_snapshot!(refuse_toml("[plugins.okta]\nsha256 = \"abc\"\n"), @r#"
    error: `sha256` is not a SHA-256 digest
     --> migrate.toml:2:10
      |
    2 | sha256 = "abc"
      |          ^^^^^ expected 64 hexadecimal digits
      |
      = help: `flowswap plugins inspect` shows a plugin's digest
    "#);
}

#[test]
fn paths_for_a_shell() {
    assert_snapshot!(refuse_toml("state = \"~/flowswap\"\n[network]\nca_file = \"\"\n"), @r#"
    error: the path `state` begins with `~`, which only a shell understands
     --> migrate.toml:1:9
      |
    1 | state = "~/flowswap"
      |         ^^^^^^^^^^^^
      |
      = help: write the path out, or make it relative to this file

    error: the path `ca_file` is empty
     --> migrate.toml:3:11
      |
    3 | ca_file = ""
      |           ^^
      |
      = help: write the path of a file, relative to the configuration or absolute

    error: 2 errors in the configuration
    "#);
}

#[test]
fn numbers_out_of_range() {
    assert_snapshot!(refuse_toml("state = 99999999999999999999\n"), @r"
    error: a number is out of range
     --> migrate.toml:1:9
      |
    1 | state = 99999999999999999999
      |         ^^^^^^^^^^^^^^^^^^^^ expected at most 64 bits, and not infinity

    error: `state` has the wrong kind of value
     --> migrate.toml:1:9
      |
    1 | state = 99999999999999999999
      |         ^^^^^^^^^^^^^^^^^^^^ expected a path in quotes, found a number

    error: 2 errors in the configuration
    ");
}

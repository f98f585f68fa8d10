//! The errors for mistakes in the file itself and in the tables that configure the tool.

use insta::assert_snapshot;

use super::{Folder, refuse_toml};
use crate::load;

#[test]
fn no_file() {
    let folder = Folder::new(&[]);
    assert_snapshot!(folder.shorten(&folder.load().unwrap_err().to_string()), @r"error: failed to read `migrate.toml`: the file does not exist");
}

#[test]
fn a_folder_in_place_of_the_file() {
    let folder = Folder::new(&[]);
    let error = load(folder.0.path()).unwrap_err().to_string();
    assert!(error.ends_with("`: this is a folder"), "{error}");
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
    error: a string has no closing quote
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
    error: duplicate key
     --> migrate.toml:2:1
      |
    2 | state = "b"
      | ^^^^^ second definition
      |
      = help: define each key and each `[table]` once; write `[[table]]` for a list of tables
    "#);
}

#[test]
fn a_table_twice() {
    assert_snapshot!(refuse_toml("[run]\nconcurrency = 1\n[run]\nmax_failures = 1\n"), @r"
    error: duplicate key
     --> migrate.toml:3:2
      |
    3 | [run]
      |  ^^^ second definition
      |
      = help: define each key and each `[table]` once; write `[[table]]` for a list of tables
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
      = help: use one of `ca_file`, `resolve`, `timeout`, `share`

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
      = help: use one of `path`, `sha256`, `origins`, `cage`

    error: 5 errors in the configuration
    "#);
}

#[test]
fn invalid_time_zones() {
    let text = "timezone = 1\n[defaults]\nprovider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\ntimezone = \"Europe/Berlim\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `timezone` has the wrong type
     --> migrate.toml:1:12
      |
    1 | timezone = 1
      |            ^ expected the name of a time zone such as "Europe/Berlin", found a number

    error: there is no time zone `Europe/Berlim`
     --> migrate.toml:7:12
      |
    7 | timezone = "Europe/Berlim"
      |            ^^^^^^^^^^^^^^^ expected a name such as "Europe/Berlin" or "UTC"
      |
      = help: use a name from the time zone database of the system

    error: 2 errors in the configuration
    "#);
}

#[test]
fn values_of_the_wrong_kind() {
    let text = "state = 3\nplugins = true\n[network]\ntimeout = 30\nresolve = \"x\"\nca_file = []\n[run]\nconcurrency = 0\n\
                max_failures = 2.5\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `state` has the wrong type
     --> migrate.toml:1:9
      |
    1 | state = 3
      |         ^ expected a path in quotes, found a number

    error: `plugins` has the wrong type
     --> migrate.toml:2:11
      |
    2 | plugins = true
      |           ^^^^ expected a table, found a boolean

    error: `timeout` has the wrong type
     --> migrate.toml:4:11
      |
    4 | timeout = 30
      |           ^^ expected a duration such as "250ms", "30s", "5m", or "24h", found a number

    error: `resolve` has the wrong type
     --> migrate.toml:5:11
      |
    5 | resolve = "x"
      |           ^^^ expected a table, found a string

    error: `ca_file` has the wrong type
     --> migrate.toml:6:11
      |
    6 | ca_file = []
      |           ^^ expected a path in quotes, found a list

    error: invalid value for `concurrency`
     --> migrate.toml:8:15
      |
    8 | concurrency = 0
      |               ^ expected a whole number, at least 1

    error: invalid value for `max_failures`
     --> migrate.toml:9:16
      |
    9 | max_failures = 2.5
      |                ^^^ expected a whole number of tenants, at least 1, or "1%" to "100%"
      |
      = help: to stop at the first failure, write 1

    error: 7 errors in the configuration
    "#);
}

#[test]
fn failure_budgets() {
    assert_snapshot!(refuse_toml("[run]\nmax_failures = \"0%\"\n"), @r#"
    error: invalid value for `max_failures`
     --> migrate.toml:2:16
      |
    2 | max_failures = "0%"
      |                ^^^^ expected a whole number of tenants, at least 1, or "1%" to "100%"
      |
      = help: to stop at the first failure, write 1
    "#);
    for value in ["0", "-1", "\"101%\"", "\"300%\"", "\"5\"", "\"+5%\"", "\"2.5%\"", "\"%\"", "\"ten%\"", "true", "[5]"]
    {
        let refusal = refuse_toml(&format!("[run]\nmax_failures = {value}\n"));
        assert!(refusal.contains("migrate.toml:2:16") && refusal.contains("\"1%\" to \"100%\""), "{refusal}");
    }
}

#[test]
fn shares() {
    for value in ["\"0%\"", "50", "0.5", "\"101%\"", "\"half\"", "\"\"", "true"] {
        let refusal = refuse_toml(&format!("[network]\nshare = {value}\n"));
        assert!(refusal.contains("migrate.toml:2:9") && refusal.contains("\"1%\" to \"100%\""), "{refusal}");
    }
}

#[test]
fn durations() {
    let text = "[network]\ntimeout = \"30\"\n[run]\nplan_lifetime = \"0s\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `timeout` is not a duration
     --> migrate.toml:2:11
      |
    2 | timeout = "30"
      |           ^^^^ expected a duration such as "250ms", "30s", "5m", or "24h"
      |
      = help: write a number above zero with its unit

    error: `plan_lifetime` is not a duration
     --> migrate.toml:4:17
      |
    4 | plan_lifetime = "0s"
      |                 ^^^^ expected a duration such as "250ms", "30s", "5m", or "24h"
      |
      = help: write a number above zero with its unit

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
      = help: leave out the scheme, the port, and the path

    error: `*.okta.test` has no valid address
     --> migrate.toml:3:17
      |
    3 | "*.okta.test" = "localhost"
      |                 ^^^^^^^^^^^ expected an IP address with a port such as "127.0.0.1:8443"

    error: 2 errors in the configuration
    "#);
}

#[test]
fn an_invalid_digest() {
    assert_snapshot!(refuse_toml("[plugins.okta]\nsha256 = \"abc\"\n"), @r#"
    error: `sha256` is not a SHA-256 digest
     --> migrate.toml:2:10
      |
    2 | sha256 = "abc"
      |          ^^^^^ expected 64 hexadecimal digits
      |
      = help: run `flowswap plugins inspect` to see the digest of a plugin
    "#);
}

#[test]
fn paths_for_a_shell() {
    assert_snapshot!(refuse_toml("state = \"~/flowswap\"\n[network]\nca_file = \"\"\n"), @r#"
    error: the path `state` starts with `~`, which only a shell expands
     --> migrate.toml:1:9
      |
    1 | state = "~/flowswap"
      |         ^^^^^^^^^^^^
      |
      = help: write the full path, or a path relative to this file

    error: the path `ca_file` is empty
     --> migrate.toml:3:11
      |
    3 | ca_file = ""
      |           ^^
      |
      = help: write an absolute path, or a path relative to this file

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
      |         ^^^^^^^^^^^^^^^^^^^^ expected a number of at most 64 bits, not infinity

    error: `state` has the wrong type
     --> migrate.toml:1:9
      |
    1 | state = 99999999999999999999
      |         ^^^^^^^^^^^^^^^^^^^^ expected a path in quotes, found a number

    error: 2 errors in the configuration
    ");
}

#[test]
fn origins_that_are_none() {
    let refused = refuse_toml("[plugins.okta]\norigins = \"https://a.test\"\n[plugins.rest]\norigins = [\"a.test\"]\n");
    assert_snapshot!(refused, @r#"
    error: `origins` is not a list of https origins
     --> migrate.toml:2:11
      |
    2 | origins = "https://a.test"
      |           ^^^^^^^^^^^^^^^^ expected a list such as ["https://api.example.com"]

    error: `origins` is not a list of https origins
     --> migrate.toml:4:12
      |
    4 | origins = ["a.test"]
      |            ^^^^^^^^ expected a list such as ["https://api.example.com"]

    error: 2 errors in the configuration
    "#);
}

#[test]
fn an_unknown_word_for_the_cage() {
    assert_snapshot!(refuse_toml("[plugins.okta]\ncage = true\n[plugins.rest]\ncage = \"none\"\n"), @r#"
    error: `cage` is not a known word
     --> migrate.toml:2:8
      |
    2 | cage = true
      |        ^^^^ expected "required" or "off"
      |
      = help: leave it out to confine the plugin wherever the system can

    error: `cage` is not a known word
     --> migrate.toml:4:8
      |
    4 | cage = "none"
      |        ^^^^^^ expected "required" or "off"
      |
      = help: leave it out to confine the plugin wherever the system can

    error: 2 errors in the configuration
    "#);
}

#[test]
fn approvals_without_signers() {
    assert_snapshot!(refuse_toml("[approvals]\nrequired = 2\n"), @r#"
    error: `[approvals]` does not say whose keys count
     --> migrate.toml:1:2
      |
    1 | [approvals]
      |  ^^^^^^^^^ expected `signers` in this table
      |
      = help: write `signers = "allowed_signers"`, a file as in ssh-keygen(1)
    "#);
}

#[test]
fn approvals_that_nobody_could_give() {
    assert_snapshot!(refuse_toml("[approvals]\nrequired = 0\nsigners = \"s\"\nplanner = false\n"), @"
    error: invalid value for `required`
     --> migrate.toml:2:12
      |
    2 | required = 0
      |            ^ expected a whole number, at least 1

    error: unknown key `planner`
     --> migrate.toml:4:1
      |
    4 | planner = false
      | ^^^^^^^ not a key of `[approvals]`
      |
      = help: use one of `required`, `signers`, `planner_may_approve`

    error: 2 errors in the configuration
    ");
}

#[test]
fn a_program_gets_the_place_of_each_error() {
    let folder = Folder::new(&[("migrate.toml", "# ä\nrun = { \"ä\" = 1, concurrency = 0 }\n")]);
    let errors = folder.load().expect_err("the configuration is wrong");
    let places: Vec<_> =
        errors.problems().map(|problem| problem.place.map(|place| (place.line, place.column))).collect();
    assert_eq!(places, [Some((2, 9)), Some((2, 32))]);
}

#[test]
fn a_clock_that_is_not_on_this_machine() {
    for clock in [
        "http://192.0.2.1:80/clock",
        "http://localhost:80/clock",
        "https://127.0.0.1:80/clock",
        "http://127.0.0.1:80",
        "http://127.0.0.1/clock",
        "http://127.0.0.1:80/clock HTTP/1.1",
    ] {
        let refused = refuse_toml(&format!("[simulation]\nclock = \"{clock}\"\n"));
        assert!(refused.contains("`[simulation]` names no clock on this machine"), "{clock}: {refused}");
    }
    assert_snapshot!(refuse_toml("[simulation]\nclok = \"http://127.0.0.1:80/clock\"\n"), @r#"
    error: `[simulation]` names no clock on this machine
     --> migrate.toml:1:1
      |
    1 | [simulation]
      | ^^^^^^^^^^^^ expected `clock = "http://127.0.0.1:PORT/clock"`
      |
      = help: for real tenants, remove the table; only the simulator writes it

    error: unknown key `clok`
     --> migrate.toml:2:1
      |
    2 | clok = "http://127.0.0.1:80/clock"
      | ^^^^ not a key of `[simulation]`
      |
      = help: did you mean `clock`?

    error: 2 errors in the configuration
    "#);
}

#[test]
fn a_moved_clock_of_a_real_org() {
    let text = "[simulation]\nclock = \"http://127.0.0.1:80/clock\"\n\
                [[tenant]]\nname = \"acme\"\n[tenant.provider]\nplugin = \"okta\"\ndomain = \"acme.okta.com\"\n\
                [tenant.directory]\nplugin = \"rest\"\n";
    let refused = refuse_toml(text);
    assert!(refused.contains("`[simulation]` moves the clock, but the org of `acme` is real"), "{refused}");
    assert!(
        !refuse_toml(&text.replace("okta.com", "okta.test").replace("[[tenant]]", "x = 1\n[[tenant]]"))
            .contains("is real")
    );
}

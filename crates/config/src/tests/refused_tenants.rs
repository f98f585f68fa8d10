//! The errors for mistakes in `[[tenant]]` and `[defaults]`.

use insta::assert_snapshot;

use super::{refuse, refuse_toml};

#[test]
fn a_single_bracket() {
    assert_snapshot!(refuse_toml("[tenant]\nname = \"acme\"\n"), @r"
    error: `tenant` is not a list of tables
     --> migrate.toml:1:2
      |
    1 | [tenant]
      |  ^^^^^^
      |
      = help: start every tenant with `[[tenant]]`, in double brackets
    ");
}

#[test]
fn names() {
    let text = "[[tenant]]\nname = \"Acme Corp\"\n[[tenant]]\nname = 7\n[[tenant]]\nnam = \"x\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: a tenant has no `provider`
     --> migrate.toml:1:1
      |
    1 | [[tenant]]
      | ^^^^^^^^^^ expected a plugin for `provider`
      |
      = note: for tenant `Acme Corp`
      = help: write `provider = { plugin = "…" }` in every tenant, or once in `[defaults]`

    error: a tenant has no `directory`
     --> migrate.toml:1:1
      |
    1 | [[tenant]]
      | ^^^^^^^^^^ expected a plugin for `directory`
      |
      = note: for tenant `Acme Corp`
      = help: write `directory = { plugin = "…" }` in every tenant, or once in `[defaults]`

    error: `Acme Corp` cannot be the name of a tenant
     --> migrate.toml:2:8
      |
    2 | name = "Acme Corp"
      |        ^^^^^^^^^^^ expected lowercase letters, digits, `.`, `_`, and `-`
      |
      = help: use a name such as `acme-corp`

    error: `name` has the wrong type
     --> migrate.toml:4:8
      |
    4 | name = 7
      |        ^ expected a short name in quotes, found a number

    error: a tenant has no `name`
     --> migrate.toml:5:1
      |
    5 | [[tenant]]
      | ^^^^^^^^^^ expected `name = "…"` below
      |
      = help: add a short name, such as `acme`

    error: unknown key `nam`
     --> migrate.toml:6:1
      |
    6 | nam = "x"
      | ^^^ not a key of a tenant, and no default uses it
      |
      = help: did you mean `name`?

    error: 6 errors in the configuration
    "#);
}

#[test]
fn a_name_twice() {
    let toml = "inventory = \"tenants.csv\"\n[defaults]\nprovider = { plugin = \"a\" }\ndirectory = { plugin = \"b\" }\n\
                [[tenant]]\nname = \"acme\"\n[[tenant]]\nname = \"b\"\n[[tenant]]\nname = \"b\"\n";
    assert_snapshot!(refuse(&[("migrate.toml", toml), ("tenants.csv", "name\nc\nacme\n")]), @r#"
    error: two tenants have the name `b`
      --> migrate.toml:10:8
       |
     8 | name = "b"
       |        --- first use
     9 | [[tenant]]
    10 | name = "b"
       |        ^^^ second use
       |
       = help: give each tenant a unique name

    error: two tenants have the name `acme`
     --> tenants.csv:3:1
      |
    3 | acme
      | ^^^^ second use
      |
     ::: migrate.toml:6:8
      |
    6 | name = "acme"
      |        ------ first use
      |
      = help: give each tenant a unique name

    error: 2 errors in the configuration
    "#);
}

#[test]
fn missing_sides() {
    let text = "[[tenant]]\nname = \"acme\"\nprovider = { domain = \"acme.okta.com\" }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: a tenant has no `directory`
     --> migrate.toml:1:1
      |
    1 | [[tenant]]
      | ^^^^^^^^^^ expected a plugin for `directory`
      |
      = note: for tenant `acme`
      = help: write `directory = { plugin = "…" }` in every tenant, or once in `[defaults]`

    error: `provider` names no plugin
     --> migrate.toml:3:12
      |
    3 | provider = { domain = "acme.okta.com" }
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected a plugin for `provider`
      |
      = note: for tenant `acme`
      = help: write `provider = { plugin = "…" }` in every tenant, or once in `[defaults]`

    error: 2 errors in the configuration
    "#);
}

#[test]
fn sides_of_the_wrong_kind() {
    let text = "[[tenant]]\nname = \"acme\"\napp_data = \"yes\"\nprovider = \"okta\"\ndirectory = { plugin = 1 }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `app_data` has the wrong type
     --> migrate.toml:3:12
      |
    3 | app_data = "yes"
      |            ^^^^^ expected `true` or `false`, found a string

    error: `provider` has the wrong type
     --> migrate.toml:4:12
      |
    4 | provider = "okta"
      |            ^^^^^^ expected a table with `plugin` and its keys, found a string

    error: `plugin` has the wrong type
     --> migrate.toml:5:24
      |
    5 | directory = { plugin = 1 }
      |                        ^ expected the name of a plugin in quotes, found a number

    error: 3 errors in the configuration
    "#);
}

#[test]
fn unknown_keys_of_a_tenant() {
    let text = "[defaults]\nregoin = \"eu\"\nprovider = { plugin = \"okta\", domain = \"{name}.{region}\" }\n\
                directory = { plugin = \"rest\" }\n[[tenant]]\nname = \"acme\"\nappdata = true\nregion = \"us\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: unknown key `regoin`
     --> migrate.toml:2:1
      |
    2 | regoin = "eu"
      | ^^^^^^ not a key of `[defaults]`, and no default uses it
      |
      = help: did you mean `region`?

    error: unknown key `appdata`
     --> migrate.toml:7:1
      |
    7 | appdata = true
      | ^^^^^^^ not a key of a tenant, and no default uses it
      |
      = help: did you mean `app_data`?

    error: 2 errors in the configuration
    "#);
}

#[test]
fn unknown_fields() {
    let text = "[defaults]\nprovider = { plugin = \"okta\", domain = \"{nmae}.okta.com\" }\n\
                directory = { plugin = \"rest\", list = [\"a\", { path = \"/{regionn}\" }] }\n\
                [[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"b\"\n[[tenant]]\nname = \"c\"\n[[tenant]]\nname = \"d\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: unknown field `{nmae}`
     --> migrate.toml:2:41
      |
    2 | provider = { plugin = "okta", domain = "{nmae}.okta.com" }
      |                                         ^^^^^^ the tenant has no field with this name
      |
      = note: for tenants `a`, `b`, and 2 others
      = help: did you mean `name`?

    error: unknown field `{regionn}`
     --> migrate.toml:3:56
      |
    3 | directory = { plugin = "rest", list = ["a", { path = "/{regionn}" }] }
      |                                                        ^^^^^^^^^ the tenant has no field with this name
      |
      = note: for tenants `a`, `b`, and 2 others
      = help: use `name`

    error: 2 errors in the configuration
    "#);
}

#[test]
fn braces() {
    let text = "[defaults.directory]\nbody = '{\"a\": 1}'\nescaped = \"\\\\{\"\npath = \"/{}/\"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: a brace in a default is not part of a `{field}`
     --> migrate.toml:2:9
      |
    2 | body = '{"a": 1}'
      |         ^ expected a field such as `{name}`
      |
      = help: write `{{` or `}}` for a literal brace

    error: a brace in a default is not part of a `{field}`
     --> migrate.toml:3:11
      |
    3 | escaped = "\\{"
      |           ^^^^^ expected a field such as `{name}`
      |
      = help: write `{{` or `}}` for a literal brace

    error: a brace in a default is not part of a `{field}`
     --> migrate.toml:4:10
      |
    4 | path = "/{}/"
      |          ^ expected a field such as `{name}`
      |
      = help: write `{{` or `}}` for a literal brace

    error: 3 errors in the configuration
    "#);
}

#[test]
fn plain_text_secrets() {
    let text = "[secrets]\npassphrase = \"hunter2\"\n[[tenant]]\nname = \"acme\"\nokta_token = \"00aBc\"\n\
                provider = { plugin = \"okta\", credential = \"00aBcDeF\", client_secret = { value = \"s3cret\" } }\n\
                directory = { plugin = \"rest\", credential = { env = \"00-aBcDeF\" }, pass_token = [\"x\"] }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `passphrase` holds a plain-text secret
     --> migrate.toml:2:14
      |
    2 | passphrase = "*******"
      |              ^^^^^^^^^ expected a reference to where the secret is kept
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `okta_token` holds a plain-text secret
     --> migrate.toml:5:1
      |
    5 | okta_token = "*****"
      | ^^^^^^^^^^ belongs in `provider` or `directory`, as a reference
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `credential` holds a plain-text secret
     --> migrate.toml:6:44
      |
    6 | provider = { plugin = "okta", credential = "********", client_secret = { value = "******" } }
      |                                            ^^^^^^^^^^ expected a reference to where the secret is kept
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `client_secret` is not a reference to a secret
     --> migrate.toml:6:72
      |
    6 | provider = { plugin = "okta", credential = "********", client_secret = { value = "******" } }
      |                                                                        ^^^^^^^^^^^^^^^^^^^^ expected exactly one of `env`, `file`, `command`, and `vault`
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `env` does not name an environment variable
     --> migrate.toml:7:53
      |
    7 | directory = { plugin = "rest", credential = { env = "*********" }, pass_token = ["*"] }
      |                                                     ^^^^^^^^^^^ expected a name such as "OKTA_TOKEN"
      |
      = help: put the secret into the variable, never into this file

    error: `pass_token` holds a plain-text secret
     --> migrate.toml:7:81
      |
    7 | directory = { plugin = "rest", credential = { env = "*********" }, pass_token = ["*"] }
      |                                                                                 ^^^^^ expected a reference to where the secret is kept
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: 6 errors in the configuration
    "#);
}

#[test]
fn a_reference_in_the_wrong_place() {
    let text = "[[tenant]]\nname = \"acme\"\ncredential = { env = \"A\" }\nprovider = { plugin = \"p\" }\n\
                directory = { plugin = \"d\" }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `credential` is in the wrong place
     --> migrate.toml:3:1
      |
    3 | credential = { env = "A" }
      | ^^^^^^^^^^ belongs to the provider or the directory
      |
      = help: move it into `provider` or `directory`
    "#);
}

#[test]
fn invalid_references() {
    let text = "[[tenant]]\nname = \"acme\"\n\
                provider = { plugin = \"okta\", credential = { env = \"A\", file = \"b\" }, x = { file = 3 } }\n\
                directory = { plugin = \"rest\", credential = { command = \"pass show okta\" } }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `credential` is not a reference to a secret
     --> migrate.toml:3:44
      |
    3 | provider = { plugin = "okta", credential = { env = "A", file = "b" }, x = { file = 3 } }
      |                                            ^^^^^^^^^^^^^^^^^^^^^^^^^ expected exactly one of `env`, `file`, `command`, and `vault`
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `file` has the wrong type
     --> migrate.toml:3:84
      |
    3 | provider = { plugin = "okta", credential = { env = "A", file = "b" }, x = { file = 3 } }
      |                                                                                    ^ expected a path in quotes, found a number

    error: `command` is not a list of strings
     --> migrate.toml:4:57
      |
    4 | directory = { plugin = "rest", credential = { command = "pass show okta" } }
      |                                                         ^^^^^^^^^^^^^^^^ expected a list of strings such as ["pass", "show", "okta"]
      |
      = help: write each argument as a separate string; no shell splits them

    error: 3 errors in the configuration
    "#);
}

#[test]
fn invalid_variables_of_a_command() {
    let text = "[[tenant]]\nname = \"acme\"\nprovider = { plugin = \"okta\" }\n[tenant.directory]\nplugin = \"rest\"\n\
                a = { command = [\"op\"], env = \"OP_SESSION\" }\n\
                b_token = { command = [\"op\"], env = [\"OP_SESSION=s3cret\"] }\n\
                c_token = { command = [\"op\"], env = [\"A\"], file = \"b\" }\n\
                d_token = { file = \"b\", env = [\"A\"] }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `env` beside `command` is not a list of names of environment variables
     --> migrate.toml:6:31
      |
    6 | a = { command = ["op"], env = "OP_SESSION" }
      |                               ^^^^^^^^^^^^ expected a list such as ["OP_SESSION", "VAULT_ADDR"]
      |
      = help: write only the names; the program gets the values from flowswap's own environment

    error: `env` beside `command` is not a list of names of environment variables
     --> migrate.toml:7:37
      |
    7 | b_token = { command = ["op"], env = ["*****************"] }
      |                                     ^^^^^^^^^^^^^^^^^^^^^ expected a list such as ["OP_SESSION", "VAULT_ADDR"]
      |
      = help: write only the names; the program gets the values from flowswap's own environment

    error: `c_token` is not a reference to a secret
     --> migrate.toml:8:11
      |
    8 | c_token = { command = ["op"], env = ["A"], file = "b" }
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected exactly one of `env`, `file`, `command`, and `vault`
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: `d_token` is not a reference to a secret
     --> migrate.toml:9:11
      |
    9 | d_token = { file = "b", env = ["A"] }
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected exactly one of `env`, `file`, `command`, and `vault`
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: 4 errors in the configuration
    "#);
}

#[test]
fn one_line_that_is_wrong_for_many_tenants() {
    let mut csv = "name,domain\n".to_owned();
    for n in 0..1000 {
        csv += &format!("t{n},t{n}.okta.com\n");
    }
    let toml =
        "inventory = \"tenants.csv\"\n[defaults.directory]\nplugin = \"rest\"\ncredential = \"plain\"\nid = \"{id}\"\n";
    assert_snapshot!(refuse(&[("migrate.toml", toml), ("tenants.csv", &csv)]), @r#"
    error: `provider` names no plugin
     --> migrate.toml:1:13
      |
    1 | inventory = "tenants.csv"
      |             ^^^^^^^^^^^^^
      |
      = note: for tenants `t0`, `t1`, and 998 others
      = help: write `plugin = "…"` once in `[defaults.provider]`

    error: `credential` holds a plain-text secret
     --> migrate.toml:4:14
      |
    4 | credential = "*****"
      |              ^^^^^^^ expected a reference to where the secret is kept
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }`, or `{ vault = "path#field" }`

    error: unknown field `{id}`
     --> migrate.toml:5:7
      |
    5 | id = "{id}"
      |       ^^^^ the tenant has no field with this name
      |
      = note: for tenants `t0`, `t1`, and 998 others
      = help: use one of `domain`, `name`

    error: 3 errors in the configuration
    "#);
}

#[test]
fn only_the_first_errors_are_shown() {
    let tenants: String = (0..30).map(|_| "[[tenant]]\n").collect();
    let shown = refuse_toml(&tenants);
    assert_eq!(shown.matches("a tenant has no `name`").count(), 20);
    assert!(shown.ends_with("error: 30 errors in the configuration; the first 20 are above"), "{shown}");
}

#[test]
fn invalid_owners() {
    let text = "[defaults]\nprovider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\nowner = 7\n[[tenant]]\nname = \"b\"\nowner = \"  \"\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `owner` has the wrong type
     --> migrate.toml:6:9
      |
    6 | owner = 7
      |         ^ expected the name of the operator in quotes, found a number

    error: `owner` is empty
     --> migrate.toml:9:9
      |
    9 | owner = "  "
      |         ^^^^ expected a name
      |
      = note: for tenant `b`
      = help: leave `owner` out if any operator can do the work

    error: 2 errors in the configuration
    "#);
}

#[test]
fn invalid_labels() {
    let text = "[defaults]\nprovider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\nlabels = \"emea\"\n\
                [[tenant]]\nname = \"b\"\nlabels = { \"re gion\" = \"emea\", tier = \"\", zone = \"a,b\", sites = [\"x\"] }\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: `labels` has the wrong type
     --> migrate.toml:6:10
      |
    6 | labels = "emea"
      |          ^^^^^^ expected a table such as `{ region = "emea" }`, found a string

    error: `re gion` cannot be the name of a label
     --> migrate.toml:9:12
      |
    9 | labels = { "re gion" = "emea", tier = "", zone = "a,b", sites = ["x"] }
      |            ^^^^^^^^^ expected a name without spaces, `,`, and `=`
      |
      = help: use a name such as `region`, so that `--label region=emea` selects tenants

    error: the label `tier` has no valid value
     --> migrate.toml:9:39
      |
    9 | labels = { "re gion" = "emea", tier = "", zone = "a,b", sites = ["x"] }
      |                                       ^^ expected a text without `,`, such as "emea"
      |
      = help: leave the label out for tenants that do not have it

    error: the label `zone` has no valid value
     --> migrate.toml:9:50
      |
    9 | labels = { "re gion" = "emea", tier = "", zone = "a,b", sites = ["x"] }
      |                                                  ^^^^^ expected a text without `,`, such as "emea"
      |
      = help: leave the label out for tenants that do not have it

    error: the label `sites` has no valid value
     --> migrate.toml:9:65
      |
    9 | labels = { "re gion" = "emea", tier = "", zone = "a,b", sites = ["x"] }
      |                                                                 ^^^^^ expected a text without `,`, such as "emea"
      |
      = help: leave the label out for tenants that do not have it

    error: 5 errors in the configuration
    "#);
}

#[test]
fn findings_that_nobody_can_accept() {
    let toml = "[defaults]\nprovider = { plugin = \"okta\" }\ndirectory = { plugin = \"rest\" }\n\
                accept = [\"sync-stale\"]\n[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"b\"\n\
                [[tenant]]\nname = \"c\"\naccept = [\"deadline-pased\", \"domain-mismatch\", 3]\n";
    assert_snapshot!(refuse_toml(toml), @r#"
    error: the finding `sync-stale` in `accept` cannot be accepted
     --> migrate.toml:4:11
      |
    4 | accept = ["sync-stale"]
      |           ^^^^^^^^^^^^
      |
      = note: for tenants `a` and `b`
      = help: use one of `legacy-token-refused`, `deadline-passed`

    error: the finding `deadline-pased` in `accept` does not exist
      --> migrate.toml:11:11
       |
    11 | accept = ["deadline-pased", "domain-mismatch", 3]
       |           ^^^^^^^^^^^^^^^^
       |
       = note: for tenant `c`
       = help: did you mean `deadline-passed`?

    error: the finding `domain-mismatch` in `accept` cannot be accepted
      --> migrate.toml:11:29
       |
    11 | accept = ["deadline-pased", "domain-mismatch", 3]
       |                             ^^^^^^^^^^^^^^^^^
       |
       = note: for tenant `c`
       = help: use one of `legacy-token-refused`, `deadline-passed`

    error: `accept` has the wrong type
      --> migrate.toml:11:48
       |
    11 | accept = ["deadline-pased", "domain-mismatch", 3]
       |                                                ^ expected a list of findings such as `["deadline-passed"]`, found a number

    error: 4 errors in the configuration
    "#);
}

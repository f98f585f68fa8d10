//! Invisible characters are refused everywhere, and the error names them.

use super::{accept, refuse_csv, refuse_toml};

/// Tries every character in every place that holds an identifier.
#[test]
fn a_hidden_character_is_named_with_its_place_and_never_shown() {
    let table = [
        ('\u{202e}', "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ('\u{200b}', "U+200B ZERO WIDTH SPACE"),
        ('\u{1b}', "U+001B ESCAPE"),
        ('\u{9b}', "U+009B CONTROL SEQUENCE INTRODUCER"),
        ('\u{2028}', "U+2028 LINE SEPARATOR"),
        ('\u{e000}', "U+E000 a character for private use"),
        ('\u{378}', "U+0378 an unassigned character"),
        ('\u{e0041}', "U+E0041 an invisible character"),
        ('\t', "U+0009 TAB"),
    ];
    for (c, name) in table {
        let escape = format!("\\U{:08X}", u32::from(c));
        let errors = [
            (refuse_toml(&format!("[[tenant]]\nname = \"ac{escape}me\"\n")), "`name`", "migrate.toml:2:8"),
            (refuse_toml(&format!("[defaults]\nowner = \"da{escape}na\"\n")), "`owner`", "migrate.toml:2:9"),
            (
                refuse_toml(&format!("[defaults.provider]\ndomain = \"a{escape}.okta.com\"\n")),
                "`domain`",
                "migrate.toml:2:10",
            ),
            (
                refuse_toml(&format!("[defaults.directory]\n\"i{escape}d\" = \"1\"\n")),
                &format!("the key `i<{}>d`", name.split(' ').next().unwrap()),
                "migrate.toml:2:1",
            ),
            (refuse_csv(format!("name,domain\nacme,a{c}.okta.com\n")), "the cell of `domain`", "tenants.csv:2:6"),
            (refuse_csv(format!("name,do{c}main\nacme,a.okta.com\n")), "the name of a column", "tenants.csv:1:6"),
        ];
        for (error, what, place) in errors {
            assert!(error.contains(&format!("{what} contains {name}")), "{error}");
            assert!(error.contains(place), "{error}");
            assert!(!error.contains(c), "{error:?}");
        }
    }
}

#[test]
fn text_in_any_writing_system_is_kept_and_a_command_may_be_a_script() {
    let (_folder, config) = accept(&[(
        "migrate.toml",
        "[defaults]\nowner = \"Zoë Łukasz \u{5d3}\u{5e0}\u{5d4} e\u{301}\"\n\
         [[tenant]]\nname = \"acme\"\nprovider = { plugin = \"okta\", credential = { command = [\"sh\", \"-c\", \"a\\nb\"] } }\n\
         directory = { plugin = \"rest\" }\n",
    )]);
    assert_eq!(config.tenants[0].owner.as_deref(), Some("Zoë Łukasz \u{5d3}\u{5e0}\u{5d4} e\u{301}"));
}

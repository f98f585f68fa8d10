//! What flowswap says about plugins that it lists, inspects, and cannot start.

use std::fs;

use crate::support::{Lab, plugin_file, run_in};

#[test]
fn a_broken_library_is_named_by_its_file() {
    let folder = crate::support::folder();
    let library = folder.path().join(plugin_file("okta").file_name().unwrap());
    fs::write(&library, "not a library").unwrap();
    let plugins = folder.path().to_str().unwrap();
    let broken = run_in(folder.path(), &["plugins", "inspect", "okta", "--plugin-dir", plugins]).expect(1).stderr;
    let named = format!("error: failed to start the plugin from `{}`\n", library.display());
    assert!(broken.contains(&named), "{broken}");
    assert!(!broken.contains("/fd/"), "{broken}");
}

#[test]
fn a_plugin_folder_that_is_missing_is_not_ignored() {
    let lab = Lab::with_tenants(1);
    for command in
        [&["plugins", "list"][..], &["plugins", "inspect", "okta"], &["detect"], &["init", "--config", "new/a.toml"]]
    {
        let refused = lab.run(&[command, &["--plugin-dir", "nowhere"]].concat()).expect(2).stderr;
        assert!(refused.starts_with("error: there is no folder `nowhere`\n"), "{command:?}: {refused}");
    }
}

#[test]
fn the_list_explains_a_wrong_pin_below_the_table() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| format!("{text}\n[plugins.okta]\nsha256 = \"{}\"\n", "0".repeat(64)));
    let list = lab.run(&["plugins", "list"]).expect(0).stdout;
    let (table, below) = list.split_once("\n\n").unwrap();
    assert!(table.lines().any(|line| line.starts_with("okta ") && line.contains(" refused ")), "{list}");
    assert!(below.starts_with("the plugin `okta` does not match its pin: ") && below.lines().count() == 1, "{list}");
}

#[test]
fn inspect_says_where_the_origins_belong() {
    let folder = crate::support::folder();
    let inspect = || run_in(folder.path(), &["plugins", "inspect", "cie-guided"]).expect(0).stdout;
    let told = inspect();
    let line = told.lines().find(|line| line.contains("under [plugins.cie-guided]")).unwrap();
    let start = line.find("origins = [").unwrap();
    let origins = &line[start..line.find(" under ").unwrap()];
    let config = format!("[plugins.cie-guided]\n{origins}\n");
    fs::write(folder.path().join("migrate.toml"), config).unwrap();
    let told = inspect();
    assert!(!told.contains("not allowed") && !told.contains(" under [plugins"), "{told}");
}

//! Tests of the configuration, from the files to the tenants or to the errors on the screen.

mod accepted;
mod example;
mod hidden;
mod meaning;
mod notify;
mod plugin_keys;
mod refused_inventories;
mod refused_settings;
mod refused_tenants;
mod secrets;
mod units;
mod vault;
mod waves;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::{Config, ConfigErrors, load};

/// A folder with a configuration in it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        load(&self.path("migrate.toml"))
    }

    /// The text without the folder, which differs in every run.
    fn shorten(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// The errors for these files, as a person sees them.
fn refuse(files: &[(&str, &str)]) -> String {
    let folder = Folder::new(files);
    folder.shorten(&folder.load().expect_err("the configuration is wrong").to_string())
}

/// The errors for a configuration without other files.
fn refuse_toml(text: &str) -> String {
    refuse(&[("migrate.toml", text)])
}

/// The errors for an inventory, with a configuration whose defaults supply everything else.
fn refuse_csv(csv: impl AsRef<[u8]>) -> String {
    let folder = Folder::new(&[("migrate.toml", FLEET)]);
    fs::write(folder.path("tenants.csv"), csv).unwrap();
    folder.shorten(&folder.load().expect_err("the inventory is wrong").to_string())
}

fn accept(files: &[(&str, &str)]) -> (Folder, Config) {
    let folder = Folder::new(files);
    let config = folder.load().unwrap();
    (folder, config)
}

const FLEET: &str = r#"
inventory = "tenants.csv"
[defaults.provider]
plugin = "okta"
domain = "{name}.okta.com"
credential = { file = "secrets/{name}.token" }
[defaults.directory]
plugin = "rest"
base_url = "https://{region}.example"
"#;

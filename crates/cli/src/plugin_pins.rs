//! The `[plugins]` tables of a new configuration: what was found, pinned.

use std::{collections::BTreeMap, fmt::Write};

use crate::{commands, context::Context, exit::Failure, fleet::read_library};

/// A table for each of the plugins that come with flowswap, as far as it can be found. Its path is left out: the
/// plugin is looked up where the binary is, and the pin says which build of it is meant.
pub(crate) fn pin_tables(context: &Context) -> Result<String, Failure> {
    let mut text = String::new();
    let found = commands::plugins::find(context, &BTreeMap::new());
    for name in ["okta", "rest"] {
        let Some(path) = found.get(name) else { continue };
        let file = read_library(name, path, None)?;
        let _ = writeln!(text, "[plugins.{name}]\nsha256 = \"{}\"\n", file.sha256());
    }
    Ok(text)
}

//! The `[plugins]` tables of a new configuration, with the digest of each plugin that flowswap finds.

use std::{collections::BTreeMap, fmt::Write};

use crate::{context::Context, exit::Failure, fleet::read_library, plugin_search::find};

/// A table for each plugin that comes with flowswap and can be found. It has no path: flowswap looks for the plugin
/// beside the binary, and the pin says which build to accept.
pub(crate) fn pin_tables(context: &Context) -> Result<String, Failure> {
    let mut text = String::new();
    let found = find(context, &BTreeMap::new())?;
    for name in ["okta", "rest"] {
        let Some(path) = found.get(name) else { continue };
        let file = read_library(name, path, None)?;
        let _ = writeln!(text, "[plugins.{name}]\nsha256 = \"{}\"\n", file.sha256());
    }
    Ok(text)
}

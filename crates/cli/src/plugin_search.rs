//! Finds plugins by the names of their files, without loading any.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use flowswap_config::PluginEntry;

use crate::{context::Context, exit::Failure};

/// Every flowswap library in the plugin folders and in the configuration. The first library with a name wins.
pub(crate) fn find(
    context: &Context,
    entries: &BTreeMap<String, PluginEntry>,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut found: BTreeMap<String, PathBuf> =
        entries.iter().filter_map(|(name, entry)| Some((name.clone(), entry.path.clone()?))).collect();
    for dir in context.plugin_dirs()? {
        for path in std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if let Some(name) = library_name(&path) {
                found.entry(name).or_insert(path);
            }
        }
    }
    Ok(found)
}

/// `cie-guided` for `libflowswap_cie_guided.so`, as in `locate`. Skips Cargo's own copies, whose names have a hash
/// after a dash.
pub(crate) fn library_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_prefix(std::env::consts::DLL_PREFIX)?.strip_suffix(std::env::consts::DLL_SUFFIX)?;
    let name = stem.strip_prefix("flowswap_")?;
    (!name.contains('-')).then(|| name.replace('_', "-"))
}

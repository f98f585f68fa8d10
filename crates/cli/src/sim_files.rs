//! Writes what a client of a simulator needs: the simulator's own files, the pins of the plugins, and an identity.

use std::path::{Path, PathBuf};

use flowswap_sim::Sim;
use flowswap_store::StateDir;

use crate::{
    context::{Context, create_state_folder},
    exit::{Exit, Failure},
    identity,
    plugin_pins::pin_tables,
};

/// Writes everything into the folder and returns the path of the configuration, which also gets these tables.
pub(crate) fn write(context: &Context, sim: &Sim, dir: &Path, tables: &str) -> Result<PathBuf, Failure> {
    let state = StateDir::at(dir.join(".flowswap"));
    if state.journal().exists() {
        // A journal is true only for the world that it was written in.
        let failure =
            Failure::new(Exit::Usage, format!("`{}` holds the journal of an earlier simulation", dir.display()));
        return Err(failure.hint("name another folder, or delete this one"));
    }
    let tables = format!("{tables}[secrets]\nidentity = \".flowswap/identity.txt\"\n\n{}", pin_tables(context)?);
    let path = sim
        .write_client_files(dir, &tables)
        .map_err(Failure::at(format!("write the configuration into `{}`", dir.display())))?;
    identity::make_beside(&create_state_folder(state.root())?)?;
    Ok(path)
}

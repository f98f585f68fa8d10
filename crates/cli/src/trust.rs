//! Refuses what the configuration names and other users can change.
//!
//! The configuration itself, plugins, and the CA file are checked where they are read.

use std::{collections::BTreeSet, path::Path};

use flowswap_config::{Config, TenantConfig};
use flowswap_host::{TrustError, require_private_folder, require_trusted};
use flowswap_store::StateDir;

use crate::{
    exit::{Exit, Failure},
    fetch::require_trusted_source,
    identity,
};

/// Fails if others can change or see the state folder, the journal, the secret store, or the identity.
pub(crate) fn require_state(config: &Config) -> Result<(), Failure> {
    let state = StateDir::at(&config.state);
    require_state_folder(&state)?;
    let secrets = state.secrets();
    require_private_folder(&secrets).map_err(refuse(format!("use the secret store `{}`", secrets.display())))?;
    // A command that needs the identity says why it cannot be found.
    if let Ok(identity) = identity::locate(config) {
        require_trusted(&identity).map_err(refuse(format!("use the identity `{}`", identity.display())))?;
    }
    match &config.passphrase {
        Some(passphrase) => {
            require_trusted_source(passphrase).map_err(refuse("fetch the passphrase of the identity".to_owned()))
        }
        None => Ok(()),
    }
}

/// Fails if others can change the state folder or a file in it, or can look into it.
pub(crate) fn require_state_folder(state: &StateDir) -> Result<(), Failure> {
    let root = state.root();
    require_private_folder(root).map_err(refuse(format!("use the state folder `{}`", root.display())))
}

/// Fails if others can change a credential of these tenants.
pub(crate) fn require_credentials(tenants: &[&TenantConfig]) -> Result<(), Failure> {
    let sides = tenants.iter().flat_map(|tenant| [&tenant.provider, &tenant.directory]);
    // Many tenants may share one.
    let sources: BTreeSet<_> = sides.flat_map(|side| side.secrets.values()).collect();
    sources
        .into_iter()
        .try_for_each(|source| require_trusted_source(source).map_err(refuse("fetch a credential".to_owned())))
}

/// Fails if others could put another file in the place of one that flowswap is about to create.
pub(crate) fn require_place(path: &Path) -> Result<(), Failure> {
    require_trusted(path).map_err(refuse(format!("create `{}`", path.display())))
}

fn refuse(doing: String) -> impl FnOnce(TrustError) -> Failure {
    move |error| {
        let exit = if matches!(error, TrustError::Io(_)) { Exit::Failed } else { Exit::Usage };
        let hint = error.hint();
        Failure { exit, ..Failure::at(doing)(error) }.hint_if(hint)
    }
}

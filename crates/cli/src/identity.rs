//! The key of the secret store.

use std::path::Path;

use flowswap_config::SecretRef;
use flowswap_store::Identity;

use crate::{exit::Failure, fetch::fetch_secret};

/// The identity in a file.
pub(crate) fn unlock(path: &Path, passphrase: Option<&SecretRef>) -> Result<Identity, Failure> {
    let passphrase = passphrase.map(fetch_secret).transpose();
    let passphrase = passphrase.map_err(Failure::at("read the passphrase of the identity"))?;
    let identity = match &passphrase {
        None => Identity::load(path),
        Some(passphrase) => Identity::unlock(path, passphrase),
    };
    identity.map_err(|error| {
        let doing = format!("load the identity `{}`", path.display());
        Failure::at(doing)(error).hint("create one with `flowswap init`; flowswap needs it to keep captured secrets")
    })
}

//! The key of the secret store.

use std::path::Path;

use flowswap_config::SecretRef;
use flowswap_store::Identity;

use crate::{exit::Failure, fetch::Fetcher};

/// The identity in a file.
pub(crate) fn unlock(fetcher: &Fetcher, path: &Path, passphrase: Option<&SecretRef>) -> Result<Identity, Failure> {
    let passphrase = passphrase.map(|reference| fetcher.fetch(reference)).transpose();
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

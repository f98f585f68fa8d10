//! Where the identity of a state folder is. By default it is in the user's configuration folder: a copy of the state folder
//! then contains no key that opens its secrets.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use flowswap_config::{Config, Place, PublicKey, SecretRef};
use flowswap_engine::Secret;
use flowswap_host::quoted;
use flowswap_store::{Identity, IdentityError, IdentityId, Recipient, StateDir};

use crate::{
    exit::{Exit, Failure},
    fetch::Fetcher,
};

/// The identity of the configuration's state folder. If `[secrets] identity` names it, it is there. Otherwise it is in the
/// user's configuration folder, or in the state folder itself, where earlier versions put it.
pub(crate) fn locate(config: &Config) -> Result<PathBuf, Failure> {
    match &config.identity {
        Some(configured) => Ok(configured.clone()),
        None => locate_default(&StateDir::at(&config.state)),
    }
}

fn locate_default(state: &StateDir) -> Result<PathBuf, Failure> {
    let own = state.own_identity();
    let Some(id) = state.identity_id().map_err(Failure::at("find the identity"))? else { return Ok(own) };
    let of_user = user_file(&id)?;
    // Somebody who moves it writes the id first.
    Ok(if own.exists() && !of_user.exists() { own } else { of_user })
}

/// The identity in a file.
pub(crate) fn unlock(fetcher: &Fetcher, path: &Path, passphrase: Option<&SecretRef>) -> Result<Identity, Failure> {
    let passphrase = passphrase.map(|reference| fetcher.fetch(reference)).transpose();
    let passphrase = passphrase.map_err(|error| {
        let hint = error.hint();
        Failure::at("read the passphrase of the identity")(error).hint_if(hint)
    })?;
    let identity = match &passphrase {
        None => Identity::load(path),
        Some(passphrase) => Identity::unlock(path, passphrase),
    };
    identity.map_err(|error| {
        let hint = match &error {
            IdentityError::Locked { .. } => {
                "write where its passphrase is to `passphrase` under `[secrets]`".to_owned()
            }
            IdentityError::WrongPassphrase { .. } => "correct `passphrase` under `[secrets]`".to_owned(),
            IdentityError::Exposed { path, .. } => format!("chmod 600 {}", quoted(path)),
            _ => put_back(path),
        };
        Failure::at(format!("load the identity `{}`", path.display()))(error).hint(hint)
    })
}

fn put_back(path: &Path) -> String {
    format!("put your copy of it back to `{}`, or name the copy with `identity` under `[secrets]`", path.display())
}

/// Who else can open the secrets, as the configuration says.
pub(crate) fn recipients(config: &Config) -> Result<Vec<Recipient>, Failure> {
    let parse = |key: &PublicKey| {
        key.text.parse().map_err(|error| {
            let Place { file, line, .. } = config.place_of_key(key);
            // Not the key itself: it may be a private one.
            let what = format!("use a key of `recipients` under `[secrets]`, in {}:{line}", file.display());
            let failure = Failure { exit: Exit::Usage, ..Failure::at(what)(error) };
            failure.hint("write public keys: one of age begins with `age1`, and one of SSH is the line in a file such as `id_ed25519.pub`")
        })
    };
    config.recipients.iter().map(parse).collect()
}

/// Fails if the state folder has secrets, and the identity that opens them is missing. Another identity would not open them, and
/// would hide that this one is gone.
pub(crate) fn refuse_another(state: &StateDir) -> Result<(), Failure> {
    let path = locate_default(state)?;
    if path.exists() || !state.has_secrets().map_err(Failure::at("look for secrets"))? {
        return Ok(());
    }
    let (path, secrets) = (path.display(), state.secrets());
    let error =
        format!("the identity `{path}` is missing, and no other one opens the secrets in `{}`", secrets.display());
    Err(Failure::new(Exit::Usage, error).hint(format!(
        "put your copy of the identity back to `{path}`. For a new state folder, run `flowswap init` in another folder"
    )))
}

/// Creates the identity of a new state folder in the user's configuration folder. An existing identity stays.
pub(crate) fn make(state: &StateDir, passphrase: Option<Secret>) -> Result<PathBuf, Failure> {
    let existing = locate_default(state)?;
    if existing.exists() {
        return Ok(existing);
    }
    let identity = Identity::create();
    let path = user_file(&identity.id())?;
    identity.save(&path, passphrase).map_err(Failure::at("create the identity"))?;
    state.keep_identity_id(&identity.id()).map_err(Failure::at("create the identity"))?;
    Ok(path)
}

/// Whether the state folder has an identity already.
pub(crate) fn exists(state: &StateDir) -> Result<bool, Failure> {
    Ok(locate_default(state)?.exists())
}

/// Whether the identity is encrypted with a passphrase.
pub(crate) fn is_locked(path: &Path) -> bool {
    matches!(Identity::load(path), Err(IdentityError::Locked { .. }))
}

/// Creates the identity of a simulated fleet beside the secrets, so that nothing remains once the folder is deleted.
#[cfg(feature = "sandbox")]
pub(crate) fn make_beside(state: &StateDir) -> Result<(), Failure> {
    let path = state.own_identity();
    if !path.exists() {
        Identity::generate(&path, None).map_err(Failure::at("create the identity"))?;
    }
    Ok(())
}

/// The command that moves the identity out of the state folder. `None` if it is elsewhere, or if the configuration names it.
pub(crate) fn moving_command(config: &Config, identity: &Identity) -> Option<String> {
    let state = StateDir::at(&config.state);
    let own = state.own_identity();
    if config.identity.is_some() || locate_default(&state).ok()? != own {
        return None;
    }
    let id = identity.id();
    let target = user_file(&id).ok()?;
    Some(format!(
        "mkdir -p -m 700 {} && echo {id} > {} && mv {} {}",
        quoted(target.parent()?),
        quoted(&state.identity_id_file()),
        quoted(&own),
        quoted(&target)
    ))
}

fn user_file(id: &IdentityId) -> Result<PathBuf, Failure> {
    let folders = etcetera::choose_base_strategy().map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("failed to find your configuration folder: {error}"));
        failure.hint("set HOME or XDG_CONFIG_HOME, or name the identity with `identity` under `[secrets]`")
    })?;
    Ok(folders.config_dir().join("flowswap").join(format!("identity-{id}.txt")))
}

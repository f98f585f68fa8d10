//! The custody of secrets: every secret that a tenant needs is there and can be read, and nothing else is.

use std::collections::BTreeSet;

use flowswap_contract::Handle;
use flowswap_engine::{History, SecretStore};
use flowswap_store::{AgeSecretStore, StateDir};

use super::{Check, failed, passed};
use crate::{
    config::Config,
    context::load_identity,
    exit::{Failure, chain},
};

/// Looks at all secrets; their values stay where they are.
pub(super) async fn verify(config: &Config, state: &StateDir, history: &History) -> Vec<Check> {
    let needed: BTreeSet<&Handle> =
        history.tenants().filter_map(|(_, tenant)| tenant.work.as_ref()).flat_map(|work| &work.secrets).collect();
    if needed.is_empty() && !state.secrets().exists() {
        return vec![passed("custody", None, "no tenant needs a secret, and none is kept".to_owned())];
    }
    let secrets = match open(config, state) {
        Ok(secrets) => secrets,
        Err(failure) => return vec![failed("custody", None, chain(failure.error.as_ref()))],
    };
    let mut checks = Vec::new();
    for handle in &needed {
        let problem = match secrets.get(handle).await {
            Ok(Some(_)) => continue,
            Ok(None) => "it is needed and is not in custody".to_owned(),
            Err(error) => chain(&error),
        };
        checks.push(failed("custody", Some(handle.to_string()), problem));
    }
    if checks.is_empty() {
        checks.push(passed("custody", None, format!("{} secrets are needed; each can be read", needed.len())));
    }
    checks.extend(find_orphans(&secrets, |handle| needed.contains(handle) || is_awaited(history, handle)));
    checks
}

/// Whether a step in doubt was to bring the secret: it may have arrived just before the run was cut off.
fn is_awaited(history: &History, handle: &Handle) -> bool {
    history.tenants().filter_map(|(_, tenant)| tenant.work.as_ref()).any(|work| {
        let in_doubt = work.doubt.as_ref().map(|doubt| &doubt.step);
        work.requests.iter().any(|sent| Some(&sent.step) == in_doubt && sent.secrets.contains(handle))
    })
}

fn open(config: &Config, state: &StateDir) -> Result<AgeSecretStore, Failure> {
    let identity = load_identity(config)?;
    AgeSecretStore::open(state.secrets(), identity)
        .map_err(Failure::at(format!("open the secrets in `{}`", state.secrets().display())))
}

fn find_orphans(secrets: &AgeSecretStore, has_place: impl Fn(&Handle) -> bool) -> Vec<Check> {
    let kept = match secrets.list() {
        Ok(kept) => kept,
        Err(error) => return vec![failed("orphans", None, chain(&error))],
    };
    let orphan = |handle: &Handle| {
        failed("orphans", Some(handle.to_string()), "it is in custody and no tenant needs it".to_owned())
    };
    let orphans: Vec<Check> = kept.iter().filter(|handle| !has_place(handle)).map(orphan).collect();
    match orphans.is_empty() {
        true => vec![passed("orphans", None, format!("{} secrets are in custody; each has its tenant", kept.len()))],
        false => orphans,
    }
}

//! The custody of secrets: every secret that a tenant needs is there and can be read, and nothing else is.

use std::collections::BTreeSet;

use flowswap_contract::Handle;
use flowswap_engine::History;
use flowswap_host::chain;
use flowswap_store::{AgeSecretStore, Inventory, StateDir};

use super::{Check, failed, passed};
use crate::{config::Config, context::load_identity, exit::Failure};

/// Looks at all secrets; their values stay where they are.
pub(super) fn verify(config: &Config, state: &StateDir, history: &History) -> Vec<Check> {
    let needed: BTreeSet<&Handle> =
        history.tenants().filter_map(|(_, tenant)| tenant.work.as_ref()).flat_map(|work| &work.secrets).collect();
    if needed.is_empty() && !state.secrets().exists() {
        return vec![passed("custody", None, "no tenant needs a secret, and none is kept".to_owned())];
    }
    let inventory = match look(config, state) {
        Ok(inventory) => inventory,
        Err(failure) => return vec![failed("custody", None, chain(failure.error.as_ref()))],
    };
    let mut checks: Vec<Check> = needed.iter().filter_map(|handle| find_problem(&inventory, handle)).collect();
    if checks.is_empty() {
        checks.push(passed("custody", None, format!("{} secrets are needed; each can be read", needed.len())));
    }
    checks.extend(find_orphans(&inventory, |handle| needed.contains(handle) || is_awaited(history, handle)));
    checks
}

fn look(config: &Config, state: &StateDir) -> Result<Inventory, Failure> {
    let identity = load_identity(config)?;
    AgeSecretStore::inspect(&state.secrets(), &identity)
        .map_err(Failure::at(format!("look into the secrets in `{}`", state.secrets().display())))
}

/// What is wrong with a secret that is needed.
fn find_problem(inventory: &Inventory, needed: &Handle) -> Option<Check> {
    if inventory.secrets.contains(needed) {
        return None;
    }
    let stray = inventory.strays.iter().find(|stray| stray.handle.as_ref() == Some(needed));
    let problem = stray.map_or_else(|| "it is needed and is not in custody".to_owned(), ToString::to_string);
    Some(failed("custody", Some(needed.to_string()), problem))
}

/// Whether a step in doubt was to bring the secret: it may have arrived just before the run was cut off.
fn is_awaited(history: &History, handle: &Handle) -> bool {
    history.tenants().filter_map(|(_, tenant)| tenant.work.as_ref()).any(|work| {
        let in_doubt = work.doubt.as_ref().map(|doubt| &doubt.step);
        work.requests.iter().any(|sent| Some(&sent.step) == in_doubt && sent.secrets.contains(handle))
    })
}

/// What lies in custody and has no place there.
fn find_orphans(inventory: &Inventory, has_place: impl Fn(&Handle) -> bool) -> Vec<Check> {
    let fail = |about: String, problem: String| failed("orphans", Some(about), problem);
    let nobodys = inventory.secrets.iter().filter(|handle| !has_place(handle));
    let mut orphans: Vec<Check> =
        nobodys.map(|handle| fail(handle.to_string(), "it is in custody and no tenant needs it".to_owned())).collect();
    let strays = inventory.strays.iter().filter(|stray| !stray.handle.as_ref().is_some_and(&has_place));
    orphans.extend(strays.map(|stray| {
        let name = stray.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fail(name, stray.problem.to_string())
    }));
    match orphans.is_empty() {
        true => vec![passed(
            "orphans",
            None,
            format!("{} secrets are in custody; each has its tenant", inventory.secrets.len()),
        )],
        false => orphans,
    }
}

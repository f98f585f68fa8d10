//! Verifies the secret store: it has every secret that a tenant needs, each can be decrypted, and it has nothing else.

use std::collections::BTreeSet;

use flowswap_config::Config;
use flowswap_contract::Handle;
use flowswap_engine::History;
use flowswap_host::chain;
use flowswap_store::{AgeSecretStore, FileProblem, Inventory, StateDir};

use super::{Check, failed, passed};
use crate::{context::Context, exit::Failure};

/// Checks all secrets, and never shows a value.
pub(super) fn verify(context: &Context, config: &Config, state: &StateDir, history: &History) -> Vec<Check> {
    let needed: BTreeSet<&Handle> =
        history.tenants().flat_map(|(_, tenant)| tenant.works()).flat_map(|work| &work.secrets).collect();
    if needed.is_empty() && !state.secrets().exists() {
        return vec![passed("custody", None, "no tenant needs a secret, and the secret store is empty".to_owned())];
    }
    let inventory = match inspect(context, config, state) {
        Ok(inventory) => inventory,
        Err(failure) => return vec![failed("custody", None, chain(failure.error.as_ref()))],
    };
    let mut checks: Vec<Check> = needed.iter().filter_map(|handle| find_problem(&inventory, handle)).collect();
    if !checks.is_empty() {
        let detail = format!("flowswap cannot read {} of the {} secrets that tenants need", checks.len(), needed.len());
        checks.insert(0, failed("custody", None, detail));
    } else {
        let unbound = match inventory.unbound {
            0 => String::new(),
            count => {
                format!("; {count} of their files are from an earlier version, so it cannot tell if those were swapped")
            }
        };
        let detail = format!("{} secrets are needed; flowswap can read all of them{unbound}", needed.len());
        checks.push(passed("custody", None, detail));
    }
    checks.extend(find_orphans(&inventory, |handle| needed.contains(handle) || may_arrive(history, handle)));
    checks
}

fn inspect(context: &Context, config: &Config, state: &StateDir) -> Result<Inventory, Failure> {
    let identity = context.load_identity(config)?;
    AgeSecretStore::inspect(&state.secrets(), &identity)
        .map_err(Failure::at(format!("inspect the secrets in `{}`", state.secrets().display())))
}

/// What is wrong with a secret that a tenant needs, if anything.
fn find_problem(inventory: &Inventory, needed: &Handle) -> Option<Check> {
    if inventory.secrets.contains(needed) {
        return None;
    }
    let unusable = inventory.unusable.iter().find(|file| file.handle.as_ref() == Some(needed));
    let problem = unusable.map_or_else(
        || "a tenant needs this secret, but the secret store does not have it".to_owned(),
        ToString::to_string,
    );
    let hint = match unusable.map(|file| &file.problem) {
        Some(FileProblem::OtherIdentity) => {
            "restore the identity that these secrets were encrypted to, or name it with `identity` under `[secrets]`"
        }
        _ => {
            "restore these files from your last good copy. Without one, move them out of the secret store, roll their \
             tenants back, and migrate them again"
        }
    };
    Some(failed("custody", Some(needed.to_string()), problem).hint(hint))
}

/// Whether a step in doubt produces the secret. It may have arrived just before the run was interrupted.
fn may_arrive(history: &History, handle: &Handle) -> bool {
    history.tenants().filter_map(|(_, tenant)| tenant.work.as_ref()).any(|work| {
        let in_doubt = work.doubt.as_ref().map(|doubt| &doubt.step);
        work.requests.iter().any(|sent| Some(&sent.step) == in_doubt && sent.secrets.contains(handle))
    })
}

/// Secrets and files in the secret store that no tenant needs.
fn find_orphans(inventory: &Inventory, is_needed: impl Fn(&Handle) -> bool) -> Vec<Check> {
    let fail = |about: String, problem: String| failed("orphans", Some(about), problem);
    let unneeded = inventory.secrets.iter().filter(|handle| !is_needed(handle));
    let mut orphans: Vec<Check> = unneeded
        .map(|handle| fail(handle.to_string(), "the secret store has it, but no tenant needs it".to_owned()))
        .collect();
    let unusable = inventory.unusable.iter().filter(|file| !file.handle.as_ref().is_some_and(&is_needed));
    orphans.extend(unusable.map(|file| {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fail(name, file.problem.to_string())
    }));
    if orphans.is_empty() {
        let damaged = inventory.unusable.iter().filter(|file| file.handle.is_some()).count();
        let secrets = inventory.secrets.len() + damaged;
        let detail = format!("the secret store has {secrets} secrets; a tenant needs each of them");
        orphans.push(passed("orphans", None, detail));
    }
    orphans
}

//! What the directory shows of itself, and what the operator wrote down of the rest.

use flowswap_contract::{DirectoryInventory, Error, Flow, KnownFrom};

use crate::{
    api::Api,
    config::Config,
    domains::{self, Directory, tell_health},
};

/// Finds the directory in the list and describes it.
pub(crate) async fn detect(api: &Api<'_>, config: &Config) -> Result<DirectoryInventory, Error> {
    let all = domains::list(api).await?;
    Ok(describe(domains::find(&all, &config.directory)?, config))
}

fn describe(shown: &Directory, config: &Config) -> DirectoryInventory {
    // The list shows neither flow nor client.
    let record = config.record.as_ref();
    let recorded = record.map_or(Flow::Unknown, |record| record.flow);
    let is_recorded = record.is_some_and(|record| record.flow != Flow::Unknown || record.client_id.is_some());
    DirectoryInventory {
        id: config.directory_id.clone().unwrap_or_else(|| shown.name.clone()),
        name: shown.name.clone(),
        domain: config.domain.clone(),
        flow: if is_of_another_kind(shown) { Flow::NotOkta } else { recorded },
        client_id: record.and_then(|record| record.client_id.clone()),
        known_from: match is_recorded {
            _ if is_of_another_kind(shown) => KnownFrom::Directory,
            true => KnownFrom::Record,
            false => KnownFrom::Nobody,
        },
        app_data: record.and_then(|record| record.app_data),
        auth_logs: record.and_then(|record| record.auth_logs),
        healthy: tell_health(shown.status.as_deref()),
        status: shown.status.clone(),
        last_success: shown.last_sync(),
        last_sign_in: record.and_then(|record| record.last_sign_in.clone()),
        counts: shown.counts,
        can_restore: false,
    }
}

/// The word for Okta is documented nowhere, so only the documented word for something else counts.
fn is_of_another_kind(shown: &Directory) -> bool {
    shown.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("active directory"))
}

//! Combines what the directory shows about itself with what the administrator recorded about the rest.

use flowswap_contract::{DirectoryInventory, Error, Flow, KnownFrom};

use crate::{
    api::Api,
    config::Config,
    domains::{self, Directory, is_healthy},
};

/// Finds the directory in the list and describes it.
pub(crate) async fn detect(api: &Api<'_>, config: &Config) -> Result<DirectoryInventory, Error> {
    let all = domains::list(api).await?;
    Ok(describe(domains::find(&all, &config.directory)?, config))
}

fn describe(shown: &Directory, config: &Config) -> DirectoryInventory {
    // The list shows neither the flow nor the client.
    let record = config.record.as_ref();
    let recorded = record.map_or(Flow::Unknown, |record| record.flow);
    let is_recorded = record.is_some_and(|record| record.flow != Flow::Unknown || record.client_id.is_some());
    let is_other_kind = is_of_another_kind(shown);
    DirectoryInventory {
        id: config.directory_id.clone().unwrap_or_else(|| shown.name.clone()),
        name: shown.name.clone(),
        domain: config.domain.clone(),
        flow: if is_other_kind { Flow::NotOkta } else { recorded },
        client_id: record.and_then(|record| record.client_id.clone()),
        known_from: if is_other_kind {
            KnownFrom::Directory
        } else if is_recorded {
            KnownFrom::Record
        } else {
            KnownFrom::Unknown
        },
        app_data: record.and_then(|record| record.app_data),
        auth_logs: record.and_then(|record| record.auth_logs),
        healthy: is_healthy(shown.status.as_deref()),
        status: shown.status.clone(),
        last_success: shown.last_sync(),
        last_sign_in: record.and_then(|record| record.last_sign_in.clone()),
        counts: shown.counts,
        can_restore: false,
    }
}

/// No source gives the interface's word for Okta, so only the documented word for another kind counts.
fn is_of_another_kind(shown: &Directory) -> bool {
    shown.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("active directory"))
}

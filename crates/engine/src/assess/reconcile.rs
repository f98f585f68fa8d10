//! Finds out which client a directory uses that does not show its own connection. Only the provider can show it.

use flowswap_contract::{DirectoryInventory, Flow, KnownFrom, ProviderInventory, Tokens};
use jiff::{SignedDuration, Timestamp};

use super::{Inventories, times};

/// A client is out of use if its last token is this much older than the last token of another client. An access token of
/// Okta's org authorization server lives an hour, so a client in use gets a token at least that often.
const OUT_OF_USE_AFTER: SignedDuration = SignedDuration::from_hours(2);

/// A client of CIE that somebody other than flowswap uses at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used<'a> {
    pub(super) flow: Flow,
    pub(super) client_id: &'a str,
    pub(super) granted_at: Timestamp,
}

/// Completes the directory's inventory if it does not show its connection.
pub(super) fn reconcile(mut inventories: Inventories) -> Inventories {
    if let (Ok(provider), Ok(directory)) = (&inventories.provider, &mut inventories.directory) {
        match directory.known_from {
            KnownFrom::Unknown => complete(directory, provider),
            KnownFrom::Record if directory.client_id.is_none() => {
                let used = find_used(provider).filter(|used| used.flow == directory.flow);
                directory.client_id = used.map(|used| used.client_id.to_owned());
            }
            KnownFrom::Record | KnownFrom::Directory | KnownFrom::Provider => {}
        }
    }
    inventories
}

fn complete(directory: &mut DirectoryInventory, provider: &ProviderInventory) {
    let only_legacy = || match (provider.legacy_clients.as_slice(), provider.service_clients.as_slice()) {
        ([only], []) if only.is_active() && is_unused(provider) => {
            Some((Flow::AuthorizationCode, only.client_id.as_str()))
        }
        _ => None,
    };
    // The org may have other directories. If this one has stopped, the service client that gets tokens belongs to another one.
    let fits = |used: &Used<'_>| used.flow == Flow::AuthorizationCode || is_alive(directory, used.granted_at);
    let found = match find_used(provider) {
        Some(used) if fits(&used) => Some((used.flow, used.client_id)),
        Some(_) => None,
        None => only_legacy(),
    };
    if let Some((flow, client_id)) = found {
        directory.flow = flow;
        directory.client_id = Some(client_id.to_owned());
        directory.known_from = KnownFrom::Provider;
    }
}

fn is_alive(directory: &DirectoryInventory, granted_at: Timestamp) -> bool {
    let last = directory.last_success.as_deref().and_then(times::read);
    last.is_some_and(|last| last + OUT_OF_USE_AFTER > granted_at)
}

/// The one client in use. `None` if no client or several clients are in use, or if one of the times cannot be read.
pub(super) fn find_used(provider: &ProviderInventory) -> Option<Used<'_>> {
    let mut used = all_used(provider)?;
    used.sort_by_key(|used| std::cmp::Reverse(used.granted_at));
    let newest = used.first()?;
    let is_ambiguous = used.get(1).is_some_and(|second| second.granted_at + OUT_OF_USE_AFTER > newest.granted_at);
    (!is_ambiguous).then(|| newest.clone())
}

fn is_unused(provider: &ProviderInventory) -> bool {
    all_used(provider).is_some_and(|used| used.is_empty())
}

/// Every client that got a token. `None` if one of the times cannot be read, because it could be the newest.
fn all_used(provider: &ProviderInventory) -> Option<Vec<Used<'_>>> {
    let legacy = provider.legacy_clients.iter();
    let legacy = legacy.map(|client| (Flow::AuthorizationCode, client.client_id.as_str(), &client.tokens));
    let service = provider.service_clients.iter();
    let service = service.map(|client| (Flow::ClientCredentials, client.id.as_str(), &client.tokens));
    let granted = |(flow, client_id, tokens): (Flow, _, &'_ Tokens)| {
        let granted_at = tokens.granted_at.as_deref()?;
        Some(times::read(granted_at).map(|granted_at| Used { flow, client_id, granted_at }))
    };
    legacy.chain(service).filter_map(granted).collect()
}

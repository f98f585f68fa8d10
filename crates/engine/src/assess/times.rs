//! Reads the times that both sides show. A time that cannot be read is reported and never treated as absent.

use flowswap_contract::{DirectoryInventory, ProviderInventory};
use jiff::Timestamp;

/// Reads a time in RFC 3339. Without an offset, a text names no point in time and gives `None`.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Lists the times that cannot be read, each with its place and its text.
pub(super) fn find_unreadable(
    provider: Option<&ProviderInventory>,
    directory: Option<&DirectoryInventory>,
) -> Vec<String> {
    let mut times: Vec<(String, Option<&String>)> = Vec::new();
    if let Some(directory) = directory {
        times.push(("the directory's last_success".to_owned(), directory.last_success.as_ref()));
        times.push(("the directory's last_sign_in".to_owned(), directory.last_sign_in.as_ref()));
    }
    for client in provider.iter().flat_map(|provider| &provider.legacy_clients) {
        let id = &client.client_id;
        times.push((format!("last_sign_in of `{id}`"), client.last_sign_in.as_ref()));
        times.push((format!("granted_at of `{id}`"), client.tokens.granted_at.as_ref()));
        times.push((format!("refused_at of `{id}`"), client.tokens.refused_at.as_ref()));
    }
    for client in provider.iter().flat_map(|provider| &provider.service_clients) {
        let id = &client.id;
        times.push((format!("granted_at of `{id}`"), client.tokens.granted_at.as_ref()));
        times.push((format!("refused_at of `{id}`"), client.tokens.refused_at.as_ref()));
    }
    let unreadable = |text: &&String| read(text).is_none();
    times.into_iter().filter_map(|(what, text)| Some(format!("{what} is {:?}", text.filter(unreadable)?))).collect()
}

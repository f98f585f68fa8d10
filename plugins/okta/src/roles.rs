//! The administrator roles of a user or of a service app.

use flowswap_contract::{Error, ErrorKind, HttpAnswer, Intent};
use serde::Deserialize;

use crate::api::{Api, decode};

/// One assignment of a role, directly or by a group (Okta management API, listAssignedRolesForUser and listRolesForClient).
#[derive(Deserialize)]
struct Role {
    #[serde(rename = "type")]
    name: Option<String>,
    status: Option<String>,
}

/// Reads the active roles at this path, by their types.
pub(crate) async fn list(api: &Api<'_>, what: &str, path: &str) -> Result<(Vec<String>, HttpAnswer), Error> {
    let ask = api.ask(Intent::Read, "GET", path).keeping(&["/*/type", "/*/status"]);
    let answer = api.send(what, ask).await?;
    let roles: Vec<Role> = decode(what, &answer)?;
    let active = roles.into_iter().filter(|role| role.status.as_deref() != Some("INACTIVE"));
    Ok((active.map(|role| role.name.unwrap_or_else(|| "unknown".to_owned())).collect(), answer))
}

/// Whether Okta itself does not show this: without it, flowswap knows less but can still work.
pub(crate) fn is_hidden(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Permission | ErrorKind::NotFound | ErrorKind::Unsupported)
}

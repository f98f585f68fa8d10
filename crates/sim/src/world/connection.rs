//! Whether a directory could read from its org right now. Makes no request, gets no token, and writes no log.

use crate::directory::Flow;
use crate::okta::model::{Org, Status};
use crate::state::State;

/// Why the directory's connection cannot work. `None` if it can.
pub(crate) fn find_defect(state: &State, directory_id: &str) -> Option<String> {
    let Some(directory) = state.directory(directory_id) else { return Some("there is no such directory".to_owned()) };
    let Some(org) = state.org(&directory.domain) else { return Some("there is no such org".to_owned()) };
    let connection = &directory.connection;
    let id = &connection.client_id;
    match connection.flow {
        Flow::AuthorizationCode => match org.app_of_client(id) {
            None => Some(format!("the app of client {id} does not exist")),
            Some(app) if app.status != Status::Active => Some(format!("app {} is {}", app.id, app.status.text())),
            Some(_) if !org.sync_admin.active => Some("the administrator who signed in is deactivated".to_owned()),
            Some(_) if connection.is_expired(state.clock.now()) => Some("the refresh token has expired".to_owned()),
            Some(_) => None,
        },
        Flow::ClientCredentials if org.service(id).is_none() => Some(format!("service client {id} does not exist")),
        Flow::ClientCredentials if !is_active_secret(&org, id, &connection.client_secret) => {
            Some(format!("its secret is not an active secret of service client {id}"))
        }
        Flow::ClientCredentials => None,
    }
}

/// Whether the value belongs to an active secret of the service client.
pub(crate) fn accepts_secret(state: &State, domain: &str, client_id: &str, value: &str) -> bool {
    state.org(domain).is_some_and(|org| is_active_secret(&org, client_id, value))
}

fn is_active_secret(org: &Org, client_id: &str, value: &str) -> bool {
    let secrets = org.service(client_id).map(|service| service.secrets.as_slice()).unwrap_or_default();
    secrets.iter().any(|secret| secret.status == Status::Active && secret.value == value)
}

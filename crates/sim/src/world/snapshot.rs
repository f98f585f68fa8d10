//! The whole world in a canonical form, to compare it object by object. Secrets are hashes. Values that change by
//! themselves are left out: counters, log, sync times, tokens, receipts, and the time of an app's last update.

use serde_json::{Map, Value, json};

use crate::clock::to_rfc3339;
use crate::directory::{Connection, Directory};
use crate::ids::hash_secret;
use crate::lock::lock;
use crate::okta::model::{App, Org, Secret, ServiceClient};
use crate::state::State;

/// Takes a snapshot. Equal worlds give equal values.
pub(crate) fn take(state: &State) -> Value {
    let orgs: Map<_, _> = state.orgs.iter().map(|(host, org)| (host.clone(), show_org(&lock(org)))).collect();
    let directories: Map<_, _> = state.directories.iter().map(|directory| show_directory(&lock(directory))).collect();
    json!({ "orgs": orgs, "directories": directories })
}

fn show_org(org: &Org) -> Value {
    let apps: Map<_, _> = org.apps.iter().map(|app| (app.id.clone(), show_app(app))).collect();
    let services: Map<_, _> = org.services.iter().map(|service| (service.id.clone(), show_service(service))).collect();
    json!({
        "id": org.id,
        "authorization_servers": org.authorization_servers,
        "users": org.population.users,
        "groups": org.population.groups,
        "admin_role": org.admin_role,
        "sync_admin": { "active": org.sync_admin.active, "has_role": org.sync_admin.has_role },
        "apps": apps,
        "service_clients": services,
    })
}

fn show_app(app: &App) -> Value {
    let mut grants: Vec<_> = app.grants.iter().map(|grant| grant.scope.as_str()).collect();
    grants.sort_unstable();
    let tokens: Vec<_> = app.refresh_tokens.iter().map(|token| token.id.as_str()).collect();
    let client = app.oauth.as_ref().map(|client| {
        json!({
            "client_id": client.client_id,
            "application_type": client.application_type,
            "redirect_uris": client.redirect_uris,
            "grant_types": client.grant_types,
            "rotates_refresh_tokens": client.rotates_refresh_tokens,
            "secrets": show_secrets(&client.secrets),
        })
    });
    json!({
        "name": app.name,
        "label": app.label,
        "sign_on_mode": app.sign_on_mode,
        "status": app.status.text(),
        "created": to_rfc3339(app.created),
        "client": client,
        "grants": grants,
        "refresh_tokens": tokens,
    })
}

fn show_service(service: &ServiceClient) -> Value {
    let mut scopes = service.scopes.clone();
    scopes.sort();
    json!({
        "type": service.kind,
        "name": service.name,
        "created": to_rfc3339(service.created),
        "scopes": scopes,
        "secrets": show_secrets(&service.secrets),
    })
}

fn show_secrets(secrets: &[Secret]) -> Value {
    let shown = |secret: &Secret| json!({ "status": secret.status.text(), "hash": secret.hash() });
    secrets.iter().map(|secret| (secret.id.clone(), shown(secret))).collect::<Map<_, _>>().into()
}

fn show_directory(directory: &Directory) -> (String, Value) {
    let value = json!({
        "name": directory.name,
        "domain": directory.domain,
        "connection": show_connection(&directory.connection),
        "previous": directory.previous.as_ref().map(show_connection),
        "loses": directory.loses,
        "sync": {
            "status": directory.sync.status,
            "users": directory.sync.users.count(),
            "groups": directory.sync.groups.count(),
            "applications": directory.sync.applications,
        },
    });
    (directory.id.clone(), value)
}

fn show_connection(connection: &Connection) -> Value {
    json!({
        "flow": connection.flow,
        "client_id": connection.client_id,
        "secret_hash": hash_secret(&connection.client_secret),
        "collect_applications": connection.collect_applications,
        "auth_logs": connection.auth_logs,
        "last_sign_in": connection.last_sign_in,
    })
}

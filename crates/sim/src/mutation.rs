//! Changes that tests make without the knowledge of flowswap: a closed set of operations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::Flow;
use crate::gateway::{schedule, sync};
use crate::okta::logs;
use crate::okta::model::{Grant, OauthClient, Org, Status};
use crate::okta::service_app::ServiceAppChange;
use crate::state::State;
use crate::world::build;

/// The two integrations that PAN publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Without apps.
    Plain,
    /// With apps.
    ApplicationEnabled,
}

/// One change. `org` is a host name, `directory` a directory's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are what their names and the variant say")]
pub enum Mutation {
    /// Gives an app another label.
    RenameApp { org: String, app: String, label: String },
    /// Activates or deactivates an app.
    SetAppActive { org: String, app: String, active: bool },
    /// Deletes an app, active or not.
    DeleteApp { org: String, app: String },
    /// Removes a granted scope from an app.
    RemoveGrant { org: String, app: String, scope: String },
    /// Grants a scope to an app.
    AddGrant { org: String, app: String, scope: String },
    /// Lets a client of the authorization-code flow send codes to one more URI.
    AddRedirectUri { org: String, app: String, uri: String },
    /// Whether a client gets a new refresh token with each use, in the place of the one that it used.
    SetRefreshTokenRotation { org: String, app: String, rotates: bool },
    /// Adds one more client of the authorization-code flow. Answers with its app id.
    AddLegacyApp { org: String },
    /// Adds a service client. Answers with its id.
    AddServiceClient { org: String, variant: Variant },
    /// Removes a scope from a service client.
    RemoveScope { org: String, client: String, scope: String },
    /// Changes the administrator's service app.
    SetServiceApp { org: String, change: ServiceAppChange },
    /// Revokes a service client and its tokens.
    RevokeServiceClient { org: String, client: String },
    /// Deactivates a client secret of a service client.
    DeactivateSecret { org: String, client: String, secret: String },
    /// Turns the authorization-server feature on or off.
    SetAuthorizationServers { org: String, enabled: bool },
    /// Sets the flow and the client of a directory without a connection test.
    SetConnection { directory: String, flow: String, client_id: String },
    /// Ticks or clears a directory's "Collect enterprise applications".
    SetAppData { directory: String, app_data: bool },
    /// Gives a directory another name, of any length.
    RenameDirectory { directory: String, name: String },
    /// Ticks or clears a directory's "Collect authentication logs".
    SetAuthLogs { directory: String, auth_logs: bool },
    /// From now on every sync of the directory is green and misses this many users and groups. 0 ends the loss.
    LoseObjects { directory: String, users: usize, groups: usize },
    /// The administrator signs in again for the directory's connection, which must use the authorization-code flow.
    SignIn { directory: String },
    /// The directory synchronizes now, with its current connection.
    Sync { directory: String },
    /// Pauses or resumes the syncs of the directory.
    PauseSyncs { directory: String, paused: bool },
    /// Deactivates or reactivates the administrator who signs in for the org's legacy clients. Their refresh tokens work
    /// only while the administrator is active.
    SetSyncAdminActive { org: String, active: bool },
    /// Gives the owner of the API token another role, such as `READ_ONLY_ADMIN`.
    SetAdminRole { org: String, role: String },
    /// Gives the administrator who signs in a role, or takes it.
    SetSyncAdminRole { org: String, has_role: bool },
    /// Sets how far the clock of a host is ahead of the simulator's. Negative values put it behind.
    SkewClock { host: String, milliseconds: i64 },
    /// Moves the simulator's clock forward.
    AdvanceClock { milliseconds: u64 },
}

/// Makes one change. Returns the id of the new object, if the change creates one.
pub(crate) fn apply(state: &State, mutation: Mutation) -> Result<Option<String>, String> {
    schedule::catch_up(state);
    let now = state.clock.now();
    let org = |host: &str| state.org(host).ok_or_else(|| format!("there is no org {host}"));
    let directory = |id: &str| state.directory(id).ok_or_else(|| format!("there is no directory {id}"));
    match mutation {
        Mutation::RenameApp { org: host, app, label } => {
            org(&host)?.app_mut(&app).ok_or(format!("there is no app {app}"))?.label = label;
        }
        Mutation::SetAppActive { org: host, app, active } => {
            let status = if active { Status::Active } else { Status::Inactive };
            org(&host)?.app_mut(&app).ok_or(format!("there is no app {app}"))?.status = status;
        }
        Mutation::DeleteApp { org: host, app } => {
            let mut org = org(&host)?;
            org.app(&app).ok_or(format!("there is no app {app}"))?;
            org.apps.retain(|known| known.id != app);
        }
        Mutation::RemoveGrant { org: host, app, scope } => {
            let mut org = org(&host)?;
            let app = org.app_mut(&app).ok_or(format!("there is no app {app}"))?;
            app.grants.retain(|grant| grant.scope != scope);
        }
        Mutation::AddGrant { org: host, app, scope } => {
            let mut org = org(&host)?;
            let grant = Grant { id: org.mint.id("oag"), scope, created: now };
            org.app_mut(&app).ok_or(format!("there is no app {app}"))?.grants.push(grant);
        }
        Mutation::AddRedirectUri { org: host, app, uri } => {
            client_of(&mut *org(&host)?, &app)?.redirect_uris.push(uri);
        }
        Mutation::SetRefreshTokenRotation { org: host, app, rotates } => {
            client_of(&mut *org(&host)?, &app)?.rotates_refresh_tokens = rotates;
        }
        Mutation::AddLegacyApp { org: host } => {
            let mut org = org(&host)?;
            let app = build::build_legacy(&mut org, false, Status::Active, false, now);
            let id = app.id.clone();
            org.apps.push(app);
            return Ok(Some(id));
        }
        Mutation::AddServiceClient { org: host, variant } => {
            let mut org = org(&host)?;
            let id = build::add_service(&mut org, variant == Variant::ApplicationEnabled, now).0;
            log_admin_action(&mut org, "integration.api_service.lifecycle.authorize", &id, now);
            return Ok(Some(id));
        }
        Mutation::RemoveScope { org: host, client, scope } => {
            let mut org = org(&host)?;
            if org.service_app.client_id == client {
                org.service_app.scopes.remove(&scope);
                return Ok(None);
            }
            let client = org.service_mut(&client).ok_or(format!("there is no service client {client}"))?;
            client.scopes.retain(|held| *held != scope);
        }
        Mutation::SetServiceApp { org: host, change } => org(&host)?.service_app.apply(change),
        Mutation::RevokeServiceClient { org: host, client } => {
            let mut org = org(&host)?;
            org.service(&client).ok_or(format!("there is no service client {client}"))?;
            log_admin_action(&mut org, "integration.api_service.lifecycle.revoke", &client, now);
            org.services.retain(|known| known.id != client);
            org.tokens.retain(|_, token| token.client_id != client);
        }
        Mutation::DeactivateSecret { org: host, client, secret } => {
            let mut org = org(&host)?;
            let client = org.service_mut(&client).ok_or(format!("there is no service client {client}"))?;
            let known = client.secrets.iter_mut().find(|known| known.id == secret);
            let known = known.ok_or(format!("there is no secret {secret}"))?;
            (known.status, known.last_updated) = (Status::Inactive, now);
        }
        Mutation::SetAuthorizationServers { org: host, enabled } => org(&host)?.authorization_servers = enabled,
        Mutation::SetConnection { directory: id, flow, client_id } => {
            let flow: Flow = serde_json::from_value(flow.into()).map_err(|error| error.to_string())?;
            let mut directory = directory(&id)?;
            directory.connection.flow = flow;
            directory.connection.client_id = client_id;
        }
        Mutation::SetAppData { directory: id, app_data } => {
            directory(&id)?.connection.collect_applications = app_data;
        }
        Mutation::RenameDirectory { directory: id, name } => directory(&id)?.name = name,
        Mutation::SetAuthLogs { directory: id, auth_logs } => directory(&id)?.connection.auth_logs = auth_logs,
        Mutation::LoseObjects { directory: id, users, groups } => directory(&id)?.loses = (users, groups),
        Mutation::SignIn { directory: id } => {
            let mut directory = directory(&id)?;
            let connection = directory.connection.clone();
            if connection.flow != Flow::AuthorizationCode {
                return Err(format!("the connection of directory {id} does not use the authorization-code flow"));
            }
            sync::sign_in(state, &directory.domain, &connection.client_id, &connection.client_secret, now)?;
            directory.connection.last_sign_in = Some(now);
        }
        Mutation::Sync { directory: id } => sync::run(state, &mut *directory(&id)?, now),
        Mutation::PauseSyncs { directory: id, paused } => directory(&id)?.paused = paused,
        Mutation::SetSyncAdminActive { org: host, active } => org(&host)?.sync_admin.active = active,
        Mutation::SetAdminRole { org: host, role } => org(&host)?.admin_role = role,
        Mutation::SetSyncAdminRole { org: host, has_role } => org(&host)?.sync_admin.has_role = has_role,
        Mutation::SkewClock { host, milliseconds } => {
            state.set_skew(&host, jiff::SignedDuration::from_millis(milliseconds));
        }
        Mutation::AdvanceClock { milliseconds } => {
            state.clock.advance(std::time::Duration::from_millis(milliseconds));
        }
    }
    Ok(None)
}

fn client_of<'a>(org: &'a mut Org, app: &str) -> Result<&'a mut OauthClient, String> {
    org.app_mut(app).and_then(|app| app.oauth.as_mut()).ok_or_else(|| format!("there is no OIDC app {app}"))
}

/// Records in the System Log that an administrator made the change.
fn log_admin_action(org: &mut Org, event: &str, id: &str, at: Timestamp) {
    if let Some(name) = org.service(id).map(|service| service.name) {
        logs::record_admin_action(org, event, id, name, at);
    }
}

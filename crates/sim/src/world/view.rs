//! The world as `flowswap sim world` prints it: short and without secrets.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::clock::to_rfc3339;
use crate::directory::{Directory, Flow};
use crate::lock::lock;
use crate::okta::limits::OthersView;
use crate::okta::model::{Org, RequestCounts};
use crate::state::State;

/// An overview of the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// The orgs, in the order of the directories.
    pub orgs: Vec<OrgView>,
    /// The directories, in the order of the tenants. Second directories come after all first ones.
    pub directories: Vec<DirectoryView>,
    /// Directories that use the same legacy clients and that no interface shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<DirectoryView>,
}

/// An org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgView {
    /// Its host name.
    pub domain: String,
    /// The clients of the authorization-code flow.
    pub legacy: Vec<LegacyView>,
    /// The API service integrations.
    pub service_clients: Vec<ServiceClientView>,
    /// The id of the administrator who signs in for the legacy clients.
    pub sync_admin: String,
    /// The requests that came from outside.
    pub requests: RequestCounts,
    /// What became of the requests of the org's other clients.
    pub others: OthersView,
}

/// A client of the authorization-code flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyView {
    /// The app's id.
    pub id: String,
    /// The OAuth client id, which may differ.
    pub client_id: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
}

/// An API service integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClientView {
    /// Its id, which is also its client id.
    pub id: String,
    /// The OIN type key.
    #[serde(rename = "type")]
    pub kind: String,
    /// The granted scopes, sorted.
    pub scopes: Vec<String>,
    /// How many of its secrets are active.
    pub active_secrets: usize,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryView {
    /// Its name.
    pub name: String,
    /// The domain of its org.
    pub domain: String,
    /// `authorization_code` or `client_credentials`.
    pub flow: String,
    /// The client id it uses.
    pub client_id: String,
    /// Whether it collects application data.
    pub app_data: bool,
    /// The tenant service group that it belongs to.
    pub tsg_id: String,
    /// Whether it collects authentication logs.
    pub auth_logs: bool,
    /// How many times a connection was submitted.
    pub submits: u32,
    /// The results of its syncs.
    pub sync: SyncView,
}

/// The syncs of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncView {
    /// The time of the last successful sync.
    pub last_success: String,
    /// The number of successful syncs.
    pub good: u64,
    /// The number of failed syncs.
    pub failed: u64,
    /// The users it holds.
    pub users: usize,
    /// The groups it holds, without "Everyone".
    pub groups: usize,
    /// The applications it holds.
    pub applications: usize,
}

/// Shows the world. Each org and directory is consistent, but they are not all read at the same time.
pub(crate) fn show(state: &State) -> World {
    let orgs = state.directories.iter().filter_map(|directory| {
        let domain = lock(directory).domain.clone();
        state.org(&domain).map(|org| view_org(&org))
    });
    let view = |directories: &[Mutex<Directory>]| directories.iter().map(|it| view_directory(&lock(it))).collect();
    World { orgs: orgs.collect(), directories: view(&state.directories), unseen: view(&state.unseen) }
}

fn view_directory(directory: &Directory) -> DirectoryView {
    DirectoryView {
        name: directory.name.clone(),
        domain: directory.domain.clone(),
        flow: match directory.connection.flow {
            Flow::AuthorizationCode => "authorization_code".to_owned(),
            Flow::ClientCredentials => "client_credentials".to_owned(),
        },
        client_id: directory.connection.client_id.clone(),
        app_data: directory.connection.collect_applications,
        tsg_id: directory.tsg_id.clone(),
        auth_logs: directory.connection.auth_logs,
        submits: directory.submits,
        sync: SyncView {
            last_success: to_rfc3339(directory.sync.last_success),
            good: directory.sync.good,
            failed: directory.sync.failed,
            users: directory.sync.users.count(),
            groups: directory.sync.groups.count(),
            applications: directory.sync.applications,
        },
    }
}

fn view_org(org: &Org) -> OrgView {
    let legacy = org.apps.iter().filter(|app| app.is_legacy()).filter_map(|app| {
        let client_id = app.oauth.as_ref()?.client_id.clone();
        Some(LegacyView { id: app.id.clone(), client_id, status: app.status.text().to_owned() })
    });
    let services = org.services.iter().map(|service| {
        let mut scopes = service.scopes.clone();
        scopes.sort();
        let (id, kind) = (service.id.clone(), service.kind.clone());
        ServiceClientView { id, kind, scopes, active_secrets: service.active_secrets() }
    });
    OrgView {
        domain: org.domain.clone(),
        legacy: legacy.collect(),
        service_clients: services.collect(),
        sync_admin: org.sync_admin.id.clone(),
        requests: org.counts,
        others: org.limits.others_view,
    }
}

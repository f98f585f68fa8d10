//! Builds the world: for every tenant an org with its apps, and a directory in its initial condition.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::{AdminCredential, OKTA_SUFFIX, SimConfig};
use crate::directory::{Connection, Directory, Flow, Sync, SyncStatus};
use crate::ids::Mint;
use crate::okta::limits::Limits;
use crate::okta::model::{App, Grant, OauthClient, Org, PLAIN_NAME, RefreshToken, RequestCounts, Secret, Status};
use crate::okta::roles;
use crate::okta::service_app::ServiceApp;
use crate::okta::services::{self, VariantTypes};
use crate::okta::sync_admin::SyncAdmin;
use crate::okta::token::REFRESH_LIFETIME;
use crate::population::{Collected, Population};
use crate::scenario::{Scenario, assign};
use crate::state::Contents;
use crate::tenant::{AdminApp, ServiceAccount, SimTenant};

/// Names of the first tenants. All have at most 15 characters, like a directory name.
const NAMES: [&str; 12] = [
    "acme",
    "globex",
    "initech",
    "umbrella",
    "hooli",
    "vandelay",
    "wonka",
    "tyrell",
    "cyberdyne",
    "blue-sun",
    "massive-dynamic",
    "soylent",
];
/// The redirect URI of an authorization-code connection (PAN, "Deploy Auth Code for Okta Directory").
const REDIRECT_URI: &str = "https://directory-sync.us.paloaltonetworks.com/authorize";
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The age of the made-up objects in days.
const AGE: i32 = 400;

/// Builds the world. Equal settings and an equal `now` give an equal world.
pub(crate) fn build(config: &SimConfig, now: Timestamp) -> Contents {
    let mut mint = Mint::new(config.seed, "simulator");
    let mut built = Contents {
        orgs: Vec::new(),
        directories: Vec::new(),
        tenants: Vec::new(),
        gateway_token: mint.token("gw_"),
        admin_token: mint.token("sim_"),
        parent: build_account(config, "parent", 0),
    };
    let mut neighbors = Vec::new();
    for (index, usual) in assign(config.tenants).into_iter().enumerate() {
        let scenario = config.scenarios.get(index).copied().unwrap_or(usual);
        let every = |n: usize| n > 0 && index % n == n / 2;
        let app_data = scenario == Scenario::WrongVariant || every(config.app_data_every);
        let name = NAMES.get(index).map_or_else(|| format!("tenant-{:03}", index + 1), |name| (*name).to_owned());
        let mut org = build_org(config, &name, !every(config.without_authorization_servers_every));
        let legacy_status = match scenario {
            Scenario::Migrated | Scenario::LegacyInactive => Status::Inactive,
            _ => Status::Active,
        };
        // A client id may differ from the app's id (Okta management API, `client_id`). Here it does in every fourth org.
        let legacy = build_legacy(&mut org, app_data, legacy_status, index % 4 == 3, now);
        org.apps = place_among_others(&mut org, legacy.clone(), now);
        org.apps.extend(build_unrelated_apps(config, &name, now));
        let connection = build_connection(&mut org, scenario, &legacy, app_data, now);
        date_refresh_tokens(&mut org, connection.last_sign_in);
        let account = build_account(config, &name, index + 1);
        let neighbor = config.neighbors.then(|| build_neighbor(config, &name, &account.tsg_id, now));
        let mint = Mint::new(config.seed, &format!("directory/{name}"));
        let directory = build_directory(name.clone(), &account.tsg_id, &org, connection, mint, now);
        built.tenants.push(SimTenant {
            name: name.clone(),
            domain: org.domain.clone(),
            app_data,
            admin_token: org.admin_token.clone(),
            service_app: AdminApp {
                client_id: org.service_app.client_id.clone(),
                key_id: org.service_app.key_id.clone(),
                private_key: org.service_app.private_key.clone(),
            },
            scenario,
            directory_id: directory.id.clone(),
            account,
            neighbor_id: neighbor.as_ref().map(|(_, directory)| directory.id.clone()),
        });
        built.directories.push(directory);
        built.orgs.push(org);
        neighbors.extend(neighbor);
    }
    for (org, directory) in neighbors {
        built.orgs.push(org);
        built.directories.push(directory);
    }
    built
}

/// A service account of a tenant service group. The id of a group has ten digits, and the id of an account contains its
/// group (PAN, "Service accounts").
fn build_account(config: &SimConfig, name: &str, index: usize) -> ServiceAccount {
    let mut mint = Mint::new(config.seed, &format!("tsg/{name}"));
    let tsg_id = format!("1{:04}{index:05}", mint.below(10_000));
    let client_id = format!("flowswap@{tsg_id}.iam.panserviceaccount.com");
    ServiceAccount { client_id, client_secret: mint.uuid(), tsg_id }
}

/// The second directory of a tenant, and its org. Both are ready, and the migration of the tenant must not touch them.
fn build_neighbor(config: &SimConfig, name: &str, tsg_id: &str, now: Timestamp) -> (Org, Directory) {
    // Cut the name to the 15 characters of a directory name.
    let name = format!("{}-lab", name.get(..11).unwrap_or(name));
    let mut org = build_org(config, &name, true);
    let legacy = build_legacy(&mut org, false, Status::Active, false, now);
    org.apps = place_among_others(&mut org, legacy.clone(), now);
    let connection = build_connection(&mut org, Scenario::Ready, &legacy, false, now);
    date_refresh_tokens(&mut org, connection.last_sign_in);
    let mint = Mint::new(config.seed, &format!("directory/{name}"));
    let directory = build_directory(name, tsg_id, &org, connection, mint, now);
    (org, directory)
}

fn build_org(config: &SimConfig, name: &str, authorization_servers: bool) -> Org {
    let mut mint = Mint::new(config.seed, &format!("org/{name}"));
    let (has_key, dpop) = match config.admin {
        AdminCredential::ApiToken => (false, false),
        AdminCredential::ServiceApp { dpop } => (true, dpop),
    };
    Org {
        id: mint.id("00o"),
        domain: format!("{name}{OKTA_SUFFIX}"),
        // Okta's API tokens begin with 00 and have 42 characters.
        admin_token: mint.token("00").chars().take(42).collect(),
        admin_user: mint.id("00u"),
        admin_role: roles::SUPER.to_owned(),
        service_app: ServiceApp::build(config.seed, name, has_key, dpop),
        authorization_servers,
        sync_admin: SyncAdmin {
            id: Mint::new(config.seed, &format!("sync-admin/{name}")).id("00u"),
            active: true,
            has_role: true,
        },
        population: {
            let few = (20 + mint.below(380), 4 + mint.below(40));
            let (users, groups) = config.population.unwrap_or(few);
            Population { users, groups }
        },
        page_size: config.page_size,
        apps: Vec::new(),
        services: Vec::new(),
        skew: config.skews.get(&format!("{name}{OKTA_SUFFIX}")).copied().unwrap_or_default(),
        wrong_secrets: HashMap::new(),
        tokens: HashMap::new(),
        events: Vec::new(),
        counts: RequestCounts::default(),
        limits: Limits::new(config.rate_limits, config.others),
        token_lifetime: config.token_lifetime,
        log_delay: SignedDuration::try_from(config.log_delay).unwrap_or(SignedDuration::MAX),
        noise: Mint::new(config.seed, &format!("noise/{name}")),
        mint,
    }
}

/// The client of the authorization-code flow, configured as PAN's manual says.
pub(crate) fn build_legacy(org: &mut Org, app_data: bool, status: Status, own_client_id: bool, now: Timestamp) -> App {
    let created = now - DAY * AGE;
    let mint = &mut org.mint;
    let mut scopes = vec!["okta.users.read", "okta.users.read.self", "okta.groups.read", "okta.logs.read"];
    scopes.extend(org.authorization_servers.then_some("okta.authorizationServers.read"));
    scopes.extend(app_data.then_some("okta.apps.read"));
    let grants = scopes.iter().map(|scope| Grant { id: mint.id("oag"), scope: (*scope).to_owned(), created });
    let grants = grants.collect();
    let id = mint.id("0oa");
    let token = RefreshToken {
        id: mint.id("oar"),
        created: now - DAY * 5,
        expires: now + DAY * 85,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    App {
        name: "oidc_client".to_owned(),
        label: "CIE Directory Sync".to_owned(),
        sign_on_mode: "OPENID_CONNECT",
        status,
        created,
        last_updated: created,
        oauth: Some(OauthClient {
            client_id: if own_client_id { mint.id("0oa") } else { id.clone() },
            application_type: "web",
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            grant_types: vec!["authorization_code", "refresh_token"],
            rotates_refresh_tokens: false,
            secrets: vec![Secret::new(mint, created)],
        }),
        id,
        grants,
        refresh_tokens: vec![token],
    }
}

/// Puts the legacy client among other apps: Okta's own, the SAML app of the same name, and custom OIDC apps before and
/// after it. So it is neither on the first page nor on the last.
fn place_among_others(org: &mut Org, legacy: App, now: Timestamp) -> Vec<App> {
    let created = now - DAY * AGE;
    let mut other = |name: &str, label: &str, mode: &'static str, oauth: Option<(&'static str, &str)>| {
        build_unrelated(&mut org.mint, name, label, mode, oauth, created)
    };
    let oidc = "OPENID_CONNECT";
    vec![
        other("saasure", "Okta Admin Console", oidc, None),
        other("okta_enduser", "Okta Dashboard", oidc, None),
        other("okta_browser_plugin", "Okta Browser Plugin", oidc, None),
        other("oidc_client", "Intranet Portal", oidc, Some(("web", "https://portal.example.com/callback"))),
        other("oidc_client", "Expense Reports", oidc, Some(("browser", "https://expenses.example.com/cb"))),
        // Same name, but the wrong kind (PAN: the SAML app is not the app of the directory).
        other("panw_cie_saml_sim", PLAIN_NAME, "SAML_2_0", None),
        legacy,
        other("oidc_client", "Nightly Export", oidc, Some(("service", ""))),
        other(
            "oidc_client",
            "Directory Sync Dashboard",
            oidc,
            Some(("web", "https://directory.example.com/authorize")),
        ),
    ]
}

/// The apps of a large org. Every tenth is a custom OIDC app.
fn build_unrelated_apps(config: &SimConfig, name: &str, now: Timestamp) -> impl Iterator<Item = App> {
    let mut mint = Mint::new(config.seed, &format!("apps/{name}"));
    let created = now - DAY * AGE;
    (1..=config.apps).map(move |number| {
        let label = format!("App {number}");
        if number % 10 == 0 {
            let redirect = format!("https://app-{number}.example.com/callback");
            return build_unrelated(
                &mut mint,
                "oidc_client",
                &label,
                "OPENID_CONNECT",
                Some(("web", &redirect)),
                created,
            );
        }
        build_unrelated(&mut mint, &format!("example_app_{number}"), &label, "SAML_2_0", None, created)
    })
}

/// An app that has nothing to do with the directory. `oauth` is the type and the redirect URI of a custom OIDC app.
fn build_unrelated(
    mint: &mut Mint,
    name: &str,
    label: &str,
    mode: &'static str,
    oauth: Option<(&'static str, &str)>,
    created: Timestamp,
) -> App {
    let id = mint.id("0oa");
    App {
        name: name.to_owned(),
        label: label.to_owned(),
        sign_on_mode: mode,
        status: Status::Active,
        created,
        last_updated: created,
        oauth: oauth.map(|(application_type, redirect)| OauthClient {
            client_id: id.clone(),
            application_type,
            redirect_uris: (!redirect.is_empty()).then(|| redirect.to_owned()).into_iter().collect(),
            grant_types: vec![if redirect.is_empty() { "client_credentials" } else { "authorization_code" }],
            rotates_refresh_tokens: false,
            secrets: vec![Secret::new(mint, created)],
        }),
        id,
        grants: Vec::new(),
        refresh_tokens: Vec::new(),
    }
}

fn build_connection(org: &mut Org, scenario: Scenario, legacy: &App, app_data: bool, now: Timestamp) -> Connection {
    let client = legacy.oauth.as_ref();
    let mut connection = Connection {
        flow: Flow::AuthorizationCode,
        client_id: client.map(|client| client.client_id.clone()).unwrap_or_default(),
        client_secret: client.and_then(|client| client.secrets.first()).map(|s| s.value.clone()).unwrap_or_default(),
        collect_applications: app_data,
        auth_logs: false,
        last_sign_in: Some(now - DAY * i32::try_from(5 + org.mint.below(81)).unwrap_or(5)),
    };
    match scenario {
        Scenario::Ready | Scenario::LegacyInactive => {}
        Scenario::Unknown => {
            connection.client_id = org.mint.id("0oa");
            connection.client_secret = org.mint.secret();
        }
        Scenario::LegacyIdReused => {
            connection.flow = Flow::ClientCredentials;
            connection.last_sign_in = None;
        }
        Scenario::Migrated | Scenario::WrongVariant => {
            let with_apps = app_data && scenario == Scenario::Migrated;
            let (id, secret) = add_service(org, with_apps, now - DAY * 30);
            connection.flow = Flow::ClientCredentials;
            connection.last_sign_in = None;
            connection.client_id = id;
            connection.client_secret = secret;
        }
    }
    connection
}

/// Dates the refresh tokens of a legacy client: each is as old as its sign-in.
fn date_refresh_tokens(org: &mut Org, signed_in: Option<Timestamp>) {
    let Some(at) = signed_in else { return };
    for token in org.apps.iter_mut().flat_map(|app| &mut app.refresh_tokens) {
        token.created = at;
        token.expires = at + REFRESH_LIFETIME;
    }
}

/// Adds a service client of one of the two types and returns its id and secret.
pub(crate) fn add_service(org: &mut Org, with_apps: bool, created: Timestamp) -> (String, String) {
    let types = VariantTypes::SIMULATED;
    let kind = if with_apps { types.application_enabled } else { types.plain };
    let (name, scopes) = services::find_type(kind).unwrap_or((PLAIN_NAME, Vec::new()));
    let service = services::build(&mut org.mint, kind, name, scopes, created);
    let credentials = (service.id.clone(), service.secrets.first().map(|s| s.value.clone()).unwrap_or_default());
    org.services.push(service);
    credentials
}

fn build_directory(
    name: String,
    tsg_id: &str,
    org: &Org,
    connection: Connection,
    mut mint: Mint,
    now: Timestamp,
) -> Directory {
    Directory {
        id: mint.uuid(),
        name,
        tsg_id: tsg_id.to_owned(),
        domain: org.domain.clone(),
        // The first sync of the simulator replaces these values.
        sync: Sync {
            status: SyncStatus::Success,
            last_success: now - DAY * 3,
            attempted: None,
            scheduled_until: now,
            applications_at: None,
            full_at: None,
            users: Collected::all_but(0, org.population.users),
            groups: Collected::all_but(0, org.population.own_groups()),
            good: 0,
            failed: 0,
            applications: if connection.collect_applications { org.apps.len() } else { 0 },
        },
        loses: (0, 0),
        draft: None,
        connection,
        shown: None,
        access: None,
        previous: None,
        receipts: Vec::new(),
        submits: 0,
        paused: false,
        mint,
    }
}

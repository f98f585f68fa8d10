//! One simulated Okta org: its paths, who may call them, and the headers of every answer.

mod access;
mod app_json;
mod apps;
mod event;
mod filter;
mod jose;
pub(crate) mod limits;
pub(crate) mod logs;
mod metadata;
pub(crate) mod model;
mod paging;
pub(crate) mod reads;
pub(crate) mod refusal;
pub(crate) mod roles;
pub(crate) mod service_app;
mod service_secrets;
pub(crate) mod services;
pub(crate) mod sync_admin;
pub(crate) mod token;

use http::{HeaderName, Method, StatusCode};
use jiff::Timestamp;

use crate::clock::shift;
use crate::message::{Reply, Request};
use model::Org;
use refusal::{Answer, Refusal};

/// One request to an org.
pub(crate) struct Call<'a> {
    pub(crate) org: &'a mut Org,
    pub(crate) request: &'a Request,
    /// The time of the org's own clock.
    pub(crate) now: Timestamp,
    /// The time of the world's clock.
    pub(crate) world: Timestamp,
    /// The value of `X-Okta-Request-Id` in the answer.
    pub(crate) request_id: String,
}

impl<'a> Call<'a> {
    /// A request that arrives at this time of the world. The org uses its own clock.
    pub(crate) fn new(org: &'a mut Org, request: &'a Request, world: Timestamp) -> Self {
        let (now, request_id) = (shift(world, org.skew), org.noise.id("req"));
        Self { org, request, now, world, request_id }
    }
}

/// The resources of an org.
enum Route<'a> {
    OrgMetadata,
    ServerMetadata,
    Token,
    Apps,
    App(&'a str),
    AppGrants(&'a str),
    AppSecrets(&'a str),
    AppTokens(&'a str),
    AppUsers(&'a str),
    AppLifecycle(&'a str, &'a str),
    Services,
    Service(&'a str),
    Secrets(&'a str),
    Secret(&'a str, &'a str),
    SecretLifecycle(&'a str, &'a str, &'a str),
    Users,
    Groups,
    Members(&'a str),
    Me,
    RolesOfUser(&'a str),
    RolesOfClient(&'a str),
    AuthorizationServers,
    Logs,
}

/// Answers one request. The caller counts it if necessary: requests of the directories are not counted.
pub(crate) fn handle(org: &mut Org, request: &Request, world: Timestamp) -> Reply {
    let mut call = Call::new(org, request, world);
    let now = call.now;
    let counted = call.org.limits.count(&request.path, now);
    let answer = if counted.is_admitted {
        dispatch(&mut call)
    } else {
        if counted.has_closed {
            logs::record_violation(&mut call);
        }
        Err(Refusal::too_many_requests())
    };
    let reply = answer.unwrap_or_else(|refusal| {
        let error_id = format!("oae{}", call.org.noise.id(""));
        refusal.into_reply(&error_id, &request.base(), &request.path)
    });
    let request_id = call.request_id;
    counted.mark(reply).with_header(HeaderName::from_static("x-okta-request-id"), &request_id)
}

/// Counts a request by its kind, even if it is refused.
pub(crate) fn count(org: &mut Org, request: &Request) {
    let counts = &mut org.counts;
    match (&request.method, request.path.as_str()) {
        (&Method::GET | &Method::HEAD, _) => counts.read += 1,
        (_, "/oauth2/v1/token") => counts.authenticate += 1,
        _ => counts.mutate += 1,
    }
}

fn dispatch(call: &mut Call<'_>) -> Answer {
    let request = call.request;
    let segments = request.segments();
    let route = find_route(&segments).ok_or_else(Refusal::no_such_path)?;
    // Okta's core API concepts: a POST without a body must say `Content-Length: 0`.
    if request.method == Method::POST && !request.states_length() {
        return Ok(Reply::empty(StatusCode::LENGTH_REQUIRED));
    }
    let method = request.method.as_str();
    let (apps_read, apps_manage) = ("okta.apps.read", "okta.apps.manage");
    let (services_read, services_manage) = ("okta.oauthIntegrations.read", "okta.oauthIntegrations.manage");
    match (&route, method) {
        (Route::OrgMetadata, "GET") => return Ok(metadata::show_org(call)),
        (Route::ServerMetadata, "GET") => return Ok(metadata::show_server(call)),
        (Route::Token, "POST") => return token::grant(call),
        _ => {}
    }
    let scope = match (&route, method) {
        (Route::Apps | Route::App(_) | Route::AppSecrets(_) | Route::AppTokens(_) | Route::AppUsers(_), "GET") => {
            apps_read
        }
        (Route::AppGrants(_), "GET") => "okta.appGrants.read",
        (Route::App(_), "DELETE") | (Route::AppLifecycle(..), "POST") => apps_manage,
        (Route::Services | Route::Service(_) | Route::Secrets(_), "GET") => services_read,
        (Route::Services | Route::Secrets(_) | Route::SecretLifecycle(..), "POST") => services_manage,
        (Route::Service(_) | Route::Secret(..), "DELETE") => services_manage,
        (Route::Users | Route::Me, "GET") => "okta.users.read",
        (Route::RolesOfUser(_) | Route::RolesOfClient(_), "GET") => "okta.roles.read",
        (Route::Groups | Route::Members(_), "GET") => "okta.groups.read",
        (Route::AuthorizationServers, "GET") => "okta.authorizationServers.read",
        (Route::Logs, "GET") => "okta.logs.read",
        (Route::Apps | Route::AppGrants(_) | Route::AppSecrets(_), "POST")
        | (Route::App(_), "PUT")
        | (Route::AppTokens(_), "DELETE") => {
            access::authorize(call, apps_manage)?;
            return Err(Refusal::not_simulated());
        }
        _ => return Err(Refusal::method_not_allowed()),
    };
    access::authorize(call, scope)?;
    match (route, method) {
        (Route::Apps, _) => apps::list(call),
        (Route::App(id), "GET") => apps::show(call, id),
        (Route::App(id), _) => apps::delete(call, id),
        (Route::AppGrants(id), _) => apps::list_grants(call, id),
        (Route::AppSecrets(id), _) => apps::list_secrets(call, id),
        (Route::AppTokens(id), _) => apps::list_tokens(call, id),
        (Route::AppUsers(id), _) => sync_admin::list_app_users(call, id),
        (Route::AppLifecycle(id, verb), _) => apps::change_status(call, id, verb),
        (Route::Services, "GET") => services::list(call),
        (Route::Services, _) => services::create(call),
        (Route::Service(id), "GET") => services::show(call, id),
        (Route::Service(id), _) => services::revoke(call, id),
        (Route::Secrets(id), "GET") => service_secrets::list(call, id),
        (Route::Secrets(id), _) => service_secrets::create(call, id),
        (Route::Secret(id, secret), _) => service_secrets::delete(call, id, secret),
        (Route::SecretLifecycle(id, secret, verb), _) => service_secrets::change_status(call, id, secret, verb),
        (Route::Users, _) => reads::list_users(call),
        (Route::Groups, _) => reads::list_groups(call),
        (Route::Me, _) => roles::show_me(call),
        (Route::RolesOfUser(user), _) => roles::list_of_user(call, user),
        (Route::RolesOfClient(client), _) => roles::list_of_client(call, client),
        (Route::Members(group), _) => reads::list_members(call, group),
        (Route::AuthorizationServers, _) => reads::list_authorization_servers(call),
        (Route::Logs, _) => logs::list(call),
        (Route::OrgMetadata | Route::ServerMetadata | Route::Token, _) => Err(Refusal::method_not_allowed()),
    }
}

fn find_route<'a>(segments: &[&'a str]) -> Option<Route<'a>> {
    Some(match *segments {
        [".well-known", "okta-organization"] => Route::OrgMetadata,
        [".well-known", "oauth-authorization-server"] => Route::ServerMetadata,
        ["oauth2", "v1", "token"] => Route::Token,
        ["api", "v1", "apps"] => Route::Apps,
        ["api", "v1", "apps", id] => Route::App(id),
        ["api", "v1", "apps", id, "grants"] => Route::AppGrants(id),
        ["api", "v1", "apps", id, "credentials", "secrets"] => Route::AppSecrets(id),
        ["api", "v1", "apps", id, "tokens"] => Route::AppTokens(id),
        ["api", "v1", "apps", id, "users"] => Route::AppUsers(id),
        ["api", "v1", "apps", id, "lifecycle", verb @ ("activate" | "deactivate")] => Route::AppLifecycle(id, verb),
        ["api", "v1", "users"] => Route::Users,
        ["api", "v1", "users", "me"] => Route::Me,
        ["api", "v1", "users", id, "roles"] => Route::RolesOfUser(id),
        ["oauth2", "v1", "clients", id, "roles"] => Route::RolesOfClient(id),
        ["api", "v1", "groups"] => Route::Groups,
        ["api", "v1", "groups", id, "users"] => Route::Members(id),
        ["api", "v1", "authorizationServers"] => Route::AuthorizationServers,
        ["api", "v1", "logs"] => Route::Logs,
        ["integrations", "api", "v1", "api-services", ref rest @ ..] => match *rest {
            [] => Route::Services,
            [id] => Route::Service(id),
            [id, "credentials", "secrets"] => Route::Secrets(id),
            [id, "credentials", "secrets", secret] => Route::Secret(id, secret),
            [id, "credentials", "secrets", secret, "lifecycle", verb @ ("activate" | "deactivate")] => {
                Route::SecretLifecycle(id, secret, verb)
            }
            _ => return None,
        },
        _ => return None,
    })
}

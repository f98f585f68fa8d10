//! The console as a person sees it: tenants, their directories, and the Reconnect form, as pages without any script.
//!
//! Labels and their order are those of PAN's manual ("Deploy Client Credential Flow for Okta", "Reconnect Okta
//! Directory"); what the pages look like, and everything a comment calls unknown, is made up. Whatever a person can do
//! wrong there can be done wrong here, with the consequences that the manual names.

mod directories;
mod form;
mod page;
mod reconnect;

use http::{HeaderValue, StatusCode, header};

use crate::encoding::parse_pairs;
use crate::message::{Reply, Request};
use crate::state::State;

/// Where a person is: at one tenant's directories.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) state: &'a State,
    /// The tenant's name.
    pub(crate) tenant: &'a str,
    pub(crate) tsg_id: &'a str,
}

impl Place<'_> {
    /// The path of the Directories page.
    fn path(self) -> String {
        format!("/tenants/{}/directories", self.tsg_id)
    }

    /// The path of something about one of them.
    fn path_of(self, directory: &str, what: &str) -> String {
        format!("{}/{directory}/{what}", self.path())
    }
}

/// The fields of a form that was sent.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().trim().to_owned()
    }
}

/// Answers one request of a browser.
pub(crate) fn handle(state: &State, request: &Request) -> Reply {
    let segments = request.segments();
    let (tenant, rest) = match segments.as_slice() {
        [""] => return directories::pick_tenant(state),
        ["tenants", tenant, "directories", rest @ ..] => (*tenant, rest),
        _ => return page::not_found(),
    };
    // A person follows links by the group's id; a configuration may name the tenant instead.
    let mut known = state.tenants.iter();
    let Some(found) = known.find(|known| known.account.tsg_id == tenant || known.name == tenant) else {
        return page::not_found();
    };
    let place = Place { state, tenant: &found.name, tsg_id: &found.account.tsg_id };
    let fields = || Fields(std::str::from_utf8(&request.body).ok().and_then(parse_pairs).unwrap_or_default());
    match (request.method.as_str(), rest) {
        ("GET", []) => directories::list(place, request.parameter("notice").as_deref()),
        ("POST", [id, "full-sync"]) => directories::sync(place, id, true),
        ("POST", [id, "sync-changes"]) => directories::sync(place, id, false),
        ("GET", [id, "remove"]) => directories::ask_to_remove(place, id),
        ("POST", [id, "remove"]) => directories::refuse_to_remove(place, id),
        ("POST", [id, "reconnect", "open"]) => reconnect::open(place, id),
        ("GET", [id, "reconnect"]) => reconnect::show(place, id, request.parameter("testing").is_some()),
        ("POST", [id, "reconnect"]) => reconnect::press(place, id, &fields()),
        _ => page::not_found(),
    }
}

/// Sends the browser on with a GET, so that no reload sends a form twice.
fn go_to(path: &str) -> Reply {
    let mut reply = Reply::empty(StatusCode::SEE_OTHER);
    if let Ok(path) = HeaderValue::from_str(path) {
        reply.headers.insert(header::LOCATION, path);
    }
    reply
}

//! The console for a person: pages without scripts for tenants, their directories, and the Reconnect form.
//!
//! Labels and their order are those of PAN's manual ("Deploy Client Credential Flow for Okta", "Reconnect Okta
//! Directory"). The look of the pages is made up, and so is everything that a comment calls unknown. A person can make the
//! same mistakes here as in the real console, with the consequences that the manual names.

mod directories;
mod form;
mod page;
mod reconnect;

use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::encoding::parse_pairs;
use crate::message::{Reply, Request};
use crate::state::State;

/// The tenant whose directories a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) state: &'a State,
    /// The tenant's name.
    pub(crate) tenant: &'a str,
    pub(crate) tsg_id: &'a str,
}

impl Context<'_> {
    /// The path of the Directories page.
    fn path(self) -> String {
        format!("/tenants/{}/directories", self.tsg_id)
    }

    /// The path of an action on one directory.
    fn path_of(self, directory: &str, what: &str) -> String {
        format!("{}/{directory}/{what}", self.path())
    }
}

/// The fields of a submitted form.
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
        // Not a page: what uses the world asks how far its clock was moved.
        ["clock"] => return show_clock(state),
        ["tenants", tenant, "directories", rest @ ..] => (*tenant, rest),
        _ => return page::not_found(),
    };
    // Links use the id of the group. A configuration may use the name of the tenant instead.
    let mut known = state.tenants.iter();
    let Some(found) = known.find(|known| known.account.tsg_id == tenant || known.name == tenant) else {
        return page::not_found();
    };
    let context = Context { state, tenant: &found.name, tsg_id: &found.account.tsg_id };
    let fields = || Fields(std::str::from_utf8(&request.body).ok().and_then(parse_pairs).unwrap_or_default());
    match (request.method.as_str(), rest) {
        ("GET", []) => directories::list(context, request.parameter("notice").as_deref()),
        ("POST", [id, "full-sync"]) => directories::sync(context, id, true),
        ("POST", [id, "sync-changes"]) => directories::sync(context, id, false),
        ("GET", [id, "remove"]) => directories::ask_to_remove(context, id),
        ("POST", [id, "remove"]) => directories::refuse_to_remove(context, id),
        ("POST", [id, "reconnect", "open"]) => reconnect::open(context, id),
        ("GET", [id, "reconnect"]) => reconnect::show(context, id, request.parameter("testing").is_some()),
        ("POST", [id, "reconnect"]) => reconnect::press(context, id, &fields()),
        _ => page::not_found(),
    }
}

fn show_clock(state: &State) -> Reply {
    let moved = i64::try_from(state.clock.moved().as_millis()).unwrap_or(i64::MAX);
    Reply::json(StatusCode::OK, &json!({ "moved_ms": moved }))
}

/// Redirects the browser to a GET, so that a reload does not send a form twice.
fn redirect_to(path: &str) -> Reply {
    let mut reply = Reply::empty(StatusCode::SEE_OTHER);
    if let Ok(path) = HeaderValue::from_str(path) {
        reply.headers.insert(header::LOCATION, path);
    }
    reply
}

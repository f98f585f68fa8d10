//! The choice of a tenant, the Directories page, and its actions but for Reconnect.

use std::fmt::Write as _;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::page::{Page, button, escape, not_found};
use super::{Place, go_to};
use crate::clock::shift;
use crate::config::CONSOLE_HOST;
use crate::encoding::write_pairs;
use crate::gateway::model::Directory;
use crate::gateway::natural;
use crate::message::Reply;
use crate::state::{State, lock};

/// PAN, "Synchronize Cloud Identity Engine tenants": at least 90 seconds between two full syncs.
const BETWEEN_FULL_SYNCS: SignedDuration = SignedDuration::from_secs(90);

/// GET /: every tenant by its group.
pub(crate) fn pick_tenant(state: &State) -> Reply {
    let mut body = "<table><thead><tr><th>TSG ID</th><th>Tenant</th></tr></thead><tbody>\n".to_owned();
    for tenant in &state.tenants {
        let (tsg, name) = (escape(&tenant.account.tsg_id), escape(&tenant.name));
        let _ = writeln!(body, "<tr><td><a href=\"/tenants/{tsg}/directories\">{tsg}</a></td><td>{name}</td></tr>");
    }
    body += "</tbody></table>";
    Page { title: "Choose a tenant", place: "", body: &body, onward: None }.reply(StatusCode::OK)
}

/// GET …/directories.
pub(crate) fn list(place: Place<'_>, notice: Option<&str>) -> Reply {
    let mut body = String::new();
    if let Some(notice) = notice {
        let _ = writeln!(body, "<p class=\"notice\" role=\"status\">{}</p>", escape(notice));
    }
    body += "<table><thead><tr>";
    let columns = ["Directory Name", "Type", "Domain", "Sync Status", "Last Updated", "Users", "Groups", "Actions"];
    body += &columns.map(|column| format!("<th scope=\"col\">{column}</th>")).concat();
    body += "</tr></thead><tbody>\n";
    for directory in place.state.directories.iter().map(lock).filter(|known| known.tsg_id == place.tsg_id) {
        body += &render_row(place, &directory);
    }
    body += "</tbody></table>";
    frame(place, "Directories", &body, StatusCode::OK)
}

fn render_row(place: Place<'_>, directory: &Directory) -> String {
    let path = |what: &str| place.path_of(&directory.id, what);
    // The manual has no word for a sync that failed, and says that Success may be wrong.
    let cells = [
        &directory.name,
        "Okta",
        &directory.domain,
        "Success",
        &show_time(shift(directory.sync.last_success, place.state.skew_of(CONSOLE_HOST))),
    ];
    let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
    let (users, groups) = (directory.sync.users.count(), directory.sync.groups.count());
    let actions = [
        button(&path("full-sync"), "Full Sync"),
        button(&path("sync-changes"), "Sync Changes"),
        button(&path("reconnect/open"), "Reconnect"),
        format!("<form method=\"get\" action=\"{}\"><button>Remove</button></form>", escape(&path("remove"))),
    ];
    let label = escape(&format!("Actions for {}", directory.name));
    format!(
        "<tr>{cells}<td class=\"number\">{users}</td><td class=\"number\">{groups}</td>\
         <td><details><summary aria-label=\"{label}\">Actions</summary>{}</details></td></tr>\n",
        actions.concat()
    )
}

/// POST …/full-sync and …/sync-changes. A sync that fails leaves the times as they were, and says nothing.
pub(crate) fn sync(place: Place<'_>, id: &str, full: bool) -> Reply {
    let now = place.state.clock.now();
    let Some(mut directory) = find(place, id) else { return not_found() };
    let last = directory.sync.full_at.filter(|_| full);
    if last.is_some_and(|last| now.duration_since(last) < BETWEEN_FULL_SYNCS) {
        return return_with(place, "Wait at least 90 seconds between full syncs.");
    }
    if full {
        directory.sync.full_at = Some(now);
    }
    natural::run(place.state, &mut directory, now, full);
    let what = if full { "full sync" } else { "sync of changes" };
    return_with(place, &format!("{}: the {what} was started.", directory.name))
}

/// GET …/remove: asks first, as the console does.
pub(crate) fn ask_to_remove(place: Place<'_>, id: &str) -> Reply {
    let Some(directory) = find(place, id) else { return not_found() };
    let yes = button(&place.path_of(id, "remove"), "Yes");
    let (name, back) = (escape(&directory.name), escape(&place.path()));
    let body = format!(
        "<div class=\"card\"><p>Remove the directory <b>{name}</b>?</p>\
         <div class=\"end\">{yes}<form method=\"get\" action=\"{back}\"><button>No</button></form></div></div>"
    );
    frame(place, "Remove", &body, StatusCode::OK)
}

/// POST …/remove: a move that nothing leads back from, and that the simulator therefore does not make.
pub(crate) fn refuse_to_remove(place: Place<'_>, id: &str) -> Reply {
    let Some(directory) = find(place, id) else { return not_found() };
    return_with(place, &format!("{} was not removed: the simulator removes no directory.", directory.name))
}

/// The directory of this id, if it is one of the place's.
pub(crate) fn find<'a>(place: Place<'a>, id: &str) -> Option<std::sync::MutexGuard<'a, Directory>> {
    place.state.directory(id).filter(|directory| directory.tsg_id == place.tsg_id)
}

/// Sends the browser to the Directories page, which says the sentence.
pub(crate) fn return_with(place: Place<'_>, notice: &str) -> Reply {
    go_to(&format!("{}?{}", place.path(), write_pairs([("notice", notice)])))
}

pub(crate) fn frame(place: Place<'_>, title: &str, body: &str, status: StatusCode) -> Reply {
    let place = format!("{} (TSG {})", place.tenant, place.tsg_id);
    Page { title, place: &place, body, onward: None }.reply(status)
}

fn show_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

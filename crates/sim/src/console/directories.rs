//! The choice of a tenant, the Directories page, and all its actions except Reconnect.

use std::fmt::Write as _;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::page::{Page, button, escape, not_found};
use super::{Context, redirect_to};
use crate::clock::shift;
use crate::config::CONSOLE_HOST;
use crate::directory::Directory;
use crate::encoding::write_pairs;
use crate::gateway::schedule;
use crate::lock::lock;
use crate::message::Reply;
use crate::state::State;

/// PAN, "Synchronize Cloud Identity Engine tenants": at least 90 seconds between two full syncs.
const BETWEEN_FULL_SYNCS: SignedDuration = SignedDuration::from_secs(90);

/// GET /: every tenant with its group.
pub(crate) fn pick_tenant(state: &State) -> Reply {
    let mut body = "<table><thead><tr><th>TSG ID</th><th>Tenant</th></tr></thead><tbody>\n".to_owned();
    for tenant in &state.tenants {
        let (tsg, name) = (escape(&tenant.account.tsg_id), escape(&tenant.name));
        let _ = writeln!(body, "<tr><td><a href=\"/tenants/{tsg}/directories\">{tsg}</a></td><td>{name}</td></tr>");
    }
    body += "</tbody></table>";
    Page { title: "Choose a tenant", location: "", body: &body, refresh_to: None }.reply(StatusCode::OK)
}

/// GET …/directories.
pub(crate) fn list(context: Context<'_>, notice: Option<&str>) -> Reply {
    let mut body = String::new();
    if let Some(notice) = notice {
        let _ = writeln!(body, "<p class=\"notice\" role=\"status\">{}</p>", escape(notice));
    }
    body += "<table><thead><tr>";
    let columns = ["Directory Name", "Type", "Domain", "Sync Status", "Last Updated", "Users", "Groups", "Actions"];
    body += &columns.map(|column| format!("<th scope=\"col\">{column}</th>")).concat();
    body += "</tr></thead><tbody>\n";
    for directory in context.state.directories.iter().map(lock).filter(|known| known.tsg_id == context.tsg_id) {
        body += &render_row(context, &directory);
    }
    body += "</tbody></table>";
    frame(context, "Directories", &body, StatusCode::OK)
}

fn render_row(context: Context<'_>, directory: &Directory) -> String {
    let path = |what: &str| context.path_of(&directory.id, what);
    // The manual has no status for a failed sync, and says that Success may be wrong.
    let cells = [
        &directory.name,
        "Okta",
        &directory.domain,
        "Success",
        &show_time(shift(directory.sync.last_success, context.state.skew_of(CONSOLE_HOST))),
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

/// POST …/full-sync and …/sync-changes. A failed sync keeps the old times and shows no error.
pub(crate) fn sync(context: Context<'_>, id: &str, full: bool) -> Reply {
    let now = context.state.clock.now();
    let Some(mut directory) = find(context, id) else { return not_found() };
    let last = directory.sync.full_at.filter(|_| full);
    if last.is_some_and(|last| now.duration_since(last) < BETWEEN_FULL_SYNCS) {
        return redirect_with_notice(context, "Wait at least 90 seconds between full syncs.");
    }
    if full {
        directory.sync.full_at = Some(now);
    }
    schedule::run(context.state, &mut directory, now, full);
    let what = if full { "full sync" } else { "sync of changes" };
    redirect_with_notice(context, &format!("{}: the {what} was started.", directory.name))
}

/// GET …/remove: asks first, like the console.
pub(crate) fn ask_to_remove(context: Context<'_>, id: &str) -> Reply {
    let Some(directory) = find(context, id) else { return not_found() };
    let yes = button(&context.path_of(id, "remove"), "Yes");
    let (name, back) = (escape(&directory.name), escape(&context.path()));
    let body = format!(
        "<div class=\"card\"><p>Remove the directory <b>{name}</b>?</p>\
         <div class=\"end\">{yes}<form method=\"get\" action=\"{back}\"><button>No</button></form></div></div>"
    );
    frame(context, "Remove", &body, StatusCode::OK)
}

/// POST …/remove: cannot be rolled back, so the simulator does not do it.
pub(crate) fn refuse_to_remove(context: Context<'_>, id: &str) -> Reply {
    let Some(directory) = find(context, id) else { return not_found() };
    redirect_with_notice(
        context,
        &format!("{} was not removed: the simulator does not remove directories.", directory.name),
    )
}

/// The directory with this id, if it belongs to the tenant of the page.
pub(crate) fn find<'a>(context: Context<'a>, id: &str) -> Option<std::sync::MutexGuard<'a, Directory>> {
    context.state.directory(id).filter(|directory| directory.tsg_id == context.tsg_id)
}

/// Sends the browser to the Directories page, which shows the notice.
pub(crate) fn redirect_with_notice(context: Context<'_>, notice: &str) -> Reply {
    redirect_to(&format!("{}?{}", context.path(), write_pairs([("notice", notice)])))
}

pub(crate) fn frame(context: Context<'_>, title: &str, body: &str, status: StatusCode) -> Reply {
    let location = format!("{} (TSG {})", context.tenant, context.tsg_id);
    Page { title, location: &location, body, refresh_to: None }.reply(status)
}

fn show_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

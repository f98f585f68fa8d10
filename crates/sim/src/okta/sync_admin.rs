//! The administrator who signs in for the clients of the authorization-code flow, and to whom they are assigned (PAN, "Deploy Auth
//! Code for Okta Directory"). This is not the owner of the API token. The shapes follow the Okta management API.

use serde_json::{Value, json};

use super::Call;
use super::paging::answer_page;
use super::refusal::{Answer, Refusal};

/// When the app was assigned. Nothing depends on it.
const ASSIGNED: &str = "2025-02-01T08:00:00.000Z";

/// The administrator's account.
#[derive(Clone, Debug)]
pub(crate) struct SyncAdmin {
    pub(crate) id: String,
    /// Whether the account is active. Without it the org refuses refresh tokens.
    pub(crate) active: bool,
    /// Whether the account has an administrator role.
    pub(crate) has_role: bool,
}

/// GET /api/v1/apps/{appId}/users: the administrator for a client of the authorization-code flow, and nobody for another app.
pub(super) fn list_app_users(call: &mut Call<'_>, id: &str) -> Answer {
    let app = call.org.app(id).ok_or_else(|| Refusal::not_found(id, "AppInstance"))?;
    let expands = call.request.parameter("expand").is_some_and(|expand| expand == "user");
    let ids: Vec<_> = app.is_legacy().then(|| call.org.sync_admin.id.clone()).into_iter().collect();
    let base = call.request.base();
    answer_page(call, &ids, 50, |user| render(&call.org.sync_admin, id, user, &base, expands))
}

fn render(admin: &SyncAdmin, app: &str, user: &str, base: &str, expands: bool) -> Value {
    let login = "sync-admin@example.com";
    let link = format!("{base}/api/v1/users/{user}");
    let mut assignment = json!({
        "id": user,
        "externalId": null,
        "created": ASSIGNED,
        "lastUpdated": ASSIGNED,
        "scope": "USER",
        "status": "ACTIVE",
        "statusChanged": ASSIGNED,
        "passwordChanged": null,
        "syncState": "DISABLED",
        "credentials": { "userName": login },
        "profile": {},
        "_links": { "app": { "href": format!("{base}/api/v1/apps/{app}") }, "user": { "href": link } },
    });
    if expands {
        assignment["_embedded"] = json!({ "user": {
            "id": user,
            "status": if admin.active { "ACTIVE" } else { "DEPROVISIONED" },
            "created": ASSIGNED,
            "lastUpdated": ASSIGNED,
            "profile": { "firstName": "Sync", "lastName": "Admin", "login": login, "email": login },
            "_links": { "self": { "href": link } },
        } });
    }
    assignment
}

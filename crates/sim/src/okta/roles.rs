//! The administrator roles of the accounts and the app that matter here. The shapes follow the Okta management API.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use super::refusal::{Answer, Refusal};
use crate::message::Reply;

/// The role that may do everything.
pub(crate) const SUPER: &str = "SUPER_ADMIN";
/// When a role was assigned. Nothing depends on it.
const ASSIGNED: &str = "2025-02-01T08:00:00.000Z";

/// GET /api/v1/users/me: the owner of the API token.
pub(super) fn show_me(call: &mut Call<'_>) -> Answer {
    let id = &call.org.admin_user;
    let login = "admin@example.com";
    let user = json!({
        "id": id,
        "status": "ACTIVE",
        "created": ASSIGNED,
        "profile": { "firstName": "Simulated", "lastName": "Administrator", "login": login, "email": login },
        "_links": { "self": { "href": format!("{}/api/v1/users/{id}", call.request.base()) } },
    });
    Ok(Reply::json(StatusCode::OK, &user))
}

/// GET /api/v1/users/{userId}/roles: of the owner of the API token, and of the administrator who signs in for the directories.
pub(super) fn list_of_user(call: &mut Call<'_>, user: &str) -> Answer {
    let org = &*call.org;
    let role = if org.admin_user == user {
        Some(org.admin_role.as_str())
    } else if org.sync_admin.id == user {
        org.sync_admin.has_role.then_some("READ_ONLY_ADMIN")
    } else {
        return Err(Refusal::not_found(user, "User"));
    };
    Ok(Reply::json(StatusCode::OK, &render(role, user, "USER")))
}

/// GET /oauth2/v1/clients/{clientId}/roles: of the administrator's app.
pub(super) fn list_of_client(call: &mut Call<'_>, client: &str) -> Answer {
    let app = &call.org.service_app;
    if app.client_id != client {
        return Err(Refusal::not_found(client, "PublicClientApp"));
    }
    Ok(Reply::json(StatusCode::OK, &render(app.has_role.then_some(SUPER), client, "CLIENT")))
}

fn render(role: Option<&str>, assignee: &str, kind: &str) -> Vec<Value> {
    let role = role.map(|role| {
        json!({
            "id": format!("ra1{}", assignee.get(3..).unwrap_or_default()),
            "label": role,
            "type": role,
            "status": "ACTIVE",
            "created": ASSIGNED,
            "lastUpdated": ASSIGNED,
            "assignmentType": kind,
        })
    });
    role.into_iter().collect()
}

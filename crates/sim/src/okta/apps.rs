//! `/api/v1/apps`: the list, one app, its grants, secrets, and refresh tokens, its lifecycle, and its deletion.

use http::StatusCode;
use serde_json::{Value, json};

use super::filter::Filter;
use super::model::{App, Status};
use super::paging::answer_page;
use super::refusal::{Answer, Refusal};
use super::{Call, app_json, logs};
use crate::message::Reply;

/// GET /api/v1/apps. Like at Okta, no filter covers redirect URIs or client ids: a caller must read all apps.
pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    // Okta management API, listApplications: the fields that `filter` may use.
    let known = ["id", "status", "name", "credentials.signing.kid", "settings.slo.enabled"];
    let filter = call.request.parameter("filter").map(|text| Filter::parse(&text, &known)).transpose()?;
    let filter = filter.unwrap_or_else(Filter::match_all);
    let prefix = call.request.parameter("q").unwrap_or_default().to_lowercase();
    let matches = |app: &&App| {
        let begins = |text: &str| text.to_lowercase().starts_with(&prefix);
        (begins(&app.name) || begins(&app.label))
            && filter.matches(&|field, value| match field {
                "id" => app.id == value,
                "status" => app.status.text() == value,
                "name" => app.name == value,
                _ => false,
            })
    };
    let ids: Vec<_> = call.org.apps.iter().filter(matches).map(|app| app.id.clone()).collect();
    let base = call.request.base();
    let org = &*call.org;
    answer_page(call, &ids, 200, |id| org.app(id).map_or(Value::Null, |app| app_json::render_app(org, app, &base)))
}

/// GET /api/v1/apps/{appId}.
pub(crate) fn show(call: &mut Call<'_>, id: &str) -> Answer {
    let app = find(call, id)?;
    Ok(Reply::json(StatusCode::OK, &app_json::render_app(call.org, app, &call.request.base())))
}

/// GET /api/v1/apps/{appId}/grants. Not paginated.
pub(crate) fn list_grants(call: &mut Call<'_>, id: &str) -> Answer {
    let (app, base) = (find(call, id)?, call.request.base());
    let grants: Vec<_> = app.grants.iter().map(|grant| app_json::render_grant(call.org, app, grant, &base)).collect();
    Ok(Reply::json(StatusCode::OK, &grants))
}

/// GET /api/v1/apps/{appId}/credentials/secrets: in clear text, so the log records it.
pub(crate) fn list_secrets(call: &mut Call<'_>, id: &str) -> Answer {
    let (app, base) = (find(call, id)?, call.request.base());
    let secrets = app.oauth.as_ref().map(|client| client.secrets.as_slice()).unwrap_or_default();
    let body: Vec<_> = secrets.iter().map(|secret| app_json::render_secret(app, secret, &base)).collect();
    let target = (app.id.clone(), app.label.clone());
    logs::record(call, "app.oauth2.client.read_client_secret", &target.0, "AppInstance", &target.1);
    Ok(Reply::json(StatusCode::OK, &body))
}

/// GET /api/v1/apps/{appId}/tokens.
pub(crate) fn list_tokens(call: &mut Call<'_>, id: &str) -> Answer {
    let (app, base) = (find(call, id)?, call.request.base());
    let ids: Vec<_> = app.refresh_tokens.iter().map(|token| token.id.clone()).collect();
    answer_page(call, &ids, 20, |id| {
        let token = app.refresh_tokens.iter().find(|token| token.id == id);
        token.map_or(Value::Null, |token| app_json::render_token(call.org, app, token, &base))
    })
}

/// POST /api/v1/apps/{appId}/lifecycle/activate or deactivate: 200 `{}`, even if nothing changes.
pub(crate) fn change_status(call: &mut Call<'_>, id: &str, verb: &str) -> Answer {
    find(call, id)?;
    let now = call.now;
    let (status, event) = match verb {
        "activate" => (Status::Active, "application.lifecycle.activate"),
        _ => (Status::Inactive, "application.lifecycle.deactivate"),
    };
    let changed = call.org.app_mut(id).filter(|app| app.status != status).map(|app| {
        app.status = status;
        app.last_updated = now;
        app.label.clone()
    });
    if let Some(label) = changed {
        logs::record(call, event, id, "AppInstance", &label);
    }
    Ok(Reply::json(StatusCode::OK, &json!({})))
}

/// DELETE /api/v1/apps/{appId}: only for an inactive app.
pub(crate) fn delete(call: &mut Call<'_>, id: &str) -> Answer {
    let app = find(call, id)?;
    if app.status == Status::Active {
        // Okta Apps API reference, "Delete application": E0000056 and its cause.
        return Err(Refusal::Error {
            status: StatusCode::FORBIDDEN,
            code: "E0000056",
            summary: "Delete application forbidden.".to_owned(),
            causes: vec!["The application must be deactivated before deletion.".to_owned()],
        });
    }
    let label = app.label.clone();
    call.org.apps.retain(|app| app.id != id);
    logs::record(call, "application.lifecycle.delete", id, "AppInstance", &label);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a App, Refusal> {
    call.org.app(id).ok_or_else(|| Refusal::not_found(id, "AppInstance"))
}

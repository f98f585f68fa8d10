//! Apps and their grants, secrets, and refresh tokens as JSON. The shapes follow recordings of the Okta management API.
//! Grants follow the official schema, because no recording of them is public.

use serde_json::{Map, Value, json};

use super::access::ADMINISTRATOR;
use super::model::{App, Grant, OauthClient, Org, RefreshToken, Secret, Status};
use crate::clock::to_rfc3339;

/// An app as GET shows it: without any secret.
pub(crate) fn render_app(org: &Org, app: &App, base: &str) -> Value {
    let custom = app.oauth.is_some();
    let mut credentials = json!({
        "userNameTemplate": { "template": "${source.login}", "type": "BUILT_IN" },
        "signing": { "kid": format!("kid-{}", org.id) },
    });
    if let Some(client) = &app.oauth {
        credentials["oauthClient"] = json!({
            "autoKeyRotation": true,
            "client_id": client.client_id,
            "token_endpoint_auth_method": "client_secret_basic",
            "pkce_required": false,
        });
    }
    let mut visibility = json!({
        "autoLaunch": false,
        "autoSubmitToolbar": false,
        "hide": { "iOS": custom, "web": custom },
        "appLinks": { link_name(app): true },
    });
    if !custom && let Some(visibility) = visibility.as_object_mut() {
        visibility.remove("autoLaunch");
    }
    json!({
        "id": app.id,
        "orn": format!("orn:okta:idp:{}:apps:{}:{}", org.id, app.name, app.id),
        "name": app.name,
        "label": app.label,
        "status": app.status.text(),
        "lastUpdated": to_rfc3339(app.last_updated),
        "created": to_rfc3339(app.created),
        "accessibility": { "selfService": false, "errorRedirectUrl": null, "loginRedirectUrl": null },
        "visibility": visibility,
        "features": [],
        "signOnMode": app.sign_on_mode,
        "credentials": credentials,
        "universalLogout": logout(custom),
        "settings": settings(app),
        "_links": links(org, app, base),
    })
}

fn link_name(app: &App) -> String {
    if app.oauth.is_some() { "oidc_client_link".to_owned() } else { format!("{}_link", app.name) }
}

fn logout(custom: bool) -> Value {
    if custom {
        json!({
            "status": "DISABLED",
            "supportType": "FULL",
            "identityStack": "NOT_SHARED",
            "protocol": "GLOBAL_TOKEN_REVOCATION",
        })
    } else {
        json!({ "status": "UNSUPPORTED" })
    }
}

fn settings(app: &App) -> Value {
    let mut settings = json!({
        "app": {},
        "notifications": {
            "vpn": { "network": { "connection": "DISABLED" }, "message": null, "helpUrl": null },
        },
        "manualProvisioning": false,
        "implicitAssignment": false,
        "emOptInStatus": "NONE",
    });
    if let Some(client) = &app.oauth {
        settings["notes"] = json!({ "admin": null, "enduser": null });
        settings["oauthClient"] = oauth_settings(client);
    }
    settings
}

fn oauth_settings(client: &OauthClient) -> Value {
    let response_type = if client.application_type == "service" { "token" } else { "code" };
    let mut settings = json!({
        "client_uri": null,
        "logo_uri": null,
        "redirect_uris": client.redirect_uris,
        "response_types": [response_type],
        "grant_types": client.grant_types,
        "application_type": client.application_type,
        "consent_method": "TRUSTED",
        "issuer_mode": "ORG_URL",
        "idp_initiated_login": { "mode": "DISABLED", "default_scope": [] },
        "wildcard_redirect": "DISABLED",
        "dpop_bound_access_tokens": false,
        "participate_slo": false,
    });
    if client.grant_types.contains(&"refresh_token") {
        let rotation = if client.rotates_refresh_tokens { "ROTATE" } else { "STATIC" };
        settings["refresh_token"] = json!({ "rotation_type": rotation });
    }
    settings
}

fn links(org: &Org, app: &App, base: &str) -> Value {
    let own = format!("{base}/api/v1/apps/{}", app.id);
    let policy = |prefix: &str| json!({ "href": format!("{base}/api/v1/policies/{prefix}{}", &org.id[3..]) });
    let mut links = json!({
        "uploadLogo": { "href": format!("{own}/logo"), "hints": { "allow": ["POST"] } },
        "appLinks": [{
            "name": link_name(app),
            "href": format!("{base}/home/{}/{}/aln177a159h7Zf52X0g8", app.name, app.id),
            "type": "text/html",
        }],
        "profileEnrollment": policy("rse"),
        "policies": { "href": format!("{own}/policies"), "hints": { "allow": ["PUT"] } },
        "groups": { "href": format!("{own}/groups") },
        "logo": [{ "name": "medium", "href": format!("{base}/assets/img/logos/default.png"), "type": "image/png" }],
        "accessPolicy": policy("rst"),
        "users": { "href": format!("{own}/users") },
    });
    let verb = if app.status == Status::Active { "deactivate" } else { "activate" };
    links[verb] = json!({ "href": format!("{own}/lifecycle/{verb}") });
    if app.oauth.is_some() {
        links["clientCredentials"] = json!([{ "name": "secrets", "href": format!("{own}/credentials/secrets") }]);
    }
    links
}

/// A grant of a scope (Okta management API, OAuth2ScopeConsentGrant).
pub(crate) fn render_grant(org: &Org, app: &App, grant: &Grant, base: &str) -> Value {
    let own = format!("{base}/api/v1/apps/{}", app.id);
    let client = app.oauth.as_ref().map_or(app.id.as_str(), |client| client.client_id.as_str());
    json!({
        "id": grant.id,
        "status": "ACTIVE",
        "created": to_rfc3339(grant.created),
        "createdBy": { "id": org.admin_user, "type": "User" },
        "lastUpdated": to_rfc3339(grant.created),
        "issuer": base,
        "clientId": client,
        "scopeId": grant.scope,
        "source": "ADMIN",
        "_links": {
            "app": { "href": own, "title": app.label },
            "self": { "href": format!("{own}/grants/{}", grant.id), "hints": { "allow": ["GET", "DELETE"] } },
            "client": { "href": format!("{base}/oauth2/v1/clients/{client}"), "title": app.label },
            "user": render_user(org, base),
        },
    })
}

fn render_user(org: &Org, base: &str) -> Value {
    json!({ "href": format!("{base}/api/v1/users/{}", org.admin_user), "title": ADMINISTRATOR })
}

/// A secret of an OIDC app. Recordings show its value in clear text, unlike that of an integration.
pub(crate) fn render_secret(app: &App, secret: &Secret, base: &str) -> Value {
    let own = format!("{base}/api/v1/apps/{}/credentials/secrets/{}", app.id, secret.id);
    let mut links = Map::new();
    if secret.status == Status::Active {
        let link = json!({ "href": format!("{own}/lifecycle/deactivate"), "hints": { "allow": ["POST"] } });
        links.insert("deactivate".to_owned(), link);
    } else {
        let link = json!({ "href": format!("{own}/lifecycle/activate"), "hints": { "allow": ["POST"] } });
        links.insert("activate".to_owned(), link);
        links.insert("delete".to_owned(), json!({ "href": own, "hints": { "allow": ["DELETE"] } }));
    }
    json!({
        "id": secret.id,
        "created": to_rfc3339(secret.created),
        "lastUpdated": to_rfc3339(secret.last_updated),
        "status": secret.status.text(),
        "client_secret": secret.value,
        "secret_hash": secret.hash(),
        "_links": links,
    })
}

/// The metadata of a refresh token.
pub(crate) fn render_token(org: &Org, app: &App, token: &RefreshToken, base: &str) -> Value {
    let own = format!("{base}/api/v1/apps/{}", app.id);
    let client = app.oauth.as_ref().map_or(app.id.as_str(), |client| client.client_id.as_str());
    let token_link = format!("{own}/tokens/{}", token.id);
    json!({
        "id": token.id,
        "status": "ACTIVE",
        "created": to_rfc3339(token.created),
        "lastUpdated": to_rfc3339(token.created),
        "expiresAt": to_rfc3339(token.expires),
        "issuer": base,
        "clientId": client,
        "userId": org.admin_user,
        "scopes": token.scopes,
        "_links": {
            "app": { "href": own, "title": app.label },
            "self": { "href": token_link },
            "revoke": { "href": token_link, "hints": { "allow": ["DELETE"] } },
            "client": { "href": format!("{base}/oauth2/v1/clients/{client}"), "title": app.label },
            "user": render_user(org, base),
        },
    })
}

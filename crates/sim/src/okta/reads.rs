//! What a directory reads: users, groups and custom authorization servers. The objects are made up as they are asked
//! for; only their number is part of the world.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use super::paging::answer_page;
use super::refusal::{Answer, Refusal};

/// When every user and group was made; it plays no part.
const CREATED: &str = "2024-02-01T08:00:00.000Z";

/// GET /api/v1/users.
pub(crate) fn list_users(call: &mut Call<'_>) -> Answer {
    let (ids, base) = (number_ids(call, "00u", call.org.users), call.request.base());
    let domain = call.org.domain.clone();
    answer_page(call, &ids, 200, |id| render_user(id, &domain, &base))
}

/// GET /api/v1/groups.
pub(crate) fn list_groups(call: &mut Call<'_>) -> Answer {
    let (ids, base) = (number_ids(call, "00g", call.org.groups), call.request.base());
    answer_page(call, &ids, 200, |id| render_group(id, &base))
}

/// GET /api/v1/authorizationServers: 401 E0000015 where the feature is not on, as recorded for its siblings.
pub(crate) fn list_authorization_servers(call: &mut Call<'_>) -> Answer {
    if !call.org.authorization_servers {
        let summary = "You do not have permission to access the feature you are requesting";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "E0000015", summary));
    }
    let (ids, base) = (number_ids(call, "aus", 1), call.request.base());
    answer_page(call, &ids, 200, |id| render_server(id, &base))
}

fn number_ids(call: &Call<'_>, prefix: &str, count: usize) -> Vec<String> {
    let org = call.org.id.get(3..11).unwrap_or_default();
    (0..count).map(|number| format!("{prefix}{org}{number:09}")).collect()
}

fn render_user(id: &str, domain: &str, base: &str) -> Value {
    let number = id.get(11..).unwrap_or_default().trim_start_matches('0');
    let login = format!("user{number}@{domain}");
    json!({
        "id": id,
        "status": "ACTIVE",
        "created": CREATED,
        "activated": CREATED,
        "statusChanged": CREATED,
        "lastLogin": null,
        "lastUpdated": CREATED,
        "passwordChanged": null,
        "type": { "id": format!("oty{}", &id[3..]) },
        "profile": {
            "firstName": "Given",
            "lastName": format!("Family{number}"),
            "mobilePhone": null,
            "secondEmail": null,
            "login": login,
            "email": login,
        },
        "credentials": { "provider": { "type": "OKTA", "name": "OKTA" } },
        "_links": { "self": { "href": format!("{base}/api/v1/users/{id}") } },
    })
}

fn render_group(id: &str, base: &str) -> Value {
    let number = id.get(11..).unwrap_or_default();
    let built_in = number.chars().all(|digit| digit == '0');
    let own = format!("{base}/api/v1/groups/{id}");
    json!({
        "id": id,
        "created": CREATED,
        "lastUpdated": CREATED,
        "lastMembershipUpdated": CREATED,
        "objectClass": ["okta:user_group"],
        "type": if built_in { "BUILT_IN" } else { "OKTA_GROUP" },
        "profile": {
            "name": if built_in { "Everyone".to_owned() } else { format!("group-{}", number.trim_start_matches('0')) },
            "description": "All users in your organization",
        },
        "_links": {
            "logo": [{ "name": "medium", "href": format!("{base}/assets/img/logos/groups/medium.png"), "type": "image/png" }],
            "users": { "href": format!("{own}/users") },
            "apps": { "href": format!("{own}/apps") },
        },
    })
}

fn render_server(id: &str, base: &str) -> Value {
    json!({
        "id": id,
        "name": "default",
        "description": "Default Authorization Server for your Applications",
        "audiences": ["api://default"],
        "issuer": format!("{base}/oauth2/{id}"),
        "issuerMode": "ORG_URL",
        "status": "ACTIVE",
        "created": CREATED,
        "lastUpdated": CREATED,
        "credentials": {
            "signing": { "kid": format!("kid-{id}"), "rotationMode": "AUTO", "lastRotated": CREATED },
        },
        "default": true,
        "_links": { "self": { "href": format!("{base}/api/v1/authorizationServers/{id}") } },
    })
}

//! What a directory reads: users, groups, and custom authorization servers. Each request makes up the objects. Only their
//! number is part of the world.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use super::paging::{Numbered, answer_numbers, answer_page};
use super::refusal::{Answer, Refusal};

/// The creation time of every user and group. Nothing depends on it.
const CREATED: &str = "2024-02-01T08:00:00.000Z";

/// GET /api/v1/users.
pub(crate) fn list_users(call: &mut Call<'_>) -> Answer {
    let (domain, base) = (call.org.domain.clone(), call.request.base());
    answer_numbers(call, &Numbered::all("00u", call.org.population.users), |id, number| {
        render_user(id, number, &domain, &base)
    })
}

/// GET /api/v1/groups.
pub(crate) fn list_groups(call: &mut Call<'_>) -> Answer {
    let base = call.request.base();
    answer_numbers(call, &Numbered::all("00g", call.org.population.groups), |id, number| {
        render_group(id, number, &base)
    })
}

/// GET /api/v1/groups/{groupId}/users: the members, by their numbers.
pub(crate) fn list_members(call: &mut Call<'_>, group: &str) -> Answer {
    let world = call.org.population;
    let number = call.org.number_of("00g", group).filter(|number| *number < world.groups);
    let members = world.members(number.ok_or_else(|| Refusal::not_found(group, "UserGroup"))?);
    let (domain, base) = (call.org.domain.clone(), call.request.base());
    let position = |number| members.up_to(number);
    let page = |start, end| members.starting_at(start).take(end - start).collect();
    let listed = Numbered { prefix: "00u", count: members.count(), position: &position, page: &page };
    answer_numbers(call, &listed, |id, number| render_user(id, number, &domain, &base))
}

/// GET /api/v1/authorizationServers: 401 E0000015 if the feature is off, as recorded for similar paths.
pub(crate) fn list_authorization_servers(call: &mut Call<'_>) -> Answer {
    if !call.org.authorization_servers {
        let summary = "You do not have permission to access the feature you are requesting";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "E0000015", summary));
    }
    let base = call.request.base();
    answer_page(call, &[call.org.numbered_id("aus", 0)], 200, |id| render_server(id, &base))
}

/// The login of a user, which is also the email address.
pub(crate) fn login(number: usize, domain: &str) -> String {
    if number == 0 { format!("user@{domain}") } else { format!("user{number}@{domain}") }
}

/// The family name of a user.
pub(crate) fn family_name(number: usize) -> String {
    if number == 0 { "Family".to_owned() } else { format!("Family{number}") }
}

/// The name of a group.
pub(crate) fn group_name(number: usize) -> String {
    if number == 0 { "Everyone".to_owned() } else { format!("group-{number}") }
}

fn render_user(id: &str, number: usize, domain: &str, base: &str) -> Value {
    let login = login(number, domain);
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
            "lastName": family_name(number),
            "mobilePhone": null,
            "secondEmail": null,
            "login": login,
            "email": login,
        },
        "credentials": { "provider": { "type": "OKTA", "name": "OKTA" } },
        "_links": { "self": { "href": format!("{base}/api/v1/users/{id}") } },
    })
}

fn render_group(id: &str, number: usize, base: &str) -> Value {
    let built_in = number == 0;
    let own = format!("{base}/api/v1/groups/{id}");
    json!({
        "id": id,
        "created": CREATED,
        "lastUpdated": CREATED,
        "lastMembershipUpdated": CREATED,
        "objectClass": ["okta:user_group"],
        "type": if built_in { "BUILT_IN" } else { "OKTA_GROUP" },
        "profile": {
            "name": group_name(number),
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

//! `/integrations/api/v1/api-services`: creates, shows, and revokes API service integrations. Like at Okta, nothing can
//! change an integration, and a second one of the same type is allowed.

use std::collections::BTreeSet;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{APPS_NAME, PLAIN_NAME, Secret, ServiceClient};
use super::paging::answer_page;
use super::refusal::{Answer, Refusal};
use super::{Call, logs};
use crate::clock::to_rfc3339;
use crate::ids::Mint;
use crate::message::Reply;

/// The OIN `type` keys of the two integrations, as this simulator's orgs know them.
///
/// No public source has the real keys, and the names do not determine them (Okta's own recording shows
/// `anzennaapiservice` for "Anzenna"). So these are made up, and a client must be configured with them or learn them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariantTypes {
    /// Users, groups, authorization servers, and logs.
    pub plain: &'static str,
    /// The same, and apps.
    pub application_enabled: &'static str,
}

impl VariantTypes {
    /// The keys that every simulated org uses.
    pub const SIMULATED: Self = Self { plain: "panw_cie_sim", application_enabled: "panw_cie_apps_sim" };
}

/// The scopes that PAN registered for both integrations (PAN, "Deploy Client Credential Flow for Okta"). One is a `.self`
/// scope, which the token endpoint refuses. So a request for all granted scopes fails.
const PLAIN_SCOPES: [&str; 5] =
    ["okta.users.read", "okta.users.read.self", "okta.groups.read", "okta.authorizationServers.read", "okta.logs.read"];
const APPS_SCOPE: &str = "okta.apps.read";

/// The name and the registered scopes of an integration type, if the catalog has it.
pub(crate) fn find_type(kind: &str) -> Option<(&'static str, Vec<String>)> {
    let mut scopes: Vec<_> = PLAIN_SCOPES.map(str::to_owned).to_vec();
    let types = VariantTypes::SIMULATED;
    if kind == types.plain {
        Some((PLAIN_NAME, scopes))
    } else if kind == types.application_enabled {
        scopes.push(APPS_SCOPE.to_owned());
        Some((APPS_NAME, scopes))
    } else {
        None
    }
}

/// GET /integrations/api/v1/api-services. Okta documents `after` but no `limit`. Here a `limit` works.
pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let ids: Vec<_> = call.org.services.iter().map(|service| service.id.clone()).collect();
    let mut noise = call.org.noise.clone();
    let orders: Vec<_> = call.org.services.iter().map(|service| noise.shuffle(&service.scopes)).collect();
    call.org.noise = noise;
    let (org, base) = (&*call.org, call.request.base());
    answer_page(call, &ids, 20, |id| {
        let found = org.services.iter().zip(&orders).find(|(service, _)| service.id == id);
        found.map_or(Value::Null, |(service, scopes)| render(service, scopes, &org.admin_user, &base))
    })
}

/// GET /integrations/api/v1/api-services/{apiServiceId}.
pub(crate) fn show(call: &mut Call<'_>, id: &str) -> Answer {
    let service = find(call, id)?.clone();
    Ok(Reply::json(StatusCode::OK, &render_shuffled(call, &service)))
}

/// The body of POST. Unknown members are ignored, because no source says that Okta refuses them.
#[derive(Deserialize)]
struct Creation {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "grantedScopes")]
    granted_scopes: Option<Vec<String>>,
}

/// POST /integrations/api/v1/api-services: the only answer that shows `clientSecret`.
pub(crate) fn create(call: &mut Call<'_>) -> Answer {
    if !call.request.has_content_type("application/json") {
        let summary = "Bad request. Accept and/or Content-Type headers are likely not set.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "E0000021", summary));
    }
    let creation: Creation = serde_json::from_slice(&call.request.body).map_err(|_| Refusal::malformed_body())?;
    let kind = creation.kind.ok_or_else(|| Refusal::invalid("type", "type: The field cannot be left blank"))?;
    let wanted = creation
        .granted_scopes
        .ok_or_else(|| Refusal::invalid("grantedScopes", "grantedScopes: The field cannot be left blank"))?;
    // No public source has Okta's answer to an unknown type or to scopes that are not registered. E0000001 is the documented
    // answer of the operation to a bad request. The texts of the causes are made up.
    let (name, registered) = find_type(&kind)
        .ok_or_else(|| Refusal::invalid("type", format!("type: No API service integration of type '{kind}'.")))?;
    if wanted.iter().collect::<BTreeSet<_>>() != registered.iter().collect() {
        let cause = "grantedScopes: The scopes must be those that the integration is registered with.";
        return Err(Refusal::invalid("grantedScopes", cause));
    }
    let service = build(&mut call.org.mint, &kind, name, registered, call.now);
    let mut body = render_shuffled(call, &service);
    body["clientSecret"] = json!(service.secrets.first().map(|secret| secret.value.as_str()));
    let id = service.id.clone();
    call.org.services.push(service);
    logs::record(call, "integration.api_service.lifecycle.authorize", &id, "PublicClientApp", name);
    logs::record(call, "app.oauth2.client.privilege.grant", &id, "PublicClientApp", name);
    Ok(Reply::json(StatusCode::CREATED, &body))
}

/// A new instance with its first secret.
pub(crate) fn build(
    mint: &mut Mint,
    kind: &str,
    name: &'static str,
    scopes: Vec<String>,
    now: jiff::Timestamp,
) -> ServiceClient {
    let id = mint.id("0oa");
    let secrets = vec![Secret::new(mint, now)];
    ServiceClient { id, kind: kind.to_owned(), name, created: now, scopes, secrets }
}

/// DELETE /integrations/api/v1/api-services/{apiServiceId}: also for one in use. Its tokens stop working.
pub(crate) fn revoke(call: &mut Call<'_>, id: &str) -> Answer {
    let name = find(call, id)?.name;
    call.org.services.retain(|service| service.id != id);
    call.org.tokens.retain(|_, token| token.client_id != id);
    logs::record(call, "integration.api_service.lifecycle.revoke", id, "PublicClientApp", name);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

pub(crate) fn find<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a ServiceClient, Refusal> {
    call.org.service(id).ok_or_else(|| Refusal::not_found(id, "ApiServiceIntegrationInstance"))
}

fn render_shuffled(call: &mut Call<'_>, service: &ServiceClient) -> Value {
    // The order changes from answer to answer in recordings of the Okta management API.
    let scopes = call.org.noise.shuffle(&service.scopes);
    render(service, &scopes, &call.org.admin_user, &call.request.base())
}

fn render(service: &ServiceClient, scopes: &[String], creator: &str, base: &str) -> Value {
    let own = format!("{base}/integrations/api/v1/api-services/{}", service.id);
    json!({
        "id": service.id,
        "type": service.kind,
        "name": service.name,
        "createdAt": to_rfc3339(service.created),
        "createdBy": creator,
        "configGuideUrl": "https://docs.paloaltonetworks.com/cloud-identity",
        "grantedScopes": scopes,
        "properties": {},
        "_links": {
            "self": { "href": own, "hints": { "allow": ["GET", "DELETE"] } },
            "client": { "href": format!("{base}/oauth2/v1/clients/{}", service.id), "hints": { "allow": ["GET"] } },
            "logo": { "name": "medium", "href": format!("{base}/assets/img/logos/default.png") },
        },
    })
}

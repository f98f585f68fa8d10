//! POST …/connection/update-secret: replaces the secret of a connection of the client-credential flow.

use http::StatusCode;
use serde_json::{Value, json};

use super::Refused;
use crate::directory::Flow;
use crate::message::Reply;
use crate::state::State;

const PROVIDERS: [&str; 4] = ["aad", "aad_gov", "aad_cn", "okta"];

/// Stores the secret without a test: no public source says that the real service tests it. With a wrong secret, the next
/// sync fails. The order of the checks is also unknown.
pub(crate) fn update(state: &State, tsg_id: &str, body: &Value) -> Result<Reply, Refused> {
    let field = |name: &str| {
        let value = body[name].as_str().filter(|value| !value.is_empty());
        value.ok_or_else(|| Refused::bad(format!("{name}: Required field is missing or invalid.")))
    };
    let (id, provider, secret) = (field("directoryId")?, field("provider")?, field("client_secret")?);
    if !is_uuid(id) {
        return Err(Refused::bad("directoryId: Required field is missing or invalid."));
    }
    if !PROVIDERS.contains(&provider) {
        let message = format!("provider must be one of: {}", PROVIDERS.join(", "));
        return Err(Refused::InResult(StatusCode::MISDIRECTED_REQUEST, message));
    }
    let not_found = || Refused::InResult(StatusCode::NOT_FOUND, format!("Directory {id} not found"));
    let mut directory = state.directory(id).filter(|directory| directory.tsg_id == tsg_id).ok_or_else(not_found)?;
    // No public source says what happens if the provider does not match the directory.
    if provider != "okta" {
        return Err(not_found());
    }
    // The documents only say that the operation is for this flow.
    if directory.connection.flow != Flow::ClientCredentials {
        return Err(Refused::bad("The directory's connection does not use the Client Credential Flow."));
    }
    secret.clone_into(&mut directory.connection.client_secret);
    Ok(Reply::json(StatusCode::OK, &json!({ "success": true, "result": true })))
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

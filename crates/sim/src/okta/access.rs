//! Who may call an org: its administrator's API token, or an access token with the operation's scope.

use http::{StatusCode, header};

use super::Call;
use super::refusal::Refusal;
use super::{roles, service_app};

/// Allows or refuses the call. A bearer token needs `scope`. An SSWS token allows everything.
pub(crate) fn authorize(call: &mut Call<'_>, scope: &'static str) -> Result<(), Refusal> {
    if call.request.header(header::AUTHORIZATION).is_none() {
        // Okta error codes, E0000005: a call with neither token nor session has no valid session.
        return Err(Refusal::new(StatusCode::FORBIDDEN, "E0000005", "Invalid session"));
    }
    if let Some(token) = call.request.credential("SSWS") {
        if token != call.org.admin_token {
            return Err(Refusal::invalid_token());
        }
        // Creating an integration also grants its scopes, and only a super administrator can (Okta, "Implement OAuth for Okta").
        let is_permitted = call.org.admin_role == roles::SUPER || scope != "okta.oauthIntegrations.manage";
        return if is_permitted { Ok(()) } else { Err(not_permitted()) };
    }
    let (scheme, text) = match (call.request.credential("Bearer"), call.request.credential("DPoP")) {
        (Some(text), _) => ("Bearer", text.to_owned()),
        (None, Some(text)) => ("DPoP", text.to_owned()),
        (None, None) => return Err(Refusal::invalid_token()),
    };
    let Some(token) = call.org.tokens.get(&text).filter(|token| token.expires > call.now) else {
        return Err(Refusal::invalid_token());
    };
    let (holds, bound_to) = (token.scopes.iter().any(|held| held == scope), token.bound_to.clone());
    let is_of_app = token.client_id == call.org.service_app.client_id;
    match (scheme, bound_to) {
        ("Bearer", None) => {}
        ("DPoP", Some(key)) if service_app::check_proof(call, Some(&text))? == key => {}
        _ => return Err(Refusal::invalid_token()),
    }
    if !holds {
        return Err(Refusal::MissingScope { scope });
    }
    // A scope permits only what the role of the app permits (support.okta.com, "Receiving Error Code E0000006").
    if is_of_app && !call.org.service_app.has_role {
        return Err(not_permitted());
    }
    Ok(())
}

fn not_permitted() -> Refusal {
    let text = "You do not have permission to perform the requested action";
    Refusal::new(StatusCode::FORBIDDEN, "E0000006", text)
}

/// The display name of the org's administrator.
pub(super) const ADMINISTRATOR: &str = "Simulated Administrator";

/// The actor of the log events of a call: (id, type, display name).
pub(crate) fn find_actor(call: &Call<'_>) -> (String, &'static str, String) {
    let given = call.request.credential("Bearer").or_else(|| call.request.credential("DPoP"));
    match given.and_then(|token| call.org.tokens.get(token)) {
        Some(token) => (token.client_id.clone(), "PublicClientApp", token.client_id.clone()),
        None => (call.org.admin_user.clone(), "User", ADMINISTRATOR.to_owned()),
    }
}

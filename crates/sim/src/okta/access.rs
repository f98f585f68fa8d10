//! Who may call an org: its administrator's API token, or an access token with the operation's scope.

use http::{StatusCode, header};

use super::Call;
use super::refusal::Refusal;

/// Allows or refuses the call. A bearer token needs `scope`. An SSWS token allows everything.
pub(crate) fn authorize(call: &mut Call<'_>, scope: &'static str) -> Result<(), Refusal> {
    if call.request.header(header::AUTHORIZATION).is_none() {
        // Okta error codes, E0000005: a call with neither token nor session has no valid session.
        return Err(Refusal::new(StatusCode::FORBIDDEN, "E0000005", "Invalid session"));
    }
    if let Some(token) = call.request.credential("SSWS") {
        return if token == call.org.admin_token { Ok(()) } else { Err(Refusal::invalid_token()) };
    }
    let bearer = call.request.credential("Bearer").and_then(|token| call.org.tokens.get(token));
    match bearer {
        Some(token) if token.expires <= call.now => Err(Refusal::invalid_token()),
        Some(token) if token.scopes.iter().any(|held| held == scope) => Ok(()),
        Some(_) => Err(Refusal::MissingScope { scope }),
        None => Err(Refusal::invalid_token()),
    }
}

/// The display name of the org's administrator.
pub(super) const ADMINISTRATOR: &str = "Simulated Administrator";

/// The actor of the log events of a call: (id, type, display name).
pub(crate) fn find_actor(call: &Call<'_>) -> (String, &'static str, String) {
    let bearer = call.request.credential("Bearer").and_then(|token| call.org.tokens.get(token));
    match bearer {
        Some(token) => (token.client_id.clone(), "PublicClientApp", token.client_id.clone()),
        None => (call.org.admin_user.clone(), "User", ADMINISTRATOR.to_owned()),
    }
}

//! What to do if Okta refuses a token to the administrator's service app. The sentences are those of Okta's list of OAuth errors
//! (okta-developer-docs, `oauth2-error-codes.json`). They may change, so they only choose the hint.

use flowswap_contract::Error;

use crate::config::Config;

/// The same error with the hint that fits.
pub(crate) fn explain(error: Error, config: &Config) -> Error {
    let hint = hint(&error, config);
    match (hint, &error.hint) {
        (Some(hint), None) => error.with_hint(hint),
        _ => error,
    }
}

fn hint(error: &Error, config: &Config) -> Option<String> {
    let fact = |name: &str| error.context.get(name).map(String::as_str);
    if let Some(missing) = fact("missing_scopes") {
        return Some(grant(missing));
    }
    if let (None, Some(status)) = (fact("oauth_error"), fact("status")) {
        return Some(explain_status(status).to_owned());
    }
    let (code, description) = (fact("oauth_error")?, fact("oauth_error_description").unwrap_or_default());
    let says = |words: &str| description.contains(words);
    let scopes = fact("scopes").unwrap_or_default();
    let text = match code {
        "invalid_client" if says("signature is invalid") || says("'use' parameter") || says("signing key") => {
            "the private key fits no key of the app that may sign: make a new key on the app's page (tab General, Public keys), and \
             use its private key".to_owned()
        }
        "invalid_client" if says("kid is invalid") => {
            "set `key_id` to the KID of the public key on the app's page (tab General, Public keys), and check that the key is \
             active".to_owned()
        }
        "invalid_client" if says("jwks_uri") => {
            "okta cannot use the keys at the URL that the app names: correct it on the app's page (tab General, Public keys), or \
             save the key in Okta".to_owned()
        }
        "invalid_client" if says("JWKSet") => {
            "save a public key on the app's page (tab General, Public keys); choose “Public key / Private key” there".to_owned()
        }
        "invalid_client" if says("signature algorithm") => {
            "remove `algorithm`, or set it to one that Okta takes: RS256, RS384, RS512, ES256, ES384, or ES512".to_owned()
        }
        "invalid_client" if says("expired") || says("issued before") || says("far into the future") => set_clock(error),
        "invalid_client" if says("audience") => set_domain(config),
        "invalid_client" | "invalid_dpop_proof" if says("already been used") || says("pars") => {
            "something between this machine and okta changes requests, or sends them twice: check the proxy".to_owned()
        }
        "invalid_client" if says("private_key_jwt") => {
            "the org takes no client secret from a service app: save a public key for the app, and set `private_key` in place of \
             `client_secret`".to_owned()
        }
        "invalid_client" if says("client secret") => "check `client_secret`: okta does not know it".to_owned(),
        "invalid_client" if says("application_type") => {
            "use an app of the type API Services: okta lets no other app act by itself".to_owned()
        }
        "invalid_client" => {
            "check `client_id` and `domain`: okta knows no active app of this client ID, or the app uses another way to authenticate"
                .to_owned()
        }
        "unauthorized_client" => "use an app of the type API Services, which has the grant type Client Credentials".to_owned(),
        "invalid_scope" if says("not configured") => {
            format!("okta does not offer {scopes} in this org; ask Okta whether the org can have API service integrations")
        }
        "invalid_scope" | "consent_required" => grant(scopes),
        "access_denied" if says("zone") => {
            "the app does not permit this network: add this machine's address to a network zone of the app (tab General)".to_owned()
        }
        "invalid_dpop_proof" if says("missing") => "the app requires DPoP: remove `dpop = false`".to_owned(),
        "invalid_dpop_proof" if says("past") || says("future") || says("iat") || says("expired") => set_clock(error),
        "invalid_dpop_proof" if says("htu") => set_domain(config),
        "invalid_dpop_proof" => PROOF.to_owned(),
        "use_dpop_nonce" => {
            "something between this machine and okta removes or changes the header `DPoP-Nonce`: check the proxy".to_owned()
        }
        _ => return None,
    };
    Some(text)
}

/// What to do if the token endpoint answers without an error of OAuth.
fn explain_status(status: &str) -> &'static str {
    match status {
        "403" => "check the network zones of the app (tab General), and the proxy",
        "404" | "421" => "check `domain`: this host has no token endpoint of an org",
        "429" => "wait a minute, and lower `share` under `[network]`",
        _ => "try again later; see whether okta reports an incident, and check the proxy",
    }
}

/// How the app gets scopes.
pub(crate) fn grant(scopes: &str) -> String {
    format!("grant {scopes} to the app (tab Okta API Scopes); only a super administrator can")
}

fn set_domain(config: &Config) -> String {
    format!(
        "set `domain` to the org's own domain, such as acme.okta.com: okta expects another name than {}",
        config.domain
    )
}

fn set_clock(error: &Error) -> String {
    let ahead = error.context.get("server_ahead_s").and_then(|seconds| seconds.parse::<i64>().ok());
    let difference = match ahead {
        Some(seconds) if seconds > 0 => format!("; it is {seconds} s behind okta's"),
        Some(seconds) if seconds < 0 => format!("; it is {} s ahead of okta's", -seconds),
        _ => String::new(),
    };
    format!("set the clock of this machine{difference}")
}

/// What to do if okta does not take a proof of possession for a reason that only flowswap can mend.
pub(crate) const PROOF: &str =
    "report this as a bug of flowswap; until it is mended, do not require DPoP for the app (tab General)";

/// What the app lacks if it has the scope and okta still says no (E0000006).
pub(crate) const ROLE: &str = "assign the app an administrator role (tab Admin roles): its scopes alone permit nothing";

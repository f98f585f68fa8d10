//! Sends a request with an access token of a client.

use std::collections::BTreeMap;

use bytes::Bytes;
use flowswap_contract::{Auth, Error, ErrorKind, Handle, HttpAsk, OAuthClient};
use flowswap_engine::Secret;
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::Value;

use super::answer::NONCE;
use crate::{guard::Permitted, scope::Scope, sending::Sending, tokens::Issued};

/// A token that the server no longer takes, a nonce, and a newer nonce.
const MOST_TOKENS: usize = 3;

/// The client whose token a request carries.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'a> {
    client: &'a OAuthClient,
    credential: &'a Secret,
}

impl<'a> Bearer<'a> {
    /// `None` if the request carries no token of a client.
    pub(crate) fn of(ask: &'a HttpAsk, secrets: &'a BTreeMap<Handle, Secret>) -> Option<Self> {
        let Some(Auth::Client(client)) = &ask.auth else { return None };
        secrets.get(client.proof.credential()).map(|credential| Self { client, credential })
    }
}

impl Scope<'_> {
    /// Gets the token before anything is journaled: without it, the request cannot be sent.
    pub(crate) async fn prepare_token(&self, bearer: Option<Bearer<'_>>) -> Result<(), Error> {
        match bearer {
            Some(Bearer { client, credential }) => self.token_for(client, credential).await.map(drop),
            None => Ok(()),
        }
    }

    /// Sends the request, with a token if it needs one. A server that answers 401 has done nothing, so the request is sent again
    /// if a newer token or nonce may help.
    pub(crate) async fn send_authorized(
        &self,
        ask: &HttpAsk,
        permitted: &Permitted,
        request: Request<Bytes>,
        bearer: Option<Bearer<'_>>,
    ) -> Sending {
        let Some(Bearer { client, credential }) = bearer else {
            return self.send(ask, permitted, &|| Ok(request.clone())).await;
        };
        let tokens = &self.side.effects.gate.tokens;
        let (mut attempts, mut left, mut renewed) = (0, MOST_TOKENS, false);
        loop {
            left -= 1;
            let issued = match self.token_for(client, credential).await {
                Ok(issued) => issued,
                Err(error) => return Sending::stopped_by(error, attempts),
            };
            let used = tokens.nonce(permitted.origin.as_str());
            let mut sending = self.send(ask, permitted, &|| self.carry(&request, permitted, &issued)).await;
            sending.attempts += attempts;
            attempts = sending.attempts;
            let Some(answer) = sending.own_answer() else { return sending };
            let nonce = answer.headers().get(NONCE).and_then(|nonce| nonce.to_str().ok());
            let is_new = nonce.is_some() && nonce != used.as_deref();
            if let Some(nonce) = nonce {
                tokens.note_nonce(permitted.origin.as_str(), nonce);
            }
            let wants_nonce = issued.is_bound && is_new && wants_nonce(answer);
            let may_want_token = answer.status() == StatusCode::UNAUTHORIZED && !renewed;
            if left == 0 || !(wants_nonce || may_want_token) {
                return sending;
            }
            if !wants_nonce {
                renewed = true;
                self.forget_token(client, credential, &issued).await;
            }
        }
    }

    /// The request with the token, and with a proof if the token is bound.
    fn carry(&self, request: &Request<Bytes>, permitted: &Permitted, issued: &Issued) -> Result<Request<Bytes>, Error> {
        let mut request = request.clone();
        let scheme = if issued.is_bound { "DPoP" } else { "Bearer" };
        // Not the error's own text, which may have the token.
        let value = HeaderValue::from_str(&format!("{scheme} {}", issued.token.expose()));
        let mut value = value.map_err(|_| Error::new(ErrorKind::Invalid, "the token cannot be sent in a header"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
        if issued.is_bound {
            self.prove_possession(&mut request, permitted, Some(&issued.token))?;
        }
        Ok(request)
    }
}

/// Whether the server did nothing because the proof lacks its nonce. It says so in a challenge (RFC 9449 section 9); no public
/// source says how Okta's API does, and its token endpoint answers 400 with the code in the body.
fn wants_nonce(answer: &http::Response<Bytes>) -> bool {
    let code = "use_dpop_nonce";
    let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE);
    let challenged = challenges.iter().any(|text| String::from_utf8_lossy(text.as_bytes()).contains(code));
    let says = || serde_json::from_slice::<Value>(answer.body()).is_ok_and(|body| body["error"] == code);
    match answer.status() {
        StatusCode::UNAUTHORIZED => challenged || says(),
        StatusCode::BAD_REQUEST => says(),
        _ => false,
    }
}

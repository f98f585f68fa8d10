//! Requests a token: with a new assertion for each attempt, and with a proof of possession if the server wants one.

use bytes::Bytes;
use flowswap_contract::{Body, ClientProof, Custody, Error, ErrorKind, Handle, HttpAsk, Intent, OAuthClient};
use flowswap_engine::Secret;
use http::{HeaderValue, Request, header};
use serde_json::Value;

use super::answer::{self, NONCE, Verdict};
use crate::{
    guard::Permitted,
    jose::{Algorithm, Assertion, KeyError, Proof, SigningKey},
    scope::{Scope, internal, interrupted},
    splice::client_secret_basic,
    tokens::{Id, Issued},
};

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
const BY_JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A server may first want a proof, then a nonce in it, and then a newer nonce.
const MOST_REQUESTS: usize = 4;

impl Scope<'_> {
    /// The token that requests with these scopes carry. Many requests of many sessions wait for the same one.
    pub(crate) async fn token_for(&self, client: &OAuthClient, credential: &Secret) -> Result<Issued, Error> {
        let tokens = &self.side.effects.gate.tokens;
        let slot = tokens.slot(Id::of(client, credential));
        let mut place = tokio::select! {
            biased;
            place = slot.lock() => place,
            () = self.closing.stopped() => return Err(interrupted()),
        };
        let issued = match place.as_ref().filter(|issued| issued.is_usable()) {
            Some(issued) => issued.clone(),
            None => {
                let issued = self.request_token(client, credential).await?;
                *place = Some(issued.clone());
                issued
            }
        };
        self.side.vault.remember(&issued.token, Custody::Session);
        Ok(issued)
    }

    /// From now on, nobody uses this token.
    pub(super) async fn forget_token(&self, client: &OAuthClient, credential: &Secret, refused: &Issued) {
        let slot = self.side.effects.gate.tokens.slot(Id::of(client, credential));
        let mut place = slot.lock().await;
        if place.as_ref().is_some_and(|known| known.token.expose() == refused.token.expose()) {
            *place = None;
        }
    }

    async fn request_token(&self, client: &OAuthClient, credential: &Secret) -> Result<Issued, Error> {
        let ask = ask(client);
        let permitted = self.permission().permit(&ask)?;
        let tokens = &self.side.effects.gate.tokens;
        let (origin, host) = (permitted.origin.as_str(), permitted.origin.host());
        let key = read_key(client, credential)?;
        let mut with_proof = client.dpop == Some(true) || tokens.wants_proof(client);
        for _ in 0..MOST_REQUESTS {
            let request = || self.assemble_token_request(client, credential, key.as_ref(), &permitted, with_proof);
            let sending = self.send(&ask, &permitted, &request).await;
            self.tell_of_request(&ask, &permitted, &sending);
            let answer = sending.into_answer(&ask, &permitted)?;
            if let Some(nonce) = answer.header(NONCE) {
                tokens.note_nonce(origin, nonce);
            }
            match answer::read(client, host, with_proof, answer) {
                Verdict::Granted(grant) => return Ok(Issued::new(grant.token, grant.is_bound, grant.lifetime)),
                Verdict::WantsProof => {
                    with_proof = true;
                    tokens.note_proof_wanted(client);
                }
                Verdict::WantsNonce => {}
                Verdict::Refused(error) => return Err(self.with_skew(self.redacted(error), origin)),
            }
        }
        let message = format!("{host} asked for another nonce again and again");
        Err(Error::new(ErrorKind::Auth, message).with_context("oauth_error", "use_dpop_nonce"))
    }

    fn assemble_token_request(
        &self,
        client: &OAuthClient,
        credential: &Secret,
        key: Option<&SigningKey>,
        permitted: &Permitted,
        with_proof: bool,
    ) -> Result<Request<Bytes>, Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("scope", &client.scopes.join(" "));
        let now = self.side.effects.clock.now();
        if let (Some(key), ClientProof::PrivateKeyJwt { key: handle, key_id, .. }) = (key, &client.proof) {
            let assertion =
                Assertion { client_id: &client.client_id, audience: permitted.url.as_str(), key_id: key_id.as_deref() };
            let assertion = assertion.sign(key, now, &new_id()?).map_err(|error| unusable(handle, &error))?;
            form.append_pair("client_assertion_type", BY_JWT).append_pair("client_assertion", &assertion);
        }
        let body: Bytes = form.finish().into();
        let mut request = Request::post(permitted.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::USER_AGENT, self.user_agent())
            .body(body)
            .map_err(|error| internal(&error))?;
        if matches!(client.proof, ClientProof::ClientSecretBasic { .. }) {
            let authorization = client_secret_basic(&client.client_id, credential.expose());
            let authorization = HeaderValue::from_str(&authorization).map_err(|_| unsendable(client))?;
            insert_secret(&mut request, header::AUTHORIZATION, authorization);
        }
        if with_proof {
            self.prove_possession(&mut request, permitted, None)?;
        }
        Ok(request)
    }

    /// Adds a new proof that this process has the key to which the token is bound.
    pub(super) fn prove_possession(
        &self,
        request: &mut Request<Bytes>,
        permitted: &Permitted,
        token: Option<&Secret>,
    ) -> Result<(), Error> {
        let tokens = &self.side.effects.gate.tokens;
        let nonce = tokens.nonce(permitted.origin.as_str());
        let proof = Proof {
            method: permitted.method.as_str(),
            url: &permitted.url,
            token: token.map(Secret::expose),
            nonce: nonce.as_deref(),
        };
        let proof = proof.sign(tokens.key()?, self.side.effects.clock.now(), &new_id()?);
        let proof = proof.map_err(|error| internal(&error))?;
        let proof = HeaderValue::from_str(&proof).map_err(|error| internal(&error))?;
        insert_secret(request, header::HeaderName::from_static("dpop"), proof);
        Ok(())
    }

    fn redacted(&self, mut error: Error) -> Error {
        let redactor = self.side.vault.redactor();
        error.message = redactor.text(&error.message);
        error.context.values_mut().for_each(|value| *value = redactor.text(value));
        error
    }

    /// Says how far the clocks differ: an assertion is valid only for some minutes.
    fn with_skew(&self, error: Error, origin: &str) -> Error {
        match self.side.effects.gate.skews.of(origin) {
            Some(ahead) if !ahead.is_zero() => error.with_context("server_ahead_s", ahead.as_secs().to_string()),
            _ => error,
        }
    }
}

/// The request as the guard and messages see it. What it authenticates with is added when it is sent.
fn ask(client: &OAuthClient) -> HttpAsk {
    let text = |text: &str| Value::from(text);
    let form = vec![
        ("grant_type".to_owned(), text("client_credentials")),
        ("scope".to_owned(), client.scopes.join(" ").into()),
    ];
    HttpAsk { body: Some(Body::Form(form)), ..HttpAsk::new(Intent::Authenticate, "POST", client.token_url.clone()) }
}

fn read_key(client: &OAuthClient, credential: &Secret) -> Result<Option<SigningKey>, Error> {
    let ClientProof::PrivateKeyJwt { key, algorithm, .. } = &client.proof else { return Ok(None) };
    let algorithm = algorithm.as_deref().map(|name| Algorithm::named(name).ok_or_else(|| unknown_algorithm(name)));
    let read = SigningKey::read(credential.expose(), algorithm.transpose()?);
    read.map(Some).map_err(|error| unusable(key, &error))
}

fn unusable(key: &Handle, error: &KeyError) -> Error {
    Error::new(ErrorKind::Config, format!("the private key `{key}` {error}")).with_hint(hint(error))
}

fn hint(error: &KeyError) -> &'static str {
    match error {
        KeyError::Empty => "check the file or variable that the configuration names",
        KeyError::Public => "name the file with the private key; Okta has the public one",
        KeyError::Encrypted => {
            "decrypt it where it is fetched: `openssl pkey -in key.pem` as a `command` asks for the passphrase"
        }
        KeyError::OpenSsh => "write a copy as PEM: `ssh-keygen -p -m PKCS8 -f COPY`",
        KeyError::Form | KeyError::Pem | KeyError::Jwk(_) | KeyError::Damaged => {
            "copy the key again as Okta showed it, as PEM or as JSON, with all of its lines"
        }
        KeyError::Several => "keep only the key of the app in the file",
        KeyError::Purpose => "make a key for signatures on the app's page, and use its private key",
        KeyError::Kind => "make a key of RSA with 2048 bits or more, or of P-256",
        KeyError::Algorithm(..) => {
            "remove `algorithm` from the configuration, or `alg` from the key; flowswap takes the one that fits the key"
        }
    }
}

fn unknown_algorithm(name: &str) -> Error {
    let message = format!("the algorithm `{}` does not sign client assertions", name.escape_debug());
    Error::new(ErrorKind::Config, message).with_hint("use RS256, RS384, RS512, PS256, ES256, ES384, or ES512")
}

fn unsendable(client: &OAuthClient) -> Error {
    let handle = client.proof.credential();
    Error::new(ErrorKind::Config, format!("the secret `{handle}` contains characters that a header cannot hold"))
        .with_hint("check the secret for a line break or an accented character")
}

fn insert_secret(request: &mut Request<Bytes>, name: header::HeaderName, mut value: HeaderValue) {
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
}

/// The id of an assertion or a proof, which a server takes once.
fn new_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(base16ct::lower::encode_string(&bytes))
}

//! The client secrets of an integration: two at most, each shown once (Okta management API, API service integrations).

use flowswap_contract::{Capture, ClientSecret, Custody, Error, ErrorKind, Handle, HttpAnswer, Intent, sdk::encode};
use serde::Deserialize;

use crate::{
    api::{Api, SERVICES},
    gone::is_not_found,
};

/// An integration holds this many secrets at most (Okta management API).
pub(crate) const MAX: usize = 2;

/// A secret without its value: Okta masks it in lists.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secret {
    pub(crate) id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    created: String,
    /// Since when it has its status.
    #[serde(default)]
    pub(crate) last_updated: String,
    #[serde(default, rename = "secret_hash")]
    hash: Option<String>,
}

impl Secret {
    pub(crate) fn is_inactive(&self) -> bool {
        self.status == "INACTIVE"
    }

    pub(crate) fn into_client_secret(self) -> ClientSecret {
        ClientSecret { id: self.id, status: self.status, created_at: self.created, hash: self.hash }
    }
}

/// Lists the secrets of an integration.
pub(crate) async fn list(api: &Api<'_>, client: &str) -> Result<Vec<Secret>, Error> {
    let places = ["/*/id", "/*/status", "/*/created", "/*/lastUpdated", "/*/secret_hash"];
    let ask = api.ask(Intent::Read, "GET", &path_of(client)).keeping(&places);
    api.list_by("list the integration's secrets", ask).await
}

/// Makes another secret.
pub(crate) async fn add(api: &Api<'_>, client: &str) -> Result<(Handle, HttpAnswer), Error> {
    let mut ask = api.ask(Intent::Mutate, "POST", &path_of(client));
    ask.capture = vec![capture("/client_secret")];
    let answer = api.send("add a secret to the integration", ask).await?;
    Ok((captured(&answer, "/client_secret")?, answer))
}

/// Deactivates a secret, so that Okta refuses it.
pub(crate) async fn deactivate(api: &Api<'_>, client: &str, secret: &str) -> Result<HttpAnswer, Error> {
    change_status(api, client, secret, "deactivate").await
}

/// Activates a secret again.
pub(crate) async fn activate(api: &Api<'_>, client: &str, secret: &str) -> Result<HttpAnswer, Error> {
    change_status(api, client, secret, "activate").await
}

async fn change_status(api: &Api<'_>, client: &str, secret: &str, verb: &str) -> Result<HttpAnswer, Error> {
    let path = format!("{}/{}/lifecycle/{verb}", path_of(client), encode(secret));
    let mut ask = api.ask(Intent::Mutate, "POST", &path);
    ask.idempotent = true;
    api.send(&format!("{verb} the secret {secret}"), ask).await
}

/// Deletes an inactive secret. Okta deletes no other.
pub(crate) async fn delete(api: &Api<'_>, client: &str, secret: &str) -> Result<(), Error> {
    let mut ask = api.ask(Intent::Mutate, "DELETE", &format!("{}/{}", path_of(client), encode(secret)));
    ask.idempotent = true;
    match api.send(&format!("delete the secret {secret}"), ask).await {
        Err(error) if is_not_found(&error) => {
            // A 404 alone does not prove that the secret is gone; the list does.
            let left = list(api, client).await?;
            if left.iter().any(|left| left.id == secret) { Err(error) } else { Ok(()) }
        }
        other => other.map(drop),
    }
}

/// Deactivates a secret and deletes it.
pub(crate) async fn remove(api: &Api<'_>, client: &str, secret: &Secret) -> Result<(), Error> {
    if !secret.is_inactive() {
        deactivate(api, client, &secret.id).await?;
    }
    delete(api, client, &secret.id).await
}

/// What the host must capture of an answer that shows a secret.
pub(crate) fn capture(pointer: &str) -> Capture {
    Capture { pointer: pointer.to_owned(), name: "client_secret".to_owned(), custody: Custody::Durable }
}

/// The captured secret.
pub(crate) fn captured(answer: &HttpAnswer, pointer: &str) -> Result<Handle, Error> {
    answer.body.pointer(pointer).and_then(Handle::from_value).ok_or_else(|| {
        Error::new(ErrorKind::Protocol, "the host did not capture the client secret").with_unknown_effect()
    })
}

fn path_of(client: &str) -> String {
    format!("{SERVICES}/{}/credentials/secrets", encode(client))
}

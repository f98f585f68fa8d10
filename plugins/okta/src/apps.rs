//! The apps of an org that matter: the legacy clients, and the apps that somebody may mistake for one.
//!
//! No request here reads a client secret: `…/credentials/secrets` of an OIDC app returns it in clear text.

use std::collections::BTreeSet;

use flowswap_contract::{
    Error, ErrorKind, Intent, LegacyClient, Lookalike, Tokens,
    sdk::{encode, join},
};
use serde::Deserialize;

use crate::{
    api::{Api, Pages},
    recognize::{has_cie_name, is_cie_redirect},
};

/// What Okta calls every custom OIDC app (Okta management API, `name` of an OpenID Connect application).
const CUSTOM: &str = "oidc_client";

/// The most apps on a page (Okta management API, listApplications).
const PAGE: usize = 200;

/// Lists the apps that matter. If the org has more apps than a page holds, Okta searches: an org with 20,000 apps would take 100
/// requests, which is all that it allows in a minute. No search covers redirect URIs, so flowswap reads every custom OIDC app, and
/// every app whose name or label begins as those of the vendor do. It misses only lookalikes that somebody renamed.
pub(crate) async fn list(api: &Api<'_>) -> Result<Vec<App>, Error> {
    let what = "list apps";
    let ask = |query: &str| api.ask(Intent::Read, "GET", &format!("/api/v1/apps?{query}limit={PAGE}"));
    let mut all = Pages::new(api, what, ask(""));
    let first = all.next().await?.unwrap_or_default();
    if first.len() < PAGE {
        return read_rest(first, all).await;
    }
    let custom = Pages::new(api, what, ask(&format!("filter={}&", encode(&format!("name eq \"{CUSTOM}\"")))));
    let named = Pages::new(api, what, ask("q=palo&"));
    match join(read_rest(Vec::new(), custom), read_rest(Vec::new(), named)).await {
        (Ok(custom), Ok(named)) => {
            let mut seen = BTreeSet::new();
            Ok(custom.into_iter().chain(named).filter(|app| seen.insert(app.id.clone())).collect())
        }
        // Some orgs take no such search.
        (Err(error), _) | (_, Err(error)) if error.kind == ErrorKind::Invalid && is_about_search(&error) => {
            read_rest(first, all).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Reads the other pages, and keeps the apps that matter. A large org has many thousands of others.
async fn read_rest(first: Vec<App>, mut pages: Pages<'_>) -> Result<Vec<App>, Error> {
    let mut apps: Vec<_> = first.into_iter().filter(App::matters).collect();
    while let Some(page) = pages.next::<App>().await? {
        apps.extend(page.into_iter().filter(App::matters));
    }
    Ok(apps)
}

/// Whether Okta refused a search and not the request (Okta error codes, E0000031; a search by script met it at some orgs).
fn is_about_search(error: &Error) -> bool {
    error.context.get("error_code").is_some_and(|code| code == "E0000031")
}

/// The used part of an app. Real answers have null in many fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) id: String,
    name: Option<String>,
    pub(crate) label: Option<String>,
    status: Option<String>,
    sign_on_mode: Option<String>,
    features: Option<Vec<String>>,
    settings: Option<AppSettings>,
    credentials: Option<AppCredentials>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppSettings {
    oauth_client: Option<OauthSettings>,
    /// Whether everybody may use the app, assigned or not (Okta calls this Federation Broker Mode).
    implicit_assignment: Option<bool>,
}

#[derive(Deserialize)]
struct OauthSettings {
    redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<String>>,
    refresh_token: Option<RefreshTokenSettings>,
}

#[derive(Deserialize)]
struct RefreshTokenSettings {
    rotation_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppCredentials {
    oauth_client: Option<OauthCredentials>,
}

#[derive(Deserialize)]
struct OauthCredentials {
    client_id: Option<String>,
}

impl App {
    pub(crate) fn status(&self) -> &str {
        self.status.as_deref().unwrap_or("UNKNOWN")
    }

    /// The OAuth client id: the app's id unless the administrator chose another one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        let oauth = self.credentials.as_ref()?.oauth_client.as_ref()?;
        Some(oauth.client_id.as_deref().unwrap_or(&self.id))
    }

    fn oauth(&self) -> Option<&OauthSettings> {
        self.settings.as_ref()?.oauth_client.as_ref()
    }

    /// A custom OIDC app that sends codes to CIE.
    pub(crate) fn is_legacy_client(&self) -> bool {
        self.name.as_deref() == Some(CUSTOM) && self.redirects_to_cie()
    }

    /// Whether the app matters: a legacy client, or an app that somebody may mistake for one. That is one with CIE's name, or one
    /// from the catalog that sends codes to CIE: its first sync works, and no later one does (PAN, "Configure Okta Directory").
    fn matters(&self) -> bool {
        self.status() != "DELETED" && (self.redirects_to_cie() || self.has_cie_name())
    }

    /// Whether people can sign in who are not assigned to the app.
    pub(crate) fn is_open_to_all(&self) -> bool {
        self.settings.as_ref().and_then(|settings| settings.implicit_assignment) == Some(true)
    }

    fn redirects_to_cie(&self) -> bool {
        let uris = self.oauth().and_then(|oauth| oauth.redirect_uris.as_deref()).unwrap_or_default();
        uris.iter().any(|uri| is_cie_redirect(uri))
    }

    fn has_cie_name(&self) -> bool {
        [&self.label, &self.name].into_iter().flatten().any(|text| has_cie_name(text))
    }

    /// What flowswap shows of a legacy client. Its scopes come from elsewhere.
    pub(crate) fn into_legacy_client(self, scopes: Vec<String>) -> LegacyClient {
        let client_id = self.client_id().unwrap_or(&self.id).to_owned();
        let status = self.status().to_owned();
        let oauth = self.settings.and_then(|settings| settings.oauth_client);
        let (grant_types, redirect_uris, refresh_token) =
            oauth.map(|o| (o.grant_types, o.redirect_uris, o.refresh_token)).unwrap_or_default();
        LegacyClient {
            last_sign_in: None,
            tokens: Tokens::default(),
            id: self.id,
            client_id,
            label: self.label.unwrap_or_default(),
            status,
            grant_types: grant_types.unwrap_or_default(),
            redirect_uris: redirect_uris.unwrap_or_default(),
            scopes,
            refresh_token_rotation: refresh_token.and_then(|settings| settings.rotation_type),
            assigned: None,
        }
    }

    /// What flowswap shows of an app that is not a legacy client.
    pub(crate) fn into_lookalike(self) -> Lookalike {
        let client_id = self.client_id().map(str::to_owned);
        let label = self.label.unwrap_or_default();
        let mut kind = self.sign_on_mode.unwrap_or_else(|| "UNKNOWN".to_owned());
        if self.features.is_some_and(|features| !features.is_empty()) {
            kind.push_str(" with provisioning");
        }
        Lookalike { id: self.id, client_id, label, kind }
    }
}

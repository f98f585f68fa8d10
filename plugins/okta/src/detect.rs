//! What the org shows: its canonical name, the legacy clients with their grants, the integrations, the lookalikes.
//!
//! No request here reads a client secret: `…/credentials/secrets` of an OIDC app answers it in clear.

use std::collections::BTreeSet;

use flowswap_contract::{
    Error, ErrorKind, HttpAnswer, Intent, LegacyClient, Level, Lookalike, ProviderInventory, ServiceClient, Tokens,
    Variant, VariantType, sdk::encode,
};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    api::{Api, SERVICES, decode},
    config::Config,
    recognize::{documented_scopes, has_cie_name, is_cie_redirect, tell_variant},
    tokens::{Token, TokenLog, find_last_sign_in},
};

/// Names the org itself; needs no authentication.
pub(crate) const ORGANIZATION: &str = "/.well-known/okta-organization";

/// How long Okta keeps events (Okta System Log queries); a refresh token of the org's own server lives as long.
const LOG_REACH: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reads all of it.
pub(crate) async fn detect(api: &Api<'_>, config: &Config) -> Result<ProviderInventory, Error> {
    let domain = read_domain(api).await?;
    let mut service_clients = list_service_clients(api, config).await?;
    // One look without a filter finds the lookalikes too; only `name eq "oidc_client"` would have to be looked for.
    let apps: Vec<App> = api.list("list apps", "/api/v1/apps?limit=200").await?;
    // Integrations have been seen to leak into the list of apps; they are no lookalikes of themselves.
    let services: BTreeSet<_> = service_clients.iter().map(|service| service.id.as_str()).collect();
    let mut legacy_clients = Vec::new();
    let mut lookalikes = Vec::new();
    for app in apps.into_iter().filter(|app| app.status() != "DELETED" && !services.contains(app.id.as_str())) {
        if app.is_legacy_client() {
            let scopes = list_granted_scopes(api, &app.id).await?;
            legacy_clients.push(app.into_legacy_client(scopes));
        } else if app.has_cie_name() {
            lookalikes.push(app.into_lookalike());
        }
    }
    legacy_clients.sort_by(|a, b| a.id.cmp(&b.id));
    lookalikes.sort_by(|a, b| a.id.cmp(&b.id));
    let variants = find_variants(config, &service_clients);
    match add_tokens(api, &mut legacy_clients, &mut service_clients).await {
        // Whoever may not read the log knows less, and can still migrate. Only Okta itself can say so.
        Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::NotFound) => {
            api.host.log(Level::Warn, format!("who gets tokens is not known: {}", error.message));
        }
        other => other?,
    }
    Ok(ProviderInventory { domain, legacy_clients, service_clients, lookalikes, variants })
}

/// Asks the log who got tokens as which client: two requests for a legacy client, one for a service client.
async fn add_tokens(
    api: &Api<'_>,
    legacy_clients: &mut [LegacyClient],
    service_clients: &mut [ServiceClient],
) -> Result<(), Error> {
    let since = within_reach(api)?;
    for client in legacy_clients {
        let (log, _) = TokenLog::read(api, &client.client_id, &since).await?;
        let (signed_in, is_whole) = find_last_sign_in(api, &client.client_id, &since).await?;
        if signed_in.is_none() && !is_whole {
            let id = &client.client_id;
            let message = format!("the System Log has too many tokens of `{id}` to find its last sign-in");
            api.host.log(Level::Warn, message);
        }
        client.last_sign_in = signed_in.map(|at| at.to_string());
        client.tokens = summarize(&log);
    }
    for client in service_clients {
        client.tokens = summarize(&TokenLog::read(api, &client.id, &since).await?.0);
    }
    Ok(())
}

fn within_reach(api: &Api<'_>) -> Result<String, Error> {
    // Only how far the log is asked back: what it keeps is the org's to say.
    let now = match api.their_now() {
        Some(now) => now,
        None => api.host_now()?,
    };
    Ok((now - LOG_REACH).to_string())
}

fn summarize(log: &TokenLog) -> Tokens {
    let newest = |tokens: &[Token]| tokens.first().map(|token| token.at.to_string());
    Tokens { granted_at: newest(&log.granted), refused_at: newest(&log.refused) }
}

/// The host that the org names as its own, also when it is asked by a custom domain.
async fn read_domain(api: &Api<'_>) -> Result<String, Error> {
    let what = "show its organization";
    let ask = api.ask_as_nobody(Intent::Read, "GET", ORGANIZATION);
    read_organization(what, &api.send(what, ask).await?)
}

/// The host name in the organization's own description of itself.
pub(crate) fn read_organization(what: &str, answer: &HttpAnswer) -> Result<String, Error> {
    let organization: Organization = decode(what, answer)?;
    let href = organization.links.organization.href;
    let host = href.strip_prefix("https://").unwrap_or_default().split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, format!("okta names its organization by no https URL: {href}")));
    }
    Ok(host.to_ascii_lowercase())
}

/// The integrations of CIE's types, ordered by id.
pub(crate) async fn list_service_clients(api: &Api<'_>, config: &Config) -> Result<Vec<ServiceClient>, Error> {
    let mut clients: Vec<_> = list_services(api)
        .await?
        .into_iter()
        .filter_map(|service| {
            let name = service.name.unwrap_or_default();
            let variant = tell_variant(config, &service.type_key, &name)?;
            // Okta answers the scopes of one integration in changing order.
            let mut scopes = service.granted_scopes.unwrap_or_default();
            scopes.sort();
            let created_at = service.created_at;
            Some(ServiceClient {
                tokens: Tokens::default(),
                id: service.id,
                type_key: service.type_key,
                name,
                variant,
                scopes,
                created_at,
            })
        })
        .collect();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(clients)
}

/// Every integration of the org.
pub(crate) async fn list_services(api: &Api<'_>) -> Result<Vec<Service>, Error> {
    api.list("list API service integrations", SERVICES).await
}

async fn list_granted_scopes(api: &Api<'_>, app: &str) -> Result<Vec<String>, Error> {
    let path = format!("/api/v1/apps/{}/grants", encode(app));
    let grants: Vec<Grant> = api.list("list an app's grants", &path).await?;
    let active = grants.into_iter().filter(|grant| grant.status.as_deref().is_none_or(|status| status == "ACTIVE"));
    let scopes: BTreeSet<_> = active.map(|grant| grant.scope_id).collect();
    Ok(scopes.into_iter().collect())
}

fn find_variants(config: &Config, instances: &[ServiceClient]) -> Vec<VariantType> {
    [Variant::Plain, Variant::ApplicationEnabled]
        .into_iter()
        .filter_map(|variant| {
            // The newest instance shows the present state of the integration: an old one is a snapshot of its day.
            let newest = |type_key: Option<&str>| {
                let is_one = |i: &&ServiceClient| i.variant == variant && type_key.is_none_or(|key| i.type_key == key);
                instances.iter().filter(is_one).max_by_key(|i| (&i.created_at, &i.id))
            };
            let (type_key, source, instance) = match config.types.get(&variant) {
                Some(key) => (key.clone(), "config".to_owned(), newest(Some(key))),
                None => newest(None).map(|i| (i.type_key.clone(), i.id.clone(), Some(i)))?,
            };
            let learnt = instance.map(|i| i.scopes.clone()).filter(|scopes| !scopes.is_empty());
            let scopes = config.scopes.get(&variant).cloned().or(learnt);
            let scopes = scopes.unwrap_or_else(|| documented_scopes(variant));
            Some(VariantType { variant, type_key, scopes, source })
        })
        .collect()
}

#[derive(Deserialize)]
struct Organization {
    #[serde(rename = "_links")]
    links: OrganizationLinks,
}

#[derive(Deserialize)]
struct OrganizationLinks {
    organization: OrganizationLink,
}

#[derive(Deserialize)]
struct OrganizationLink {
    href: String,
}

/// An API service integration. Nothing of it is documented as always there; without id and type it is of no use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) type_key: String,
    pub(crate) name: Option<String>,
    pub(crate) granted_scopes: Option<Vec<String>>,
    pub(crate) created_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
    scope_id: String,
    status: Option<String>,
}

/// An app, as far as it matters here. Real answers have null for much of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) id: String,
    name: Option<String>,
    pub(crate) label: Option<String>,
    status: Option<String>,
    sign_on_mode: Option<String>,
    settings: Option<AppSettings>,
    credentials: Option<AppCredentials>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppSettings {
    oauth_client: Option<OauthSettings>,
}

#[derive(Deserialize)]
struct OauthSettings {
    redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<String>>,
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

    /// The OAuth client id: the app's id unless another one was chosen.
    pub(crate) fn client_id(&self) -> Option<&str> {
        let oauth = self.credentials.as_ref()?.oauth_client.as_ref()?;
        Some(oauth.client_id.as_deref().unwrap_or(&self.id))
    }

    fn oauth(&self) -> Option<&OauthSettings> {
        self.settings.as_ref()?.oauth_client.as_ref()
    }

    /// A custom OIDC app (Okta names all of those `oidc_client`) that sends codes to CIE.
    fn is_legacy_client(&self) -> bool {
        let uris = self.oauth().and_then(|oauth| oauth.redirect_uris.as_deref()).unwrap_or_default();
        self.name.as_deref() == Some("oidc_client") && uris.iter().any(|uri| is_cie_redirect(uri))
    }

    fn has_cie_name(&self) -> bool {
        [&self.label, &self.name].into_iter().flatten().any(|text| has_cie_name(text))
    }

    fn into_legacy_client(self, scopes: Vec<String>) -> LegacyClient {
        let client_id = self.client_id().unwrap_or(&self.id).to_owned();
        let status = self.status().to_owned();
        let oauth = self.settings.and_then(|settings| settings.oauth_client);
        let (grant_types, redirect_uris) = oauth.map(|o| (o.grant_types, o.redirect_uris)).unwrap_or_default();
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
        }
    }

    fn into_lookalike(self) -> Lookalike {
        let client_id = self.client_id().map(str::to_owned);
        let label = self.label.unwrap_or_default();
        Lookalike { id: self.id, client_id, label, kind: self.sign_on_mode.unwrap_or_else(|| "UNKNOWN".to_owned()) }
    }
}

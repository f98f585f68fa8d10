//! Reads the org: its canonical name, the legacy clients with their grants, the integrations, and the lookalikes.
//!
//! No request here reads the value of a client secret: `…/credentials/secrets` of an OIDC app returns it in clear text.

use std::collections::BTreeSet;

use flowswap_contract::{
    Error, ErrorKind, HttpAnswer, Intent, LegacyClient, Level, ProviderInventory, ServiceClient, Tokens, Variant,
    VariantType,
    sdk::{encode, join, join_all},
};
use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    api::{Api, SERVICES, decode},
    apps, assigned,
    config::Config,
    recognize::{documented_needs, documented_scopes, find_variant},
    secrets,
    tokens::{Token, TokenLog, find_last_sign_in},
};

/// Names the org itself; needs no authentication.
pub(crate) const ORGANIZATION: &str = "/.well-known/okta-organization";

/// How long Okta keeps events (Okta System Log queries). A refresh token of the org authorization server lives as long.
const LOG_REACH: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reads the whole inventory. Requests that do not need each other's answers are in flight together.
pub(crate) async fn detect(api: &Api<'_>, config: &Config) -> Result<ProviderInventory, Error> {
    let apps = apps::list(api);
    let (names, (service_clients, apps)) = join(read_names(api), join(list_service_clients(api, config), apps)).await;
    let (names, mut service_clients, apps) = (names?, service_clients?, apps?);
    // Okta sometimes lists integrations among the apps. They are not lookalikes of themselves.
    let services: BTreeSet<_> = service_clients.iter().map(|service| service.id.as_str()).collect();
    let mut legacy = Vec::new();
    let mut lookalikes = Vec::new();
    for app in apps.into_iter().filter(|app| !services.contains(app.id.as_str())) {
        if app.is_legacy_client() {
            legacy.push(app);
        } else {
            lookalikes.push(app.into_lookalike());
        }
    }
    lookalikes.sort_by(|a, b| a.id.cmp(&b.id));
    let grants = join_all(legacy.iter().map(|app| list_granted_scopes(api, &app.id)));
    let assigned = join_all(legacy.iter().map(|app| assigned::read(api, app)));
    let client_ids: Vec<_> = legacy.iter().map(|app| app.client_id().unwrap_or(&app.id)).collect();
    let service_ids: Vec<_> = service_clients.iter().map(|service| service.id.as_str()).collect();
    let ((grants, assigned), used) = join(join(grants, assigned), read_usage(api, &client_ids, &service_ids)).await;
    let mut legacy_clients = Vec::with_capacity(legacy.len());
    for (app, (scopes, assigned)) in legacy.into_iter().zip(grants.into_iter().zip(assigned)) {
        legacy_clients.push(LegacyClient { assigned: assigned?, ..app.into_legacy_client(scopes?) });
    }
    match used {
        Ok(usage) => usage.add_to(&mut legacy_clients, &mut service_clients),
        // Without the log, flowswap knows less but can still migrate. Only a refusal by Okta itself counts.
        Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::NotFound) => {
            api.host.log(Level::Warn, format!("flowswap cannot see who gets tokens: {}", error.message));
        }
        Err(error) => return Err(error),
    }
    legacy_clients.sort_by(|a, b| a.id.cmp(&b.id));
    let variants = find_variants(config, &service_clients);
    Ok(ProviderInventory {
        domain: names.domain,
        aliases: names.aliases,
        legacy_clients,
        service_clients,
        lookalikes,
        variants,
        needs: documented_needs(),
    })
}

/// Reads the client secrets of the integrations too, without their values.
pub(crate) async fn detect_with_secrets(api: &Api<'_>, config: &Config) -> Result<ProviderInventory, Error> {
    let mut inventory = detect(api, config).await?;
    let secrets = join_all(inventory.service_clients.iter().map(|client| secrets::list(api, &client.id))).await;
    for (client, secrets) in inventory.service_clients.iter_mut().zip(secrets) {
        client.secrets = secrets?.into_iter().map(secrets::Secret::into_client_secret).collect();
        client.secrets.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
    }
    Ok(inventory)
}

/// What the log says about the clients, in their order.
#[derive(Default)]
struct Usage {
    /// The tokens, and the last sign-in.
    legacy: Vec<(Tokens, Option<String>)>,
    services: Vec<Tokens>,
}

impl Usage {
    fn add_to(self, legacy_clients: &mut [LegacyClient], service_clients: &mut [ServiceClient]) {
        for (client, (tokens, last_sign_in)) in legacy_clients.iter_mut().zip(self.legacy) {
            client.tokens = tokens;
            client.last_sign_in = last_sign_in;
        }
        for (client, tokens) in service_clients.iter_mut().zip(self.services) {
            client.tokens = tokens;
        }
    }
}

/// Reads from the log who got tokens as each client. Costs two requests for a legacy client, one for a service client. The
/// first request is alone: if Okta refuses the log, it refuses it to all of them.
async fn read_usage(api: &Api<'_>, legacy: &[&str], services: &[&str]) -> Result<Usage, Error> {
    let since = &log_start(api)?;
    let read_tokens = async |id: &str| Ok::<_, Error>(summarize(&TokenLog::read(api, id, since).await?.0));
    let mut clients = legacy.iter().chain(services).copied();
    let Some(first) = clients.next() else { return Ok(Usage::default()) };
    let mut tokens = vec![read_tokens(first).await?];
    let sign_ins = join_all(legacy.iter().map(|id| find_sign_in(api, id, since)));
    let (sign_ins, others) = join(sign_ins, join_all(clients.map(read_tokens))).await;
    for other in others {
        tokens.push(other?);
    }
    let services = tokens.split_off(legacy.len());
    let legacy = tokens.into_iter().zip(sign_ins).map(|(tokens, signed_in)| Ok((tokens, signed_in?)));
    Ok(Usage { legacy: legacy.collect::<Result<_, Error>>()?, services })
}

/// Finds the last sign-in through a client, and warns if the log is too long for that.
async fn find_sign_in(api: &Api<'_>, id: &str, since: &str) -> Result<Option<String>, Error> {
    let (signed_in, is_complete) = find_last_sign_in(api, id, since).await?;
    if signed_in.is_none() && !is_complete {
        let message = format!("the System Log has too many tokens of `{id}` to find its last sign-in");
        api.host.log(Level::Warn, message);
    }
    Ok(signed_in.map(|at| at.to_string()))
}

fn log_start(api: &Api<'_>) -> Result<String, Error> {
    // This only limits the search; the org decides how long it keeps events.
    let now = match api.org_now() {
        Some(now) => now,
        None => api.host_now()?,
    };
    Ok((now - LOG_REACH).to_string())
}

fn summarize(log: &TokenLog) -> Tokens {
    let newest = |tokens: &[Token]| tokens.first().map(|token| token.at.to_string());
    Tokens { granted_at: newest(&log.granted), refused_at: newest(&log.refused) }
}

/// The host names of an org.
pub(crate) struct Names {
    /// The one that the org calls its own, even if it was asked by another.
    pub(crate) domain: String,
    /// The others: its custom domain, if it has one.
    pub(crate) aliases: Vec<String>,
}

async fn read_names(api: &Api<'_>) -> Result<Names, Error> {
    let what = "show its organization";
    let ask = api.ask_unauthenticated(Intent::Read, "GET", ORGANIZATION);
    read_organization(what, &api.send(what, ask).await?)
}

/// The host names in the organization's own description of itself (Okta management API, getWellknownOrgMetadata).
pub(crate) fn read_organization(what: &str, answer: &HttpAnswer) -> Result<Names, Error> {
    let OrganizationLinks { organization, alternate } = decode::<Organization>(what, answer)?.links;
    let Some(domain) = host_of(&organization.href) else {
        let message = format!("okta does not name its organization by an https URL: {}", organization.href);
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    let aliases = alternate.and_then(|link| host_of(&link.href)).filter(|alias| *alias != domain);
    Ok(Names { domain, aliases: aliases.into_iter().collect() })
}

fn host_of(url: &str) -> Option<String> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Lists the integrations of CIE's types, ordered by id.
pub(crate) async fn list_service_clients(api: &Api<'_>, config: &Config) -> Result<Vec<ServiceClient>, Error> {
    let mut clients: Vec<_> = list_services(api)
        .await?
        .into_iter()
        .filter_map(|service| {
            let name = service.name.unwrap_or_default();
            let variant = find_variant(config, &service.type_key, &name)?;
            // Okta returns the scopes of an integration in changing order.
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
                secrets: Vec::new(),
            })
        })
        .collect();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(clients)
}

/// Lists every integration of the org.
pub(crate) async fn list_services(api: &Api<'_>) -> Result<Vec<Service>, Error> {
    api.list("list API service integrations", SERVICES).await
}

async fn list_granted_scopes(api: &Api<'_>, app: &str) -> Result<Vec<String>, Error> {
    let path = format!("/api/v1/apps/{}/grants", encode(app));
    // The rest of a grant names the administrator who gave it.
    let ask = api.ask(Intent::Read, "GET", &path).keeping(&["/*/scopeId", "/*/status"]);
    let grants: Vec<Grant> = api.list_by("list an app's grants", ask).await?;
    let active = grants.into_iter().filter(|grant| grant.status.as_deref().is_none_or(|status| status == "ACTIVE"));
    let scopes: BTreeSet<_> = active.map(|grant| grant.scope_id).collect();
    Ok(scopes.into_iter().collect())
}

fn find_variants(config: &Config, instances: &[ServiceClient]) -> Vec<VariantType> {
    [Variant::Plain, Variant::ApplicationEnabled]
        .into_iter()
        .filter_map(|variant| {
            // The newest instance shows the current state of the integration; an old one keeps the scopes of its day.
            let newest = |type_key: Option<&str>| {
                let is_one = |i: &&ServiceClient| i.variant == variant && type_key.is_none_or(|key| i.type_key == key);
                instances.iter().filter(is_one).max_by_key(|i| (&i.created_at, &i.id))
            };
            let (type_key, source, instance) = match config.types.get(&variant) {
                Some(key) => (key.clone(), "config".to_owned(), newest(Some(key))),
                None => newest(None).map(|i| (i.type_key.clone(), i.id.clone(), Some(i)))?,
            };
            let learned = instance.map(|i| i.scopes.clone()).filter(|scopes| !scopes.is_empty());
            let scopes = config.scopes.get(&variant).cloned().or(learned);
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
    alternate: Option<OrganizationLink>,
}

#[derive(Deserialize)]
struct OrganizationLink {
    href: String,
}

/// An API service integration. No field is documented as always present, but flowswap needs the id and the type.
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

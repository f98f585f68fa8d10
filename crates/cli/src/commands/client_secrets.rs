//! `flowswap secret list` and `flowswap secret verify`: which client secrets the integrations have, how old they are, and whether the ones
//! that flowswap keeps are among them. Nobody sees a value: Okta shows a hash of each, and flowswap hashes what it keeps.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flowswap_contract::{ClientSecret, Handle, Rotation, ServiceClient};
use flowswap_engine::{Clock, Inventories, Ports, Secret, Tenant, Time, chain};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::started::worst;
use crate::{
    args::ClientSecretsArgs,
    context::{Context, SystemClock, read_tenant},
    display::{
        table,
        text::{Text, text},
        times,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::Fleet,
    selection,
    terminal::Tone,
};

/// Okta shows this many bytes of the SHA-256 of a client secret (recorded answers of Okta; no document says it).
const HASH_BYTES: usize = 16;

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The selected tenants that use a service client, or could not be read.
    tenants: Vec<Row>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::ClientSecrets;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    /// The client that the directory uses. `None` if flowswap cannot tell.
    client_id: Option<String>,
    /// Its client secrets, oldest first.
    secrets: Vec<Listed>,
    /// The secret that flowswap keeps for the tenant.
    kept: Kept,
    /// Why nothing is known of them.
    problem: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    /// Its id in Okta.
    id: String,
    /// `ACTIVE` or `INACTIVE`.
    status: String,
    /// When it was made.
    #[schemars(with = "Option<Time>")]
    made_at: Option<Timestamp>,
    /// How many whole days ago that was.
    age_days: Option<i64>,
    /// Whether flowswap keeps its value. `None` if the provider shows no hash.
    is_kept: Option<bool>,
}

/// What became of the client secret that flowswap keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    /// flowswap keeps none.
    None,
    /// It is active.
    Active,
    /// It is inactive.
    Inactive,
    /// The client does not have it.
    Gone,
    /// The provider does not show enough to tell.
    Unknown,
}

pub(crate) async fn run(context: &Context, args: &ClientSecretsArgs, verify: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let ports = context.read_only_ports(&config, progress.clone()).await?;
    let names = selection::select_configured(&config, &ports.logbook, &args.select).await?;
    let mut fleet = Fleet::open(context, &config, &names, &ports).await?;
    let kept = kept_hashes(&mut fleet.tenants, &ports).await?;
    let read =
        fleet.each(&config, &progress, |tenant| async move { (tenant.spec.name.clone(), tenant.inspect().await) });
    let now = SystemClock.now();
    let rows = read.await.into_iter().filter_map(|(name, sides)| {
        let hash = kept.get(&name);
        row(name, &sides, hash, now)
    });
    let mut report = Report { tenants: rows.collect() };
    context.fail_if_stopped()?;
    if let Some(age) = args.older_than.and_then(|age| SignedDuration::try_from(age).ok()) {
        report.tenants.retain(|row| row.problem.is_some() || row.is_older_than(age, now));
    }
    context.terminal.report(&report, || text(&report, verify))?;
    let exits = report.tenants.iter().map(|row| if verify { row.exit() } else { Exit::Done });
    Ok(exits.fold(Exit::Done, worst))
}

/// The hash of the client secret that flowswap keeps for each tenant. Makes the tenants read their secrets.
async fn kept_hashes(tenants: &mut [Tenant], ports: &Ports) -> Result<BTreeMap<String, String>, Failure> {
    let mut hashes = BTreeMap::new();
    for tenant in tenants {
        let name = &tenant.spec.name;
        let known = read_tenant(&ports.logbook, name).await?;
        let previous: Option<Handle> = known.and_then(|known| known.next_rotation(None).previous);
        if let Some(handle) = previous {
            let stored =
                ports.secrets.get(&handle).await.map_err(Failure::at(format!("read the secret `{handle}`")))?;
            hashes.extend(stored.map(|secret| (name.clone(), hash(&secret))));
        }
        tenant.spec.rotation = Some(Rotation { number: 1, previous: None, drop: None });
    }
    Ok(hashes)
}

fn hash(secret: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(secret.expose())[..HASH_BYTES])
}

/// `None` for a tenant that uses no service client.
fn row(name: String, sides: &Inventories, kept: Option<&String>, now: Timestamp) -> Option<Row> {
    let troubled = |problem: String| Row {
        name: name.clone(),
        client_id: None,
        secrets: Vec::new(),
        kept: Kept::Unknown,
        problem: Some(problem),
    };
    let (provider, directory) = match (&sides.provider, &sides.directory) {
        (Err(error), _) => return Some(troubled(format!("could not read the provider: {}", chain(error)))),
        (_, Err(error)) => return Some(troubled(format!("could not read the directory: {}", chain(error)))),
        (Ok(provider), Ok(directory)) => (provider, directory),
    };
    let id = directory.client_id.as_ref();
    let client = provider.service_clients.iter().find(|client| Some(&client.id) == id)?;
    let secrets = client.secrets.iter().map(|secret| list(secret, kept, now)).collect();
    Some(Row { client_id: Some(client.id.clone()), secrets, kept: what_became(client, kept), problem: None, name })
}

fn list(secret: &ClientSecret, kept: Option<&String>, now: Timestamp) -> Listed {
    let made_at = secret.created_at.parse::<Timestamp>().ok();
    Listed {
        id: secret.id.clone(),
        status: secret.status.clone(),
        made_at,
        age_days: made_at.map(|at| now.duration_since(at).as_hours().div_euclid(24)),
        is_kept: secret.hash.as_ref().map(|hash| Some(hash) == kept),
    }
}

fn what_became(client: &ServiceClient, kept: Option<&String>) -> Kept {
    let Some(kept) = kept else { return Kept::None };
    match client.secrets.iter().find(|secret| secret.hash.as_ref() == Some(kept)) {
        Some(secret) if secret.is_active() => Kept::Active,
        Some(_) => Kept::Inactive,
        None if client.secrets.iter().all(|secret| secret.hash.is_some()) => Kept::Gone,
        None => Kept::Unknown,
    }
}

impl Row {
    fn is_older_than(&self, age: SignedDuration, now: Timestamp) -> bool {
        let active = self.secrets.iter().filter(|secret| secret.status == "ACTIVE");
        let newest = active.map(|secret| secret.made_at).max().flatten();
        newest.is_none_or(|made_at| now.duration_since(made_at) >= age)
    }

    /// Only a secret that Okta would refuse is wrong. flowswap need not keep one.
    fn exit(&self) -> Exit {
        match self.kept {
            Kept::Active | Kept::None => Exit::Done,
            Kept::Inactive | Kept::Gone => Exit::SomeFailed,
            Kept::Unknown => Exit::NeedsPerson,
        }
    }
}

fn text(report: &Report, verify: bool) -> Text {
    if report.tenants.is_empty() {
        return "no tenant to show\n".into();
    }
    let mut text = if verify { verified(report) } else { listed(report) };
    for row in &report.tenants {
        if let Some(problem) = &row.problem {
            text += text!("{}: {}\n", row.name, problem);
        }
    }
    text
}

fn listed(report: &Report) -> Text {
    let rows = report.tenants.iter().flat_map(|row| row.secrets.iter().map(move |secret| (row, secret)));
    let rows = rows.map(|(row, secret)| {
        let kept = match secret.is_kept {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let made_at = secret.made_at.map_or_else(|| "-".into(), |at| times::of_tenant(&row.name, at));
        let age = secret.age_days.map_or_else(|| "-".to_owned(), |days| format!("{days} d"));
        [
            table::plain(&row.name),
            table::plain(row.client_id.as_deref().unwrap_or("-")),
            table::plain(&secret.id),
            table::plain(secret.status.to_ascii_lowercase()),
            table::plain(made_at),
            table::plain(age),
            table::plain(kept),
        ]
    });
    table::render(["tenant", "client", "secret", "status", "made", "age", "kept here"], rows)
}

fn verified(report: &Report) -> Text {
    let rows = report.tenants.iter().map(|row| {
        let (tone, result) = match row.kept {
            Kept::Active => (Tone::Good, "okta accepts it"),
            Kept::None => (Tone::Dim, "flowswap keeps none"),
            Kept::Inactive => (Tone::Bad, "it is inactive in okta"),
            Kept::Gone => (Tone::Bad, "okta does not have it"),
            Kept::Unknown => (Tone::Care, "okta does not show enough to tell"),
        };
        [table::plain(&row.name), table::plain(row.client_id.as_deref().unwrap_or("-")), table::toned(tone, result)]
    });
    table::render(["tenant", "client", "secret that flowswap keeps"], rows)
}

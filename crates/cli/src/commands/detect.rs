//! `flowswap detect`: shows the flow, the findings, and the verdict of every tenant.

use std::collections::BTreeMap;

use flowswap_config::Config;
use flowswap_contract::{
    DirectoryInventory, Flow, LegacyClient, ProviderInventory, ServiceClient, Variant, VariantType,
};
use flowswap_engine::{
    Assessment, Clock, Finding, Inventories, Logbook, Severity, Tenant, TenantSpec, Verdict, WARN_DAYS, assess,
    find_shared_orgs,
};
use flowswap_report::TroubledTenant;
use schemars::JsonSchema;
use serde::Serialize;

use super::started::worst;
use crate::{
    args::DetectArgs,
    context::{Context, SystemClock},
    display::{
        causes, count, fold_rows, show_problems, table,
        text::{Text, text},
        tone_of_verdict,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::Fleet,
    selection,
};

#[derive(Serialize, JsonSchema)]
pub(crate) struct Report {
    /// The selected tenants.
    tenants: Vec<Row>,
    /// The type keys that orgs have shown, for the other orgs.
    learned: Vec<Learned>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Detect;
}

/// The type key of an integration, as an instance in an org shows it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
struct Learned {
    /// Which of the two integrations it is.
    variant: Variant,
    /// The type key.
    type_key: String,
    /// The tenants whose orgs have such an instance.
    tenants: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    #[serde(skip)]
    domain: String,
    /// The org of a tenant: the provider's plugin, and the domain that the org shows.
    #[serde(skip)]
    org: Option<(String, String)>,
    /// The same, as the configuration has it.
    #[serde(skip)]
    configured_org: (String, String),
    /// Whether it can be migrated.
    verdict: Verdict,
    /// The OAuth flow that its directory uses.
    flow: Flow,
    /// The days until the connection stops working. Negative if it should have stopped. `None` if that is not known.
    days_left: Option<i64>,
    /// What was found, with the fix for each.
    findings: Vec<Finding>,
    /// The client of the authorization-code flow, if there is one.
    legacy_client: Option<LegacyClient>,
    /// The clients of the client-credential flow.
    service_clients: Vec<ServiceClient>,
    /// The type keys that the org shows, and not the configuration.
    #[serde(skip)]
    type_keys: Vec<(Variant, String)>,
    /// What the directory shows. `None` if it could not be read.
    directory: Option<DirectoryInventory>,
}

pub(crate) async fn run(context: &Context, args: &DetectArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let ports = context.read_ports(&config, progress.clone()).await?;
    let (before, after) = args.select.split_by_look();
    let names = selection::select_configured(&config, &ports.logbook, &before).await?;
    let warn_days = args.warn_days.map_or(WARN_DAYS, i64::from);
    let mut fleet = Fleet::open(context, &config, &names, &ports).await?;
    let mut tenants = fleet.each(&config, &progress, |tenant| assess_tenant(tenant, warn_days)).await;
    context.fail_if_stopped()?;
    if let Some(metrics) = &context.metrics {
        tenants.iter().for_each(|row| metrics.note_days_left(&row.name, row.days_left));
    }
    block_shared_orgs(&mut tenants, &ports.logbook);
    selection::keep_seen(&mut tenants, &after, |row| (&row.name, row.verdict, &row.findings))?;
    let is_late = |row: &Row| args.warn_days.is_some() && row.findings.iter().any(|it| it.id == "deadline-near");
    let of_days = if tenants.iter().any(is_late) { Exit::NeedsPerson } else { Exit::Done };
    let exit = worst(exit_of(tenants.iter().map(|row| row.verdict)), of_days);
    let report = Report { learned: learn(&tenants), tenants };
    context.terminal.report(&report, || text(&report, &config, context.terminal.verbose > 0))?;
    Ok(exit)
}

/// Blocked and unknown tenants need a person.
pub(crate) fn exit_of(verdicts: impl IntoIterator<Item = Verdict>) -> Exit {
    let needs_person = verdicts.into_iter().any(|verdict| matches!(verdict, Verdict::Blocked | Verdict::Unknown));
    if needs_person { Exit::NeedsPerson } else { Exit::Done }
}

/// Only one tenant of an org can be migrated at a time. `plan` holds back the same tenants. Those that cannot be migrated anyway
/// go by the configuration, like `check`: the shared org may be why, and they hold back no other.
fn block_shared_orgs(tenants: &mut [Row], logbook: &Logbook) {
    let ready = tenants.iter().filter(|row| row.verdict == Verdict::Ready);
    let ready = ready.filter_map(|row| Some((row.name.as_str(), row.org.clone()?)));
    let is_swapped = |name: &str| logbook.overview(name).is_some_and(|known| known.state.is_swapped_or_later());
    let is_troubled = |row: &&Row| matches!(row.verdict, Verdict::Blocked | Verdict::Unknown) && !is_swapped(&row.name);
    let troubled = tenants.iter().filter(is_troubled);
    let troubled = troubled.map(|row| (row.name.as_str(), row.configured_org.clone()));
    let mut found = find_shared_orgs(ready.chain(troubled), &logbook.busy_orgs());
    for row in tenants {
        if let Some(finding) = found.remove(&row.name) {
            row.verdict = row.verdict.max(Verdict::Blocked);
            row.findings.insert(0, finding);
        }
    }
}

/// The provider's plugin, and the domain of the configuration.
pub(super) fn configured_org(spec: &TenantSpec) -> (String, String) {
    (spec.provider_plugin.clone(), spec.domain.to_ascii_lowercase())
}

async fn assess_tenant(tenant: Tenant, warn_days: i64) -> Row {
    let sides = tenant.inspect().await;
    let assessment = assess(&tenant.spec, &sides, SystemClock.now(), warn_days);
    row(&tenant.spec, sides, assessment)
}

fn row(spec: &TenantSpec, sides: Inventories, assessment: Assessment) -> Row {
    Row {
        name: spec.name.clone(),
        domain: spec.domain.clone(),
        org: sides.provider.as_ref().ok().map(|seen| (spec.provider_plugin.clone(), seen.domain.clone())),
        configured_org: configured_org(spec),
        verdict: assessment.verdict,
        flow: assessment.flow,
        days_left: assessment.days_left,
        findings: assessment.findings,
        legacy_client: assessment.legacy_client,
        type_keys: sides.provider.as_ref().map(show_type_keys).unwrap_or_default(),
        service_clients: sides.provider.map(|provider| provider.service_clients).unwrap_or_default(),
        directory: sides.directory.ok(),
    }
}

/// The type keys that instances of an org show.
fn show_type_keys(provider: &ProviderInventory) -> Vec<(Variant, String)> {
    let is_shown = |known: &&VariantType| provider.service_clients.iter().any(|client| client.id == known.source);
    provider.variants.iter().filter(is_shown).map(|known| (known.variant, known.type_key.clone())).collect()
}

/// Each type key once, with the tenants that show it.
fn learn(tenants: &[Row]) -> Vec<Learned> {
    let mut learned: BTreeMap<(Variant, &String), Vec<String>> = BTreeMap::new();
    for row in tenants {
        for (variant, type_key) in &row.type_keys {
            learned.entry((*variant, type_key)).or_default().push(row.name.clone());
        }
    }
    let learned = learned.into_iter();
    learned.map(|((variant, type_key), tenants)| Learned { variant, type_key: type_key.clone(), tenants }).collect()
}

/// Where to put the type keys that other tenants lack.
fn show_learned(report: &Report, each: bool) -> Text {
    let is_lacking = |row: &Row| row.findings.iter().any(|finding| finding.id == "variant-type-unknown");
    if !each && !report.tenants.iter().any(is_lacking) {
        return Text::default();
    }
    let line = |learned: &Learned| {
        let names: Vec<&str> = learned.tenants.iter().map(String::as_str).collect();
        text!(
            "learned from {}{}: the type key of the {} integration. For all tenants, set in `variant_types` under [defaults.provider]: {}\n",
            causes::subject(&names),
            causes::list_names(&names),
            learned.variant,
            format!("{} = {}", learned.variant, toml::Value::from(learned.type_key.as_str()))
        )
    };
    let lines: Text = report.learned.iter().map(line).collect();
    if report.learned.is_empty() { lines } else { text!("\n") + lines }
}

/// A line for each tenant, or one for many tenants with the same bad verdict. With `each`, always a line for each.
fn text(report: &Report, config: &Config, each: bool) -> Text {
    let ids = |row: &Row| {
        let ids = row.findings.iter().filter(|finding| finding.severity != Severity::Info);
        ids.map(|finding| finding.id.as_str()).collect::<Vec<_>>().join(", ")
    };
    let keys = report.tenants.iter().map(|row| {
        let is_bad = matches!(row.verdict, Verdict::Unknown | Verdict::Blocked);
        is_bad.then(|| (row.verdict, row.flow, row.days_left, ids(row)))
    });
    let folded = fold_rows(keys.collect(), each);
    let rows = folded.iter().map(|indices| {
        let names: Vec<&str> = indices.iter().map(|index| report.tenants[*index].name.as_str()).collect();
        let row = &report.tenants[indices[0]];
        [
            table::plain(causes::subject(&names)),
            table::toned(tone_of_verdict(row.verdict), row.verdict),
            table::plain(row.flow),
            table::plain(row.days_left.map_or_else(|| "-".to_owned(), |days| days.to_string())),
            table::plain(ids(row)),
        ]
    });
    let mut text = table::render(["tenant", "verdict", "flow", "days left", "findings"], rows);
    text += text!("\n{}\n", count(report.tenants.iter().map(|row| row.verdict)));
    let troubles = report.tenants.iter().map(|row| TroubledTenant {
        name: &row.name,
        verdict: row.verdict,
        findings: &row.findings,
        own_words: vec![row.domain.clone()],
    });
    let place = |name: &str| {
        let place = config.place_of(config.tenant(name)?);
        Some(format!("{}:{}", place.file.display(), place.line))
    };
    text + show_problems(troubles, each, place) + show_learned(report, each)
}

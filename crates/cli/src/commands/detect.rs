//! `flowswap detect`: every tenant's flow, findings and verdict.

use flowswap_contract::{DirectoryInventory, Flow, LegacyClient, ServiceClient};
use flowswap_engine::{Assessment, Clock, Finding, Severity, Sight, Tenant, Verdict, assess};
use serde::Serialize;

use crate::{
    args::Select,
    context::{Context, SystemClock, read_history},
    display::{
        count, show_trouble, table,
        text::{Text, text},
        tone_of_verdict,
    },
    exit::{Exit, Failure},
    fleet::Fleet,
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
pub(crate) struct Report {
    tenants: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    verdict: Verdict,
    flow: Flow,
    days_left: Option<i64>,
    findings: Vec<Finding>,
    legacy_client: Option<LegacyClient>,
    service_clients: Vec<ServiceClient>,
    directory: Option<DirectoryInventory>,
}

pub(crate) async fn run(context: &Context, select: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let mut fleet = Fleet::open(context, &config, &select.tenants, &context.dry_ports(progress.clone())).await?;
    fleet.recall(&read_history(&config).await?);
    let tenants = fleet.each(&config, &progress, look).await;
    context.heed_stop()?;
    let exit = exit_of(tenants.iter().map(|row| row.verdict));
    let report = Report { tenants };
    context.terminal.report(&report, || text(&report))?;
    Ok(exit)
}

/// Blocked and unknown tenants need a person.
pub(crate) fn exit_of(verdicts: impl IntoIterator<Item = Verdict>) -> Exit {
    let needs_person = verdicts.into_iter().any(|verdict| matches!(verdict, Verdict::Blocked | Verdict::Unknown));
    if needs_person { Exit::NeedsPerson } else { Exit::Done }
}

async fn look(tenant: Tenant) -> Row {
    let sight = tenant.look().await;
    let assessment = assess(&tenant.spec, &sight, SystemClock.now());
    row(&tenant.spec.name, sight, assessment)
}

fn row(name: &str, sight: Sight, assessment: Assessment) -> Row {
    Row {
        name: name.to_owned(),
        verdict: assessment.verdict,
        flow: assessment.flow,
        days_left: assessment.days_left,
        findings: assessment.findings,
        legacy_client: assessment.legacy_client,
        service_clients: sight.provider.map(|provider| provider.service_clients).unwrap_or_default(),
        directory: sight.directory.ok(),
    }
}

fn text(report: &Report) -> Text {
    let mut text = table::render(
        ["tenant", "verdict", "flow", "days left", "findings"],
        report.tenants.iter().map(|row| {
            let ids: Vec<_> =
                row.findings.iter().filter(|f| f.severity != Severity::Info).map(|f| f.id.as_str()).collect();
            [
                table::plain(&row.name),
                table::toned(tone_of_verdict(row.verdict), row.verdict),
                table::plain(row.flow),
                table::plain(row.days_left.map_or_else(|| "-".to_owned(), |days| days.to_string())),
                table::plain(ids.join(", ")),
            ]
        }),
    );
    text += text!("\n{}\n", count(report.tenants.iter().map(|row| row.verdict)));
    for row in &report.tenants {
        text += &show_trouble(&row.name, row.verdict, &row.findings);
    }
    text
}

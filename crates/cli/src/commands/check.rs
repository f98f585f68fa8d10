//! `flowswap check`: is everything reachable and permitted?

use flowswap_contract::{self as contract, Evidence, EvidenceResult as R, Op, Role, TestParams, TestReply};
use flowswap_engine::{BackendCall, Mode, RunId, Tenant, find_domain_defect};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::Select,
    config::Config,
    context::{Context, load_identity},
    display::{
        table::{self, Cell},
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::Fleet,
    terminal::Tone,
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    tenant: Option<String>,
    role: Option<Role>,
    #[serde(flatten)]
    evidence: Evidence,
}

pub(crate) async fn run(context: &Context, select: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let fleet = Fleet::open(context, &config, &select.tenants, &context.dry_ports(progress.clone())).await?;
    let mut checks = check_machine(&config, &fleet);
    checks.extend(fleet.each(&config, &progress, check_tenant).await.into_iter().flatten());
    context.heed_stop()?;
    let failed = checks.iter().any(|check| check.evidence.result == R::Fail);
    let report = Report { checks };
    context.terminal.report(&report, || text(&report, context.terminal.verbose > 0))?;
    Ok(if failed { Exit::SomeFailed } else { Exit::Done })
}

fn check_machine(config: &Config, fleet: &Fleet) -> Vec<Check> {
    let machine = |check: &str, result, detail: String| Check {
        tenant: None,
        role: None,
        evidence: Evidence::new(check, result, detail),
    };
    let identity = match load_identity(config) {
        Ok(_) => machine("identity", R::Pass, format!("`{}` can be used", config.identity.display())),
        Err(failure) => {
            let cause = failure.error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            machine("identity", R::Fail, format!("{}{cause}", failure.error))
        }
    };
    let mut checks = vec![identity];
    for (name, pin) in &fleet.pins {
        let pinned = config.plugins.get(name).is_some_and(|entry| entry.sha256.is_some());
        let detail = if pinned { "pinned".to_owned() } else { format!("not pinned; its sha256 is {}", pin.sha256) };
        let result = if pinned { R::Pass } else { R::Inconclusive };
        checks.push(machine(&format!("plugin {name}"), result, format!("{}, {detail}", pin.version)));
    }
    checks
}

async fn check_tenant(tenant: Tenant) -> Vec<Check> {
    let (provider, directory) = tokio::join!(check_side(&tenant, Role::Provider), check_side(&tenant, Role::Directory));
    [(Role::Provider, provider), (Role::Directory, directory)]
        .into_iter()
        .flat_map(|(role, evidence)| evidence.into_iter().map(move |evidence| (role, evidence)))
        .map(|(role, evidence)| Check { tenant: Some(tenant.spec.name.clone()), role: Some(role), evidence })
        .collect()
}

async fn check_side(tenant: &Tenant, role: Role) -> Vec<Evidence> {
    let fail = |detail: String| vec![Evidence::new("access", R::Fail, detail)];
    if let Some(defect) = find_domain_defect(&tenant.spec.domain) {
        return if role == Role::Provider { fail(defect) } else { Vec::new() };
    }
    let params = json!(TestParams::default());
    let call = BackendCall { op: Op::Test, mode: Mode::DryRun, run: RunId::none(), step: None, params };
    let reply = tenant.backend(role).call(call).await.and_then(|reply| {
        serde_json::from_value::<TestReply>(reply).map_err(|error| {
            contract::Error::new(contract::ErrorKind::Protocol, format!("the answer does not decode: {error}"))
        })
    });
    match reply {
        Ok(reply) => reply.evidence,
        Err(error) => fail(error.message),
    }
}

/// One line for each side of each tenant, and every check that did not pass; with `-v`, every check.
fn text(report: &Report, all: bool) -> Text {
    let mut text = Text::default();
    if !all {
        text +=
            &table::render(["tenant", "side", "checks", "result"], report.checks.chunk_by(same_side).map(summarize));
    }
    let listed: Vec<&Check> = report
        .checks
        .iter()
        .filter(|check| all || !matches!(check.evidence.result, R::Pass | R::NotApplicable))
        .collect();
    if !listed.is_empty() {
        let blank = if text.is_empty() { "" } else { "\n" };
        text += blank;
        text += &table::render(["tenant", "side", "check", "result", ""], listed.into_iter().map(row));
    }
    let failed = report.checks.iter().filter(|check| check.evidence.result == R::Fail).count();
    text + text!("\n{} checks, {} failed\n", report.checks.len(), failed)
}

fn same_side(a: &Check, b: &Check) -> bool {
    (&a.tenant, a.role) == (&b.tenant, b.role)
}

fn summarize(checks: &[Check]) -> [Cell; 4] {
    let worst = checks.iter().map(|check| check.evidence.result).max_by_key(|result| match result {
        R::NotApplicable | R::Pass => 0,
        R::Inconclusive => 1,
        R::Fail => 2,
    });
    let (tone, word) = word(worst.unwrap_or(R::NotApplicable));
    let [tenant, side] = names(&checks[0]);
    [tenant, side, table::plain(checks.len()), table::toned(tone, word)]
}

fn row(check: &Check) -> [Cell; 5] {
    let (tone, word) = word(check.evidence.result);
    let [tenant, side] = names(check);
    [tenant, side, table::plain(&check.evidence.check), table::toned(tone, word), table::plain(&check.evidence.detail)]
}

fn names(check: &Check) -> [Cell; 2] {
    let role = check.role.map_or_else(|| "this machine".to_owned(), |role| role.to_string());
    [table::plain(check.tenant.as_deref().unwrap_or("-")), table::plain(role)]
}

fn word(result: R) -> (Tone, &'static str) {
    match result {
        R::Pass => (Tone::Good, "pass"),
        R::Fail => (Tone::Bad, "fail"),
        R::NotApplicable => (Tone::Dim, "n/a"),
        R::Inconclusive => (Tone::Care, "note"),
    }
}

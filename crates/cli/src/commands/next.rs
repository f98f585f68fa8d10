//! `flowswap next`: lists the tenants that wait for a person. It leaves out tenants that only wait for time.

use flowswap_config::TenantConfig;
use flowswap_engine::{Clock, Direction, TenantHistory, TenantState, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{abandon, statement::Statement, status};
use crate::{
    args::NextArgs,
    context::{Context, SystemClock, read_logbook, read_tenant},
    display::{
        count, table,
        text::{Text, text},
        times,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    full_command, selection,
    terminal::Tone,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The tenants that wait for a person, the earliest deadline first.
    tenants: Vec<Row>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Next;
}

#[derive(Serialize, JsonSchema)]
struct Row {
    /// The name of the tenant.
    name: String,
    /// The step that a person must carry out.
    step: Option<String>,
    /// Whether the migration or a rollback asks for it.
    direction: Direction,
    /// The person who is asked. `None` if any operator may do it.
    owner: Option<String>,
    /// Since when it waits.
    #[schemars(with = "Time")]
    since: Timestamp,
    /// When it should be done. `None` if there is no run sheet.
    #[schemars(with = "Option<Time>")]
    deadline: Option<Timestamp>,
    /// Whether the deadline has passed.
    overdue: bool,
    /// The confirmations that flowswap has not seen take effect yet.
    claims: Vec<Statement>,
    /// Why it waits, if no run sheet says what to do.
    reason: Option<String>,
    /// The commands to run, in this order.
    next: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &NextArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let mut rows = Vec::new();
    let names = selection::select_configured(&config, &logbook, &args.select).await?;
    for tenant in names.iter().filter_map(|name| config.tenant(name)) {
        let overview = logbook.overview(&tenant.name);
        let may_wait = overview.is_some_and(|known| {
            // A rollback comes first. `resume` continues it.
            !known.waits_for_rollback() && (known.asked.is_some() || known.state == TenantState::Waiting)
        });
        if may_wait && let Some(history) = read_tenant(&logbook, &tenant.name).await? {
            rows.extend(row(tenant, &history, SystemClock.now()));
        }
    }
    // The earliest deadline comes first.
    rows.sort_by_key(|row| (row.deadline.is_none(), row.deadline, row.name.clone()));
    let report = Report { tenants: rows };
    if report.tenants.is_empty() {
        let narrowed = if args.select.is_empty() {
            "no tenant waits for a person"
        } else {
            "none of these tenants waits for a person"
        };
        context.terminal.say(narrowed);
    }
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

fn row(config: &TenantConfig, tenant: &TenantHistory, now: Timestamp) -> Option<Row> {
    let (name, overview) = (&config.name, tenant.overview());
    match tenant.work.as_ref().and_then(|work| work.question.as_ref()) {
        Some(question) => Some(Row {
            name: name.clone(),
            step: Some(question.step.clone()),
            direction: question.direction,
            owner: question.owner.clone(),
            since: question.since,
            deadline: Some(question.deadline),
            overdue: question.deadline < now,
            claims: question.claims.iter().map(|claim| Statement::claim(&question.step, claim)).collect(),
            reason: None,
            next: [format!("flowswap sheet {name}"), format!("flowswap confirm {name}")]
                .into_iter()
                .chain(abandon::abandon_command(name, &overview))
                .map(full_command::of)
                .collect(),
        }),
        None if tenant.state == TenantState::Waiting => Some(Row {
            name: name.clone(),
            step: tenant.step.clone(),
            direction: tenant.direction,
            owner: config.owner.clone(),
            since: tenant.since,
            deadline: None,
            overdue: false,
            claims: Vec::new(),
            reason: tenant.reason.clone(),
            next: status::continue_command(name, &overview).into_iter().map(full_command::of).collect(),
        }),
        None => None,
    }
}

fn text(report: &Report) -> Text {
    if report.tenants.is_empty() {
        return Text::default();
    }
    let rows = report.tenants.iter().map(|row| {
        let deadline = row.deadline.map_or_else(|| "-".into(), |deadline| times::of_tenant(&row.name, deadline));
        [
            table::plain(&row.name),
            table::plain(row.step.as_deref().unwrap_or("-")),
            table::plain(if row.direction == Direction::Back { "back" } else { "forward" }),
            table::plain(row.owner.as_deref().unwrap_or("any operator")),
            table::plain(times::of_tenant(&row.name, row.since)),
            if row.overdue { table::toned(Tone::Bad, text!("{} overdue", deadline)) } else { table::plain(deadline) },
            table::plain(row.next.first().map_or("-", String::as_str)),
        ]
    });
    let mut text = table::render(["tenant", "step", "direction", "owner", "since", "deadline", "next"], rows);
    let owners = report.tenants.iter().map(|row| format!("for {}", row.owner.as_deref().unwrap_or("any operator")));
    text += text!("\n{}\n", count(owners));
    for row in &report.tenants {
        if let Some(reason) = &row.reason {
            text += times::of_tenant(&row.name, text!("{}: {}\n", row.name, reason));
        }
        for claim in &row.claims {
            let said = times::of_tenant(&row.name, claim.show());
            text += text!("{}: {}; flowswap has not seen the change yet\n", row.name, said);
        }
    }
    let mut asked = report.tenants.iter().filter_map(|row| row.next.get(1));
    match (asked.next(), asked.next()) {
        (Some(confirm), None) => text += text!("when it is done: {}\n", confirm),
        (Some(_), Some(_)) => text += "when a run sheet is done: flowswap confirm TENANT\n",
        (None, _) => {}
    }
    text
}

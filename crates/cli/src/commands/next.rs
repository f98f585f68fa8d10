//! `flowswap next`: lists everything in which a person must do something. It leaves out tenants that only wait for time.

use flowswap_config::TenantConfig;
use flowswap_engine::{Clock, Direction, TenantHistory, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    standing, started,
    statement::Statement,
    status::{self, Note},
    task::{self, Kind, Task},
};
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
    /// What the person must do.
    kind: Kind,
    /// The step that it is about.
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
    /// Why, if the kind does not say it.
    reason: Option<String>,
    /// The commands to run, in this order.
    next: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &NextArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let (mut rows, mut exit) = (Vec::new(), Exit::Done);
    let names = selection::select_configured(&config, &logbook, &args.select).await?;
    for tenant in names.iter().filter_map(|name| config.tenant(name)) {
        let may_have_task = logbook.overview(&tenant.name).is_some_and(|known| task::may_have_task(&known));
        if may_have_task
            && let Some(history) = read_tenant(&logbook, &tenant.name).await?
            && let Some(task) = task::find_task(&tenant.name, &history)
        {
            exit = started::worst(exit, standing::exit_of(&history.overview()));
            rows.push(row(tenant, &history, task, SystemClock.now()));
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
    context.terminal.report(&report, || text(&report, context.terminal.verbose > 0))?;
    Ok(exit)
}

fn row(config: &TenantConfig, tenant: &TenantHistory, task: Task, now: Timestamp) -> Row {
    let Task { kind, commands, reason } = task;
    let question = tenant.work.as_ref().and_then(|work| work.question.as_ref());
    let is_of_refusal = matches!(kind, Kind::Approve | Kind::Refused | Kind::Unread);
    let refusal = tenant.refusal.as_ref().filter(|_| is_of_refusal);
    let refused_at = refusal.map(|refusal| refusal.at);
    let direction = refusal.map_or(tenant.direction, |refusal| refusal.goal.direction());
    let claims = question.map(|question| {
        question.claims.iter().map(|claim| Statement::claim(&question.step, claim)).collect::<Vec<_>>()
    });
    Row {
        name: config.name.clone(),
        kind,
        step: question.map(|question| question.step.clone()).or_else(|| tenant.step.clone()),
        direction: question.map_or(direction, |question| question.direction),
        owner: question.map_or_else(|| config.owner.clone(), |question| question.owner.clone()),
        since: question.map_or_else(|| refused_at.unwrap_or(tenant.since), |question| question.since),
        deadline: question.map(|question| question.deadline),
        overdue: question.is_some_and(|question| question.deadline < now),
        claims: claims.unwrap_or_default(),
        reason,
        next: commands.into_iter().map(full_command::of).collect(),
    }
}

fn text(report: &Report, each: bool) -> Text {
    if report.tenants.is_empty() {
        return Text::default();
    }
    let rows = report.tenants.iter().map(|row| {
        let deadline = row.deadline.map_or_else(|| "-".into(), |deadline| times::of_tenant(&row.name, deadline));
        [
            table::plain(&row.name),
            table::plain(if row.direction == Direction::Back {
                format!("{} (rollback)", row.kind.what())
            } else {
                row.kind.what().to_owned()
            }),
            table::plain(row.step.as_deref().unwrap_or("-")),
            table::plain(row.owner.as_deref().unwrap_or("any operator")),
            table::plain(times::of_tenant(&row.name, row.since)),
            if row.overdue { table::toned(Tone::Bad, text!("{} overdue", deadline)) } else { table::plain(deadline) },
            table::plain(row.next.first().map_or("-", String::as_str)),
        ]
    });
    let mut text = table::render(["tenant", "to do", "step", "owner", "since", "deadline", "next"], rows);
    let owners = report.tenants.iter().map(|row| format!("for {}", row.owner.as_deref().unwrap_or("any operator")));
    text += text!("\n{}\n", count(owners));
    let reasons = report.tenants.iter().filter_map(|row| Some(Note::new(&row.name, text!("{}", row.reason.as_ref()?))));
    text += status::fold(&reasons.collect::<Vec<_>>(), each);
    for row in &report.tenants {
        // A later confirmation takes the place of the ones before.
        if let Some(claim) = row.claims.last() {
            let said = times::of_tenant(&row.name, claim.show());
            text += text!("{}: {}; flowswap has not seen the change yet\n", row.name, said);
        }
    }
    let has_sheet = |row: &&Row| matches!(row.kind, Kind::RunSheet | Kind::Confirm);
    let mut asked = report.tenants.iter().filter(has_sheet).filter_map(|row| row.next.get(1));
    match (asked.next(), asked.next()) {
        (Some(confirm), None) => text += text!("when it is done: {}\n", confirm),
        (Some(_), Some(_)) => text += "when a run sheet is done: flowswap confirm TENANT\n",
        (None, _) => {}
    }
    text
}

//! `flowswap sheet`: shows the current run sheet of a tenant, or the last one that a person carried out.

use flowswap_contract::{Handle, RunSheet};
use flowswap_engine::{Clock, Direction, Question, TenantHistory};
use flowswap_report::{FaceError, Sheet};
use jiff::Timestamp;
use serde::Serialize;

use super::{statement::Statement, status};
use crate::{
    args::{Format, SheetArgs, SheetForm},
    context::{Context, SystemClock, read_logbook, read_tenant},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select_one,
    full_command,
    output::{Kind, Output},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report<'a> {
    tenant: &'a str,
    step: &'a str,
    direction: Direction,
    owner: Option<&'a str>,
    since: Timestamp,
    deadline: Timestamp,
    /// Whether the run sheet is still open: flowswap has not seen it done.
    open: bool,
    overdue: bool,
    sheet: &'a RunSheet,
    /// The name of the secret that the run sheet asks the operator to paste.
    secret: Option<Handle>,
    claims: Vec<Statement>,
}

pub(crate) async fn run(context: &Context, args: &SheetArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let tenant = &args.tenant.tenant;
    select_one(&config, tenant).await?;
    let history = read_tenant(&*read_logbook(&config).await?, tenant).await?;
    let (question, is_open) = current_sheet(tenant, history.as_ref())?;
    let sheet = if is_open {
        Sheet::open(tenant, question, SystemClock.now())
    } else {
        let next = history.as_ref().and_then(|history| status::next_command(tenant, &history.overview()));
        Sheet::done(tenant, question, next)
    };
    let rendered = |text: Result<_, FaceError>| text.map(Text::rendered).map_err(Failure::at("write the run sheet"));
    let text = match (context.terminal.format, args.form) {
        (Format::Json, _) => {
            let report = report(tenant, question, is_open, sheet.is_overdue());
            Text::json(&report).map_err(Failure::at("write the report"))?
        }
        (Format::Human, SheetForm::Terminal) => full_command::in_text(&display::sheet::show(&sheet)),
        (Format::Human, SheetForm::Markdown) => rendered(sheet.markdown())?,
        (Format::Human, SheetForm::Html) => rendered(sheet.html())?,
    };
    match &args.output {
        None => context.terminal.write_out(&text)?,
        Some(path) => {
            let output = Output::prepare(path, Kind::Sheet, args.force)?;
            output.write(context.terminal, &text)?;
            if !output.is_stdout() {
                context.terminal.say(text!("wrote the run sheet of `{}` to `{}`", tenant, path.display()));
            }
        }
    }
    Ok(Exit::Done)
}

/// The current run sheet of a tenant, or the last one, which an operator may have to repeat; and whether it is still
/// open.
pub(crate) fn current_sheet<'a>(
    tenant: &str,
    history: Option<&'a TenantHistory>,
) -> Result<(&'a Question, bool), Failure> {
    refuse_before_rollback(tenant, history)?;
    let work = history.and_then(|known| known.work.as_ref());
    match work.and_then(|work| work.current_sheet().map(|question| (question, work.question.is_some()))) {
        Some(at_hand) => Ok(at_hand),
        None => open_question(tenant, history).map(|question| (question, true)),
    }
}

/// Nobody should carry out a step of a tenant whose rollback has begun.
fn refuse_before_rollback(tenant: &str, known: Option<&TenantHistory>) -> Result<(), Failure> {
    let Some(begun) = known.and_then(TenantHistory::rollback_to_come) else { return Ok(()) };
    let error = format!("a rollback that began at {} has not reached `{tenant}`", begun.at);
    Err(Failure::new(Exit::Refused, error).hint(format!("continue the rollback: flowswap resume {tenant}")))
}

/// The open run sheet of a tenant. Without one, the error names the tenant's state and the next command.
pub(crate) fn open_question<'a>(tenant: &str, known: Option<&'a TenantHistory>) -> Result<&'a Question, Failure> {
    refuse_before_rollback(tenant, known)?;
    known.and_then(|known| known.work.as_ref()?.question.as_ref()).ok_or_else(|| {
        let state = known.map_or(flowswap_engine::TenantState::Unplanned, |known| known.state);
        let error = format!("the tenant `{tenant}` has no open run sheet; it is {state}");
        let next = known.and_then(|known| status::next_command(tenant, &known.overview()));
        let hint = next.map_or_else(
            || "list the tenants that wait for a person: flowswap next".to_owned(),
            |next| format!("continue with: {next}"),
        );
        Failure::new(Exit::Usage, error).hint(hint)
    })
}

fn report<'a>(tenant: &'a str, question: &'a Question, open: bool, overdue: bool) -> Report<'a> {
    let Question { step, direction, sheet, owner, since, deadline, claims, .. } = question;
    Report {
        tenant,
        step,
        direction: *direction,
        owner: owner.as_deref(),
        since: *since,
        deadline: *deadline,
        open,
        overdue,
        sheet,
        secret: question.secret().map(|(_, handle)| handle),
        claims: claims.iter().map(|claim| Statement::claim(step, claim)).collect(),
    }
}

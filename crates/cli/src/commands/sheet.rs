//! `flowswap sheet`: shows the current run sheet of a tenant, or the last one that a person carried out.

use std::path::Path;

use flowswap_config::Config;
use flowswap_contract::{Handle, RunSheet};
use flowswap_engine::{Clock, Direction, Logbook, Overview, Question, TenantHistory, Time};
use flowswap_host::quoted;
use flowswap_report::{FaceError, Sheet};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{statement::Statement, status};
use crate::{
    args::{Select, SheetArgs, SheetForm},
    context::{Context, SystemClock, read_logbook, read_tenant},
    display::{
        self, causes, tenants,
        text::{Text, text},
    },
    documents::{self, Document, DocumentName, OfTenants},
    exit::{Exit, Failure},
    full_command,
    output::{Kind, Output},
    question, selection,
    soak::Soak,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report<'a> {
    /// The name of the tenant.
    tenant: &'a str,
    /// The step that the run sheet carries out.
    step: &'a str,
    /// Whether the migration or a rollback asks for it.
    direction: Direction,
    /// The person who is asked. `None` if any operator may do it.
    owner: Option<&'a str>,
    /// Since when it waits.
    #[schemars(with = "Time")]
    since: Timestamp,
    /// When it should be done.
    #[schemars(with = "Time")]
    deadline: Timestamp,
    /// Whether the run sheet is still open: flowswap has not seen it done.
    open: bool,
    /// Whether the deadline has passed.
    overdue: bool,
    /// What to do.
    sheet: &'a RunSheet,
    /// The name of the secret that the run sheet asks the operator to paste.
    secret: Option<Handle>,
    /// The confirmations that flowswap has not seen take effect yet.
    claims: Vec<Statement>,
}

impl Document for OfTenants<'_, Report<'_>> {
    const NAME: DocumentName = DocumentName::Sheet;
}

pub(crate) async fn run(context: &Context, args: &SheetArgs) -> Result<Exit, Failure> {
    let instead = format!("{}; list those that wait: flowswap next", selection::name_or_all(&args.select));
    selection::require(&args.select, args.all, &instead)?;
    let config = context.load_config()?;
    let logbook = read_logbook(&config).await?;
    let names = with_open_sheets(&config, &logbook, &args.select).await?.names;
    let mut histories = Vec::new();
    for name in &names {
        histories.push((name, read_tenant(&logbook, name).await?));
    }
    let sheets = histories.iter().map(|(name, history)| Found::of(name, history.as_ref(), Soak::of(&config)));
    let sheets: Vec<Found<'_>> = sheets.collect::<Result<_, _>>()?;
    let Some(path) = &args.output else {
        return show(context, args, &sheets);
    };
    if !is_folder(path) && sheets.len() > 1 {
        let error = format!("`{}` is one file, but {} were selected", path.display(), tenants(sheets.len()));
        let hint = format!("pass a folder: -o {}", quoted(&path.join("")));
        return Err(Failure::new(Exit::Usage, error).hint(hint));
    }
    let ending = if context.terminal.is_for_people() { args.form.ending() } else { "json" };
    let place = |name: &str| if is_folder(path) { path.join(format!("{name}.{ending}")) } else { path.clone() };
    let outputs = sheets.iter().map(|sheet| Output::prepare(&place(sheet.tenant), Kind::Sheet, args.force));
    let outputs: Vec<Output> = outputs.collect::<Result<_, _>>()?;
    for (output, sheet) in outputs.iter().zip(&sheets) {
        output.write(context.terminal, &print(context, args, std::slice::from_ref(sheet))?)?;
    }
    let places = if let [sheet] = sheets.as_slice() { place(sheet.tenant) } else { path.clone() };
    if outputs.iter().all(|output| !output.is_stdout()) {
        let of = causes::subject(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let what = if sheets.len() == 1 { "run sheet" } else { "run sheets" };
        context.terminal.say(text!("wrote the {} of {} to {}", what, of, quoted(&places)));
    }
    Ok(Exit::Done)
}

const SHOW_STATES: &str = "show the state of every tenant: flowswap status";

/// Tenants with run sheets.
pub(crate) struct WithSheets {
    pub(crate) names: Vec<String>,
    /// Whether each name was written out.
    is_written: bool,
}

impl WithSheets {
    /// Asks before something is said about tenants whose names the person did not write, or about many.
    pub(crate) async fn ask(&self, context: &Context, what: &str, yes: bool) -> Result<(), Failure> {
        let count = self.names.len();
        let question = question::Question::about(count, format!("{what} {}?", tenants(count)));
        if self.is_written && !question.is_typed() {
            return Ok(());
        }
        question.ask(context, &text!("{}", self.names.join(", ")), yes).await
    }
}

/// Of the selected tenants, those that were written out and those with an open run sheet.
pub(crate) async fn with_open_sheets(config: &Config, logbook: &Logbook, args: &Select) -> Result<WithSheets, Failure> {
    let selected = selection::select(config, logbook, args)?;
    let has_sheet = |tenant: &Overview| tenant.asked.is_some() && !tenant.waits_for_rollback();
    let mut names = selected.configured(config, logbook).await?;
    names.retain(|name| selected.is_written(name) || logbook.overview(name).is_some_and(|tenant| has_sheet(&tenant)));
    if names.is_empty() {
        let overviews = logbook.overviews();
        let open: Vec<&str> =
            overviews.iter().filter(|(_, tenant)| has_sheet(tenant)).map(|(name, _)| name.as_str()).collect();
        let failure = Failure::new(Exit::Usage, "none of these tenants has an open run sheet");
        return Err(failure.hint(match open.as_slice() {
            [] => format!("no tenant has one; {SHOW_STATES}"),
            [one] => format!("only `{one}` has one: flowswap sheet {one}"),
            _ => "list the tenants that wait for a person: flowswap next".to_owned(),
        }));
    }
    Ok(WithSheets { is_written: names.iter().all(|name| selected.is_written(name)), names })
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// A run sheet that was found, and how far it is.
struct Found<'a> {
    tenant: &'a str,
    question: &'a Question,
    is_open: bool,
    sheet: Sheet<'a>,
}

impl<'a> Found<'a> {
    fn of(tenant: &'a str, history: Option<&'a TenantHistory>, soak: Soak) -> Result<Self, Failure> {
        let (question, is_open) = current_sheet(tenant, history)?;
        let sheet = if is_open {
            Sheet::open(tenant, question, SystemClock.now())
        } else {
            let next = history.and_then(|history| status::next_command_now(tenant, &history.overview(), soak));
            Sheet::done(tenant, question, next)
        };
        Ok(Self { tenant, question, is_open, sheet })
    }
}

/// The run sheets as the person wants them. One tenant that was named is not a list in JSON.
fn show(context: &Context, args: &SheetArgs, sheets: &[Found<'_>]) -> Result<Exit, Failure> {
    if context.terminal.is_for_people() {
        context.terminal.write_out(&print(context, args, sheets)?)?;
    } else {
        let tenants: Vec<_> = sheets.iter().map(report).collect();
        context.terminal.report_as_json(&OfTenants::new(args.select.is_one_name(), &tenants))?;
    }
    Ok(Exit::Done)
}

fn print(context: &Context, args: &SheetArgs, sheets: &[Found<'_>]) -> Result<Text, Failure> {
    let rendered = |text: Result<_, FaceError>| text.map(Text::rendered).map_err(Failure::at("write the run sheet"));
    if !context.terminal.is_for_people() {
        let tenants: Vec<_> = sheets.iter().map(report).collect();
        // A file has the sheet of one tenant.
        return documents::print(&OfTenants::new(true, &tenants)).map_err(Failure::at("write the report"));
    }
    let texts = sheets.iter().map(|found| match args.form {
        SheetForm::Terminal => Ok(full_command::in_text(&display::sheet::show(&found.sheet))),
        SheetForm::Markdown => rendered(found.sheet.markdown()),
        SheetForm::Html => rendered(found.sheet.html()),
    });
    Ok(Text::join(texts.collect::<Result<Vec<_>, _>>()?, "\n"))
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
        Failure::new(Exit::Usage, error).hint(match known.map(TenantHistory::overview) {
            None => format!("flowswap has no plan for it yet; make one: {}", status::plan_again(&[tenant])),
            Some(overview) => status::next_command(tenant, &overview)
                .map_or_else(|| SHOW_STATES.to_owned(), |next| format!("continue with: {next}")),
        })
    })
}

fn report<'a>(found: &Found<'a>) -> Report<'a> {
    let Question { step, direction, sheet, owner, since, deadline, claims, .. } = found.question;
    Report {
        tenant: found.tenant,
        step,
        direction: *direction,
        owner: owner.as_deref(),
        since: *since,
        deadline: *deadline,
        open: found.is_open,
        overdue: found.sheet.is_overdue(),
        sheet,
        secret: found.question.secret().map(|(_, handle)| handle),
        claims: claims.iter().map(|claim| Statement::claim(step, claim)).collect(),
    }
}

//! `flowswap sheet`: the run sheet of what a person is asked, or of what was done last, for whoever is to follow it.

use flowswap_contract::{Handle, RunSheet};
use flowswap_engine::{Clock, Direction, History, Question};
use jiff::Timestamp;
use serde::Serialize;

use super::{said::Said, status};
use crate::{
    args::{Format, SheetArgs, SheetForm},
    context::{Context, SystemClock, read_history},
    display::{
        sheet::{Page, html, markdown, secret, terminal},
        text::{Text, text},
    },
    exit::{Exit, Failure},
    fleet::select,
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
    /// Whether it is still asked, and not seen to be done.
    open: bool,
    overdue: bool,
    sheet: &'a RunSheet,
    /// The name of the secret that it has its reader paste.
    secret: Option<Handle>,
    claims: Vec<Said>,
}

pub(crate) async fn run(context: &Context, args: &SheetArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let tenant = &args.tenant.tenant;
    select(&config, std::slice::from_ref(tenant))?;
    let history = read_history(&config).await?;
    let (question, is_open) = sheet_at_hand(tenant, &history)?;
    let next = history.tenant(tenant).filter(|_| !is_open).and_then(|known| status::next(tenant, known));
    let page = Page { tenant, question, is_open, next, now: SystemClock.now() };
    let text = match (context.terminal.format, args.form) {
        (Format::Json, _) => Text::json(&report(&page)).map_err(Failure::at("write the report"))?,
        (Format::Human, SheetForm::Terminal) => terminal(&page),
        (Format::Human, SheetForm::Markdown) => markdown(&page),
        (Format::Human, SheetForm::Html) => html(&page),
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

/// What a person is asked for a tenant, or was and has done, which may have to be done again; and whether it is still asked.
pub(crate) fn sheet_at_hand<'a>(tenant: &str, history: &'a History) -> Result<(&'a Question, bool), Failure> {
    let work = history.tenant(tenant).and_then(|known| known.work.as_ref());
    match work.and_then(|work| work.sheet_at_hand().map(|question| (question, work.question.is_some()))) {
        Some(at_hand) => Ok(at_hand),
        None => open_question(tenant, history).map(|question| (question, true)),
    }
}

/// What a person is asked for a tenant; an error that says what is so where nobody is.
pub(crate) fn open_question<'a>(tenant: &str, history: &'a History) -> Result<&'a Question, Failure> {
    let known = history.tenant(tenant);
    known.and_then(|known| known.work.as_ref()?.question.as_ref()).ok_or_else(|| {
        let state = known.map_or(flowswap_engine::TenantState::Unplanned, |known| known.state);
        let error = format!("nothing is asked of a person for the tenant `{tenant}`, which is {state}");
        let next = known.and_then(|known| status::next(tenant, known));
        let hint =
            next.map_or_else(|| "`flowswap next` shows what waits for whom".to_owned(), |next| format!("next: {next}"));
        Failure::new(Exit::Usage, error).hint(hint)
    })
}

fn report<'a>(page: &Page<'a>) -> Report<'a> {
    let Question { step, direction, sheet, owner, since, deadline, claims, .. } = page.question;
    Report {
        tenant: page.tenant,
        step,
        direction: *direction,
        owner: owner.as_deref(),
        since: *since,
        deadline: *deadline,
        open: page.is_open,
        overdue: page.is_overdue(),
        sheet,
        secret: secret(sheet).map(|(_, handle)| handle),
        claims: claims.iter().map(|claim| Said::claim(step, claim)).collect(),
    }
}

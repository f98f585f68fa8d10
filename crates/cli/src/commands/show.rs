//! `flowswap show`: shows a plan file to a reviewer.

use flowswap_report::{Face, PlanReport};

use super::plan;
use crate::{
    args::{FaceName, ShowArgs},
    context::Context,
    display,
    exit::{Exit, Failure},
    report_files::ReportFiles,
};

pub(crate) fn run(context: &Context, args: &ShowArgs) -> Result<Exit, Failure> {
    let files = ReportFiles::prepare(&args.reports.reports, None, args.force)?;
    let plan = plan::read(&args.file.plan)?.into_plan();
    match args.face {
        Some(name) => {
            let text = Face::from(name).show(&PlanReport::of(&plan)).map_err(Failure::at("make the report"))?;
            context.terminal.stream_out(|out| out.write_all(text.as_bytes()))?;
        }
        None => context.terminal.report(&plan, || display::plan::show(&plan))?,
    }
    files.write(context.terminal, &plan)?;
    Ok(Exit::Done)
}

impl From<FaceName> for Face {
    fn from(name: FaceName) -> Self {
        match name {
            FaceName::Html => Self::Html,
            FaceName::Markdown => Self::Markdown,
            FaceName::Json => Self::Json,
            FaceName::Junit => Self::Junit,
        }
    }
}

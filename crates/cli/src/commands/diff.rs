//! `flowswap diff`: shows what differs between two plans to a reviewer who approved the old one.

use std::path::Path;

use flowswap_report::{PlanDifference, ReportKind};

use super::plan;
use crate::{
    args::DiffArgs,
    context::Context,
    display,
    exit::{Exit, Failure},
    report_files::{ReportFiles, print},
};

pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    if args.old == Path::new("-") && args.new == Path::new("-") {
        let failure = Failure::new(Exit::Usage, "both plans are to come from stdin");
        return Err(failure.hint("name a file for one of them"));
    }
    let files = ReportFiles::prepare(ReportKind::Difference, &args.faces.reports.reports, None, args.faces.force)?;
    let (old, new) = (plan::read(&args.old)?.into_plan(), plan::read(&args.new)?.into_plan());
    let difference = PlanDifference::of(&old, &new);
    match args.faces.face {
        Some(face) => print(terminal, face.into(), &difference)?,
        None => terminal.report(&difference, || display::difference::show(&difference, terminal.verbose > 0))?,
    }
    files.write(terminal, || difference)?;
    Ok(Exit::Done)
}

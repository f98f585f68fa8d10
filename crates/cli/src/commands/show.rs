//! `flowswap show`: shows a plan file to a reviewer.

use super::plan;
use crate::{
    args::PlanFile,
    context::Context,
    display,
    exit::{Exit, Failure},
};

pub(crate) fn run(context: &Context, file: &PlanFile) -> Result<Exit, Failure> {
    let plan = plan::read(&file.plan)?.into_plan();
    context.terminal.report(&plan, || display::plan::show(&plan))?;
    Ok(Exit::Done)
}

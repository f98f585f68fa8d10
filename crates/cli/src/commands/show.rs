//! `flowswap show`: a plan file as a reviewer reads it.

use super::plan;
use crate::{
    args::PlanFile,
    context::Context,
    display,
    exit::{Exit, Failure},
};

pub(crate) fn run(context: &Context, file: &PlanFile) -> Result<Exit, Failure> {
    let plan = plan::read(&file.plan)?;
    context.terminal.report(&plan, || display::plan::show(&plan))?;
    Ok(Exit::Done)
}

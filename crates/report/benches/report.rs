//! Makes the report of five thousand tenants in each of its faces. Planning is not measured.

use std::{
    error::Error,
    io::{self, Write},
    time::Instant,
};

use flowswap_report::{Face, PlanReport};

#[path = "../tests/it/fleet.rs"]
#[expect(clippy::unwrap_used, reason = "the fleet is the one of the tests")]
mod fleet;

const TENANTS: usize = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = fleet::plan(TENANTS - 5);
    let start = Instant::now();
    let report = PlanReport::of(&plan);
    writeln!(io::stdout(), "{TENANTS} tenants, {} classes: {:.2?}", report.classes.len(), start.elapsed())?;
    for (ending, face) in Face::ENDINGS {
        let start = Instant::now();
        let text = face.show(&report)?;
        writeln!(io::stdout(), "{ending}: {:.1} MB, {:.2?}", text.len() as f64 / 1e6, start.elapsed())?;
    }
    Ok(())
}

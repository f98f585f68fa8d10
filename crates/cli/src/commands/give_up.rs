//! Gives up what a run that was cut off should have done for tenants that it did not reach.

use flowswap_config::Config;
use flowswap_engine::{Entry, Goal, Recording, RunId};

use crate::{
    context::{Context, cannot_read, keep_snapshot, write_logbook},
    exit::Failure,
};

/// Records that nothing will continue these goals of these tenants.
pub(super) async fn give_up(context: &Context, config: &Config, unreached: &[(String, Goal)]) -> Result<(), Failure> {
    if unreached.is_empty() {
        return Ok(());
    }
    let logbook = write_logbook(context.terminal, config).await?;
    for (name, goal) in unreached {
        let recorder = logbook.recorder(name, RunId::generate()).await.map_err(cannot_read)?;
        let entry = Entry::GivenUp { goal: *goal, by: context.actor() };
        recorder.record(entry).await.map_err(Failure::at("record that you gave it up"))?;
    }
    keep_snapshot(config, &logbook);
    Ok(())
}

//! Starts a world: builds it, sets the clocks that are wrong, and makes the first syncs.

use crate::clock::Clock;
use crate::config::SimConfig;
use crate::falsify;
use crate::gateway::sync;
use crate::lock::lock;
use crate::state::State;
use crate::world::build;

/// Starts the world that the settings describe.
pub(crate) fn start(mut config: SimConfig) -> State {
    falsify::adjust_settings(&mut config);
    let clock = config.start.map_or_else(Clock::real, Clock::starting_at);
    let contents = build::build(&config, clock.start());
    let state = State::new(config, clock, contents);
    falsify::skew_clocks(&state);
    // A directory first shows the result of a real sync.
    for directory in &state.directories {
        let (mut directory, start) = (lock(directory), state.clock.start());
        sync::run(&state, &mut directory, start);
        directory.sync.applications_at = Some(start);
    }
    state
}

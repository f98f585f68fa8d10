//! The replay of all processes of a recording, side by side, as they ran.

use std::collections::BTreeMap;

use flowswap_host::RawPlugin;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    difference::{Difference, Place},
    line::Line,
    player::Player,
};

/// A replay. Every line of the recording goes through [`follow`](Self::follow), in order.
#[derive(Default)]
pub struct Replay {
    players: BTreeMap<u32, (Player, Option<Difference>)>,
}

/// What a replay showed of one process.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReplayedProcess {
    /// The number of the process in the recording.
    pub process: u32,
    /// How many messages of the build are as recorded. Messages for the operator are not compared.
    pub same: usize,
    /// How many messages the build sent after the last one of the recording, although the recording does not show whether the recorded
    /// process did so too.
    pub beyond: usize,
    /// How the build describes itself differently in its greeting. That is no difference by itself.
    pub greeting: Vec<Place>,
    /// The first message that is not as recorded. Nothing after it was compared.
    pub difference: Option<Difference>,
}

impl Replay {
    /// Lets this process of a build follow the lines of the process with this number.
    pub fn start(&mut self, process: u32, plugin: RawPlugin) {
        self.players.insert(process, (Player::new(plugin), None));
    }

    /// Sends what was sent, and compares what was received.
    pub async fn follow(&mut self, line: usize, entry: &Line) {
        let player = entry.process().and_then(|process| self.players.get_mut(&process));
        if let Some((player, difference @ None)) = player {
            *difference = player.follow(line, entry).await.err();
        }
    }

    /// Ends all processes. `line` is the last line of the recording.
    pub async fn finish(self, line: usize, is_complete: bool) -> Vec<ReplayedProcess> {
        let mut replayed = Vec::new();
        for (process, (mut player, mut difference)) in self.players {
            if difference.is_none() {
                difference = player.finish(line, is_complete).await.err();
            }
            let Player { same, beyond, greeting, .. } = player;
            replayed.push(ReplayedProcess { process, same, beyond, greeting, difference });
        }
        replayed
    }
}

//! A schedule: the events of one simulation, as a readable file that keeps its meaning when the generator changes.

use flowswap_sim::Scenario;
use serde::{Deserialize, Serialize};

/// A fleet, the moves of its operator, and the faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// What the schedule shows, in one sentence.
    #[serde(default)]
    pub(crate) about: String,
    /// A known violation that is not solved yet. Remove this once it is solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) violates: Option<String>,
    /// The goal at the end.
    pub(crate) end: End,
    pub(crate) fleet: Fleet,
    #[serde(rename = "move")]
    pub(crate) moves: Vec<Move>,
    #[serde(rename = "fault", default)]
    pub(crate) faults: Vec<Fault>,
}

/// The world, and the settings of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// Determines ids, secrets, orders, and latencies.
    pub(crate) seed: u32,
    pub(crate) tenants: Vec<Scenario>,
    pub(crate) app_data_every: usize,
    pub(crate) without_authorization_servers_every: usize,
    pub(crate) page_size: usize,
    /// How many tenants run at a time.
    pub(crate) concurrency: usize,
    /// How many seconds the clocks of all orgs are ahead of this machine's; negative for behind.
    #[serde(default)]
    pub(crate) orgs_ahead: i64,
    /// The same for the gateway's clock.
    #[serde(default)]
    pub(crate) gateway_ahead: i64,
}

/// The goal when the operator, after all moves, repeats the commands without faults until nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// Each tenant reaches its last goal.
    Forward,
    /// Everything is rolled back.
    Back,
}

/// A move of the operator or another person. An empty list of tenants means all tenants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Move {
    Plan,
    Apply,
    Rollback {
        #[serde(default)]
        tenants: Vec<String>,
    },
    Finalize,
    Purge,
    Wait {
        seconds: u64,
    },
    Person {
        tenant: String,
        change: Change,
    },
}

/// What another person changes without the operator's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// Deletes the service client that flowswap created.
    DeleteClient,
    /// Adds another service client of the same type.
    AddClient,
    /// Deactivates the legacy client.
    DeactivateLegacy,
    /// Adds another client of the authorization-code flow.
    AddLegacy,
    /// Renames the directory.
    RenameDirectory,
    /// Pauses the directory's syncs.
    PauseSyncs,
}

/// A fault at one point of one move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The move, counted from 0.
    #[serde(rename = "move")]
    pub(crate) on: usize,
    /// The tenant of the point; `None` for a point of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// The point: `request METHOD PATH`, `record TYPE STEP`, or `keep`, `fetch` or `forget` and a secret.
    pub(crate) at: String,
    /// How many visits of the point within the move come before the fault.
    #[serde(default)]
    pub(crate) nth: u32,
    pub(crate) what: FaultKind,
    /// At how many visits in a row the fault occurs.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(crate) times: u32,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultKind {
    /// The process dies before the operation.
    CrashBefore,
    /// The process dies after the operation, before it learns of the result.
    CrashAfter,
    /// The operator stops the run.
    Stop,
    /// The storage reports a failure, and the record or secret is not written.
    Fail,
    /// The storage reports a failure, although the record is written.
    FailAfter,
    /// The connection is refused.
    Refused,
    /// The connection is lost before the request is carried out.
    LostBefore,
    /// The connection is lost after the request was carried out.
    LostAfter,
    /// 500, and the request is not carried out.
    Failed,
    /// 500 after the request was carried out.
    FailedAfter,
    /// 503, and the request is not carried out.
    Unavailable,
    /// 503 after the request was carried out.
    UnavailableAfter,
    /// 429 with the time of the next window.
    Throttled,
    /// The request is not carried out, and no answer comes.
    HangBefore,
    /// The request is carried out, and no answer comes.
    HangAfter,
    /// The API refuses the request and does not carry it out.
    Forbidden,
    /// A proxy or load balancer answers 404, and the request is not carried out.
    Missing,
    /// A proxy or load balancer answers 404 after the request was carried out.
    MissingAfter,
    /// Only half of the answer arrives.
    Cut,
    /// The request is carried out half a minute later.
    Slow,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 20] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Stop,
        Self::Fail,
        Self::FailAfter,
        Self::Refused,
        Self::LostBefore,
        Self::LostAfter,
        Self::Failed,
        Self::FailedAfter,
        Self::Unavailable,
        Self::UnavailableAfter,
        Self::Throttled,
        Self::HangBefore,
        Self::HangAfter,
        Self::Forbidden,
        Self::Missing,
        Self::MissingAfter,
        Self::Cut,
        Self::Slow,
    ];

    pub(crate) fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Schedule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    pub(crate) fn render(&self) -> String {
        toml::to_string(self).unwrap()
    }

    /// The same schedule without one move and its faults.
    pub(crate) fn without_move(&self, index: usize) -> Self {
        let mut less = self.clone();
        less.moves.remove(index);
        less.faults.retain(|fault| fault.on != index);
        for fault in less.faults.iter_mut().filter(|fault| fault.on > index) {
            fault.on -= 1;
        }
        less
    }

    /// The same schedule without one fault.
    pub(crate) fn without_fault(&self, index: usize) -> Self {
        let mut less = self.clone();
        less.faults.remove(index);
        less
    }
}

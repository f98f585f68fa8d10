//! What happens in one simulation, as a file that a person can read and that keeps its meaning when the generator changes.

use flowswap_sim::Scenario;
use serde::{Deserialize, Serialize};

/// A fleet, what its operator does, and what goes wrong meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// What it shows, in a sentence.
    #[serde(default)]
    pub(crate) about: String,
    /// What it is known to violate: a problem that is not solved yet. Once it is, this goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) violates: Option<String>,
    /// Where things are to end.
    pub(crate) end: End,
    pub(crate) fleet: Fleet,
    #[serde(rename = "move")]
    pub(crate) moves: Vec<Move>,
    #[serde(rename = "fault", default)]
    pub(crate) faults: Vec<Fault>,
}

/// The world and how it is worked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    /// Ids, secrets, orders and latencies follow from it.
    pub(crate) seed: u32,
    pub(crate) tenants: Vec<Scenario>,
    pub(crate) app_data_every: usize,
    pub(crate) without_authorization_servers_every: usize,
    pub(crate) page_size: usize,
    /// Tenants at a time.
    pub(crate) concurrency: usize,
    /// How many seconds the clocks of all orgs are ahead of this machine's; negative for behind.
    #[serde(default)]
    pub(crate) orgs_ahead: i64,
    /// The same of the gateway's clock.
    #[serde(default)]
    pub(crate) gateway_ahead: i64,
}

/// After all moves the operator gives the same commands again, without faults, until nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// Each tenant where it was last sent.
    Forward,
    /// Everything taken back.
    Back,
}

/// What the operator, or another person, does. No tenants means all of them.
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

/// What a person does to a tenant behind the operator's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// Deletes the service client that we made.
    DeleteClient,
    /// Adds another service client of the same type.
    AddClient,
    /// Deactivates the legacy client.
    DeactivateLegacy,
    /// Adds another client of the authorization-code flow.
    AddLegacy,
    /// Gives the directory another name.
    RenameDirectory,
    /// Stops the directory's syncs for the time being.
    PauseSyncs,
}

/// Something goes wrong at one point of one move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The move, counted from 0.
    #[serde(rename = "move")]
    pub(crate) on: usize,
    /// Whose point; none for what belongs to the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// The point: `request METHOD PATH`, `record TYPE STEP`, or `keep`, `fetch` or `forget` and a secret.
    pub(crate) at: String,
    /// How many visits of the point within the move pass before.
    #[serde(default)]
    pub(crate) nth: u32,
    pub(crate) what: What,
    /// How many visits in a row it strikes.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(crate) times: u32,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// The process dies before it is done.
    CrashBefore,
    /// The process dies after it was done and before it learns of it.
    CrashAfter,
    /// The operator stops the run.
    Stop,
    /// A record or secret is not written, and the storage says so.
    Fail,
    /// A record is written, and the storage says that it is not.
    FailAfter,
    /// No connection comes about.
    Refused,
    /// The connection is lost before the request is carried out.
    LostBefore,
    /// The connection is lost after it was carried out.
    LostAfter,
    /// 500 without anything done.
    Failed,
    /// 500 after it was carried out.
    FailedAfter,
    /// 503 without anything done.
    Unavailable,
    /// 503 after it was carried out.
    UnavailableAfter,
    /// 429 with the time of the next window.
    Throttled,
    /// Nothing is done and no answer comes.
    HangBefore,
    /// It is carried out and no answer comes.
    HangAfter,
    /// The API refuses, and nothing is done.
    Forbidden,
    /// Something in between answers 404, and nothing is done.
    Missing,
    /// Something in between answers 404 after it was carried out.
    MissingAfter,
    /// Half of the answer comes.
    Cut,
    /// It is carried out half a minute later.
    Slow,
}

impl What {
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

    /// The same without one move and all that goes wrong in it.
    pub(crate) fn without_move(&self, index: usize) -> Self {
        let mut less = self.clone();
        less.moves.remove(index);
        less.faults.retain(|fault| fault.on != index);
        for fault in less.faults.iter_mut().filter(|fault| fault.on > index) {
            fault.on -= 1;
        }
        less
    }

    /// The same without one fault.
    pub(crate) fn without_fault(&self, index: usize) -> Self {
        let mut less = self.clone();
        less.faults.remove(index);
        less
    }
}

//! A client in use is never removed: directly before a client is deleted or deactivated, the directory is asked as which one it
//! is connected now. What the journal says, or a person, is no ground for it.
//!
//! The other side is asked, too. What a directory shows need not be what runs, and somebody else may be connected as the same client.

use std::time::Duration;

use flowswap_contract::{
    self as contract, Effect, ErrorKind, Handle, ObserveReply, Observed, Phase, Role, Step, Values,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{Pause, is_transient, is_unanswered, progress::Progress, tell};
use crate::{Direction, TenantState, compare};

/// Seconds before a look that failed is tried again.
const LOOK_WAITS_SECS: [u64; 3] = [1, 4, 15];

/// The longest that a look may take: what it shows is as old as its first request.
const FRESH: Duration = Duration::from_secs(15);

/// How many times a removal that the other side puts off is tried again: as often as a host sends other requests again.
pub(super) const MAX_PUT_OFFS: usize = 4;

/// A client that a step deletes or deactivates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The one that the migration made.
    Service,
    /// The one from before it.
    Legacy,
}

/// Which client is deleted or deactivated when the step is carried out, or taken back. Whatever removes one is named here.
pub(crate) fn removes(step: &Step, direction: Direction) -> Option<Client> {
    match (step.proposal.phase, direction) {
        (Phase::Retire | Phase::Purge, Direction::Forward) => Some(Client::Legacy),
        (Phase::Provision, Direction::Back) => Some(Client::Service),
        _ => None,
    }
}

/// Whether a try of a step that removes a client changed nothing, and the host would have sent it again later.
pub(super) fn is_put_off(step: &Step, direction: Direction, error: &contract::Error) -> bool {
    error.effect == Effect::None && removes(step, direction).is_some() && error.retry_after_ms.is_some()
}

impl Progress<'_> {
    /// Lets a step begin only if the client that it removes, if it removes one, is not in use.
    pub(super) async fn expect_unused(&self, step: &Step, direction: Direction) -> Result<(), Pause> {
        let Some(client) = removes(step, direction) else { return Ok(()) };
        let Some(swap) = self.planned.steps.iter().find(|step| step.proposal.phase == Phase::Swap).cloned() else {
            return self.expect_never_given(step, client);
        };
        let Some(shown) = self.expect_shown_unused(step, direction, &swap, client).await? else { return Ok(()) };
        if self.expect_borne_out(step, direction, &swap, client, shown).await? {
            // The other side may have taken its time, and the directory may have been connected meanwhile.
            self.expect_shown_unused(step, direction, &swap, client).await?;
        }
        Ok(())
    }

    /// Looks as which client the directory is connected now; with what was seen. None where that cannot be told, and the client is gone.
    async fn expect_shown_unused(
        &self,
        step: &Step,
        direction: Direction,
        swap: &Step,
        client: Client,
    ) -> Result<Option<Values>, Pause> {
        let why = match self.look_at_connection(swap, compare::seen_by(swap), Values::new()).await {
            Ok(reply) => match (client, reply.state) {
                (Client::Service, Observed::NotApplied) | (Client::Legacy, Observed::Applied) => {
                    return Ok(Some(reply.outputs));
                }
                (Client::Service, Observed::Unknown) if self.is_gone(step).await => return Ok(None),
                (Client::Service, Observed::Applied) => format!(
                    "the directory is connected as the new client ({}); put the connection from before back first, or stay with \
                     the new one",
                    reply.detail
                ),
                (Client::Legacy, Observed::NotApplied) => format!(
                    "the directory is not connected as the new client ({}); connect it first, or go back",
                    reply.detail
                ),
                (_, Observed::Partial | Observed::Unknown) => format!(
                    "as which client the directory is connected now cannot be told ({}); look at its connection, and try again{}",
                    reply.detail,
                    by_hand(client)
                ),
            },
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(self.stopped_before(step)),
            // Who deleted the directory may know what else uses the client; once that is deleted, nothing is left to take back.
            Err(error)
                if client == Client::Service && error.kind == ErrorKind::NotFound && self.is_gone(step).await =>
            {
                return Ok(None);
            }
            Err(error) => {
                let way_out = if error.kind == ErrorKind::NotFound { by_hand(client) } else { "" };
                let what = "as which client the directory is connected now could not be looked at";
                format!("{what}: {}{way_out}", tell(&error))
            }
        };
        Err(refused(step, direction, &why))
    }

    /// What one side shows, the other must have seen as well: until then the tenant waits. A side that cannot tell leaves it at the
    /// first one's word, a client that no directory was given is nobody's, and one that is gone is not in use. Before the legacy
    /// client is removed, `confirm` has just asked a directory that does not show its connection. Whether a side had to be asked.
    async fn expect_borne_out(
        &self,
        step: &Step,
        direction: Direction,
        swap: &Step,
        client: Client,
        shown: Values,
    ) -> Result<bool, Pause> {
        let work = self.work()?;
        let was_given =
            compare::said_of(work, swap).is_some() || work.may_have_arrived(&swap.id) || !work.handed_over.is_empty();
        let (role, wanted) = match (compare::seen_by(swap), client) {
            _ if !was_given => return Ok(false),
            (Role::Directory, Client::Service) => (Role::Provider, Observed::NotApplied),
            (Role::Directory, Client::Legacy) => (Role::Provider, Observed::Applied),
            (Role::Provider, Client::Service) => (Role::Directory, Observed::NotApplied),
            (Role::Provider, Client::Legacy) => return Ok(false),
        };
        let end = match self.look_at_connection(swap, role, shown).await {
            Ok(reply) if reply.state == wanted => return Ok(true),
            Ok(reply) => Pause::End(self.interrupted_state(), not_yet(client, &reply.detail)),
            Err(error) if error.kind == ErrorKind::Unsupported => return Ok(true),
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(self.stopped_before(step)),
            Err(error) if is_unanswered(error.kind) => {
                Pause::End(self.interrupted_state(), unanswered(client, role, &error))
            }
            // The same question gets the same answer.
            Err(error) => refused(
                step,
                direction,
                &format!("the {role} cannot tell who uses the client: {}{}", tell(&error), by_hand(client)),
            ),
        };
        if client == Client::Service && self.is_gone(step).await {
            return Ok(true);
        }
        Err(end)
    }

    /// Whether what the step made is not there any more. Its secrets are not handed over: to try one would look like a use.
    async fn is_gone(&self, step: &Step) -> bool {
        let Some(work) = self.history.work.as_ref() else { return false };
        let outputs = work.done.iter().filter(|done| done.id == step.id).flat_map(|done| &done.outputs);
        let secrets = outputs.filter(|(_, value)| Handle::from_value(value).is_some());
        let withheld = secrets.map(|(name, _)| (name.clone(), Value::Null)).collect();
        let seen = compare::observe(&self.tenant, work, step, step.role, withheld, self.run).await;
        seen.is_ok_and(|reply| reply.state == Observed::NotApplied)
    }

    fn stopped_before(&self, step: &Step) -> Pause {
        let reason = format!("stopped before it was known whether step `{}` removes a client in use", step.id);
        Pause::End(self.interrupted_state(), reason)
    }

    /// Where only a person said that the client is gone, the tenant is not taken back while the directory is connected as it.
    pub(super) async fn expect_left(&self) -> Result<(), Pause> {
        let swap = self.planned.steps.iter().find(|step| step.proposal.phase == Phase::Swap).cloned();
        let Some(swap) = swap.filter(|_| self.work().is_ok_and(|work| work.is_gone_on_word)) else { return Ok(()) };
        let seen = match self.look_at_connection(&swap, compare::seen_by(&swap), Values::new()).await {
            Ok(reply) if reply.state == Observed::NotApplied => return Ok(()),
            Ok(reply) => reply.detail,
            Err(error) if error.kind == ErrorKind::Interrupted => {
                return Err(Pause::End(
                    self.interrupted_state(),
                    "stopped before it was known whether all is taken back".into(),
                ));
            }
            Err(error) => format!("it could not be looked at: {}", tell(&error)),
        };
        let reason = format!(
            "the new client is said to be gone, and the directory is not seen to be connected as before: {seen}"
        );
        Err(Pause::End(TenantState::Stuck, reason))
    }

    /// Without a swap no directory was given the new client, unless a person took its secret; and nothing shows that any
    /// directory could do without the legacy one.
    fn expect_never_given(&self, step: &Step, client: Client) -> Result<(), Pause> {
        let why = match client {
            Client::Service if self.work()?.handed_over.is_empty() => return Ok(()),
            Client::Service => "a person has its secret, and the plan has no step that shows whether it is in use",
            Client::Legacy => "the plan has no step that shows whether the directory does without it",
        };
        let direction = if client == Client::Service { Direction::Back } else { Direction::Forward };
        Err(refused(step, direction, why))
    }

    /// Looks as which client the directory is connected. A look that took long shows what was, and is made again.
    async fn look_at_connection(&self, swap: &Step, role: Role, said: Values) -> Result<ObserveReply, contract::Error> {
        let Some(work) = self.history.work.as_ref() else {
            return Err(contract::Error::new(ErrorKind::Internal, "nothing was begun"));
        };
        let mut waits = LOOK_WAITS_SECS.iter();
        loop {
            let begun = Instant::now();
            let error = match compare::observe(&self.tenant, work, swap, role, said.clone(), self.run).await {
                Ok(reply) if begun.elapsed() <= FRESH => return Ok(reply),
                Ok(_) => {
                    let message = format!("each look took longer than {} seconds", FRESH.as_secs());
                    contract::Error::new(ErrorKind::TimedOut, message)
                }
                Err(error) => error,
            };
            let Some(seconds) = waits.next().filter(|_| is_transient(error.kind)) else { return Err(error) };
            self.pause(Duration::from_secs(*seconds)).await?;
        }
    }
}

fn refused(step: &Step, direction: Direction, why: &str) -> Pause {
    let done = match direction {
        Direction::Forward => "carried out",
        Direction::Back => "taken back",
    };
    Pause::End(TenantState::Stuck, format!("step `{}` was not {done}, and nothing was removed: {why}", step.id))
}

/// What leads on where the client cannot be seen to be unused; the legacy one is not in the way.
fn by_hand(client: Client) -> &'static str {
    match client {
        Client::Service => {
            ". Once you know that nothing uses the new client, delete it yourself: the same command then ends the way back"
        }
        Client::Legacy => "",
    }
}

fn not_yet(client: Client, seen: &str) -> String {
    match client {
        Client::Service => format!(
            "the connection from before is back; the new client is deleted once its tokens have expired and two tokens of the \
             legacy client were seen ({seen}). Roll back again then{}",
            by_hand(client)
        ),
        Client::Legacy => {
            format!("the legacy client stays until its tokens have expired ({seen}). Finalize again then")
        }
    }
}

fn unanswered(client: Client, role: Role, error: &contract::Error) -> String {
    let (done, again) = match client {
        Client::Service => ("the connection from before is back, and the new client stays", "Roll back"),
        Client::Legacy => ("the legacy client stays", "Finalize"),
    };
    format!("{done}: the {role} could not be asked who uses it: {}. {again} again then{}", tell(error), by_hand(client))
}

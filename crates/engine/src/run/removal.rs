//! Guards the removal of clients: a client in use is never removed. Directly before a client is deleted or deactivated, the
//! directory is asked which client it uses now. Neither the journal nor a person's claim is enough.
//!
//! The other side is asked too. What a directory shows may differ from what runs, and somebody else may use the same client.

use std::time::Duration;

use flowswap_contract::{
    self as contract, Effect, ErrorKind, Handle, ObserveReply, Observed, Op, Phase, Role, Step, Values,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{EarlyEnd, is_transient, is_unanswered, progress::Progress, with_hint};
use crate::{Direction, Mode, TenantState, compare};

/// Seconds before a check that failed is tried again.
const LOOK_WAITS_SECS: [u64; 3] = [1, 4, 15];

/// The longest that a check may take, because its result is as old as its first request.
const FRESH: Duration = Duration::from_secs(15);

/// How often a removal is tried again that the other side postponed. The host sends other requests again as often.
pub(super) const MAX_PUT_OFFS: usize = 4;

/// A client that a step deletes or deactivates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// The client that the migration made.
    Service,
    /// The client from before the migration.
    Legacy,
}

/// Which client is deleted or deactivated when the step is carried out or rolled back. Every step that removes a client must
/// be listed here.
pub(super) fn removes(step: &Step, direction: Direction) -> Option<Client> {
    match (step.proposal.phase, direction) {
        (Phase::Retire | Phase::Purge, Direction::Forward) => Some(Client::Legacy),
        (Phase::Provision, Direction::Back) => Some(Client::Service),
        _ => None,
    }
}

impl Mode {
    /// The mode for a call of this verb.
    pub fn of(op: Op, step: Option<&Step>) -> Self {
        let in_direction = |direction| step.is_some_and(|step| removes(step, direction).is_some());
        match op {
            Op::Apply if in_direction(Direction::Forward) => Self::Remove,
            Op::Undo if in_direction(Direction::Back) => Self::Remove,
            Op::Apply | Op::Undo => Self::Apply,
            Op::Test if step.is_some() => Self::Apply,
            Op::Detect | Op::Plan | Op::Observe | Op::Test => Self::DryRun,
        }
    }
}

/// Whether an attempt to remove a client changed nothing and can be repeated later.
pub(super) fn is_put_off(step: &Step, direction: Direction, error: &contract::Error) -> bool {
    error.effect == Effect::None && removes(step, direction).is_some() && error.retry_after_ms.is_some()
}

impl Progress<'_> {
    /// Refuses a step that would remove a client in use.
    pub(super) async fn expect_unused(&self, step: &Step, direction: Direction) -> Result<(), EarlyEnd> {
        let Some(client) = removes(step, direction).filter(|_| !self.rotates()) else { return Ok(()) };
        let Some(swap) = self.planned.steps.iter().find(|step| step.proposal.phase == Phase::Swap).cloned() else {
            return self.expect_never_given(step, client);
        };
        let Some(shown) = self.expect_shown_unused(step, direction, &swap, client).await? else { return Ok(()) };
        if self.expect_other_side_agrees(step, direction, &swap, client, shown).await? {
            // Checks the directory again: it may have been connected while the other side answered.
            self.expect_shown_unused(step, direction, &swap, client).await?;
        }
        Ok(())
    }

    /// Checks that the directory does not use the client now. Returns the outputs of the observation, or `None` if the client is
    /// already gone and the directory's connection is unknown.
    async fn expect_shown_unused(
        &self,
        step: &Step,
        direction: Direction,
        swap: &Step,
        client: Client,
    ) -> Result<Option<Values>, EarlyEnd> {
        let why = match self.observe_connection(swap, compare::seen_by(swap), Values::new()).await {
            Ok(reply) => match (client, reply.state) {
                (Client::Service, Observed::NotApplied) | (Client::Legacy, Observed::Applied) => {
                    return Ok(Some(reply.outputs));
                }
                (Client::Service, Observed::Unknown) if self.is_gone(step).await => return Ok(None),
                (Client::Service, Observed::Applied) => format!(
                    "the directory uses the new client ({}); restore the previous connection first, or keep the new client",
                    reply.detail
                ),
                (Client::Legacy, Observed::NotApplied) => format!(
                    "the directory does not use the new client ({}); reconnect it with the new client first, or roll back",
                    reply.detail
                ),
                (_, Observed::Partial | Observed::Unknown) => format!(
                    "flowswap cannot tell which client the directory uses now ({}); check its connection in the console, and run \
                     the same command again{}",
                    reply.detail,
                    manual_way_out(client)
                ),
            },
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(self.stopped_before(step)),
            // The directory is deleted. Only the person who deleted it may know what else uses the client. If the client is
            // deleted too, nothing is left to roll back.
            Err(error)
                if client == Client::Service && error.kind == ErrorKind::NotFound && self.is_gone(step).await =>
            {
                return Ok(None);
            }
            Err(error) => {
                let way_out = if error.kind == ErrorKind::NotFound { manual_way_out(client) } else { "" };
                let what = "flowswap could not check which client the directory uses now";
                let why = format!("{what}: {}{way_out}", with_hint(&error));
                return Err(refused(step, direction, &why).caused_by(self.cause_of(compare::seen_by(swap), &error)));
            }
        };
        Err(refused(step, direction, &why))
    }

    /// Requires that the other side agrees that the client is not in use. Until then the tenant waits. Three exceptions: the
    /// other side does not support the question, no directory was ever given the client, or the client is already gone. Before
    /// the legacy client is removed, `confirm` has just asked a directory that does not show its connection. Returns whether
    /// the other side was asked.
    async fn expect_other_side_agrees(
        &self,
        step: &Step,
        direction: Direction,
        swap: &Step,
        client: Client,
        shown: Values,
    ) -> Result<bool, EarlyEnd> {
        let work = self.work()?;
        let was_given = compare::recorded_state(&work, swap).is_some()
            || work.may_have_arrived(&swap.id)
            || !work.handed_over.is_empty();
        let (role, wanted) = match (compare::seen_by(swap), client) {
            _ if !was_given => return Ok(false),
            (Role::Directory, Client::Service) => (Role::Provider, Observed::NotApplied),
            (Role::Directory, Client::Legacy) => (Role::Provider, Observed::Applied),
            (Role::Provider, Client::Service) => (Role::Directory, Observed::NotApplied),
            (Role::Provider, Client::Legacy) => return Ok(false),
        };
        let end = match self.observe_connection(swap, role, shown).await {
            Ok(reply) if reply.state == wanted => return Ok(true),
            Ok(reply) => EarlyEnd::InState(self.interrupted_state(), not_yet(client, &reply.detail)),
            Err(error) if error.kind == ErrorKind::Unsupported => return Ok(true),
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(self.stopped_before(step)),
            Err(error) if is_unanswered(error.kind) => {
                EarlyEnd::InState(self.interrupted_state(), unanswered(client, role, &error))
            }
            // Asking again would give the same answer.
            Err(error) => refused(
                step,
                direction,
                &format!("the {role} cannot tell who uses the client: {}{}", with_hint(&error), manual_way_out(client)),
            )
            .caused_by(self.cause_of(role, &error)),
        };
        if client == Client::Service && self.is_gone(step).await {
            return Ok(true);
        }
        Err(end)
    }

    /// Whether the client that the step made is gone. Its secrets are withheld, because trying one would look like a use.
    async fn is_gone(&self, step: &Step) -> bool {
        let Ok(work) = self.work() else { return false };
        let outputs = work.done.iter().filter(|done| done.id == step.id).flat_map(|done| done.outputs.iter());
        let secrets = outputs.filter(|(_, value)| Handle::from_value(value).is_some());
        let withheld = secrets.map(|(name, _)| (name.clone(), Value::Null)).collect();
        let seen = compare::observe(&self.tenant, &work, step, step.role, withheld, self.run).await;
        seen.is_ok_and(|reply| reply.state == Observed::NotApplied)
    }

    fn stopped_before(&self, step: &Step) -> EarlyEnd {
        let reason = format!("stopped before flowswap knew whether step `{}` removes a client in use", step.id);
        EarlyEnd::InState(self.interrupted_state(), reason)
    }

    /// If only a person said that the new client is gone, requires that the directory uses its previous connection again.
    pub(super) async fn expect_directory_restored(&self) -> Result<(), EarlyEnd> {
        let swap = self.planned.steps.iter().find(|step| step.proposal.phase == Phase::Swap).cloned();
        let Some(swap) = swap.filter(|_| self.work().is_ok_and(|work| work.is_gone_by_claim)) else { return Ok(()) };
        let seen = match self.observe_connection(&swap, compare::seen_by(&swap), Values::new()).await {
            Ok(reply) if reply.state == Observed::NotApplied => return Ok(()),
            Ok(reply) => reply.detail,
            Err(error) if error.kind == ErrorKind::Interrupted => {
                return Err(EarlyEnd::InState(
                    self.interrupted_state(),
                    "stopped before flowswap knew whether everything is rolled back".into(),
                ));
            }
            Err(error) => format!("the check failed: {}", with_hint(&error)),
        };
        let reason = format!(
            "a person said that the new client is gone, but flowswap does not see the previous connection: {seen}"
        );
        Err(EarlyEnd::InState(TenantState::Stuck, reason))
    }

    /// The check for a plan without a swap. Then no directory was given the new client, unless a person received its secret. And
    /// nothing shows that the directory works without the legacy client.
    fn expect_never_given(&self, step: &Step, client: Client) -> Result<(), EarlyEnd> {
        let why = match client {
            Client::Service if self.work()?.handed_over.is_empty() => return Ok(()),
            Client::Service => "a person has its secret, and no step of the plan shows whether the client is in use",
            Client::Legacy => "no step of the plan shows whether the directory works without it",
        };
        let direction = if client == Client::Service { Direction::Back } else { Direction::Forward };
        Err(refused(step, direction, why))
    }

    /// Observes which client the directory uses. Repeats an observation that took too long, because its result is outdated.
    async fn observe_connection(&self, swap: &Step, role: Role, said: Values) -> Result<ObserveReply, contract::Error> {
        let Ok(work) = self.work() else {
            return Err(contract::Error::new(ErrorKind::Internal, "no work was started"));
        };
        let mut waits = LOOK_WAITS_SECS.iter();
        loop {
            let started = Instant::now();
            let error = match compare::observe(&self.tenant, &work, swap, role, said.clone(), self.run).await {
                Ok(reply) if started.elapsed() <= FRESH => return Ok(reply),
                Ok(_) => {
                    let message = format!("each check took longer than {} seconds", FRESH.as_secs());
                    contract::Error::new(ErrorKind::TimedOut, message)
                }
                Err(error) => error,
            };
            let Some(seconds) = waits.next().filter(|_| is_transient(error.kind)) else { return Err(error) };
            self.pause(Duration::from_secs(*seconds)).await?;
        }
    }
}

fn refused(step: &Step, direction: Direction, why: &str) -> EarlyEnd {
    let done = match direction {
        Direction::Forward => "carried out",
        Direction::Back => "rolled back",
    };
    EarlyEnd::InState(TenantState::Stuck, format!("step `{}` was not {done}, and nothing was removed: {why}", step.id))
}

/// What a person can do if flowswap cannot see that the client is unused. A legacy client can simply stay.
fn manual_way_out(client: Client) -> &'static str {
    match client {
        Client::Service => {
            ". If you know that nothing uses the new client, delete it yourself; the same command then finishes the rollback"
        }
        Client::Legacy => "",
    }
}

fn not_yet(client: Client, seen: &str) -> String {
    match client {
        Client::Service => format!(
            "the previous connection is back. The new client stays until its tokens have expired and the legacy client has \
             received two tokens. Then run the same command again{}. Seen so far: {seen}",
            manual_way_out(client)
        ),
        Client::Legacy => {
            format!(
                "the legacy client stays until its tokens have expired. Then run the same command again. Seen so far: {seen}"
            )
        }
    }
}

fn unanswered(client: Client, role: Role, error: &contract::Error) -> String {
    let (done, again) = match client {
        Client::Service => ("the previous connection is back, but the new client stays", "Roll back"),
        Client::Legacy => ("the legacy client stays", "Finalize"),
    };
    format!(
        "{done}: flowswap could not ask the {role} who uses it: {}. {again} again later{}",
        with_hint(error),
        manual_way_out(client)
    )
}

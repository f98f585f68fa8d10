//! Runs many tenants at once. A tenant that fails does not delay the others. Too many failures stop the run.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};

use super::{Goal, Job, Outcome, Runner, clocks, progress::Progress, with_hint};
use crate::{Direction, Draft, Entry, Event, JournalError, RunCommand, RunScope, Seen, TenantState, Work};

/// How many tenants run at once, and how many failures are too many.
#[derive(Debug, Clone, Copy)]
pub struct FleetLimits {
    /// The most tenants that run at the same time.
    pub concurrency: usize,
    /// Once this many tenants have failed or are stuck, no further tenant starts.
    pub max_failures: usize,
}

/// The result of a run.
#[derive(Debug)]
pub struct Summary {
    /// Every tenant, in the order of the jobs.
    pub outcomes: Vec<(String, Outcome)>,
    /// The operator stopped it.
    pub interrupted: bool,
}

impl Runner {
    /// Runs all jobs. An error means that the journal failed. Then only what was recorded is certain.
    pub async fn run(&self, command: RunCommand, jobs: Vec<Job>, limits: FleetLimits) -> Result<Summary, JournalError> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let scope = jobs.first().map(|job| RunScope {
            goal: job.goal,
            plan_path: self.plan_path.clone(),
            tenants: jobs.iter().map(|job| job.tenant.spec.name.clone()).collect(),
        });
        self.record_run(Entry::RunStarted { command, version, scope }).await?;
        self.ports.events.emit(Event::RunStarted { run: self.run, tenants: jobs.len() });
        let failures = AtomicUsize::new(0);
        let work = stream::iter(jobs.into_iter().enumerate()).map(|(index, job)| {
            let failures = &failures;
            async move {
                let name = job.tenant.spec.name.clone();
                let outcome = self.run_within(job, limits, failures).await?;
                self.ports.events.emit(ended(&name, &outcome));
                Ok::<_, JournalError>((index, name, outcome))
            }
        });
        let results: Vec<_> = work.buffer_unordered(limits.concurrency.max(1)).collect().await;
        let mut outcomes = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        outcomes.sort_by_key(|(index, ..)| *index);
        let interrupted = self.ports.stop.is_stopped();
        self.record_run(Entry::RunEnded { interrupted }).await?;
        Ok(Summary { outcomes: outcomes.into_iter().map(|(_, name, outcome)| (name, outcome)).collect(), interrupted })
    }

    async fn run_within(&self, job: Job, limits: FleetLimits, failures: &AtomicUsize) -> Result<Outcome, JournalError> {
        if self.ports.stop.is_stopped() {
            return Ok(stopped());
        }
        if failures.load(Ordering::Relaxed) >= limits.max_failures {
            return Ok(Outcome::Skipped {
                reason: format!("failed or stuck tenants have reached the limit of {}", limits.max_failures),
            });
        }
        let outcome = self.run_job(job).await?;
        if let Outcome::Ended { state: TenantState::Failed | TenantState::Stuck, .. } = outcome {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        Ok(outcome)
    }

    async fn run_job(&self, job: Job) -> Result<Outcome, JournalError> {
        if let Some(refusal) = self.refuse(&job).await {
            // An inspection that was stopped says nothing about the tenant.
            return Ok(if self.ports.stop.is_stopped() { stopped() } else { refusal });
        }
        let goal = job.goal;
        let mut progress = Progress::start(&self.ports, self.run, job).await?;
        let end = match goal.last_phase() {
            Some(phase) => progress.go_forward(phase).await,
            None => progress.roll_back().await,
        };
        let (state, reason) = match end {
            Ok(state) => (state, None),
            Err(super::EarlyEnd::InState(state, reason)) => (state, Some(reason)),
            Err(super::EarlyEnd::Journal(error)) => return Err(error),
        };
        progress.finish(state, reason.clone()).await?;
        Ok(Outcome::Ended { state, reason })
    }

    /// Why a job must not start, if so.
    async fn refuse(&self, job: &Job) -> Option<Outcome> {
        match refuse_by_history(job) {
            Some(change) => Some(Outcome::Refused { changes: vec![change] }),
            None if is_untouched(job) => self.refuse_if_changed(job).await,
            None if matches!(job.goal, Goal::Retired | Goal::Purged) => self.refuse_finalize(job).await,
            None if job.accept_changes => None,
            None => refuse_by_config(job),
        }
    }

    /// Refuses if the configuration changed or the clocks disagree: confirmations compare times of both sides.
    async fn refuse_finalize(&self, job: &Job) -> Option<Outcome> {
        if let Some(refusal) = refuse_by_config(job).filter(|_| !job.accept_changes) {
            return Some(refusal);
        }
        // Inspects only to see the clocks of both sides. The confirmations judge everything else.
        job.tenant.inspect().await;
        let change = clocks::disagreement(&job.tenant)?;
        Some(Outcome::Refused { changes: vec![change] })
    }

    /// Refuses if anything changed since the plan was made. For a tenant that flowswap has not changed yet.
    async fn refuse_if_changed(&self, job: &Job) -> Option<Outcome> {
        let refused = |change: String| Some(Outcome::Refused { changes: vec![change] });
        if let Some(ahead) =
            self.plan_made_at.and_then(|made_at| clocks::from_the_future(made_at, self.ports.clock.now()))
        {
            return refused(ahead);
        }
        if let Some(expiry) = job.not_after.filter(|expiry| self.ports.clock.now() > *expiry) {
            return refused(format!("the plan expired at {expiry}"));
        }
        let Some(before) = &job.planned.seen else {
            return refused("the plan does not record what was seen".to_owned());
        };
        let sides = job.tenant.inspect().await;
        let now = match (sides.provider, sides.directory) {
            (Ok(provider), Ok(directory)) => Seen::new(&job.tenant.spec, provider, directory),
            (Err(error), _) => return refused(format!("could not read the provider again: {}", with_hint(&error))),
            (_, Err(error)) => return refused(format!("could not read the directory again: {}", with_hint(&error))),
        };
        match now {
            Ok(now) => {
                let changes = before.changes_to(&now);
                (!changes.is_empty()).then_some(Outcome::Refused { changes })
            }
            Err(error) => refused(error.to_string()),
        }
    }

    async fn record_run(&self, entry: Entry) -> Result<(), JournalError> {
        let draft = Draft { at: self.ports.clock.now(), run: self.run, tenant: None, entry };
        self.ports.journal.append(draft).await.map(drop)
    }
}

/// Why the journal does not allow the job, if so.
fn refuse_by_history(job: &Job) -> Option<String> {
    let forward = job.goal.last_phase().is_some();
    let history = job.history.as_ref();
    let why = match history.and_then(|history| history.work.as_ref()) {
        Some(work) if work.plan != job.plan => {
            "another plan is in progress: continue with that plan, or roll the tenant back first"
        }
        Some(_) if forward && history.is_some_and(|history| history.direction == Direction::Back) => {
            "the tenant is being rolled back: finish the rollback first"
        }
        Some(_) => return None,
        None if !forward => "there is nothing to roll back",
        None if history.is_some_and(|history| history.taken_back.contains(&job.plan)) => {
            "the tenant was rolled back after this plan was made: plan it again"
        }
        None => return None,
    };
    Some(why.to_owned())
}

/// Whether a forward job has certainly changed nothing yet.
fn is_untouched(job: &Job) -> bool {
    let work = job.history.as_ref().and_then(|history| history.work.as_ref());
    let touched = |work: &Work| work.doubt.is_some() || work.done.iter().any(|done| work.changes_something(&done.id));
    job.goal.last_phase().is_some() && !work.is_some_and(touched)
}

/// Refuses a changed configuration: with it, the job could reach another org and conclude that nothing is left to do.
fn refuse_by_config(job: &Job) -> Option<Outcome> {
    match job.planned.seen.as_ref()?.config_changes(&job.tenant.spec) {
        Ok(changes) if changes.is_empty() => None,
        Ok(changes) => Some(Outcome::Refused { changes }),
        Err(error) => Some(Outcome::Refused { changes: vec![error.to_string()] }),
    }
}

fn stopped() -> Outcome {
    Outcome::Skipped { reason: "the run was stopped".to_owned() }
}

fn ended(tenant: &str, outcome: &Outcome) -> Event {
    match outcome {
        Outcome::Ended { state, reason } => {
            Event::TenantEnded { tenant: tenant.to_owned(), state: *state, reason: reason.clone() }
        }
        Outcome::Refused { changes } => Event::TenantRefused { tenant: tenant.to_owned(), changes: changes.clone() },
        Outcome::Skipped { reason } => Event::TenantSkipped { tenant: tenant.to_owned(), reason: reason.clone() },
    }
}

//! Runs many tenants at once. A tenant that fails does not delay the others. Too many failures stop the run.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Approval, Cause, EarlyEnd, Ending, FleetLimits, Halt, Job, Outcome, Runner, Unreachable,
    admission::{Admission, Candidate},
    progress::Progress,
    refuse::{already_done, refuse_by_history, refuse_unapproved},
};
use crate::{
    Entry, Event, Goal, JournalError, OutcomeCount, Recorder, Recording, RunCommand, RunOutcome, TenantHistory,
    TenantState, side_by_side::through_gate,
};

/// The result of a run.
#[derive(Debug)]
pub struct Summary {
    /// Every tenant, in the order of the jobs.
    pub outcomes: Vec<(String, Outcome)>,
    /// How each of them counts, in the same order.
    pub endings: Vec<Ending>,
    /// Why tenants were not started because of what happened to others, in the order in which that came up.
    pub halts: Vec<Halt>,
    /// The operator stopped it.
    pub interrupted: bool,
}

impl Runner {
    /// Runs all jobs. Takes them one by one, and does not keep their parts of a plan: the journal has these. An error means that
    /// the journal failed. Then only what was recorded is certain.
    pub async fn run(
        &self,
        command: RunCommand,
        jobs: impl IntoIterator<Item = Job, IntoIter: ExactSizeIterator>,
        limits: FleetLimits,
    ) -> Result<Summary, JournalError> {
        let jobs = jobs.into_iter();
        let by = Some(self.ports.actor.clone());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let approvals = self.approvals.clone();
        self.ports.logbook.begin_run(self.run, Entry::RunStarted { command, version, by, scope: None, approvals });
        self.ports.events.emit(Event::RunStarted { run: self.run, tenants: jobs.len() });
        let mut refused = Vec::new();
        for Unreachable { tenant, goal, reason } in self.unreachable.iter().cloned() {
            let recorder = self.ports.logbook.recorder(&tenant, self.run).await?;
            let outcome = Outcome::Refused { changes: vec![reason] };
            self.record_refusal(&recorder, goal, &outcome).await?;
            refused.push((tenant, outcome));
        }
        let intending = stream::iter(jobs.map(|job| self.record_intent(job)));
        let jobs: Vec<Job> = intending.buffered(INTENTS_AT_ONCE).try_collect().await?;
        let admission = Arc::new(Admission::new(&self.ports, limits, jobs.len(), command));
        if let Some(narrowed) = admission.narrows(jobs.len()) {
            self.ports.events.emit(narrowed);
        }
        let works = jobs.into_iter().map(|job| {
            let (runner, admission) = (self.clone(), Arc::clone(&admission));
            admission.begin_one();
            async move { runner.run_admitted(job, &admission).await }
        });
        let ended = through_gate(works, &*admission).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let refused = refused.into_iter().map(|(name, outcome)| Ended { name, outcome, cause: None, was_done: false });
        let ended: Vec<_> = ended.into_iter().chain(refused).collect();
        let (interrupted, outcomes) = (self.ports.stop.is_stopped(), count(&ended));
        self.ports.logbook.end_run(self.run, Entry::RunEnded { interrupted, outcomes }).await?;
        Ok(Summary {
            endings: ended.iter().map(Ended::ending).collect(),
            outcomes: ended.into_iter().map(|ended| (ended.name, ended.outcome)).collect(),
            halts: admission.halts(),
            interrupted,
        })
    }

    /// Records what the run is going to do, before it does anything, so that a run that is cut off can be continued. For tenants
    /// that only wait, this is recorded with the first thing that is news.
    async fn record_intent(&self, mut job: Job) -> Result<Job, JournalError> {
        let known = self.ports.logbook.overview(&job.tenant.spec.name);
        if known.is_some_and(|known| known.only_waits_for(job.goal)) {
            return Ok(job);
        }
        let recorder = self.ports.logbook.recorder_of(&job.tenant, self.run).await?;
        let history = recorder.history()?;
        if let Some(intent) = intent(&job, &history).filter(|_| !history.waits_for(job.goal)) {
            recorder.record(intent).await?;
            if job.goal == Goal::Swapped {
                // The journal has it now, so a fleet needs as much memory as it has tenants at work.
                job.part = None;
            }
        }
        Ok(job)
    }

    /// Runs a job, unless tenants before it were reason enough not to, and counts its end.
    async fn run_admitted(&self, job: Job, admission: &Admission) -> Result<Ended, JournalError> {
        let name = job.tenant.spec.name.clone();
        tokio::select! {
            biased;
            () = self.ports.stop.stopped() => {}
            _turn = self.ports.turns.take() => {}
        }
        let recorder = self.ports.logbook.recorder_of(&job.tenant, self.run).await?;
        let history = recorder.history()?;
        let candidate = Candidate::new(&job.tenant.spec, job.basis(&history).map(|basis| &**basis.tenant));
        let was_done = job.work_of(&history).is_some() && history.is_done_for(job.goal);
        let skipped = if self.ports.stop.is_stopped() {
            Some(STOPPED.to_owned())
        } else {
            admission.refusal(&candidate).map(|halt| halt.to_string())
        };
        let ended = if let Some(reason) = skipped {
            let done = already_done(&job, &history);
            let done = done.or_else(|| was_done.then_some(Outcome::Ended { state: history.state, reason: None }));
            drop(history);
            let was_done = done.is_some();
            let outcome = match done {
                Some(done) => done,
                None => self.skip(&recorder, job.goal, reason).await?,
            };
            Ended { name, outcome, cause: None, was_done }
        } else {
            drop(history);
            let (outcome, cause) = self.run_job(job, recorder).await?;
            Ended { name, outcome, cause, was_done }
        };
        self.ports.events.emit(tell(&ended));
        admission.count(candidate, ended.ending(), ended.cause.clone());
        Ok(ended)
    }

    /// Records why the run does nothing for a tenant. The same reason as before leaves no record, unless this run had said that it would
    /// work on the tenant.
    async fn record_refusal(&self, recorder: &Recorder, goal: Goal, outcome: &Outcome) -> Result<(), JournalError> {
        let (reasons, unapproved, unread) = match outcome {
            Outcome::Refused { changes } => (changes.clone(), false, false),
            Outcome::Unapproved { reason } => (vec![reason.clone()], true, false),
            Outcome::Unread { reason } => (vec![reason.clone()], false, true),
            Outcome::Ended { .. } | Outcome::Unneeded { .. } | Outcome::Skipped { .. } => return Ok(()),
        };
        let is_known = {
            let history = recorder.history()?;
            let is_intended = history.intent.as_ref().is_some_and(|intent| intent.run == self.run);
            !is_intended && history.has_refusal(goal, &reasons, false)
        };
        if !is_known {
            recorder.record(Entry::Refused { goal, reasons, unapproved, unread }).await?;
        }
        Ok(())
    }

    /// How the job ended, and the cause of a failure or a refusal that other tenants may share.
    async fn run_job(&self, mut job: Job, recorder: Arc<Recorder>) -> Result<(Outcome, Option<Cause>), JournalError> {
        // What is read of both sides is what the plan was made of.
        let rotation = job.basis(&*recorder.history()?).and_then(|basis| basis.tenant.rotation.clone());
        job.tenant.spec.rotation = rotation;
        if let Some((outcome, cause)) = self.refuse(&job, &*recorder.history()?).await {
            let outcome = match outcome {
                // An inspection that was stopped says nothing about the tenant.
                Outcome::Unread { .. } | Outcome::Refused { .. } if self.ports.stop.is_stopped() => {
                    self.skip(&recorder, job.goal, STOPPED.to_owned()).await
                }
                outcome => self.record_refusal(&recorder, job.goal, &outcome).await.map(|()| outcome),
            };
            return Ok((outcome?, cause));
        }
        let goal = job.goal;
        let history = recorder.history()?;
        if job.work_of(&history).is_some() && history.has_nothing_left_for(goal) {
            return Ok((Outcome::Ended { state: history.state, reason: None }, None));
        }
        let is_recorded = history.intent.as_ref().is_some_and(|recorded| recorded.run == self.run);
        if let Some(intent) = intent(&job, &history).filter(|_| !is_recorded) {
            recorder.record(intent).await?;
        }
        drop(history);
        let mut progress = Progress::start(&self.ports, self.run, job, recorder).await?;
        let end = match goal.last_phase() {
            Some(phase) => progress.go_forward(phase).await,
            None => progress.roll_back().await,
        };
        let (state, reason, cause) = match end {
            Ok(state) => (state, None, None),
            Err(EarlyEnd::InState(state, reason)) => (state, Some(reason), None),
            Err(EarlyEnd::Caused(state, reason, cause)) => (state, Some(reason), Some(*cause)),
            Err(EarlyEnd::Journal(error)) => return Err(error),
        };
        let interrupted = self.ports.stop.is_stopped() && !goal.is_reached(state);
        progress.finish(state, reason.clone(), interrupted).await?;
        Ok((Outcome::Ended { state, reason }, cause))
    }

    async fn skip(&self, recorder: &Recorder, goal: Goal, reason: String) -> Result<Outcome, JournalError> {
        if !recorder.history()?.has_refusal(goal, std::slice::from_ref(&reason), true) {
            recorder.record(Entry::Skipped { goal, reason: reason.clone() }).await?;
        }
        Ok(Outcome::Skipped { reason })
    }
}

/// A tenant that the run is through with.
struct Ended {
    name: String,
    outcome: Outcome,
    /// Why it failed or was refused, if other tenants may share that.
    cause: Option<Cause>,
    /// It had reached the goal before the run.
    was_done: bool,
}

impl Ended {
    fn ending(&self) -> Ending {
        Ending::of(&self.outcome, self.cause.as_ref())
    }
}

/// How many tenants have each outcome.
fn count(ended: &[Ended]) -> Vec<OutcomeCount> {
    let mut counts: BTreeMap<(RunOutcome, Option<TenantState>), usize> = BTreeMap::new();
    for Ended { outcome, was_done, .. } in ended {
        let key = match outcome {
            Outcome::Ended { state, .. } if !was_done => (RunOutcome::Ended, Some(*state)),
            Outcome::Ended { state, .. } | Outcome::Unneeded { state, .. } => (RunOutcome::DoneBefore, Some(*state)),
            Outcome::Refused { .. } | Outcome::Unapproved { .. } => (RunOutcome::Refused, None),
            Outcome::Unread { .. } => (RunOutcome::Unread, None),
            Outcome::Skipped { .. } => (RunOutcome::Skipped, None),
        };
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().map(|((outcome, state), tenants)| OutcomeCount { outcome, state, tenants }).collect()
}

/// How many intents are recorded at once, so that they share syncs.
const INTENTS_AT_ONCE: usize = 128;

/// Why a run skips a tenant if somebody stops the run. Journals have this text, so it must not change.
pub const STOPPED: &str = "the run was stopped";

/// The record of what a job is going to do. `None` if there is nothing to do, or if the journal does not allow it.
fn intent(job: &Job, history: &TenantHistory) -> Option<Entry> {
    let goal = job.goal;
    let work = job.work_of(history);
    if work.is_some_and(|_| goal.is_reached(history.state))
        || refuse_by_history(job, history).is_some()
        || refuse_unapproved(job, history).is_some()
    {
        return None;
    }
    // The journal stores a part once, before the work starts.
    let part = job.part.as_ref().filter(|_| work.is_none());
    let is_stored = |plan: &str| history.part.as_ref().is_some_and(|stored| stored.plan == *plan);
    Some(Entry::Intended {
        goal,
        plan: job.basis(history)?.plan.to_owned(),
        part: part.filter(|part| !is_stored(&part.plan)).map(Arc::clone),
        approvals: match &job.approval {
            Approval::Given(approvals) if work.is_none() => approvals.clone(),
            _ => Vec::new(),
        },
        rehearsal: goal == Goal::Swapped && (job.rehearsal || (job.part.is_none() && history.rehearsal.is_some())),
    })
}

fn tell(ended: &Ended) -> Event {
    let (tenant, counts_as) = (ended.name.clone(), ended.ending());
    match ended.outcome.clone() {
        Outcome::Ended { state, reason } => Event::TenantEnded { tenant, state, reason, counts_as },
        Outcome::Unneeded { state, reason } => Event::TenantEnded { tenant, state, reason: Some(reason), counts_as },
        Outcome::Refused { changes } => Event::TenantRefused { tenant, changes, counts_as },
        Outcome::Unapproved { reason } | Outcome::Unread { reason } => {
            Event::TenantRefused { tenant, changes: vec![reason], counts_as }
        }
        Outcome::Skipped { reason } => Event::TenantSkipped { tenant, reason },
    }
}

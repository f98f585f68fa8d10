//! What a run does for visitors at its door while it is at work.

use std::sync::Arc;

use flowswap_config::Config;
use flowswap_engine::{
    Actor, Clock, Ending, Event, EventSink, Goal, Outcome, Pace, Paused, Ports, RunCommand, RunId, Runner, Summary,
    Time,
};
use flowswap_store::StateDir;
use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    confirm, decline, secret,
    started::{self, RunPurpose},
};
use crate::{
    context::{Context, SystemClock},
    display::text::text,
    documents::{Document, DocumentName},
    door::{Ask, Door, Porter},
    exit::{Exit, Failure},
    fleet::Fleet,
};

/// What a command is doing.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Doing {
    /// Which command.
    pub(super) command: RunCommand,
    /// Its run.
    pub(super) run: RunId,
    /// Since when.
    #[schemars(with = "Time")]
    pub(super) since: Timestamp,
    /// Who started it.
    pub(super) by: Actor,
    /// Whether it is about to pause: it finishes the steps that have begun.
    pub(super) is_pausing: bool,
    /// Who paused it, and when. `None` while it goes on.
    pub(super) paused: Option<Paused>,
}

/// What became of a request to pause a command, or to let it go on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Steered {
    /// Whether that changed anything.
    pub(super) changed: bool,
    #[serde(flatten)]
    pub(super) doing: Doing,
}

impl Document for Doing {
    const NAME: DocumentName = DocumentName::Cancel;
}

impl Document for Steered {
    const NAME: DocumentName = DocumentName::Pause;
}

/// A run that continued some tenants for somebody.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Continued {
    pub(super) goal: Goal,
    pub(super) run: RunId,
    outcomes: Vec<(String, Outcome)>,
    endings: Vec<Ending>,
    interrupted: bool,
}

impl Continued {
    /// What the run did. Each of its tenants says why it was not started, so nothing else does.
    pub(super) fn summary(self) -> Summary {
        let Self { outcomes, endings, interrupted, .. } = self;
        Summary { outcomes, endings, halts: Vec::new(), interrupted }
    }
}

/// The run at work, and what it needs to do something else meanwhile.
struct Desk {
    context: Context,
    runner: Runner,
    command: RunCommand,
    since: Timestamp,
}

/// Opens the door of a run. Without one, the run is only harder to reach.
pub(super) fn open(context: &Context, config: &Config, runner: &Runner, goal: Goal) -> Option<Door> {
    let desk =
        Desk { context: context.clone(), runner: runner.clone(), command: goal.command(), since: SystemClock.now() };
    match Door::open(StateDir::at(&config.state), Arc::new(desk)) {
        Ok(door) => Some(door),
        Err(error) => {
            context.terminal.say(text!("no other terminal can pause or cancel this command: {}", error));
            None
        }
    }
}

impl Porter for Desk {
    fn answer(&self, name: Option<String>, ask: Ask) -> BoxFuture<'_, Result<Value, Failure>> {
        async move {
            let by = Actor { name, ..self.context.actor() };
            match ask {
                Ask::Look => encode(self.doing()),
                Ask::Pause => {
                    let changed = self.runner.pause(by).await.map_err(not_recorded)?;
                    encode(Steered { changed, doing: self.doing() })
                }
                Ask::Unpause => {
                    let changed = self.runner.unpause(by).await.map_err(not_recorded)?;
                    encode(Steered { changed, doing: self.doing() })
                }
                Ask::Cancel => {
                    self.runner.note_cancel(by).await.map_err(not_recorded)?;
                    self.context.switch.stop();
                    encode(self.doing())
                }
                Ask::Confirm { tenants, note } => encode(confirm::record(&self.runner_of(by), &tenants, note).await?),
                Ask::Continue { tenants, accept_changes } => encode(self.carry_on(by, &tenants, accept_changes).await?),
                Ask::Decline { tenants, reason } => {
                    encode(decline::record(&self.runner_of(by), &tenants, &reason).await?)
                }
                Ask::HandOver { tenant, way } => encode(secret::record(&self.runner_of(by), &tenant, way).await?),
            }
        }
        .boxed()
    }
}

impl Desk {
    fn doing(&self) -> Doing {
        let ports = self.runner.ports();
        let (command, since, by) = (self.command, self.since, ports.actor.clone());
        let (is_pausing, paused) = match ports.turns.pace() {
            Pace::Running => (false, None),
            Pace::Pausing => (true, None),
            Pace::Paused(paused) => (false, Some(paused)),
        };
        Doing { command, run: self.runner.id(), since, by, is_pausing, paused }
    }

    /// A runner for another person, which shows nothing on the terminal of this command.
    fn runner_of(&self, by: Actor) -> Runner {
        let ports = self.runner.ports().clone();
        started::runner(Ports { actor: by, events: self.context.logged(Arc::new(Silence)), ..ports })
    }

    /// Continues tenants beside the run at work. A tenant that this run is working on comes when it is done.
    async fn carry_on(&self, by: Actor, tenants: &[String], accept_changes: bool) -> Result<Vec<Continued>, Failure> {
        let config = self.context.load_config()?;
        let mut all = Vec::new();
        for (goal, names) in confirm::by_goal(tenants, self.runner.logbook())? {
            let runner = self.runner_of(by.clone());
            let fleet = Fleet::open(&self.context, &config, &names, runner.ports()).await?;
            let jobs = started::jobs(&config, fleet, RunPurpose { accept_changes, ..RunPurpose::to(goal) });
            let summary = started::carry_out(&config, &runner, goal, jobs).await?;
            let Summary { outcomes, endings, interrupted, halts: _ } = summary;
            all.push(Continued { goal, run: runner.id(), outcomes, endings, interrupted });
        }
        Ok(all)
    }
}

fn encode(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(Failure::at("answer"))
}

fn not_recorded(error: flowswap_engine::JournalError) -> Failure {
    Failure::new(Exit::Failed, error)
        .hint("the command that is at work could not write to the journal, so it will stop")
}

/// The visitor gets the answer, and the person at this terminal did not ask.
struct Silence;

impl EventSink for Silence {
    fn emit(&self, _: Event) {}
}

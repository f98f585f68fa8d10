//! Tells people what happened: delivers notifications to the targets of `[[notify]]`, beside the command that is at work.
//!
//! What is news follows from the records of the journal alone, so each notification has the number of its record. The file
//! `notified.json` in the state folder says of what each target was told, and is written after each delivery: a crash in between
//! tells a target twice, and never leaves anything out. A new target begins at the end of the journal.
//!
//! A delivery never delays a step. It reads the journal by itself, in other tasks. When the command has ended, it gets a few
//! seconds more. What is left then, the next command delivers.

mod delivery;
mod message;
mod news;
mod notification;
mod program;
mod sender;
mod sheets;
mod tenant;
#[cfg(test)]
mod tests;
mod waves;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowswap_config::{Config, NotifyTarget};
use flowswap_engine::{Clock, Logbook, Overview, Position, chain};
use flowswap_report::number;
use flowswap_store::{Notified, StateDir, Told};
use futures::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

use self::{
    delivery::{Delivery, Standing, Until},
    message::Parcel,
    news::News,
    notification::Notification,
    sender::{Sender, Sent},
};
use crate::{
    display::text::{Text, text},
    fetch::Fetcher,
    terminal::{Terminal, Tone, paint},
};

/// How long a command waits at its end for what is left.
const AT_THE_END: Duration = Duration::from_secs(5);
/// How often to ask whether another process still delivers.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Delivers while a command is at work. Every copy is the same courier.
#[derive(Clone)]
pub(crate) struct Courier {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    round: Arc<Mutex<Option<Round>>>,
}

/// The deliveries of one command.
struct Round {
    until: watch::Sender<Option<Instant>>,
    standings: Vec<(String, Arc<Mutex<Standing>>)>,
    work: JoinHandle<Delivered>,
}

/// Who delivers.
enum Delivered {
    Here,
    /// Another process does, such as a run in another terminal.
    Elsewhere,
    /// Nobody can.
    Failed(String),
}

/// What became of the notifications for one target.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TargetReport {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// How many notifications it got.
    pub(crate) delivered: usize,
    /// How many are still to be delivered.
    pub(crate) left: usize,
    /// How many it refused, so that flowswap gave them up.
    pub(crate) refused: usize,
    /// Why not all were delivered.
    pub(crate) error: Option<String>,
}

/// What became of the notifications of a command.
#[derive(Debug, Default)]
pub(crate) struct RoundReport {
    pub(crate) targets: Vec<TargetReport>,
    /// Another process delivers.
    pub(crate) is_elsewhere: bool,
}

impl Courier {
    /// A courier that fetches the URLs of webhooks with this fetcher.
    pub(crate) fn new(fetcher: Fetcher, clock: Arc<dyn Clock>) -> Self {
        Self { fetcher, clock, round: Arc::default() }
    }

    /// Begins to deliver what happens from now on, and what was left before. Does nothing if nobody is to be told, or if it has
    /// begun already.
    pub(crate) fn start(&self, config: &Config, logbook: &Logbook) {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.is_some() || config.notify.is_empty() {
            return;
        }
        let standing = |target: &NotifyTarget| (target.name.clone(), Arc::default());
        let standings: Vec<(String, Arc<Mutex<Standing>>)> = config.notify.iter().map(standing).collect();
        let parts = config.notify.iter().zip(&standings).map(|(target, (_, standing))| Part {
            target: target.clone(),
            sender: Sender::new(target, config, &self.fetcher),
            standing: Arc::clone(standing),
        });
        let start = Start {
            state: StateDir::at(&config.state),
            position: logbook.position(),
            overviews: logbook.overviews(),
            clock: Arc::clone(&self.clock),
            parts: parts.collect(),
        };
        let (until, told) = watch::channel(None);
        *round = Some(Round { until, standings, work: tokio::spawn(start.deliver(told)) });
    }

    /// Delivers what is left, but no longer than this. Empty if nobody is to be told.
    pub(crate) async fn finish(&self, within: Duration) -> RoundReport {
        let round = self.round.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Round { until, standings, mut work }) = round else { return RoundReport::default() };
        let end = Instant::now() + within;
        until.send_replace(Some(end));
        let delivered = match timeout_at(end, &mut work).await {
            Ok(delivered) => delivered.unwrap_or_else(|error| Delivered::Failed(error.to_string())),
            Err(_) => {
                work.abort();
                Delivered::Here
            }
        };
        let mut targets: Vec<_> = standings.into_iter().map(TargetReport::of).collect();
        if let Delivered::Failed(why) = &delivered {
            targets.iter_mut().for_each(|target| target.error = Some(why.clone()));
        }
        RoundReport { targets, is_elsewhere: matches!(delivered, Delivered::Elsewhere) }
    }

    /// Whether each target can be used, as far as that can be known without a message. Else why not.
    pub(crate) async fn check(&self, config: &Config) -> Vec<(String, Result<(), String>)> {
        let checks = config
            .notify
            .iter()
            .map(|target| async { (target.name.clone(), Sender::new(target, config, &self.fetcher).check().await) });
        join_all(checks).await
    }

    /// Sends one test message to each target, and keeps nothing of it.
    pub(crate) async fn test(&self, config: &Config) -> Vec<TargetReport> {
        let tests = config.notify.iter().map(|target| async {
            let mut sender = Sender::new(target, config, &self.fetcher);
            let message = Notification::test(self.clock.now());
            let body = Parcel::first(&[message], sender.form()).map(|parcel| parcel.body).unwrap_or_default();
            let error = match sender.send(body).await {
                Sent::Delivered => None,
                Sent::Refused(why) | Sent::Unusable(why) | Sent::Later { why, .. } => Some(why),
            };
            let delivered = usize::from(error.is_none());
            TargetReport { name: target.name.clone(), delivered, left: 0, refused: 0, error }
        });
        join_all(tests).await
    }

    /// Delivers what is left at the end of a command, and says what could not be delivered.
    pub(crate) async fn finish_command(&self, terminal: Terminal) {
        let report = self.finish(AT_THE_END).await;
        for line in report.targets.iter().flat_map(TargetReport::warnings) {
            terminal.say(text!("{} {}", paint(Tone::Care, "warning:"), line));
        }
    }
}

/// What the deliveries begin with.
struct Start {
    state: StateDir,
    position: Position,
    overviews: BTreeMap<String, Overview>,
    clock: Arc<dyn Clock>,
    parts: Vec<Part>,
}

/// What is needed for one target.
struct Part {
    target: NotifyTarget,
    sender: Sender,
    standing: Arc<Mutex<Standing>>,
}

impl Start {
    /// Delivers to all targets at the same time, so that none waits for another.
    async fn deliver(self, until: Until) -> Delivered {
        if !self.state.root().is_dir() {
            // Nothing has ever happened here.
            return Delivered::Here;
        }
        let mut notified = loop {
            match Notified::lock(&self.state) {
                Ok(Some(notified)) => break notified,
                Ok(None) if until.borrow().is_some() => return Delivered::Elsewhere,
                Ok(None) => sleep(ASK_EVERY).await,
                Err(error) => return Delivered::Failed(chain(&error)),
            }
        };
        notified.retain(|name| self.parts.iter().any(|part| part.target.name == name));
        for Part { target, .. } in &self.parts {
            // The news of a new target begins here, even if this process ends before it delivers anything.
            let begun = Told { through: self.position, ..Told::default() };
            if notified.of(&target.name).is_none()
                && let Err(error) = notified.keep(&target.name, begun)
            {
                return Delivered::Failed(chain(&error));
            }
        }
        let notified = Arc::new(Mutex::new(notified));
        let Self { state, position, overviews, clock, parts } = self;
        let deliveries = parts.into_iter().map(|Part { target, sender, standing }| {
            let told = notified.lock().unwrap_or_else(PoisonError::into_inner).of(&target.name).cloned();
            let told = told.unwrap_or_default();
            let news = News::after(told.through, &target.on, state.clone(), position, &overviews);
            let delivery = Delivery::new(&target.name, sender, told, Arc::clone(&notified), standing);
            delivery.run(news, Arc::clone(&clock), until.clone())
        });
        let deliveries: Vec<_> = deliveries.collect();
        drop(overviews);
        join_all(deliveries).await;
        Delivered::Here
    }
}

impl TargetReport {
    fn of((name, standing): (String, Arc<Mutex<Standing>>)) -> Self {
        let Standing { delivered, left, refused, trouble } =
            standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { name, delivered, left, refused, error: trouble }
    }

    /// What a person must know about the target.
    fn warnings(&self) -> Vec<Text> {
        let error = self.error.as_deref().unwrap_or("there was not enough time");
        let mut warnings = Vec::new();
        if self.left > 0 {
            let left = number(self.left, "notification is", "notifications are");
            let later = "the next command tries again, and so does `flowswap notify`";
            warnings.push(text!("{} still to be delivered to `{}`: {}; {}", left, self.name, error, later));
        } else if self.refused > 0 {
            let refused = number(self.refused, "notification", "notifications");
            warnings.push(text!("`{}` refused {}, which flowswap gives up: {}", self.name, refused, error));
        } else if self.error.is_some() {
            warnings.push(text!("`{}` is not told of anything: {}", self.name, error));
        }
        warnings
    }
}

//! Delivers to one target: looks into the journal, sends what is new in the order of its records, and keeps of what the target
//! was told. What cannot be sent now is sent later, by this process or by the next one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowswap_engine::{Clock, chain};
use flowswap_store::{Notified, Told};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep, sleep_until},
};

use super::{
    message::Parcel,
    news::News,
    notification::Notification,
    sender::{Sender, Sent},
};

/// How often to look into the journal.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The wait after the first attempt that failed. Each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Until when to deliver. `None` as long as the command is at work.
pub(super) type Until = watch::Receiver<Option<Instant>>;

/// What became of the notifications for a target.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) delivered: usize,
    /// How many are still to be delivered.
    pub(super) left: usize,
    /// How many the target refused, so that they were given up.
    pub(super) refused: usize,
    /// Why not all were delivered.
    pub(super) trouble: Option<String>,
}

/// The delivery to one target.
pub(super) struct Delivery {
    target: String,
    sender: Sender,
    told: Told,
    notified: Arc<Mutex<Notified>>,
    standing: Arc<Mutex<Standing>>,
    left: Vec<Notification>,
    attempts: u32,
}

/// What is left could not be delivered in time, or at all.
struct GaveUp;

impl Delivery {
    pub(super) fn new(
        target: &str,
        sender: Sender,
        told: Told,
        notified: Arc<Mutex<Notified>>,
        standing: Arc<Mutex<Standing>>,
    ) -> Self {
        Self { target: target.to_owned(), sender, told, notified, standing, left: Vec::new(), attempts: 0 }
    }

    /// Delivers until the command has ended and everything is delivered, or until it cannot.
    pub(super) async fn run(mut self, mut news: News, clock: Arc<dyn Clock>, mut until: Until) {
        loop {
            // Asked before the look: what was written before the end must be seen.
            let is_last = until.borrow_and_update().is_some();
            let now = clock.now();
            let looked = spawn_blocking(move || (news.read(now), news)).await;
            let Ok((found, back)) = looked else { return };
            news = back;
            match found {
                Ok(found) => self.left.extend(found.into_iter().filter(|new| !self.told.beyond.contains(&new.key))),
                Err(error) => return self.note(|standing| standing.trouble = Some(chain(&error))),
            }
            self.note_left();
            if self.deliver(&mut until).await.is_err() || self.settle(&news, is_last).await.is_err() || is_last {
                return;
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                _ = until.changed() => {}
            }
        }
    }

    /// Sends everything that is left.
    async fn deliver(&mut self, until: &mut Until) -> Result<(), GaveUp> {
        while let Some(Parcel { keys, body }) = Parcel::first(&self.left, self.sender.form()) {
            match self.sender.send(body).await {
                Sent::Delivered => {
                    self.note(|standing| {
                        standing.delivered += keys.len();
                        if standing.refused == 0 {
                            standing.trouble = None;
                        }
                    });
                    self.remember(keys).await?;
                }
                Sent::Refused(why) => {
                    self.note(|standing| {
                        standing.refused += keys.len();
                        standing.trouble = Some(why);
                    });
                    self.remember(keys).await?;
                }
                Sent::Unusable(why) => {
                    self.note(|standing| standing.trouble = Some(why));
                    return Err(GaveUp);
                }
                Sent::Later { why, after } => {
                    self.note(|standing| standing.trouble = Some(why));
                    let back_off = FIRST_WAIT * 2_u32.saturating_pow(self.attempts);
                    self.attempts += 1;
                    wait(after.unwrap_or(back_off.min(LONGEST_WAIT)), until).await?;
                }
            }
        }
        Ok(())
    }

    /// Keeps that the target was told of these.
    async fn remember(&mut self, keys: Vec<String>) -> Result<(), GaveUp> {
        self.attempts = 0;
        let keys: BTreeSet<String> = keys.into_iter().collect();
        self.left.retain(|news| !keys.contains(&news.key));
        self.note_left();
        self.told.beyond.extend(keys);
        self.keep().await
    }

    /// Moves the place up to which the target was told of everything. That only saves reading, so it is not written each time.
    async fn settle(&mut self, news: &News, is_last: bool) -> Result<(), GaveUp> {
        let before = self.told.clone();
        self.told.through = news.position();
        // What only time tells can be told again from any place, until its run sheet is closed.
        self.told.beyond.retain(|key| match key.split_once('/') {
            Some((record, "overdue")) => record.parse().is_ok_and(|record| news.may_be_told_again(record)),
            _ => false,
        });
        let is_shorter = self.told.beyond.len() < before.beyond.len();
        if is_shorter || (is_last && self.told != before) { self.keep().await } else { Ok(()) }
    }

    async fn keep(&mut self) -> Result<(), GaveUp> {
        let (notified, target, told) = (Arc::clone(&self.notified), self.target.clone(), self.told.clone());
        let written =
            spawn_blocking(move || notified.lock().unwrap_or_else(PoisonError::into_inner).keep(&target, told)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.note(|standing| standing.trouble = Some(chain(&error)));
                Err(GaveUp)
            }
            Err(_) => Err(GaveUp),
        }
    }

    fn note_left(&self) {
        self.note(|standing| standing.left = self.left.len());
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Waits, unless the end comes first.
async fn wait(time: Duration, until: &mut Until) -> Result<(), GaveUp> {
    let at = Instant::now() + time;
    loop {
        if until.borrow_and_update().is_some_and(|end| end < at) {
            return Err(GaveUp);
        }
        tokio::select! {
            () = sleep_until(at) => return Ok(()),
            changed = until.changed() => if changed.is_err() { return Err(GaveUp) },
        }
    }
}

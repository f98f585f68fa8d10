//! Scheduled syncs: a directory makes them by itself at fixed times. Every overdue sync is made, at its own time, before
//! anything else happens to the world. So no request sees an overdue sync, and the System Log stays in order.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use super::sync;
use crate::beliefs::Belief;
use crate::directory::Directory;
use crate::lock::lock;
use crate::state::State;

/// Applications are collected every three hours (PAN, "Configure Okta Directory": at the latest).
const APPLICATIONS_EVERY: SignedDuration = SignedDuration::from_hours(3);
/// The number of latest overdue syncs that are all made: those of a day, if one is due every five minutes.
const ALWAYS_MADE: i32 = 288;

/// Makes every sync that is due by now. Does nothing if the settings have no scheduled syncs.
pub(crate) fn catch_up(state: &State) {
    let Some(interval) = state.config.scheduled_sync.and_then(|every| SignedDuration::try_from(every).ok()) else {
        return;
    };
    if interval.as_millis() <= 0 {
        return;
    }
    let now = state.clock.now();
    if !state.unseen.is_empty() {
        state.false_beliefs.count_effect(Belief::OneDirectoryPerLegacyClient);
    }
    // All directories have the same schedule, so if the last one is handled, all are. Otherwise every request would visit
    // every directory.
    let is_handled = |last: &Mutex<Directory>| now.duration_since(lock(last).sync.scheduled_until) < interval;
    if state.unseen.last().or(state.directories.last()).is_none_or(is_handled) {
        return;
    }
    for directory in state.directories.iter().chain(&state.unseen) {
        let mut directory = lock(directory);
        let last = directory.sync.scheduled_until;
        let count = i32::try_from(now.duration_since(last).as_millis() / interval.as_millis()).unwrap_or(i32::MAX);
        for at in list_due(&directory, interval, count) {
            if directory.paused {
                continue;
            }
            if directory.submits == 0 || state.false_beliefs.makes_next_sync(&directory.id) {
                run(state, &mut directory, at, false);
            }
        }
        directory.sync.scheduled_until = last + interval * count;
    }
}

/// Syncs with the current connection and collects what it may read. Reads applications if they are due, or if
/// `everything` is set. A connection that gets no token, or may read neither users nor groups, fails silently: the
/// collected data and its time stay.
pub(crate) fn run(state: &State, directory: &mut Directory, at: Timestamp, everything: bool) {
    let connection = &directory.connection;
    let last = directory.sync.applications_at;
    let due = everything || last.is_none_or(|last| at.duration_since(last) >= APPLICATIONS_EVERY);
    let applications = connection.collect_applications && due;
    directory.sync.attempted = Some(at);
    let cached = state.config.cached_tokens;
    let kept = directory.access.take().filter(|(_, until)| at < *until);
    if kept.is_some() {
        state.false_beliefs.count_effect(Belief::SyncGetsAToken);
    }
    let access = kept.map_or_else(
        || {
            // A kept token must work for every sync.
            let applications = applications || cached && connection.collect_applications;
            let access = sync::authorize(state, &directory.domain, connection, applications, at)?;
            Ok::<_, String>((access, at + state.config.token_lifetime))
        },
        Ok,
    );
    let readable = access.map(|(access, until)| {
        let readable = sync::find_readable(state, &directory.domain, &access, applications, at);
        // Do not try a refused token again.
        directory.access = Some((access, until)).filter(|_| cached && (readable.users || readable.groups));
        readable
    });
    match readable {
        Ok(readable) if readable.users || readable.groups => {
            let kept = if directory.connection.collect_applications { directory.sync.applications } else { 0 };
            sync::record_success(state, directory, readable, at);
            if applications {
                directory.sync.applications_at = Some(at);
            } else {
                directory.sync.applications = kept;
            }
        }
        _ => sync::record_failure(directory),
    }
}

/// The times of the next `count` scheduled syncs that are really made. After a long jump of the clock these are all syncs
/// of the last day, every 288th before that, and the last one before the refresh token expires. So a jump of three
/// months takes no time, and the last successful sync still has the right time.
fn list_due(directory: &Directory, interval: SignedDuration, count: i32) -> Vec<Timestamp> {
    let last = directory.sync.scheduled_until;
    let instant = |number: i32| last + interval * number;
    let end = directory.connection.expires();
    let is_made = |number: &i32| {
        let is_last = |end| instant(*number) < end && end <= instant(number.saturating_add(1));
        *number > count - ALWAYS_MADE || number % ALWAYS_MADE == 0 || end.is_some_and(is_last)
    };
    (1..=count).filter(is_made).map(instant).collect()
}

//! Syncs that nobody asks for: a directory makes them by itself at fixed times. They are caught up, each at its own
//! instant, before anything else is done to the world, so that no request ever sees a sync that is overdue, and the
//! System Log stays in order.

use jiff::{SignedDuration, Timestamp};

use super::model::Directory;
use super::sync;
use crate::beliefs::Belief;
use crate::state::{State, lock};

/// Applications are collected every three hours (PAN, "Configure Okta Directory": at the latest).
const APPLICATIONS_EVERY: SignedDuration = SignedDuration::from_hours(3);
/// How many overdue syncs are all made: a day's, if one is due every five minutes.
const CLOSE: i32 = 288;

/// Makes every sync that is due by now. Where the world has no timetable, nothing happens.
pub(crate) fn catch_up(state: &State) {
    let Some(interval) = state.config.natural_sync.and_then(|every| SignedDuration::try_from(every).ok()) else {
        return;
    };
    if interval.as_millis() <= 0 {
        return;
    }
    let now = state.clock.now();
    if !state.unseen.is_empty() {
        state.contrary.note(Belief::OneDirectoryPerLegacyClient);
    }
    for directory in state.directories.iter().chain(&state.unseen) {
        let mut directory = lock(directory);
        let last = directory.sync.natural;
        let count = i32::try_from(now.duration_since(last).as_millis() / interval.as_millis()).unwrap_or(i32::MAX);
        for at in list_due(&directory, interval, count) {
            if directory.paused {
                continue;
            }
            if directory.submits == 0 || state.contrary.syncs_on(&directory.id) {
                run(state, &mut directory, at, false);
            }
        }
        directory.sync.natural = last + interval * count;
    }
}

/// Syncs through the present connection and takes what it may read. Applications are read when their time has come, or
/// when everything is to be. A connection that gets no token, or may read neither users nor groups, fails in silence:
/// what was collected before stays, with its time.
pub(crate) fn run(state: &State, directory: &mut Directory, at: Timestamp, everything: bool) {
    let connection = &directory.connection;
    let last = directory.sync.applications_at;
    let due = everything || last.is_none_or(|last| at.duration_since(last) >= APPLICATIONS_EVERY);
    let applications = connection.collect_applications && due;
    directory.sync.attempted = Some(at);
    let cached = state.config.cached_tokens;
    let kept = directory.access.take().filter(|(_, until)| at < *until);
    if kept.is_some() {
        state.contrary.note(Belief::SyncGetsAToken);
    }
    let access = kept.map_or_else(
        || {
            // One that is kept has to do for every sync.
            let applications = applications || cached && connection.collect_applications;
            let access = sync::authorize(state, &directory.domain, connection, applications, at)?;
            Ok::<_, String>((access, at + state.config.token_lifetime))
        },
        Ok,
    );
    let reach = access.map(|(access, until)| {
        let reach = sync::find_reach(state, &directory.domain, &access, applications, at);
        // One that is refused is not tried again.
        directory.access = Some((access, until)).filter(|_| cached && (reach.users || reach.groups));
        reach
    });
    match reach {
        Ok(reach) if reach.users || reach.groups => {
            let kept = if directory.connection.collect_applications { directory.sync.applications } else { 0 };
            sync::take_over(state, directory, reach, at);
            if applications {
                directory.sync.applications_at = Some(at);
            } else {
                directory.sync.applications = kept;
            }
        }
        _ => sync::fail(directory),
    }
}

/// The instants after the last sync at which the next `count` are due, as far as they are made. After a long jump of the clock the syncs of the
/// last day are all made, of the time before that every 288th, and the last one before a refresh token ends: so that a
/// jump of three months takes no time, and whatever was seen last was seen when it would have been.
fn list_due(directory: &Directory, interval: SignedDuration, count: i32) -> Vec<Timestamp> {
    let last = directory.sync.natural;
    let instant = |number: i32| last + interval * number;
    let end = directory.connection.ends();
    let is_made = |number: &i32| {
        let is_last = |end| instant(*number) < end && end <= instant(number.saturating_add(1));
        *number > count - CLOSE || number % CLOSE == 0 || end.is_some_and(is_last)
    };
    (1..=count).filter(is_made).map(instant).collect()
}

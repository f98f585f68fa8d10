//! How much of each server's rate limits the command has used, so that its neighbors can see that it left them their share.

use std::time::Duration;

use flowswap_host::{Gate, Usage};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    display::text::{Text, text},
    terminal::Terminal,
};

/// From here on, waits are told without being asked for.
const NOTICED: Duration = Duration::from_secs(10);

/// So many hosts get a line each.
const MOST: usize = 5;

/// What the command has used of the rate limits of one host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HostUsage {
    /// The host, such as an org.
    host: String,
    /// How many requests it got.
    requests: u64,
    /// The largest part of one of its limits that flowswap used in a window, in percent. 0 if it shows no limits.
    highest_percent: u32,
    /// How many seconds requests have waited in all, because of the limits.
    waited_s: u64,
    /// How many requests it refused with 429.
    refused: u64,
}

/// The hosts that got requests. Those that made requests wait longest come first.
pub(crate) fn list(gate: &Gate) -> Vec<HostUsage> {
    let usage = gate.usage().into_iter().filter(|(_, usage)| usage.requests > 0);
    let mut hosts: Vec<(String, Usage)> = usage.collect();
    hosts.sort_by_key(|(_, usage)| std::cmp::Reverse((usage.waited, usage.refused)));
    hosts.into_iter().map(|(origin, usage)| HostUsage::of(&origin, usage)).collect()
}

/// Says what was used: of each host with `-v`, otherwise of those that made requests wait or refused any.
pub(crate) fn say(terminal: Terminal, gate: &Gate) {
    let hosts = list(gate);
    let is_noticed = |host: &&HostUsage| host.waited_s >= NOTICED.as_secs() || host.refused > 0;
    let told: Vec<&HostUsage> = hosts.iter().filter(|host| terminal.verbose > 0 || is_noticed(host)).collect();
    let shown = if terminal.verbose > 0 { told.len() } else { MOST };
    for host in told.iter().take(shown) {
        terminal.say(host.show());
    }
    if told.len() > shown {
        terminal.say(text!("and {} more hosts that made requests wait; `-v` shows each", told.len() - shown));
    }
}

impl HostUsage {
    fn of(origin: &str, usage: Usage) -> Self {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host).to_owned();
        let percent = (usage.highest * 100.0).round().clamp(0.0, 100.0);
        Self {
            host,
            requests: usage.requests,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100")]
            highest_percent: percent as u32,
            waited_s: usage.waited.as_secs(),
            refused: usage.refused,
        }
    }

    fn show(&self) -> Text {
        let share = match self.highest_percent {
            0 => Text::default(),
            percent => text!(", at most {} % of a rate limit", percent),
        };
        let refused = match self.refused {
            0 => Text::default(),
            refused => text!("; it refused {} (429)", refused),
        };
        text!("{}: {} requests{}, waited {} s in all{}", self.host, self.requests, share, self.waited_s, refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_with_what_it_shows() {
        let show = |highest, waited, refused| {
            let usage = Usage { requests: 61, highest, waited: Duration::from_secs(waited), refused };
            HostUsage::of("https://acme.okta.com", usage).show().into_string()
        };
        assert_eq!(
            show(0.5, 72, 1),
            "acme.okta.com: 61 requests, at most 50 % of a rate limit, waited 72 s in all; it refused 1 (429)"
        );
        assert_eq!(show(0.0, 0, 0), "acme.okta.com: 61 requests, waited 0 s in all");
    }
}

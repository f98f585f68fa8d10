//! The budgets: how much flowswap takes from a plugin, and from whatever answers a request. Honest plugins stay far below them.
//! `crates/README.md` shows this table, and the tests go through it.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// A limit, and what happens beyond it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// What is limited.
    pub(crate) of: &'static str,
    /// The highest permitted amount.
    pub(crate) limit: usize,
    unit: Unit,
    /// Why it is this number.
    pub(crate) why: &'static str,
    /// What a person reads beyond the limit, with `{}` for it.
    beyond: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Pieces,
    Bytes,
    Seconds,
}

pub(crate) const ANSWER: Budget = Budget {
    of: "one answer",
    limit: 16 << 20,
    unit: Unit::Bytes,
    why: "a page of 200 users takes about 1 MiB",
    beyond: "the answer is longer than {}",
};

pub(crate) const ANSWERS: Budget = Budget {
    of: "all answers over 32 KiB until their plugins have them",
    limit: 32 << 20,
    unit: Unit::Bytes,
    why: "two of the longest answers, or about 32 pages of users. In memory, an answer can take 24 times its length",
    beyond: "nothing: the next answer waits",
};

pub(crate) const DECODED: Budget = Budget {
    of: "memory of a decoded answer or message, as a multiple of its length",
    limit: 24,
    unit: Unit::Pieces,
    why: "recorded answers of Okta take up to 14 times their length: an object with one member takes 640 bytes",
    beyond: "decoded, it takes more than {} times its length",
};

pub(crate) const DEPTH: Budget = Budget {
    of: "levels of nested JSON in an answer or a message",
    limit: 64,
    unit: Unit::Pieces,
    why: "recorded answers of Okta have up to 11, and readers of JSON stop at 128",
    beyond: "it has more than {} levels of nested JSON",
};

pub(crate) const GREETING: Budget = Budget {
    of: "the greeting of a plugin",
    limit: 64 << 10,
    unit: Unit::Bytes,
    why: "names, addresses, and a line about each key",
    beyond: "its greeting is longer than {}",
};

pub(crate) const MESSAGE: Budget = Budget {
    of: "one message of a plugin, or to it",
    limit: 16 << 20,
    unit: Unit::Bytes,
    why: "it can carry the longest answer",
    beyond: "a message is longer than {}",
};

pub(crate) const REPLY: Budget = Budget {
    of: "one reply of a plugin",
    limit: 4 << 20,
    unit: Unit::Bytes,
    why: "the hashes of 200,000 users take about 2 MiB; the journal keeps them for ever",
    beyond: "sent a reply longer than {}",
};

pub(crate) const REACTION: Budget = Budget {
    of: "all messages of a plugin in reaction to one message",
    limit: 64 << 20,
    unit: Unit::Bytes,
    why: "a plugin reacts with a few asks, or with one reply",
    beyond: "the plugin answered one message with more than {}",
};

pub(crate) const ASKS_AT_ONCE: Budget = Budget {
    of: "unanswered asks of one call",
    limit: 32,
    unit: Unit::Pieces,
    why: "the plugins here need two",
    beyond: "asked for more than {} things at once",
};

pub(crate) const ASKS_LENGTH: Budget = Budget {
    of: "unanswered asks of one call, together",
    limit: 1 << 20,
    unit: Unit::Bytes,
    why: "a request of the plugins here has some KiB; in memory it can take 24 times its length",
    beyond: "asked for things of more than {} at once",
};

pub(crate) const ASKS: Budget = Budget {
    of: "asks of one call",
    limit: 50_000,
    unit: Unit::Pieces,
    why: "an org with 200,000 users has 1,000 pages of users; the plugins here end a list after 10,000 pages at most",
    beyond: "asked for more than {} things in one call",
};

pub(crate) const SECRETS: Budget = Budget {
    of: "secrets that one call captures or makes",
    limit: 256,
    unit: Unit::Pieces,
    why: "a step needs a client secret and a few tokens",
    beyond: "asked for more than {} secrets in one call",
};

pub(crate) const SECRET: Budget = Budget {
    of: "one secret in an answer",
    limit: 64 << 10,
    unit: Unit::Bytes,
    why: "the longest tokens have a few KiB, because they must fit into a header",
    beyond: "its secret is longer than {}",
};

pub(crate) const MUTATIONS: Budget = Budget {
    of: "changing requests of one step in one run",
    limit: 100,
    unit: Unit::Pieces,
    why: "the longest step here needs seven; the journal keeps each of them for ever",
    beyond: "asked for more than {} changes in one step",
};

pub(crate) const PAUSE: Budget = Budget {
    of: "one pause that a plugin asks for",
    limit: 10 * 60,
    unit: Unit::Seconds,
    why: "plugins wait seconds; between two runs, a person waits",
    beyond: "asked to wait longer than {}",
};

pub(crate) const OPENING: Budget = Budget {
    of: "the opening of one session",
    limit: 5 * 60,
    unit: Unit::Seconds,
    why: "a plugin only reads a configuration, and may work for other tenants meanwhile",
    beyond: "did not open a session within {}",
};

pub(crate) const CALL: Budget = Budget {
    of: "one call",
    limit: 60 * 60,
    unit: Unit::Seconds,
    why: "1,000 pages take minutes, even if the other side limits their rate",
    beyond: "took longer than {}",
};

pub(crate) const RESTARTS: Budget = Budget {
    of: "restarts of a plugin's process in one run",
    limit: 8,
    unit: Unit::Pieces,
    why: "a step that ends the process each time is tried three times forward and four times back",
    beyond: "ended again after {} restarts; this run does not restart it again",
};

pub(crate) const TEXT: Budget = Budget {
    of: "characters of one text that is shown",
    limit: 2000,
    unit: Unit::Pieces,
    why: "Okta's labels have 100 characters, and its longest messages some hundreds",
    beyond: "…",
};

pub(crate) const PRINTED: Budget = Budget {
    of: "lines that a plugin's process prints to one stream",
    limit: 1000,
    unit: Unit::Pieces,
    why: "a panic with its backtrace has some hundred lines",
    beyond: "it prints too much; flowswap does not show the rest",
};

pub(crate) const SAID: Budget = Budget {
    of: "log messages and progress of one call",
    limit: 10_000,
    unit: Unit::Pieces,
    why: "a few for each page of the longest list",
    beyond: "it says too much; flowswap does not show the rest",
};

pub(crate) const SAID_LENGTH: Budget = Budget {
    of: "one log message or one message of progress",
    limit: 64 << 10,
    unit: Unit::Bytes,
    why: "it is a line for people",
    beyond: "it says something longer than {}; flowswap does not show it",
};

pub(crate) const SAID_OUTSIDE: Budget = Budget {
    of: "log messages and progress of a plugin's process outside of calls",
    limit: 1000,
    unit: Unit::Pieces,
    why: "a plugin works only in calls, so the plugins here send none",
    beyond: "sent more than {} log messages outside of calls",
};

impl Budget {
    /// What a person reads beyond the limit.
    pub(crate) fn message(&self) -> String {
        self.beyond.replace("{}", &self.shown())
    }

    /// The limit as a time.
    pub(crate) const fn time(&self) -> Duration {
        Duration::from_secs(self.limit as u64)
    }

    fn shown(&self) -> String {
        match self.unit {
            Unit::Pieces if self.limit >= 10_000 => format!("{},{:03}", self.limit / 1000, self.limit % 1000),
            Unit::Pieces => self.limit.to_string(),
            Unit::Bytes if self.limit < 1 << 20 => format!("{} KiB", self.limit >> 10),
            Unit::Bytes => format!("{} MiB", self.limit >> 20),
            Unit::Seconds => format!("{} min", self.limit / 60),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

/// How much of a budget is used up.
#[derive(Debug, Default)]
pub(crate) struct Spent(AtomicUsize);

impl Spent {
    /// Uses up more of the budget; the error is its message.
    pub(crate) fn spend(&self, budget: &Budget, amount: usize) -> Result<(), String> {
        let before = self.0.fetch_add(amount, Ordering::Relaxed);
        if before.saturating_add(amount) > budget.limit { Err(budget.message()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;

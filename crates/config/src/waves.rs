//! `[[wave]]`: in which parts, and in which order, plans migrate their tenants.

use std::time::Duration;

use flowswap_engine::{Opening, Requirement};
use jiff::SignedDuration;

use crate::{
    diagnostic::Diagnostic,
    draft::is_plain_name,
    reader::Reader,
    tree::{Entry, Node, Table},
};

/// How one wave of a plan is filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRule {
    /// Its name, unique in the configuration.
    pub name: String,
    /// Which of the tenants that are left it takes.
    pub pick: Pick,
    /// In which order it takes them.
    pub order: WaveOrder,
    /// What the waves before must have reached.
    pub opens_after: Opening,
    /// What must be shown before it opens.
    pub requires: Option<Requirement>,
}

/// Which of the tenants that are left a wave takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// So many.
    Count(usize),
    /// So many of a hundred tenants of the plan, at least one.
    Percent(u8),
    /// Those that fit.
    Matching(Selector),
    /// All.
    Rest,
}

/// Tenants, as the options of the command line select them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Names and patterns.
    pub tenants: Vec<String>,
    /// Their owners.
    pub owners: Vec<String>,
    /// Their labels.
    pub labels: Vec<(String, String)>,
    /// Their findings.
    pub findings: Vec<String>,
    /// Names and patterns of those to leave out.
    pub except: Vec<String>,
}

/// In which order a wave takes tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaveOrder {
    /// Those whose connection dies first.
    #[default]
    DaysLeft,
    /// Those with the fewest warnings, and those whose rollback needs no person.
    Risk,
    /// As in the configuration.
    Inventory,
}

const KEYS: [&str; 5] = ["name", "pick", "order", "opens_after", "requires"];
const SELECTOR_KEYS: [&str; 5] = ["tenants", "owner", "labels", "finding", "except"];

/// The wave of all tenants that no other takes. It need not be configured.
pub const REST: &str = "rest";

impl Reader {
    /// A plan starts nothing after it expires, so its waves must not wait for as long as `lifetime`.
    pub(crate) fn read_waves(&mut self, root: &Table, lifetime: Duration) -> Vec<WaveRule> {
        let Some(entry) = root.get("wave") else { return Vec::new() };
        let tables = entry.node.as_list().filter(|items| items.iter().all(|item| item.as_table().is_some()));
        let Some(tables) = tables else {
            let error = Diagnostic::new("`wave` is not a list of tables").at(entry.key_at, "");
            self.refuse(error.help("start every wave with `[[wave]]`, in double brackets"));
            return Vec::new();
        };
        let mut waves: Vec<WaveRule> = Vec::new();
        for (index, node) in tables.iter().enumerate() {
            let Some(wave) = self.read_wave(node, index + 1 == tables.len()) else { continue };
            if waves.iter().any(|other| other.name == wave.name) {
                let error = Diagnostic::new(format!("two waves have the name `{}`", wave.name));
                self.refuse(error.at(node.at, "second use").help("give each wave a unique name"));
            }
            waves.push(wave);
        }
        self.refuse_waits(tables, lifetime);
        waves
    }

    /// Refuses the first wave that begins only after its plan has expired. The first of all waits for no other.
    fn refuse_waits(&mut self, tables: &[Node], lifetime: Duration) {
        let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
        let openings = tables.iter().skip(1).filter_map(|node| node.as_table()?.get("opens_after"));
        let mut waits = SignedDuration::ZERO;
        for entry in openings {
            let Some(Ok(Opening::ConfirmedFor(wait))) = entry.node.as_text().map(str::parse) else { continue };
            waits = waits.saturating_add(wait);
            if waits >= lifetime {
                let error = format!("the waves wait for {waits:#} in all, but a plan expires after {lifetime:#}");
                let error = Diagnostic::new(error).at(entry.node.at, "the plan expires before this wave begins");
                self.refuse(error.help("shorten the waits, or raise `plan_lifetime` in `[run]`"));
                return;
            }
        }
    }

    fn read_wave(&mut self, node: &Node, is_last: bool) -> Option<WaveRule> {
        let table = node.as_table()?;
        self.check_keys(table, &KEYS, "`[[wave]]`");
        let name = table.get("name").and_then(|entry| entry.node.as_text());
        let Some(name) = name.filter(|name| is_plain_name(name)) else {
            let at = table.get("name").map_or(node.at, |entry| entry.node.at);
            let error = Diagnostic::new("a wave has no valid `name`");
            let error = error.at(at, "expected lowercase letters, digits, `.`, `_`, and `-`, such as \"canary\"");
            self.refuse(error.help("start with a letter or a digit"));
            return None;
        };
        let pick = match table.get("pick") {
            Some(entry) => self.read_pick(entry)?,
            None if is_last => Pick::Rest,
            None => {
                let error = Diagnostic::new(format!("the wave `{name}` leaves nothing for the waves after it"));
                let error = error.at(node.at, "expected `pick = 3`, `pick = \"10%\"`, or `pick = { labels = { … } }`");
                self.refuse(error.help("only the last wave takes all that is left"));
                return None;
            }
        };
        if name == REST && pick != Pick::Rest {
            let error = Diagnostic::new(format!("`{REST}` is the wave of all tenants that no other wave takes"));
            self.refuse(error.at(node.at, "").help("leave out `pick`, or give the wave another name"));
        }
        let order = self.word(
            table,
            "order",
            &[("days-left", WaveOrder::DaysLeft), ("risk", WaveOrder::Risk), ("inventory", WaveOrder::Inventory)],
        );
        let opens_after = table.get("opens_after").and_then(|entry| self.read_opening(entry));
        let (order, opens_after) = (order.unwrap_or_default(), opens_after.unwrap_or_default());
        let requires = self.word(table, "requires", &[("rehearsal", Requirement::Rehearsal)]);
        Some(WaveRule { name: name.to_owned(), pick, order, opens_after, requires })
    }

    fn read_pick(&mut self, entry: &Entry) -> Option<Pick> {
        if let Some(table) = entry.node.as_table() {
            return Some(Pick::Matching(self.read_selector(table)));
        }
        let value = entry.node.to_json();
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.trim().parse::<u8>().ok());
        let percent = percent.filter(|percent| (1..=100).contains(percent));
        match (count, percent) {
            (Some(count), _) => Some(Pick::Count(count)),
            (None, Some(percent)) => Some(Pick::Percent(percent)),
            (None, None) => {
                let error = Diagnostic::new("invalid value for `pick`");
                let error =
                    error.at(entry.node.at, "expected a number such as 3, a part such as \"10%\", or a selector");
                self.refuse(error.help("a selector is a table such as `{ labels = { region = \"emea\" } }`"));
                None
            }
        }
    }

    fn read_selector(&mut self, table: &Table) -> Selector {
        self.check_keys(table, &SELECTOR_KEYS, "a selector");
        let labels = self.table(table, "labels");
        Selector {
            tenants: self.words(table, "tenants"),
            owners: self.words(table, "owner"),
            labels: labels
                .keys()
                .flat_map(|name| self.words(&labels, name).into_iter().map(|value| (name.to_string(), value)))
                .collect(),
            findings: self.words(table, "finding"),
            except: self.words(table, "except"),
        }
    }

    fn read_opening(&mut self, entry: &Entry) -> Option<Opening> {
        match entry.node.as_text().unwrap_or_default().parse() {
            Ok(opening) => Some(opening),
            Err(expected) => {
                let error = Diagnostic::new("`opens_after` says nothing that flowswap knows");
                self.refuse(error.at(entry.node.at, expected));
                None
            }
        }
    }

    /// A text, or a list of texts.
    fn words(&mut self, table: &Table, key: &str) -> Vec<String> {
        let Some(entry) = table.get(key) else { return Vec::new() };
        let nodes = entry.node.as_list().unwrap_or(std::slice::from_ref(&entry.node));
        let words: Option<Vec<String>> = nodes.iter().map(|node| node.as_text().map(str::to_owned)).collect();
        words.unwrap_or_else(|| {
            self.refuse_kind(key, &entry.node, "a text in quotes, or a list of them");
            Vec::new()
        })
    }
}

//! Reads typed values out of a table. It collects errors and continues to read.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;

use crate::{
    diagnostic::Diagnostic,
    source::Sources,
    suggest::suggest,
    tree::{Node, Table},
};

/// The files that were read so far, and the errors in them.
pub(crate) struct Reader {
    /// The folder of the configuration; paths are relative to it.
    pub(crate) dir: PathBuf,
    pub(crate) sources: Sources,
    pub(crate) errors: Vec<Diagnostic>,
}

impl Reader {
    pub(crate) fn refuse(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    /// Refuses every key that is not known; `section` names the table in the message, such as `` `[run]` ``.
    pub(crate) fn check_keys(&mut self, table: &Table, known: &[&str], section: &str) {
        for (key, entry) in table.iter().filter(|(key, _)| !known.contains(&key.as_ref())) {
            self.refuse(
                Diagnostic::new(format!("unknown key `{key}`"))
                    .at(entry.key_at, format!("not a key of {section}"))
                    .help(suggest(key, known.iter().copied())),
            );
        }
    }

    /// The table at a key; empty if the key is absent.
    pub(crate) fn table(&mut self, parent: &Table, key: &str) -> Table {
        let Some(entry) = parent.get(key) else { return Table::new() };
        let table = entry.node.as_table();
        if table.is_none() {
            self.refuse_kind(key, &entry.node, "a table");
        }
        table.cloned().unwrap_or_default()
    }

    pub(crate) fn path(&mut self, table: &Table, key: &str) -> Option<PathBuf> {
        let entry = table.get(key)?;
        let Some(text) = entry.node.as_text() else {
            self.refuse_kind(key, &entry.node, "a path in quotes");
            return None;
        };
        self.read_path(key, text, &entry.node)
    }

    /// Turns `text`, which was read from `node`, into a path.
    pub(crate) fn read_path(&mut self, key: &str, text: &str, node: &Node) -> Option<PathBuf> {
        let refusal = if text.trim().is_empty() {
            ("is empty", "write an absolute path, or a path relative to this file")
        } else if text.starts_with("~/") || text == "~" {
            ("starts with `~`, which only a shell expands", "write the full path, or a path relative to this file")
        } else {
            return Some(join(&self.dir, text));
        };
        self.refuse(Diagnostic::new(format!("the path `{key}` {}", refusal.0)).at(node.at, "").help(refusal.1));
        None
    }

    pub(crate) fn duration(&mut self, table: &Table, key: &str) -> Option<Duration> {
        let entry = table.get(key)?;
        let expected = "a duration such as \"250ms\", \"30s\", \"5m\", or \"24h\"";
        let Some(text) = entry.node.as_text() else {
            self.refuse_kind(key, &entry.node, expected);
            return None;
        };
        let duration = parse_duration(text);
        if duration.is_none() {
            let error = Diagnostic::new(format!("`{key}` is not a duration"));
            self.refuse(
                error.at(entry.node.at, format!("expected {expected}")).help("write a number above zero with its unit"),
            );
        }
        duration
    }

    /// A whole number, at least 1.
    pub(crate) fn count(&mut self, table: &Table, key: &str) -> Option<usize> {
        let entry = table.get(key)?;
        let number = whole_number(&entry.node);
        if number.is_none() {
            let error = Diagnostic::new(format!("invalid value for `{key}`"));
            self.refuse(error.at(entry.node.at, "expected a whole number, at least 1"));
        }
        number
    }

    /// A time zone, by its name in the database of the system.
    pub(crate) fn time_zone(&mut self, node: &Node) -> Option<TimeZone> {
        let Some(name) = node.as_text() else {
            self.refuse_kind("timezone", node, "the name of a time zone such as \"Europe/Berlin\"");
            return None;
        };
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            let error = Diagnostic::new(format!("there is no time zone `{name}`"));
            let error = error.at(node.at, "expected a name such as \"Europe/Berlin\" or \"UTC\"");
            self.refuse(error.help("use a name from the time zone database of the system"));
        }
        zone
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, table: &Table, key: &str) -> Option<bool> {
        let entry = table.get(key)?;
        let flag = entry.node.to_json().as_bool();
        if flag.is_none() {
            self.refuse_kind(key, &entry.node, "`true` or `false`");
        }
        flag
    }

    /// What one of some known words means.
    pub(crate) fn word<T: Copy>(&mut self, table: &Table, key: &str, known: &[(&str, T)]) -> Option<T> {
        let entry = table.get(key)?;
        let text = entry.node.as_text();
        let meant = known.iter().find(|(word, _)| Some(*word) == text);
        if meant.is_none() {
            let words: Vec<_> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let error = Diagnostic::new(format!("`{key}` is not a known word"));
            self.refuse(error.at(entry.node.at, format!("expected one of {}", words.join(", "))));
        }
        meant.map(|(_, meaning)| *meaning)
    }

    /// Refuses a value of the wrong type.
    pub(crate) fn refuse_kind(&mut self, key: &str, node: &Node, expected: &str) {
        let error = Diagnostic::new(format!("`{key}` has the wrong type"));
        let label = format!("expected {expected}, found {}", node.kind());
        let error = error.at(node.at, label);
        self.refuse(error);
    }
}

/// A path relative to `dir`. It does not prepend the current folder, so that messages show the path as it was written.
fn join(dir: &Path, path: &str) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(path) } else { dir.join(path) }
}

/// A whole number, at least 1.
pub(crate) fn whole_number(node: &Node) -> Option<usize> {
    let number = node.to_json().as_u64().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| *number > 0)
}

fn parse_duration(text: &str) -> Option<Duration> {
    Duration::try_from(flowswap_engine::parse_duration(text)?).ok().filter(|duration| !duration.is_zero())
}

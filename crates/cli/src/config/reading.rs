//! Reads typed values out of a table; whatever is wrong is noted, and reading goes on.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::{
    diagnostic::Diagnostic,
    secret::SecretRef,
    source::Sources,
    suggest::suggest,
    tree::{Node, Table},
};

/// What has been read so far, and what was wrong with it.
pub(super) struct Reading {
    /// The folder of the configuration; paths are relative to it.
    pub(super) dir: PathBuf,
    pub(super) sources: Sources,
    pub(super) errors: Vec<Diagnostic>,
}

impl Reading {
    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        self.errors.push(diagnostic);
    }

    /// Refuses every key but the known ones; `section` is what has them, such as `` `[run]` ``.
    pub(super) fn check_keys(&mut self, table: &Table, known: &[&str], section: &str) {
        for (key, entry) in table.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            self.refuse(
                Diagnostic::new(format!("unknown key `{key}`"))
                    .at(entry.key_at, format!("not a key of {section}"))
                    .help(suggest(key, known.iter().copied())),
            );
        }
    }

    /// The table at a key; an absent one is empty.
    pub(super) fn table(&mut self, parent: &Table, key: &str) -> Table {
        let Some(entry) = parent.get(key) else { return Table::new() };
        let table = entry.node.as_table();
        if table.is_none() {
            self.refuse_kind(key, &entry.node, "a table");
        }
        table.cloned().unwrap_or_default()
    }

    pub(super) fn path(&mut self, table: &Table, key: &str) -> Option<PathBuf> {
        let entry = table.get(key)?;
        let Some(text) = entry.node.as_text() else {
            self.refuse_kind(key, &entry.node, "a path in quotes");
            return None;
        };
        self.read_path(key, text, &entry.node)
    }

    /// The path that `text`, read from `node`, stands for.
    pub(super) fn read_path(&mut self, key: &str, text: &str, node: &Node) -> Option<PathBuf> {
        let refusal = if text.trim().is_empty() {
            ("is empty", "write the path of a file, relative to the configuration or absolute")
        } else if text.starts_with("~/") || text == "~" {
            ("begins with `~`, which only a shell understands", "write the path out, or make it relative to this file")
        } else {
            return Some(join(&self.dir, text));
        };
        self.refuse(Diagnostic::new(format!("the path `{key}` {}", refusal.0)).at(node.at, "").help(refusal.1));
        None
    }

    pub(super) fn duration(&mut self, table: &Table, key: &str) -> Option<Duration> {
        let entry = table.get(key)?;
        let expected = "a duration such as \"250ms\", \"30s\", \"5m\" or \"24h\"";
        let Some(text) = entry.node.as_text() else {
            self.refuse_kind(key, &entry.node, expected);
            return None;
        };
        let duration = parse_duration(text);
        if duration.is_none() {
            let error = Diagnostic::new(format!("`{key}` is not a duration"));
            self.refuse(
                error
                    .at(entry.node.at, format!("expected {expected}"))
                    .help("write a number and its unit, more than zero"),
            );
        }
        duration
    }

    /// A whole number, one at least.
    pub(super) fn count(&mut self, table: &Table, key: &str) -> Option<usize> {
        let entry = table.get(key)?;
        let number = entry.node.to_json().as_u64().and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| *number > 0);
        if number.is_none() {
            let error = Diagnostic::new(format!("`{key}` is not a count"));
            self.refuse(error.at(entry.node.at, "expected a whole number, 1 at least"));
        }
        number
    }

    /// A reference to a secret that must be one.
    pub(super) fn secret(&mut self, table: &Table, key: &str) -> Option<SecretRef> {
        let entry = table.get(key)?;
        self.read_reference(key, entry)
    }

    /// Notes that a value is of the wrong kind.
    pub(super) fn refuse_kind(&mut self, key: &str, node: &Node, expected: &str) {
        let error = Diagnostic::new(format!("`{key}` has the wrong kind of value"));
        let label = format!("expected {expected}, found {}", node.kind());
        let error = error.at(node.at, label);
        self.refuse(error);
    }
}

/// How a secret is referred to.
pub(super) const REFERENCE_HELP: &str =
    "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }` or `{ command = [\"program\", \"argument\"] }`";

/// A path relative to `dir`; the current folder is left out, so that messages show what the person wrote.
fn join(dir: &Path, path: &str) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(path) } else { dir.join(path) }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let span: Span = text.trim().parse().ok()?;
    let duration: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero())
}

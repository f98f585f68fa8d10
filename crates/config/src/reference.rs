//! References to secrets: distinguishes them from plain values, and reads them. A configuration never holds the secret itself.

use std::path::PathBuf;

use crate::{
    diagnostic::Diagnostic,
    mask::{is_secret_key, is_variable_name},
    reader::Reader,
    tree::{Entry, Node, Shape, Table},
};

/// Where a secret is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that only its owner (and group) can read.
    File(PathBuf),
    /// A program and its arguments, run without a shell; its stdout is the secret.
    Command(Vec<String>),
}

/// How to write a reference to a secret.
pub(crate) const REFERENCE_HELP: &str =
    "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }`, or `{ command = [\"program\", \"argument\"] }`";

const REFERENCE_KINDS: [&str; 3] = ["env", "file", "command"];

/// Whether the value is, or was meant as, a reference to a secret: a table with exactly one of the three keys, or any
/// value other than a boolean at a key that can only hold a secret.
pub(crate) fn is_reference(key: &str, node: &Node) -> bool {
    if is_secret_key(key) {
        return !matches!(&node.shape, Shape::Scalar(value) if value.is_boolean());
    }
    is_well_formed(node)
}

/// Whether the value is a table with exactly one key, and that key is one of [`REFERENCE_KINDS`].
pub(crate) fn is_well_formed(node: &Node) -> bool {
    let table = node.as_table();
    table.is_some_and(|table| table.len() == 1 && REFERENCE_KINDS.iter().any(|kind| table.contains_key(*kind)))
}

impl Reader {
    /// A reference to a secret; any other value is refused.
    pub(crate) fn secret(&mut self, table: &Table, key: &str) -> Option<SecretRef> {
        let entry = table.get(key)?;
        self.read_reference(key, entry)
    }

    /// Reads a value for which [`is_reference`] holds.
    pub(crate) fn read_reference(&mut self, key: &str, entry: &Entry) -> Option<SecretRef> {
        let Some(table) = entry.node.as_table() else {
            let error = Diagnostic::new(format!("`{key}` holds a plain-text secret"));
            let error = error.at(entry.node.at, "expected a reference to where the secret is kept");
            self.refuse(error.help(REFERENCE_HELP));
            return None;
        };
        let Some((kind, value)) = table.first().filter(|_| is_well_formed(&entry.node)) else {
            let error = Diagnostic::new(format!("`{key}` is not a reference to a secret"));
            let error = error.at(entry.node.at, "expected exactly one of `env`, `file` and `command`");
            self.refuse(error.help(REFERENCE_HELP));
            return None;
        };
        match kind.as_ref() {
            "env" => self.read_env(value),
            "file" => {
                let Some(text) = value.node.as_text() else {
                    self.refuse_kind("file", &value.node, "a path in quotes");
                    return None;
                };
                self.read_path("file", text, &value.node).map(SecretRef::File)
            }
            _ => self.read_command(value),
        }
    }

    fn read_env(&mut self, value: &Entry) -> Option<SecretRef> {
        let Some(name) = value.node.as_text() else {
            self.refuse_kind("env", &value.node, "the name of an environment variable");
            return None;
        };
        if !is_variable_name(name) {
            let error = Diagnostic::new("`env` does not name an environment variable");
            let error = error.at(value.node.at, "expected a name such as \"OKTA_TOKEN\"");
            self.refuse(error.help("put the secret into the variable, never into this file"));
            return None;
        }
        Some(SecretRef::Env(name.to_owned()))
    }

    fn read_command(&mut self, value: &Entry) -> Option<SecretRef> {
        let words = value.node.as_list().map(|items| items.iter().map(|item| item.as_text().map(str::to_owned)));
        let argv: Option<Vec<String>> = words.and_then(Iterator::collect);
        let argv = argv.filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
        let Some(mut argv) = argv else {
            let error = Diagnostic::new("`command` is not a list of strings");
            let error = error.at(value.node.at, "expected a list of strings such as [\"pass\", \"show\", \"okta\"]");
            self.refuse(error.help("write each argument as a separate string; no shell splits them"));
            return None;
        };
        // PATH resolves a bare name; a name with a slash is relative to the configuration's folder.
        if argv[0].contains('/') {
            let program = argv[0].clone();
            argv[0] = self.read_path("command", &program, &value.node)?.display().to_string();
        }
        Some(SecretRef::Command(argv))
    }
}

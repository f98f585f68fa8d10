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
    /// A program. Its stdout is the secret.
    Command(ProgramCall),
}

/// A program to run, without a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramCall {
    /// A name to look up in PATH, or a path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The environment variables that it gets beside those that every such program gets.
    pub env: Vec<String>,
}

/// How to write a reference to a secret.
pub(crate) const REFERENCE_HELP: &str =
    "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }`, or `{ command = [\"program\", \"argument\"] }`";

const REFERENCE_KINDS: [&str; 3] = ["env", "file", "command"];

/// Whether the value is, or was meant as, a reference to a secret: a table that [`is_well_formed`], or any value other than a
/// boolean at a key that can only hold a secret.
pub(crate) fn is_reference(key: &str, node: &Node) -> bool {
    if is_secret_key(key) {
        return !matches!(&node.shape, Shape::Scalar(value) if value.is_boolean());
    }
    is_well_formed(node)
}

/// Whether the value is a table with exactly one key, and that key is one of [`REFERENCE_KINDS`]. A `command` may also have
/// an `env`.
pub(crate) fn is_well_formed(node: &Node) -> bool {
    node.as_table().is_some_and(|table| match table.len() {
        1 => REFERENCE_KINDS.iter().any(|kind| table.contains_key(*kind)),
        length => length == 2 && table.contains_key("command") && table.contains_key("env"),
    })
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
        if !is_well_formed(&entry.node) {
            let error = Diagnostic::new(format!("`{key}` is not a reference to a secret"));
            let error = error.at(entry.node.at, "expected exactly one of `env`, `file` and `command`");
            self.refuse(error.help(REFERENCE_HELP));
            return None;
        }
        match (table.get("command"), table.get("file"), table.get("env")) {
            (Some(command), _, env) => self.read_command(command, env).map(SecretRef::Command),
            (None, Some(file), _) => {
                let Some(text) = file.node.as_text() else {
                    self.refuse_kind("file", &file.node, "a path in quotes");
                    return None;
                };
                self.read_path("file", text, &file.node).map(SecretRef::File)
            }
            (None, None, env) => self.read_env(env?),
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

    /// The program of a list of strings, with the variables that it gets.
    pub(crate) fn read_command(&mut self, value: &Entry, env: Option<&Entry>) -> Option<ProgramCall> {
        let env = env.map(|env| self.read_variables(env));
        let words = as_words(&value.node).filter(|words| words.first().is_some_and(|program| !program.is_empty()));
        let Some([program, args @ ..]) = words.as_deref() else {
            let error = Diagnostic::new("`command` is not a list of strings");
            let error = error.at(value.node.at, "expected a list of strings such as [\"pass\", \"show\", \"okta\"]");
            self.refuse(error.help("write each argument as a separate string; no shell splits them"));
            return None;
        };
        // PATH resolves a bare name; a name with a slash is relative to the configuration's folder.
        let program = if program.contains('/') {
            self.read_path("command", program, &value.node)?.display().to_string()
        } else {
            program.clone()
        };
        Some(ProgramCall { program, args: args.to_vec(), env: env.unwrap_or_default() })
    }

    /// The variables that a command gets.
    fn read_variables(&mut self, value: &Entry) -> Vec<String> {
        let names = as_words(&value.node).filter(|names| names.iter().all(|name| is_variable_name(name)));
        if names.is_none() {
            let error = Diagnostic::new("`env` beside `command` is not a list of names of environment variables");
            let error = error.at(value.node.at, "expected a list such as [\"OP_SESSION\", \"VAULT_ADDR\"]");
            self.refuse(
                error.help("write only the names; the program gets the values from flowswap's own environment"),
            );
        }
        names.unwrap_or_default()
    }
}

/// The strings of a list. `None` if it is not a list, or if it contains anything else.
fn as_words(node: &Node) -> Option<Vec<String>> {
    node.as_list()?.iter().map(|item| item.as_text().map(str::to_owned)).collect()
}

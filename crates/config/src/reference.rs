//! References to secrets: distinguishes them from plain values, and reads them. A configuration never holds the secret itself.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    diagnostic::Diagnostic,
    mask::{is_secret_key, is_variable_name, split_field},
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
    /// A field of a secret in Vault.
    Vault(VaultField),
}

/// A field of a secret in HashiCorp Vault or OpenBao.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultField {
    /// The path of the secret in Vault's interface, such as `kv/data/okta`.
    pub path: String,
    /// The field of the secret.
    pub field: String,
}

impl fmt::Display for VaultField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.path, self.field)
    }
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
    /// How long it may take to print a secret. `None` for the time that every such program has.
    pub timeout: Option<Duration>,
}

/// How to write a reference to a secret.
pub(crate) const REFERENCE_HELP: &str = "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }`, `{ command = [\"program\", \"argument\"] }`, or `{ vault = \"path#field\" }`";

const REFERENCE_KINDS: [&str; 4] = ["env", "file", "command", "vault"];

/// What may stand beside `command`.
const BESIDE_COMMAND: [&str; 2] = ["env", "timeout"];

/// Whether the value is, or was meant as, a reference to a secret: a table that [`is_well_formed`], or any value other than a
/// boolean at a key that can only hold a secret.
pub(crate) fn is_reference(key: &str, node: &Node) -> bool {
    if is_secret_key(key) {
        return !matches!(&node.shape, Shape::Scalar(value) if value.is_boolean());
    }
    is_well_formed(node)
}

/// Whether the value is a table with exactly one key, and that key is one of [`REFERENCE_KINDS`]. A `command` may also have
/// an `env` and a `timeout`.
pub(crate) fn is_well_formed(node: &Node) -> bool {
    node.as_table().is_some_and(|table| {
        let mut others = table.keys().filter(|key| ***key != *"command");
        match table.len() {
            1 => REFERENCE_KINDS.iter().any(|kind| table.contains_key(*kind)),
            _ => table.contains_key("command") && others.all(|key| BESIDE_COMMAND.contains(&&**key)),
        }
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
            let error = error.at(entry.node.at, "expected exactly one of `env`, `file`, `command`, and `vault`");
            self.refuse(error.help(REFERENCE_HELP));
            return None;
        }
        if let Some(command) = table.get("command") {
            let timeout = self.duration(table, "timeout");
            let call = self.read_command(command, table.get("env"))?;
            return Some(SecretRef::Command(ProgramCall { timeout, ..call }));
        }
        if let Some(file) = table.get("file") {
            let Some(text) = file.node.as_text() else {
                self.refuse_kind("file", &file.node, "a path in quotes");
                return None;
            };
            return self.read_path("file", text, &file.node).map(SecretRef::File);
        }
        match table.get("vault") {
            Some(vault) => self.read_vault_field(vault),
            None => self.read_env(table.get("env")?),
        }
    }

    fn read_vault_field(&mut self, value: &Entry) -> Option<SecretRef> {
        let Some((path, field)) = value.node.as_text().and_then(split_field) else {
            let error = Diagnostic::new("`vault` does not name a field of a secret");
            let error = error.at(value.node.at, "expected a path and a field such as \"kv/data/okta#token\"");
            self.refuse(error.help(
                "write the path of Vault's interface: `kv/data/okta` for a secret that `vault kv get kv/okta` shows",
            ));
            return None;
        };
        Some(SecretRef::Vault(VaultField { path: path.to_owned(), field: field.to_owned() }))
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
        Some(ProgramCall { program, args: args.to_vec(), env: env.unwrap_or_default(), timeout: None })
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

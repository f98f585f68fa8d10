//! Masks plain-text secrets in a configuration before an error can show any of its lines.
//!
//! Such a configuration is refused, but the error shows the line, and people paste errors into tickets.

use std::ops::Range;

use crate::{
    source::mask_span,
    tree::{Node, Shape, Table},
};

/// Whether the value of this key can only be a secret.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    let ends = ["_token", "_secret", "password", "passphrase"].iter().any(|end| key.ends_with(end));
    // Who knows the URL of a webhook can post to it.
    ends || matches!(key.as_str(), "credential" | "token" | "secret" | "secret_id" | "webhook")
}

/// Whether this can be the name of an environment variable. A secret that was written in its place rarely can.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The path and the field of a reference to Vault such as `kv/data/okta#token`. A secret that was written in its place rarely is
/// one.
pub(crate) fn split_field(text: &str) -> Option<(&str, &str)> {
    let (path, field) = text.split_once('#')?;
    let is_field = !field.trim().is_empty() && !field.contains('#');
    (is_field && path.contains('/') && is_vault_path(path)).then_some((path, field))
}

/// Whether these are names with slashes between them. A name such as `..` could lead elsewhere.
pub(crate) fn is_vault_path(text: &str) -> bool {
    text.split('/').all(|name| !matches!(name.trim(), "" | "." | "..") && !name.contains(['?', '#', '\\']))
}

/// Masks every secret in the table, at any depth.
pub(crate) fn mask_table(text: &mut String, table: &Table) {
    for (key, entry) in table {
        if is_secret_key(key) {
            mask_secret(text, &entry.node);
        } else {
            mask_children(text, &entry.node);
        }
    }
}

fn mask_children(text: &mut String, node: &Node) {
    match &node.shape {
        Shape::Scalar(_) => {}
        Shape::List(items) => {
            for item in items {
                mask_children(text, item);
            }
        }
        Shape::Table(table) => mask_table(text, table),
    }
}

fn mask_secret(text: &mut String, node: &Node) {
    match &node.shape {
        // A `$variable` is a placeholder for a secret, which a plugin fills in later.
        Shape::Scalar(value) if value.as_str().is_some_and(|value| value.starts_with('$')) => {}
        Shape::Scalar(value) if value.is_boolean() => {}
        Shape::Scalar(_) => mask_span(text, node.at.span()),
        Shape::List(items) => {
            for item in items {
                mask_secret(text, item);
            }
        }
        Shape::Table(table) => {
            for (key, entry) in table {
                let is_reference = match key.as_ref() {
                    "env" => names_variables(&entry.node),
                    "file" => entry.node.as_text().is_some(),
                    "command" | "timeout" => true,
                    "vault" => entry.node.as_text().is_some_and(|text| split_field(text).is_some()),
                    _ => false,
                };
                if !is_reference {
                    mask_secret(text, &entry.node);
                }
            }
        }
    }
}

/// Whether the value of `env` is a name of a variable, or a list of names.
fn names_variables(node: &Node) -> bool {
    let is_name = |node: &Node| node.as_text().is_some_and(|name| is_variable_name(&name.replace(['{', '}'], "")));
    node.as_list().map_or_else(|| is_name(node), |names| names.iter().all(is_name))
}

/// Masks what follows the key of a secret, line by line, in a text that is not valid TOML.
pub(crate) fn mask_lines(text: &mut String) {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        spans.extend(find_secret(line).map(|span| start + span.start..start + span.end));
        start += line.len();
    }
    for span in spans {
        mask_span(text, span);
    }
}

/// The range from the first value in the line that may be a secret to the end of the line. In invalid TOML, the end of the
/// value is unknown.
fn find_secret(line: &str) -> Option<Range<usize>> {
    let is_key_char = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    line.match_indices('=').find_map(|(equals, _)| {
        let key = line[..equals].trim_end().trim_end_matches(['"', '\'']);
        let key = key.rsplit(|c: char| !is_key_char(c)).next().unwrap_or_default();
        let value = line[equals + 1..].trim();
        let is_secret = match key.rsplit('.').next() {
            Some("env") => !is_variable_name(value.trim_matches(|c: char| !is_key_char(c))),
            _ => key.split('.').any(is_secret_key) && !value.starts_with('{'),
        };
        let start = line.trim_end().len() - value.len();
        is_secret.then(|| start..start + value.len())
    })
}

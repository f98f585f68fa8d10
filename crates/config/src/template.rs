//! Fills in the `{field}` placeholders in strings of `[defaults]` from each tenant's own fields.

use std::{collections::BTreeMap, ops::Range};

/// The names and values of a tenant's fields.
pub(crate) type Fields = BTreeMap<String, String>;

/// A part of a string.
#[derive(Debug, PartialEq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    /// The name in `{name}`, and the position of the placeholder in the string.
    Field(&'a str, Range<usize>),
}

/// A string that was split into parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Template<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    /// The position of the first brace that is neither doubled nor part of a field. Such a brace counts as text.
    pub(crate) stray_brace: Option<usize>,
}

/// Splits a string into parts; `{{` and `}}` stand for one brace.
pub(crate) fn parse(text: &str) -> Template<'_> {
    let mut template = Template { parts: vec![], stray_brace: None };
    let mut start = 0;
    while let Some(found) = text[start..].find(['{', '}']) {
        let brace = start + found;
        let rest = &text[brace..];
        template.parts.push(Part::Text(&text[start..brace]));
        if rest.starts_with("{{") || rest.starts_with("}}") {
            template.parts.push(Part::Text(&rest[..1]));
            start = brace + 2;
        } else if let Some(name) = read_field(rest) {
            start = brace + name.len() + 2;
            template.parts.push(Part::Field(name, brace..start));
        } else {
            template.stray_brace.get_or_insert(brace);
            template.parts.push(Part::Text(&rest[..1]));
            start = brace + 1;
        }
    }
    template.parts.push(Part::Text(&text[start..]));
    template.parts.retain(|part| *part != Part::Text(""));
    template
}

/// The name in the `{name}` at the start of the text.
fn read_field(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(|c: char| !is_name_char(c))?;
    (end > 0 && inner[end..].starts_with('}')).then(|| &inner[..end])
}

/// The string with its fields filled in, and the unknown fields with their positions.
pub(crate) fn fill(text: &str, fields: &Fields) -> (String, Vec<(String, Range<usize>)>) {
    let mut unknown = Vec::new();
    let mut filled = String::new();
    for part in parse(text).parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Field(name, span) => match fields.get(name) {
                Some(value) => filled.push_str(value),
                None => unknown.push((name.to_owned(), span)),
            },
        }
    }
    (filled, unknown)
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

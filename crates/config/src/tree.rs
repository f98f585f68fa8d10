//! Values with their places in the files. TOML and CSV both become these values, and the defaults are merged into them.

use std::sync::Arc;

use litemap::LiteMap;
use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::{diagnostic::Diagnostic, hidden::refuse_hidden, location::Location};

/// A value and its place.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) at: Location,
}

/// The content of a value.
#[derive(Clone)]
pub(crate) enum Shape {
    Scalar(Value),
    List(Vec<Node>),
    Table(Table),
}

/// A table; its entries are ordered by key, as JSON objects are. Tenants share the names of the keys. Thousands of tenants have
/// small tables, and the nodes of a `BTreeMap` would be half empty.
pub(crate) type Table = LiteMap<Arc<str>, Entry>;

/// A table without entries.
pub(crate) static EMPTY: Table = Table::new();

/// A key with its place, and its value. Tenants share the defaults that they take as they are.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key_at: Location,
    pub(crate) node: Arc<Node>,
}

impl Entry {
    pub(crate) fn new(key_at: Location, node: Node) -> Self {
        Self { key_at, node: Arc::new(node) }
    }
}

impl Node {
    pub(crate) fn text(text: impl Into<String>, at: Location) -> Self {
        Self { shape: Shape::Scalar(Value::String(text.into())), at }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Shape::Scalar(Value::String(text)) = &self.shape { Some(text) } else { None }
    }

    pub(crate) fn as_table(&self) -> Option<&Table> {
        if let Shape::Table(table) = &self.shape { Some(table) } else { None }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Shape::List(items) = &self.shape { Some(items) } else { None }
    }

    /// The scalar as text without quotes.
    pub(crate) fn as_plain_text(&self) -> Option<String> {
        match &self.shape {
            Shape::Scalar(Value::String(text)) => Some(text.clone()),
            Shape::Scalar(other) => Some(other.to_string()),
            Shape::List(_) | Shape::Table(_) => None,
        }
    }

    /// The type of the value with an article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.shape {
            Shape::Scalar(Value::String(_)) => "a string",
            Shape::Scalar(Value::Bool(_)) => "a boolean",
            Shape::Scalar(_) => "a number",
            Shape::List(_) => "a list",
            Shape::Table(_) => "a table",
        }
    }

    /// Whether any text in it may have fields, as `{region}`.
    pub(crate) fn may_have_fields(&self) -> bool {
        match &self.shape {
            Shape::Scalar(Value::String(text)) => text.contains(['{', '}']),
            Shape::Scalar(_) => false,
            Shape::List(items) => items.iter().any(Self::may_have_fields),
            Shape::Table(table) => table.values().any(|entry| entry.node.may_have_fields()),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.shape {
            Shape::Scalar(value) => value.clone(),
            Shape::List(items) => items.iter().map(Self::to_json).collect(),
            Shape::Table(table) => Value::Object(to_json(table)),
        }
    }
}

/// The table as a JSON object.
pub(crate) fn to_json(table: &Table) -> Map<String, Value> {
    table.iter().map(|(key, entry)| (key.to_string(), entry.node.to_json())).collect()
}

/// Turns TOML into nodes, and reports values that JSON cannot hold.
pub(crate) struct TreeBuilder<'a> {
    pub(crate) source: usize,
    pub(crate) errors: &'a mut Vec<Diagnostic>,
}

impl TreeBuilder<'_> {
    pub(crate) fn build(&mut self, table: &DeTable<'_>) -> Table {
        let mut built = Table::new();
        for (key, value) in table {
            let key_at = Location::new(self.source, key.span());
            let key = key.get_ref();
            let node = self.build_value(key, value.get_ref(), Location::new(self.source, value.span()));
            if let Some(error) = refuse_hidden(&format!("the key `{key}`"), key, &[]) {
                self.errors.push(error.at(key_at, ""));
            }
            built.insert(key.as_ref().into(), Entry::new(key_at, node));
        }
        built
    }

    fn build_value(&mut self, key: &str, value: &DeValue<'_>, at: Location) -> Node {
        if let DeValue::String(text) = value
            && let Some(error) = refuse_hidden(&format!("`{key}`"), text, &[])
        {
            self.errors.push(error.at(at, ""));
        }
        let scalar = match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Number(number.into()),
                Err(_) => self.refuse_number(at),
            },
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => self.refuse_number(at),
            },
            DeValue::Array(items) => {
                let build_item = |item: &toml::Spanned<DeValue<'_>>| {
                    let at = Location::new(at.source(), item.span());
                    match item.get_ref() {
                        // A list item can be an argument of a command, and so a script of several lines.
                        DeValue::String(text) => {
                            let error = refuse_hidden(&format!("`{key}`"), text, &['\n', '\r', '\t']);
                            self.errors.extend(error.map(|error| error.at(at, "")));
                            Node::text(text.as_ref(), at)
                        }
                        other => self.build_value(key, other, at),
                    }
                };
                return Node { shape: Shape::List(items.iter().map(build_item).collect()), at };
            }
            DeValue::Table(table) => return Node { shape: Shape::Table(self.build(table)), at },
        };
        Node { shape: Shape::Scalar(scalar), at }
    }

    fn refuse_number(&mut self, at: Location) -> Value {
        self.errors.push(
            Diagnostic::new("a number is out of range").at(at, "expected a number of at most 64 bits, not infinity"),
        );
        Value::Null
    }
}

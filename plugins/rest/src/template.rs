//! Templates for paths, headers, and bodies: each request fills in the `$variable`s of a string.
//!
//! The variables of an operation are checked when the session opens, so that no run stops halfway because of a typo.
//! A secret must be a whole JSON value, because the host puts it in and the plugin never sees it.

use std::collections::BTreeMap;

use flowswap_contract::{Error, ErrorKind, SentSecret};
use serde_json::{Map, Value};

use crate::table::wrong;

/// A variable in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variable {
    Id,
    Name,
    Domain,
    Flow,
    ClientId,
    ClientSecret,
    Receipt,
    AppData,
}

impl Variable {
    const ALL: [(&'static str, Self); 8] = [
        ("id", Self::Id),
        ("name", Self::Name),
        ("domain", Self::Domain),
        ("flow", Self::Flow),
        ("client_id", Self::ClientId),
        ("client_secret", Self::ClientSecret),
        ("receipt", Self::Receipt),
        ("app_data", Self::AppData),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, variable)| *variable == self).map_or("", |(word, _)| word)
    }

    fn find(word: &str, allowed: &[Self], path: &str) -> Result<Self, Error> {
        let known = Self::ALL.iter().find(|(name, _)| *name == word).map(|(_, variable)| *variable);
        known.filter(|variable| allowed.contains(variable)).ok_or_else(|| {
            let names: Vec<_> = allowed.iter().map(|v| format!("${}", v.word())).collect();
            let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            wrong(path, &format!("names ${word}, which is not available here; available: {list}"))
        })
    }
}

/// The values of one request. A secret is present only as its handle.
#[derive(Default)]
pub(crate) struct Bindings(BTreeMap<Variable, Value>);

impl Bindings {
    pub(crate) fn bind(mut self, variable: Variable, value: impl Into<Value>) -> Self {
        self.0.insert(variable, value.into());
        self
    }

    fn get(&self, variable: Variable) -> Result<&Value, Error> {
        self.0.get(&variable).filter(|value| !value.is_null()).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("the directory gives no value for ${}", variable.word()))
        })
    }

    fn text(&self, variable: Variable) -> Result<String, Error> {
        match self.get(variable)? {
            Value::String(text) => Ok(text.clone()),
            value @ (Value::Bool(_) | Value::Number(_)) => Ok(value.to_string()),
            _ => Err(Error::new(ErrorKind::Invalid, format!("${} is not text", variable.word()))),
        }
    }
}

/// A string with variables in it.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Variable(Variable),
}

impl Template {
    /// `path` is the key path of the text in the configuration.
    pub(crate) fn parse(text: &str, allowed: &[Variable], path: &str) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            let word_len = after.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(after.len());
            let (word, next) = after.split_at(word_len);
            if word.is_empty() {
                // `$$` is one dollar sign. So is a `$` that no name follows.
                literal.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
                continue;
            }
            parts.push(Part::Text(std::mem::take(&mut literal)));
            parts.push(Part::Variable(Variable::find(word, allowed, path)?));
            rest = next;
        }
        literal.push_str(rest);
        parts.push(Part::Text(literal));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The same for places that must not contain a secret.
    pub(crate) fn parse_public(text: &str, allowed: &[Variable], path: &str) -> Result<Self, Error> {
        let template = Self::parse(text, allowed, path)?;
        if template.names(Variable::ClientSecret) {
            return Err(wrong(path, "must not contain $client_secret: it may only be a whole value of the body"));
        }
        Ok(template)
    }

    /// Whether the variable occurs in it.
    pub(crate) fn names(&self, variable: Variable) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Variable(found) if *found == variable))
    }

    fn as_variable(&self) -> Option<Variable> {
        match self.0.as_slice() {
            [Part::Variable(variable)] => Some(*variable),
            _ => None,
        }
    }

    pub(crate) fn fill(&self, bindings: &Bindings, write: fn(&str) -> String) -> Result<String, Error> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable(variable) => bindings.text(*variable).map(|text| write(&text)),
        });
        parts.collect()
    }
}

/// A JSON value with templates for strings.
#[derive(Debug)]
pub(crate) enum Body {
    /// A value without templates.
    Literal(Value),
    /// A string that is one variable. It becomes the variable's value and keeps its type.
    Variable(Variable),
    /// A string with variables in it.
    Text(Template),
    List(Vec<Body>),
    Object(Vec<(String, Body)>),
}

impl Body {
    pub(crate) fn parse(value: &Value, allowed: &[Variable], path: &str) -> Result<Self, Error> {
        Ok(match value {
            Value::String(text) => match Template::parse(text, allowed, path)?.as_variable() {
                Some(variable) => Self::Variable(variable),
                None => Self::Text(Template::parse_public(text, allowed, path)?),
            },
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(i, v)| Self::parse(v, allowed, &format!("{path}[{i}]")));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let parse = |(key, v): (&String, &Value)| {
                    Self::parse(v, allowed, &format!("{path}.{key}")).map(|body| (key.clone(), body))
                };
                Self::Object(fields.iter().map(parse).collect::<Result<_, _>>()?)
            }
            other => Self::Literal(other.clone()),
        })
    }

    /// JSON pointers (RFC 6901) to the places that are this variable.
    pub(crate) fn pointers_to(&self, variable: Variable) -> Vec<String> {
        let below = |name: &str, body: &Self| {
            let name = SentSecret::pointer_step(name);
            body.pointers_to(variable).into_iter().map(move |rest| format!("/{name}{rest}")).collect::<Vec<_>>()
        };
        match self {
            Self::Variable(found) if *found == variable => vec![String::new()],
            Self::Literal(_) | Self::Variable(_) | Self::Text(_) => Vec::new(),
            Self::List(items) => items.iter().enumerate().flat_map(|(i, item)| below(&i.to_string(), item)).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(name, body)| below(name, body)).collect(),
        }
    }

    pub(crate) fn fill(&self, bindings: &Bindings) -> Result<Value, Error> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Variable(variable) => bindings.get(*variable)?.clone(),
            Self::Text(template) => Value::String(template.fill(bindings, str::to_owned)?),
            Self::List(items) => Value::Array(items.iter().map(|i| i.fill(bindings)).collect::<Result<_, _>>()?),
            Self::Object(fields) => {
                let filled = fields.iter().map(|(key, body)| body.fill(bindings).map(|value| (key.clone(), value)));
                Value::Object(filled.collect::<Result<Map<_, _>, _>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use flowswap_contract::Handle;
    use flowswap_contract::sdk::encode;
    use serde_json::json;

    use super::*;

    const ALL: [Variable; 8] = [
        Variable::Id,
        Variable::Name,
        Variable::Domain,
        Variable::Flow,
        Variable::ClientId,
        Variable::ClientSecret,
        Variable::Receipt,
        Variable::AppData,
    ];

    fn bindings() -> Bindings {
        Bindings::default()
            .bind(Variable::Id, "dir/1 ü")
            .bind(Variable::ClientId, "0oa1")
            .bind(Variable::ClientSecret, Handle::new("h").to_value())
            .bind(Variable::Receipt, 7)
            .bind(Variable::AppData, true)
    }

    #[test]
    fn strings_are_filled() {
        let table = [
            ("/v1/$id/test", "/v1/dir%2F1%20%C3%BC/test"),
            ("$id$client_id", "dir%2F1%20%C3%BC0oa1"),
            ("a $$id costs $5, $", "a $id costs $5, $"),
            ("r=$receipt&a=$app_data", "r=7&a=true"),
            ("", ""),
        ];
        for (text, expected) in table {
            let filled = Template::parse_public(text, &ALL, "x").unwrap().fill(&bindings(), encode).unwrap();
            assert_eq!(filled, expected, "{text}");
        }
    }

    #[test]
    fn whole_values_keep_their_type() {
        let body = json!({
            "id": "$client_id", "secret": "$client_secret", "apps": "$app_data", "receipt": "$receipt",
            "list": ["$id!", 3, null], "$id": "keys are no templates",
        });
        let filled = Body::parse(&body, &ALL, "body").unwrap().fill(&bindings()).unwrap();
        let expected = json!({
            "id": "0oa1", "secret": {"$secret": "h"}, "apps": true, "receipt": 7,
            "list": ["dir/1 ü!", 3, null], "$id": "keys are no templates",
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_variable_is_found_at_every_place() {
        let body = json!({"a/b": [1, "$client_secret"], "c~": {"d": "$client_secret"}, "e": "$client_id"});
        let body = Body::parse(&body, &ALL, "body").unwrap();
        assert_eq!(body.pointers_to(Variable::ClientSecret), ["/a~1b/1", "/c~0/d"]);
        assert_eq!(body.pointers_to(Variable::Receipt), [""; 0]);
        assert_eq!(Body::parse(&json!("$receipt"), &ALL, "body").unwrap().pointers_to(Variable::Receipt), [""]);
    }

    #[test]
    fn wrong_templates_name_their_place() {
        let table = [
            (json!({"a": {"b": ["x", "$receipt"]}}), "`submit.body.a.b[1]` names $receipt"),
            (json!({"a": "$nonsense"}), "`submit.body.a` names $nonsense"),
            (json!({"a": "secret=$client_secret"}), "`submit.body.a` must not contain $client_secret"),
        ];
        for (body, expected) in table {
            let error = Body::parse(&body, &[Variable::ClientSecret], "submit.body").unwrap_err();
            assert!(error.message.starts_with(expected), "{}", error.message);
            assert_eq!(error.kind, ErrorKind::Config);
        }
    }

    #[test]
    fn a_missing_value_is_an_error() {
        let error = Template::parse("$domain", &ALL, "x").unwrap().fill(&bindings(), encode).unwrap_err();
        assert_eq!(error.message, "the directory gives no value for $domain");
    }
}

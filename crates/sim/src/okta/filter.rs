//! The part of Okta's filter language that the simulator supports: `eq` with strings, `and`, `or`, and parentheses.

use super::paging::invalid_search;
use super::refusal::Refusal;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Equals(String, String),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

impl Filter {
    /// A filter that everything matches.
    pub(crate) fn match_all() -> Self {
        Self::All(Vec::new())
    }

    /// Parses a filter. Fails with E0000031 if it is invalid or uses an unknown field.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        let tokens = tokenize(text).ok_or_else(invalid_search)?;
        let mut rest = tokens.as_slice();
        let filter = parse_any(&mut rest).filter(|_| rest.is_empty()).ok_or_else(invalid_search)?;
        if filter.fields().iter().all(|field| known.contains(field)) { Ok(filter) } else { Err(invalid_search()) }
    }

    /// Whether an object matches. `has` tells whether a field of the object has a value.
    pub(crate) fn matches(&self, has: &impl Fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Equals(field, value) => has(field, value),
            Self::All(parts) => parts.iter().all(|part| part.matches(has)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(has)),
        }
    }

    fn fields(&self) -> Vec<&str> {
        match self {
            Self::Equals(field, _) => vec![field],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::fields).collect(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Plain(String),
    Text(String),
}

fn tokenize(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('"') {
            let (value, after) = after.split_once('"')?;
            tokens.push(Token::Text(value.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('(') {
            tokens.push(Token::Open);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(')') {
            tokens.push(Token::Close);
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
            tokens.push(Token::Plain(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

fn parse_any(tokens: &mut &[Token]) -> Option<Filter> {
    parse_list(tokens, "or", parse_all, Filter::Any)
}

fn parse_all(tokens: &mut &[Token]) -> Option<Filter> {
    parse_list(tokens, "and", parse_term, Filter::All)
}

fn parse_list(
    tokens: &mut &[Token],
    separator: &str,
    part: fn(&mut &[Token]) -> Option<Filter>,
    whole: fn(Vec<Filter>) -> Filter,
) -> Option<Filter> {
    let mut parts = vec![part(tokens)?];
    while let Some((Token::Plain(token), rest)) = tokens.split_first().filter(|(token, _)| is_keyword(token, separator))
    {
        debug_assert!(token.eq_ignore_ascii_case(separator));
        *tokens = rest;
        parts.push(part(tokens)?);
    }
    Some(if parts.len() == 1 { parts.remove(0) } else { whole(parts) })
}

fn is_keyword(token: &Token, wanted: &str) -> bool {
    matches!(token, Token::Plain(token) if token.eq_ignore_ascii_case(wanted))
}

fn parse_term(tokens: &mut &[Token]) -> Option<Filter> {
    match tokens {
        [Token::Open, rest @ ..] => {
            *tokens = rest;
            let inner = parse_any(tokens)?;
            let (Token::Close, rest) = tokens.split_first()? else { return None };
            *tokens = rest;
            Some(inner)
        }
        [Token::Plain(field), operator, Token::Text(value), rest @ ..] if is_keyword(operator, "eq") => {
            let filter = Filter::Equals(field.clone(), value.clone());
            *tokens = rest;
            Some(filter)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_parsed_or_refused() {
        let known = ["kind", "id"];
        let fits = |text: &str, kind: &str, id: &str| {
            let has = |field: &str, value: &str| if field == "kind" { kind == value } else { id == value };
            Filter::parse(text, &known).map(|filter| filter.matches(&has)).ok()
        };
        for (text, kind, id, expect) in [
            (r#"kind eq "a.b" and id eq "0oa""#, "a.b", "0oa", Some(true)),
            (r#"kind eq "a.b" and id eq "0oa""#, "a.b", "1", Some(false)),
            (r#"(kind eq "a" or kind eq "b") and id eq "1""#, "b", "1", Some(true)),
            (r#"(kind eq "a" or kind eq "b") and id eq "1""#, "b", "2", Some(false)),
            (r#"kind eq "a" or kind eq "b" and id eq "1""#, "a", "2", Some(true)),
            (r#"kind eq "a and b""#, "a and b", "", Some(true)),
            ("", "", "", None),
            ("kind", "", "", None),
            ("kind eq a", "", "", None),
            (r#"kind sw "a""#, "", "", None),
            (r#"other eq "a""#, "", "", None),
            (r#"(kind eq "a""#, "", "", None),
            (r#"kind eq "a" and"#, "", "", None),
            (r#"kind eq "a" kind eq "b""#, "", "", None),
        ] {
            assert_eq!(fits(text, kind, id), expect, "{text}");
        }
    }
}

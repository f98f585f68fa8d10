//! The part of Okta's filter language that the simulator knows: `eq` of texts, joined by `and` and `or`, with parentheses.

use super::paging::invalid_search;
use super::refusal::Refusal;

/// A filter that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Equals(String, String),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

impl Filter {
    /// A filter that everything fits.
    pub(crate) fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Reads a filter; E0000031 where it cannot be read, or names a field that the list does not know.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        let words = split(text).ok_or_else(invalid_search)?;
        let mut rest = words.as_slice();
        let filter = any(&mut rest).filter(|_| rest.is_empty()).ok_or_else(invalid_search)?;
        if filter.fields().iter().all(|field| known.contains(field)) { Ok(filter) } else { Err(invalid_search()) }
    }

    /// Whether something fits, of which `has` tells whether a field has a value.
    pub(crate) fn fits(&self, has: &impl Fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Equals(field, value) => has(field, value),
            Self::All(parts) => parts.iter().all(|part| part.fits(has)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(has)),
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
enum Word {
    Open,
    Close,
    Plain(String),
    Text(String),
}

fn split(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('"') {
            let (value, after) = after.split_once('"')?;
            words.push(Word::Text(value.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('(') {
            words.push(Word::Open);
            rest = after;
        } else if let Some(after) = rest.strip_prefix(')') {
            words.push(Word::Close);
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
            words.push(Word::Plain(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(words)
}

fn any(words: &mut &[Word]) -> Option<Filter> {
    join(words, "or", all, Filter::Any)
}

fn all(words: &mut &[Word]) -> Option<Filter> {
    join(words, "and", one, Filter::All)
}

fn join(
    words: &mut &[Word],
    by: &str,
    part: fn(&mut &[Word]) -> Option<Filter>,
    whole: fn(Vec<Filter>) -> Filter,
) -> Option<Filter> {
    let mut parts = vec![part(words)?];
    while let Some((Word::Plain(word), rest)) = words.split_first().filter(|(word, _)| is_word(word, by)) {
        debug_assert!(word.eq_ignore_ascii_case(by));
        *words = rest;
        parts.push(part(words)?);
    }
    Some(if parts.len() == 1 { parts.remove(0) } else { whole(parts) })
}

fn is_word(word: &Word, wanted: &str) -> bool {
    matches!(word, Word::Plain(word) if word.eq_ignore_ascii_case(wanted))
}

fn one(words: &mut &[Word]) -> Option<Filter> {
    match words {
        [Word::Open, rest @ ..] => {
            *words = rest;
            let inner = any(words)?;
            let (Word::Close, rest) = words.split_first()? else { return None };
            *words = rest;
            Some(inner)
        }
        [Word::Plain(field), operator, Word::Text(value), rest @ ..] if is_word(operator, "eq") => {
            let filter = Filter::Equals(field.clone(), value.clone());
            *words = rest;
            Some(filter)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        let known = ["kind", "id"];
        let fits = |text: &str, kind: &str, id: &str| {
            let has = |field: &str, value: &str| if field == "kind" { kind == value } else { id == value };
            Filter::parse(text, &known).map(|filter| filter.fits(&has)).ok()
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

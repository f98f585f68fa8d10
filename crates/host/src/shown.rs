//! Limits the texts that people read, whether a plugin, its process, or the other side wrote them.

use flowswap_contract::Error;
use serde_json::Value;

use crate::budget::TEXT;

/// The members of a result that only plugins read, or that a person must enter exactly: they are never cut.
const EXACT: [&str; 3] = ["payload", "outputs", "value"];

/// The text as one line of limited length, without the control characters that could control a terminal, and without the layout
/// of the lines that it had.
pub(crate) fn one_line(text: &str) -> String {
    let is_blank = |c: char| c.is_control() || c.is_whitespace();
    let mut line = text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    cut(&mut line);
    line
}

/// Cuts the texts in the result of a verb.
pub(crate) fn cut_texts(result: &mut Value) {
    match result {
        Value::String(text) => cut(text),
        Value::Array(items) => items.iter_mut().for_each(cut_texts),
        Value::Object(members) => {
            let shown = members.iter_mut().filter(|(name, _)| !EXACT.contains(&name.as_str()));
            shown.for_each(|(_, member)| cut_texts(member));
        }
        _ => {}
    }
}

/// Changes the texts of an error.
pub(crate) fn map_texts(error: Error, shown: impl Fn(&str) -> String) -> Error {
    Error {
        message: shown(&error.message),
        hint: error.hint.as_deref().map(&shown),
        context: error.context.iter().map(|(key, value)| (shown(key), shown(value))).collect(),
        ..error
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT.limit) {
        text.truncate(end);
        text.push_str(&TEXT.message());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_ends_visibly_and_what_must_be_exact_stays() {
        let longest = "ü".repeat(TEXT.limit);
        let too_long = format!("{longest}ü");
        let cut_off = format!("{longest}…");
        assert_eq!([one_line(&longest), one_line(&too_long)], [longest.clone(), cut_off.clone()]);
        assert_eq!(one_line("  a\n\u{1b}b\t  c\n"), "a b c");

        let result = |label: &str| {
            json!({
                "label": label, "steps": [{"title": label, "payload": {"label": too_long}}],
                "operator": {"lines": [{"label": label, "value": too_long}]}, "outputs": {"receipt": too_long},
            })
        };
        let mut cut = result(&too_long);
        cut_texts(&mut cut);
        assert_eq!(cut, result(&cut_off));
    }
}

//! Undoes the escapes that a server may put into a text, so that a secret is found whatever a library escapes. Pure.

use std::{borrow::Cow, collections::BTreeSet};

use percent_encoding::percent_decode_str;

/// How often text is decoded. A form within JSON needs two rounds, and so does text that was escaped twice.
const ROUNDS: usize = 2;

/// One kind of escapes. `None` if the text has none of them.
type Kind = fn(&str) -> Option<String>;

const KINDS: [Kind; 4] = [percent, html, backslash, quoted_printable];

/// More than any text with escapes that a person or a plugin needs. Decoding takes time for every byte.
const LONGEST: usize = 64 << 10;

/// Every text that this one becomes if it is decoded once or twice. `None` if it is too long for that.
pub(crate) fn decoded(text: &str) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    if !text.contains(['%', '&', '\\', '=']) {
        return Some(all);
    }
    if text.len() > LONGEST {
        return None;
    }
    let mut round = vec![text.to_owned()];
    for _ in 0..ROUNDS {
        let next = round.iter().flat_map(|text| KINDS.iter().filter_map(|decode| decode(text)));
        round = next.filter(|text| !all.contains(text)).collect();
        all.extend(round.iter().cloned());
    }
    Some(all)
}

/// Percent-encoding (RFC 3986 §2.1).
fn percent(text: &str) -> Option<String> {
    match percent_decode_str(text).decode_utf8_lossy() {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    }
}

/// Character references (HTML §13.5).
fn html(text: &str) -> Option<String> {
    match html_escape::decode_html_entities(text) {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    }
}

/// Escapes of JSON (RFC 8259 §7) and of programming languages: `\u002f`, `\x2f`, `\n`, and a backslash before the character itself.
fn backslash(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        let escape = rest.next().unwrap_or('\\');
        let digits = match escape {
            'u' => 4,
            'x' => 2,
            _ => 0,
        };
        let code =
            rest.as_str().get(..digits).filter(|_| digits > 0).and_then(|code| u16::from_str_radix(code, 16).ok());
        match code {
            Some(unit) => {
                units.push(unit);
                rest = rest.as_str()[digits..].chars();
            }
            None if matches!(escape, 'n' | 'r') => units.push(u16::from(b'\n')),
            None => units.extend(escape.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    Some(String::from_utf16_lossy(&units))
}

/// Quoted-printable (RFC 2045 §6.7).
fn quoted_printable(text: &str) -> Option<String> {
    let is_escape = |(at, _): (usize, &str)| {
        let after = &text.as_bytes()[at + 1..];
        matches!(after, [b'\r' | b'\n', ..])
            || matches!(after, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
    };
    if !text.match_indices('=').any(is_escape) {
        return None;
    }
    let whole = text.replace("=\r\n", "").replace("=\n", "").replace('%', "%25");
    let mut parts = whole.split('=');
    let mut encoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_code = part.as_bytes().get(..2).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
        encoded.push(if is_code { '%' } else { '=' });
        encoded += part;
    }
    Some(percent_decode_str(&encoded).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_decodes_only_its_own_escapes() {
        let table: [(Kind, &str, Option<&str>); 12] = [
            (percent, "a%2Fb%2f+%zz", Some("a/b/+%zz")),
            (percent, "a/b", None),
            (html, "a&#47;b&#x2F;c&sol;&amp;&nonsense;", Some("a/b/c/&&nonsense;")),
            (html, "a & b", None),
            (backslash, r#"a\u002Fb\x2f\/\"\\n"#, Some(r#"a/b//"\n"#)),
            (backslash, r"\uD83D\uDE00\nü", Some("😀\nü")),
            (backslash, r"\u12 \xü \", Some("u12 xü \\")),
            (backslash, "a/b", None),
            (quoted_printable, "a=2Fb=\r\nc=\nd= 100% =C3=BC", Some("a/bcd= 100% ü")),
            (quoted_printable, "a=b&c=", None),
            (quoted_printable, "a=2", None),
            (quoted_printable, "ü=", None),
        ];
        for (decode, text, expect) in table {
            assert_eq!(decode(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn text_is_decoded_twice_in_any_order() {
        assert_eq!(decoded("plain"), Some(BTreeSet::new()));
        assert_eq!(decoded(&"%41".repeat(LONGEST)), None);
        assert_eq!(decoded(&"x".repeat(LONGEST + 1)), Some(BTreeSet::new()));
        for text in ["a%252Fb", "a%26%2347%3Bb", r"a\u0025\u0032Fb", "a&amp;#47;b", r"a\\/b"] {
            assert!(decoded(text).unwrap().contains("a/b"), "{text}: {:?}", decoded(text));
        }
    }
}

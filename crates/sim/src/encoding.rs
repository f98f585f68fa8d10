//! Percent-encoding and `application/x-www-form-urlencoded`, for query strings and the body of the token request.

/// The pairs of a query string or form body, in order. `None` if an escape is broken or the text is not UTF-8.
pub(crate) fn parse_pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// Writes pairs as a query string, as in the links of Okta: a space becomes `+`.
pub(crate) fn write_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Stricter than the library, which leaves a broken escape as it is.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_a_round_trip() {
        let written = write_pairs([("filter", "name eq \"oidc_client\""), ("limit", "20")]);
        assert_eq!(written, "filter=name+eq+%22oidc_client%22&limit=20");
        let parsed = parse_pairs(&written).unwrap();
        assert_eq!(parsed[0], ("filter".to_owned(), "name eq \"oidc_client\"".to_owned()));
        assert_eq!(parse_pairs("a=%zz"), None);
    }
}

//! Percent-encoding for URLs, which every plugin needs.

use std::fmt::Write as _;

/// Encodes `text` as a path segment or a query value: everything but the unreserved characters of RFC 3986 §2.3.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => {
                // Writing into a `String` never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    // A URL parser would remove a segment of one or two dots.
    if matches!(encoded.as_str(), "." | "..") { encoded.replace('.', "%2E") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn an_encoded_text_cannot_leave_its_segment() {
        assert_eq!(encode(r#"eventType eq "a.b" & ü~"#), "eventType%20eq%20%22a.b%22%20%26%20%C3%BC~");
        assert_eq!(encode("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!((encode("."), encode(".."), encode("...")), ("%2E".into(), "%2E%2E".into(), "...".into()));
    }
}

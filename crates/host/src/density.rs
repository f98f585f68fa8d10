//! JSON that is short, but takes much memory: each empty object takes hundreds of bytes. Pure.

use crate::budget::VALUES;

/// A text with fewer values takes little memory in any case.
const FREE: usize = 4096;

/// Whether a text has so many JSON values for its length that nobody may decode it.
pub(crate) fn is_too_dense(json: &[u8]) -> bool {
    let values = count_values(json);
    values > FREE && values / VALUES.limit > json.len() / 1024
}

/// How many values it has at most. Names of members do not count.
fn count_values(json: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in json {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
        } else if *byte == b'"' {
            in_string = true;
        } else if matches!(byte, b'{' | b'[' | b',') {
            values += 1;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        let table =
            [("", 1), ("{}", 2), (r#"{"a": [1, 2, 3], "b,{[": "\",[{"}"#, 6), (r#"["\\", ","]"#, 3), ("[[[[", 5)];
        for (json, expect) in table {
            assert_eq!(count_values(json.as_bytes()), expect, "{json}");
        }
    }

    #[test]
    fn only_long_texts_of_tiny_values_are_too_dense() {
        assert!(!is_too_dense("[],".repeat(2000).as_bytes()), "a short text may be dense");
        assert!(is_too_dense(r#"{"":0},"#.repeat(10_000).as_bytes()));
        assert!(!is_too_dense(r#"{"id":"00u1b2c3d4e5f6g7h8","status":true},"#.repeat(10_000).as_bytes()));
        assert!(!is_too_dense("\",,,,\"".repeat(10_000).as_bytes()));
    }
}

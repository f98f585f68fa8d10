//! JSON that is short, but takes much memory, or is nested so deeply that a plugin cannot read it. Pure.

use crate::budget::{DECODED, DEPTH};

/// What a text may take in any case, in bytes.
const FREE: usize = 4 << 20;

/// What decoded JSON takes, in bytes: a value, and the first entries of an object or an array (`serde_json`, without
/// `preserve_order`).
const OF_VALUE: usize = 32;
const OF_OBJECT: usize = 640;
const OF_ARRAY: usize = 128;

/// Which budget the text goes beyond, if any. So nobody decodes it.
pub(crate) fn beyond(json: &[u8]) -> Option<&'static crate::budget::Budget> {
    let (memory, depth) = measure(json);
    if depth > DEPTH.limit {
        return Some(&DEPTH);
    }
    (memory > FREE && memory / DECODED.limit > json.len()).then_some(&DECODED)
}

/// How much memory its decoded form takes beside its texts, in bytes, and how deeply it is nested. Both are upper bounds.
fn measure(json: &[u8]) -> (usize, usize) {
    let (mut memory, mut depth, mut deepest) = (OF_VALUE, 0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                memory += OF_VALUE + if *byte == b'{' { OF_OBJECT } else { OF_ARRAY };
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => memory += OF_VALUE,
            _ => {}
        }
    }
    (memory, deepest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_arrays_and_values_are_measured_outside_of_strings() {
        let table = [
            ("", OF_VALUE, 0),
            ("{}", 2 * OF_VALUE + OF_OBJECT, 1),
            (r#"{"a": [1, 2], "b,{[": "\",[{"}"#, 5 * OF_VALUE + OF_OBJECT + OF_ARRAY, 2),
            (r#"["\\", ","]"#, 3 * OF_VALUE + OF_ARRAY, 1),
            ("[[[[]]", 5 * OF_VALUE + 4 * OF_ARRAY, 4),
        ];
        for (json, memory, depth) in table {
            assert_eq!(measure(json.as_bytes()), (memory, depth), "{json}");
        }
    }

    #[test]
    fn what_takes_too_much_memory_is_not_decoded() {
        let is_refused = |unit: &str, count| beyond(unit.repeat(count).as_bytes()).is_some();
        assert!(!is_refused("{},", 1000), "a short text takes little in any case");
        assert!(is_refused(r#"{"":0},"#, 10_000));
        assert!(is_refused(r#"{"a":{"b":{"c":0}}},"#, 10_000), "nested");
        assert!(is_refused("[[]],", 100_000));
        let honest = r#"{"id":"00u1b2c3d4e5f6g7h8i9","status":"ACTIVE","created":"2026-01-01T00:00:00.000Z","type":{"id":"oty1"}},"#;
        assert!(!is_refused(honest, 100_000));
        assert!(!is_refused("\",{{,,\"", 100_000));
    }

    #[test]
    fn what_is_nested_too_deeply_is_not_decoded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(beyond(nested(DEPTH.limit).as_bytes()).is_none());
        assert!(beyond(nested(DEPTH.limit + 1).as_bytes()).is_some());
    }
}

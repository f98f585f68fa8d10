//! Durations as people write them: in the configuration, in waves, and on the command line.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Reads a duration such as `30s`, `1h30m`, or `2 days`. A day has 24 hours. `None` if the text is something else.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.trim().parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours() {
        let hours = |text: &str| parse_duration(text).map(|duration| duration.as_hours());
        assert_eq!((hours("30d"), hours("1d 12h"), hours(" 2 days ")), (Some(720), Some(36), Some(48)));
        assert_eq!(parse_duration("20ms"), Some(SignedDuration::from_millis(20)));
        assert_eq!(parse_duration("-1h"), Some(SignedDuration::from_hours(-1)));
        // A month has no fixed length.
        for wrong in ["", "30", "d", "1 month", "soon"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}

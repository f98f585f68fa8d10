//! Compares output with what a document shows of it: `…` stands for any text, or alone for any lines. Times and dates differ.

/// Whether these lines show what was printed.
pub(super) fn agrees(shown: &[String], printed: &str) -> bool {
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let shown: Vec<&str> = shown.iter().map(|line| line.trim_end()).collect();
    lines_agree(&shown, &printed)
}

fn lines_agree(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        ([first, rest @ ..], _) if first.trim() == "…" => {
            (0..=printed.len()).any(|skipped| lines_agree(rest, &printed[skipped..]))
        }
        ([first, rest @ ..], [line, others @ ..]) => line_agrees(first, line) && lines_agree(rest, others),
        _ => false,
    }
}

/// Whether a line is as it is shown.
pub(super) fn line_agrees(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (without_times(shown), without_times(printed));
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let mut is_whole = true;
    let mut last = "";
    for part in parts {
        is_whole = false;
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    // What follows the last `…` has to be the end of the line, and not the first place that looks like it.
    if is_whole { rest.is_empty() } else { printed.ends_with(last) }
}

/// The text with one digit for all those of times and dates.
fn without_times(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for pattern in ["dd:dd:dd", "dddd-dd-dd"] {
        let pattern: Vec<char> = pattern.chars().collect();
        let fits = |window: &[char]| {
            window
                .iter()
                .zip(&pattern)
                .all(|(letter, kind)| if *kind == 'd' { letter.is_ascii_digit() } else { letter == kind })
        };
        for at in 0..letters.len().saturating_sub(pattern.len() - 1) {
            if fits(&letters[at..at + pattern.len()]) {
                for letter in letters[at..at + pattern.len()].iter_mut().filter(|letter| letter.is_ascii_digit()) {
                    *letter = '0';
                }
            }
        }
    }
    let text: String = letters.into_iter().collect();
    // Fractions of a second are left out of documents.
    let mut parts = text.split("00:00:00.");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| format!("{text}00:00:00{}", part.trim_start_matches(|c: char| c.is_ascii_digit())))
}

#[test]
fn output_agrees_but_for_times_and_what_is_left_out() {
    let agrees =
        |shown: &[&str], printed| agrees(&shown.iter().map(|&line| line.to_owned()).collect::<Vec<_>>(), printed);
    assert!(agrees(&["acme  done at 01:02:03"], "acme  done at 23:59:59\n"));
    assert!(agrees(&["at 2026-11-28T17:24:23Z"], "at 2027-01-02T03:04:05.678Z\n"));
    assert!(agrees(&["a", "…", "d"], "a\nb\nc\nd\n"));
    assert!(agrees(&["client 0oa… got …"], "client 0oaXYZ got it\n"));
    assert!(!agrees(&["7 swapped"], "6 swapped\n"));
    assert!(!agrees(&["a"], "a\nb\n"));
    assert!(!agrees(&["a…c"], "abcd\n"));
    assert!(!agrees(&["a", "b"], "a\n"));
}

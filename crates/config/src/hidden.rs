//! Refuses invisible characters, which nobody can see in the file, and names them.

use flowswap_engine::is_hidden;
use icu_properties::{CodePointMapData, props::GeneralCategory};

use crate::diagnostic::Diagnostic;

/// Refuses a text with a character that is invisible or controls a terminal. The error gives the character's name, because
/// the character cannot be shown, and does not repeat the text, because the text may be a secret.
pub(crate) fn refuse_hidden(what: &str, text: &str, allowed: &[char]) -> Option<Diagnostic> {
    let hidden = text.chars().find(|c| is_hidden(*c) && !allowed.contains(c))?;
    let error = Diagnostic::new(format!("{what} contains {}", hidden_char_name(hidden)));
    Some(error.help("remove the character; it may have been copied along with the text"))
}

/// The code point and name of a hidden character, for the person who must find and remove it.
fn hidden_char_name(c: char) -> String {
    let name = match c {
        '\0' => "NULL",
        '\t' => "TAB",
        '\n' => "LINE FEED",
        '\r' => "CARRIAGE RETURN",
        '\u{1b}' => "ESCAPE",
        '\u{7f}' => "DELETE",
        '\u{85}' => "NEXT LINE",
        '\u{9b}' => "CONTROL SEQUENCE INTRODUCER",
        '\u{ad}' => "SOFT HYPHEN",
        '\u{61c}' => "ARABIC LETTER MARK",
        '\u{180e}' => "MONGOLIAN VOWEL SEPARATOR",
        '\u{200b}' => "ZERO WIDTH SPACE",
        '\u{200c}' => "ZERO WIDTH NON-JOINER",
        '\u{200d}' => "ZERO WIDTH JOINER",
        '\u{200e}' => "LEFT-TO-RIGHT MARK",
        '\u{200f}' => "RIGHT-TO-LEFT MARK",
        '\u{2028}' => "LINE SEPARATOR",
        '\u{2029}' => "PARAGRAPH SEPARATOR",
        '\u{202a}' => "LEFT-TO-RIGHT EMBEDDING",
        '\u{202b}' => "RIGHT-TO-LEFT EMBEDDING",
        '\u{202c}' => "POP DIRECTIONAL FORMATTING",
        '\u{202d}' => "LEFT-TO-RIGHT OVERRIDE",
        '\u{202e}' => "RIGHT-TO-LEFT OVERRIDE",
        '\u{2060}' => "WORD JOINER",
        '\u{2066}' => "LEFT-TO-RIGHT ISOLATE",
        '\u{2067}' => "RIGHT-TO-LEFT ISOLATE",
        '\u{2068}' => "FIRST STRONG ISOLATE",
        '\u{2069}' => "POP DIRECTIONAL ISOLATE",
        '\u{feff}' => "ZERO WIDTH NO-BREAK SPACE",
        _ if c.is_control() => "a control character",
        _ => match CodePointMapData::<GeneralCategory>::new().get(c) {
            GeneralCategory::PrivateUse => "a character for private use",
            GeneralCategory::Unassigned => "an unassigned character",
            _ => "an invisible character",
        },
    };
    format!("U+{:04X} {name}", u32::from(c))
}

//! Characters that a reader cannot see, or that control a terminal. Text from outside can contain them, for example an app's
//! label. Output shows them in a visible form, and files escape them.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory as G},
};

/// Symbols that look like a space: the blank Braille pattern, two blanks of Egyptian hieroglyphs, the null notehead, and the filler
/// of the Khitan script.
const BLANKS: [char; 5] = ['\u{2800}', '\u{13441}', '\u{13442}', '\u{1d159}', '\u{16fe4}'];

/// Whether a character is a control character, changes the direction of writing, has no width, ends a line, or has no agreed
/// meaning.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let has_no_look = matches!(
        CodePointMapData::<G>::new().get(c),
        G::Control
            | G::Format
            | G::LineSeparator
            | G::ParagraphSeparator
            | G::PrivateUse
            | G::Surrogate
            | G::Unassigned
    );
    has_no_look || BLANKS.contains(&c) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// The text on one line, with every hidden character made visible, as `<U+202E>`, and so is a run of spaces, as `<2 spaces>`: on
/// a terminal that wraps, spaces begin a new line, and in a table they begin a new column. A run is counted and not shortened,
/// because a person may have to enter the text exactly.
pub fn reveal(text: &str) -> String {
    let mut revealed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.trim_start_matches(is_space);
        let run = &rest[..rest.len() - after.len()];
        rest = match run.chars().count() {
            0 | 1 => {
                push_revealed(c, &mut revealed);
                &rest[c.len_utf8()..]
            }
            count => {
                revealed += &format!("<{count} spaces>");
                after
            }
        };
    }
    revealed
}

/// The same for a text that has lines and columns of its own: it keeps its line breaks and its spaces.
pub fn reveal_in_lines(text: &str) -> String {
    let mut revealed = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' { revealed.push(c) } else { push_revealed(c, &mut revealed) }
    }
    revealed
}

/// Whether a character looks like a space, of whatever width.
fn is_space(c: char) -> bool {
    c == ' ' || (!c.is_ascii() && CodePointMapData::<G>::new().get(c) == G::SpaceSeparator)
}

fn push_revealed(c: char, revealed: &mut String) {
    if is_hidden(c) {
        *revealed += &format!("<U+{:04X}>", u32::from(c));
    } else {
        revealed.push(c);
    }
}

/// Escapes every hidden character in JSON, except the line breaks of its layout. The value stays the same.
pub fn escape_json(json: &str) -> String {
    // Outside of strings, JSON is plain ASCII. So every other hidden character is inside a string.
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

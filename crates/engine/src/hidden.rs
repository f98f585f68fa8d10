//! Characters that do something where they should only stand. Text from outside can hold them: an app's label, say. Whoever
//! shows such a text makes them visible, and what is written down escapes them.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory as G},
};

/// Whether a character is a control, turns the direction of writing, has no width, ends a line, or has no meaning that all
/// agree on.
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
    // The blank of Braille is a symbol, and looks like a space.
    has_no_look || c == '\u{2800}' || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// JSON of the same value in which every hidden character but the line breaks of its layout is escaped.
pub fn escape_json(json: &str) -> String {
    // Outside of its strings JSON is plain ASCII, so whatever else is found stands in a string.
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

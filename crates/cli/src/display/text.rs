//! Text that is safe to show. Text from outside (an app's label, an answer's message, a file's name) can contain invisible
//! characters, and characters that control a terminal or a browser. The filter, [`reveal`], makes them visible, as
//! `<U+202E>`, and runs of spaces too. Everything that writes for a person takes a [`Text`]. Only literals, the filter, and the colors of
//! [`paint`](crate::terminal::paint) produce one, so unfiltered text cannot reach a screen.

use std::fmt;

use flowswap_engine::{escape_json, reveal, reveal_in_lines};
use serde::Serialize;

/// Text without characters that control a screen, apart from our own colors and line breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(String);

/// Formats a literal with arguments, and filters every argument that is not a [`Text`] already. Named arguments in braces
/// would bypass the filter, so the literal may not contain any.
macro_rules! text {
    ($format:literal $(, $argument:expr)* $(,)?) => {{
        const { assert!($crate::display::text::has_no_named_arguments($format), "pass the argument after the literal") };
        $crate::display::text::Text::fill(format_args!($format $(, $crate::display::text::Shown(&$argument))*))
    }};
}
pub(crate) use text;

impl Text {
    /// Filters text of any origin; the result is one line.
    pub(crate) fn of(foreign: impl fmt::Display) -> Self {
        Self(reveal(&foreign.to_string()))
    }

    /// Filters a text of several lines, and keeps its line breaks and spaces.
    pub(crate) fn of_lines(foreign: &str) -> Self {
        Self(reveal_in_lines(foreign))
    }

    /// The whole value as JSON, with every character escaped that must not be shown.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(escape_json(&serde_json::to_string_pretty(value)?) + "\n"))
    }

    /// The whole value as one line of JSON, with every character escaped that must not be shown.
    pub(crate) fn json_line(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(escape_json(&serde_json::to_string(value)?) + "\n"))
    }

    /// For [`text!`] only: a literal with filtered arguments.
    pub(crate) fn fill(filled: fmt::Arguments<'_>) -> Self {
        Self(filled.to_string())
    }

    /// For [`paint`](crate::terminal::paint) only: wraps the text in the codes of a style.
    pub(crate) fn styled(self, style: anstyle::Style) -> Self {
        Self(format!("{style}{}{style:#}", self.0))
    }

    /// For what adds colors and line breaks of its own: its output, which must consist of filtered text.
    pub(crate) fn rendered(of_filtered: String) -> Self {
        Self(of_filtered)
    }

    /// The text as a string slice.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a string.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Whether the text is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of columns that the text takes on a screen.
    pub(crate) fn width(&self) -> usize {
        console::measure_text_width(&self.0)
    }

    /// The text without trailing spaces and line breaks.
    pub(crate) fn trim_end(mut self) -> Self {
        self.0.truncate(self.0.trim_end().len());
        self
    }

    /// The text without colors, for a file.
    pub(crate) fn plain(&self) -> String {
        console::strip_ansi_codes(&self.0).into_owned()
    }

    /// One line as several, broken at spaces so that each has at most so many columns. A longer word stays whole.
    pub(crate) fn broken_at(&self, columns: usize) -> Vec<Self> {
        let mut lines: Vec<Self> = Vec::new();
        for word in self.0.split(' ').map(|word| Self(word.to_owned())) {
            match lines.last_mut() {
                Some(line) if line.width() + 1 + word.width() <= columns => *line += text!(" {}", word),
                _ => lines.push(word),
            }
        }
        lines
    }

    /// The number of columns of its longest word.
    pub(crate) fn longest_word(&self) -> usize {
        self.0.split(' ').map(console::measure_text_width).max().unwrap_or(0)
    }

    /// One line with spaces at its end, so that it takes at least so many columns.
    pub(crate) fn padded_to(mut self, columns: usize) -> Self {
        self.0 += &" ".repeat(columns.saturating_sub(self.width()));
        self
    }

    /// The beginning of one line, with `…` for what does not fit into so many columns.
    pub(crate) fn cut_to(&self, columns: usize) -> Self {
        Self(console::truncate_str(&self.0, columns, "…").into_owned())
    }

    /// Joins texts with a literal between them.
    pub(crate) fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect::<Vec<_>>().join(between))
    }
}

impl From<&'static str> for Text {
    fn from(literal: &'static str) -> Self {
        Self(literal.to_owned())
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl<T: Into<Text>> std::ops::AddAssign<T> for Text {
    fn add_assign(&mut self, more: T) {
        self.0 += &more.into().0;
    }
}

impl<T: Into<Text>> std::ops::Add<T> for Text {
    type Output = Self;

    fn add(mut self, more: T) -> Self {
        self += more;
        self
    }
}

impl Extend<Text> for Text {
    fn extend<I: IntoIterator<Item = Text>>(&mut self, more: I) {
        self.0.extend(more.into_iter().map(|text| text.0));
    }
}

impl FromIterator<Text> for Text {
    fn from_iter<I: IntoIterator<Item = Text>>(parts: I) -> Self {
        Self(parts.into_iter().map(|text| text.0).collect())
    }
}

/// Turns a value into a [`Text`]: a `Text` stays unchanged, and everything else that implements `Display` is filtered. `Text`
/// does not implement `Display`, because `format!` would turn it into a string that is filtered a second time.
pub(crate) trait Show {
    /// The value as text.
    fn show(&self) -> Text;
}

impl<T: fmt::Display + ?Sized> Show for T {
    fn show(&self) -> Text {
        Text::of(self)
    }
}

impl Show for Text {
    fn show(&self) -> Text {
        self.clone()
    }
}

impl Show for &Text {
    fn show(&self) -> Text {
        (*self).clone()
    }
}

/// An argument of [`text!`].
pub(crate) struct Shown<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Show + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.show().as_str())
    }
}

/// Whether a format string has only positional arguments.
pub(crate) const fn has_no_named_arguments(format: &str) -> bool {
    let bytes = format.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' && at + 1 < bytes.len() {
            let next = bytes[at + 1];
            if next.is_ascii_alphabetic() || next == b'_' {
                return false;
            }
            // Two braces are an escaped brace.
            at += if next == b'{' { 2 } else { 1 };
        } else {
            at += 1;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_visible_and_all_others_stay() {
        let table = [
            ("plain", "plain"),
            ("Größe Ω 日本語 हिन्दी עברית العربية", "Größe Ω 日本語 हिन्दी עברית العربية"),
            // A combining mark is part of its letter.
            ("e\u{301}", "e\u{301}"),
            ("no-break\u{a0}space", "no-break\u{a0}space"),
            // A run of spaces could draw lines and columns of its own.
            ("a b ", "a b "),
            ("a  b\u{a0}\u{3000} c    ", "a<2 spaces>b<3 spaces>c<4 spaces>"),
            ("two\nlines\r\n", "two<U+000A>lines<U+000D><U+000A>"),
            ("\u{1b}[31mred\u{9b}0m\u{7f}\0", "<U+001B>[31mred<U+009B>0m<U+007F><U+0000>"),
            ("a\u{202e}b\u{2066}c\u{200f}d\u{61c}", "a<U+202E>b<U+2066>c<U+200F>d<U+061C>"),
            ("a\u{200b}b\u{feff}c\u{2060}d\u{ad}e\u{2800}", "a<U+200B>b<U+FEFF>c<U+2060>d<U+00AD>e<U+2800>"),
            ("a\u{2028}b\u{2029}", "a<U+2028>b<U+2029>"),
            ("\u{e000}\u{378}\u{10ffff}", "<U+E000><U+0378><U+10FFFF>"),
            // Tags and variation selectors can carry invisible text; a filler is an invisible letter.
            ("\u{e0041}\u{fe0f}\u{e0100}\u{3164}", "<U+E0041><U+FE0F><U+E0100><U+3164>"),
        ];
        for (foreign, shown) in table {
            assert_eq!(text!("{}", foreign).as_str(), shown, "{foreign:?}");
        }
    }

    #[test]
    fn a_text_in_a_text_is_not_filtered_again() {
        let inner = text!("one\n{}", "two\n");
        assert_eq!(text!("[{:<5}] {}", "a", inner).as_str(), "[a    ] one\ntwo<U+000A>");
    }

    #[test]
    fn a_text_of_lines_keeps_its_layout() {
        assert_eq!(Text::of_lines("a:\n    b\u{202e}\r\n").as_str(), "a:\n    b<U+202E><U+000D>\n");
    }

    #[test]
    fn json_keeps_the_value_and_escapes_hidden_characters() {
        let value = serde_json::json!({ "label": "a\u{202e}b\u{9b}c\u{e0041}\nü" });
        let text = Text::json(&value).unwrap().into_string();
        assert!(text.contains(r#""a\u202eb\u009bc\udb40\udc41\nü""#), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn named_arguments_are_detected() {
        let table = [("{} {:<9} {0}", true), ("{{name}}", true), ("{name}", false), ("{_x}", false), ("{", true)];
        for (format, expect) in table {
            assert_eq!(has_no_named_arguments(format), expect, "{format}");
        }
    }
}

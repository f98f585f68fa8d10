//! Removes known secrets from what the other side sends, as a second line of defense after the places and the capture.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind, packed};
use flowswap_contract::Handle;
use flowswap_engine::Secret;
use serde_json::Value;

use zeroize::Zeroizing;

use crate::encodings::{backwards, forms_of};

const REDACTED: &str = "[redacted]";

/// Values shorter than this are not searched for within a text, because a text may contain them by chance.
const SHORTEST_CONTAINED: usize = 6;

/// How many bytes of each form are searched for. What follows in a text is compared with the rest of the form. Tokens are long,
/// and making all forms of all of one takes time.
const BEGINNING: usize = 32;

/// Members whose value is always a secret.
const SECRET_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "client_secret", "clientSecret"];

/// A secret, and how to find it.
pub(crate) struct Needle {
    secret: Secret,
    /// `None` if it is too short to be searched for within a text.
    finder: Option<Finder>,
    /// The length of the shortest form. Most texts are shorter.
    shortest: usize,
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Searches for the beginnings of all forms of a secret at once.
enum Finder {
    /// With vector instructions.
    Packed(Box<packed::Searcher>),
    /// For processors without them.
    Automaton(Box<AhoCorasick>),
}

/// Knows the values that must not be shown.
pub(crate) struct Redactor {
    needles: Vec<Arc<Needle>>,
    shortest: usize,
}

impl Needle {
    pub(crate) fn new(secret: &Secret) -> Self {
        let value = secret.expose();
        let mut forms = forms_of(value.get(..value.ceil_char_boundary(BEGINNING)).unwrap_or(value));
        forms.push(backwards(
            value.get(value.floor_char_boundary(value.len().saturating_sub(BEGINNING))..).unwrap_or(value),
        ));
        let beginnings: Vec<&[u8]> = forms
            .iter()
            .filter(|form| form.len() >= SHORTEST_CONTAINED)
            .map(|form| form.as_bytes().get(..BEGINNING).unwrap_or(form.as_bytes()))
            .collect();
        let finder = (value.len() >= SHORTEST_CONTAINED).then(|| Finder::new(&beginnings)).flatten();
        let shortest = beginnings.iter().map(|form| form.len()).min().unwrap_or(0).min(value.len());
        Self { secret: secret.clone(), finder, shortest }
    }

    pub(crate) fn is(&self, secret: &Secret) -> bool {
        self.secret.expose() == secret.expose()
    }

    /// Adds the ranges of `text` in which the secret stands, in any form. `folded` is the text in lower case.
    fn find_in(&self, folded: &str, ranges: &mut Vec<Range<usize>>) {
        let Some(finder) = &self.finder else { return };
        let mut forms = None;
        let mut from = 0;
        while let Some(found) = finder.next(folded, from) {
            let forms = forms.get_or_insert_with(|| all_forms(self.secret.expose()));
            let here = folded.as_bytes().get(found.start..).unwrap_or_default();
            let alike = |form: &str| form.bytes().zip(here).take_while(|(a, b)| a == *b).count();
            let longest = forms.iter().map(|form| alike(form)).max().unwrap_or_default();
            // Another form, or the same again, may begin within this one.
            from = found.start + 1;
            ranges.push(found.start..found.end.max(found.start + longest));
        }
    }
}

fn all_forms(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms = forms_of(secret);
    forms.push(backwards(secret));
    forms
}

impl Finder {
    fn new(beginnings: &[&[u8]]) -> Option<Self> {
        let mut config = packed::Config::new();
        config.match_kind(packed::MatchKind::LeftmostLongest).heuristic_pattern_limits(false);
        if let Some(searcher) = config.builder().extend(beginnings).build() {
            return Some(Self::Packed(Box::new(searcher)));
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::NoncontiguousNFA));
        builder.build(beginnings).ok().map(|automaton| Self::Automaton(Box::new(automaton)))
    }

    fn next(&self, text: &str, from: usize) -> Option<Range<usize>> {
        if from >= text.len() {
            return None;
        }
        match self {
            Self::Packed(searcher) => searcher.find_in(text, (from..text.len()).into()).map(|m| m.start()..m.end()),
            Self::Automaton(automaton) => automaton.find(Input::new(text).range(from..)).map(|m| m.range()),
        }
    }
}

impl Redactor {
    pub(crate) fn new(needles: Vec<Arc<Needle>>) -> Self {
        let shortest = needles.iter().map(|needle| needle.shortest).min().unwrap_or(usize::MAX);
        Self { needles, shortest }
    }

    /// Whether a longer text contains a secret that is long enough to be no accident.
    pub(crate) fn finds_in(&self, text: &str) -> bool {
        let folded = text.to_ascii_lowercase();
        self.needles.iter().any(|needle| needle.finder.as_ref().is_some_and(|finder| finder.next(&folded, 0).is_some()))
    }

    /// The text without any secret.
    pub(crate) fn text(&self, text: &str) -> String {
        self.clean(text).unwrap_or_else(|| text.to_owned())
    }

    /// Removes secrets from a text in place.
    pub(crate) fn replace_in(&self, text: &mut String) {
        if let Some(clean) = self.clean(text) {
            *text = clean;
        }
    }

    /// The text without any secret, or `None` if it has none. All secrets are found in the text as it came: cutting one out
    /// could hide where another one stands.
    fn clean(&self, text: &str) -> Option<String> {
        if text.len() < self.shortest {
            return None;
        }
        if self.needles.iter().any(|needle| needle.secret.expose() == text) {
            return Some(REDACTED.to_owned());
        }
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let folded = if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
        let mut ranges = Vec::new();
        for needle in &self.needles {
            needle.find_in(&folded, &mut ranges);
        }
        (!ranges.is_empty()).then(|| cut(text, ranges))
    }

    /// Removes secrets from a decoded body, at any depth.
    pub(crate) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.replace_in(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                if members.keys().any(|name| self.clean(name).is_some()) {
                    let renamed = std::mem::take(members).into_iter();
                    *members = renamed.map(|(name, member)| (self.text(&name), member)).collect();
                }
                members.iter_mut().for_each(|(name, member)| self.member(name, member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn member(&self, name: &str, value: &mut Value) {
        if Handle::from_value(value).is_some() {
            return;
        }
        match value {
            // The other side has already masked it, and the visible end helps to tell secrets apart.
            Value::String(text) if SECRET_MEMBERS.contains(&name) && !text.contains("***") => *value = REDACTED.into(),
            _ => self.value(value),
        }
    }
}

/// The text without the union of the ranges.
fn cut(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let mut clean = String::with_capacity(text.len());
    let mut shown_until = 0;
    for range in ranges {
        // A form may end within a character of the text, and a character is cut as a whole.
        let end = (range.end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        if range.start > shown_until || clean.is_empty() {
            clean.push_str(text.get(shown_until..range.start).unwrap_or_default());
            clean.push_str(REDACTED);
        }
        shown_until = shown_until.max(end);
    }
    clean.push_str(text.get(shown_until..).unwrap_or_default());
    clean
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests;

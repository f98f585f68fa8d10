//! Removes known secrets from what the other side sends, as a second line of defense after the places and the capture.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

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

/// How many bytes may be compared for each byte of a text, and for so many more.
const EFFORT: usize = 64;
const PATIENCE: usize = 64 * 1024;

/// Members whose value is always a secret.
const SECRET_MEMBERS: &[&str] = &["access_token", "refresh_token", "id_token", "client_secret", "clientSecret"];

/// Knows the values that must not be shown.
pub(crate) struct Redactor {
    needles: Vec<Arc<Needle>>,
    /// The length of the shortest secret or form. Most texts are shorter.
    shortest: usize,
    /// Names of secrets, which stay as they are. A server can make an object that only looks like one.
    handles: BTreeSet<Handle>,
}

/// One secret, and what finds it. Making it takes longer than many searches, so those who know the secret share it.
pub(crate) struct Needle {
    secret: Secret,
    /// Searches for the beginnings of all forms. `None` for a secret that is too short for that.
    finder: Option<Finder>,
    /// The length of the secret or of its shortest form.
    shortest: usize,
    /// All forms, once one was found.
    forms: OnceLock<Vec<Zeroizing<String>>>,
}

/// Searches for several texts at once.
enum Finder {
    /// With vector instructions.
    Packed(Box<packed::Searcher>),
    /// For processors without them.
    Automaton(Box<AhoCorasick>),
}

/// The beginnings of all forms in which a longer text is searched for the secret.
fn beginnings(secret: &str) -> Vec<Zeroizing<String>> {
    if secret.len() < SHORTEST_CONTAINED {
        return Vec::new();
    }
    let head = secret.get(..secret.ceil_char_boundary(BEGINNING)).unwrap_or(secret);
    let tail = secret.get(secret.floor_char_boundary(secret.len().saturating_sub(BEGINNING))..).unwrap_or(secret);
    let mut forms = forms_of(head);
    forms.push(backwards(tail));
    for form in &mut forms {
        let end = form.floor_char_boundary(BEGINNING);
        form.truncate(end);
    }
    forms.retain(|form| form.len() >= SHORTEST_CONTAINED);
    forms
}

impl Finder {
    fn new(beginnings: &[Zeroizing<String>]) -> Option<Self> {
        let mut config = packed::Config::new();
        config.match_kind(packed::MatchKind::LeftmostLongest).heuristic_pattern_limits(false);
        if let Some(searcher) = config.builder().extend(beginnings.iter().map(|form| form.as_bytes())).build() {
            return Some(Self::Packed(Box::new(searcher)));
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::NoncontiguousNFA));
        builder
            .build(beginnings.iter().map(|form| form.as_bytes()))
            .ok()
            .map(|automaton| Self::Automaton(Box::new(automaton)))
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

impl Needle {
    pub(crate) fn new(secret: Secret) -> Self {
        let beginnings = beginnings(secret.expose());
        let shortest = beginnings.iter().map(|form| form.len()).fold(secret.expose().len(), usize::min);
        let finder = (!beginnings.is_empty()).then(|| Finder::new(&beginnings)).flatten();
        Self { finder, shortest, forms: OnceLock::new(), secret }
    }

    pub(crate) fn is_of(&self, secret: &Secret) -> bool {
        self.secret.expose() == secret.expose()
    }

    /// Adds the ranges of a text in lower case in which the secret stands, in any form.
    fn find_in(&self, text: &str, ranges: &mut Vec<Range<usize>>) {
        let Some(finder) = &self.finder else { return };
        // A server can choose a secret and a text that consist of nothing but beginnings. Then the rest of the text is cut.
        let mut effort = EFFORT * (text.len() + PATIENCE);
        let mut from = 0;
        while let Some(found) = finder.next(text, from) {
            let here = text.as_bytes().get(found.start..).unwrap_or_default();
            let alike = |form: &Zeroizing<String>| form.bytes().zip(here).take_while(|(a, b)| a == *b).count();
            let mut longest = 0;
            for form in self.forms.get_or_init(|| self.all_forms()) {
                let length = alike(form);
                longest = longest.max(length);
                effort = effort.saturating_sub(length + 1);
            }
            if effort == 0 {
                ranges.push(found.start..text.len());
                return;
            }
            // Another form, or the same again, may begin within this one.
            from = found.start + 1;
            ranges.push(found.start..found.end.max(found.start + longest));
        }
    }

    fn all_forms(&self) -> Vec<Zeroizing<String>> {
        let mut forms = forms_of(self.secret.expose());
        forms.push(backwards(self.secret.expose()));
        forms
    }
}

impl Redactor {
    pub(crate) fn new(needles: Vec<Arc<Needle>>, handles: BTreeSet<Handle>) -> Self {
        let shortest = needles.iter().map(|needle| needle.shortest).min().unwrap_or(usize::MAX);
        Self { needles, shortest, handles }
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
    pub(crate) fn clean(&self, text: &str) -> Option<String> {
        if text.len() < self.shortest {
            return None;
        }
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let folded = if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
        let mut ranges = Vec::new();
        for needle in &self.needles {
            if needle.secret.expose() == text {
                return Some(REDACTED.to_owned());
            }
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
            Value::Number(number) => {
                if self.clean(&number.to_string()).is_some() {
                    *value = REDACTED.into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn member(&self, name: &str, value: &mut Value) {
        if Handle::from_value(value).is_some_and(|handle| self.handles.contains(&handle)) {
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

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Needle(…)")
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

#[cfg(test)]
mod tests;

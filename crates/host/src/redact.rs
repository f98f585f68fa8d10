//! Removes known secrets from what the other side sends, as a second line of defense after the places and the capture.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};
use flowswap_contract::Handle;
use flowswap_engine::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    decode::decoded,
    encodings::{backwards, forms_of},
};

const REDACTED: &str = "[redacted]";

/// Values shorter than this are not searched for within a text, because a text may contain them by chance.
const SHORTEST_CONTAINED: usize = 6;

/// How many characters at the beginning of a secret are searched for. It is too many to guess: a plugin could send its guesses to
/// a server that repeats them, and look which of them come back redacted.
const BEGINNING: usize = 16;

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
    /// Searches for its beginning in all forms. `None` for a secret that is too short for that.
    finder: Option<Finder>,
    /// The length of the secret or of its shortest form.
    shortest: usize,
}

/// Searches for several texts at once.
enum Finder {
    /// With vector instructions.
    Packed(Box<packed::Searcher>),
    /// For processors without them.
    Automaton(Box<AhoCorasick>),
}

/// The forms of the beginning of a secret.
fn beginnings(secret: &str) -> Vec<Zeroizing<String>> {
    if secret.len() < SHORTEST_CONTAINED {
        return Vec::new();
    }
    let head = secret.get(..secret.ceil_char_boundary(BEGINNING)).unwrap_or(secret);
    let tail = secret.get(secret.floor_char_boundary(secret.len().saturating_sub(BEGINNING))..).unwrap_or(secret);
    let mut forms = forms_of(head);
    forms.push(backwards(tail));
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

    /// Where the first of them begins in a text in lower case.
    fn first_in(&self, text: &str) -> Option<usize> {
        match self {
            Self::Packed(searcher) => searcher.find(text).map(|found| found.start()),
            Self::Automaton(automaton) => automaton.find(text).map(|found| found.start()),
        }
    }
}

impl Needle {
    pub(crate) fn new(secret: Secret) -> Self {
        let beginnings = beginnings(secret.expose());
        let shortest = beginnings.iter().map(|form| form.len()).fold(secret.expose().len(), usize::min);
        let finder = (!beginnings.is_empty()).then(|| Finder::new(&beginnings)).flatten();
        Self { finder, shortest, secret }
    }

    pub(crate) fn is_of(&self, secret: &Secret) -> bool {
        self.secret.expose() == secret.expose()
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

    /// The text up to the first secret, or `None` if it has none. What follows goes as well: how much of it is that secret is
    /// nobody's business, least of all a plugin's that guesses.
    pub(crate) fn clean(&self, text: &str) -> Option<String> {
        if text.len() < self.shortest {
            return None;
        }
        if self.needles.iter().any(|needle| needle.secret.expose() == text) {
            return Some(REDACTED.to_owned());
        }
        self.cut(text).or_else(|| decoded(text).iter().find_map(|text| self.cut(text)))
    }

    /// The text up to the first secret that is in it without escapes.
    fn cut(&self, text: &str) -> Option<String> {
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let folded = if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
        if let Some(start) = self.first_in(&folded) {
            return Some(format!("{}{REDACTED}", text.get(..start).unwrap_or_default()));
        }
        // Base64 can have line breaks (RFC 2045 §6.8).
        let has_breaks = folded.contains(['\r', '\n']);
        let is_broken = has_breaks && self.first_in(&folded.replace(['\r', '\n'], "")).is_some();
        is_broken.then(|| REDACTED.to_owned())
    }

    /// Whether a known secret, in any form, is only a part of the text. Many tokens begin alike, so the whole secret counts.
    pub(crate) fn is_within(&self, text: &str) -> bool {
        let mut texts = decoded(text);
        texts.push(text.to_owned());
        texts.iter_mut().for_each(|text| text.make_ascii_lowercase());
        let is_part = |needle: &Arc<Needle>| {
            let secret = needle.secret.expose();
            secret != text && secret.len() >= SHORTEST_CONTAINED && {
                let mut forms = forms_of(secret);
                forms.push(backwards(secret));
                forms.retain(|form| form.len() >= SHORTEST_CONTAINED);
                forms.iter().any(|form| texts.iter().any(|text| text.contains(form.as_str())))
            }
        };
        self.needles.iter().any(is_part)
    }

    fn first_in(&self, folded: &str) -> Option<usize> {
        self.needles.iter().filter_map(|needle| needle.finder.as_ref()?.first_in(folded)).min()
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

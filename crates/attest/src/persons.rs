//! Tells people apart, not keys and not names: names that share a line, and lines that share a name or a key, are one person.

use std::collections::BTreeSet;

/// A person, with everything that the file of signers says of that person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    /// In lower case.
    names: BTreeSet<String>,
    keys: BTreeSet<String>,
}

/// The people of lines, each with its names and the fingerprint of its key. Names do not differ by case.
pub(crate) fn people<'a>(lines: impl IntoIterator<Item = (&'a BTreeSet<String>, String)>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    for (names, key) in lines {
        let mut person = Person { names: names.iter().map(|name| name.to_lowercase()).collect(), keys: [key].into() };
        for other in people.extract_if(.., |other| other.is(&person)).collect::<Vec<_>>() {
            person.names.extend(other.names);
            person.keys.extend(other.keys);
        }
        people.push(person);
    }
    people
}

impl Person {
    /// Whether they share a name or a key.
    fn is(&self, other: &Self) -> bool {
        !self.names.is_disjoint(&other.names) || !self.keys.is_disjoint(&other.keys)
    }

    /// Whether the key is one of the person's.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Whether one of these is a name of the person. Case and the domain do not count, so `alice` is `Alice@example.com`. In
    /// `Alice <alice@example.com>`, both names count.
    pub(crate) fn is_called(&self, names: &BTreeSet<String>) -> bool {
        let own: BTreeSet<&str> = self.names.iter().map(|name| local_part(name)).collect();
        let called = |name: &String| {
            let name = name.to_lowercase();
            let mut parts = name.split(['<', '>']).map(local_part);
            parts.any(|part| !part.is_empty() && own.contains(part))
        };
        names.iter().any(called)
    }
}

/// The name of the account: without the domain after the `@` or before the `\\`, and without what follows a `+`.
fn local_part(name: &str) -> &str {
    let account = name.split('@').next().unwrap_or_default();
    account.rsplit('\\').next().unwrap_or_default().split('+').next().unwrap_or_default().trim()
}

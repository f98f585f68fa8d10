//! Counts people, not keys and not names. Two approvals are of one person if they share a key or a name.

use std::collections::BTreeSet;

/// How many different people these names and keys belong to. Names do not differ by case.
pub(crate) fn count<'a>(known: impl IntoIterator<Item = (&'a BTreeSet<String>, String)>) -> usize {
    let mut people: Vec<BTreeSet<String>> = Vec::new();
    for (names, key) in known {
        // No name contains a space, so no key is taken for a name.
        let mut person: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        person.insert(format!("key {key}"));
        let same = people.extract_if(.., |other| !other.is_disjoint(&person)).flatten().collect::<Vec<_>>();
        person.extend(same);
        people.push(person);
    }
    people.len()
}

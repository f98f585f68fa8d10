//! Names of tenants that have one cause, in one line.

pub(crate) use flowswap_report::{Group, group};

use super::text::{Text, text};
use crate::terminal::{Tone, paint};

/// How many names a group lists.
const MAX_NAMES: usize = 3;
/// A table shows at least this many equal lines as one.
pub(crate) const MANY: usize = 10;

/// `acme`, or `300 tenants`.
pub(crate) fn subject(names: &[&str]) -> Text {
    match names {
        [one] => text!("{}", one),
        many => text!("{} tenants", many.len()),
    }
}

/// ` (acme, globex, initech, and 297 more)`; empty for one name, which [`subject`] already shows.
pub(crate) fn list_names(names: &[&str]) -> Text {
    let first = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 | 1 => Text::default(),
        count if count <= MAX_NAMES => text!(" ({})", first),
        count => text!(" ({}, and {} more)", first, count - MAX_NAMES),
    }
}

/// Says what is about to happen to tenants, once if the same happens to several. `head` introduces their names.
pub(crate) fn show_alike(what: &[(&str, Text)], head: impl Fn(Text) -> Text) -> Text {
    let groups = group(what, |(name, text)| (text.as_str().to_owned(), vec![*name]));
    let show = |group: &Group<&(&str, Text)>| {
        let names: Vec<&str> = group.items.iter().map(|(name, _)| *name).collect();
        head(text!("{}{}", paint(Tone::Strong, subject(&names)), list_names(&names)))
            + Text::rendered(group.text.clone())
    };
    groups.iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_names_are_listed() {
        assert_eq!(list_names(&["a"]).as_str(), "");
        assert_eq!(list_names(&["a", "b", "c"]).as_str(), " (a, b, c)");
        assert_eq!(list_names(&["a", "b", "c", "d", "e"]).as_str(), " (a, b, c, and 2 more)");
        assert_eq!((subject(&["a"]).as_str(), subject(&["a", "b"]).as_str()), ("a", "2 tenants"));
    }
}

//! Names of tenants that have one cause, in one line.

use std::collections::BTreeMap;

use flowswap_engine::TenantState;
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

/// Puts names in the place of `TENANT` in the commands of a message. The engine and the plugins write messages for any tenant.
/// Many names would hide the message, so it keeps the placeholder then.
pub(crate) fn name_tenants(message: &str, names: &[&str]) -> String {
    if names.len() > MAX_NAMES {
        return message.to_owned();
    }
    let mut pieces = message.split(" TENANT");
    let mut named = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_plain = |words: &str| words.chars().all(|c| c.is_ascii_lowercase() || " -".contains(c));
        let is_command = named.rsplit_once("flowswap ").is_some_and(|(_, words)| is_plain(words));
        named += " ";
        named += &if is_command { names.join(" ") } else { "TENANT".to_owned() };
        named += piece;
    }
    named
}

/// The states of tenants: `acme is soaking, 2 tenants (globex, initech) are stuck`.
pub(crate) fn list_states<'a>(tenants: impl IntoIterator<Item = (&'a str, TenantState)>) -> Text {
    let mut by_state: BTreeMap<TenantState, Vec<&str>> = BTreeMap::new();
    for (name, state) in tenants {
        by_state.entry(state).or_default().push(name);
    }
    let groups = by_state.into_iter().map(|(state, names)| {
        let is = if names.len() == 1 { "is" } else { "are" };
        text!("{}{} {} {}", subject(&names), list_names(&names), is, state)
    });
    Text::join(groups, ", ")
}

/// How names are listed behind a [`subject`]: only the first ones, or all of them with `each`.
pub(crate) fn naming(each: bool) -> fn(&[&str]) -> Text {
    if each { list_all_names } else { list_names }
}

fn list_all_names(names: &[&str]) -> Text {
    if names.len() < 2 { Text::default() } else { text!(" ({})", names.join(", ")) }
}

/// Says what is about to happen to tenants, once if the same happens to several. `head` introduces their names,
/// which are all listed with `each`.
pub(crate) fn show_alike(what: &[(&str, Text)], each: bool, head: impl Fn(Text) -> Text) -> Text {
    let groups = group(what, |(name, text)| (text.as_str().to_owned(), vec![*name]));
    let show = |group: &Group<&(&str, Text)>| {
        let names: Vec<&str> = group.items.iter().map(|(name, _)| *name).collect();
        head(text!("{}{}", paint(Tone::Strong, subject(&names)), naming(each)(&names)))
            + Text::rendered(group.text.clone())
    };
    groups.iter().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_gets_the_names_in_the_place_of_its_placeholder() {
        let message = "no TENANT: run `flowswap rollback TENANT --accept-changes`, then flowswap finalize TENANT";
        let table: [(&[&str], &str); 3] = [
            (&["a"], "no TENANT: run `flowswap rollback a --accept-changes`, then flowswap finalize a"),
            (&["a", "b"], "no TENANT: run `flowswap rollback a b --accept-changes`, then flowswap finalize a b"),
            (&["a", "b", "c", "d"], message),
        ];
        for (names, expect) in table {
            assert_eq!(name_tenants(message, names), expect);
        }
    }

    #[test]
    fn states_are_listed_with_their_tenants() {
        use TenantState::{Failed, RollingBack};
        assert_eq!(list_states([("a", RollingBack)]).as_str(), "a is rolling-back");
        let many = [("a", Failed), ("b", RollingBack), ("c", Failed)];
        assert_eq!(list_states(many).as_str(), "b is rolling-back, 2 tenants (a, c) are failed");
    }

    #[test]
    fn only_the_first_names_are_listed() {
        assert_eq!(list_names(&["a"]).as_str(), "");
        assert_eq!(list_names(&["a", "b", "c"]).as_str(), " (a, b, c)");
        assert_eq!(list_names(&["a", "b", "c", "d", "e"]).as_str(), " (a, b, c, and 2 more)");
        assert_eq!(list_all_names(&["a", "b", "c", "d", "e"]).as_str(), " (a, b, c, d, e)");
        assert_eq!((subject(&["a"]).as_str(), subject(&["a", "b"]).as_str()), ("a", "2 tenants"));
    }
}

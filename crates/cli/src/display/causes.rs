//! What befell many tenants and has one cause is said once, with how many they are and the first names. Two sayings have
//! one cause if they differ in nothing but what is a tenant's own: its name, its hosts, times, and the ids of requests.

use super::text::{Text, text};

/// This many names are enough to know where to look.
const NAMED: usize = 3;
/// From this many equal lines on, a table has one for all of them.
pub(crate) const MANY: usize = 10;
/// What stands before the title of a page that something in between answered.
const TITLED: &str = "titled `";
/// What stands where a tenant's own words stood.
const OWN: &str = "…";

/// Items that say the same, in the order in which the first of them came.
pub(crate) struct Group<T> {
    /// What they say, without what is a tenant's own if there are several.
    pub(crate) said: String,
    /// The items.
    pub(crate) items: Vec<T>,
}

/// Groups items by what they say. `say` gives the sentence and the words in it that are the item's own.
pub(crate) fn group<'w, T>(
    items: impl IntoIterator<Item = T>,
    say: impl Fn(&T) -> (String, Vec<&'w str>),
) -> Vec<Group<T>> {
    let mut groups: Vec<(String, Group<T>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for item in items {
        let (said, own) = say(&item);
        let common = strip(&said, &own);
        let cause = without_title(&common);
        match known.get(&cause) {
            None => {
                known.insert(cause, groups.len());
                groups.push((common, Group { said, items: vec![item] }));
            }
            Some(index) => {
                let (first, group): &mut (String, Group<T>) = &mut groups[*index];
                if *first != common {
                    first.clone_from(&cause);
                }
                if group.said != said {
                    group.said.clone_from(first);
                }
                group.items.push(item);
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The sentence without the title of a page: portals put what differs from request to request there.
fn without_title(said: &str) -> String {
    let Some((before, rest)) = said.split_once(TITLED) else { return said.to_owned() };
    let after = rest.split_once('`').map_or("", |(_, after)| after);
    format!("{before}{TITLED}{OWN}`{after}")
}

/// `acme`; `300 tenants`.
pub(crate) fn whom(names: &[&str]) -> Text {
    match names {
        [one] => text!("{}", one),
        many => text!("{} tenants", many.len()),
    }
}

/// ` (acme, globex, initech and 297 more)`; nothing for one, who is named already.
pub(crate) fn names(names: &[&str]) -> Text {
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 | 1 => Text::default(),
        count if count <= NAMED => text!(" ({})", first),
        count => text!(" ({} and {} more)", first, count - NAMED),
    }
}

/// The sentence without what is one tenant's own.
fn strip(said: &str, own: &[&str]) -> String {
    let mut own: Vec<&str> = own.iter().copied().filter(|word| !word.is_empty()).collect();
    // A host holds the name, so the host goes first.
    own.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut stripped = said.to_owned();
    for word in own {
        stripped = replace_word(&stripped, word);
    }
    let is_between = |c: char| !c.is_alphanumeric() && !"-_:.".contains(c);
    let words = stripped.split_inclusive(is_between).map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(is_between).len());
        format!("{}{end}", if is_of_one_request(bare) { OWN } else { bare })
    });
    words.collect()
}

/// Replaces a word where it stands alone: `acme` in `acme.okta.com`, and not in `acmes`.
fn replace_word(text: &str, word: &str) -> String {
    let is_inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before.chars().next_back().or_else(|| replaced.chars().next_back());
        let alone = !is_inner(last) && !is_inner(after.chars().next());
        replaced += before;
        replaced += if alone { OWN } else { word };
        rest = after;
    }
    replaced + rest
}

/// Whether a word is a point in time or the id of a request, which are different every time.
fn is_of_one_request(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_id =
        word.len() >= 12 && digits >= 3 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    is_id || (digits >= 12 && word.parse::<jiff::Timestamp>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sayings_that_differ_in_what_is_a_tenants_own_are_one() {
        let table = [
            ("failed to reach acme.okta.com: refused", "failed to reach …: refused"),
            ("tenant acme, not acmes", "tenant …, not acmes"),
            ("answered 500 (request id ZgXy12AbCd34EfGh)", "answered 500 (request id …)"),
            ("seen at 2026-11-28T02:55:21.123Z, twice", "seen at …, twice"),
            (
                "GET https://x.test/v1/fab3175d-05b6-5cfd-8020-f4738e121c4a/status: refused",
                "GET https://x.test/v1/…/status: refused",
            ),
            ("3 users and 14 groups", "3 users and 14 groups"),
            ("answered 403 text/html by corporate-proxy", "answered 403 text/html by corporate-proxy"),
        ];
        for (said, expect) in table {
            assert_eq!(strip(said, &["acme", "acme.okta.com"]), expect);
        }
    }

    #[test]
    fn a_group_says_what_its_items_have_in_common() {
        let said =
            [("a", "a is gone"), ("b", "b is gone"), ("c", "c is late"), ("d", "all is well"), ("e", "all is well")];
        let groups = group(said, |(name, said)| ((*said).to_owned(), vec![*name]));
        let seen: Vec<_> = groups.iter().map(|group| (group.said.as_str(), group.items.len())).collect();
        assert_eq!(seen, [("… is gone", 2), ("c is late", 1), ("all is well", 2)]);
    }

    #[test]
    fn titles_that_differ_are_one_cause() {
        let say = |reference: &str| format!("answered 503, titled `Denied {reference}`; see");
        let said = [("a", say("x7")), ("b", say("x7")), ("c", say("q9")), ("d", "answered 500".to_owned())];
        let groups = |said: &[(&'static str, String)]| {
            let groups = group(said.to_vec(), |(name, said)| (said.clone(), vec![*name]));
            groups.into_iter().map(|group| (group.said, group.items.len())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&said[..2]), [(say("x7"), 2)]);
        assert_eq!(groups(&said), [("answered 503, titled `…`; see".to_owned(), 3), ("answered 500".to_owned(), 1)]);
    }

    #[test]
    fn names_are_few() {
        assert_eq!(names(&["a"]).as_str(), "");
        assert_eq!(names(&["a", "b", "c"]).as_str(), " (a, b, c)");
        assert_eq!(names(&["a", "b", "c", "d", "e"]).as_str(), " (a, b, c and 2 more)");
        assert_eq!((whom(&["a"]).as_str(), whom(&["a", "b"]).as_str()), ("a", "2 tenants"));
    }
}

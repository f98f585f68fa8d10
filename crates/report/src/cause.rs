//! Groups messages by cause, so that a reader sees a cause once, with its tenants. Messages have one cause if they differ only
//! in a tenant's own words: its name, its hosts, times, and ids of requests and of things in Okta.

/// The text before the title of a page that a proxy or portal returned.
const TITLED: &str = "titled `";
/// Replaces a tenant's own words.
const PLACEHOLDER: &str = "…";

/// Items with the same message; groups are in the order of their first items.
#[derive(Debug)]
pub struct Group<T> {
    /// The message, with placeholders for the tenants' own words where the messages differ.
    pub text: String,
    /// The items.
    pub items: Vec<T>,
}

/// Groups items by their messages. `describe` gives an item's message and the item's own words in it.
pub fn group<'w, T>(
    items: impl IntoIterator<Item = T>,
    describe: impl Fn(&T) -> (String, Vec<&'w str>),
) -> Vec<Group<T>> {
    let mut groups: Vec<(String, Group<T>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for item in items {
        let (text, own_words) = describe(&item);
        let common = generalize(&text, &own_words);
        let cause = without_title(&common);
        match known.get(&cause) {
            None => {
                known.insert(cause, groups.len());
                groups.push((common, Group { text, items: vec![item] }));
            }
            Some(index) => {
                let (first, group): &mut (String, Group<T>) = &mut groups[*index];
                if *first != common {
                    first.clone_from(&cause);
                }
                if group.text != text {
                    group.text.clone_from(first);
                }
                group.items.push(item);
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The message without the title of a page, because portals put a different title on every answer.
fn without_title(message: &str) -> String {
    let Some((before, rest)) = message.split_once(TITLED) else { return message.to_owned() };
    let after = rest.split_once('`').map_or("", |(_, after)| after);
    format!("{before}{TITLED}{PLACEHOLDER}`{after}")
}

/// The message with placeholders for the tenant's own words, times, and request ids.
fn generalize(message: &str, own_words: &[&str]) -> String {
    let mut own_words: Vec<&str> = own_words.iter().copied().filter(|word| !word.is_empty()).collect();
    // The longest word first, because a host contains the tenant's name.
    own_words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut general = message.to_owned();
    for word in own_words {
        general = replace_word(&general, word);
    }
    replace_words(&general, |word| is_time(word) || is_id(word))
}

/// The message with a placeholder for each time in it.
pub(crate) fn without_times(message: &str) -> String {
    replace_words(message, is_time)
}

fn replace_words(text: &str, is_own: impl Fn(&str) -> bool) -> String {
    let is_separator = |c: char| !c.is_alphanumeric() && !"-_:.".contains(c);
    let words = text.split_inclusive(is_separator).map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(is_separator).len());
        let is_replaced = is_own(bare.trim_matches(|c: char| !c.is_alphanumeric()));
        format!("{}{end}", if is_replaced { PLACEHOLDER } else { bare })
    });
    words.collect()
}

/// Replaces whole words only: `acme` in `acme.okta.com`, but not in `acmes`.
fn replace_word(text: &str, word: &str) -> String {
    let is_inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let before = &rest[..at];
        let after = &rest[at + word.len()..];
        let last = before.chars().next_back().or_else(|| replaced.chars().next_back());
        let is_whole = !is_inner(last) && !is_inner(after.chars().next());
        replaced += before;
        replaced += if is_whole { PLACEHOLDER } else { word };
        rest = after;
    }
    replaced + rest
}

/// How ids of things in Okta begin, such as those of apps and users. They have 20 letters and digits.
const OKTA_IDS: [&str; 2] = ["0o", "00"];

/// Whether a word is a time, such as `2026-01-01T00:00:00Z`.
fn is_time(word: &str) -> bool {
    count_digits(word) >= 12 && word.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a word is an id of Okta or of a request: these differ in every message.
fn is_id(word: &str) -> bool {
    let is_of_okta = OKTA_IDS.iter().any(|start| word.starts_with(start));
    if is_of_okta && word.len() == 20 && word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return true;
    }
    let count = |fits: fn(&u8) -> bool| word.bytes().filter(fits).count();
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let is_random = upper >= 3 && lower >= 3 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    if word.len() >= 16 && is_random {
        return true;
    }
    let has_form = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    word.len() >= 12 && count_digits(word) >= 3 && has_form
}

fn count_digits(word: &str) -> usize {
    word.bytes().filter(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_a_tenants_own_words_are_one() {
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
            // An id of Okta may have hardly any digit.
            ("uses the client `0oahdcrdiAxznhbcqeKq`, but", "uses the client `…`, but"),
            ("the user 00ubXyzAbcDefGhiJklM is inactive", "the user … is inactive"),
            ("0oatooshort and 0oafartoolongtobeanidofokta", "0oatooshort and 0oafartoolongtobeanidofokta"),
            ("answered 403 text/html by corporate-proxy", "answered 403 text/html by corporate-proxy"),
        ];
        for (message, expect) in table {
            assert_eq!(generalize(message, &["acme", "acme.okta.com"]), expect);
        }
    }

    #[test]
    fn a_group_has_the_text_that_its_items_share() {
        let items =
            [("a", "a is gone"), ("b", "b is gone"), ("c", "c is late"), ("d", "all is well"), ("e", "all is well")];
        let groups = group(items, |(name, message)| ((*message).to_owned(), vec![*name]));
        let shown: Vec<_> = groups.iter().map(|group| (group.text.as_str(), group.items.len())).collect();
        assert_eq!(shown, [("… is gone", 2), ("c is late", 1), ("all is well", 2)]);
    }

    #[test]
    fn different_titles_are_one_cause() {
        let denied = |reference: &str| format!("answered 503, titled `Denied {reference}`; see");
        let items = [("a", denied("x7")), ("b", denied("x7")), ("c", denied("q9")), ("d", "answered 500".to_owned())];
        let groups = |items: &[(&'static str, String)]| {
            let groups = group(items.to_vec(), |(name, message)| (message.clone(), vec![*name]));
            groups.into_iter().map(|group| (group.text, group.items.len())).collect::<Vec<_>>()
        };
        assert_eq!(groups(&items[..2]), [(denied("x7"), 2)]);
        assert_eq!(groups(&items), [("answered 503, titled `…`; see".to_owned(), 3), ("answered 500".to_owned(), 1)]);
    }
}

//! A set of people or groups, known only by keyed hashes. A plugin can count who is missing, but cannot name them.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Blind;

/// A set of the hashes that [`Blind`] makes. It serializes as one string: the sorted hashes without separators.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Crowd(Vec<u64>);

impl Crowd {
    /// The set of these hashes. Omits texts that are not hashes, because they do not stand for anybody.
    pub fn of<'a>(hashes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut crowd = Self(hashes.into_iter().filter_map(parse).collect());
        crowd.sort_and_dedup();
        crowd
    }

    /// Adds hashes. To add many pages, use a [`CrowdBuilder`], because this sorts the crowd each time.
    pub fn extend<'a>(&mut self, hashes: impl IntoIterator<Item = &'a str>) {
        self.0.extend(hashes.into_iter().filter_map(parse));
        self.sort_and_dedup();
    }

    /// The number of hashes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set contains this hash.
    pub fn contains(&self, hash: &str) -> bool {
        parse(hash).is_some_and(|hash| self.0.binary_search(&hash).is_ok())
    }

    /// How many of these hashes are not in `other`.
    pub fn count_missing_in(&self, other: &Self) -> usize {
        self.0.iter().filter(|hash| other.0.binary_search(hash).is_err()).count()
    }

    fn sort_and_dedup(&mut self) {
        // Not the unstable sort: this one is cheap if all but the last hashes are sorted already.
        self.0.sort();
        self.0.dedup();
    }
}

/// Gathers a [`Crowd`] page by page, and sorts it once at the end.
#[derive(Debug, Default)]
pub struct CrowdBuilder(Vec<u64>);

impl CrowdBuilder {
    /// Adds a page of hashes. Omits texts that are not hashes.
    pub fn add<'a>(&mut self, hashes: impl IntoIterator<Item = &'a str>) {
        self.0.extend(hashes.into_iter().filter_map(parse));
    }

    /// The set of all hashes.
    pub fn build(self) -> Crowd {
        let mut crowd = Crowd(self.0);
        crowd.sort_and_dedup();
        crowd
    }
}

fn parse(hash: &str) -> Option<u64> {
    (hash.len() == Blind::DIGITS).then(|| u64::from_str_radix(hash, 16).ok()).flatten()
}

impl Serialize for Crowd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(self.0.len() * Blind::DIGITS);
        for hash in &self.0 {
            // Writing into a `String` never fails.
            let _ = write!(text, "{hash:0width$x}", width = Blind::DIGITS);
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Crowd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = |start| text.get(start..start + Blind::DIGITS).and_then(parse);
        let hashes: Option<Vec<_>> = (0..text.len()).step_by(Blind::DIGITS).map(hash).collect();
        let hashes = hashes.ok_or_else(|| de::Error::custom("expected a sequence of hashes"))?;
        if hashes.is_sorted_by(|a, b| a < b) {
            Ok(Self(hashes))
        } else {
            Err(de::Error::custom("the hashes are not in order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_hashes_are_counted() {
        let before = Crowd::of(["00000000000b", "00000000000a", "00000000000a", "", "xyz"]);
        let mut after = Crowd::of(["00000000000a"]);
        assert_eq!((before.len(), before.count_missing_in(&after), after.count_missing_in(&before)), (2, 1, 0));
        after.extend(["00000000000c", "00000000000b"]);
        assert_eq!((before.count_missing_in(&after), after.count_missing_in(&before)), (0, 1));
        let mut pages = CrowdBuilder::default();
        pages.add(["00000000000c", "00000000000b"]);
        pages.add(["00000000000a", "xyz", "00000000000b"]);
        assert_eq!(pages.build(), after);
        assert!(after.contains("00000000000c") && !before.contains("00000000000c") && !before.contains("c"));
    }

    #[test]
    fn a_crowd_is_written_and_read_as_one_string() {
        let crowd = Crowd::of(["0000000000ff", "abcdef012345"]);
        let text = serde_json::to_string(&crowd).unwrap();
        assert_eq!(text, "\"0000000000ffabcdef012345\"");
        assert_eq!(serde_json::from_str::<Crowd>(&text).unwrap(), crowd);
        for bad in ["\"0000000000f\"", "\"0000000000fg\"", "\"abcdef0123450000000000ff\"", "\"é0000000000\""] {
            assert!(serde_json::from_str::<Crowd>(bad).is_err(), "{bad}");
        }
    }
}

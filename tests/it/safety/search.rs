//! The search for secrets and names, in every encoding in which one could leak. It is the only list of encodings of the integration tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowswap_sim::Exchange;
use serde_json::json;

/// A secret or a name, and the one host that it may be sent to; client secrets go to the gateway as well.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) what: String,
    pub(super) value: String,
    pub(super) owner: String,
    /// The directory whose requests to the gateway may carry it.
    pub(super) directory: Option<String>,
    /// Whether a part of it is as bad as all of it.
    is_secret: bool,
}

impl Canary {
    /// A secret. A third of it counts as the whole.
    pub(super) fn secret(what: String, value: &str, owner: &str) -> Self {
        Self { what, value: value.to_owned(), owner: owner.to_owned(), directory: None, is_secret: true }
    }

    /// The same, which requests to this directory at the gateway may carry as well.
    pub(super) fn also_at(self, directory: Option<String>) -> Self {
        Self { directory, ..self }
    }

    /// The name of a person or of a group, which nobody may have.
    pub(super) fn name(name: &str) -> Self {
        Self { is_secret: false, ..Self::secret(format!("person {name}"), name, "nobody") }
    }

    /// The first word of its description.
    pub(super) fn kind(&self) -> &str {
        self.what.split(' ').next().unwrap_or_default()
    }

    /// What to search for: the parts of its encodings that nothing around them changes.
    fn needles(&self) -> BTreeSet<String> {
        let secret = self.value.as_str();
        let sparing = secret.replace('%', "%25").replace('+', "%2B").replace(':', "%3A");
        let mut all = encodings(secret);
        // In basic authentication a secret is unchanged, or percent-encoded only where necessary.
        let pairs = ["", "a", "ab"].map(|before| ("base64 of a pair", STANDARD.encode(format!("{before}{sparing}"))));
        all.extend(
            [("JSON with \\/", secret.replace('/', "\\/")), ("percent, sparing", sparing)].into_iter().chain(pairs),
        );
        let part = |(name, text): (&str, String)| {
            let (start, end) = match name {
                _ if self.is_secret => (text.len() / 3, text.len() / 3 * 2),
                _ if name.starts_with("base64") => (4, text.len().saturating_sub(4)),
                _ => (0, text.len()),
            };
            text.get(start..end).filter(|part| part.len() >= 6).map(str::to_ascii_lowercase)
        };
        all.into_iter().filter_map(part).collect()
    }
}

/// Finds canaries, in any case of their letters.
pub(super) struct Search {
    pub(super) canaries: Vec<Canary>,
    /// Every needle, and the number of its canary.
    needles: Vec<(String, usize)>,
    automaton: AhoCorasick,
}

impl Search {
    pub(super) fn new(canaries: Vec<Canary>) -> Self {
        let mut search = Self { canaries: Vec::new(), needles: Vec::new(), automaton: automaton(&[]) };
        search.add(canaries);
        search
    }

    /// From now on, finds these as well.
    pub(super) fn add(&mut self, canaries: Vec<Canary>) {
        let mut known: BTreeSet<String> = self.canaries.iter().map(|canary| canary.value.clone()).collect();
        let before = known.len();
        for canary in canaries.into_iter().filter(|canary| known.insert(canary.value.clone())) {
            let at = self.canaries.len();
            self.needles.extend(canary.needles().into_iter().map(|needle| (needle, at)));
            self.canaries.push(canary);
        }
        if self.canaries.len() > before {
            self.automaton = automaton(&self.needles);
        }
    }

    /// The canaries in a text.
    pub(super) fn find(&self, text: impl AsRef<[u8]>) -> Vec<&Canary> {
        let found = self.automaton.find_overlapping_iter(text.as_ref());
        let found: BTreeSet<usize> = found.map(|found| self.needles[found.pattern().as_usize()].1).collect();
        found.into_iter().map(|at| &self.canaries[at]).collect()
    }

    /// One line for each canary in each place where it must not be.
    pub(super) fn leaks<T: AsRef<[u8]>>(&self, places: &[(String, T)]) -> Vec<String> {
        let found =
            places.iter().flat_map(|(place, text)| self.find(text).into_iter().map(move |canary| (place, canary)));
        // Only the key of the secret store must be on the disk in clear text.
        let found = found.filter(|(place, canary)| !(canary.what == "identity" && place.ends_with("identity.txt")));
        found.map(|(place, canary)| format!("{} is in {place}", canary.what)).collect()
    }
}

fn automaton(needles: &[(String, usize)]) -> AhoCorasick {
    let needles = needles.iter().map(|(needle, _)| needle);
    // It is built often, and searches little.
    let kind = Some(AhoCorasickKind::NoncontiguousNFA);
    AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(needles).unwrap()
}

/// The secret in twenty encodings.
pub(super) fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = |before: &str, between: &str| {
        secret.bytes().map(|byte| format!("{before}{byte:02x}")).collect::<Vec<_>>().join(between)
    };
    let chars = |write: fn(u32) -> String| secret.chars().map(|c| write(c.into())).collect::<String>();
    let percent = |escape: &str| {
        let one =
            |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("{escape}{:02X}", u32::from(c)) };
        secret.chars().map(one).collect::<String>()
    };
    vec![
        ("as it is", secret.to_owned()),
        ("upper case", secret.to_ascii_uppercase()),
        ("percent", percent("%")),
        ("percent, twice", percent("%25")),
        ("percent, every byte", bytes("%", "")),
        ("hexadecimal", bytes("", "")),
        ("hexadecimal in upper case", bytes("", "").to_ascii_uppercase()),
        ("hexadecimal with colons", bytes("", ":")),
        ("hexadecimal with spaces", bytes("", " ")),
        ("escaped bytes", bytes("\\x", "")),
        ("base64", STANDARD.encode(secret)),
        ("base64 after one byte", STANDARD.encode(format!("a{secret}"))),
        ("base64 after two bytes", STANDARD.encode(format!("ab{secret}"))),
        ("base64 of a pair", STANDARD.encode(format!("client:{secret}"))),
        ("base64url", STANDARD.encode(secret).replace('+', "-").replace('/', "_")),
        ("JSON in JSON", format!("{{\"secret\":{}}}", json!(secret))),
        ("JSON, every character", chars(|c| format!("\\u{c:04x}"))),
        ("HTML, decimal", chars(|c| format!("&#{c};"))),
        ("HTML, hexadecimal", chars(|c| format!("&#x{c:x};"))),
        ("backwards", secret.chars().rev().collect()),
    ]
}

/// Every file below the folder, except those in which the simulator stores its tokens and its service account's secret.
pub(super) fn files_of_the_client(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let is_token = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "token" || kind == "secret");
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            // A crash leaves the socket of the door, which has no content.
            } else if path.is_file() && !is_token(&path) && !path.ends_with("sim.json") {
                files.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files
}

/// Everything that a request says, as one text.
pub(super) fn read_request(exchange: &Exchange) -> String {
    let headers: String = exchange.request_headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n{headers}\n{}", exchange.path_and_query, String::from_utf8_lossy(&exchange.request_body))
}

#[test]
fn the_search_finds_secrets_in_every_form() {
    let secret = "se/cret-VALUE+1234-and:more";
    let search = Search::new(vec![Canary::secret("a secret".to_owned(), secret, "nobody")]);
    let basic = |pair: &str| ("Basic", format!("Basic {}", STANDARD.encode(pair)));
    let mut texts = encodings(secret);
    texts.push(("lower case", "se/cret-value+1234-and:more".to_owned()));
    texts.push(("JSON with \\/", r#""se\/cret-VALUE+1234-and:more""#.to_owned()));
    texts.extend(["0oaId", "0oaIdA", "0oaIdAB"].map(|id| basic(&format!("{id}:{secret}"))));
    texts.extend(["0oaId", "0oaIdA", "0oaIdAB"].map(|id| basic(&format!("{id}:se/cret-VALUE%2B1234-and%3Amore"))));
    for (name, text) in texts {
        assert_eq!(search.find(format!("x {text} y")).len(), 1, "{name}: {text}");
    }
    assert_eq!(search.find("x se/cret-AVLUE+1234-nad:more y").len(), 0);
}

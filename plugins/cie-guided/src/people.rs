//! Whom the directory holds, page by page, as keyed hashes: nobody's name reaches this side, and of a page nothing stays
//! but its hashes.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Blind, Body, Error, ErrorKind, Handle, Intent, sdk::Crowd};
use serde_json::{Map, Value, json};

use crate::api::Api;

/// The interface's limit (Directory Sync Service API).
const PAGE: u64 = 1000;
/// Ten million objects; stops a server that never stops.
const MAX_PAGES: u64 = 10_000;

/// The one attribute that is read in clear, to ask for a group's members by: normalized and raw.
const UNIQUE_ID: [&str; 2] = ["Unique Identifier", "objectGUID"];
const DISTINGUISHED_NAME: [&str; 2] = ["Distinguished Name", "dn"];
const USER_NAME: [&str; 2] = ["User Principal Name", "userPrincipalName"];
const NAME: [&str; 4] = ["Name", "name", "Common-Name", "cn"];

/// By what objects of one kind can be told apart, the best first, each with its names: the only published answer has raw ones
/// although normalized ones are asked for elsewhere.
type Keys = [&'static [&'static str]; 3];
const OF_USERS: Keys = [&USER_NAME, &DISTINGUISHED_NAME, &UNIQUE_ID];
const OF_GROUPS: Keys = [&DISTINGUISHED_NAME, &UNIQUE_ID, &NAME];

/// Attributes of a group that are seen as hashes only.
const HIDDEN: [&str; 10] = [
    "Distinguished Name",
    "dn",
    "Name",
    "name",
    "Common-Name",
    "cn",
    "SAM Account Name",
    "sAMAccountName",
    "Member",
    "member",
];
/// Where objects stand: the description calls `data` a list and shows an object.
const PLACES: [&str; 3] =
    ["/result/data/domains/*/objects/*", "/result/data/*/domains/*/objects/*", "/result/data/*/objects/*"];

/// A group that every Okta org has and Cloud Identity Engine never collects; where it shows nevertheless, it does not count.
const EVERYONE: &str = "Everyone";

/// The directory's people, to whoever has the key.
pub(crate) struct People<'a> {
    pub(crate) api: &'a Api<'a>,
    /// The directory's name.
    pub(crate) directory: &'a str,
    pub(crate) key: Handle,
}

/// Objects of one kind: how many there are, and the hashes of those that can be compared.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) total: u64,
    pub(crate) hashes: Crowd,
    /// By what they are told apart, in its normalized name; none where there is nothing.
    pub(crate) key: Option<&'static str>,
    /// What an object shows that cannot be told apart: names of attributes, no values.
    pub(crate) shown: Vec<String>,
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) held: Held,
    /// Hashes of their names, which stay the same where the directory's name, and with it every DN, changes.
    pub(crate) names: Crowd,
    /// How to ask for the chosen ones (attribute and value), by the hash that they are told apart by.
    pub(crate) chosen: BTreeMap<String, GroupId>,
}

/// The attribute that identifies a group, and its value.
pub(crate) type GroupId = (&'static str, String);

/// What was read of objects, by each of the keys that may tell them apart.
struct Sieve {
    keys: Keys,
    hashes: [Crowd; 3],
    shown: Vec<String>,
}

impl Sieve {
    fn new(keys: Keys) -> Self {
        Self { keys, hashes: Default::default(), shown: Vec::new() }
    }

    /// A page at a time, for a crowd is sorted anew with each addition.
    fn add<'a>(&mut self, page: impl Iterator<Item = &'a Value> + Clone) {
        for (hashes, names) in self.hashes.iter_mut().zip(self.keys) {
            let found: Vec<_> = page.clone().filter_map(|object| identify(object, names)).collect();
            hashes.extend(found.iter().map(String::as_str));
        }
        let is_known = |object: &Value| self.keys.iter().any(|names| find(object, names).is_some());
        if let Some(object) = page.clone().find(|object| !is_known(object)).and_then(Value::as_object) {
            self.shown = object.keys().take(10).cloned().collect();
        }
    }

    /// The wanted key, or the first of those by which the most are told apart.
    fn choose(&self, wanted: Option<&str>) -> Option<usize> {
        let most = self.hashes.iter().map(Crowd::len).max().filter(|most| *most > 0);
        match wanted {
            Some(wanted) => self.keys.iter().position(|names| names[0] == wanted),
            None => self.hashes.iter().position(|hashes| Some(hashes.len()) == most),
        }
    }

    fn hold(mut self, total: u64, chosen: Option<usize>) -> Held {
        let hashes = chosen.map(|at| std::mem::take(&mut self.hashes[at])).unwrap_or_default();
        Held { total, hashes, key: chosen.map(|at| self.keys[at][0]), shown: self.shown }
    }
}

/// The words for what objects of this kind are told apart by.
pub(crate) fn keys_of(kind: &str) -> String {
    let keys = if kind == "users" { OF_USERS } else { OF_GROUPS };
    keys.map(|names| names[0]).join(", ")
}

/// Which groups' identifiers are kept.
pub(crate) enum Choice<'a> {
    /// Those with the smallest hashes: as good as drawn by lot, and the same every time.
    Smallest(usize),
    These(&'a BTreeSet<&'a str>),
}

impl Choice<'_> {
    fn add(&self, chosen: &mut BTreeMap<String, GroupId>, hash: &str, id: GroupId) {
        match self {
            Self::These(wanted) if !wanted.contains(hash) => return,
            Self::These(_) | Self::Smallest(_) => chosen.insert(hash.to_owned(), id),
        };
        if let Self::Smallest(most) = self {
            while chosen.len() > *most {
                chosen.pop_last();
            }
        }
    }
}

impl People<'_> {
    /// All users, told apart by the wanted key where one is.
    pub(crate) async fn users(&self, key: Option<&str>) -> Result<Held, Error> {
        let mut sieve = Sieve::new(OF_USERS);
        let total = self.read("users", Map::new(), |page| sieve.add(page.iter())).await?;
        let chosen = sieve.choose(key);
        Ok(sieve.hold(total, chosen))
    }

    /// All groups but Everyone, told apart by the wanted key where one is.
    pub(crate) async fn groups(&self, choice: &Choice<'_>, key: Option<&str>) -> Result<Groups, Error> {
        let everyone = self.everyone().await?;
        let mut sieve = Sieve::new(OF_GROUPS);
        let mut names = Crowd::default();
        let mut chosen: [BTreeMap<String, GroupId>; 3] = Default::default();
        let total = self
            .read("groups", Map::new(), |page| {
                let counted: Vec<&Value> = page.iter().filter(|group| !is_one_of(group, &everyone)).collect();
                sieve.add(counted.iter().copied());
                let named: Vec<_> = counted.iter().filter_map(|group| identify(group, &NAME)).collect();
                names.extend(named.iter().map(String::as_str));
                for group in counted {
                    let Some(id) = find(group, &UNIQUE_ID) else { continue };
                    for (chosen, names) in chosen.iter_mut().zip(OF_GROUPS) {
                        if let Some(hash) = identify(group, names) {
                            choice.add(chosen, &hash, (id.0, id.1.to_owned()));
                        }
                    }
                }
            })
            .await?;
        let at = sieve.choose(key);
        let chosen = at.map(|at| std::mem::take(&mut chosen[at])).unwrap_or_default();
        Ok(Groups { held: sieve.hold(total.saturating_sub(everyone.len() as u64), at), names, chosen })
    }

    /// The members of the group, told apart by the key; none where there are more than `most`.
    pub(crate) async fn members(&self, id: &GroupId, key: &str, most: u64) -> Result<Option<Crowd>, Error> {
        let group = json!({ "attrName": id.0, "attrValue": id.1, "match": "equal" });
        let filter = json!({ "type": "group", "name": group, "level": "immediate" });
        let query: Map<_, _> = [("filter".to_owned(), filter)].into_iter().collect();
        let first = self.read_page("users", &query, 1).await?;
        if first.objects.len() as u64 + first.remains > most {
            return Ok(None);
        }
        let mut sieve = Sieve::new(OF_USERS);
        sieve.add(first.objects.iter());
        self.read_on("users", query, first.remains, |page| sieve.add(page.iter())).await?;
        let chosen = sieve.choose(Some(key));
        Ok(Some(sieve.hold(0, chosen).hashes))
    }

    /// The groups that are called Everyone: a name is only seen as a hash, so the interface has to find them.
    async fn everyone(&self) -> Result<Vec<Value>, Error> {
        let name = json!({ "attrName": NAME[0], "attrValue": EVERYONE, "match": "equal" });
        let query = [("name".to_owned(), name)].into_iter().collect();
        Ok(self.read_page("groups", &query, 1).await?.objects)
    }

    /// Hands every page to `take`; returns how many objects there were.
    async fn read(&self, kind: &str, query: Map<String, Value>, mut take: impl FnMut(&[Value])) -> Result<u64, Error> {
        let first = self.read_page(kind, &query, 1).await?;
        take(&first.objects);
        Ok(first.objects.len() as u64 + self.read_on(kind, query, first.remains, take).await?)
    }

    /// The pages after the first.
    async fn read_on(
        &self,
        kind: &str,
        query: Map<String, Value>,
        mut remains: u64,
        mut take: impl FnMut(&[Value]),
    ) -> Result<u64, Error> {
        let mut seen = 0;
        for number in 2..=MAX_PAGES {
            if remains == 0 {
                return Ok(seen);
            }
            self.api.host.progress(format!("reading {kind} of {}: {remains} to go", self.directory));
            let page = self.read_page(kind, &query, number).await?;
            if page.remains >= remains {
                break;
            }
            seen += page.objects.len() as u64;
            remains = page.remains;
            take(&page.objects);
        }
        let message = format!("the directory service has pages of {kind} without end: {remains} remain");
        Err(Error::new(ErrorKind::Invalid, message))
    }

    async fn read_page(&self, kind: &str, query: &Map<String, Value>, number: u64) -> Result<Page, Error> {
        let what = format!("show {kind} of {}", self.directory);
        let (attributes, pointers): (Vec<&str>, Vec<String>) = match kind {
            // Whatever else it says of a person is not to be seen either.
            "users" => (OF_USERS.map(|names| names[0]).to_vec(), vec!["/result/data".to_owned()]),
            _ => {
                let below = |place: &str| HIDDEN.map(|name| format!("{place}/{name}"));
                (
                    vec![DISTINGUISHED_NAME[0], NAME[0], UNIQUE_ID[0]],
                    PLACES.iter().flat_map(|&place| below(place)).collect(),
                )
            }
        };
        let mut body = json!({
            "domain": self.directory, "attrs": attributes, "useNormalizedAttrs": "True",
            "pageNum": number, "pageSz": PAGE,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(query.clone());
        }
        let mut ask = self.api.ask(Intent::Read, "POST", &format!("cache-{kind}"));
        ask.query = true;
        ask.body = Some(Body::Json(body));
        ask.blind = Some(Box::new(Blind { key: self.key.clone(), pointers }));
        Page::read(&what, self.api.send(&what, ask).await?)
    }
}

struct Page {
    objects: Vec<Value>,
    remains: u64,
}

impl Page {
    /// What does not decode is an error: to leave it out would be to leave people out.
    fn read(what: &str, mut result: Value) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("the answer to `{what}` {why}"));
        let remains = result["remains"].as_u64().ok_or_else(|| invalid("does not say how many remain"))?;
        let data = result.get_mut("data").map(Value::take).unwrap_or_default();
        let domains = read_domains(data).ok_or_else(|| invalid("has no list at /result/data/domains"))?;
        let mut objects = Vec::new();
        for mut domain in domains {
            match domain.get_mut("objects").map(Value::take) {
                Some(Value::Array(found)) if found.iter().all(Value::is_object) => objects.extend(found),
                _ => return Err(invalid("has a domain without a list of objects")),
            }
        }
        // To go on from here would leave people out, or never end.
        if objects.is_empty() && remains > 0 {
            return Err(invalid(&format!("shows nobody, and says that {remains} remain")));
        }
        Ok(Self { objects, remains })
    }
}

/// The domains in `data`: an object with a list of them, as the example has it, or a list, as the schema says, of such objects
/// or of the domains themselves.
fn read_domains(data: Value) -> Option<Vec<Value>> {
    match data {
        Value::Object(mut data) => match data.remove("domains") {
            Some(Value::Array(domains)) => Some(domains),
            Some(_) => None,
            None => data.contains_key("objects").then(|| vec![Value::Object(data)]),
        },
        Value::Array(items) => {
            let found: Option<Vec<_>> = items.into_iter().map(read_domains).collect();
            found.map(|found| found.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// The first of these attributes that is there, and its value.
fn find<'a>(object: &'a Value, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|&name| object[name].as_str().filter(|text| !text.is_empty()).map(|text| (name, text)))
}

/// The hash that stands for an object. An identifier of a group is nobody's name and comes in clear; it is put into the form of
/// a hash here (FNV-1a).
fn identify(object: &Value, names: &[&'static str]) -> Option<String> {
    let (_, text) = find(object, names)?;
    if text.len() == Blind::DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_owned());
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    Some(format!("{:0width$x}", hash >> 16, width = Blind::DIGITS))
}

fn is_one_of(group: &Value, others: &[Value]) -> bool {
    let is_same = |other: &Value, names: &[&'static str]| {
        find(group, names).is_some_and(|(_, value)| find(other, names).is_some_and(|(_, other)| other == value))
    };
    others.iter().any(|other| OF_GROUPS[..2].iter().any(|names| is_same(other, names)))
}

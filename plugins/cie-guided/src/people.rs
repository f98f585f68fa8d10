//! Reads the directory's users and groups page by page as keyed hashes. No name reaches this plugin, and it keeps nothing but
//! the hashes.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Blind, Body, Error, ErrorKind, Handle, Intent, sdk::Crowd};
use serde_json::{Map, Value, json};

use crate::{api::Api, config::Config};

/// The interface's limit (Directory Sync Service API).
const PAGE: u64 = 1000;
/// Ten million objects. Guards against a server that never ends a list.
const MAX_PAGES: u64 = 10_000;

/// The only attribute that is read in clear text, to request a group's members by: its normalized and its raw name.
const UNIQUE_ID: [&str; 2] = ["Unique Identifier", "objectGUID"];
const DISTINGUISHED_NAME: [&str; 2] = ["Distinguished Name", "dn"];
const USER_NAME: [&str; 2] = ["User Principal Name", "userPrincipalName"];
const NAME: [&str; 4] = ["Name", "name", "Common-Name", "cn"];

/// The attributes that identify objects of one kind, the best first, each with its names. The only published answer has raw
/// names, although requests elsewhere use normalized ones.
type Keys = [&'static [&'static str]; 3];
const OF_USERS: Keys = [&USER_NAME, &DISTINGUISHED_NAME, &UNIQUE_ID];
const OF_GROUPS: Keys = [&DISTINGUISHED_NAME, &UNIQUE_ID, &NAME];

/// The attributes of a group that this plugin sees only as hashes.
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
/// Where the objects are: the documentation calls `data` a list but shows an object.
const PLACES: [&str; 3] =
    ["/result/data/domains/*/objects/*", "/result/data/*/domains/*/objects/*", "/result/data/*/objects/*"];

/// A group that every Okta org has and Cloud Identity Engine never collects. If it shows anyway, it does not count.
const EVERYONE: &str = "Everyone";

/// Reads the people of a directory, hashed with a key.
pub(crate) struct People<'a> {
    pub(crate) api: &'a Api<'a>,
    /// The directory's name.
    pub(crate) directory: &'a str,
    pub(crate) key: Handle,
}

/// The objects of one kind: how many there are, and the hashes of those that can be compared.
#[derive(Debug, Default)]
pub(crate) struct Hashed {
    pub(crate) total: u64,
    pub(crate) hashes: Crowd,
    /// The normalized name of the attribute that identifies them. `None` if no attribute does.
    pub(crate) key: Option<&'static str>,
    /// The attributes of an object that cannot be identified: names, no values.
    pub(crate) shown: Vec<String>,
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) hashed: Hashed,
    /// The hashes of their names. These stay the same if the directory's name changes, and with it every DN.
    pub(crate) names: Crowd,
    /// The attribute and value to request each chosen group by, keyed by the hash that identifies the group.
    pub(crate) chosen: BTreeMap<String, GroupId>,
}

/// The attribute that identifies a group, and its value.
pub(crate) type GroupId = (&'static str, String);

/// Collects the hashes of objects by each attribute that may identify them.
struct HashCollector {
    keys: Keys,
    hashes: [Crowd; 3],
    shown: Vec<String>,
}

impl HashCollector {
    fn new(keys: Keys) -> Self {
        Self { keys, hashes: Default::default(), shown: Vec::new() }
    }

    /// Adds a whole page at a time, because each addition sorts the crowd again.
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

    /// The position of the wanted key, or of the first key that identifies the most objects.
    fn choose(&self, wanted: Option<&str>) -> Option<usize> {
        let most = self.hashes.iter().map(Crowd::len).max().filter(|most| *most > 0);
        match wanted {
            Some(wanted) => self.keys.iter().position(|names| names[0] == wanted),
            None => self.hashes.iter().position(|hashes| Some(hashes.len()) == most),
        }
    }

    fn finish(mut self, total: u64, chosen: Option<usize>) -> Hashed {
        let hashes = chosen.map(|at| std::mem::take(&mut self.hashes[at])).unwrap_or_default();
        Hashed { total, hashes, key: chosen.map(|at| self.keys[at][0]), shown: self.shown }
    }
}

/// The attributes that identify objects of this kind, for messages.
pub(crate) fn keys_of(kind: &str) -> String {
    let keys = if kind == "users" { OF_USERS } else { OF_GROUPS };
    keys.map(|names| names[0]).join(", ")
}

/// The groups whose identifiers are kept.
pub(crate) enum GroupSelection<'a> {
    /// The groups with the smallest hashes: as good as a random sample, and the same every time.
    Smallest(usize),
    /// The groups with these hashes.
    Only(&'a BTreeSet<&'a str>),
}

impl GroupSelection<'_> {
    fn add(&self, chosen: &mut BTreeMap<String, GroupId>, hash: &str, id: GroupId) {
        match self {
            Self::Only(wanted) => {
                if wanted.contains(hash) {
                    chosen.insert(hash.to_owned(), id);
                }
            }
            Self::Smallest(max) => {
                chosen.insert(hash.to_owned(), id);
                while chosen.len() > *max {
                    chosen.pop_last();
                }
            }
        }
    }
}

/// The URLs that [`People`] asks.
pub(crate) fn queries(config: &Config) -> Vec<String> {
    ["users", "groups"].map(|kind| config.url_of(&operation(kind))).to_vec()
}

/// The operation that shows the users or the groups.
fn operation(kind: &str) -> String {
    format!("cache-{kind}")
}

impl People<'_> {
    /// Reads all users, identified by the wanted key or else by the best one.
    pub(crate) async fn users(&self, key: Option<&str>) -> Result<Hashed, Error> {
        let mut collector = HashCollector::new(OF_USERS);
        let total = self.read("users", Map::new(), |page| collector.add(page.iter())).await?;
        let chosen = collector.choose(key);
        Ok(collector.finish(total, chosen))
    }

    /// Reads all groups except Everyone, identified by the wanted key or else by the best one.
    pub(crate) async fn groups(&self, selection: &GroupSelection<'_>, key: Option<&str>) -> Result<Groups, Error> {
        let everyone = self.everyone().await?;
        let mut collector = HashCollector::new(OF_GROUPS);
        let mut names = Crowd::default();
        let mut chosen: [BTreeMap<String, GroupId>; 3] = Default::default();
        let total = self
            .read("groups", Map::new(), |page| {
                let counted: Vec<&Value> = page.iter().filter(|group| !is_one_of(group, &everyone)).collect();
                collector.add(counted.iter().copied());
                let named: Vec<_> = counted.iter().filter_map(|group| identify(group, &NAME)).collect();
                names.extend(named.iter().map(String::as_str));
                for group in counted {
                    let Some(id) = find(group, &UNIQUE_ID) else { continue };
                    for (chosen, names) in chosen.iter_mut().zip(OF_GROUPS) {
                        if let Some(hash) = identify(group, names) {
                            selection.add(chosen, &hash, (id.0, id.1.to_owned()));
                        }
                    }
                }
            })
            .await?;
        let at = collector.choose(key);
        let chosen = at.map(|at| std::mem::take(&mut chosen[at])).unwrap_or_default();
        Ok(Groups { hashed: collector.finish(total.saturating_sub(everyone.len() as u64), at), names, chosen })
    }

    /// Reads the members of the group, identified by the key. `None` if there are more than `max`.
    pub(crate) async fn members(&self, id: &GroupId, key: &str, max: u64) -> Result<Option<Crowd>, Error> {
        let group = json!({ "attrName": id.0, "attrValue": id.1, "match": "equal" });
        let filter = json!({ "type": "group", "name": group, "level": "immediate" });
        let query: Map<_, _> = [("filter".to_owned(), filter)].into_iter().collect();
        let first = self.read_page("users", &query, 1).await?;
        if first.objects.len() as u64 + first.remains > max {
            return Ok(None);
        }
        let mut collector = HashCollector::new(OF_USERS);
        collector.add(first.objects.iter());
        self.read_rest("users", query, first.remains, |page| collector.add(page.iter())).await?;
        let chosen = collector.choose(Some(key));
        Ok(Some(collector.finish(0, chosen).hashes))
    }

    /// Finds the groups called Everyone. This plugin sees names only as hashes, so the interface must find them.
    async fn everyone(&self) -> Result<Vec<Value>, Error> {
        let name = json!({ "attrName": NAME[0], "attrValue": EVERYONE, "match": "equal" });
        let query = [("name".to_owned(), name)].into_iter().collect();
        Ok(self.read_page("groups", &query, 1).await?.objects)
    }

    /// Passes every page to `take`, and returns the number of objects.
    async fn read(&self, kind: &str, query: Map<String, Value>, mut take: impl FnMut(&[Value])) -> Result<u64, Error> {
        let first = self.read_page(kind, &query, 1).await?;
        take(&first.objects);
        Ok(first.objects.len() as u64 + self.read_rest(kind, query, first.remains, take).await?)
    }

    /// Reads the pages after the first.
    async fn read_rest(
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
        let message = format!("the directory service has endless pages of {kind}: {remains} remain");
        Err(Error::new(ErrorKind::Invalid, message))
    }

    async fn read_page(&self, kind: &str, query: &Map<String, Value>, number: u64) -> Result<Page, Error> {
        let what = format!("show {kind} of {}", self.directory);
        let (attributes, pointers): (Vec<&str>, Vec<String>) = match kind {
            // Hides all other data about a person too.
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
        let mut ask = self.api.ask(Intent::Read, "POST", &operation(kind));
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
    /// Decodes a page. Anything unexpected is an error: skipping it would leave people out.
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
        // Continuing would leave people out, or never end.
        if objects.is_empty() && remains > 0 {
            return Err(invalid(&format!("is empty, but says that {remains} remain")));
        }
        Ok(Self { objects, remains })
    }
}

/// The domains in `data`. The documentation's example has an object with a list of domains. Its schema has a list, either of such
/// objects or of the domains themselves.
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

/// The first of these attributes that the object has, and its value.
fn find<'a>(object: &'a Value, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|&name| object[name].as_str().filter(|text| !text.is_empty()).map(|text| (name, text)))
}

/// The hash that identifies an object. A group's identifier is not a name and arrives in clear text, so it is hashed here
/// (FNV-1a).
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

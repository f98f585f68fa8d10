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

const USER_NAME: &str = "User Principal Name";
const DISTINGUISHED_NAME: &str = "Distinguished Name";
const NAME: &str = "Name";
/// The one attribute that is read in clear, to ask for a group's members by.
const UNIQUE_ID: &str = "Unique Identifier";

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
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) held: Held,
    /// Hashes of their names, which stay the same where the directory's name, and with it every DN, changes.
    pub(crate) names: Crowd,
    /// The unique identifiers of the chosen ones, by the hash of their DN.
    pub(crate) chosen: BTreeMap<String, String>,
}

/// Which groups' identifiers are kept.
pub(crate) enum Choice<'a> {
    /// Those with the smallest hashes: as good as drawn by lot, and the same every time.
    Smallest(usize),
    These(&'a BTreeSet<&'a str>),
}

impl Choice<'_> {
    fn add(&self, chosen: &mut BTreeMap<String, String>, hash: &str, id: &str) {
        match self {
            Self::These(wanted) if !wanted.contains(hash) => return,
            Self::These(_) | Self::Smallest(_) => chosen.insert(hash.to_owned(), id.to_owned()),
        };
        if let Self::Smallest(most) = self {
            while chosen.len() > *most {
                chosen.pop_last();
            }
        }
    }
}

impl People<'_> {
    /// All users.
    pub(crate) async fn users(&self) -> Result<Held, Error> {
        let mut held = Held::default();
        held.total = self.read("users", Map::new(), |page| held.hashes.extend(hashes(page, USER_NAME))).await?;
        Ok(held)
    }

    /// All groups but Everyone.
    pub(crate) async fn groups(&self, choice: &Choice<'_>) -> Result<Groups, Error> {
        let everyone = self.everyone().await?;
        let mut groups = Groups::default();
        groups.held.total = self
            .read("groups", Map::new(), |page| {
                let counted = || page.iter().filter(|group| !everyone.contains(hash_of(group, DISTINGUISHED_NAME)));
                groups.held.hashes.extend(counted().map(|group| hash_of(group, DISTINGUISHED_NAME)));
                groups.names.extend(counted().map(|group| hash_of(group, NAME)));
                for group in counted() {
                    if let Some(id) = group[UNIQUE_ID].as_str() {
                        choice.add(&mut groups.chosen, hash_of(group, DISTINGUISHED_NAME), id);
                    }
                }
            })
            .await?;
        groups.held.total = groups.held.total.saturating_sub(everyone.len() as u64);
        Ok(groups)
    }

    /// The members of the group of this unique identifier; none where there are more than `most`.
    pub(crate) async fn members(&self, group_id: &str, most: u64) -> Result<Option<Crowd>, Error> {
        let group = json!({ "attrName": UNIQUE_ID, "attrValue": group_id, "match": "equal" });
        let filter = json!({ "type": "group", "name": group, "level": "immediate" });
        let query: Map<_, _> = [("filter".to_owned(), filter)].into_iter().collect();
        let first = self.read_page("users", &query, 1).await?;
        if first.objects.len() as u64 + first.remains > most {
            return Ok(None);
        }
        let mut members = Crowd::of(hashes(&first.objects, USER_NAME));
        self.read_on("users", query, first.remains, |page| members.extend(hashes(page, USER_NAME))).await?;
        Ok(Some(members))
    }

    /// The DNs of the groups that are called Everyone: a name is only seen as a hash, so the interface has to find them.
    async fn everyone(&self) -> Result<Crowd, Error> {
        let name = json!({ "attrName": NAME, "attrValue": EVERYONE, "match": "equal" });
        let query = [("name".to_owned(), name)].into_iter().collect();
        let page = self.read_page("groups", &query, 1).await?;
        Ok(Crowd::of(hashes(&page.objects, DISTINGUISHED_NAME)))
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
        let (attributes, pointers): (&[&str], &[&str]) = match kind {
            // Whatever else it says of a person is not to be seen either.
            "users" => (&[USER_NAME], &["/result/data"]),
            _ => (
                &[DISTINGUISHED_NAME, NAME, UNIQUE_ID],
                &["/result/data/domains/*/objects/*/Distinguished Name", "/result/data/domains/*/objects/*/Name"],
            ),
        };
        let mut body = json!({
            "domain": self.directory, "attrs": attributes, "useNormalizedAttrs": "True",
            "pageNum": number, "pageSz": PAGE,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(query.clone());
        }
        let mut ask = self.api.ask(Intent::Read, "POST", &format!("cache-{kind}"));
        ask.body = Some(Body::Json(body));
        let pointers = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        ask.blind = Some(Box::new(Blind { key: self.key.clone(), pointers }));
        Page::read(&what, self.api.send(&what, ask).await?)
    }
}

struct Page {
    objects: Vec<Value>,
    remains: u64,
}

impl Page {
    /// The description calls `data` a list and shows an object; the object is what the example has.
    fn read(what: &str, mut result: Value) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("the answer to `{what}` {why}"));
        let remains = result["remains"].as_u64().ok_or_else(|| invalid("does not say how many remain"))?;
        let domains = result.pointer_mut("/data/domains").and_then(Value::as_array_mut);
        let domains = domains.ok_or_else(|| invalid("has no list at /result/data/domains"))?;
        let objects = domains.iter_mut().flat_map(|domain| match domain.get_mut("objects").map(Value::take) {
            Some(Value::Array(objects)) => objects,
            _ => Vec::new(),
        });
        let objects: Vec<_> = objects.collect();
        // To go on from here would leave people out, or never end.
        if objects.is_empty() && remains > 0 {
            return Err(invalid(&format!("shows nobody, and says that {remains} remain")));
        }
        Ok(Self { objects, remains })
    }
}

fn hashes<'a>(page: &'a [Value], attribute: &'a str) -> impl Iterator<Item = &'a str> {
    page.iter().map(move |object| hash_of(object, attribute))
}

fn hash_of<'a>(object: &'a Value, attribute: &str) -> &'a str {
    object[attribute].as_str().unwrap_or_default()
}

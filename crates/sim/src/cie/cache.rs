//! POST …/cache-users and …/cache-groups: what a directory holds after its last successful sync, page by page.
//!
//! A query without a condition costs only as much as its page, however many users there are.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use super::query::{Attribute, Condition, Kind, Query};
use super::{Refused, netbios};
use crate::clock::shift;
use crate::config::CIE_API_HOST;
use crate::directory::Directory;
use crate::lock::lock;
use crate::message::Reply;
use crate::okta::model::Org;
use crate::okta::reads::{family_name, group_name, login};
use crate::population::Collected;
use crate::state::State;

pub(crate) fn list_users(state: &State, tsg_id: &str, body: &Value) -> Result<Reply, Refused> {
    answer(state, tsg_id, Kind::Users, body)
}

pub(crate) fn list_groups(state: &State, tsg_id: &str, body: &Value) -> Result<Reply, Refused> {
    answer(state, tsg_id, Kind::Groups, body)
}

fn answer(state: &State, tsg_id: &str, kind: Kind, body: &Value) -> Result<Reply, Refused> {
    let query = Query::read(kind, body)?;
    let mut own = state.directories.iter().map(lock).filter(|directory| directory.tsg_id == tsg_id);
    let directory = own.find(|directory| directory.name == query.domain);
    // The form is that of every 400. No public source has the text.
    let directory = directory.ok_or_else(|| Refused::bad(format!("Domain {} not found", query.domain)))?;
    let org = state.org(&directory.domain).ok_or_else(|| Refused::bad("The directory has no org."))?;
    let view = View { directory: &directory, org: &org };
    let (page, total) = view.choose(kind, &query);
    let objects: Vec<_> = page.iter().map(|n| query.render(|wanted| view.read(kind, *n, wanted))).collect();
    let end = (query.page - 1).saturating_mul(query.size).saturating_add(objects.len());
    let body = json!({
        "success": true,
        "result": {
            "count": objects.len(),
            "data": {
                "domains": [{
                    "domainName": directory.name,
                    "lastSyncTmp": shift(directory.sync.last_success, state.skew_of(CIE_API_HOST)).as_second(),
                    "netbios": netbios(&directory),
                    "objects": objects,
                }],
            },
            "pageNum": query.page,
            "pageSz": query.size,
            "remains": total.saturating_sub(end),
        },
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A directory, and the org whose users and groups it holds.
struct View<'a> {
    directory: &'a Directory,
    org: &'a Org,
}

impl View<'_> {
    /// The numbers on the requested page, and their count on all pages.
    fn choose(&self, kind: Kind, query: &Query) -> (Vec<usize>, usize) {
        let start = (query.page - 1).saturating_mul(query.size);
        if query.name.is_none() && query.filter.is_none() {
            let (held, first) = self.collected(kind);
            let page = held.starting_at(start.min(held.count())).take(query.size).map(|place| place + first);
            return (page.collect(), held.count());
        }
        let mut found = match (&query.filter, &query.name) {
            (Some(filter), _) => self.find_joined(kind, filter),
            (None, Some(name)) => self.find(kind, name),
            (None, None) => Vec::new(),
        };
        if let (Some(_), Some(name)) = (&query.filter, &query.name) {
            found.retain(|number| name.matches(self.read(kind, *number, name.attribute).as_deref()));
        }
        let page = found.iter().copied().skip(start).take(query.size).collect();
        (page, found.len())
    }

    /// The collected numbers that match the condition.
    fn find(&self, kind: Kind, condition: &Condition) -> Vec<usize> {
        let (held, first) = self.collected(kind);
        let fits = |number: &usize| condition.matches(self.read(kind, *number, condition.attribute).as_deref());
        if condition.whole {
            // Every value contains its number, so only the numbers in the requested value can match.
            let runs = condition.value.split(|c: char| !c.is_ascii_digit());
            let numbers: BTreeSet<usize> = runs.filter_map(|run| run.parse().ok()).chain([0]).collect();
            let is_held = |number: &usize| number.checked_sub(first).is_some_and(|place| held.has(place));
            return numbers.into_iter().filter(is_held).filter(fits).collect();
        }
        held.starting_at(0).map(|place| place + first).filter(fits).collect()
    }

    /// The collected numbers that belong to an object that matches the condition.
    fn find_joined(&self, kind: Kind, condition: &Condition) -> Vec<usize> {
        let ((held, first), world) = (self.collected(kind), self.org.population);
        let joined: BTreeSet<usize> = match kind {
            Kind::Users => {
                let groups = self.find(Kind::Groups, condition);
                groups.iter().flat_map(|group| world.members(*group).starting_at(0).collect::<Vec<_>>()).collect()
            }
            Kind::Groups => {
                let users = self.find(Kind::Users, condition);
                users.iter().flat_map(|user| world.groups_of(*user)).collect()
            }
        };
        joined.into_iter().filter(|number| number.checked_sub(first).is_some_and(|place| held.has(place))).collect()
    }

    /// The collected objects, and the number of the first.
    fn collected(&self, kind: Kind) -> (Collected, usize) {
        match kind {
            Kind::Users => (self.directory.sync.users, 0),
            Kind::Groups => (self.directory.sync.groups, 1),
        }
    }

    fn read(&self, kind: Kind, number: usize, attribute: Attribute) -> Option<String> {
        let domain = &self.org.domain;
        let name = || match kind {
            Kind::Users => format!("Given {}", family_name(number)),
            Kind::Groups => group_name(number),
        };
        Some(match (attribute, kind) {
            (Attribute::CommonName | Attribute::Name, _) => name(),
            (Attribute::DistinguishedName, _) => self.distinguish(&name()),
            (Attribute::SamAccountName, Kind::Users) => login(number, "").trim_end_matches('@').to_owned(),
            (Attribute::SamAccountName, Kind::Groups) => name(),
            // It is an inference that this is Okta's own id.
            (Attribute::UniqueIdentifier, Kind::Users) => self.org.numbered_id("00u", number),
            (Attribute::UniqueIdentifier, Kind::Groups) => self.org.numbered_id("00g", number),
            (Attribute::UserPrincipalName | Attribute::Mail, Kind::Users) => login(number, domain),
            (Attribute::UserPrincipalName | Attribute::Mail, Kind::Groups) => return None,
        })
    }

    /// A DN ends with the directory's name, split at its dots. So a new name changes every DN.
    fn distinguish(&self, name: &str) -> String {
        let parts = self.directory.name.split('.').map(|part| format!(",DC={part}"));
        format!("CN={name}{}", parts.collect::<String>())
    }
}

//! The queries of `cache-users` and `cache-groups`: a page, the requested attributes, and conditions on names and
//! memberships.

use serde_json::{Map, Value};

use super::Refused;

/// The description's limit for `pageSz`.
const MAX_PAGE_SIZE: u64 = 1000;
/// The default size of a page. No public source has it.
const DEFAULT_PAGE_SIZE: u64 = 100;

/// An attribute of a user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    CommonName,
    Name,
    DistinguishedName,
    SamAccountName,
    UniqueIdentifier,
    UserPrincipalName,
    Mail,
}

impl Attribute {
    /// Every attribute with its normalized name and its raw name. A query cannot search by mail.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::CommonName, "Common-Name", "cn"),
        (Self::Name, "Name", "name"),
        (Self::DistinguishedName, "Distinguished Name", "dn"),
        (Self::SamAccountName, "SAM Account Name", "sAMAccountName"),
        (Self::UniqueIdentifier, "Unique Identifier", "objectGUID"),
        (Self::UserPrincipalName, "User Principal Name", "userPrincipalName"),
        (Self::Mail, "Mail", "mail"),
    ];
}

/// A parsed query.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) domain: String,
    /// Counted from 1.
    pub(crate) page: usize,
    pub(crate) size: usize,
    attributes: Option<Vec<String>>,
    normalized: bool,
    pub(crate) name: Option<Condition>,
    /// A condition on the other end of a membership: the group for users, the user for groups.
    pub(crate) filter: Option<Condition>,
}

/// A condition on one attribute.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) attribute: Attribute,
    pub(crate) value: String,
    /// Whether the whole value must match. Otherwise a part of it must, in upper or lower case. It is an inference that a
    /// text search means this.
    pub(crate) whole: bool,
}

impl Condition {
    pub(crate) fn matches(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| {
            if self.whole { value == self.value } else { value.to_lowercase().contains(&self.value.to_lowercase()) }
        })
    }
}

/// Which of the two operations a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Users,
    Groups,
}

impl Query {
    /// Parses a body. Ignores members that the description does not have, because its own examples have some.
    pub(crate) fn read(kind: Kind, body: &Value) -> Result<Self, Refused> {
        let domain = body["domain"].as_str().ok_or_else(|| invalid("domain"))?.to_owned();
        let attributes = read_attributes(&body["attrs"])?;
        if attributes.is_none() && kind == Kind::Groups {
            return Err(invalid("attrs"));
        }
        let normalized = match &body["useNormalizedAttrs"] {
            // No public source has the default. The examples without this member use normalized names.
            Value::Null => true,
            Value::String(word) if word == "True" => true,
            Value::String(word) if word == "False" => false,
            _ => return Err(invalid("useNormalizedAttrs")),
        };
        let name = Some(&body["name"]).filter(|name| !name.is_null()).map(read_condition).transpose()?;
        let filter = Some(&body["filter"]).filter(|filter| !filter.is_null());
        let filter = filter.map(|filter| read_filter(kind, filter)).transpose()?;
        let page = read_number(&body["pageNum"], "pageNum", 1, u64::from(u32::MAX))?;
        let size = read_number(&body["pageSz"], "pageSz", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)?;
        Ok(Self { domain, page, size, attributes, normalized, name, filter })
    }

    /// An object with the requested attributes under the requested names. Leaves out an attribute that is unknown or that
    /// the object does not have. It is an inference from the open list of the service that it refuses no attribute.
    pub(crate) fn render(&self, value: impl Fn(Attribute) -> Option<String>) -> Value {
        let wanted = |names: [&str; 2]| match &self.attributes {
            None => true,
            Some(wanted) => wanted.iter().any(|wanted| names.contains(&wanted.as_str())),
        };
        let all = Attribute::ALL.into_iter().filter(|(_, normalized, raw)| wanted([normalized, raw]));
        let members = all.filter_map(|(attribute, normalized, raw)| {
            let name = if self.normalized { normalized } else { raw };
            Some((name.to_owned(), value(attribute)?.into()))
        });
        members.collect::<Map<_, _>>().into()
    }
}

fn read_attributes(value: &Value) -> Result<Option<Vec<String>>, Refused> {
    match value {
        Value::Null => Ok(None),
        Value::Array(names) => {
            let names = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
            names.map(Some).ok_or_else(|| invalid("attrs"))
        }
        _ => Err(invalid("attrs")),
    }
}

fn read_condition(value: &Value) -> Result<Condition, Refused> {
    let field = |name: &str| value[name].as_str().ok_or_else(|| invalid(name));
    let wanted = field("attrName")?;
    let mut known = Attribute::ALL.into_iter().filter(|(attribute, ..)| *attribute != Attribute::Mail);
    let attribute = known.find(|(_, normalized, _)| *normalized == wanted).map(|(attribute, ..)| attribute);
    let whole = match field("match")? {
        "equal" => true,
        "textSearch" => false,
        _ => return Err(invalid("match")),
    };
    let attribute = attribute.ok_or_else(|| invalid("attrName"))?;
    Ok(Condition { attribute, value: field("attrValue")?.to_owned(), whole })
}

/// Parses the filter, which names the other kind: users by a group, groups by a user. Only the first needs a level. Okta's
/// groups contain no groups, so both levels mean the same.
fn read_filter(kind: Kind, value: &Value) -> Result<Condition, Refused> {
    let other = if kind == Kind::Users { "group" } else { "user" };
    if value["type"] != other {
        return Err(invalid("type"));
    }
    match &value["level"] {
        Value::Null if kind == Kind::Groups => {}
        Value::String(level) if ["immediate", "recursive"].contains(&level.as_str()) => {}
        _ => return Err(invalid("level")),
    }
    read_condition(&value["name"])
}

fn read_number(value: &Value, name: &str, usual: u64, most: u64) -> Result<usize, Refused> {
    let number = if value.is_null() { Some(usual) } else { value.as_u64() };
    let number = number.filter(|number| (1..=most).contains(number)).ok_or_else(|| invalid(name))?;
    usize::try_from(number).map_err(|_| invalid(name))
}

fn invalid(field: &str) -> Refused {
    Refused::bad(format!("{field}: Required field is missing or invalid."))
}

//! The list of the tenant's directories, `GET /domains`. The interface says nothing else about a connection.

use flowswap_contract::{Counts, Error, ErrorKind, Intent};
use jiff::Timestamp;
use serde_json::Value;

use crate::api::Api;

/// A number from here on counts milliseconds: as seconds it would be after the year 5000.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A directory in the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Directory {
    /// The interface calls this `domain`. It is the directory's name: its Okta domain, or a name that somebody chose.
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    pub(crate) counts: Counts,
    pub(crate) status: Option<String>,
    pub(crate) last_success: Option<Timestamp>,
    /// The value in its place, if that is not a time.
    pub(crate) unreadable: Option<String>,
}

/// Lists the directories.
pub(crate) async fn list(api: &Api<'_>) -> Result<Vec<Directory>, Error> {
    let what = "list the directories";
    let result = api.send(what, api.ask(Intent::Read, "GET", "domains")).await?;
    let items = result.as_array();
    let items = items
        .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("the answer to `{what}` has no list in `result`")))?;
    items.iter().map(|item| read(what, item)).collect()
}

impl Directory {
    /// The last sync for the inventory: in RFC 3339, or the shown value if that is not a time.
    pub(crate) fn last_sync(&self) -> Option<String> {
        self.last_success.map(|time| time.to_string()).or_else(|| self.unreadable.clone())
    }

    /// Says why there is no time of a sync.
    pub(crate) fn explain_no_sync(&self) -> String {
        match &self.unreadable {
            Some(raw) => format!("the directory shows `{raw}` as its last sync; expected seconds since 1970"),
            None => "the directory shows no sync".to_owned(),
        }
    }
}

/// Decodes one item. An absent member or a null means that it is not shown; any other unexpected value is an error.
fn read(what: &str, item: &Value) -> Result<Directory, Error> {
    let at = |pointer: &str| item.pointer(pointer).filter(|value| !value.is_null());
    let wrong = |pointer: &str, expected: &str| {
        let message = format!("the answer to `{what}` has an item with no {expected} at {pointer}");
        Error::new(ErrorKind::Invalid, message)
    };
    let text = |pointer: &str| {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(pointer, "text"));
        at(pointer).map(text).transpose()
    };
    let number =
        |pointer: &str| at(pointer).map(|value| value.as_u64().ok_or_else(|| wrong(pointer, "count"))).transpose();
    let (last_success, unreadable) = at("/status/lastSuccessUpdatedOn").map_or((None, None), read_seconds);
    Ok(Directory {
        name: text("/domain")?.filter(|name| !name.is_empty()).ok_or_else(|| wrong("/domain", "text"))?,
        kind: text("/type")?,
        counts: Counts { users: number("/count/user")?, groups: number("/count/group")?, applications: None },
        status: text("/status/description")?,
        last_success,
        unreadable,
    })
}

/// Reads seconds since 1970; 0 means never. Any other value is returned as text: flowswap does not guess other units.
fn read_seconds(value: &Value) -> (Option<Timestamp>, Option<String>) {
    match value.as_i64() {
        Some(0) => return (None, None),
        Some(seconds) if (1..MILLISECONDS_FROM).contains(&seconds) => {
            if let Ok(time) = Timestamp::from_second(seconds) {
                return (Some(time), None);
            }
        }
        _ => {}
    }
    (None, Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
}

/// Finds the directory with exactly this name. Case matters, because the distinguished names of its groups end in the name.
pub(crate) fn find<'a>(all: &'a [Directory], name: &str) -> Result<&'a Directory, Error> {
    let named: Vec<_> = all.iter().filter(|directory| directory.name == name).collect();
    match named.as_slice() {
        [one] => Ok(one),
        [] => {
            let message = format!("no directory is called {name}; {}", enumerate(all));
            let hint =
                "check `directory` and `tsg_id`: a token for another tenant service group shows other directories";
            Err(Error::new(ErrorKind::NotFound, message).with_hint(hint))
        }
        several => {
            let message =
                format!("{} directories are called {name}, so flowswap cannot tell them apart", several.len());
            Err(Error::new(ErrorKind::Config, message).with_hint("rename one of them in the console"))
        }
    }
}

/// Lists the directories for messages, such as `there are a, b`.
pub(crate) fn enumerate(all: &[Directory]) -> String {
    let names: Vec<_> = all.iter().map(|directory| directory.name.as_str()).collect();
    match names.as_slice() {
        [] => "there is no directory".to_owned(),
        [one] => format!("there is {one}"),
        few if few.len() <= 5 => format!("there are {}", few.join(", ")),
        many => format!("there are {} and {} more", many[..5].join(", "), many.len() - 5),
    }
}

/// Whether a status word means a good sync. No source lists the interface's words, so an unknown word says nothing.
pub(crate) fn is_healthy(status: Option<&str>) -> Option<bool> {
    let word = status?.to_ascii_lowercase();
    match word.as_str() {
        // The interface's documented example, and the words of the console.
        "cache_applied" | "success" | "successful" => Some(true),
        word if word.contains("fail") || word.contains("error") => Some(false),
        _ => None,
    }
}

//! The list of the tenant's directories: `GET /domains`, all that the interface tells of a connection.

use flowswap_contract::{Counts, Error, ErrorKind, Intent};
use jiff::Timestamp;
use serde_json::Value;

use crate::api::Api;

/// One directory, as listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Directory {
    /// What the interface calls `domain` is the directory's name, be it its Okta domain or one that somebody gave it.
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    pub(crate) counts: Counts,
    pub(crate) status: Option<String>,
    pub(crate) last_success: Option<Timestamp>,
}

/// Lists the directories.
pub(crate) async fn list(api: &Api<'_>) -> Result<Vec<Directory>, Error> {
    let what = "list the directories";
    let result = api.send(what, api.ask(Intent::Read, "GET", "domains")).await?;
    let items = result.as_array();
    let items = items
        .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("the answer to `{what}` has no list in `result`")))?;
    Ok(items.iter().filter_map(read).collect())
}

fn read(item: &Value) -> Option<Directory> {
    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_u64);
    let seconds = item.pointer("/status/lastSuccessUpdatedOn").and_then(Value::as_i64).filter(|seconds| *seconds > 0);
    Some(Directory {
        name: text("/domain")?,
        kind: text("/type"),
        counts: Counts { users: number("/count/user"), groups: number("/count/group"), applications: None },
        status: text("/status/description"),
        last_success: seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

/// The one of this name. Names are compared letter by letter, for the distinguished names of its groups end in it.
pub(crate) fn find<'a>(all: &'a [Directory], name: &str) -> Result<&'a Directory, Error> {
    let named: Vec<_> = all.iter().filter(|directory| directory.name == name).collect();
    match named.as_slice() {
        [one] => Ok(one),
        [] => {
            let message = format!("no directory is called {name}; there {}", enumerate(all));
            let hint =
                "look at `directory` and `tsg_id`: a token for another tenant service group shows other directories";
            Err(Error::new(ErrorKind::NotFound, message).with_hint(hint))
        }
        several => {
            let message = format!("{} directories are called {name}, and cannot be told apart", several.len());
            Err(Error::new(ErrorKind::Config, message).with_hint("give one of them another name in the console"))
        }
    }
}

/// `are a, b`, for messages.
pub(crate) fn enumerate(all: &[Directory]) -> String {
    let names: Vec<_> = all.iter().map(|directory| directory.name.as_str()).collect();
    match names.as_slice() {
        [] => "are none".to_owned(),
        [one] => format!("is {one}"),
        few if few.len() <= 5 => format!("are {}", few.join(", ")),
        many => format!("are {} and {} more", many[..5].join(", "), many.len() - 5),
    }
}

/// Whether a status word means a good sync. The interface's words are listed nowhere: an unknown one says nothing.
pub(crate) fn tell_health(status: Option<&str>) -> Option<bool> {
    let word = status?.to_ascii_lowercase();
    match word.as_str() {
        // The interface's documented example, and the words of the console.
        "cache_applied" | "success" | "successful" => Some(true),
        word if word.contains("fail") || word.contains("error") => Some(false),
        _ => None,
    }
}

//! Reads what the directory shows about itself, and finds the directory if the configuration has no id.

use std::collections::BTreeSet;

use flowswap_contract::{DirectoryInventory, Error, ErrorKind, Flow, HttpAnswer, Intent, KnownFrom, sdk::encode};
use serde_json::Value;

use crate::{
    api::Api,
    config::{Config, ListOperation, Target},
    fields::Directory,
    table::wrong,
    template::{Bindings, Variable},
};

/// Far more pages than any owner has directories. Guards against a server that never ends a list.
const MAX_PAGES: usize = 1000;

/// Finds and reads the directory.
pub(crate) async fn detect(api: &Api<'_>) -> Result<DirectoryInventory, Error> {
    let id = find_id(api).await?;
    let (shown, _) = read(api, &id).await?;
    describe(shown, api.config)
}

/// Reads the directory of this id.
pub(crate) async fn read(api: &Api<'_>, id: &str) -> Result<(Directory, HttpAnswer), Error> {
    let read = &api.config.read;
    let bindings = Bindings::default().bind(Variable::Id, id);
    let answer = match api.send("show the directory", Intent::Read, &read.operation, &bindings).await {
        Err(error) if error.kind == ErrorKind::NotFound => return Err(verify_gone(api, id, error).await),
        answer => answer?,
    };
    let shown = read.fields.decode(&answer.body, api.config)?;
    match &shown.id {
        Some(other) if other != id => {
            let message = format!("flowswap requested the directory {id}, but the answer shows {other}");
            Err(Error::new(ErrorKind::Invalid, message))
        }
        _ => Ok((shown, answer)),
    }
}

/// Checks the interface's claim that the directory is gone against the list, if there is one. The list must decode and lack the
/// directory.
async fn verify_gone(api: &Api<'_>, id: &str, claim: Error) -> Error {
    let Some(list) = &api.config.list else { return claim };
    let is_listed = match list_items(api, list).await {
        Ok(items) => items.iter().map(|item| read_item(api, list, item)).collect::<Result<Vec<_>, _>>(),
        Err(error) => Err(error),
    };
    let is_listed = is_listed.map(|all| all.iter().any(|shown| shown.id.as_deref() == Some(id)));
    let because = match is_listed {
        Ok(false) => return Error { message: format!("{}, and the list lacks {id}", claim.message), ..claim },
        Ok(true) => format!("the list of directories has {id}"),
        Err(error) => format!("flowswap cannot read the list of directories: {}", error.message),
    };
    Error { kind: ErrorKind::Unavailable, message: format!("{}, but {because}", claim.message), ..claim }
}

fn read_item(api: &Api<'_>, list: &ListOperation, item: &Value) -> Result<Directory, Error> {
    if !item.is_object() {
        let message = format!("`list.items`: the list at {} has an item that is not an object", list.items);
        return Err(Error::new(ErrorKind::Invalid, message).with_context("key", "list.items"));
    }
    let shown = list.fields.decode(item, api.config)?;
    if shown.id.is_none() { Err(list.fields.missing("id")) } else { Ok(shown) }
}

/// What the directory shows, if it shows what every directory has.
pub(crate) fn describe(shown: Directory, config: &Config) -> Result<DirectoryInventory, Error> {
    let missing = |name| config.read.fields.missing(name);
    let is_okta = shown.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("okta"));
    Ok(DirectoryInventory {
        auth_logs: None,
        known_from: KnownFrom::Directory,
        healthy: is_healthy(config, shown.status.as_deref()),
        id: shown.id.ok_or_else(|| missing("id"))?,
        name: shown.name.ok_or_else(|| missing("name"))?,
        domain: shown.domain.ok_or_else(|| missing("domain"))?,
        flow: if is_okta { shown.flow.unwrap_or_default() } else { Flow::NotOkta },
        client_id: shown.client_id,
        app_data: shown.app_data,
        status: shown.status,
        last_success: shown.last_success.map(|time| time.to_string()),
        last_sign_in: shown.last_sign_in.map(|time| time.to_string()),
        counts: shown.counts,
        can_restore: config.restore.is_some(),
    })
}

/// Whether the status word means a good sync. `None` while a sync runs, or if the configuration explains no words.
pub(crate) fn is_healthy(config: &Config, status: Option<&str>) -> Option<bool> {
    let status = status?;
    let is_in = |words: &[String]| words.iter().any(|word| word == status);
    if config.healthy.is_empty() || is_in(&config.busy) { None } else { Some(is_in(&config.healthy)) }
}

/// Returns the id in the configuration, or finds the one directory in the list with the name and the domain.
pub(crate) async fn find_id(api: &Api<'_>) -> Result<String, Error> {
    let (list, name, domain) = match (&api.config.target, &api.config.list) {
        (Target::Id(id), _) => return Ok(id.clone()),
        (Target::Search { name, domain }, Some(list)) => (list, name, domain),
        (Target::Search { .. }, None) => return Err(wrong("list", "is missing")),
    };
    let mut found = Vec::new();
    for item in list_items(api, list).await? {
        let shown = read_item(api, list, &item)?;
        // A directory that does not show the field could be the wanted one.
        for (sought, key, value) in [(name, "name", &shown.name), (domain, "domain", &shown.domain)] {
            if sought.is_some() && value.is_none() {
                return Err(list.fields.missing(key));
            }
        }
        let is_named = name.as_ref().is_none_or(|name| shown.name.as_ref() == Some(name));
        let is_of_domain = domain
            .as_ref()
            .is_none_or(|domain| shown.domain.as_ref().is_some_and(|shown| shown.eq_ignore_ascii_case(domain)));
        if is_named && is_of_domain {
            found.extend(shown.id);
        }
    }
    let sought: Vec<_> = [name, domain].into_iter().flatten().map(String::as_str).collect();
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => {
            Err(Error::new(ErrorKind::NotFound, format!("no directory is called {}", sought.join(" with the domain ")))
                .with_hint("check `name` and `domain`, or set `id`"))
        }
        several => {
            let message = format!("{} directories are called {}", several.len(), sought.join(" with the domain "));
            Err(Error::new(ErrorKind::Config, message).with_hint(format!("set `id` to {}", several.join(" or "))))
        }
    }
}

async fn list_items(api: &Api<'_>, list: &ListOperation) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    let mut seen = BTreeSet::new();
    let mut ask = api.prepare(Intent::Read, &list.operation, &Bindings::default())?;
    let first = ask.url.clone();
    while seen.insert(ask.url.clone()) {
        if seen.len() > MAX_PAGES {
            return Err(endless(format!("more than {MAX_PAGES}")));
        }
        let answer = api.send_ask("list the directories", ask.clone()).await?;
        let page = answer.body.pointer(&list.items).and_then(Value::as_array);
        items.extend_from_slice(page.ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                format!("`list.items`: the directory's answer has no list at {}", list.items),
            )
            .with_context("key", "list.items")
        })?);
        let cursor = match list.next.as_deref().and_then(|pointer| answer.body.pointer(pointer)) {
            Some(Value::String(cursor)) if !cursor.is_empty() => cursor.clone(),
            Some(Value::Number(cursor)) => cursor.to_string(),
            None | Some(Value::Null | Value::String(_)) => return Ok(items),
            Some(_) => {
                let pointer = list.next.as_deref().unwrap_or_default();
                let message = format!(
                    "`list.next`: the directory's answer has no cursor at {pointer}: expected text or a number"
                );
                return Err(Error::new(ErrorKind::Invalid, message).with_context("key", "list.next"));
            }
        };
        let separator = if first.contains('?') { '&' } else { '?' };
        ask.url = format!("{first}{separator}{}={}", encode(&list.next_param), encode(&cursor));
    }
    Err(endless("a page leads back to an earlier one".to_owned()))
}

fn endless(why: String) -> Error {
    let message = format!("the list of directories has endless pages: {why}");
    Error::new(ErrorKind::Invalid, message).with_context("key", "list.next")
}

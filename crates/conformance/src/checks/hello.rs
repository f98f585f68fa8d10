//! The greeting: what a plugin declares about itself before it has any session.

use std::{collections::BTreeSet, io};

use flowswap_contract::{FromPlugin, PluginHello};
use serde_json::json;

use crate::{
    Failure,
    candidate::{Candidate, Subject},
    findings::Findings,
    raw::{RawPlugin, encode, hello},
};

pub(crate) async fn examine(candidate: &Candidate, subject: &Subject, findings: &mut Findings) {
    let plugin = subject.process.hello();
    findings.note("hello.starts", Ok(()));
    findings.note("hello.once", greeting(candidate.start_raw(), &encode(&hello())).await.map(drop));
    findings.note("hello.same", same(candidate, plugin).await);
    let later = json!({
        "type": "hello", "protocol": {"major": plugin.protocol.major, "minor": 999}, "features": ["telepathy"], "mood": {},
    });
    findings.note("hello.version-skew", greeting(candidate.start_raw(), &encode(&later)).await.map(drop));
    findings.note("hello.caged", greeting(candidate.start_caged(), &encode(&hello())).await.map(drop));
    findings.note("hello.roles", roles(plugin));
    findings.note("hello.keys", keys(plugin));
    findings.note("hello.origins", origins(plugin));
}

/// The answer of a new process to a greeting.
async fn greeting(started: io::Result<RawPlugin>, bytes: &[u8]) -> Result<PluginHello, Failure> {
    let expected = "one greeting";
    let raw = started.map_err(|error| Failure::new(expected, error.to_string()))?;
    match raw.replay_decoded(&[bytes.to_vec()]).await.map_err(|seen| Failure::new(expected, seen))?.as_slice() {
        [FromPlugin::Hello(hello)] => Ok(hello.clone()),
        messages => Err(Failure::new(expected, format!("{} messages", messages.len()))),
    }
}

async fn same(candidate: &Candidate, plugin: &PluginHello) -> Result<(), Failure> {
    let again = greeting(candidate.start_raw(), &encode(&hello())).await?;
    if again == *plugin {
        return Ok(());
    }
    Err(Failure::new(json!(plugin).to_string(), json!(again).to_string()))
}

fn roles(plugin: &PluginHello) -> Result<(), Failure> {
    let distinct: BTreeSet<_> = plugin.roles.iter().collect();
    match (distinct.len(), plugin.roles.len()) {
        (0, _) => Err(Failure::new("`provider`, `directory` or both", "no role")),
        (distinct, all) if distinct < all => Err(Failure::new("every role once", "a role twice")),
        _ => Ok(()),
    }
}

fn keys(plugin: &PluginHello) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for key in &plugin.config {
        // Origins enclose a key in braces.
        if key.name.is_empty() || key.name.contains(['{', '}']) {
            return Err(Failure::new("a name without braces", format!("the key `{}`", key.name)));
        }
        if key.about.trim().is_empty() {
            return Err(Failure::new("a description of every key", format!("no description of `{}`", key.name)));
        }
        if !names.insert(&key.name) {
            return Err(Failure::new("every key once", format!("`{}` twice", key.name)));
        }
    }
    Ok(())
}

fn origins(plugin: &PluginHello) -> Result<(), Failure> {
    for template in &plugin.origins {
        let mut rest = template.as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, after_key)) = after.split_once('}') else {
                return Err(Failure::new("a closing brace", format!("`{template}`")));
            };
            let key = plugin.config.iter().find(|key| key.name == name);
            if key.is_none_or(|key| key.secret) {
                return Err(Failure::new("the name of a declared key that is not secret", format!("`{template}`")));
            }
            rest = after_key;
        }
        // A key can also contain the whole origin; the host checks its value.
        if !template.starts_with('{') && !template.starts_with("https://") {
            return Err(Failure::new("an https origin", format!("`{template}`")));
        }
    }
    Ok(())
}

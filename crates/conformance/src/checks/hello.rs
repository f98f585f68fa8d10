//! What a plugin says of itself before it knows any tenant.

use std::collections::BTreeSet;

use flowswap_contract::{FromPlugin, PluginHello};
use serde_json::json;

use crate::{
    Failure,
    kit::{Findings, Kit, Subject},
    raw::{encode, hello},
};

pub(crate) async fn examine(kit: &Kit, subject: &Subject, findings: &mut Findings) {
    let said = subject.process.hello();
    findings.note("hello.starts", Ok(()));
    findings.note("hello.once", greeting(kit, &encode(&hello())).await.map(drop));
    findings.note("hello.same", same(kit, said).await);
    let later = json!({
        "type": "hello", "protocol": {"major": said.protocol.major, "minor": 999}, "features": ["telepathy"], "mood": {},
    });
    findings.note("hello.version-skew", greeting(kit, &encode(&later)).await.map(drop));
    findings.note("hello.roles", roles(said));
    findings.note("hello.keys", keys(said));
    findings.note("hello.origins", origins(said));
}

/// What a new process says to a greeting.
async fn greeting(kit: &Kit, bytes: &[u8]) -> Result<PluginHello, Failure> {
    let expected = "one greeting";
    let raw = kit.start_raw().map_err(|error| Failure::new(expected, error.to_string()))?;
    match raw.tell(&[bytes.to_vec()]).await.map_err(|seen| Failure::new(expected, seen))?.as_slice() {
        [FromPlugin::Hello(hello)] => Ok(hello.clone()),
        said => Err(Failure::new(expected, format!("{} messages", said.len()))),
    }
}

async fn same(kit: &Kit, said: &PluginHello) -> Result<(), Failure> {
    let again = greeting(kit, &encode(&hello())).await?;
    if again == *said {
        return Ok(());
    }
    Err(Failure::new(json!(said).to_string(), json!(again).to_string()))
}

fn roles(said: &PluginHello) -> Result<(), Failure> {
    let distinct: BTreeSet<_> = said.roles.iter().collect();
    match (distinct.len(), said.roles.len()) {
        (0, _) => Err(Failure::new("`provider`, `directory` or both", "no role")),
        (distinct, all) if distinct < all => Err(Failure::new("every role once", "one twice")),
        _ => Ok(()),
    }
}

fn keys(said: &PluginHello) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for key in &said.config {
        // Braces are what origins have around a key.
        if key.name.is_empty() || key.name.contains(['{', '}']) {
            return Err(Failure::new("a name without braces", format!("the key `{}`", key.name)));
        }
        if key.about.trim().is_empty() {
            return Err(Failure::new("a line about every key", format!("nothing about `{}`", key.name)));
        }
        if !names.insert(&key.name) {
            return Err(Failure::new("every key once", format!("`{}` twice", key.name)));
        }
    }
    Ok(())
}

fn origins(said: &PluginHello) -> Result<(), Failure> {
    for template in &said.origins {
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(Failure::new("a closing brace", format!("`{template}`")));
            };
            let key = said.config.iter().find(|key| key.name == name);
            if key.is_none_or(|key| key.secret) {
                return Err(Failure::new("the name of a declared key that is no secret", format!("`{template}`")));
            }
            // A key alone may hold the whole origin; the host checks what it holds.
            let _ = before;
            rest = after;
        }
        if !template.starts_with('{') && !template.starts_with("https://") {
            return Err(Failure::new("an https origin", format!("`{template}`")));
        }
    }
    Ok(())
}

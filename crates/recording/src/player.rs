//! Plays the host of one recorded process to another build of its plugin, and compares what the build sends.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowswap_contract::{Ask, FromPlugin, Op, Outcome, ToPlugin};
use flowswap_host::RawPlugin;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    difference::{Difference, Place, places},
    line::Line,
};

/// A process of the build that gets the recorded messages.
pub(crate) struct Player {
    plugin: RawPlugin,
    /// The verb of each call.
    calls: BTreeMap<u64, Op>,
    /// The calls that have neither a reply nor been canceled so far.
    open: BTreeSet<u64>,
    /// Why flowswap stopped the recorded process, if it did, and whether the process was late.
    stopped: Option<(String, bool)>,
    /// How many messages were as recorded.
    pub(crate) same: usize,
    /// How many messages came after the last one of the recording.
    pub(crate) beyond: usize,
    /// How the greeting differs. Another build may be another version, so that ends nothing.
    pub(crate) greeting: Vec<Place>,
}

impl Player {
    pub(crate) fn new(plugin: RawPlugin) -> Self {
        let (calls, open) = (BTreeMap::new(), BTreeSet::new());
        Self { plugin, calls, open, stopped: None, same: 0, beyond: 0, greeting: Vec::new() }
    }

    /// Follows the next line of the process.
    pub(crate) async fn follow(&mut self, line: usize, entry: &Line) -> Result<(), Difference> {
        match entry {
            Line::ToPlugin { message, .. } => {
                match serde_json::from_str(message.get()) {
                    Ok(ToPlugin::Call(call)) => {
                        self.calls.insert(call.id, call.op);
                        self.open.insert(call.id);
                    }
                    Ok(ToPlugin::Cancel { id }) => drop(self.open.remove(&id)),
                    _ => {}
                }
                // If the build does not read it, the next message of the recording is missing.
                let _ = self.plugin.send(message.get().as_bytes()).await;
                Ok(())
            }
            Line::FromPlugin { message, .. } => self.expect(line, read(message.get().as_bytes())).await,
            Line::Garbled { bytes, .. } => self.expect(line, garbled(bytes)).await,
            Line::Ended { how, .. } => self.expect_end(line, how).await,
            Line::Stopped { how, late, .. } => {
                self.stopped = Some((how.clone(), *late));
                Ok(())
            }
            Line::Recording(_) | Line::Started { .. } | Line::End { .. } => Ok(()),
        }
    }

    /// After the last line of the recording. If the recording is not complete, or ends while a call is open, nobody knows what the
    /// recorded process did next.
    pub(crate) async fn finish(&mut self, line: usize, is_complete: bool) -> Result<(), Difference> {
        self.plugin.close().await;
        let is_over = is_complete && self.open.is_empty() && self.stopped.is_none();
        loop {
            let message = match self.next().await {
                Ok(Some(message)) => self.describe(&message),
                Ok(None) => break,
                // It hangs, as the recorded process may have done.
                Err(_) if !is_over => return Ok(()),
                Err(why) => return Err(differ(line, AS_IT_SHOULD, why)),
            };
            match &self.stopped {
                Some((how, true)) => return Err(differ(line, how, message)),
                None if is_over => return Err(differ(line, "nothing more", message)),
                _ => self.beyond += 1,
            }
        }
        let end = self.plugin.end().await;
        if is_complete && self.stopped.is_none() { end.map_err(|how| differ(line, AS_IT_SHOULD, how)) } else { Ok(()) }
    }

    async fn expect(&mut self, line: usize, recorded: Value) -> Result<(), Difference> {
        if is_said(&recorded) {
            return Ok(());
        }
        let replayed = match self.next().await {
            Ok(Some(replayed)) => replayed,
            Ok(None) => {
                let end = self.plugin.end().await.err().unwrap_or_else(|| "as it should".to_owned());
                return Err(differ(line, self.describe(&recorded), format!("its process ended: {end}")));
            }
            Err(why) => return Err(differ(line, self.describe(&recorded), why)),
        };
        let differs = || differ(line, self.describe(&recorded), self.describe(&replayed));
        if key(&recorded) != key(&replayed) {
            return Err(differs());
        }
        let (places, more) = places(&recorded, &replayed);
        if recorded["type"] == "hello" {
            self.greeting = places;
        } else if !places.is_empty() {
            return Err(Difference { places, more, ..differs() });
        }
        if let (Some("reply"), Some(id)) = (recorded["type"].as_str(), recorded["id"].as_u64()) {
            self.open.remove(&id);
        }
        self.same += 1;
        Ok(())
    }

    async fn expect_end(&mut self, line: usize, how: &str) -> Result<(), Difference> {
        self.plugin.close().await;
        let replayed = match self.next().await {
            Ok(Some(message)) => self.describe(&message),
            Ok(None) if self.plugin.end().await.is_err() => return Ok(()),
            Ok(None) => "its process goes on".to_owned(),
            Err(why) => why,
        };
        Err(differ(line, how, replayed))
    }

    /// The next message of the build that matters; `None` once its process has closed the connection. An error says why there is
    /// none.
    async fn next(&mut self) -> Result<Option<Value>, String> {
        while let Some(bytes) = self.plugin.next().await? {
            let message = read(&bytes);
            if !is_said(&message) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn describe(&self, message: &Value) -> String {
        let of_call = |id: u64| match self.calls.get(&id) {
            Some(op) => format!("`{op}`, call {id}"),
            None => format!("call {id}"),
        };
        match FromPlugin::deserialize(message) {
            Ok(FromPlugin::Hello(_)) => "its greeting".to_owned(),
            Ok(FromPlugin::Opened { session, outcome: Outcome::Ok(()) }) => format!("it opens session {session}"),
            Ok(FromPlugin::Opened { session, outcome: Outcome::Error(error) }) => {
                format!("it does not open session {session}: {}", error.message)
            }
            Ok(FromPlugin::Ask { id, n, ask: Ask::Http(ask) }) => {
                format!("ask {n} of {}: {} {}", of_call(id), ask.method, ask.url)
            }
            Ok(FromPlugin::Ask { id, n, ask: Ask::Sleep { ms } }) => {
                format!("ask {n} of {}: wait {ms} ms", of_call(id))
            }
            Ok(FromPlugin::Ask { id, n, ask: Ask::Mint { name } }) => {
                format!("ask {n} of {}: make the secret `{name}`", of_call(id))
            }
            Ok(FromPlugin::Reply { id, outcome: Outcome::Ok(_) }) => format!("the reply of {}", of_call(id)),
            Ok(FromPlugin::Reply { id, outcome: Outcome::Error(error) }) => {
                format!("the reply of {}: an error: {}", of_call(id), error.message)
            }
            Ok(FromPlugin::Event { .. }) => "a message for the operator".to_owned(),
            Err(error) => format!("something that is not a message ({error})"),
        }
    }
}

/// How the process of an honest plugin ends.
const AS_IT_SHOULD: &str = "its process ended as it should";

fn differ(line: usize, recorded: impl Into<String>, replayed: String) -> Difference {
    Difference { line, recorded: recorded.into(), replayed, places: Vec::new(), more: 0 }
}

/// A message as a tree.
fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| garbled(&STANDARD.encode(bytes)))
}

/// Something that is not JSON.
fn garbled(base64: &str) -> Value {
    json!({"garbled": base64})
}

/// Whether it is for the operator. What a plugin says is not what it does, and another build may say it in other words.
fn is_said(message: &Value) -> bool {
    message["type"] == "event"
}

/// What a message is about. Two messages with different keys have nothing to compare.
fn key(message: &Value) -> [&Value; 4] {
    ["type", "id", "n", "session"].map(|member| &message[member])
}

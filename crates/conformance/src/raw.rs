//! What checks do with a plugin process that no host speaks for.

use std::{io, sync::Arc};

use flowswap_contract::{FromPlugin, PROTOCOL, ToPlugin};
use flowswap_engine::EventSink;
use flowswap_host::{Launcher, PluginFile};
use serde::Serialize;

/// A plugin process without the host, so that a check can send messages that no host would send.
pub(crate) struct RawPlugin(flowswap_host::RawPlugin);

impl RawPlugin {
    /// Starts a process without greeting it. What it prints goes to `output`.
    pub(crate) fn start(launcher: &Launcher, file: &PluginFile, output: Arc<dyn EventSink>) -> io::Result<Self> {
        flowswap_host::RawPlugin::start(file, launcher, output, launcher.limits.greeting).map(Self)
    }

    /// Sends a message and then a greeting. Returns what the plugin sends before its own greeting: a plugin handles its
    /// messages in order, so that is its whole response to the message. The message must not be a greeting.
    pub(crate) async fn exchange(&mut self, message: &impl Serialize) -> Result<Vec<FromPlugin>, String> {
        self.0.send(&encode(message)).await?;
        self.0.send(&encode(&hello())).await?;
        let mut received = Vec::new();
        loop {
            let bytes = self.0.next().await?.ok_or("the process has ended")?;
            match decode(&bytes)? {
                FromPlugin::Hello(_) => return Ok(received),
                message => received.push(message),
            }
        }
    }

    /// Sends all messages, closes the socket, and returns the decoded messages from the process until it ends.
    pub(crate) async fn replay_decoded(self, messages: &[Vec<u8>]) -> Result<Vec<FromPlugin>, String> {
        self.replay(messages).await?.iter().map(|bytes| decode(bytes)).collect()
    }

    /// Sends all messages, closes the socket, and returns the messages from the process until it ends, as bytes.
    pub(crate) async fn replay(mut self, messages: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
        for message in messages {
            self.0.send(message).await?;
        }
        self.0.close().await;
        let mut received = Vec::new();
        while let Some(message) = self.0.next().await? {
            received.push(message);
        }
        Ok(received)
    }
}

/// The host's greeting.
pub(crate) fn hello() -> ToPlugin {
    ToPlugin::Hello { protocol: PROTOCOL, features: Vec::new() }
}

fn decode(bytes: &[u8]) -> Result<FromPlugin, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("it sent something that is not a message ({error})"))
}

pub(crate) fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

//! A plugin process without the host, so that a check can send messages that no host would send.

use std::{io, process::Stdio, time::Duration};

use flowswap_contract::{FromPlugin, PROTOCOL, ToPlugin};
use flowswap_host::{Launcher, PluginFile};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Child,
    time::timeout,
};

/// A plugin process and the socket to it.
pub(crate) struct RawPlugin {
    stream: UnixStream,
    limit: Duration,
    _child: Child,
}

impl RawPlugin {
    /// Starts a process without greeting it.
    pub(crate) fn start(launcher: &Launcher, file: &PluginFile) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = launcher.command(file, theirs.into())?;
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { stream: UnixStream::from_std(ours)?, limit: launcher.limits.greeting, _child: child })
    }

    /// Sends bytes as one message.
    async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let length = u32::try_from(bytes.len()).map_err(|error| error.to_string())?.to_le_bytes();
        let sending = async {
            self.stream.write_all(&length).await?;
            self.stream.write_all(bytes).await
        };
        match timeout(self.limit, sending).await {
            Ok(sent) => sent.map_err(|_| "the process has ended".to_owned()),
            Err(_) => Err(format!("it read no message for {} s", self.limit.as_secs())),
        }
    }

    /// The next message as bytes; `None` once the process has ended.
    async fn receive_bytes(&mut self) -> Result<Option<Vec<u8>>, String> {
        let receiving = async {
            let mut length = [0; 4];
            if self.stream.read_exact(&mut length).await.is_err() {
                return Ok(None);
            }
            let mut message = vec![0; u32::from_le_bytes(length) as usize];
            self.stream.read_exact(&mut message).await.map(|_| Some(message))
        };
        match timeout(self.limit, receiving).await {
            Ok(received) => received.map_err(|error: io::Error| error.to_string()),
            Err(_) => Err(format!("it sent nothing for {} s", self.limit.as_secs())),
        }
    }

    /// Sends a message and then a greeting. Returns what the plugin sends before its own greeting: a plugin handles its
    /// messages in order, so that is its whole response to the message. The message must not be a greeting.
    pub(crate) async fn exchange(&mut self, message: &impl Serialize) -> Result<Vec<FromPlugin>, String> {
        self.send_bytes(&encode(message)).await?;
        self.send_bytes(&encode(&hello())).await?;
        let mut received = Vec::new();
        loop {
            let bytes = self.receive_bytes().await?.ok_or("the process has ended")?;
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
    pub(crate) async fn replay(self, messages: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
        let limit = self.limit;
        let (mut reader, mut writer) = self.stream.into_split();
        let writing = async {
            for message in messages {
                let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_le_bytes();
                writer.write_all(&length).await?;
                writer.write_all(message).await?;
            }
            writer.shutdown().await
        };
        let reading = async {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).await.map(|_| bytes)
        };
        let both = timeout(limit, futures::future::try_join(writing, reading)).await;
        let ((), bytes) = both
            .map_err(|_| format!("it did not end within {} s", limit.as_secs()))?
            .map_err(|error| error.to_string())?;
        let mut rest = bytes.as_slice();
        let mut received = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let (message, after) = after.split_at_checked(length).ok_or("it ended in the middle of a message")?;
            received.push(message.to_vec());
            rest = after;
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

//! A plugin process without the host's rules, for tools that send it messages that no host would send, or those of a recording.
//! Nothing that it asks for is done.

use std::{io, sync::Arc, time::Duration};

use flowswap_engine::EventSink;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
    time::timeout,
};

use crate::{
    Launcher, PluginFile, frame,
    spawn::{Running, spawn},
};

/// A plugin process and the socket to it. Dropping it ends the process.
pub struct RawPlugin {
    writer: OwnedWriteHalf,
    /// Read all the time: a process that cannot write reads nothing either.
    incoming: mpsc::UnboundedReceiver<io::Result<Vec<u8>>>,
    limit: Duration,
    running: Option<Running>,
}

impl RawPlugin {
    /// Starts a process without greeting it. Its output goes to `events` as log lines. `limit` is how long it may send and read
    /// nothing.
    pub fn start(
        file: &PluginFile,
        launcher: &Launcher,
        events: Arc<dyn EventSink>,
        limit: Duration,
    ) -> io::Result<Self> {
        let transport = spawn(file, launcher, &events)?;
        let (reader, writer) = transport.stream.into_split();
        let (sender, incoming) = mpsc::unbounded_channel();
        tokio::spawn(read_all(reader, sender));
        Ok(Self { writer, incoming, limit, running: transport.running })
    }

    /// Sends bytes as one message. An error says why the process did not read it.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), String> {
        match timeout(self.limit, frame::write_async(&mut self.writer, message)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Ok(sent) => sent.map_err(|_| "the process has ended".to_owned()),
            Err(_) => Err(format!("it read no message for {} s", self.limit.as_secs())),
        }
    }

    /// The next message; `None` once the process has closed its connection. An error says why there is no message.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        match timeout(self.limit, self.incoming.recv()).await {
            Ok(received) => received.transpose().map_err(|error| error.to_string()),
            Err(_) => Err(format!("it sent nothing for {} s", self.limit.as_secs())),
        }
    }

    /// Tells the process that no more messages come. An honest one sends what it still has to send, and ends.
    pub async fn close(&mut self) {
        // If this fails, the process has ended already.
        let _ = self.writer.shutdown().await;
    }

    /// Waits for the end of a process that has closed its connection. Fails if it did not end as it should. Only the first call can
    /// fail.
    pub async fn end(&mut self) -> Result<(), String> {
        match self.running.take() {
            Some(running) => running.end().await,
            None => Ok(()),
        }
    }
}

async fn read_all(reader: OwnedReadHalf, sender: mpsc::UnboundedSender<io::Result<Vec<u8>>>) {
    let mut reader = BufReader::new(reader);
    while let Some(read) = frame::read_async(&mut reader).await.transpose() {
        // A process that ends with messages that it has not read resets its connection, and closes it otherwise.
        if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            return;
        }
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_process_that_ends_with_unread_messages_has_closed_its_connection() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        frame::write_async(&mut ours, b"never read").await.unwrap();
        drop(theirs);
        let (sender, mut incoming) = mpsc::unbounded_channel();
        let (reader, _writer) = ours.into_split();
        read_all(reader, sender).await;
        assert!(incoming.recv().await.is_none());
    }
}

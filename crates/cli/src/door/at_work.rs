//! The outer side of the door: asks the command that is at work.

use std::io;

use flowswap_config::Config;
use flowswap_store::StateDir;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{Answer, Ask, MOST, Request, socket};
use crate::{
    args::Global,
    exit::{Exit, Failure},
};

/// A command that is at work on a state.
pub(crate) struct AtWork {
    state: StateDir,
    name: Option<String>,
}

impl AtWork {
    /// The command that is at work on the configured state. `None` if none is, or none that takes requests.
    pub(crate) async fn find(config: &Config, global: &Global) -> Result<Option<Self>, Failure> {
        let state = StateDir::at(&config.state);
        let found = socket::connect(&state).await.map_err(cannot_ask)?;
        let name = global.actor.clone().filter(|name| !name.trim().is_empty());
        Ok(found.map(|_| Self { state, name }))
    }

    /// Asks it, and waits for the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Failure> {
        self.ask_and_stay(ask).await.map(|(answer, _)| answer)
    }

    /// Asks it to stop, and waits until its process has ended.
    pub(crate) async fn cancel<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let (answer, mut reader) = self.ask_and_stay(Ask::Cancel).await?;
        // Nothing more comes but the end.
        let _ = reader.read_to_end(&mut Vec::new()).await;
        Ok(answer)
    }

    async fn ask_and_stay<T: DeserializeOwned>(&self, ask: Ask) -> Result<(T, BufReader<UnixStream>), Failure> {
        let stream = socket::connect(&self.state).await.map_err(cannot_ask)?.ok_or_else(gone)?;
        socket::require_same_user(&stream).map_err(cannot_ask)?;
        let request = Request { version: env!("CARGO_PKG_VERSION").to_owned(), name: self.name.clone(), ask };
        let mut line = serde_json::to_vec(&request).map_err(|error| cannot_ask(error.into()))?;
        line.push(b'\n');
        let mut stream = BufReader::new(stream);
        let mut answer = String::new();
        let talked = async {
            stream.write_all(&line).await?;
            (&mut stream).take(MOST).read_line(&mut answer).await
        };
        talked.await.map_err(|_| gone())?;
        match serde_json::from_str(&answer) {
            Ok(Answer::Done(value)) => {
                let value = serde_json::from_value(value).map_err(|error| cannot_ask(error.into()))?;
                Ok((value, stream))
            }
            Ok(Answer::Failed { exit, error, hint }) => Err(Failure::new(exit, error).hint_if(hint)),
            Err(_) => Err(gone()),
        }
    }
}

fn cannot_ask(error: io::Error) -> Failure {
    Failure::at("ask the command that is at work")(error)
}

fn gone() -> Failure {
    let failure = Failure::new(Exit::Failed, "the command that was at work ended before it answered");
    failure.hint("see what it did, and run this command again: flowswap status")
}

//! The inner side of the door: takes requests while a run is at work.

use std::{io, sync::Arc, time::Duration};

use flowswap_store::StateDir;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{Answer, Ask, MOST, Request, socket};
use crate::exit::{Exit, Failure};

/// How long a visitor may take to ask, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who does what is asked at the door.
pub(crate) trait Porter: Send + Sync + 'static {
    /// Does it for the person with this name. The ask says what the value is.
    fn answer(&self, name: Option<String>, ask: Ask) -> BoxFuture<'_, Result<Value, Failure>>;
}

/// An open door.
pub(crate) struct Door {
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Door {
    /// Opens the door of this state. Only the writer of its journal may.
    ///
    /// # Errors
    ///
    /// If the file system has no sockets, or the path is too long for one.
    pub(crate) fn open(state: StateDir, porter: Arc<dyn Porter>) -> io::Result<Self> {
        let listener = socket::bind(&state)?;
        let (closing, closed) = watch::channel(false);
        let serving = tokio::spawn(async move {
            let mut visits = JoinSet::new();
            serve(&listener, &porter, &closed, &mut visits).await;
            let _ = socket::remove(&state);
            drop(listener);
            // What was begun for somebody ends first.
            while visits.join_next().await.is_some() {}
        });
        Ok(Self { closing, serving })
    }

    /// Takes no more requests, and returns once all that were taken are answered.
    pub(crate) async fn close(self) {
        self.closing.send_replace(true);
        let _ = self.serving.await;
    }
}

/// Takes requests until the door closes.
async fn serve(
    listener: &UnixListener,
    porter: &Arc<dyn Porter>,
    closed: &watch::Receiver<bool>,
    visits: &mut JoinSet<()>,
) {
    let mut closing = closed.clone();
    loop {
        tokio::select! {
            biased;
            _ = closing.wait_for(|closed| *closed) => return,
            Some(_) = visits.join_next(), if !visits.is_empty() => {}
            Ok((stream, _)) = listener.accept() => {
                let (porter, closed) = (Arc::clone(porter), closed.clone());
                visits.spawn(async move { visit(stream, &*porter, closed).await });
            }
        }
    }
}

/// Takes one request and answers it.
async fn visit(mut stream: UnixStream, porter: &dyn Porter, mut closed: watch::Receiver<bool>) {
    let request = tokio::select! {
        biased;
        request = timeout(PATIENCE, read(&mut stream)) => request,
        _ = closed.wait_for(|closed| *closed) => return,
    };
    let Ok(Ok(Some(request))) = request else { return };
    let is_cancel = matches!(request.ask, Ask::Cancel);
    let answer = match answer(porter, request).await {
        Ok(value) => Answer::Done(value),
        Err(Failure { exit, error, hint }) => {
            Answer::Failed { exit, error: flowswap_engine::chain(error.as_ref()), hint }
        }
    };
    let Ok(mut line) = serde_json::to_vec(&answer) else { return };
    line.push(b'\n');
    let written = timeout(PATIENCE, stream.write_all(&line)).await;
    if is_cancel && matches!(written, Ok(Ok(()))) {
        // The visitor waits for the end of this process: only then, the journal is free.
        std::mem::forget(stream.into_std());
    }
}

async fn answer(porter: &dyn Porter, request: Request) -> Result<Value, Failure> {
    let Request { version, name, ask } = request;
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        let failure =
            Failure::new(Exit::Usage, format!("the command that is at work is flowswap {own}, and this is {version}"));
        return Err(failure.hint("use the same version, or wait until the command ends"));
    }
    porter.answer(name, ask).await
}

/// Reads a request of the same user. `None` if the visitor asked nothing.
async fn read(stream: &mut UnixStream) -> io::Result<Option<Request>> {
    socket::require_same_user(stream)?;
    let mut line = String::new();
    BufReader::new(stream.take(MOST)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line).ok())
}

//! The body of an answer that goes through a socket: complete, or ending in the middle.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The connection is closed without an answer, because of a fault or because the request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was closed without an answer")]
pub struct ConnectionClosed;

impl From<Infallible> for ConnectionClosed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body of known length. Its second half may never come.
pub(crate) struct WireBody {
    /// The bytes to send.
    data: Option<Bytes>,
    /// The number of announced bytes that never come.
    missing: u64,
    /// The wait before the body fails. `None` if it is complete.
    cut: Option<Pin<Box<Sleep>>>,
}

impl WireBody {
    pub(crate) fn whole(data: Bytes) -> Self {
        Self { data: Some(data).filter(|data| !data.is_empty()), missing: 0, cut: None }
    }

    /// Sends the first half, waits, and fails.
    pub(crate) fn cut(mut data: Bytes, wait: Duration) -> Self {
        let rest = data.split_off(data.len() / 2);
        let cut = Some(Box::pin(tokio::time::sleep(wait)));
        Self { missing: rest.len() as u64, cut, ..Self::whole(data) }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = ConnectionClosed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ConnectionClosed>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(cut) = &mut self.cut else { return Poll::Ready(None) };
        ready!(cut.as_mut().poll(context));
        self.cut = None;
        Poll::Ready(Some(Err(ConnectionClosed)))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.missing + self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

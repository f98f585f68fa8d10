//! The body of an answer on its way through a socket: whole, or broken off in the middle.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::service::Dropped;

/// A body of known length, of which the second half may never come.
pub(crate) struct WireBody {
    /// What is still to be sent.
    data: Option<Bytes>,
    /// How much was promised besides.
    missing: u64,
    /// What the end waits for, if the rest does not come.
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
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(cut) = &mut self.cut else { return Poll::Ready(None) };
        ready!(cut.as_mut().poll(context));
        self.cut = None;
        Poll::Ready(Some(Err(Dropped)))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.missing + self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}

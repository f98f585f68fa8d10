//! Waits for several futures side by side, so that their requests are in flight together.
//!
//! Neither function needs wakers, because the runtime polls the whole call whenever an answer for it arrives. Helpers of
//! other crates that poll only what was woken would wait forever.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Waits for all futures, and returns their results in the same order. The futures start in this order, so the same
/// answers give the same messages.
///
/// Waits for the others even if one fails: a call should not end before its requests.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<_> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            poll_once(future.as_mut(), result, context);
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// Waits for two futures of different types, like [`join_all`].
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(|context| {
        poll_once(a.as_mut(), &mut of_a, context);
        poll_once(b.as_mut(), &mut of_b, context);
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            unfinished => {
                (of_a, of_b) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls a future that has not ended.
fn poll_once<F: Future>(future: Pin<&mut F>, result: &mut Option<F::Output>, context: &mut Context<'_>) {
    if result.is_none()
        && let Poll::Ready(ended) = future.poll(context)
    {
        *result = Some(ended);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, task::Waker};

    use super::*;

    /// A future that ends at the given poll.
    fn ends_at(poll: u32, polls: &Cell<u32>) -> impl Future<Output = u32> {
        poll_fn(move |_| if polls.get() >= poll { Poll::Ready(poll) } else { Poll::Pending })
    }

    #[test]
    fn results_keep_their_order_whichever_ends_first() {
        let polls = Cell::new(0);
        let mut context = Context::from_waker(Waker::noop());
        let many = join_all([3, 1, 2].map(|poll| ends_at(poll, &polls)));
        let mut all = pin!(join(many, join(ends_at(2, &polls), async { "now" })));
        for poll in 0..3 {
            polls.set(poll);
            assert_eq!(all.as_mut().poll(&mut context), Poll::Pending);
        }
        polls.set(3);
        assert_eq!(all.as_mut().poll(&mut context), Poll::Ready((vec![3, 1, 2], (2, "now"))));
    }
}

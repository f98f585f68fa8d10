//! Works on many tenants at once.

use std::panic::resume_unwind;

use tokio::task::JoinSet;

/// How many pieces of work may run at once. That can change while they run.
pub(crate) trait Gate: Sync {
    /// How many may run now. With 0, nothing starts until the gate opens.
    fn width(&self) -> usize;

    /// Called if nothing runs and the width is 0. When it returns, at least one piece of work may start.
    fn open(&self) -> impl Future<Output = ()> + Send;
}

/// A gate whose width never changes.
struct FixedWidth(usize);

impl Gate for FixedWidth {
    fn width(&self) -> usize {
        self.0
    }

    async fn open(&self) {}
}

/// Does every piece of work, at most `at_most` of them at a time, and returns the results in the same order. Each is a task of
/// its own, so that all cores take part. Dropping the future ends them all. A panic in one of them is a panic here.
pub async fn side_by_side<W>(works: impl IntoIterator<Item = W>, at_most: usize) -> Vec<W::Output>
where
    W: Future<Output: Send> + Send + 'static,
{
    through_gate(works, &FixedWidth(at_most.max(1))).await
}

/// The same, with as many at a time as the gate allows. Work starts in its order. The gate is asked again whenever a piece of
/// work has ended, so a width that shrinks starts nothing until enough of them have.
pub(crate) async fn through_gate<W>(works: impl IntoIterator<Item = W>, gate: &impl Gate) -> Vec<W::Output>
where
    W: Future<Output: Send> + Send + 'static,
{
    let mut works = works.into_iter().enumerate().peekable();
    let (mut tasks, mut results) = (JoinSet::new(), Vec::new());
    loop {
        // A running piece of work can only shrink the width, so this is asked before each start.
        while gate.width() > tasks.len()
            && let Some((index, work)) = works.next()
        {
            tasks.spawn(async move { (index, work.await) });
        }
        match tasks.join_next().await {
            Some(Ok(result)) => results.push(result),
            // Nothing here ends a task, so it has panicked.
            Some(Err(error)) => resume_unwind(error.into_panic()),
            None if works.peek().is_some() => gate.open().await,
            None => break,
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use futures::FutureExt;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn results_keep_their_order_and_no_more_work_runs_than_allowed() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = (0..10_usize).map(|index| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                // The first takes longest, and does not delay the others.
                sleep(Duration::from_secs(if index == 0 { 100 } else { 1 })).await;
                running.fetch_sub(1, Ordering::Relaxed);
                index
            }
        });
        let start = tokio::time::Instant::now();
        assert_eq!(side_by_side(works, 4).await, (0..10).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::Relaxed), 4);
        assert_eq!(start.elapsed().as_secs(), 100);
        assert_eq!(side_by_side([async { 1 }], 0).await, [1], "at least one piece of work runs");
    }

    /// Each piece of work makes the gate one narrower until it is closed. Opening it makes it wide again.
    struct Narrowing {
        width: Arc<AtomicUsize>,
        opened: AtomicUsize,
    }

    impl Gate for Narrowing {
        fn width(&self) -> usize {
            self.width.load(Ordering::Relaxed)
        }

        async fn open(&self) {
            self.opened.fetch_add(1, Ordering::Relaxed);
            self.width.store(3, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_narrows_while_work_runs() {
        let width = Arc::new(AtomicUsize::new(3));
        let gate = Narrowing { width: Arc::clone(&width), opened: AtomicUsize::new(0) };
        let start = tokio::time::Instant::now();
        let works = (0..9_u64).map(|index| {
            let width = Arc::clone(&width);
            async move {
                let begun = start.elapsed().as_secs();
                sleep(Duration::from_secs(10 + index)).await;
                width.fetch_sub(1, Ordering::Relaxed);
                begun
            }
        });
        let begun = through_gate(works, &gate).await;
        // Three start at once and close the gate, one after the other. Only then, the next three start.
        assert_eq!(begun, [0, 0, 0, 12, 12, 12, 27, 27, 27], "in the order of the work");
        assert_eq!(gate.opened.load(Ordering::Relaxed), 2, "not for work that there is not");
    }

    #[tokio::test]
    async fn a_panic_is_passed_on() {
        let work = std::panic::AssertUnwindSafe(side_by_side([async { panic!("broken") }], 1));
        let panic = work.catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"broken"));
    }

    #[tokio::test]
    async fn nothing_outlives_the_future() {
        let held = Arc::new(());
        let works = (0..3).map(|_| {
            let held = Arc::clone(&held);
            async move {
                pending::<()>().await;
                drop(held);
            }
        });
        assert!(side_by_side(works, 2).now_or_never().is_none());
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

//! Threads that block, each with something of its own to work on: a connection to a file, mostly.
//!
//! Not tokio's threads for blocking work, of which there may be hundreds: each new one takes memory that the allocator
//! then keeps for it, and whatever else blocks there (a look-up of a slow name, say) would hold up who reads the record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use thiserror::Error;
use tokio::sync::oneshot;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A few threads. What they are given waits in one queue; first come, first served. When they are let go of, what
/// waits is still done, and then their connections are closed.
pub struct Workers<S> {
    jobs: Option<Sender<Job<S>>>,
    threads: Vec<JoinHandle<()>>,
}

/// The work ended in a panic, or the workers have ended.
#[derive(Debug, Error)]
#[error("its thread ended early")]
pub struct Ended;

impl<S: Send + 'static> Workers<S> {
    /// A thread of this name for each of what they own.
    ///
    /// # Errors
    /// The system's, which may have no thread left.
    pub fn start(name: &str, owned: impl IntoIterator<Item = S>) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = Self { jobs: Some(jobs), threads: Vec::new() };
        for mut own in owned {
            let queue = Arc::clone(&queue);
            let work = move || {
                while let Some(job) = next(&queue) {
                    job(&mut own);
                }
            };
            workers.threads.push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        }
        Ok(workers)
    }

    /// Has one of them do this. Who goes away before it is begun leaves it undone; once begun it is done to its end.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        let job = move |own: &mut S| {
            if reply.is_closed() {
                return;
            }
            // A connection is sound after a panic: a transaction under way was rolled back.
            if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(own))) {
                let _ = reply.send(result);
            }
        };
        self.jobs.as_ref().and_then(|jobs| jobs.send(Box::new(job)).ok()).ok_or(Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

fn next<S>(queue: &Mutex<Receiver<Job<S>>>) -> Option<Job<S>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl<S> Drop for Workers<S> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // What it did last may be what lets go of all of them.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn each_works_on_its_own_and_what_waits_is_done_before_they_end() {
        let workers = Workers::start("worker", [Vec::new()]).unwrap();
        for number in 0..3 {
            workers.run(move |own| own.push(number)).await.unwrap();
        }
        assert_eq!(workers.run(|own| own.clone()).await.unwrap(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_thread_goes_on() {
        let workers = Workers::start("worker", [7]).unwrap();
        assert!(workers.run(|_| -> () { panic!("on purpose") }).await.is_err());
        assert_eq!(workers.run(|own| *own).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn as_many_work_at_once_as_there_are_threads() {
        let workers = Workers::start("worker", [(), ()]).unwrap();
        let together = Arc::new(std::sync::Barrier::new(2));
        let (here, there) = (Arc::clone(&together), together);
        let (one, other) =
            tokio::join!(workers.run(move |()| here.wait()), workers.run(move |()| there.wait()));
        assert!(one.unwrap().is_leader() != other.unwrap().is_leader());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let workers = Workers::start("worker", [()]).unwrap();
        let (go, wait) = channel::<()>();
        let done = Arc::new(AtomicUsize::new(0));
        let count = || {
            let done = Arc::clone(&done);
            move |(): &mut ()| done.fetch_add(1, Ordering::SeqCst)
        };
        let (blocked, left, kept) =
            (workers.run(move |()| wait.recv().is_ok()), workers.run(count()), workers.run(count()));
        let (mut blocked, mut left, mut kept) = (Box::pin(blocked), Box::pin(left), Box::pin(kept));
        // Each is queued when it is first asked.
        assert!(futures_util::poll!(&mut blocked).is_pending());
        assert!(futures_util::poll!(&mut left).is_pending());
        assert!(futures_util::poll!(&mut kept).is_pending());
        drop(left);
        go.send(()).unwrap();
        assert!(blocked.await.unwrap());
        assert_eq!(kept.await.unwrap(), 0, "how many were done before it");
    }

    #[tokio::test]
    async fn they_are_gone_when_they_are_let_go_of() {
        let own = Arc::new(());
        let workers = Workers::start("worker", [Arc::clone(&own), Arc::clone(&own)]).unwrap();
        workers.run(|_| ()).await.unwrap();
        drop(workers);
        assert_eq!(Arc::strong_count(&own), 1);
    }
}

//! What has been begun is ended: a client that goes away does not cut a change in half, and a panic stays where it was.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// What `work` comes to, or the words of its panic. If this is let go of before, the work goes on in a task of its own.
pub(super) fn to_the_end<F>(work: F) -> ToTheEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    ToTheEnd(Some(Box::pin(work)))
}

/// See [`to_the_end`].
pub(super) struct ToTheEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for ToTheEnd<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.0 else { return Poll::Ready(Err("it has ended already".into())) };
        let ended = match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(words(&*panic)),
        };
        self.0 = None;
        Poll::Ready(ended)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToTheEnd<F> {
    fn drop(&mut self) {
        // Without a runtime the process is at its end, and so is all that was not committed.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic: {}", words.unwrap_or("without words"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_goes_on_to_its_end() {
        let (go_on, told) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel();
        let mut work = Box::pin(to_the_end(async move {
            told.await.unwrap();
            ended.send("done").unwrap();
        }));
        timeout(Duration::ZERO, &mut work).await.unwrap_err();
        drop(work);
        go_on.send(()).unwrap();
        assert_eq!(end.await, Ok("done"));
    }

    #[tokio::test]
    async fn a_panic_is_told_in_its_words_and_goes_no_further() {
        let broken = |said: Option<String>| async move {
            match said {
                Some(said) => panic!("{said}"),
                None => panic!("plain"),
            }
        };
        assert_eq!(to_the_end(broken(None)).await, Err::<(), _>("a panic: plain".to_owned()));
        assert_eq!(to_the_end(broken(Some("no 7".into()))).await, Err::<(), _>("a panic: no 7".to_owned()));
        assert_eq!(to_the_end(async { 7 }).await, Ok(7));
    }
}

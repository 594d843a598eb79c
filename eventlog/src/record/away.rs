//! Waiting for a record that is away.

use std::future::Future;
use std::time::Duration;

use super::Error;

/// How long the first wait is, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Does something that can be done twice, again and again while the record is away; ever more seldom, and each time
/// says `what` waits.
///
/// # Errors
/// Any other than [`Error::Unavailable`], of `work`.
pub async fn while_away<T, W>(what: &str, mut work: impl FnMut() -> W) -> Result<T, Error>
where
    W: Future<Output = Result<T, Error>>,
{
    let mut wait = WAIT.0;
    loop {
        match work().await {
            Err(Error::Unavailable(reason)) => {
                tracing::warn!(%reason, wait_ms = wait.as_millis(), "the record is away; {what} waits");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(WAIT.1);
            }
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_is_away_is_waited_for() {
        let (times, began) = (Cell::new(0), tokio::time::Instant::now());
        let work = || async {
            times.set(times.get() + 1);
            if times.get() < 10 { Err(Error::Unavailable("gone".into())) } else { Ok(times.get()) }
        };
        assert_eq!(while_away("a test", work).await.expect("it comes back"), 10);
        let waits = [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
        assert_eq!(began.elapsed().as_millis(), waits.iter().sum::<u128>());
        let damaged = while_away("a test", || async { Err::<(), _>(Error::Damaged("here".into())) }).await;
        assert!(matches!(damaged, Err(Error::Damaged(_))));
    }
}

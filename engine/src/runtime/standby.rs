//! Standing by: an engine that could take over at once.
//!
//! It follows the record like the one that is at work, but only up to where that one says that every match has been
//! committed; so what it finds completed is in the record already, and is dropped. Whoever takes over finds again what
//! came after that, and appends it: what is there already is refused as such.

use std::future::Future;
use std::sync::PoisonError;

use domain::ids::Position;
use eventlog::record::{self, Recorded, Select};
use tokio::sync::watch;

use super::emit::{Emitter, Halt, stopped};
use super::engine::{Engine, Error, ROWS, Running, Warm, ready, until, until_stopped};

impl Engine {
    /// Matches along, without appending anything, up to `limit`: to where the engine at work has committed every
    /// match. Until `shutdown`; then [`run`](Self::run) goes on from there.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn stand_by(
        &self,
        limit: watch::Receiver<Position>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        until_stopped(shutdown, async |stopping| {
            loop {
                match self.match_along(limit.clone(), &stopping).await {
                    Ok(warm) => {
                        *self.warm.lock().unwrap_or_else(PoisonError::into_inner) = Some(warm);
                        return Ok(());
                    }
                    Err(Halt::Stopped) => return Ok(()),
                    Err(Halt::Failed(Error::Lost(error))) => {
                        tracing::warn!(%error, "matching is made anew from the whole record");
                        self.checkpoints.forget(&self.name()).await?;
                    }
                    Err(Halt::Failed(error)) => return Err(error),
                }
            }
        })
        .await
    }

    async fn match_along(
        &self,
        mut limit: watch::Receiver<Position>,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Warm, Halt> {
        let mut running = Running::begin(self, Emitter::new(self, stopping)).await?;
        match self.follow_along(&mut running, &mut limit, stopping.clone()).await {
            Ok(()) => {}
            Err(halted) => {
                running.saving.abandon().await;
                return Err(halted);
            }
        }
        let Running { matcher, saving, position, .. } = running;
        Ok(Warm { matcher, saving, position })
    }

    async fn follow_along(
        &self,
        running: &mut Running<'_>,
        limit: &mut watch::Receiver<Position>,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<(), Halt> {
        loop {
            let save_due = running.saving.due();
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => return Ok(()),
                saved = running.saving.ended() => running.saving.take(saved, &mut running.matcher)?,
                rows = self.within(running.position, limit) => match rows {
                    Ok((rows, upto)) => running.take(rows, upto).await?,
                    Err(record::Error::Unavailable(_)) => {
                        running.emitter.retrying(|| ready(&self.record)).await?;
                    }
                    Err(error) => return Err(error.into()),
                },
                () = until(save_due) => {}
            }
            running.keep().await?;
        }
    }

    /// The next rows up to a limit that moves, and up to where there are no others; waits until it has moved.
    /// Cancel-safe.
    async fn within(
        &self,
        after: Position,
        limit: &mut watch::Receiver<Position>,
    ) -> Result<(Vec<Recorded>, Position), record::Error> {
        let mut head = self.record.head();
        // Who would tell is gone: nothing more is to be done.
        let Ok(head) = head.wait_for(|head| head.position > after).await.map(|head| head.position) else {
            return std::future::pending().await;
        };
        let ahead = eventlog::broken!("stand-by-ahead");
        let told = async { limit.wait_for(|limit| *limit > after).await.ok().map(|limit| *limit) };
        let Some(limit) = (if ahead { Some(head) } else { told.await }) else {
            return std::future::pending().await;
        };
        let end = limit.min(head);
        let mut rows = self.record.read_after(Select::Matching(self.share()), after, ROWS).await?;
        let upto = if rows.len() < ROWS { end } else { rows.last().map_or(end, |row| row.position.min(end)) };
        rows.retain(|row| row.position <= end);
        Ok((rows, upto))
    }
}

//! Batches that wait for a home's writer, no more bytes of them than there is room for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::row::size;
use super::{Error, Item, Outcome};

type Answer = Result<Vec<Outcome>, Error>;

/// The room in front of a writer.
pub(super) struct Queue {
    room: Arc<Semaphore>,
    kibibytes: u32,
}

/// A batch that waits.
pub(super) struct Append {
    pub(super) items: Vec<Item>,
    pub(super) bytes: usize,
    reply: oneshot::Sender<Answer>,
    /// Its share of the room, given back when it is answered.
    _room: OwnedSemaphorePermit,
}

impl Queue {
    /// Room for about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let kibibytes = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).max(1);
        Self { room: Arc::new(Semaphore::new(kibibytes as usize)), kibibytes }
    }

    /// Waits for room, which holds back whoever sends faster than the home takes; the batch, and where its answer
    /// comes.
    pub(super) async fn admit(&self, items: Vec<Item>) -> Result<(Append, oneshot::Receiver<Answer>), Error> {
        let bytes = items.iter().map(size).sum::<usize>();
        let share = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(self.kibibytes);
        let room = Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        Ok((Append { items, bytes, reply, _room: room }, answer))
    }
}

/// Gives each batch of a group its own outcomes. An answer that nobody waits for any more is nobody's loss.
pub(super) fn answer(group: Vec<Append>, outcomes: Vec<Outcome>) {
    let mut outcomes = outcomes.into_iter();
    for append in group {
        let own = outcomes.by_ref().take(append.items.len()).collect();
        let _ = append.reply.send(Ok(own));
    }
}

/// Tells each batch of a group that it failed.
pub(super) fn refuse(group: Vec<Append>, error: impl Fn() -> Error) {
    for append in group {
        let _ = append.reply.send(Err(error()));
    }
}

/// Nobody writes any more.
pub(super) fn closed() -> Error {
    Error::Unavailable("the record has been closed".into())
}

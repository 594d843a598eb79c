//! From the record to the open streams: what a generic send's success says in the record goes to each stream of its
//! tenant that was open by then.
//!
//! The record is followed only while there are streams, and rows are opened only for tenants that have some. A stream
//! whose client reads too slowly is ended, so that it holds up nobody and nothing piles up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::{Position, TenantId};
use domain::reaction::{Effect, Event};
use eventlog::crypto::{Opened, Vault};
use eventlog::record::{self, Feed, Record, Recorded, Select, StreamKind};
use notifier::endpoint::generic;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// How many frames may wait for a client.
const FRAMES: usize = 256;

/// How many bytes of frames may wait for a client; one frame may be longer.
const BYTES: usize = 4 << 20;

/// So many rows are read at a time.
const ROWS: usize = 1_000;

/// The pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(1);

/// Where what is sent is handed out. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    open: Mutex<Open>,
    /// There is a stream where there was none.
    woken: Notify,
}

#[derive(Default)]
struct Open {
    streams: HashMap<TenantId, Vec<Stream>>,
    next: u64,
}

struct Stream {
    id: u64,
    /// It was opened when the record ended here.
    from: Position,
    frames: mpsc::Sender<Utf8Bytes>,
    /// How many bytes wait for the client.
    waiting: Arc<AtomicUsize>,
}

/// An open stream's end of it; dropped, the stream is closed.
pub(super) struct Subscription {
    hub: Hub,
    tenant: TenantId,
    id: u64,
    frames: mpsc::Receiver<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Hub {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream of what comes after a position; none if the tenant has `most` already.
    pub(super) fn subscribe(&self, tenant: &TenantId, from: Position, most: usize) -> Option<Subscription> {
        let (sender, frames) = mpsc::channel(FRAMES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut open = self.open();
        let id = open.next;
        open.next += 1;
        let streams = open.streams.entry(tenant.clone()).or_default();
        if streams.len() >= most {
            return None;
        }
        streams.push(Stream { id, from, frames: sender, waiting: waiting.clone() });
        drop(open);
        self.0.woken.notify_one();
        Some(Subscription { hub: self.clone(), tenant: tenant.clone(), id, frames, waiting })
    }

    /// The first position that any stream still has to see what comes after; none if there is no stream.
    fn begin(&self) -> Option<Position> {
        self.open().streams.values().flatten().map(|stream| stream.from).min()
    }

    fn has(&self, tenant: &TenantId) -> bool {
        self.open().streams.contains_key(tenant)
    }

    /// Hands a frame out. A stream that has no room for it is ended.
    fn hand_out(&self, tenant: &TenantId, sent: Position, frame: &Utf8Bytes) {
        let mut open = self.open();
        let Some(streams) = open.streams.get_mut(tenant) else { return };
        streams.retain(|stream| stream.from >= sent || stream.take(frame));
        if streams.is_empty() {
            open.streams.remove(tenant);
        }
    }

    /// Follows the record while there are streams; to be run once, and to be dropped at any time.
    pub async fn run(self, record: Arc<dyn Record>, vault: Arc<Vault>) {
        loop {
            match self.begin() {
                None => self.0.woken.notified().await,
                Some(from) => {
                    if let Err(error) = self.follow(&record, &vault, from).await {
                        tracing::warn!(%error, "the streams stand still for a moment");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    /// Follows the record from a position until there is no stream any more.
    async fn follow(
        &self,
        record: &Arc<dyn Record>,
        vault: &Vault,
        from: Position,
    ) -> Result<(), record::Error> {
        let mut feed = Feed::new(record.clone(), Select::Domain, from);
        while self.begin().is_some() {
            let rows = feed.next(ROWS).await?;
            for (row, frame) in self.frames(record, vault, rows).await? {
                self.hand_out(&row.stream.tenant, row.position, &frame);
            }
            self.seen(feed.position());
        }
        Ok(())
    }

    /// What was handed out is not handed out again, also if the record fails in between.
    fn seen(&self, position: Position) {
        for stream in self.open().streams.values_mut().flatten() {
            stream.from = stream.from.max(position);
        }
    }

    /// The frames that rows of the record come to, in order. What belongs to an erased customer is left out.
    async fn frames(
        &self,
        record: &Arc<dyn Record>,
        vault: &Vault,
        rows: Vec<Recorded>,
    ) -> Result<Vec<(Recorded, Utf8Bytes)>, record::Error> {
        let wanted = |row: &Recorded| {
            row.stream.kind == StreamKind::Reaction
                && row.event_type == "send-succeeded"
                && self.has(&row.stream.tenant)
        };
        let ended: Vec<Recorded> = rows.into_iter().filter(wanted).collect();
        // A success names where the send began: what was sent stands there.
        let begun: Vec<Position> = ended.iter().filter_map(|row| row.metadata.cause).collect();
        let begun = record.read_at(&begun).await?;
        let opened = vault.open_all(&begun).await?;
        let frames: HashMap<Position, Utf8Bytes> = begun
            .iter()
            .zip(opened)
            .filter_map(|(row, opened)| Some((row.position, frame(row, opened)?)))
            .collect();
        let framed = |row: Recorded| {
            let frame = frames.get(&row.metadata.cause?)?.clone();
            Some((row, frame))
        };
        Ok(ended.into_iter().filter_map(framed).collect())
    }
}

/// The frame of a generic send's beginning; none of any other entry.
fn frame(row: &Recorded, opened: Opened) -> Option<Utf8Bytes> {
    let Opened::Clear(clear) = opened else { return None };
    match Event::from_json(&row.event_type, row.event_version, &clear) {
        Ok(Event::Effect(Effect::Send(request))) if request.endpoint == generic::NAME => {
            Some(generic::frame(&request.params).into())
        }
        Ok(_) => None,
        Err(error) => {
            tracing::error!(position = row.position.0, %error, "an entry cannot be read");
            None
        }
    }
}

impl Stream {
    /// Puts a frame into the queue; whether there was room.
    fn take(&self, frame: &Utf8Bytes) -> bool {
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting > 0 && waiting + frame.len() > BYTES {
            return false;
        }
        self.waiting.fetch_add(frame.len(), Ordering::AcqRel);
        self.frames.try_send(frame.clone()).is_ok()
    }
}

impl Subscription {
    /// The next frame; none once the client was too slow.
    pub(super) async fn next(&mut self) -> Option<Utf8Bytes> {
        self.frames.recv().await
    }

    /// A frame has gone out.
    pub(super) fn sent(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut open = self.hub.open();
        if let Some(streams) = open.streams.get_mut(&self.tenant) {
            streams.retain(|stream| stream.id != self.id);
            if streams.is_empty() {
                open.streams.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_gets_what_comes_after_it_opened_and_a_slow_one_is_ended() {
        let hub = Hub::default();
        let tenant = TenantId::from("acme");
        let mut early = hub.subscribe(&tenant, Position(10), 2).unwrap();
        let mut late = hub.subscribe(&tenant, Position(20), 2).unwrap();
        assert!(hub.subscribe(&tenant, Position(20), 2).is_none(), "so many and no more");
        assert_eq!(hub.begin(), Some(Position(10)));
        hub.hand_out(&tenant, Position(15), &"first".into());
        hub.hand_out(&TenantId::from("other"), Position(25), &"not ours".into());
        hub.hand_out(&tenant, Position(25), &"second".into());
        assert_eq!(early.next().await.unwrap(), "first");
        assert_eq!(early.next().await.unwrap(), "second");
        assert_eq!(late.next().await.unwrap(), "second");
        // One that does not read gets what has room, and its end.
        for n in 0..=FRAMES as u64 {
            hub.hand_out(&tenant, Position(30 + n), &"x".into());
            assert_eq!(late.next().await.as_deref(), Some("x"));
        }
        let mut left = 0;
        while early.next().await.is_some() {
            left += 1;
        }
        assert_eq!(left, FRAMES);
        drop(early);
        drop(late);
        assert_eq!(hub.begin(), None);
    }

    #[tokio::test]
    async fn a_client_is_owed_so_many_bytes_and_no_more_but_for_one_long_frame() {
        let hub = Hub::default();
        let tenant = TenantId::from("acme");
        let mut stream = hub.subscribe(&tenant, Position(0), 1).unwrap();
        let long = Utf8Bytes::from("x".repeat(BYTES + 1));
        hub.hand_out(&tenant, Position(1), &long);
        let first = stream.next().await.unwrap();
        stream.sent(first.len());
        let half = Utf8Bytes::from("x".repeat(BYTES / 2));
        (2..6).for_each(|n| hub.hand_out(&tenant, Position(n), &half));
        assert!(stream.next().await.is_some() && stream.next().await.is_some());
        assert!(stream.next().await.is_none(), "a third is too much");
    }
}

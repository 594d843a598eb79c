//! Which listeners run: it follows the record, and starts, stops and changes them as it says.
//!
//! A listener is run by one server: the events that it hands in carry a fence, which a later server takes away.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ListenerId, Position};
use domain::listener::{Definition, Event};
use eventlog::record::{self, Feed, Fence, Recorded, Select, StreamKind};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::board::{Board, Key, State, Status};
use super::ear::{Ear, Source};
use super::kept::{self, Kept, Known};
use super::{Error, Tools};

/// The lease, and who takes it.
const NAME: &str = "listeners";

/// How many rows are read at a time, and how many may pass before the place in the record is kept.
const PAGE: usize = 1_000;
const KEEP: u64 = 10_000;

/// The pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a listener may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(2);

struct Supervisor {
    tools: Arc<Tools>,
    board: Arc<Board>,
    fence: Fence,
    kept: Kept,
    running: HashMap<Key, Running>,
    tasks: JoinSet<Overtaken>,
}

/// Whether a listener ended because another server has taken over.
struct Overtaken(bool);

/// A listener's task.
struct Running {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    abort: AbortHandle,
}

pub(super) async fn run(
    tools: Tools,
    board: Arc<Board>,
    applied: watch::Sender<Position>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let mut shutdown = std::pin::pin!(shutdown);
    let fences = tools.record.take_leases(&[NAME.to_owned()], NAME).await?;
    let fence = fences.into_iter().next().ok_or(Error::Fenced)?;
    let kept = Kept::load(tools.checkpoints.clone()).await?;
    let (running, tasks) = (HashMap::new(), JoinSet::new());
    let mut supervisor = Supervisor { tools: Arc::new(tools), board, fence, kept, running, tasks };
    let ended = tokio::select! {
        ended = supervisor.follow(&applied) => ended,
        () = &mut shutdown => Ok(()),
    };
    supervisor.stop_all().await;
    let position = *applied.borrow();
    supervisor.kept.keep(position.max(supervisor.kept.position)).await?;
    ended
}

impl Supervisor {
    async fn follow(&mut self, applied: &watch::Sender<Position>) -> Result<(), Error> {
        let record = self.tools.record.clone();
        // First what there is by now, so that nothing runs that was stopped long ago.
        let head = record.head().borrow().position;
        let mut learned = self.kept.position;
        while learned < head {
            let rows = record.read_after(Select::Domain, learned, PAGE).await?;
            learned = rows.last().filter(|_| rows.len() == PAGE).map_or(head, |last| last.position);
            for row in rows {
                self.learn(&row)?;
            }
        }
        let mut feed = Feed::new(record, Select::Domain, learned);
        self.kept.keep(learned).await?;
        let enabled = self.kept.known.iter().filter(|(_, known)| known.definition.status);
        for key in enabled.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.start(&key);
        }
        applied.send_replace(learned);
        loop {
            tokio::select! {
                rows = feed.next(PAGE) => match rows {
                    Ok(rows) => {
                        for row in rows {
                            self.change(&row).await?;
                        }
                        let position = feed.position();
                        if self.kept.is_changed() || position.0 >= self.kept.position.0 + KEEP {
                            self.kept.keep(position).await?;
                        }
                        applied.send_replace(position);
                    }
                    Err(record::Error::Unavailable(reason)) => {
                        tracing::warn!(%reason, "the record cannot be read just now");
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => return Err(error.into()),
                },
                Some(ended) = self.tasks.join_next() => self.ended(ended)?,
            }
        }
    }

    /// Takes in a row of a listener's: what it was before and what it is now.
    fn learn(&mut self, row: &Recorded) -> Result<Option<(Key, Option<Definition>)>, record::Error> {
        if row.stream.kind != StreamKind::Listener {
            return Ok(None);
        }
        let key = Key { tenant: row.stream.tenant.clone(), id: ListenerId(row.stream.id.clone()) };
        let event = serde_json::from_slice(&row.payload)
            .map_err(|error| record::Error::Damaged(format!("position {}: {error}", row.position)))?;
        let before = self.kept.known.get(&key).cloned();
        let now = match event {
            Event::Created(definition) | Event::Updated(definition) => {
                let same = before.as_ref().filter(|before| is_same(&before.definition, &definition));
                Some(Known { since: same.map_or(row.stamp, |same| same.since), definition })
            }
            Event::Deleted => None,
        };
        self.kept.set(&key, now);
        Ok(Some((key, before.map(|before| before.definition))))
    }

    async fn change(&mut self, row: &Recorded) -> Result<(), Error> {
        if row.stream.kind == StreamKind::Integration {
            // Whatever it was that changed: what runs connects anew with what is in force now.
            let concerned = |key: &Key, known: &Known| {
                key.tenant == row.stream.tenant
                    && known.definition.status
                    && known.definition.kind.name() == row.stream.id
            };
            let keys: Vec<Key> =
                self.kept.known.iter().filter(|(k, v)| concerned(k, v)).map(|(k, _)| k.clone()).collect();
            for key in keys {
                self.stop(&key).await;
                self.start(&key);
            }
            return Ok(());
        }
        let Some((key, before)) = self.learn(row)? else { return Ok(()) };
        let now = self.kept.known.get(&key).map(|known| &known.definition);
        if let (Some(before), Some(now)) = (&before, now)
            && is_same(before, now)
        {
            return Ok(());
        }
        let (is_there, is_enabled) = (now.is_some(), now.is_some_and(|now| now.status));
        self.stop(&key).await;
        if is_enabled {
            self.start(&key);
        } else if !is_there {
            kept::keep_place(&*self.tools.checkpoints, &key, None).await?;
        }
        Ok(())
    }

    fn start(&mut self, key: &Key) {
        let Some(known) = self.kept.known.get(key).cloned() else { return };
        self.board.say(key, Status::starting());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let (ending, ended) = oneshot::channel();
        let mut source = Source::of(known.definition.kind);
        let mut ear =
            Ear::new(self.tools.clone(), key.clone(), known, self.board.clone(), self.fence.clone());
        let abort = self.tasks.spawn(async move {
            // Dropped with the task, however that ends.
            let _ending: oneshot::Sender<()> = ending;
            let overtaken = tokio::select! {
                () = ear.listen(&mut source) => true,
                _ = &mut stopped => false,
            };
            let farewell = tokio::time::timeout(FAREWELL, source.leave(&ear)).await;
            if farewell.is_err() {
                tracing::debug!("a listener left without a good-bye");
            }
            Overtaken(overtaken)
        });
        self.running.insert(key.clone(), Running { stop, ended, abort });
    }

    async fn stop(&mut self, key: &Key) {
        if let Some(running) = self.running.remove(key) {
            running.stop().await;
        }
        self.board.forget(key);
    }

    async fn stop_all(&mut self) {
        let running: Vec<(Key, Running)> = self.running.drain().collect();
        let (keys, running): (Vec<_>, Vec<_>) = running.into_iter().unzip();
        let mut stopping = JoinSet::new();
        running.into_iter().for_each(|running| drop(stopping.spawn(running.stop())));
        while stopping.join_next().await.is_some() {}
        keys.iter().for_each(|key| self.board.forget(key));
    }

    /// A task ended: because it was stopped or overtaken, or because it broke.
    fn ended(&mut self, ended: Result<Overtaken, JoinError>) -> Result<(), Error> {
        let error = match ended {
            Ok(Overtaken(true)) => return Err(Error::Fenced),
            Ok(Overtaken(false)) => return Ok(()),
            Err(error) => error,
        };
        let broken = self.running.iter().find(|(_, running)| running.abort.id() == error.id());
        if let Some((key, _)) = broken {
            tracing::error!(tenant = %key.tenant, listener = %key.id, %error, "a listener broke");
            let message =
                "It broke, by a fault of this program; disable and enable it to try again".to_owned();
            self.board.say(key, Status { state: State::Error, message });
        }
        Ok(())
    }
}

impl Running {
    async fn stop(self) {
        // It may have ended by itself.
        let _ = self.stop.send(());
        if tokio::time::timeout(2 * FAREWELL, self.ended).await.is_err() {
            self.abort.abort();
        }
    }
}

/// Whether two definitions listen alike.
fn is_same(a: &Definition, b: &Definition) -> bool {
    (a.status, a.kind, &a.options, &a.mapping) == (b.status, b.kind, &b.options, &b.mapping)
}

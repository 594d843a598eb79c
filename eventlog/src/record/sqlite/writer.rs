//! The writer: one thread that owns the one writing connection and commits by groups.
//!
//! All that waits goes into one transaction, hence one fsync; while that runs the next group gathers. Nothing is
//! answered before its commit. A commit that fails (disk full, I/O) fails its whole group, leaves nothing of it
//! behind, and the writer goes on with the next.

use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use domain::ids::{CustomerId, Position, TenantId};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{mpsc, oneshot, watch};

use super::group::{self, State};
use super::heads::Heads;
use super::lock::FolderLock;
use super::{Options, failed, reader, schema};
use crate::record::queue::{Append, Queue, answer, closed, refuse};
use crate::record::window::Shared;
use crate::record::{Error, Fence, Head, Item, Outcome};

/// What the writer shows to readers in the same process.
pub(super) type Configurations = RwLock<std::collections::HashMap<TenantId, Position>>;

/// So many appends at a time are a crowd …
const CROWD: usize = 4;

/// … that is given so long to get together: much less than a commit takes.
const GATHERING: Duration = Duration::from_micros(100);

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// One statement beside the log.
pub(super) type Statement = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

/// What the writer is asked to do.
enum Job {
    Append(Append),
    TakeLeases {
        leases: Vec<String>,
        owner: String,
        reply: Reply<Vec<Fence>>,
    },
    Erase {
        tenant: TenantId,
        customer: CustomerId,
        reply: Reply<bool>,
    },
    Beside(Statement, Reply<()>),
    #[cfg(test)]
    LimitPages(u32),
}

/// The way to the writer.
pub(super) struct Writer {
    jobs: Option<mpsc::UnboundedSender<Job>>,
    queue: Queue,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        lock: FolderLock,
        state: State,
        (configurations, newest): (Arc<Configurations>, Arc<Shared>),
        options: &Options,
    ) -> Result<(Self, Heads<watch::Receiver<Head>>), Error> {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (heads, watching) = Heads::at(state.head);
        let worker = Worker {
            connection,
            state,
            configurations,
            newest,
            heads,
            options: options.clone(),
            _lock: lock,
        };
        let thread = std::thread::Builder::new()
            .name("record-writer".into())
            .spawn(move || worker.run(queue))
            .map_err(super::unavailable)?;
        let queue = Queue::new(options.queue_bytes);
        Ok((Self { jobs: Some(jobs), queue, thread: Some(thread) }, watching))
    }

    /// Queues a batch, for which there may have to be room first, and waits for its commit.
    pub(super) async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let (append, answer) = self.queue.admit(items).await?;
        self.send(Job::Append(append))?;
        answer.await.map_err(|_| closed())?
    }

    pub(super) async fn take_leases(&self, leases: Vec<String>, owner: String) -> Result<Vec<Fence>, Error> {
        self.ask(|reply| Job::TakeLeases { leases, owner, reply }).await
    }

    pub(super) async fn erase(&self, tenant: TenantId, customer: CustomerId) -> Result<bool, Error> {
        self.ask(|reply| Job::Erase { tenant, customer, reply }).await
    }

    /// Runs a statement that touches no entry of the log, in a transaction of its own.
    pub(super) async fn beside(&self, statement: Statement) -> Result<(), Error> {
        self.ask(|reply| Job::Beside(statement, reply)).await
    }

    /// Lets the file grow no further than this: how tests fill the disk.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        if let Some(jobs) = &self.jobs {
            assert!(jobs.send(Job::LimitPages(pages)).is_ok(), "the writer has stopped");
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply))?;
        answer.await.map_err(|_| closed())?
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(closed)
    }
}

impl Drop for Writer {
    /// What was queued is still committed; when this returns the folder is free.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the record's writer ended in a panic");
        }
    }
}

struct Worker {
    connection: Connection,
    state: State,
    configurations: Arc<Configurations>,
    newest: Arc<Shared>,
    heads: Heads<watch::Sender<Head>>,
    options: Options,
    _lock: FolderLock,
}

impl Worker {
    fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let mut waiting = None;
        while let Some(job) = waiting.take().or_else(|| queue.blocking_recv()) {
            match job {
                Job::Append(first) => {
                    let (group, next) = self.gather(first, &mut queue);
                    waiting = next;
                    self.append(group);
                }
                // An answer that nobody waits for any more is nobody's loss.
                Job::TakeLeases { leases, owner, reply } => {
                    let _ = reply.send(self.take_leases(&leases, &owner).map_err(failed));
                }
                Job::Erase { tenant, customer, reply } => {
                    let _ = reply.send(self.erase(&tenant, customer).map_err(failed));
                }
                Job::Beside(statement, reply) => {
                    let _ = reply.send(statement(&self.connection).map_err(failed));
                }
                #[cfg(test)]
                Job::LimitPages(pages) => {
                    self.connection.pragma_update(None, "max_page_count", pages).expect("a pragma");
                }
            }
        }
    }

    /// All appends that wait, up to what a group may hold; and the job at which gathering stopped. Where many wait, more
    /// are about to come: each of them that comes in time saves a commit.
    fn gather(&self, first: Append, queue: &mut mpsc::UnboundedReceiver<Job>) -> (Vec<Append>, Option<Job>) {
        let (mut rows, mut bytes) = (first.items.len(), first.bytes);
        let mut group = vec![first];
        let mut waited = false;
        while rows < self.options.group_rows && bytes < self.options.group_bytes {
            match queue.try_recv() {
                Err(_) if !waited && group.len() > CROWD => {
                    waited = true;
                    std::thread::sleep(GATHERING);
                }
                Ok(Job::Append(next)) => {
                    rows += next.items.len();
                    bytes += next.bytes;
                    group.push(next);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    fn append(&mut self, group: Vec<Append>) {
        let items = group.iter().flat_map(|append| &append.items);
        let clock = self.options.clock.now();
        match group::append(&mut self.connection, &mut self.state, items, clock) {
            Ok((outcomes, mut moved)) => {
                self.state.moved(&mut moved);
                if !moved.configurations.is_empty() {
                    let mut shown = self.configurations.write().unwrap_or_else(PoisonError::into_inner);
                    shown.extend(moved.configurations);
                }
                let moving = self.heads.moving(&moved.rows);
                self.newest.lock().take_all(moved.rows);
                // Whoever has an answer finds its rows by the head. Those who follow the record are woken after those who wait
                // for their answers: each wake takes its time, and its place on a thread.
                for head in moving.iter().flatten() {
                    head.send_if_modified(|head| {
                        *head = moved.head;
                        false
                    });
                }
                answer(group, outcomes);
                moving.iter().flatten().for_each(|head| head.send_modify(|_| {}));
            }
            Err(error) => {
                tracing::error!(%error, items = group.len(), "a group could not be committed");
                refuse(group, || failed_again(&error));
            }
        }
    }

    fn take_leases(&mut self, leases: &[String], owner: &str) -> Result<Vec<Fence>, rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        let mut fences = Vec::with_capacity(leases.len());
        for lease in leases {
            let epoch: u64 = transaction
                .prepare_cached(
                    "INSERT INTO leases VALUES (?1, 1, ?2) ON CONFLICT DO UPDATE \
                     SET epoch = epoch + 1, owner = excluded.owner RETURNING epoch",
                )?
                .query_row((lease, owner), |row| row.get(0))?;
            fences.push(Fence { lease: lease.clone(), epoch });
        }
        transaction.commit()?;
        self.state.leases.extend(fences.iter().map(|fence| (fence.lease.clone(), fence.epoch)));
        Ok(fences)
    }

    /// Destroys a key row: its bytes too, in the file and in what has not reached the file yet.
    fn erase(&mut self, tenant: &TenantId, customer: CustomerId) -> Result<bool, rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        let whose = (tenant.as_str(), &customer.0[..]);
        let wrapped: Option<Vec<u8>> =
            transaction.prepare_cached(reader::KEY)?.query_row(whose, |row| row.get(0)).optional()?;
        let Some(wrapped) = wrapped else { return Ok(false) };
        // In its place, so that the page stays as it is but for this.
        let overwrite = "UPDATE wrapped SET bytes = zeroblob(length(bytes)) WHERE place = \
                         (SELECT place FROM keys WHERE tenant = ?1 AND customer = ?2)";
        transaction.prepare_cached(overwrite)?.execute(whose)?;
        let delete = "DELETE FROM keys WHERE tenant = ?1 AND customer = ?2";
        transaction.prepare_cached(delete)?.execute(whose)?;
        transaction.commit()?;
        self.state.erased.insert(wrapped);
        if !schema::empty_log(&self.connection)? {
            tracing::info!("an erased key is still in the write-ahead log, which a reader holds");
        }
        Ok(true)
    }
}

/// One failure, told to each of a group.
fn failed_again(error: &rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            failed(rusqlite::Error::SqliteFailure(*code, message.clone()))
        }
        other => Error::Unavailable(other.to_string()),
    }
}

//! The record's port (design.md §2): append a batch, read, be told of new positions.
//!
//! Positions are gap-free and in commit order; stamps never fall along the whole log; an item is all or nothing
//! and its refusal does not touch the others. `sqlite` is the embedded home,
//! `postgres` the one that many servers share.

mod away;
mod clock;
mod feed;
mod layer;
pub mod postgres;
mod queue;
mod row;
mod share;
pub mod sqlite;
mod tail;
mod window;

use async_trait::async_trait;
use domain::ids::{CustomerId, EventId, Partition, Position, TenantId};
use domain::time::Stamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use away::while_away;
pub use clock::{Clock, SystemClock};
pub use feed::Feed;
pub use layer::Layer;
pub use share::Share;
pub use tail::{Counts, Tail};

/// What sort of entry a row of the record is. The stored `aggregate_type` of a row is its stream's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum StreamKind {
    /// A tenant and its key attribute; id: the tenant's id.
    Tenant = 1,
    /// An API client; tenant: none (`""`); id: the client's id.
    Client = 2,
    /// An access token; tenant: none; id: the hash, as hex.
    Token = 3,
    /// A pattern; id: PT….
    Pattern = 4,
    /// A template; id: TM….
    Template = 5,
    /// A listener; id: LI….
    Listener = 6,
    /// An integration; id: its type.
    Integration = 7,
    /// An augment; id: AU….
    Augment = 8,
    /// A match and the reaction that it started; id: RE….
    Reaction = 9,
    /// A customer's events; id: the [`CustomerId`]; a row's version is its position.
    Customer = 10,
    /// A mark: no event, only time passing in a partition; id: the partition; a row's version is its position.
    Mark = 11,
    /// The erasures of a tenant's customers; id: `customers`.
    Erasure = 12,
}

impl StreamKind {
    /// The stored name (`aggregate_type`), written by hand: renaming a variant must not orphan history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Client => "client",
            Self::Token => "token",
            Self::Pattern => "pattern",
            Self::Template => "template",
            Self::Listener => "listener",
            Self::Integration => "integration",
            Self::Augment => "augment",
            Self::Reaction => "reaction",
            Self::Customer => "customer",
            Self::Mark => "mark",
            Self::Erasure => "erasure",
        }
    }

    /// All kinds.
    pub const ALL: [Self; 12] = {
        use StreamKind::*;
        [
            Tenant,
            Client,
            Token,
            Pattern,
            Template,
            Listener,
            Integration,
            Augment,
            Reaction,
            Customer,
            Mark,
            Erasure,
        ]
    };

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A stream: what one aggregate, reaction or customer went through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// Whose; `""` for what belongs to no tenant.
    pub tenant: TenantId,
    /// Of what kind.
    pub kind: StreamKind,
    /// Which one, within tenant and kind.
    pub id: String,
}

impl StreamId {
    /// The stream of that tenant, kind and id.
    pub fn new(tenant: &TenantId, kind: StreamKind, id: impl Into<String>) -> Self {
        Self { tenant: tenant.clone(), kind, id: id.into() }
    }
}

/// What the writer expects of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It is at this version (0: it has no event yet).
    Version(u64),
    /// Nothing: for [`StreamKind::Customer`] and [`StreamKind::Mark`], whose versions are positions.
    Any,
}

/// An event to append.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its stored name.
    pub event_type: &'static str,
    /// The version of its shape.
    pub event_version: u16,
    /// JSON, sealed by [`crate::crypto::Vault`] where the write has a customer.
    pub payload: Vec<u8>,
    /// The id, of a customer event.
    pub event_id: Option<EventId>,
    /// Whether it changes what a tenant's events are matched against (patterns, key attribute, augments): it then
    /// moves the tenant's configuration position.
    pub configures: bool,
}

/// Events for one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Which stream.
    pub stream: StreamId,
    /// At which version it is expected.
    pub expect: Expect,
    /// Whose customer's it is: sealed under their key, found by them, erased with them.
    pub customer: Option<CustomerId>,
    /// The partition of the customer, or of the mark.
    pub partition: Option<Partition>,
    /// The events; without any, the write only says at which version the stream has to be.
    pub events: Vec<NewEvent>,
}

/// Why an entry is there and who made it; stored in clear beside the payload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Metadata {
    /// The entry that caused this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Position>,
    /// The client that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The request that brought it (`X-Request-Id`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// A right to write for a partition (or as a singleton), which a later owner takes away by raising the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// What is owned: `engine/12`, `notifier/12`, `timers`, ….
    pub lease: String,
    /// The owner's epoch.
    pub epoch: u64,
}

/// A key row to be stored with the item, unless it is there already with the same content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewKey {
    /// Whose tenant.
    pub tenant: TenantId,
    /// Whose customer; `None`: the tenant's own key.
    pub customer: Option<CustomerId>,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
}

/// One unit of appending: all of it is appended, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// What is written, in order.
    pub writes: Vec<Write>,
    /// The right to write, where one is needed.
    pub fence: Option<Fence>,
    /// The configuration position of the (first write's) tenant on which the item was decided: refused as
    /// [`Outcome::Stale`] if the tenant's has moved. Customer events and marks carry it.
    pub config: Option<Position>,
    /// The hash of tenant and idempotency key.
    pub idempotency: Option<[u8; 32]>,
    /// Key rows that the payloads need.
    pub keys: Vec<NewKey>,
    /// Of every row of the item.
    pub metadata: Metadata,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed and fsynced.
    Appended {
        /// Position of the item's first row; the others follow without gap. (An item without events, which only
        /// stores keys, is answered with the end of the record.)
        first: Position,
        /// Position of its last row.
        last: Position,
        /// The stamp of all of them.
        stamp: Stamp,
    },
    /// A stream is not at the version expected; it is at this one.
    Conflict(u64),
    /// Another owner has the lease.
    Fenced,
    /// The tenant's configuration has moved, to this position.
    Stale(Position),
    /// The idempotency key was used within 24 hours, by the event at this position.
    Duplicate(Position),
    /// A key row is there with other content, or this one was erased: load it and seal again.
    KeyTaken,
}

/// A row of the record.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its place in the one sequence.
    pub position: Position,
    /// When it was appended, by the record's clock.
    pub stamp: Stamp,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream, from 1 (its position for customers and marks).
    pub version: u64,
    /// The customer that it belongs to.
    pub customer: Option<CustomerId>,
    /// The partition.
    pub partition: Option<Partition>,
    /// For customer events and marks: the position of the one before it in the partition, 0 for the first.
    pub previous: Option<Position>,
    /// For customer events and marks: the tenant's configuration position.
    pub config: Option<Position>,
    /// Stored name.
    pub event_type: String,
    /// Version of the shape.
    pub event_version: u16,
    /// JSON, sealed if `customer` is set.
    pub payload: Vec<u8>,
    /// The id, of a customer event.
    pub event_id: Option<EventId>,
    /// Whether it moved the tenant's configuration position.
    pub configures: bool,
    /// Cause and author.
    pub metadata: Metadata,
}

impl Recorded {
    /// Whether it belongs to the domain log ([`Select::Domain`]).
    pub(crate) fn is_domain(&self) -> bool {
        self.previous.is_none()
    }
}

/// Which rows to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// All.
    All,
    /// The domain log: all but customers' events and marks.
    Domain,
    /// Those that change configuration, of one tenant or (`None`) of all.
    Configuration(Option<TenantId>),
    /// Those that matching needs: customers' events and marks of a share of the partitions, and all that change
    /// configuration.
    Matching(Share),
    /// Those that running reactions needs: matches, orders to send again, customers' events, changes of templates.
    Reacting,
    /// Those of one tenant.
    Tenant(TenantId),
    /// One customer's events.
    Customer(TenantId, CustomerId),
    /// All customer events of a tenant.
    CustomerEvents(TenantId),
    /// One stream.
    Stream(StreamId),
}

/// Where the record ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last position.
    pub position: Position,
    /// Its stamp.
    pub stamp: Stamp,
}

impl Head {
    /// Tells that the record ends here, unless it is known to reach as far; whether that was news.
    pub(crate) fn advance(self, known: &watch::Sender<Self>) -> bool {
        known.send_if_modified(|known| {
            let further = self.position > known.position;
            if further {
                *known = self;
            }
            further
        })
    }
}

/// What can go wrong with the record itself.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached or written just now (disk full, database away): try again.
    #[error("the record is not available: {0}")]
    Unavailable(String),
    /// What is stored is not what was written.
    #[error("the record is damaged: {0}")]
    Damaged(String),
    /// It was sealed under another master key.
    #[error("the master key is not the one that this store was made with")]
    MasterKey,
    /// It was made by another release.
    #[error("the store has format {found}; this release reads {supported}")]
    Format {
        /// The store's format number.
        found: u32,
        /// This release's.
        supported: u32,
    },
    /// It is in use by another server.
    #[error("the data folder is in use by {0}")]
    Locked(String),
    /// The caller asked for what no record can hold: a fault in this program.
    #[error("not an entry for the record: {0}")]
    Malformed(String),
}

/// What [`Error::Unavailable`] says where there is no room on the disk.
pub(crate) const FULL: &str = "the disk is full";

impl Error {
    /// Whether there is no room on the disk: it is available again once there is.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Unavailable(why) if why == FULL)
    }
}

/// The record.
#[async_trait]
pub trait Record: Send + Sync + 'static {
    /// Appends a batch; each item's outcome, in order. Answered after the fsync.
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error>;

    /// Rows after a position, ascending, at most `limit`.
    async fn read_after(&self, select: Select, after: Position, limit: usize)
    -> Result<Vec<Recorded>, Error>;

    /// Rows before a position (`None`: from the end), descending, at most `limit`.
    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error>;

    /// The rows at these positions, in the order asked for; positions without a row are left out.
    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, Error>;

    /// The end of the record, and how to wait for it to move.
    fn head(&self) -> watch::Receiver<Head>;

    /// The same for those who follow [`Select::Domain`] alone: it moves when such rows come, and may stay where it is
    /// while others do, so that nobody is woken for what is not theirs.
    fn domain_head(&self) -> watch::Receiver<Head> {
        self.head()
    }

    /// The record's clock. Never used for a decision about matching.
    fn now(&self) -> Stamp;

    /// A tenant's configuration position; 0 if it has none. That of `""` is the last of all tenants'.
    async fn config_position(&self, tenant: &TenantId) -> Result<Position, Error>;

    /// Takes leases over: raises their epochs and returns the fences.
    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error>;

    /// The wrapped keys of customers of a tenant, in order; of the tenant itself for `None`.
    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error>;

    /// The wrapped key of a tenant (`customer` `None`) or customer, if there is one.
    async fn key(&self, tenant: &TenantId, customer: Option<CustomerId>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.keys(tenant, &[customer]).await?.pop().flatten())
    }

    /// Destroys a customer's key row, and with it all that was sealed under it; whether there was one. No item that
    /// is under way brings the same row back: it is answered [`Outcome::KeyTaken`].
    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error>;

    /// The event that used this idempotency key (a hash of tenant and key) within the last 24 hours.
    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error>;

    /// Holds what finds rows against the rows themselves, where the home does not answer for that: an index entry
    /// that does not lead to its row leaves it out of an answer in silence. [`Error::Damaged`] where they do not fit.
    /// Takes as long as reading everything does.
    async fn fits_together(&self) -> Result<(), Error> {
        Ok(())
    }
}

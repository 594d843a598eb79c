//! A step on its way into the log: decided by the loop, encoded, sealed and appended beside it.
//!
//! What takes time about a step is not deciding it. So the loop only says what is to be written, and goes on; a
//! batch is made ready for the record and appended by a task of its own.

use domain::ids::ReactionId;
use domain::reaction::{Effect, Event, State};
use eventlog::crypto::Sealer;
use eventlog::record::{self, Item, NewEvent, Outcome, Write};
use tokio::task::JoinHandle;
use tracing::error;

use super::slot::{Letter, Reply, What};
use super::{Error, Tools};

/// A step that has been decided, and is not encoded yet.
pub(super) struct Draft {
    pub(super) reaction: ReactionId,
    /// What it was decided on, unless that is the input among the events.
    pub(super) what: Option<What>,
    pub(super) reply: Option<Reply>,
    /// The input, and what was decided on it.
    pub(super) events: Vec<Event>,
    /// What the events are sealed with; nothing is left of one who was erased, and nothing of theirs is said.
    pub(super) sealer: Option<Sealer>,
    /// The write of the events, without them.
    pub(super) write: Write,
    /// What is appended with them.
    pub(super) item: Item,
    /// The state before, where the step may have to be undone.
    pub(super) before: Option<State>,
}

/// A step that is in the log, or was refused.
pub(super) struct Decided {
    pub(super) reaction: ReactionId,
    pub(super) letter: Letter,
    pub(super) effects: Vec<Effect>,
    /// How many rows of the item are the reaction's: they are its last ones.
    pub(super) rows: u64,
    /// The state before, where the step may have to be undone.
    pub(super) before: Option<State>,
}

/// What became of a batch.
pub(super) type Landed = Vec<(Decided, Outcome)>;

/// A batch that is being appended, beside the loop.
pub(super) struct Batch(JoinHandle<Result<Landed, Error>>);

/// So many steps are sealed before others get their turn on this thread.
const TURN: usize = 64;

impl Batch {
    /// Begins to append a batch.
    pub(super) fn begin(tools: Tools, drafts: Vec<Draft>) -> Self {
        Self(tokio::spawn(async move { tools.write(drafts).await }))
    }

    /// Waits until it is in the log. Cancel-safe.
    pub(super) async fn landed(&mut self) -> Result<Landed, Error> {
        match (&mut self.0).await {
            Ok(landed) => landed,
            Err(broken) => Err(record::Error::Unavailable(broken.to_string()).into()),
        }
    }
}

impl Draft {
    /// The item, and what is to be remembered of the step.
    fn finish(self) -> Result<(Item, Decided), Error> {
        let Self { reaction, what, reply, events, sealer, mut write, mut item, before } = self;
        write.events = events.iter().map(|event| stored(event, sealer.as_ref())).collect::<Result<_, _>>()?;
        item.keys.extend(sealer.and_then(|sealer| sealer.row()));
        item.writes.push(write);
        let rows = events.len() as u64;
        let (mut input, mut effects) = (None, Vec::with_capacity(events.len()));
        for event in events {
            match event {
                Event::Input(taken) => input = Some(What::Input(taken.kind)),
                Event::Effect(effect) => effects.push(effect),
                Event::Matched(_) => {}
            }
        }
        let what =
            what.or(input).ok_or_else(|| record::Error::Malformed("a step without an input".into()))?;
        let letter = Letter { what, cause: item.metadata.cause, reply };
        Ok((item, Decided { reaction, letter, effects, rows, before }))
    }
}

fn stored(event: &Event, sealer: Option<&Sealer>) -> Result<NewEvent, Error> {
    let clear = event.to_json().map_err(|error| record::Error::Damaged(error.to_string()))?;
    let event_type = event.event_type();
    let payload = match sealer {
        Some(sealer) => sealer.seal(event_type, &clear),
        None => clear,
    };
    Ok(NewEvent { event_type, event_version: Event::VERSION, payload, event_id: None, configures: false })
}

impl Tools {
    async fn write(&self, drafts: Vec<Draft>) -> Result<Landed, Error> {
        let (mut items, mut steps) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for (n, draft) in (1..).zip(drafts) {
            let (item, decided) = draft.finish()?;
            items.push(item);
            steps.push(decided);
            if n % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        let outcomes = self.append(items).await?;
        Ok(steps.into_iter().zip(outcomes).collect())
    }

    /// Appends, again and again while the record is away.
    pub(super) async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let appended = record::while_away("what the notifier appends", || self.record.append(items.clone()));
        Ok(appended
            .await
            .inspect_err(|error| error!(%error, "the record refuses what the notifier appends"))?)
    }
}

//! One listener: connect, listen, say how it is, and try again when it ends.

use std::sync::Arc;
use std::time::Duration;

use domain::customer_event::Origin;
use domain::json::{Duplicates, Json, Limits};
use domain::listener::{Kind, mapping};
use eventlog::customer_stream::{Incoming, Refused};
use eventlog::record::{Fence, Metadata};
use tokio::time::Instant;

use super::Tools;
use super::board::{Board, Key, State, Status};
use super::datasift::Datasift;
use super::kept::Known;
use super::pace::{End, GAP, Pace, Then};
use super::pusher::Pusher;
use super::salesforce::Salesforce;
use crate::endpoint::provider::scrub::Scrub;

/// How a third party's event is read: as deep as a customer event may be, and what is given twice counts once.
pub(super) const LIMITS: Limits = Limits { depth: 32, duplicates: Duplicates::LastCounts };

/// The largest customer event, in bytes.
const LARGEST: usize = 256 * 1024;

/// While the record is away it is tried so often.
const AWAY: Duration = Duration::from_secs(1);

/// An event as it was heard.
pub(super) struct Heard {
    /// Where the mapping's paths begin.
    pub(super) event: Json,
    /// Where they are looked for after that.
    pub(super) around: Json,
    /// What the protocol calls it, if it has a name for it that it never gives to another.
    pub(super) id: Option<String>,
}

/// What came and was not taken in.
#[derive(Default)]
struct Tally {
    refused: u64,
    reason: String,
    unreadable: u64,
}

/// A listener that runs.
pub(super) struct Ear {
    pub(super) tools: Arc<Tools>,
    pub(super) key: Key,
    pub(super) known: Known,
    board: Arc<Board>,
    fence: Fence,
    scrub: Option<Scrub>,
    tally: Tally,
    connected: Option<String>,
    /// Whether anything has come since it last connected.
    heard: bool,
}

/// A protocol.
pub(super) enum Source {
    Datasift(Datasift),
    Salesforce(Box<Salesforce>),
    Pusher(Pusher),
}

impl Source {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Datasift => Self::Datasift(Datasift),
            Kind::Salesforce => Self::Salesforce(Box::default()),
            Kind::Pusher => Self::Pusher(Pusher),
        }
    }

    /// Says good-bye, where a third party wants to be told.
    pub(super) async fn leave(&mut self, ear: &Ear) {
        match self {
            Self::Salesforce(salesforce) => salesforce.leave(&ear.tools.outside.http).await,
            Self::Datasift(_) | Self::Pusher(_) => {}
        }
    }
}

impl Ear {
    pub(super) fn new(tools: Arc<Tools>, key: Key, known: Known, board: Arc<Board>, fence: Fence) -> Self {
        let (scrub, tally, connected) = (None, Tally::default(), None);
        Self { tools, key, known, board, fence, scrub, tally, connected, heard: false }
    }

    /// Listens until there is no more sense in it: another server has taken over.
    pub(super) async fn listen(&mut self, source: &mut Source) {
        let mut failures = 0;
        loop {
            self.connected = None;
            self.heard = false;
            self.say(State::Starting, "Connecting");
            let begun = Instant::now();
            let End { why, then } = self.once(source).await;
            if self.heard {
                failures = 0;
            }
            self.connected = None;
            let wait = match then {
                Then::Elsewhere => return,
                Then::Never => {
                    self.say(State::Error, &why);
                    return std::future::pending().await;
                }
                Then::AtOnce => Duration::ZERO,
                Then::Later(pace) => {
                    failures += 1;
                    pace.wait(failures - 1, rand::random())
                }
            };
            let wait = wait.max(GAP.saturating_sub(begun.elapsed()));
            let wait = self.tools.longest_pause.map_or(wait, |most| wait.min(most));
            self.say(State::Error, &format!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
            tokio::time::sleep(wait).await;
        }
    }

    /// One session.
    async fn once(&mut self, source: &mut Source) -> End {
        let kind = self.known.definition.kind.integration();
        let integration = match self.tools.outside.integrations.in_force(&self.key.tenant, kind).await {
            Ok(Some(integration)) => integration,
            Ok(None) => {
                return End::never(format!("integration {} is not set up for this tenant", kind.name()));
            }
            Err(error) => return unreadable(&error),
        };
        self.scrub = Some(Scrub::of(&integration));
        match source {
            Source::Datasift(datasift) => datasift.session(self, &integration).await,
            Source::Salesforce(salesforce) => salesforce.session(self, &integration).await,
            Source::Pusher(pusher) => pusher.session(self, &integration).await,
        }
    }

    /// An option that this type of listener has to have.
    pub(super) fn option(&self, name: &str) -> Result<String, End> {
        let missing = || End::never(format!("the listener has no option {name}"));
        self.known.definition.option(name).map(str::to_owned).ok_or_else(missing)
    }

    /// It is connected and hears what comes.
    pub(super) fn started(&mut self, to: impl Into<String>) {
        self.connected = Some(to.into());
        self.say_started();
    }

    /// Something came: the next failure is the first again.
    pub(super) fn heard(&mut self) {
        self.heard = true;
    }

    fn say_started(&self) {
        let Some(connected) = &self.connected else { return };
        let mut message = connected.clone();
        let Tally { refused, reason, unreadable } = &self.tally;
        if *refused > 0 {
            message += &format!("; {refused} events were not taken, the last because {reason}");
        }
        if *unreadable > 0 {
            message += &format!("; {unreadable} messages could not be read");
        }
        self.say(State::Started, &message);
    }

    fn say(&self, state: State, message: &str) {
        let message = match &self.scrub {
            Some(scrub) => scrub.text(message),
            None => message.to_owned(),
        };
        tracing::debug!(tenant = %self.key.tenant, listener = %self.key.id, %state, message, "listener");
        self.board.say(&self.key, Status { state, message });
    }

    /// A message that was no event and nothing else that could be read.
    pub(super) fn not_understood(&mut self) {
        self.tally.unreadable += 1;
        self.say_started();
    }

    /// Hands events to the door; when this returns, each is in the record, was there already, or was refused for a
    /// fault of its own, which is counted.
    ///
    /// # Errors
    /// Another server listens.
    pub(super) async fn take(&mut self, heard: Vec<Heard>) -> Result<(), End> {
        self.heard |= !heard.is_empty();
        let before = self.tally.refused;
        let mut waiting: Vec<Incoming> = heard.into_iter().filter_map(|heard| self.incoming(heard)).collect();
        while !waiting.is_empty() {
            let answers = self.tools.door.accept_under(waiting.clone(), Some(&self.fence)).await;
            let mut again = Vec::new();
            let mut away = None;
            for (incoming, answer) in waiting.into_iter().zip(answers) {
                match answer {
                    Ok(_) | Err(Refused::Erased) => {}
                    Err(Refused::Event(refusal)) => self.refuse(refusal.to_string()),
                    Err(Refused::Fenced) => {
                        return Err(End { why: String::new(), then: Then::Elsewhere });
                    }
                    Err(Refused::Record(error)) => {
                        away = Some(error);
                        again.push(incoming);
                    }
                }
            }
            waiting = again;
            if let Some(error) = away {
                tracing::warn!(%error, tenant = %self.key.tenant, listener = %self.key.id, "events wait at the door");
                self.say(State::Error, "The events that came cannot be stored just now; they wait");
                tokio::time::sleep(AWAY).await;
                self.say_started();
            }
        }
        if self.tally.refused != before {
            self.say_started();
        }
        Ok(())
    }

    fn refuse(&mut self, reason: String) {
        self.tally.refused += 1;
        self.tally.reason = reason;
    }

    fn incoming(&mut self, heard: Heard) -> Option<Incoming> {
        let event = mapping::apply(&self.known.definition.mapping, &[&heard.event, &heard.around]);
        let event = Json::from(event);
        if event.to_string().len() > LARGEST {
            self.refuse(format!("it has more than {LARGEST} bytes"));
            return None;
        }
        let (kind, id) = (self.known.definition.kind.name(), &self.key.id);
        Some(Incoming {
            tenant: self.key.tenant.clone(),
            event,
            idempotency_key: heard.id.map(|heard| format!("listener {id} {kind} {heard}")),
            origin: Origin::Listener(id.to_string()),
            metadata: Metadata::default(),
        })
    }
}

/// The record is ours: it will be there again.
pub(super) fn unreadable(error: &eventlog::record::Error) -> End {
    tracing::error!(%error, "a listener cannot read what it needs");
    End::later(Pace::doubling(1, 60), "What the listener needs cannot be read just now")
}

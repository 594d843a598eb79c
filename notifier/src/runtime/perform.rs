//! Effects, carried out after their commit; and what comes back of them.

use std::time::Duration;

use domain::customer_event::Origin;
use domain::ids::{EventId, Position, ReactionId, TenantId};
use domain::json::Json;
use domain::reaction::{Answer, Effect, Expectation, Failure, InputKind, Request, StepId};
use domain::time::Stamp;
use eventlog::customer_stream::{Incoming, Refused};
use eventlog::record::{self, Item, Metadata};
use tracing::warn;

use super::attempt::{self, Report};
use super::breaker::Sign;
use super::core::{AT_ONCE, Core};
use super::receipts::Notice;
use super::slot::{Letter, Slot, What};
use super::timers::Timers;
use super::{Error, Tools};
use crate::endpoint;

/// A send or a poll that waits for its turn or is under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) reaction: ReactionId,
    pub(super) step: StepId,
    poll: bool,
    lane: (TenantId, String),
}

/// What a timer wakes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wake {
    /// The reaction: its timer is due.
    Timer(StepId),
    /// A poll that is to be made again.
    Poll(StepId),
}

/// An event of a reaction, as the door prepared or refused it.
pub(super) struct Ready {
    pub(super) reaction: ReactionId,
    pub(super) of: Of,
    pub(super) result: Result<(EventId, Item), String>,
}

/// Where such an event comes from.
pub(super) enum Of {
    /// An `event` of the program.
    Append(StepId),
    /// What a provider says about a send.
    Receipt(Notice),
}

/// Between an answer to a poll and the next, in ms (then.md §2).
const POLL_MS: i64 = 1_000;

impl Core {
    /// Carries out one effect.
    pub(super) fn perform(&mut self, reaction: ReactionId, effect: &Effect) {
        match effect {
            Effect::Send(request) => self.send(reaction, request.id),
            Effect::SetTimer(timer) => self.timers.set(timer.due, (reaction, Wake::Timer(timer.id))),
            Effect::OpenExpect(expectation) => self.expect(reaction, expectation),
            Effect::AppendEvent(append) => self.prepare(reaction, append.id),
            Effect::SetVariable(_) | Effect::Note(_) | Effect::Finished(_) => {}
        }
    }

    /// Queues a send or a poll that is open, unless it is on its way already.
    pub(super) fn send(&mut self, reaction: ReactionId, step: StepId) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        let Some(Effect::Send(request)) = slot.state.open(step) else { return };
        let lane = (slot.owner.tenant.clone(), request.endpoint.clone());
        let poll = request.poll;
        let places = self.tools.endpoints.places(&request.endpoint).unwrap_or(self.tools.options.lane);
        if slot.flights.insert(step) {
            let rates = self.tools.endpoints.rates(&lane.1);
            let now = self.tools.record.now();
            self.lanes.push(lane.clone(), places, rates, Job { reaction, step, poll, lane }, now);
        }
    }

    /// Reads those back whose turn to send it is.
    pub(super) async fn fetch_senders(&mut self) -> Result<(), Error> {
        if self.parked.is_empty() {
            return Ok(());
        }
        let upcoming = self.lanes.upcoming(self.tools.record.now(), AT_ONCE);
        let reactions: Vec<ReactionId> = upcoming.into_iter().map(|job| job.reaction).collect();
        self.awaken(reactions).await
    }

    /// Sends what has its turn, of those that are in memory.
    pub(super) fn dispatch(&mut self) {
        let now = self.tools.record.now();
        while let Some((lane, job)) = self.lanes.next(now, |job| !self.parked.contains_key(&job.reaction)) {
            let request = self.open.get_mut(&job.reaction).and_then(|slot| slot.request(job.step));
            let Some(request) = request else {
                self.lanes.ended(&lane, Sign::None, now);
                self.not_sent(&job);
                continue;
            };
            let (endpoints, reports) = (self.tools.endpoints.clone(), self.reports.clone());
            // The next poll asks anew; an old answer is of no use.
            let grace = if job.poll { Duration::ZERO } else { self.tools.options.grace };
            let who = (job.reaction, job.step);
            let may_hold = !job.poll;
            let task = attempt::start(job, request, endpoints, grace, may_hold, reports);
            self.attempts.insert(who, task);
        }
        self.is_behind |= self.lanes.has_ready();
    }

    /// Its command was over before its turn came: that is an end too, and belongs into the log.
    fn not_sent(&mut self, job: &Job) {
        let Some(slot) = self.open.get_mut(&job.reaction) else { return };
        slot.flights.remove(&job.step);
        if job.poll {
            return self.let_go_if_over(job.reaction);
        }
        let error = "not sent: its command was over before its turn came".to_owned();
        let answer = Answer::Failed(Failure { error, ..Failure::default() });
        self.answered(job, answer);
    }

    /// Takes what an attempt has to say.
    pub(super) fn report(&mut self, report: Report<Job>) {
        match report {
            Report::Answered { who: job, answer } => {
                self.lanes.ended(&job.lane, Sign::of(&answer), self.tools.record.now());
                self.answered(&job, answer);
            }
            Report::Late { who: job, answer } => {
                let poll =
                    self.open.get(&job.reaction).is_some_and(|slot| slot.polls.contains_key(&job.step));
                if !poll {
                    self.answered(&job, answer);
                }
            }
            Report::Over { who: job } => {
                self.attempts.remove(&(job.reaction, job.step));
                if let Some(slot) = self.open.get_mut(&job.reaction) {
                    slot.flights.remove(&job.step);
                }
                self.let_go_if_over(job.reaction);
            }
        }
    }

    fn answered(&mut self, job: &Job, answer: Answer) {
        let now = self.tools.record.now();
        let Some(slot) = self.open.get_mut(&job.reaction) else { return };
        let cause = slot.begun.get(&job.step).copied();
        if !job.poll {
            let answered = InputKind::Answered { send: job.step, answer };
            return self.post(job.reaction, Letter::input(answered, cause));
        }
        let pinned = slot.pinned.as_ref();
        let is_news = pinned.is_some_and(|pinned| slot.state.poll_matters(pinned, job.step, &answer));
        let poll = slot.polls.entry(job.step).or_default();
        if is_news {
            poll.last = None;
            let unchanged = std::mem::take(&mut poll.unchanged);
            let polled = InputKind::Polled { poll: job.step, answer, unchanged };
            self.post(job.reaction, Letter::input(polled, cause));
        } else {
            poll.unchanged = poll.unchanged.saturating_add(1);
            poll.last = Some(answer);
            self.poll_again(job.reaction, job.step, now);
        }
    }

    /// Sets the next poll, if it is still wanted.
    pub(super) fn poll_again(&mut self, reaction: ReactionId, poll: StepId, answered: Stamp) {
        if self.open.get(&reaction).is_some_and(|slot| slot.state.is_open(poll)) {
            self.timers.set(answered.after(POLL_MS), (reaction, Wake::Poll(poll)));
        }
    }

    /// Wakes whatever is due by now.
    pub(super) async fn wake(&mut self) -> Result<(), Error> {
        let early = if eventlog::broken!("timers-early") { 500 } else { 0 };
        let now = self.tools.record.now().after(early);
        let mut due: Vec<_> = std::iter::from_fn(|| self.timers.pop_due(now)).take(AT_ONCE).collect();
        self.is_behind |= due.len() == AT_ONCE;
        due.retain(|(reaction, wake)| self.waits_for(*reaction, *wake));
        self.awaken(due.iter().map(|(reaction, _)| *reaction)).await?;
        for (reaction, wake) in due {
            match wake {
                Wake::Poll(poll) => self.send(reaction, poll),
                Wake::Timer(timer) => self.timer_fired(reaction, timer),
            }
        }
        let mut timers = std::mem::replace(&mut self.timers, Timers::new());
        timers.sweep(|(reaction, wake)| self.waits_for(*reaction, *wake));
        self.timers = timers;
        Ok(())
    }

    fn timer_fired(&mut self, reaction: ReactionId, timer: StepId) {
        let Some(slot) = self.open.get_mut(&reaction).filter(|slot| slot.state.is_open(timer)) else {
            return;
        };
        let cause = slot.begun.get(&timer).copied();
        // The last answer to a poll that this ends is part of its story, also if it was no news.
        let poll = slot.state.poll_ended_by(timer);
        let last = poll.and_then(|id| {
            let poll = slot.polls.get_mut(&id)?;
            let answer = poll.last.take()?;
            let unchanged = std::mem::take(&mut poll.unchanged).saturating_sub(1);
            Some((InputKind::Polled { poll: id, answer, unchanged }, slot.begun.get(&id).copied()))
        });
        if let Some((polled, cause)) = last {
            self.post(reaction, Letter::input(polled, cause));
        }
        self.post(reaction, Letter::input(InputKind::TimerFired { timer }, cause));
    }

    /// Puts an `expect` into the index.
    fn expect(&mut self, reaction: ReactionId, expectation: &Expectation) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        let (who, equality) = ((reaction, expectation.id), expectation.equality.clone());
        let borrowed = equality.as_ref().map(|(name, value)| (name.as_str(), value));
        if let Err(too_many) = self.expects.add(&slot.owner.tenant, borrowed, who) {
            warn!(tenant.id = %slot.owner.tenant, reaction.id = %reaction, "{too_many}: this one fails");
            let cause = slot.begun.get(&expectation.id).copied();
            let reason = too_many.to_string();
            let refused = InputKind::ExpectRefused { expect: expectation.id, reason };
            return self.post(reaction, Letter::input(refused, cause));
        }
        slot.expects.insert(expectation.id, equality);
        if let Some(deadline) = expectation.deadline {
            self.deadlines.set(deadline, who);
        }
    }

    /// Takes an `expect` out of the index; whether it was there.
    pub(super) fn close_expect(&mut self, reaction: ReactionId, expect: StepId) -> bool {
        let Some(slot) = self.open.get_mut(&reaction) else { return false };
        let Some(equality) = slot.expects.remove(&expect) else { return false };
        let borrowed = equality.as_ref().map(|(name, value)| (name.as_str(), value));
        self.expects.remove(&slot.owner.tenant, borrowed, &(reaction, expect));
        true
    }

    /// Takes those out of the index that are no longer waited for.
    pub(super) fn close_expects(&mut self, reaction: ReactionId) {
        let Some(slot) = self.open.get(&reaction) else { return };
        let over = slot.is_over();
        let closed: Vec<StepId> =
            slot.expects.keys().filter(|id| over || !slot.state.is_open(**id)).copied().collect();
        for expect in closed {
            self.close_expect(reaction, expect);
        }
    }

    /// Has an event of a reaction prepared at the door, beside the loop: augments may take their time.
    pub(super) fn prepare(&mut self, reaction: ReactionId, append: StepId) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        let Some(Effect::AppendEvent(wanted)) = slot.state.open(append) else { return };
        if !slot.preparing.insert(append) {
            return;
        }
        let (tools, ready) = (self.tools.clone(), self.prepared.clone());
        let incoming = Incoming {
            tenant: slot.owner.tenant.clone(),
            event: Json::Object(wanted.event.clone()),
            idempotency_key: None,
            origin: Origin::Reaction { reaction, place: wanted.place.to_string(), depth: 0 },
            metadata: Metadata { cause: slot.begun.get(&append).copied(), ..Metadata::default() },
        };
        let (known, causes) = slot.behind();
        let preparing = tokio::spawn(async move { tools.in_chain(known, &causes, incoming).await });
        tokio::spawn(async move {
            // A panic at the door must not leave an event without an end.
            let result = preparing.await.unwrap_or_else(|_| Err("the door broke off".to_owned()));
            // Once the loop has ended nobody listens: the next run takes the event up from the log.
            let _ = ready.send(Ready { reaction, of: Of::Append(append), result });
        });
    }

    /// The door has spoken.
    pub(super) fn event_ready(&mut self, ready: Ready) {
        let Ready { reaction, of, result } = ready;
        let append = match of {
            Of::Append(append) => append,
            Of::Receipt(notice) => return self.receipt_ready(reaction, notice, result),
        };
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        let cause = slot.begun.get(&append).copied();
        if !slot.state.is_open(append) || slot.is_over() {
            slot.preparing.remove(&append);
            return self.let_go_if_over(reaction);
        }
        let what = match result {
            Ok((event, item)) => What::Append { append, event, item: Box::new(item) },
            Err(reason) => {
                slot.preparing.remove(&append);
                What::Input(InputKind::EventRefused { append, reason })
            }
        };
        self.post(reaction, Letter::new(what, cause));
    }
}

impl Slot {
    /// The request of a send or poll that is still wanted, as it goes out now.
    fn request(&mut self, step: StepId) -> Option<endpoint::Request> {
        if self.is_over() {
            return None;
        }
        let Some(Effect::Send(request)) = self.state.open(step) else { return None };
        let mut idempotency_key = request.key.clone();
        if request.poll {
            let poll = self.polls.entry(step).or_default();
            poll.asked += 1;
            idempotency_key = format!("{idempotency_key}/{}", poll.asked);
        }
        let Request { endpoint, verb, params, attempt, limit_ms, possibly_sent_twice, released, .. } =
            request.clone();
        Some(endpoint::Request {
            tenant: self.owner.tenant.clone(),
            reaction: self.id,
            event: self.witness.last().copied(),
            endpoint,
            verb,
            params,
            idempotency_key,
            attempt,
            limit: Duration::from_millis(limit_ms),
            possibly_sent_twice,
            released,
        })
    }
}

impl Tools {
    /// How many events caused one by the other stand before an event that these caused, the first not counted.
    async fn chain(&self, known: u32, causes: &[Position]) -> Result<u32, record::Error> {
        let mut depth = known;
        for page in causes.chunks(256) {
            for row in self.record.read_at(page).await? {
                if let Some(event) = self.customer_event(&row).await? {
                    depth = depth.max(event.origin.depth());
                }
            }
        }
        Ok(depth)
    }

    /// Prepares an event that was caused by these, unless the chain of them is too long.
    pub(super) async fn in_chain(
        &self,
        known: u32,
        causes: &[Position],
        mut incoming: Incoming,
    ) -> Result<(EventId, Item), String> {
        match record::while_away("an event of a reaction", || self.chain(known, causes)).await {
            Ok(before) if before >= self.options.chain => {
                let most = self.options.chain;
                Err(format!("the chain is cut: more than {most} events caused one by the other"))
            }
            Ok(before) => {
                if let Origin::Reaction { depth, .. } = &mut incoming.origin {
                    *depth = before + 1;
                }
                self.at_the_door(&incoming).await
            }
            Err(error) => Err(format!("the events that caused it cannot be read: {error}")),
        }
    }

    async fn at_the_door(&self, incoming: &Incoming) -> Result<(EventId, Item), String> {
        let prepared = record::while_away("an event at the door", || async {
            match self.door.prepare(incoming).await {
                Err(Refused::Record(error)) => Err(error),
                decided => Ok(decided),
            }
        });
        let prepared =
            prepared.await.map_err(|error| error.to_string())?.map_err(|refused| refused.to_string())?;
        Ok((prepared.event.id, prepared.item))
    }
}

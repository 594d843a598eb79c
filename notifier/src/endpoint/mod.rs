//! The third parties to which notifications go, behind one trait: one file per endpoint.
//!
//! An endpoint does one request and says how it ended. It does not retry, wait for its turn, or keep the time:
//! attempts, lanes and time limits are the runtime's, so that they are the same for all. It may be asked the same
//! thing twice with one idempotency key, and passes that on where the provider knows such keys.
//! Read next: [`echo`], the simplest one; `provider`, those
//! behind HTTP; [`http`], the way out.

#[cfg(any(test, feature = "testing"))]
pub mod double;
pub mod echo;
pub mod generic;
pub mod http;
pub(crate) mod integration;
pub(crate) mod provider;
mod sent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{Position, ReactionId, TenantId};
use domain::json::Object;
use domain::reaction::{Answer, Failure};

pub use self::integration::Integrations;
pub use self::provider::{Bases, Outside};
pub use self::sent::Sent;
use crate::runtime::Rate;

/// What is asked of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For whom.
    pub tenant: TenantId,
    /// By which reaction.
    pub reaction: ReactionId,
    /// The last event of the match, to find out who the customer is.
    pub event: Option<Position>,
    /// Of which endpoint.
    pub endpoint: String,
    /// What it is to do.
    pub verb: String,
    /// With what.
    pub params: Object,
    /// One key for all attempts that may have effect once.
    pub idempotency_key: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How long the caller waits; an endpoint may give up earlier, and must not count on more.
    pub limit: Duration,
    /// Whether it may have been done already under the same key: to be asked of the provider, where it can be.
    pub possibly_sent_twice: bool,
    /// Whether a person has looked at it and lets it go out all the same.
    pub released: bool,
}

/// Why a send failed that no retry can mend; nothing was done.
pub fn refused(error: impl Into<String>) -> Answer {
    Answer::Failed(Failure { error: error.into(), ..Failure::default() })
}

/// A third party.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// Its name in programs.
    fn name(&self) -> &str;

    /// How many requests of one tenant may be under way at a time, where that is not the operator's to say.
    fn places(&self) -> Option<usize> {
        None
    }

    /// Does one request; the time that it took is filled in by the caller. May be dropped at any await when the time
    /// is over or the server ends; what `sent` has learned by then says whether it can have been done.
    async fn send(&self, request: &Request, sent: &Sent) -> Answer;
}

/// The endpoints that this server has, by name.
#[derive(Clone, Default)]
pub struct Endpoints {
    all: HashMap<String, Arc<dyn Endpoint>>,
    rates: HashMap<String, Vec<Rate>>,
}

impl Endpoints {
    /// Those that need no integration.
    pub fn built_in() -> Self {
        Self::default().with(Arc::new(echo::Echo)).with(Arc::new(generic::Generic))
    }

    /// The same with one more, in place of any of that name.
    #[must_use]
    pub fn with(mut self, endpoint: Arc<dyn Endpoint>) -> Self {
        self.all.insert(endpoint.name().to_owned(), endpoint);
        self
    }

    /// The same with one more rate to which each tenant's sends to an endpoint keep.
    #[must_use]
    pub fn limited(mut self, endpoint: &str, rate: Rate) -> Self {
        self.rates.entry(endpoint.to_owned()).or_default().push(rate);
        self
    }

    /// The rates to which each tenant's sends to that endpoint keep.
    pub(crate) fn rates(&self, name: &str) -> &[Rate] {
        self.rates.get(name).map_or(&[], Vec::as_slice)
    }

    /// How many requests of one tenant to that endpoint may be under way, where the endpoint knows.
    pub(crate) fn places(&self, name: &str) -> Option<usize> {
        self.all.get(name).and_then(|endpoint| endpoint.places())
    }

    /// Does a request; one of an endpoint that is not there fails for good.
    pub async fn send(&self, request: &Request, sent: &Sent) -> Answer {
        match self.all.get(&request.endpoint) {
            Some(endpoint) => endpoint.send(request, sent).await,
            None => refused(format!("integration {} is not set up for this tenant", request.endpoint)),
        }
    }
}

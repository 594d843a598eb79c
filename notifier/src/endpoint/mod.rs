//! The third parties to which notifications go, behind one trait: one file per endpoint.
//!
//! An endpoint does one request and says how it ended. It does not retry, wait for its turn, or keep the time:
//! attempts, lanes and time limits are the runtime's, so that they are the same for all. It may be asked the same
//! thing twice with one idempotency key, and passes that on where the provider knows such keys.
//! Read next: [`echo`], the simplest one.

#[cfg(any(test, feature = "testing"))]
pub mod double;
pub mod echo;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{ReactionId, TenantId};
use domain::json::Object;

/// What is asked of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// For whom.
    pub tenant: TenantId,
    /// By which reaction.
    pub reaction: ReactionId,
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
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was done.
    Done {
        /// The response values, as `$name` shows them.
        response: Object,
        /// The provider's id of the message, where it gives one.
        message_id: Option<String>,
    },
    /// It was not, as far as is known.
    Failed(Failure),
}

/// Why a request failed, and what that means for the next attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// For people; nothing secret, nothing of the customer.
    pub reason: String,
    /// The provider's status, where there was one.
    pub status: Option<u16>,
    /// No retry can mend it.
    pub for_good: bool,
    /// It may have had its effect all the same.
    pub ambiguous: bool,
    /// The limit of the attempt was over.
    pub timed_out: bool,
    /// Not before this much time, in milliseconds, as the provider asks.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A failure that a retry may mend and that surely had no effect.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// A failure that no retry can mend.
    pub fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), for_good: true, ..Self::default() }
    }
}

/// A third party.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// Its name in programs.
    fn name(&self) -> &str;

    /// Does one request. May be dropped at any await when the time is over or the server ends.
    async fn send(&self, request: &Request) -> Answer;
}

/// The endpoints that this server has, by name.
#[derive(Clone, Default)]
pub struct Endpoints(HashMap<String, Arc<dyn Endpoint>>);

impl Endpoints {
    /// Those that need no integration.
    pub fn built_in() -> Self {
        Self::default().with(Arc::new(echo::Echo))
    }

    /// The same with one more, in place of any of that name.
    #[must_use]
    pub fn with(mut self, endpoint: Arc<dyn Endpoint>) -> Self {
        self.0.insert(endpoint.name().to_owned(), endpoint);
        self
    }

    /// Does a request; one of an endpoint that is not there fails for good.
    pub async fn send(&self, request: &Request) -> Answer {
        match self.0.get(&request.endpoint) {
            Some(endpoint) => endpoint.send(request).await,
            None => Answer::Failed(Failure::for_good(format!(
                "integration {} is not set up for this tenant",
                request.endpoint
            ))),
        }
    }
}

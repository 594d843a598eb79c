//! What all third parties behind HTTP have in common; what each has of its own is one file of pure functions.
//!
//! A provider makes a request of a call, and response values of an answer: no I/O, so that its wire is tested as a
//! table. Everything else is done here, alike for all: the integration in force, the guarded client, what a failure
//! means, and that no secret comes back in what is recorded. Read next: [`zendesk`], a plain one; `call` (the
//! parameters); [`salesforce`], the one with a login.

pub(crate) mod call;
pub(crate) mod pusher;
pub mod salesforce;
pub(crate) mod scrub;
mod sendgrid;
#[cfg(test)]
mod tests;
mod twilio;
mod urban_airship;
mod webhook;
mod zendesk;

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use domain::integration::{Kind, OnAmbiguous};
use domain::reaction::{Answer, Failure, Success};
use eventlog::record;

use self::call::Call;
use self::scrub::Scrub;
use super::http::verdict::{of_nonsense, of_status, of_trouble};
use super::http::{Http, Outgoing, Received, Url};
use super::integration::{Integration, Integrations};
use super::{Endpoint, Endpoints, Request, Sent, refused};
use crate::receipt::Addresses;

/// Where the third parties are.
#[derive(Clone, Debug)]
pub struct Bases {
    /// `CXENGAGE_TWILIO_URL`
    pub twilio: Url,
    /// `CXENGAGE_SENDGRID_URL`
    pub sendgrid: Url,
    /// `CXENGAGE_SALESFORCE_LOGIN_URL`
    pub salesforce_login: Url,
    /// `CXENGAGE_AIRSHIP_URL`
    pub airship: Url,
    /// `CXENGAGE_PUSHER_URL`; if not set, the integration's cluster says where.
    pub pusher: Option<Url>,
    /// `CXENGAGE_DATASIFT_URL`; if not set, each transport has a host of its own.
    pub datasift: Option<Url>,
    /// `CXENGAGE_ZENDESK_URL`; if not set, the integration's subdomain says where.
    pub zendesk: Option<Url>,
}

impl Default for Bases {
    fn default() -> Self {
        let known = |url| Url::parse(url).expect("the providers' own addresses are URLs");
        Self {
            twilio: known("https://api.twilio.com"),
            sendgrid: known("https://api.sendgrid.com"),
            salesforce_login: known("https://login.salesforce.com"),
            airship: known("https://go.urbanairship.com"),
            pusher: None,
            datasift: None,
            zendesk: None,
        }
    }
}

/// What sends over HTTP need.
#[derive(Clone)]
pub struct Outside {
    /// The client.
    pub http: Http,
    /// The tenants' integrations.
    pub integrations: Integrations,
    /// Where the third parties are.
    pub bases: Arc<Bases>,
    /// Where they may say later what became of a send, if this server can be reached.
    pub receipts: Option<Addresses>,
}

impl Endpoints {
    /// Those that are always there, and all third parties.
    pub fn all(outside: Outside) -> Self {
        Self::built_in()
            .with(Remote::new(twilio::Twilio, &outside))
            .with(Remote::new(sendgrid::Sendgrid, &outside))
            .with(Arc::new(salesforce::Salesforce::new(outside.clone())))
            .with(Remote::new(urban_airship::UrbanAirship, &outside))
            .with(Remote::new(pusher::Pusher, &outside))
            .with(Remote::new(webhook::Webhook, &outside))
            .with(Remote::new(zendesk::Zendesk, &outside))
    }
}

/// A third party's wire: pure.
trait Provider: Send + Sync + 'static {
    /// Which one.
    fn kind(&self) -> Kind;

    /// The request that a call becomes.
    ///
    /// # Errors
    /// What is missing or wrong in it, for a person: it is not sent.
    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String>;

    /// The response values of a 2xx answer.
    ///
    /// # Errors
    /// What about it cannot be understood, as the end of "answered 200, but …".
    fn success(&self, verb: &str, received: &Received) -> Result<Success, String>;

    /// What the provider says about a refusal; empty if nothing can be read.
    fn complaint(&self, received: &Received) -> String;

    /// Whether the provider takes the same request twice for one.
    fn is_repeatable(&self, _verb: &str) -> bool {
        false
    }

    /// Where this provider means something else by a status than others do.
    fn correct(&self, _failure: &mut Failure, _received: &Received, _now: SystemTime) {}

    /// Whether a call says where the provider is to say later what became of it.
    fn says_where(&self, _request: &Request) -> bool {
        false
    }

    /// Whether a call needs to know who the customer is.
    fn wants_customer(&self, _request: &Request) -> bool {
        false
    }
}

/// A provider, connected.
struct Remote<P> {
    provider: P,
    outside: Outside,
}

impl<P: Provider> Remote<P> {
    fn new(provider: P, outside: &Outside) -> Arc<Self> {
        Arc::new(Self { provider, outside: outside.clone() })
    }

    async fn call(&self, request: &Request, integration: &Integration, sent: &Sent) -> Answer {
        let now = SystemTime::now();
        let customer = match request.event.filter(|_| self.provider.wants_customer(request)) {
            Some(event) => match reading(sent, || self.outside.integrations.customer_key(event)).await {
                Ok(key) => key,
                Err(error) => return unreadable(&error),
            },
            None => None,
        };
        let receipts = match reading(sent, || self.receipts_at(request)).await {
            Ok(address) => address,
            Err(error) => return unreadable(&error),
        };
        let bases = &self.outside.bases;
        let (customer, receipts) = (customer.as_deref(), receipts.as_deref());
        let call = Call { request, integration, customer, receipts, now, bases };
        let outgoing = match self.provider.request(&call) {
            Ok(outgoing) => outgoing,
            Err(what) => return refused(what),
        };
        let scrub = Scrub::new(integration, &outgoing).and_address(receipts);
        let answer = match self.outside.http.send(outgoing, sent).await {
            Ok(received) => judge(&self.provider, &request.verb, &received, now),
            Err(trouble) => Answer::Failed(of_trouble(&trouble)),
        };
        scrub.answer(answer)
    }

    /// Where the provider is to say what became of a send, if it is to be told.
    async fn receipts_at(&self, request: &Request) -> Result<Option<String>, record::Error> {
        match &self.outside.receipts {
            Some(addresses) if self.provider.says_where(request) => {
                addresses.of_send(&request.tenant, self.provider.kind(), &request.idempotency_key).await
            }
            _ => Ok(None),
        }
    }
}

/// What an answer means.
fn judge(provider: &dyn Provider, verb: &str, received: &Received, now: SystemTime) -> Answer {
    if !(200..300).contains(&received.status) {
        let complaint = provider.complaint(received);
        let mut failure = of_status(received, &complaint, provider.is_repeatable(verb), now);
        provider.correct(&mut failure, received, now);
        return Answer::Failed(failure);
    }
    match provider.success(verb, received) {
        Ok(success) => Answer::Succeeded(Success { status: Some(received.status), ..success }),
        Err(what) => Answer::Failed(of_nonsense(received, &what)),
    }
}

#[async_trait]
impl<P: Provider> Endpoint for Remote<P> {
    fn name(&self) -> &str {
        self.provider.kind().name()
    }

    async fn send(&self, request: &Request, sent: &Sent) -> Answer {
        match in_force(&self.outside.integrations, self.provider.kind(), request, sent).await {
            Ok(integration) => self.call(request, &integration, sent).await,
            Err(answer) => answer,
        }
    }
}

/// The integration for a request, or the answer that there is none to use.
async fn in_force(
    integrations: &Integrations,
    kind: Kind,
    request: &Request,
    sent: &Sent,
) -> Result<Integration, Answer> {
    sent.pending();
    let integration = match reading(sent, || integrations.in_force(&request.tenant, kind)).await {
        Ok(Some(integration)) => integration,
        Ok(None) => {
            let what = format!("integration {} is not set up for this tenant", kind.name());
            return Err(refused(what));
        }
        Err(error) => return Err(unreadable(&error)),
    };
    if integration.on_ambiguous == OnAmbiguous::Hold {
        if request.possibly_sent_twice && !request.released {
            let error = "it may have been sent already, and this integration holds such sends".to_owned();
            return Err(Answer::Failed(Failure { error, held: true, ..Failure::default() }));
        }
        sent.hold_if_ambiguous();
    }
    Ok(integration)
}

/// Reads from our own record what a send needs. While it is away the send waits, and that is not the other side's
/// fault: it costs none of its tries.
async fn reading<T, W>(sent: &Sent, mut work: impl FnMut() -> W) -> Result<T, record::Error>
where
    W: Future<Output = Result<T, record::Error>>,
{
    let work = || {
        let work = work();
        async { work.await.inspect_err(|_| sent.waits()) }
    };
    record::while_away("a send", work).await
}

/// The record is ours, and nothing was sent.
fn unreadable(error: &record::Error) -> Answer {
    tracing::error!(%error, "an integration cannot be read");
    refused("the integration cannot be read")
}

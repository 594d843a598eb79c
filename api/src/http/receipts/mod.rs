//! Receipts: what third parties say later about sends, of their own accord.
//!
//! Nobody who comes here has a token. What lets a receipt in is an address that holds a secret and a signature that
//! only the third party and the tenant can make; both are checked before anything else is looked at, and an address
//! that is not one is answered alike, whatever is wrong with it.

use axum::http::HeaderMap;
use domain::ids::{ReactionId, TenantId};
use domain::integration::Kind;
use domain::reaction::Receipt;
use futures_util::future::try_join_all;
use notifier::endpoint::Integrations;
use notifier::receipt::{self, Addresses, Delivery, Refused, Said};
use notifier::runtime::Taken;
use projections::{SendId, SendView};
use subtle::ConstantTimeEq;

use super::answer::Answer;
use super::body::Format;
use super::call::Call;
use super::change;
use super::problem::Problem;
use super::query;

/// How many receipts of one request are taken in at a time, so that they are appended together.
const AT_ONCE: usize = 64;

/// POST /receipts/{tid}/{type}/{secret}
pub async fn take(call: Call) -> Result<Answer, Problem> {
    let (tenant, kind, address) = addressed(&call).await?;
    let send = call.query.get("send");
    let said = heard(&call, &tenant, kind, &address, send).await?;
    // What has just been sent is known once the read models are where the record is.
    seen(&call).await;
    let mut known = 0;
    for some in said.chunks(AT_ONCE) {
        let taken = try_join_all(some.iter().map(|said| taken(&call, &tenant, kind, said))).await?;
        known += taken.into_iter().filter(|known| *known).count();
    }
    if send.is_some() && known == 0 {
        return Err(Problem::missing("there is no such send"));
    }
    seen(&call).await;
    Ok(Answer::no_content())
}

/// Waits until all that is in the record can be read.
async fn seen(call: &Call) {
    let head = call.state.record.domain_head().borrow().position;
    change::settle(&call.state, head).await;
}

/// Whose address it is, if it is one.
async fn addressed(call: &Call) -> Result<(TenantId, Kind, String), Problem> {
    let unknown = || Problem::missing("there is no such address");
    let addresses: &Addresses = call.state.receipts.as_ref().ok_or_else(unknown)?;
    let named = call.param("type");
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == named && receipt::gives(*kind));
    let kind = kind.ok_or_else(unknown)?;
    let tenant = call.state.tenant_named(call.param("tid")).await?.ok_or_else(unknown)?;
    let address = addresses.of(&tenant, kind).await?;
    let secret = address.rsplit('/').next().unwrap_or_default();
    let right = secret.as_bytes().ct_eq(call.param("secret").as_bytes());
    if bool::from(right) { Ok((tenant, kind, address)) } else { Err(unknown()) }
}

/// What is said, once it is known who says it.
async fn heard(
    call: &Call,
    tenant: &TenantId,
    kind: Kind,
    address: &str,
    send: Option<&str>,
) -> Result<Vec<Said>, Problem> {
    let integrations = Integrations::new(call.state.record.clone(), call.state.vault.clone());
    let integration = integrations.in_force(tenant, kind).await?;
    let integration = integration
        .ok_or_else(|| Problem::forbidden(format!("the integration {} is not set up", kind.name())))?;
    let form = match call.body.format {
        Format::Form => form(&call.body.bytes)?,
        _ => Vec::new(),
    };
    let headers: &HeaderMap = &call.headers;
    let (body, now) = (&call.body.bytes, std::time::SystemTime::now());
    let delivery = Delivery { address, send, headers, body, form: &form, now };
    receipt::read(kind, &integration, &delivery).map_err(|refused| match refused {
        Refused::NotSigned(reason) => Problem::forbidden(reason),
        Refused::Unreadable(reason) => Problem::bad(reason),
    })
}

fn form(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let text = std::str::from_utf8(body).ok().and_then(|text| query::pairs(text).ok());
    text.ok_or_else(|| Problem::bad("the form is not UTF-8"))
}

/// Takes one in; whether the tenant has sent what it is about.
async fn taken(call: &Call, tenant: &TenantId, kind: Kind, said: &Said) -> Result<bool, Problem> {
    let Some((reaction, view)) = send_of(call, tenant, &said.key).await? else { return Ok(false) };
    let place = said.key.split('/').nth(1).and_then(|place| place.parse().ok());
    let Some(place) = place.filter(|_| view.endpoint == kind.name()) else { return Ok(false) };
    let said = said.clone();
    let receipt = Receipt {
        key: said.key,
        place,
        endpoint: kind.name().to_owned(),
        id: said.id,
        status: said.status,
        message_id: said.message_id,
        said: said.said,
        event: None,
        refused: None,
    };
    let taken = call.state.notifier.receipt(tenant, reaction, receipt, view.begun).await;
    let taken = taken.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok(taken != Taken::Missing)
}

/// The tenant's send of that key.
async fn send_of(
    call: &Call,
    tenant: &TenantId,
    key: &str,
) -> Result<Option<(ReactionId, SendView)>, Problem> {
    let reaction = key.split('/').next().and_then(|id| id.parse::<ReactionId>().ok());
    let id = reaction.and_then(|reaction| SendId::of_key(reaction, key));
    let (Some(reaction), Some(id)) = (reaction, id) else { return Ok(None) };
    Ok(call.state.views.send(tenant, id).await?.map(|view| (reaction, view)))
}

//! SendGrid's event webhook: a JSON array of events about messages, the whole of it signed (ECDSA over P-256) with
//! the key whose public half the tenant's integration has as `webhook-public-key`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::json::{Duplicates, Json, Limits, parse};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use super::{Delivery, Refused, Said, short};
use crate::endpoint::integration::Integration;

const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";

/// SendGrid says a thing again for a day if nobody took it.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60 + 5 * 60);

/// How far its clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What stands before the point of a public key on P-256 in its usual wrapping (SubjectPublicKeyInfo).
const WRAPPING: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

pub(super) fn read(integration: &Integration, delivery: &Delivery<'_>) -> Result<Vec<Said>, Refused> {
    signed(integration, delivery)?;
    let limits = Limits { depth: 32, duplicates: Duplicates::LastCounts };
    let body = parse(delivery.body, limits).map_err(|error| Refused::Unreadable(error.to_string()))?;
    let events = body.as_array().ok_or_else(|| Refused::Unreadable("it is no JSON array".to_owned()))?;
    Ok(events.iter().filter_map(said).collect())
}

fn signed(integration: &Integration, delivery: &Delivery<'_>) -> Result<(), Refused> {
    let header = |name: &str| delivery.headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(timestamp)) = (header(SIGNATURE), header(TIMESTAMP)) else {
        return Err(Refused::NotSigned("the event webhook's signature or timestamp is missing"));
    };
    let key = integration.get("webhook-public-key");
    let key = key.ok_or(Refused::NotSigned("the integration has no webhook-public-key to check it with"))?;
    let key = STANDARD.decode(key.trim()).ok();
    let point = key.as_deref().and_then(|key| key.strip_prefix(&WRAPPING));
    let point = point.ok_or(Refused::NotSigned("the integration's webhook-public-key is no key on P-256"))?;
    let wrong = Refused::NotSigned("the event webhook's signature is not that of the integration's key");
    let signature = STANDARD.decode(signature).map_err(|_| wrong.clone())?;
    let signed = [timestamp.as_bytes(), delivery.body].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
    key.verify(&signed, &signature).map_err(|_| wrong)?;
    let seconds =
        timestamp.parse().map_err(|_| Refused::NotSigned("the timestamp is no number of seconds"))?;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
    if is_timely(at, delivery.now) { Ok(()) } else { Err(Refused::NotSigned("it was signed too long ago")) }
}

fn is_timely(at: SystemTime, now: SystemTime) -> bool {
    match now.duration_since(at) {
        Ok(age) => age <= OLDEST,
        Err(ahead) => ahead.duration() <= AHEAD,
    }
}

/// What an event says about one of our messages: those that we have sent bear their send's key.
fn said(event: &Json) -> Option<Said> {
    let text = |name: &str| event.get(name).and_then(Json::as_text);
    let (key, status) = (text("notification_id")?, text("event")?);
    let message_id = text("sg_message_id").unwrap_or_default();
    let id = match text("sg_event_id") {
        Some(id) => id.to_owned(),
        None => format!("{message_id}/{status}/{}", event.get("timestamp").cloned().unwrap_or_default()),
    };
    Some(Said {
        key: key.to_owned(),
        id: short(&id),
        status: short(status),
        message_id: short(message_id),
        said: event.as_object()?.clone(),
    })
}

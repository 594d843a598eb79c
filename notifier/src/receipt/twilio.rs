//! Twilio's status callbacks: a form, one for each change of a message or a call, signed with the account's token
//! over the address that it was given and all that the form says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::json::Object;
use ring::hmac;

use super::address::for_send;
use super::{Delivery, Refused, Said, short};
use crate::endpoint::integration::Integration;

const SIGNATURE: &str = "x-twilio-signature";

pub(super) fn read(integration: &Integration, delivery: &Delivery<'_>) -> Result<Said, Refused> {
    let signature = delivery.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let signature = signature.ok_or(Refused::NotSigned("X-Twilio-Signature is missing"))?;
    let signature = STANDARD.decode(signature).map_err(|_| WRONG)?;
    let token = integration.get("password").ok_or(WRONG)?;
    let address = match delivery.send {
        Some(key) => for_send(delivery.address, key),
        None => delivery.address.to_owned(),
    };
    if !forms(&address).iter().any(|url| is_signed(token, url, delivery.form, &signature)) {
        return Err(WRONG);
    }
    let field =
        |name: &str| delivery.form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if field("AccountSid") != integration.get("account") {
        return Err(Refused::NotSigned("it is about another account"));
    }
    let missing = |what: &str| Refused::Unreadable(format!("{what} is missing"));
    let key = delivery.send.ok_or_else(|| missing("which send the address was given for"))?;
    let sid = field("MessageSid").or(field("CallSid")).ok_or_else(|| missing("MessageSid or CallSid"))?;
    let status = field("MessageStatus").or(field("CallStatus"));
    let status = status.ok_or_else(|| missing("MessageStatus or CallStatus"))?;
    // Twilio's own token for a repeat is not signed, so it proves nothing: what is said does.
    let number = field("SequenceNumber").map(|number| format!("/{number}")).unwrap_or_default();
    let said: Object =
        delivery.form.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    Ok(Said {
        key: key.to_owned(),
        id: short(&format!("{sid}/{status}{number}")),
        status: short(status),
        message_id: short(sid),
        said,
    })
}

const WRONG: Refused = Refused::NotSigned("X-Twilio-Signature is not the integration's");

/// The address as Twilio may have signed it: with the port that goes without saying, or without.
fn forms(address: &str) -> Vec<String> {
    let mut forms = vec![address.to_owned()];
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        let Some(rest) = address.strip_prefix(scheme) else { continue };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        match authority.strip_suffix(port) {
            Some(host) => forms.push(format!("{scheme}{host}{path}")),
            None => forms.push(format!("{scheme}{authority}{port}{path}")),
        }
    }
    forms
}

fn is_signed(token: &str, url: &str, form: &[(String, String)], signature: &[u8]) -> bool {
    let mut sorted: Vec<&(String, String)> = form.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut signed = url.to_owned();
    for (name, value) in sorted {
        signed.push_str(name);
        signed.push_str(value);
    }
    // Twilio's choice; HMAC is sound with it all the same.
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    hmac::verify(&key, signed.as_bytes(), signature).is_ok()
}

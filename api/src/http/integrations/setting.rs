//! From a body to a setting: the fields of a type, its secrets sealed, and back.

use std::collections::BTreeMap;

use domain::client::Scope;
use domain::ids::TenantId;
use domain::integration::{Definition, Kind, MASK, OnAmbiguous, Sealed, Secret, Setting};
use domain::json::{Json, Object};
use eventlog::crypto::Vault;
use eventlog::record;
use notifier::endpoint::http::Url;

use crate::http::call::Call;
use crate::http::fields::Fields;
use crate::http::problem::Problem;

/// The longest value of a field, in bytes.
const LONGEST: usize = 4_096;

/// Where SendGrid is to send its events: to be entered there by a person.
const RECEIPTS: &str = "receipts-url";

/// A setting in clear, as a body has it.
pub(crate) struct Asked {
    fields: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    on_ambiguous: OnAmbiguous,
}

impl Asked {
    /// Takes the fields of a type; what is wrong with them is noted there.
    pub(crate) fn read(fields: &mut Fields, kind: Kind) -> Self {
        let (mut open, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for field in kind.fields() {
            let Some(value) = fields.optional_text(field.name) else { continue };
            fields.check(field.name, !value.is_empty(), "must not be empty");
            fields.check(field.name, value.len() <= LONGEST, "is too long");
            if field.name == "url"
                && let Err(error) = Url::parse(&value)
            {
                fields.check(field.name, false, &error.to_string());
            }
            let values = if field.secret { &mut secrets } else { &mut open };
            values.insert(field.name.to_owned(), value);
        }
        if kind == Kind::Sendgrid {
            // It is shown, so it may come back; what it says is not the client's to choose.
            fields.optional_text(RECEIPTS);
        }
        let headers = if kind.has_headers() { fields.optional_map("headers") } else { None };
        let on_ambiguous = match fields.optional_text("on-ambiguous").as_deref() {
            None | Some("retry") => OnAmbiguous::Retry,
            Some("hold") => OnAmbiguous::Hold,
            Some(_) => {
                fields.check("on-ambiguous", false, "has to be \"retry\" or \"hold\"");
                OnAmbiguous::Retry
            }
        };
        Self { fields: open, secrets, headers: headers.unwrap_or_default(), on_ambiguous }
    }

    /// The setting that is asked for, its secrets sealed.
    ///
    /// # Errors
    /// The record's.
    pub(super) async fn seal(
        self,
        call: &Call,
        kind: Kind,
        name: Option<String>,
        active: bool,
    ) -> Result<Setting, record::Error> {
        let sealer = Sealer { vault: &call.state.vault, tenant: &call.tenant, stored: None };
        self.sealed_by(&sealer, kind, name, active).await
    }

    /// Whether any secret is given, and not only said to be kept.
    pub(crate) fn gives_secrets(&self) -> bool {
        self.secrets.values().chain(self.headers.values()).any(|value| value != MASK)
    }

    /// The same by a sealer that may know what is stored.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn sealed_by(
        &self,
        sealer: &Sealer<'_>,
        kind: Kind,
        name: Option<String>,
        active: bool,
    ) -> Result<Setting, record::Error> {
        let of = |stored: fn(&Definition) -> &BTreeMap<String, Sealed>| sealer.stored.map(stored);
        let stored = of(|definition| &definition.secrets);
        let secrets = sealer.all(&self.secrets, stored, |name| kind.place(name)).await?;
        let stored = of(|definition| &definition.headers);
        let headers = sealer.all(&self.headers, stored, |name| kind.header_place(name)).await?;
        let (fields, on_ambiguous) = (self.fields.clone(), self.on_ambiguous);
        Ok(Setting { name, active, fields, secrets, headers, on_ambiguous })
    }
}

/// What seals a tenant's secrets.
pub(crate) struct Sealer<'a> {
    pub(crate) vault: &'a Vault,
    pub(crate) tenant: &'a TenantId,
    /// What is stored: a secret that is the same is kept, for sealed anew it would look like another.
    pub(crate) stored: Option<&'a Definition>,
}

impl Sealer<'_> {
    async fn all(
        &self,
        clear: &BTreeMap<String, String>,
        stored: Option<&BTreeMap<String, Sealed>>,
        place: impl Fn(&str) -> String,
    ) -> Result<BTreeMap<String, Secret>, record::Error> {
        let mut sealed = BTreeMap::new();
        for (name, value) in clear {
            let place = place(name);
            let stored = stored.and_then(|stored| stored.get(name));
            let secret = if value == MASK || self.is_stored(stored, &place, value).await? {
                Secret::Kept
            } else {
                Secret::New(self.vault.seal_credential(self.tenant, &place, value).await?)
            };
            sealed.insert(name.clone(), secret);
        }
        Ok(sealed)
    }

    async fn is_stored(
        &self,
        stored: Option<&Sealed>,
        place: &str,
        value: &str,
    ) -> Result<bool, record::Error> {
        let Some(stored) = stored else { return Ok(false) };
        Ok(self.vault.open_credential(self.tenant, place, stored).await?.as_str() == value)
    }
}

/// The setting that a definition came from, all secrets kept.
pub(super) fn unchanged(definition: &Definition) -> Setting {
    let kept = |sealed: &BTreeMap<String, Sealed>| {
        sealed.keys().map(|name| (name.clone(), Secret::Kept)).collect::<BTreeMap<_, _>>()
    };
    Setting {
        name: definition.name.clone(),
        active: definition.active,
        fields: definition.fields.clone(),
        secrets: kept(&definition.secrets),
        headers: kept(&definition.headers),
        on_ambiguous: definition.on_ambiguous,
    }
}

/// Sets the fields of a definition: secrets in clear for those who may see them, else masked.
///
/// # Errors
/// The record's.
pub(super) async fn show(
    call: &Call,
    kind: Kind,
    definition: &Definition,
    shown: &mut Object,
) -> Result<(), Problem> {
    for field in kind.fields() {
        if let Some(value) = definition.fields.get(field.name) {
            shown.set(field.name, value.as_str());
        } else if let Some(sealed) = definition.secrets.get(field.name) {
            shown.set(field.name, reveal(call, &kind.place(field.name), sealed).await?);
        }
    }
    if !definition.headers.is_empty() {
        let mut headers = Object::new();
        for (name, sealed) in &definition.headers {
            headers.set(name.as_str(), reveal(call, &kind.header_place(name), sealed).await?);
        }
        shown.set("headers", headers);
    }
    if let Some(addresses) = call.state.receipts.as_ref().filter(|_| kind == Kind::Sendgrid) {
        let address = addresses.of(&call.tenant, kind).await?;
        shown.set(RECEIPTS, if may_see_secrets(call) { address.as_str() } else { MASK });
    }
    if definition.on_ambiguous == OnAmbiguous::Hold {
        shown.set("on-ambiguous", "hold");
    }
    Ok(())
}

fn may_see_secrets(call: &Call) -> bool {
    call.grant.as_ref().is_some_and(|grant| grant.scopes.contains(&Scope::Secrets))
}

async fn reveal(call: &Call, place: &str, sealed: &Sealed) -> Result<Json, Problem> {
    if !may_see_secrets(call) {
        return Ok(MASK.into());
    }
    let clear = call.state.vault.open_credential(&call.tenant, place, sealed).await?;
    Ok(clear.as_str().into())
}

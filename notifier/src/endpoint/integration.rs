//! A tenant's integration as it is in force now, opened for one send.
//!
//! It is read from the record for every send: one indexed read beside a request to a third party, and never out of
//! date. What is opened is wiped when the send is over, and has no way into a log: nothing here prints itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{Position, TenantId};
use domain::integration::{Event, Kind, OnAmbiguous};
use eventlog::crypto::Vault;
use eventlog::record::{self, Record, Select, StreamId, StreamKind};
use zeroize::Zeroizing;

/// An integration in clear.
pub struct Integration {
    /// The event that set it up: another one, another integration.
    pub version: Position,
    /// What it has, secrets included.
    fields: BTreeMap<String, Zeroizing<String>>,
    /// Headers of a webhook.
    pub headers: BTreeMap<String, Zeroizing<String>>,
    /// What to do when nobody knows whether a send was done.
    pub on_ambiguous: OnAmbiguous,
    /// What must not be seen.
    secrets: Vec<Zeroizing<String>>,
}

impl Integration {
    /// A field, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A field that has to be there.
    ///
    /// # Errors
    /// It is not: what to tell.
    pub fn need(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("the integration has no {name}"))
    }

    /// What must not be seen outside.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|secret| secret.as_str())
    }

    /// One for tests, at position 1; fields whose names the type says are secret are so here.
    #[cfg(test)]
    pub fn of(kind: Kind, fields: &[(&str, &str)]) -> Self {
        let secret = |name: &str| kind.field(name).is_some_and(|field| field.secret);
        Self {
            version: Position(1),
            secrets: fields
                .iter()
                .filter(|(name, _)| secret(name))
                .map(|(_, v)| v.to_string().into())
                .collect(),
            fields: fields.iter().map(|(name, value)| (name.to_string(), value.to_string().into())).collect(),
            headers: BTreeMap::new(),
            on_ambiguous: OnAmbiguous::Retry,
        }
    }
}

/// Where integrations are read.
#[derive(Clone)]
pub struct Integrations {
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
}

impl Integrations {
    /// Those of a record.
    pub fn new(record: Arc<dyn Record>, vault: Arc<Vault>) -> Self {
        Self { record, vault }
    }

    /// A tenant's integration of a type; none if it is not set up, or not active.
    ///
    /// # Errors
    /// The record's.
    pub async fn in_force(
        &self,
        tenant: &TenantId,
        kind: Kind,
    ) -> Result<Option<Integration>, record::Error> {
        let stream = StreamId::new(tenant, StreamKind::Integration, kind.name());
        let Some(row) = self.record.read_before(Select::Stream(stream), None, 1).await?.pop() else {
            return Ok(None);
        };
        let event = serde_json::from_slice(&row.payload)
            .map_err(|error| record::Error::Damaged(format!("position {}: {error}", row.position)))?;
        let Event::Set(definition) = event else { return Ok(None) };
        if !definition.active {
            return Ok(None);
        }
        let mut fields: BTreeMap<_, _> =
            definition.fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        let mut secrets = Vec::new();
        for (name, sealed) in &definition.secrets {
            let clear = self.vault.open_credential(tenant, &kind.place(name), sealed).await?;
            secrets.push(clear.clone());
            fields.insert(name.clone(), clear);
        }
        let mut headers = BTreeMap::new();
        for (name, sealed) in &definition.headers {
            let clear = self.vault.open_credential(tenant, &kind.header_place(name), sealed).await?;
            secrets.push(clear.clone());
            headers.insert(name.clone(), clear);
        }
        let on_ambiguous = definition.on_ambiguous;
        Ok(Some(Integration { version: row.position, fields, headers, on_ambiguous, secrets }))
    }

    /// The value of the key attribute in a customer event; none if the customer was erased.
    ///
    /// # Errors
    /// The record's.
    pub async fn customer_key(&self, event: Position) -> Result<Option<String>, record::Error> {
        let Some(row) = self.record.read_at(&[event]).await?.pop() else { return Ok(None) };
        let eventlog::crypto::Opened::Clear(clear) = self.vault.open(&row).await? else { return Ok(None) };
        let event: domain::customer_event::CustomerEvent = serde_json::from_slice(&clear)
            .map_err(|error| record::Error::Damaged(format!("position {}: {error}", row.position)))?;
        Ok(Some(event.key))
    }
}

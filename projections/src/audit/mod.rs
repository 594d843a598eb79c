//! The audit trail of resources: who made, changed or deleted what, when, from what to what.
//!
//! No secret and no hash of one ever gets here.

mod query;
mod view;

use domain::{augment, client, integration, listener, pattern, template, tenant};
use eventlog::crypto::Erasure;
use serde_json::{Value, json};

pub use view::{AuditEntry, ChangeKind};

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "audit",
    id: "projection.audit.v1",
    tables: &["audit_v1"],
    schema: "CREATE TABLE IF NOT EXISTS audit_v1$ (
        tenant TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, author TEXT, kind TEXT NOT NULL,
        resource TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT,
        PRIMARY KEY (tenant, position), UNIQUE (resource, id, tenant, position)) STRICT, WITHOUT ROWID",
    batch: || Box::new(Audit),
};

struct Audit;

impl Batch for Audit {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        match &entry.body {
            Body::Tenant(event) => {
                let tenant = entry.id.as_str();
                let before = last(tenant, "tenant", entry, target)?;
                let (kind, after) = of_tenant(event, before.as_deref());
                write(tenant, "tenant", kind, before, after, entry, target)
            }
            Body::Pattern(event) => {
                let (kind, after) = match event {
                    pattern::Event::Created(definition) => {
                        (ChangeKind::Created, Some(of_pattern(definition)))
                    }
                    pattern::Event::Updated(definition) => {
                        (ChangeKind::Updated, Some(of_pattern(definition)))
                    }
                    pattern::Event::Deleted => (ChangeKind::Deleted, None),
                };
                change("pattern", kind, after, entry, target)
            }
            Body::Template(event) => {
                let (kind, after) = match event {
                    template::Event::Created(definition) => (ChangeKind::Created, Some(json!(definition))),
                    template::Event::Updated(definition) => (ChangeKind::Updated, Some(json!(definition))),
                    template::Event::Deleted => (ChangeKind::Deleted, None),
                };
                change("template", kind, after, entry, target)
            }
            Body::Listener(event) => {
                let (kind, after) = match event {
                    listener::Event::Created(definition) => (ChangeKind::Created, Some(json!(definition))),
                    listener::Event::Updated(definition) => (ChangeKind::Updated, Some(json!(definition))),
                    listener::Event::Deleted => (ChangeKind::Deleted, None),
                };
                change("listener", kind, after, entry, target)
            }
            Body::Integration(event) => {
                // Its life has no first event of its own: what was not there before is made now.
                let before = last(entry.tenant.as_str(), "integration", entry, target)?;
                let (kind, after) = match event {
                    integration::Event::Set(definition) if before.is_none() => {
                        (ChangeKind::Created, Some(of_integration(definition)))
                    }
                    integration::Event::Set(definition) => {
                        (ChangeKind::Updated, Some(of_integration(definition)))
                    }
                    integration::Event::Deleted => (ChangeKind::Deleted, None),
                };
                write(entry.tenant.as_str(), "integration", kind, before, after, entry, target)
            }
            Body::Augment(event) => {
                let kind = match event {
                    augment::Event::Created(_) => ChangeKind::Created,
                    augment::Event::Updated(_)
                    | augment::Event::FileSet(_)
                    | augment::Event::FileDeleted(_) => ChangeKind::Updated,
                    augment::Event::Deleted => ChangeKind::Deleted,
                };
                change("augment", kind, event.clone().into_definition().map(of_augment), entry, target)
            }
            Body::Client(event) => of_client(event, entry, target),
            Body::Erasure(erasure) => of_erasure(erasure, entry, target),
            Body::Token(_) | Body::Reaction(..) | Body::Erased | Body::Other => Ok(()),
        }
    }
}

/// Of an erased customer nothing can be shown but that they were: their id is a hash that names nobody.
fn of_erasure(erasure: &Erasure, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
    let of_customer = Entry {
        id: erasure.customer.to_string(),
        tenant: entry.tenant.clone(),
        by: entry.by.clone(),
        body: Body::Other,
        ..*entry
    };
    write(entry.tenant.as_str(), "customer", ChangeKind::Deleted, None, None, &of_customer, target)
}

fn of_tenant(event: &tenant::Event, before: Option<&str>) -> (ChangeKind, Option<Value>) {
    match event {
        tenant::Event::Created { name, uuid } => {
            (ChangeKind::Created, Some(json!({"name": name, "uuid": uuid})))
        }
        tenant::Event::KeyAttributeSet { key } => {
            // What was written here is an object; a tenant without a beginning starts from an empty one.
            let mut after: Value =
                before.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
            after["key-attribute"] = json!(key);
            (ChangeKind::Updated, Some(after))
        }
    }
}

/// What the API shows of a pattern: not how often its matching has started afresh.
fn of_pattern(definition: &pattern::Definition) -> Value {
    let mut shown = json!(definition);
    if let Some(members) = shown.as_object_mut() {
        members.remove("version");
    }
    shown
}

/// What the API shows of an augment, and how long its file is: not where that is kept.
fn of_augment(definition: augment::Definition) -> Value {
    let mut shown = json!(definition);
    if let Some(members) = shown.as_object_mut() {
        if members.remove("older-service").is_some() {
            members.insert("augment-service".into(), json!(definition.service));
        }
        if let Some(file) = members.get_mut("file").and_then(Value::as_object_mut) {
            file.remove("id");
        }
    }
    shown
}

/// What anybody may see of an integration: not even what a secret looks like when it is sealed.
fn of_integration(definition: &integration::Definition) -> Value {
    let mut shown = json!(definition);
    for names in ["secrets", "headers"] {
        if let Some(sealed) = shown[names].as_object_mut() {
            sealed.values_mut().for_each(|value| *value = json!(integration::MASK));
        }
    }
    shown
}

/// A client belongs to no tenant: an entry in the trail of each that it is bound to, or in that of none (`""`).
fn of_client(event: &client::Event, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
    match event {
        client::Event::Created { name, scopes, tenants, .. } => {
            let after = json!({"name": name, "scopes": scopes, "tenants": tenants});
            let bound = tenants.iter().map(|tenant| tenant.as_str());
            for tenant in bound.chain(tenants.is_empty().then_some("")) {
                write(tenant, "client", ChangeKind::Created, None, Some(after.clone()), entry, target)?;
            }
            Ok(())
        }
        client::Event::Deleted => {
            let sql = "SELECT json_group_array(DISTINCT tenant) FROM audit_v1$
                WHERE resource = 'client' AND id = ?1 AND kind = 'created'";
            let tenants: String = target.find(sql, [&entry.id], |row| row.get(0))?.unwrap_or_default();
            let tenants: Vec<String> = serde_json::from_str(&tenants).unwrap_or_default();
            for tenant in tenants {
                let before = last(&tenant, "client", entry, target)?;
                write(&tenant, "client", ChangeKind::Deleted, before, None, entry, target)?;
            }
            Ok(())
        }
    }
}

fn change(
    resource: &str,
    kind: ChangeKind,
    after: Option<Value>,
    entry: &Entry,
    target: &Target<'_>,
) -> Result<(), Error> {
    let tenant = entry.tenant.as_str();
    let before = last(tenant, resource, entry, target)?;
    write(tenant, resource, kind, before, after, entry, target)
}

/// What the resource was after the change before this one.
fn last(tenant: &str, resource: &str, entry: &Entry, target: &Target<'_>) -> Result<Option<String>, Error> {
    let sql = "SELECT after FROM audit_v1$ WHERE tenant = ?1 AND resource = ?2 AND id = ?3
        ORDER BY position DESC LIMIT 1";
    Ok(target.find(sql, (tenant, resource, &entry.id), |row| row.get(0))?.flatten())
}

fn write(
    tenant: &str,
    resource: &str,
    kind: ChangeKind,
    before: Option<String>,
    after: Option<Value>,
    entry: &Entry,
    target: &Target<'_>,
) -> Result<(), Error> {
    let row = (
        tenant,
        entry.position.0,
        entry.stamp.0,
        &entry.by,
        kind.name(),
        resource,
        &entry.id,
        before,
        after.map(|value| value.to_string()),
    );
    let sql = "INSERT INTO audit_v1$ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    target.execute(sql, row).map(|_| ())
}

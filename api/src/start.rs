//! What a server does once before it answers.

use std::collections::HashSet;

use domain::client::{Client, Command, Scope};
use domain::ids::{Position, TenantId};
use eventlog::crypto;
use eventlog::record::{Metadata, StreamId, StreamKind};
use projections::Views;

use crate::app::Error;
use crate::http::state::System;
use crate::oauth::secret;

/// Lets go of files that no augment names: of uploads that did not come to their end. Those of the last day may
/// still be on their way.
pub(crate) async fn sweep(system: &System) -> Result<(), Error> {
    let mut in_force = HashSet::new();
    for tenant in system.views.tenants().await? {
        let augments = system.views.augments(&tenant.id).await?;
        let files = augments.into_iter().filter_map(|augment| augment.definition.file);
        in_force.extend(files.map(|file| (tenant.id.clone(), file.id)));
    }
    let before = system.record.now().after(-24 * 60 * 60 * 1_000);
    let is_in_force = |tenant: &TenantId, file: &str| in_force.contains(&(tenant.clone(), file.to_owned()));
    Ok(system.files.sweep(before, is_in_force).await?)
}

/// Destroys keys whose erasure was noted, and then cut off by a crash.
pub(crate) async fn finish_erasures(system: &System) -> Result<(), Error> {
    for tenant in system.views.tenants().await? {
        let erasures = crypto::erasures(&*system.record, &tenant.id).await?;
        let finished = system.vault.finish_erasures(&tenant.id, &erasures).await?;
        if finished > 0 {
            tracing::warn!(tenant = %tenant.id, finished, "erasures that were cut off have been finished");
        }
    }
    Ok(())
}

/// Makes an admin client where there is none; its id and secret if the secret was drawn here.
pub(crate) async fn admin(
    system: &System,
    given: Option<(String, String)>,
) -> Result<Option<(String, String)>, Error> {
    if system.views.has_admin().await? {
        return Ok(None);
    }
    let failed = |e: &dyn std::fmt::Display| Error::Admin(e.to_string());
    let drawn = given.is_none();
    let (id, secret) = match given {
        Some(given) => given,
        None => ("admin".to_owned(), secret::draw().map_err(|e| failed(&e))?),
    };
    let secret_hash = secret::hash_now(&secret).map_err(|e| failed(&e))?;
    let command = Command::Create {
        name: "admin".into(),
        secret_hash,
        scopes: vec![Scope::Admin],
        tenants: Vec::new(),
    };
    let stream = StreamId::new(&TenantId(String::new()), StreamKind::Client, id.as_str());
    let committed = match system.commands.execute::<Client>(stream, command, Metadata::default()).await {
        Ok(committed) => committed,
        Err(error) => {
            // Another server on the same database may have started at the same time.
            catch_up(&system.views, system.record.domain_head().borrow().position).await?;
            return if system.views.has_admin().await? { Ok(None) } else { Err(failed(&error)) };
        }
    };
    system.views.wait_for(committed.position).await?;
    Ok(drawn.then_some((id, secret)))
}

/// Waits until the read models have taken the record in, however long it is.
pub(crate) async fn catch_up(views: &Views, head: Position) -> Result<(), Error> {
    while let Err(late) = views.wait_for(head).await {
        match late {
            projections::Error::Late { wanted, at } => {
                tracing::info!(%at, %wanted, "the read models catch up")
            }
            other => return Err(other.into()),
        }
    }
    Ok(())
}

//! `cxengage replay`: the stored record through the engine and the interpreter again. Sends nothing.

use std::process::ExitCode;

use domain::dsl::Limits;
use domain::ids::{Position, TenantId};
use domain::time::Stamp;
use eventlog::record::Select;

use super::store::{PAGE, Store};
use super::{Failure, Outcome, print, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    store: store::Options,
    /// Whose record.
    #[arg(long, env = "CXENGAGE_TENANT")]
    tenant: String,
    /// Compare only what completed at this time or later (RFC 3339).
    #[arg(long, env = "CXENGAGE_FROM", value_parser = store::time)]
    from: Option<Stamp>,
}

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        let store = options.store.open().await?;
        eventlog::check::check(&*store.record).await?;
        let tenant = store.tenant(&options.tenant).await?;
        let matches = matches(&store, &tenant, options.from).await?;
        let decisions = decisions(&store, &tenant, options.from).await?;
        Ok(if matches && decisions { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Whether the recorded matches come out again; what does not is printed.
async fn matches(store: &Store, tenant: &TenantId, from: Option<Stamp>) -> Result<bool, Failure> {
    let report = engine::replay::replay(&store.record, &store.vault, tenant, from).await?;
    report.differences.iter().try_for_each(|difference| print(&difference.to_string()))?;
    say(&format!(
        "{} events, {} matches, {} differences, {} left out as erased",
        report.events,
        report.matches,
        report.differences.len(),
        report.erased
    ));
    Ok(report.differences.is_empty())
}

/// Whether the recorded reactions' decisions come out again; what does not is printed.
async fn decisions(store: &Store, tenant: &TenantId, from: Option<Stamp>) -> Result<bool, Failure> {
    let after = match from {
        Some(from) => last_before(store, tenant, from).await?,
        None => Position(0),
    };
    let report =
        notifier::replay::replay(store.record.clone(), &store.vault, tenant, after, Limits::STORED).await?;
    for (id, difference) in &report.differences {
        print(&format!("! {id}: upon the input at position {}", difference.input))?;
        difference.recorded.iter().try_for_each(|effect| print(&format!("  - recorded {effect:?}")))?;
        difference.decided.iter().try_for_each(|effect| print(&format!("  + decided  {effect:?}")))?;
    }
    for (id, why) in &report.unreadable {
        print(&format!("! {id} cannot be read: {why}"))?;
    }
    say(&format!(
        "{} reactions, {} steps, {} differences, {} not started, {} left out as erased",
        report.reactions,
        report.steps,
        report.differences.len() + report.unreadable.len(),
        report.not_started,
        report.erased
    ));
    Ok(report.is_clean())
}

/// The tenant's last position stamped before a time.
async fn last_before(store: &Store, tenant: &TenantId, time: Stamp) -> Result<Position, Failure> {
    let mut after = Position(0);
    loop {
        let rows = store.record.read_after(Select::Tenant(tenant.clone()), after, PAGE).await?;
        let earlier = rows.iter().take_while(|row| row.stamp < time).count();
        match rows[..earlier].last() {
            Some(last) => after = last.position,
            None => return Ok(after),
        }
    }
}

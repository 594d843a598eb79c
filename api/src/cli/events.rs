//! `cxengage events`: a tenant's stored stream as JSON lines, each event as augmented.

use std::io::Write;
use std::process::ExitCode;

use domain::customer_event::CustomerEvent;
use domain::ids::Position;
use domain::time::Stamp;
use eventlog::crypto::Opened;
use eventlog::record::Select;

use super::store::PAGE;
use super::{Failure, Outcome, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    store: store::Options,
    /// Whose events.
    #[arg(long, env = "CXENGAGE_TENANT")]
    tenant: String,
    /// Only events stamped at this time or later (RFC 3339).
    #[arg(long, env = "CXENGAGE_FROM", value_parser = store::time)]
    from: Option<Stamp>,
    /// Only events stamped before this time (RFC 3339).
    #[arg(long, env = "CXENGAGE_TO", value_parser = store::time)]
    to: Option<Stamp>,
}

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        let store = options.store.open().await?;
        eventlog::check::check(&*store.record).await?;
        let tenant = store.tenant(&options.tenant).await?;
        // What comes after this is left for the next time, so that the stamp told below holds for all of it.
        let head = *store.record.head().borrow();
        let mut out = std::io::BufWriter::new(super::out());
        let (mut after, mut written, mut erased) = (Position(0), 0u64, 0u64);
        loop {
            let rows = store.record.read_after(Select::CustomerEvents(tenant.clone()), after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.position;
            for row in rows.iter().filter(|row| row.position <= head.position && options.wanted(row.stamp)) {
                match store.vault.open(row).await? {
                    Opened::Erased => erased += 1,
                    Opened::Clear(payload) => {
                        writeln!(out, "{}", line(&serde_json::from_slice(&payload)?, row.stamp))?;
                        written += 1;
                    }
                }
            }
            if after >= head.position {
                break;
            }
        }
        out.flush()?;
        say(&format!("{written} events, {erased} erased, last stamp {}", head.stamp.0));
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}

impl Options {
    fn wanted(&self, stamp: Stamp) -> bool {
        self.from.is_none_or(|from| stamp >= from) && self.to.is_none_or(|to| stamp < to)
    }
}

fn line(event: &CustomerEvent, stamp: Stamp) -> domain::json::Object {
    let mut line = event.effective();
    line.set("@at", stamp.0);
    line.set("@key", event.key.as_str());
    line.set("@id", event.id.to_string());
    line
}

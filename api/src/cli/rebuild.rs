//! `cxengage rebuild`: read models anew from the record, beside the old ones, while a server may be running.

use std::process::ExitCode;

use projections::Views;

use super::{Failure, Outcome, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    store: store::Options,
    /// Which read model; all of them if left out.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(projections::names()))]
    projection: Option<String>,
}

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        let store = options.store.open().await?;
        let views = Views::open(&crate::app::views_path(&options.store.data_dir))?;
        let mut last = None;
        let tell = |progress: projections::Progress| {
            if last != Some(progress.model) {
                last = Some(progress.model);
                say(&format!("{}: up to position {}", progress.model, progress.end));
            }
        };
        projections::rebuild(&views, store.record.clone(), &store.vault, options.projection.as_deref(), tell)
            .await?;
        say("done");
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}

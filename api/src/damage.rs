//! The record is read as a whole against its checksums while a server runs: what is damaged is noticed before it is
//! asked for.

use std::sync::Arc;
use std::time::Duration;

use eventlog::check::check;
use eventlog::record::{Error, Record};

/// How long after one reading the next begins.
const EVERY: Duration = Duration::from_secs(24 * 3_600);

/// How long after one that could not be finished.
const SOON: Duration = Duration::from_secs(60);

/// Reads the whole record now and then, at once for the first time. Comes to its end when something does not fit.
pub async fn look_for(record: Arc<dyn Record>) -> Error {
    loop {
        let pause = match check(&*record).await {
            Ok(()) => EVERY,
            Err(Error::Unavailable(error)) => {
                tracing::warn!(
                    error,
                    "the record could not be held against its checksums; it is tried again"
                );
                SOON
            }
            Err(error) => return error,
        };
        tokio::time::sleep(pause).await;
    }
}

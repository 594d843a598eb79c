//! Logging: to stderr, structured, never payloads, tokens or addresses.

use tracing_subscriber::EnvFilter;

/// Starts logging.
///
/// # Errors
/// A filter that does not read.
pub(crate) fn start(filter: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|e| format!("--log {filter:?}: {e}"))?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // Only a second start in one process can fail, and the first one's subscriber then serves both.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
    Ok(())
}

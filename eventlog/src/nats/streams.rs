//! The two streams: made where they are not there, and looked at where they are.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::connect::{Error, Nats, Options};

/// The stream of the record's rows.
pub const LOG: &str = "CXENGAGE_LOG";

/// The stream that keeps what publishers send until the receiver has committed it.
pub const INGEST: &str = "CXENGAGE_INGEST";

/// For how long JetStream itself refuses a message id that it has seen. The record's own window is 24 hours.
const DUPLICATES: Duration = Duration::from_secs(120);

/// The metadata of a stream that says whose rows it holds.
const OWNER: &str = "cxengage-record";

fn log(options: &Options, own: &str) -> Config {
    Config {
        name: LOG.into(),
        description: Some("The record's rows, by partition. May be emptied at any time.".into()),
        subjects: vec!["cxengage.log.>".into()],
        max_age: options.retention,
        ..common(options, own)
    }
}

fn ingest(options: &Options, own: &str) -> Config {
    Config {
        name: INGEST.into(),
        description: Some("Customer events on their way in.".into()),
        subjects: vec!["cxengage.ingest.*".into()],
        retention: RetentionPolicy::WorkQueue,
        ..common(options, own)
    }
}

fn common(options: &Options, own: &str) -> Config {
    Config {
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        num_replicas: options.replicas,
        duplicate_window: DUPLICATES,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_message_size: -1,
        max_consumers: -1,
        allow_direct: true,
        metadata: HashMap::from([(OWNER.to_owned(), own.to_owned())]),
        ..Config::default()
    }
}

/// Makes sure of both streams.
///
/// # Errors
/// One is there with other settings, or cannot be made.
pub(super) async fn ensure(nats: &Nats) -> Result<(), Error> {
    ensure_one(nats, LOG, log(&nats.options, &nats.own)).await?;
    ensure_one(nats, INGEST, ingest(&nats.options, &nats.own)).await
}

/// Makes the stream of the log again if somebody has deleted it.
pub(super) async fn ensure_log(nats: &Nats) -> Result<(), Error> {
    ensure_one(nats, LOG, log(&nats.options, &nats.own)).await
}

async fn ensure_one(nats: &Nats, name: &'static str, wanted: Config) -> Result<(), Error> {
    let failed = |error: &dyn std::fmt::Display| Error::JetStream(format!("{name}: {error}"));
    match nats.jetstream.get_stream(name).await {
        Ok(stream) => check(name, &wanted, &stream.cached_info().config),
        Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(ref e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND) => {
            nats.jetstream.create_stream(wanted).await.map(drop).map_err(|error| failed(&error))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Says what differs in what matters here, and how to mend it.
fn check(stream: &'static str, wanted: &Config, found: &Config) -> Result<(), Error> {
    let owner = |config: &Config| config.metadata.get(OWNER).cloned().unwrap_or_else(|| "not said".into());
    if owner(wanted) != owner(found) {
        return Err(Error::Foreign { stream, found: owner(found), own: owner(wanted) });
    }
    let mut differences = Vec::new();
    let mut flags = Vec::new();
    let mut compare = |what: &str, wanted: String, found: String, flag: Option<String>| {
        if wanted != found {
            differences.push(format!("{what} is {found}, not {wanted}"));
            flags.push(flag);
        }
    };
    let seconds = |d: Duration| format!("{}s", d.as_secs());
    compare(
        "subjects",
        wanted.subjects.join(" "),
        found.subjects.join(" "),
        Some(format!("--subjects '{}'", wanted.subjects.join(","))),
    );
    compare("retention", format!("{:?}", wanted.retention), format!("{:?}", found.retention), None);
    compare("storage", format!("{:?}", wanted.storage), format!("{:?}", found.storage), None);
    compare(
        "the number of replicas",
        wanted.num_replicas.to_string(),
        found.num_replicas.to_string(),
        Some(format!("--replicas {}", wanted.num_replicas)),
    );
    compare(
        "the greatest age",
        seconds(wanted.max_age),
        seconds(found.max_age),
        Some(format!("--max-age {}", seconds(wanted.max_age))),
    );
    compare(
        "the window for duplicates",
        seconds(wanted.duplicate_window),
        seconds(found.duplicate_window),
        Some(format!("--dupe-window {}", seconds(wanted.duplicate_window))),
    );
    if differences.is_empty() {
        return Ok(());
    }
    let mend = match flags.into_iter().collect::<Option<Vec<_>>>() {
        Some(flags) => format!("nats stream edit {stream} {}", flags.join(" ")),
        None => format!("nats stream rm {stream} (it is made anew at the next start)"),
    };
    Err(Error::Settings { stream, differences: differences.join("; "), mend })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_with_the_command_that_mends_it() {
        let options = Options::new("nats://localhost");
        let (wanted, mut found) = (log(&options, "a"), log(&options, "a"));
        assert!(check(LOG, &wanted, &found).is_ok());
        found.num_replicas = 3;
        found.max_age = Duration::from_secs(60);
        let said = check(LOG, &wanted, &found).unwrap_err().to_string();
        assert!(said.contains("replicas is 3, not 1"), "{said}");
        assert!(said.contains("nats stream edit CXENGAGE_LOG --replicas 1 --max-age 86400s"), "{said}");
        found.storage = StorageType::Memory;
        let said = check(LOG, &wanted, &found).unwrap_err().to_string();
        assert!(said.contains("nats stream rm CXENGAGE_LOG"), "{said}");
        let foreign = check(LOG, &wanted, &log(&options, "b")).unwrap_err();
        assert!(matches!(foreign, Error::Foreign { .. }), "{foreign}");
    }
}

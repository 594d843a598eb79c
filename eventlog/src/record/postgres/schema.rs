//! The connection, and the tables: made, migrated, and held to what this release reads.

use std::future::Future;
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};

use super::failed;
use crate::record::Error;
use domain::ids::PARTITIONS;

/// The format that this release reads and writes.
pub(super) const FORMAT: u32 = 3;

/// The statements at `n` take format `n` to `n + 1`.
const MIGRATIONS: [&str; FORMAT as usize] =
    [include_str!("schema.sql"), include_str!("servers.sql"), include_str!("workers.sql")];

/// One server at a time makes or migrates the tables.
pub(super) const MIGRATING: i64 = 0x6378_656e_6761_6765;

/// How a connection is set up; the first that is used says whether the address can be understood.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Unavailable(format!("the database's address: {error}")))?;
    Ok(options.application_name("cxengage").disable_statement_logging())
}

/// A connection whose commits are durable and whose statements each see what was committed before them.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = through_the_crowd(|| options.connect()).await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// How often a connection is asked for again where too many ask at the same time, and the pause between.
const CROWD: (usize, Duration) = (250, Duration::from_millis(20));

/// Connects, again and again while the queue of a local socket is full: that ends by itself, and is no sign that the
/// database is away (Linux, unix(7): `EAGAIN` of a connect that would have to wait).
pub(super) async fn through_the_crowd<T, W>(mut connect: impl FnMut() -> W) -> Result<T, sqlx::Error>
where
    W: Future<Output = Result<T, sqlx::Error>>,
{
    for _ in 0..CROWD.0 {
        match connect().await {
            Err(sqlx::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                tokio::time::sleep(CROWD.1).await;
            }
            ended => return ended,
        }
    }
    connect().await
}

/// Sets a connection up, whatever the database's defaults are.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let set = "SELECT set_config('default_transaction_isolation', 'read committed', false), \
               CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') \
               THEN set_config('synchronous_commit', 'on', false) END";
    connection.execute(set).await?;
    if crate::broken!("commit-without-fsync") {
        connection.execute("SET synchronous_commit = off").await?;
    }
    Ok(())
}

/// Makes the tables, or brings them to this release's format; refuses a database that would lose what it accepts.
pub(super) async fn open(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = connect(options).await.map_err(failed)?;
    durable(&mut connection).await?;
    migrate(&mut connection).await?;
    connection.close().await.map_err(failed)
}

async fn durable(connection: &mut PgConnection) -> Result<(), Error> {
    let (version, fsync): (i32, String) =
        sqlx::query_as("SELECT current_setting('server_version_num')::int, current_setting('fsync')")
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    if version < 130_000 {
        return Err(Error::Unavailable(format!(
            "PostgreSQL {}.{} is too old: 13 or newer is needed",
            version / 10_000,
            version % 10_000
        )));
    }
    if fsync != "on" {
        return Err(Error::Unavailable(
            "the database runs with fsync off: what it accepts does not outlive a power cut; switch it on"
                .into(),
        ));
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATING);
    lock.execute(&mut *transaction).await.map_err(failed)?;
    let found = format(&mut transaction).await?.unwrap_or_default();
    if found > FORMAT {
        return Err(Error::Format { found, supported: FORMAT });
    }
    if found == 0 {
        let first = "CREATE SCHEMA IF NOT EXISTS cxengage; \
                     CREATE TABLE cxengage.format (format integer NOT NULL, partitions integer NOT NULL)";
        transaction.execute(first).await.map_err(failed)?;
        let insert = sqlx::query("INSERT INTO cxengage.format VALUES (0, $1)").bind(i32::from(PARTITIONS));
        insert.execute(&mut *transaction).await.map_err(failed)?;
    }
    for statements in &MIGRATIONS[found as usize..] {
        transaction.execute(*statements).await.map_err(failed)?;
    }
    if found == 0 {
        let head = "INSERT INTO cxengage.head (position, stamp, partitions) \
                    VALUES (0, 0, array_fill(0::bigint, ARRAY[$1]))";
        sqlx::query(head).bind(i32::from(PARTITIONS)).execute(&mut *transaction).await.map_err(failed)?;
    }
    if found < FORMAT {
        let update = sqlx::query("UPDATE cxengage.format SET format = $1").bind(FORMAT.cast_signed());
        update.execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The store's format; `None` where there is no store. One with another number of partitions is not ours.
pub(super) async fn format(connection: &mut PgConnection) -> Result<Option<u32>, Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('cxengage.format') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !there {
        return Ok(None);
    }
    let (format, partitions): (i32, i32) = sqlx::query_as("SELECT format, partitions FROM cxengage.format")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    if partitions != i32::from(PARTITIONS) {
        return Err(Error::Damaged(format!(
            "the store has {partitions} partitions; this release has {PARTITIONS}"
        )));
    }
    Ok(Some(format.unsigned_abs()))
}

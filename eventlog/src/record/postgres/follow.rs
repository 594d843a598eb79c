//! Being told that the record has grown: LISTEN as a wake-up, and a look now and then whether or not one came.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::shared::Shared;

/// The channel on which an append says how far the record reaches now.
const CHANNEL: &str = "cxengage";

/// How long is waited for a word before the database is asked without one.
const LOOK: Duration = Duration::from_millis(500);

/// Keeps `shared` up with the record, for ever; a database that is away is asked again.
pub(super) async fn follow(pool: PgPool, shared: Arc<Shared>) {
    loop {
        let Err(error) = listen(&pool, &shared).await;
        tracing::warn!(%error, "the record cannot be followed just now");
        tokio::time::sleep(LOOK).await;
    }
}

async fn listen(pool: &PgPool, shared: &Shared) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        shared.refresh(&mut *pool.acquire().await?).await?;
        // What this server has appended itself is known by its answer.
        let news = async {
            loop {
                let word = listener.recv().await?;
                if word.payload().parse().is_ok_and(|position| !shared.reaches(position)) {
                    return Ok::<_, sqlx::Error>(());
                }
            }
        };
        if let Ok(told) = tokio::time::timeout(LOOK, news).await {
            told?;
        }
    }
}

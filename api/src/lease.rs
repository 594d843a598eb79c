//! What one server does at a time: the others stand by, and one of them takes over when it falls silent.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::Position;
use engine::runtime::Engine;
use eventlog::record;
use eventlog::record::postgres::{Errands, Term};
use notifier::listener::{self, Listeners};
use notifier::runtime::{Elsewhere, Notifier};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::Error;

/// The pause before work that broke off is begun again.
const PAUSE: Duration = Duration::from_secs(1);

/// The right to do something that one server does at a time.
pub(crate) enum Lease {
    /// There is no other server: the lock on the data folder says so.
    Own,
    /// Servers on one database take turns.
    Shared(Arc<Term>),
}

impl Lease {
    pub(crate) fn own() -> Self {
        Self::Own
    }

    fn progress(&self) -> watch::Receiver<Position> {
        match self {
            Self::Own => watch::channel(Position(0)).1,
            Self::Shared(term) => term.progress(),
        }
    }

    async fn wait(&self) {
        if let Self::Shared(term) = self {
            term.wait().await;
        }
    }

    /// Comes to its end when another server has it.
    async fn hold(&self, progress: watch::Receiver<Position>) {
        match self {
            Self::Own => std::future::pending().await,
            Self::Shared(term) => term.hold(progress).await,
        }
    }

    async fn let_go(&self) {
        if let Self::Shared(term) = self
            && let Err(error) = term.let_go().await
        {
            tracing::warn!(%error, "a lease could not be let go of: the others take over after a while");
        }
    }
}

/// Why work ended that was not stopped.
pub(crate) enum Ended {
    /// Another server has taken over, or the record is away for the moment.
    Passing(String),
    /// It cannot go on.
    Failed(Error),
}

/// Work that one server does at a time.
pub(crate) trait Worker: Send + Sync {
    /// For messages.
    fn name(&self) -> String;

    /// How far it has come, for those who stand by.
    fn progress(&self) -> watch::Receiver<Position> {
        watch::channel(Position(0)).1
    }

    /// What it does while another server is at work, which has come so far; until `stop`.
    fn stand_by(
        &self,
        limit: watch::Receiver<Position>,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), Ended>> + Send;

    /// Works until `stop`.
    fn work(&self, stop: CancellationToken) -> impl Future<Output = Result<(), Ended>> + Send;
}

/// Works whenever this server has the lease, and stands by otherwise; until `stop`.
pub(crate) async fn take_turns(
    lease: Lease,
    worker: impl Worker,
    stop: CancellationToken,
) -> Result<(), Error> {
    while !stop.is_cancelled() {
        let ended = match wait(&lease, &worker, &stop).await {
            Ok(()) if stop.is_cancelled() => return Ok(()),
            Ok(()) => turn(&lease, &worker, &stop).await,
            Err(ended) => Err(ended),
        };
        match (ended, &lease) {
            (Ok(()), _) => {}
            (Err(Ended::Passing(why)), Lease::Shared(_)) => {
                tracing::warn!(why, "{} will go on", worker.name());
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
            (Err(Ended::Passing(why)), Lease::Own) => return Err(Error::Ended(why)),
            (Err(Ended::Failed(error)), _) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for the lease, standing by meanwhile.
async fn wait(lease: &Lease, worker: &impl Worker, stop: &CancellationToken) -> Result<(), Ended> {
    if matches!(lease, Lease::Own) {
        return Ok(());
    }
    let enough = stop.child_token();
    let mut standing = pin!(worker.stand_by(lease.progress(), enough.clone()));
    tokio::select! {
        () = lease.wait() => {}
        () = stop.cancelled() => {}
        ended = &mut standing => return ended,
    }
    enough.cancel();
    standing.await
}

/// Works until the lease is lost, or `stop`.
async fn turn(lease: &Lease, worker: &impl Worker, stop: &CancellationToken) -> Result<(), Ended> {
    tracing::info!("this server is the one for {}", worker.name());
    let enough = stop.child_token();
    let mut working = pin!(worker.work(enough.clone()));
    tokio::select! {
        ended = &mut working => {
            if stop.is_cancelled() {
                lease.let_go().await;
            }
            return ended;
        }
        () = lease.hold(worker.progress()) => {}
    }
    tracing::warn!("another server has taken over {}", worker.name());
    enough.cancel();
    match working.await {
        // Whatever it was: the lease is another's, and so was perhaps the reason.
        Err(Ended::Passing(_)) | Ok(()) => Ok(()),
        failed => failed,
    }
}

impl Worker for Engine {
    fn name(&self) -> String {
        let share = self.share();
        match share.of() {
            1 => "matching".into(),
            of => format!("matching, share {} of {of}", share.number() + 1),
        }
    }

    fn progress(&self) -> watch::Receiver<Position> {
        Self::progress(self)
    }

    async fn stand_by(&self, limit: watch::Receiver<Position>, stop: CancellationToken) -> Result<(), Ended> {
        Self::stand_by(self, limit, stop.cancelled_owned()).await.map_err(engine_ended)
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Ended> {
        self.clone().run(stop.cancelled_owned()).await.map_err(engine_ended)
    }
}

fn engine_ended(error: engine::runtime::Error) -> Ended {
    use engine::runtime::Error as Engine;
    match error {
        Engine::Fenced(_) | Engine::Record(record::Error::Unavailable(_)) => {
            Ended::Passing(error.to_string())
        }
        other => Ended::Failed(other.into()),
    }
}

/// Reactions, and what other servers are asked about them.
pub(crate) struct Reactions {
    pub(crate) notifier: Notifier,
    pub(crate) errands: Option<Errands>,
}

/// The way to the server that runs the reactions.
pub(crate) struct ToTheNotifier(pub(crate) Errands);

#[async_trait]
impl Elsewhere for ToTheNotifier {
    async fn run(&self, errand: String) -> Option<String> {
        self.0.run(&errand).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the server that runs the reactions cannot be asked");
            None
        })
    }
}

impl Worker for Reactions {
    fn name(&self) -> String {
        "reactions".into()
    }

    async fn stand_by(&self, _: watch::Receiver<Position>, stop: CancellationToken) -> Result<(), Ended> {
        tokio::select! {
            () = self.notifier.decline() => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Ended> {
        use notifier::runtime::Error as Notifier;
        let errands = async {
            match &self.errands {
                Some(errands) => errands.serve(async |errand| self.notifier.errand(&errand).await).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = self.notifier.clone().run(stop.cancelled_owned()) => ended,
            () = errands => Ok(()),
        };
        ended.map_err(|error| match error {
            Notifier::Fenced(_) | Notifier::Record(record::Error::Unavailable(_)) => {
                Ended::Passing(error.to_string())
            }
            other => Ended::Failed(other.into()),
        })
    }
}

impl Worker for Listeners {
    fn name(&self) -> String {
        "listeners".into()
    }

    async fn stand_by(&self, _: watch::Receiver<Position>, stop: CancellationToken) -> Result<(), Ended> {
        self.elsewhere();
        stop.cancelled().await;
        Ok(())
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Ended> {
        self.clone().run(stop.cancelled_owned()).await.map_err(|error| match error {
            listener::Error::Fenced | listener::Error::Record(record::Error::Unavailable(_)) => {
                Ended::Passing(error.to_string())
            }
            other => Ended::Failed(other.into()),
        })
    }
}

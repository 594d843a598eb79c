//! Changes: a command, its commit, and the wait until everybody can read it.

use domain::augment::{self, Augment};
use domain::ids::{Position, TenantId};
use domain::listener::{self, Listener};
use domain::pattern::{self, Pattern};
use domain::template::{self, Template};
use eventlog::aggregates::{CommandError, Kind};
use eventlog::record::StreamId;

use super::call::Call;
use super::problem::Problem;
use super::state::State;

/// Executes a command on one of the tenant's aggregates, and waits until it can be read. Where the aggregate is now.
///
/// # Errors
/// The aggregate's refusal, or the record's failure.
pub async fn execute<A: Kind>(call: &Call, id: &str, command: A::Command) -> Result<Position, Problem>
where
    Problem: From<A::Error>,
{
    execute_of::<A>(call, &call.tenant, id, command).await
}

/// The same on an aggregate of another tenant than the path's, or (`""`) of none.
///
/// # Errors
/// As [`execute`].
pub async fn execute_of<A: Kind>(
    call: &Call,
    tenant: &TenantId,
    id: &str,
    command: A::Command,
) -> Result<Position, Problem>
where
    Problem: From<A::Error>,
{
    let stream = StreamId::new(tenant, A::KIND, id);
    let committed = call.state.commands.execute::<A>(stream, command, call.metadata()).await?;
    settle(&call.state, committed.position).await;
    Ok(committed.position)
}

/// An aggregate whose ids are numbers given in order, never twice: PT1, PT2, ….
pub trait Numbered: Kind {
    /// What stands before the number.
    const PREFIX: &'static str;
    /// Whether a refusal says that the id is, or was, in use.
    fn is_taken(refusal: &Self::Error) -> bool;
}

impl Numbered for Pattern {
    const PREFIX: &'static str = "PT";
    fn is_taken(refusal: &Self::Error) -> bool {
        matches!(refusal, pattern::Error::Exists)
    }
}

impl Numbered for Template {
    const PREFIX: &'static str = "TM";
    fn is_taken(refusal: &Self::Error) -> bool {
        matches!(refusal, template::Error::Exists)
    }
}

impl Numbered for Augment {
    const PREFIX: &'static str = "AU";
    fn is_taken(refusal: &Self::Error) -> bool {
        matches!(refusal, augment::Error::Exists)
    }
}

impl Numbered for Listener {
    const PREFIX: &'static str = "LI";
    fn is_taken(refusal: &Self::Error) -> bool {
        matches!(refusal, listener::Error::Exists)
    }
}

/// How many ids in a row may turn out to be taken: by other servers, within the time of a read model.
const TRIES: u64 = 64;

/// Makes one under the next id, and waits until it can be read. The id.
///
/// # Errors
/// As [`execute`].
pub async fn create<A: Numbered>(call: &Call, last: u64, command: A::Command) -> Result<String, Problem>
where
    Problem: From<A::Error>,
{
    for number in last + 1..=last + TRIES {
        let id = format!("{}{number}", A::PREFIX);
        let stream = StreamId::new(&call.tenant, A::KIND, id.as_str());
        match call.state.commands.execute::<A>(stream, command.clone(), call.metadata()).await {
            Ok(committed) => {
                settle(&call.state, committed.position).await;
                return Ok(id);
            }
            Err(CommandError::Refused(refusal)) if A::is_taken(&refusal) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("no free id was found"))
}

/// Waits until the read models have what is at a position; after a while it is answered as committed all the same,
/// and /readyz says that they are late.
pub async fn settle(state: &State, position: Position) {
    if let Err(error) = state.views.wait_for(position).await {
        tracing::error!(%error, "read models are late");
        state.readiness.views_are_late(position);
    }
}

/// The same for all that has been written by now, by other servers too: by the one that was asked to do something.
pub async fn settle_all(state: &State) {
    let head = state.record.domain_head().borrow().position;
    match state.shared {
        None => settle(state, head).await,
        Some(_) => {
            if let Err(problem) = state.catch_up().await {
                tracing::error!(?problem, "read models are late");
                state.readiness.views_are_late(head);
            }
        }
    }
}

/// What was made or changed a moment ago.
///
/// # Errors
/// 404: it was deleted meanwhile; 503: it is stored, and the read models are late.
pub fn seen<T>(state: &State, view: Option<T>) -> Result<T, Problem> {
    let head = state.record.domain_head().borrow().position;
    view.ok_or_else(|| match *state.views.progress().borrow() >= head {
        true => Problem::missing("it was deleted meanwhile"),
        false => Problem::late("it is stored, but cannot be read yet: look for it in a while"),
    })
}

impl<E: std::error::Error> From<CommandError<E>> for Problem
where
    Problem: From<E>,
{
    fn from(error: CommandError<E>) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Conflict => Self::conflict("others kept changing it at the same time; try again"),
            CommandError::Record(error) => error.into(),
        }
    }
}

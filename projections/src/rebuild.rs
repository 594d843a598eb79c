//! Read models made anew beside the live ones, while a server runs.
//!
//! Fresh tables are filled from the record by short transactions; the one in which they reach exactly the place of
//! the live ones also swaps them in. Until then nothing that is read is touched: a rebuild that fails, or is cut off
//! by a crash, never goes live, and the next one throws its tables away.

use std::sync::Arc;

use domain::ids::Position;
use eventlog::crypto::Vault;
use eventlog::record::{Record, Select};
use rusqlite::{Connection, TransactionBehavior};

use crate::entry::Entry;
use crate::model::{MODELS, Model, Side, Target};
use crate::runner::BATCH;
use crate::{Error, Views, entry, store, sums};

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which read model.
    pub model: &'static str,
    /// Up to where it has taken the record in.
    pub position: Position,
    /// Where it goes live: where the one that it replaces stands.
    pub end: Position,
}

/// Makes the read model `name` anew, or all of them, one after the other; `tell` is told how far it is after each
/// batch.
///
/// # Errors
/// An unknown name; the store's; the record's; [`Error::Superseded`] if another rebuild of the same has begun.
pub async fn rebuild(
    views: &Views,
    record: Arc<dyn Record>,
    vault: &Vault,
    name: Option<&str>,
    mut tell: impl FnMut(Progress),
) -> Result<(), Error> {
    let chosen: Vec<_> =
        MODELS.into_iter().filter(|model| name.is_none_or(|name| name == model.name)).collect();
    if let (true, Some(name)) = (chosen.is_empty(), name) {
        return Err(Error::Unknown { name: name.to_owned() });
    }
    for model in chosen {
        views.write(move |connection| begin(connection, model)).await?;
        let mut after = Position(0);
        loop {
            // Looked at first: what the live read model has had by now, the record shows.
            let live = views.ask(move |connection| place(connection, model)).await?;
            let rows = record.read_after(Select::Domain, after, BATCH).await?;
            let last = rows.last().map_or(after, |row| row.position);
            let end = if rows.len() < BATCH { last.max(live) } else { last };
            let entries = entry::read(vault, rows).await?;
            let step = views.write(move |connection| advance(connection, model, after, end, &entries));
            let (position, done) = step.await?;
            tell(Progress { model: model.name, position, end: live });
            if done {
                break;
            }
            after = position;
        }
        // Not in the swap: freeing the old rows takes a while where there are many.
        views.write(move |connection| clear(connection, model)).await?;
    }
    Ok(())
}

fn begin(connection: &mut Connection, model: &Model) -> Result<(), Error> {
    clear(connection, model)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let beside = Target { connection: &transaction, side: Side::Beside };
    beside.drop(model)?;
    beside.create(model)?;
    beside.move_to(model, Position(0), 0)?;
    Ok(transaction.commit()?)
}

fn place(connection: &Connection, model: &Model) -> Result<Position, Error> {
    Ok(Target { connection, side: Side::Live }.place(model)?.unwrap_or_default())
}

/// Takes in the entries after `after` up to `end`, but none that the live read model has not had; where that is all
/// that it has had, swaps the new tables in. Returns the place, and whether they are live.
fn advance(
    connection: &mut Connection,
    model: &'static Model,
    after: Position,
    end: Position,
    entries: &[Entry],
) -> Result<(Position, bool), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let beside = Target { connection: &transaction, side: Side::Beside };
    if beside.place(model)? != Some(after) {
        return Err(Error::Superseded(model.name));
    }
    let goal = place(&transaction, model)?;
    let reached = end.min(goal).max(after);
    store::take(model, &beside, after, reached, entries)?;
    let done = reached == goal;
    if done {
        swap(&transaction, model)?;
        eventlog::fault_point!("rebuild.swap.before");
    }
    transaction.commit()?;
    eventlog::fault_point!("rebuild.swap.after");
    Ok((reached, done))
}

fn swap(connection: &Connection, model: &Model) -> Result<(), Error> {
    let beside = Side::Beside.suffix();
    for table in model.tables {
        sums::rename(connection, &format!("{table}{beside}"), table)?;
        connection.execute_batch(&format!(
            "ALTER TABLE {table} RENAME TO {table}{OLD}; ALTER TABLE {table}{beside} RENAME TO {table};"
        ))?;
        sums::keep(connection, table)?;
    }
    let sql = "UPDATE OR REPLACE projection_v1 SET id = ?1 WHERE id = ?1 || ?2";
    connection.execute(sql, (model.id, beside))?;
    Ok(())
}

const OLD: &str = "_old";

/// Drops what a swap left over.
fn clear(connection: &mut Connection, model: &Model) -> Result<(), Error> {
    for table in model.tables {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}{OLD}"))?;
    }
    Ok(())
}

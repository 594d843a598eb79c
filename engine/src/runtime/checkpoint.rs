//! A partition's states as a row of a checkpoint.
//!
//! The form: a format byte; the patterns' versions that have states (tenant, pattern, version); the states, each with
//! the number of its pattern in that list, its customer and its bytes. Integers are little-endian.

use domain::ids::{CustomerId, PatternId, TenantId};

use super::matcher::{Active, Matcher};
use super::partition::{Partition, Slot};

/// Raised with every change of the form; another one is refused, and the states are made anew from the record.
const FORMAT: u8 = 1;

/// A row is not of this release, or not of what the record says is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint is damaged, of another release, or not of this record")]
pub(super) struct Unusable;

/// A partition's row.
pub(super) fn encode(partition: &Partition, active: &[Option<Active>]) -> Vec<u8> {
    let mut slots: Vec<Slot> = partition.states().map(|(slot, ..)| slot).collect();
    slots.sort_unstable();
    slots.dedup();
    let mut bytes = vec![FORMAT];
    number(&mut bytes, slots.len());
    for slot in &slots {
        let active = active.get(*slot as usize).and_then(Option::as_ref);
        // A state without a pattern cannot be: retiring one forgets its states.
        let Some(active) = active else { continue };
        chunk(&mut bytes, active.tenant.as_str().as_bytes());
        chunk(&mut bytes, active.pattern.as_str().as_bytes());
        bytes.extend_from_slice(&active.version.to_le_bytes());
    }
    number(&mut bytes, partition.states().len());
    for (slot, customer, state) in partition.states() {
        number(&mut bytes, slots.partition_point(|s| *s < slot));
        bytes.extend_from_slice(&customer.0);
        chunk(&mut bytes, &state.encode());
    }
    bytes
}

fn number(bytes: &mut Vec<u8>, value: usize) {
    bytes.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

fn chunk(bytes: &mut Vec<u8>, chunk: &[u8]) {
    number(bytes, chunk.len());
    bytes.extend_from_slice(chunk);
}

/// Reads a partition's row into the matcher, whose configuration is that of the checkpoint's position.
pub(super) fn decode(mut bytes: &[u8], matcher: &mut Matcher, partition: u8) -> Result<(), Unusable> {
    let bytes = &mut bytes;
    if take(bytes, 1)? != [FORMAT] {
        return Err(Unusable);
    }
    let slots: Vec<_> = (0..read_number(bytes)?)
        .map(|_| {
            let (tenant, pattern) = (read_text(bytes)?, read_text(bytes)?);
            let version = u32::from_le_bytes(array(bytes)?);
            let (tenant, pattern) = (TenantId(tenant), PatternId(pattern));
            let (slot, active) = matcher.slot(&tenant, &pattern, version).ok_or(Unusable)?;
            Ok((slot, active.machine.clone()))
        })
        .collect::<Result<_, Unusable>>()?;
    let into = matcher.partitions_mut().nth(usize::from(partition)).ok_or(Unusable)?.1;
    for _ in 0..read_number(bytes)? {
        let (slot, machine) = slots.get(read_number(bytes)? as usize).ok_or(Unusable)?;
        let customer = CustomerId(array(bytes)?);
        let length = read_number(bytes)?;
        let state = machine.decode(take(bytes, length as usize)?).map_err(|_| Unusable)?;
        into.put(customer, *slot, machine, state);
    }
    into.dirty = false;
    if bytes.is_empty() { Ok(()) } else { Err(Unusable) }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unusable> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Unusable)?;
    *bytes = rest;
    Ok(taken)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Unusable> {
    take(bytes, N)?.try_into().map_err(|_| Unusable)
}

fn read_number(bytes: &mut &[u8]) -> Result<u32, Unusable> {
    Ok(u32::from_le_bytes(array(bytes)?))
}

fn read_text(bytes: &mut &[u8]) -> Result<String, Unusable> {
    let length = read_number(bytes)?;
    let text = take(bytes, length as usize)?;
    std::str::from_utf8(text).map(str::to_owned).map_err(|_| Unusable)
}

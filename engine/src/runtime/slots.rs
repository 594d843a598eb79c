//! Patterns' versions by number, in the order in which the record has them start.

use std::sync::Arc;

use domain::ids::{PatternId, Position, TenantId};

use crate::matching::Machine;
use crate::matching::codec::{Malformed, Reader, Writer};

/// The number of a pattern's version.
pub(super) type Slot = u32;

/// A pattern in force.
#[derive(Debug)]
pub(super) struct Active {
    pub tenant: TenantId,
    pub pattern: PatternId,
    pub version: u32,
    pub machine: Arc<Machine>,
    pub program: Position,
}

/// Each start of a pattern's matching that the record has, in order; `None` where it has ended.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Option<Active>>);

impl Slots {
    /// Adds one that starts now.
    pub fn start(&mut self, active: Active) -> Slot {
        let slot = Slot::try_from(self.0.len()).unwrap_or(Slot::MAX);
        self.0.push(Some(active));
        slot
    }

    /// Ends one.
    pub fn end(&mut self, slot: Slot) {
        if let Some(ended) = self.0.get_mut(slot as usize) {
            *ended = None;
        }
    }

    pub fn get(&self, slot: Slot) -> Option<&Active> {
        self.0.get(slot as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Active> {
        self.0.get_mut(slot as usize)?.as_mut()
    }

    pub fn machine(&self, slot: Slot) -> Option<&Machine> {
        self.get(slot).map(|active| active.machine.as_ref())
    }

    /// Which pattern's version each slot is, as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(vec![FORMAT]);
        for (slot, active) in (0..).zip(&self.0) {
            let Some(active) = active else { continue };
            writer.number(slot);
            writer.number(u64::from(active.version));
            for text in [active.tenant.as_str(), active.pattern.as_str()] {
                writer.number(text.len() as u64);
                writer.0.extend_from_slice(text.as_bytes());
            }
        }
        writer.0
    }
}

/// Raised with every change of the form.
const FORMAT: u8 = 1;

/// A slot as a checkpoint says it.
pub(super) struct Said {
    pub slot: Slot,
    pub tenant: TenantId,
    pub pattern: PatternId,
    pub version: u32,
}

/// What [`Slots::encode`] wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Said>, Malformed> {
    let mut reader = Reader(bytes);
    if reader.byte()? != FORMAT {
        return Err(Malformed);
    }
    let number = |reader: &mut Reader<'_>| u32::try_from(reader.number()?).map_err(|_| Malformed);
    let text = |reader: &mut Reader<'_>| {
        let length = number(reader)? as usize;
        String::from_utf8(reader.bytes(length)?.to_vec()).map_err(|_| Malformed)
    };
    let mut said = Vec::new();
    while !reader.0.is_empty() {
        let (slot, version) = (number(&mut reader)?, number(&mut reader)?);
        let (tenant, pattern) = (TenantId(text(&mut reader)?), PatternId(text(&mut reader)?));
        said.push(Said { slot, tenant, pattern, version });
    }
    Ok(said)
}

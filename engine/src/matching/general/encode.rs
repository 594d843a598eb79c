//! A state as bytes and back; what does not fit the machine is refused.

use super::super::codec::{Malformed, Reader, Writer};
use super::completion::Prefix;
use super::{Kind, Machine, Slot, State, all, chain};

impl State {
    pub fn encode(&self, writer: &mut Writer) {
        for slot in &self.slots {
            match slot {
                Slot::Fresh => writer.number(0),
                Slot::Ring(ring) => {
                    writer.number(1);
                    writer.list(ring.iter(), |w, m| w.moment(*m));
                }
                Slot::Chain(progress) => {
                    writer.number(2);
                    writer.list(progress.prefixes.iter(), |w, list| w.list(list.iter(), prefix));
                    writer.list(progress.seen.iter(), |w, seen| {
                        w.list(seen.iter(), |w, (start, end)| {
                            w.moment(*start);
                            w.moment(*end);
                        });
                    });
                }
                Slot::All(progress) => {
                    writer.number(3);
                    writer.list(progress.stored.iter(), |w, list| w.list(list.iter(), prefix));
                    writer.list(progress.barred.iter(), |w, m| w.moment(*m));
                }
            }
        }
    }
}

fn prefix(writer: &mut Writer, prefix: &Prefix) {
    writer.moment(prefix.start);
    writer.moment(prefix.end);
    writer.list(prefix.witness.iter(), |w, position| w.number(*position));
}

fn prefixes(reader: &mut Reader<'_>) -> Result<Vec<Prefix>, Malformed> {
    reader.list(|r| Ok(Prefix { start: r.moment()?, end: r.moment()?, witness: r.list(Reader::number)? }))
}

impl Machine {
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<State, Malformed> {
        let mut slots = Vec::with_capacity(self.slots);
        for node in &self.nodes {
            match &node.kind {
                Kind::Count(..) | Kind::Chain(_) | Kind::All(_) => slots.push(slot(&node.kind, reader)?),
                Kind::Event(..) | Kind::Any(_) | Kind::Within(..) => {}
            }
        }
        Ok(State { slots })
    }
}

fn slot(kind: &Kind, reader: &mut Reader<'_>) -> Result<Slot, Malformed> {
    Ok(match (reader.byte()?, kind) {
        (0, _) => Slot::Fresh,
        (1, Kind::Count(..)) => Slot::Ring(reader.list(Reader::moment)?),
        (2, Kind::Chain(chain)) => {
            let prefixes: Vec<_> = reader.list(prefixes)?;
            let seen: Vec<_> = reader.list(|r| r.list(|r| Ok((r.moment()?, r.moment()?))))?;
            if prefixes.len() > chain.len() || seen.len() > chain.len() {
                return Err(Malformed);
            }
            Slot::Chain(chain::Progress { prefixes, seen })
        }
        (3, Kind::All(all)) => {
            let stored: Vec<_> = reader.list(prefixes)?;
            let barred: Vec<_> = reader.list(Reader::moment)?;
            if !(stored.is_empty() || stored.len() == all.members.len()) || barred.len() > 1 {
                return Err(Malformed);
            }
            Slot::All(all::Progress { stored, barred: barred.first().copied() })
        }
        _ => return Err(Malformed),
    })
}

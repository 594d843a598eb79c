//! A row of the record as a message: its subject, its headers, its bytes.
//!
//! The bytes are our own little format, checked by a CRC: what does not read back is treated as not there and taken
//! from the record.

use async_nats::HeaderMap;
use domain::ids::{CustomerId, EventId, Partition, Position, TenantId};
use domain::time::Stamp;

use crate::record::{Recorded, StreamId, StreamKind};

/// The header with the row's position.
pub(super) const POSITION: &str = "Cxengage-Position";
/// The header with the position of the row before it in the log.
pub(super) const PREVIOUS: &str = "Cxengage-Previous";
/// Where the end of the log is announced.
pub(super) const HEADS: &str = "cxengage.heads";

/// The version of the bytes.
const VERSION: u8 = 1;

/// The subject of a row: by partition, so that a consumer can take only some.
pub(super) fn subject(row: &Recorded) -> String {
    match row.partition {
        Some(partition) => format!("cxengage.log.{}", partition.0),
        None => "cxengage.log.domain".to_owned(),
    }
}

/// The headers of a row. The message id makes JetStream refuse it a second time within its window.
pub(super) fn headers(row: &Recorded) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", row.position.to_string());
    headers.insert(POSITION, row.position.to_string());
    headers.insert(PREVIOUS, row.position.0.saturating_sub(1).to_string());
    headers
}

/// The row as bytes.
pub(super) fn encode(row: &Recorded) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.payload.len() + 192);
    out.push(VERSION);
    out.extend(row.position.0.to_le_bytes());
    out.extend(row.stamp.0.to_le_bytes());
    out.push(row.stream.kind as u8);
    out.extend(row.version.to_le_bytes());
    out.extend(row.event_version.to_le_bytes());
    out.push(u8::from(row.configures));
    option(&mut out, row.customer.map(|id| id.0));
    option(&mut out, row.partition.map(|partition| [partition.0]));
    option(&mut out, row.previous.map(|position| position.0.to_le_bytes()));
    option(&mut out, row.config.map(|position| position.0.to_le_bytes()));
    option(&mut out, row.event_id.map(|id| id.0));
    let metadata = serde_json::to_vec(&row.metadata).unwrap_or_default();
    for bytes in [
        row.stream.tenant.as_str().as_bytes(),
        row.stream.id.as_bytes(),
        row.event_type.as_bytes(),
        &metadata,
        &row.payload,
    ] {
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    out.extend(crc32fast::hash(&out).to_le_bytes());
    out
}

fn option<const N: usize>(out: &mut Vec<u8>, value: Option<[u8; N]>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        out.extend(value);
    }
}

/// The row of these bytes; none if they are not whole, or another release's.
pub(super) fn decode(bytes: &[u8]) -> Option<Recorded> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut from = Reader(body);
    if from.array::<1>()? != [VERSION] {
        return None;
    }
    let position = Position(from.number()?);
    let stamp = Stamp(i64::from_le_bytes(from.array()?));
    let kind = kind(from.array::<1>()?[0])?;
    let version = from.number()?;
    let event_version = u16::from_le_bytes(from.array()?);
    let configures = from.array::<1>()? != [0];
    let customer = from.option()?.map(CustomerId);
    let partition = from.option::<1>()?.map(|[partition]| Partition(partition));
    let previous = from.option()?.map(|bytes| Position(u64::from_le_bytes(bytes)));
    let config = from.option()?.map(|bytes| Position(u64::from_le_bytes(bytes)));
    let event_id = from.option()?.map(EventId);
    let tenant = TenantId(from.text()?);
    let id = from.text()?;
    let event_type = from.text()?;
    let metadata = serde_json::from_slice(from.bytes()?).ok()?;
    let payload = from.bytes()?.to_vec();
    from.0.is_empty().then_some(Recorded {
        position,
        stamp,
        stream: StreamId { tenant, kind, id },
        version,
        customer,
        partition,
        previous,
        config,
        event_type,
        event_version,
        payload,
        event_id,
        configures,
        metadata,
    })
}

fn kind(number: u8) -> Option<StreamKind> {
    StreamKind::ALL.into_iter().find(|kind| *kind as u8 == number)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn option<const N: usize>(&mut self) -> Option<Option<[u8; N]>> {
        Some(if self.array::<1>()? == [0] { None } else { Some(self.array()?) })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Metadata;

    fn row() -> Recorded {
        Recorded {
            position: Position(7),
            stamp: Stamp(1_704_067_200_000),
            stream: StreamId::new(&TenantId::from("acme"), StreamKind::Customer, "00ff"),
            version: 7,
            customer: Some(CustomerId([3; 16])),
            partition: Some(Partition(12)),
            previous: Some(Position(0)),
            config: Some(Position(4)),
            event_type: "event-received".into(),
            event_version: 1,
            payload: vec![0, 1, 2, 255],
            event_id: Some(EventId([9; 16])),
            configures: false,
            metadata: Metadata { cause: Some(Position(2)), by: Some("me".into()), request: None },
        }
    }

    #[test]
    fn a_row_reads_back_as_it_was() {
        let bare = Recorded {
            customer: None,
            partition: None,
            previous: None,
            config: None,
            event_id: None,
            configures: true,
            metadata: Metadata::default(),
            ..row()
        };
        for row in [row(), bare] {
            assert_eq!(decode(&encode(&row)), Some(row));
        }
        assert_eq!(subject(&row()), "cxengage.log.12");
    }

    #[test]
    fn a_message_that_was_damaged_is_none_wherever_it_was() {
        let whole = encode(&row());
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&whole[..at]), None, "cut at {at}");
        }
    }
}

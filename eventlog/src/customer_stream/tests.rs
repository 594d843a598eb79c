//! The door's rules (rest-api.md §4).

use std::collections::BTreeSet;

use domain::customer_event::{CustomerEvent, Origin, Refusal};
use domain::ids::{Position, TenantId};
use domain::json::{Limits, parse};
use domain::pattern;
use domain::tenant::{self, Tenant};

use super::*;
use crate::record::{Expect, Item, Metadata, NewEvent, Outcome, Record, Select, StreamId, StreamKind, Write};
use crate::testing::TempRecord;

fn event(text: &str) -> Incoming {
    Incoming {
        tenant: TenantId::from("acme"),
        event: parse(text.as_bytes(), Limits::EVENT).unwrap(),
        idempotency_key: None,
        origin: Origin::Rest,
        metadata: Metadata::default(),
    }
}

fn keyed(text: &str, key: &str) -> Incoming {
    Incoming { idempotency_key: Some(key.into()), ..event(text) }
}

async fn one(door: &Door, incoming: Incoming) -> Result<Accepted, Refused> {
    door.accept(vec![incoming]).await.remove(0)
}

/// Appends the event of a pattern's making, past the aggregate: the door only looks at its `when`.
async fn enable(temp: &TempRecord, id: &str, when: &str) {
    let definition = pattern::Definition {
        name: id.into(),
        status: true,
        when: Some(when.into()),
        version: 1,
        ..pattern::Definition::default()
    };
    let event = pattern::Event::Created(definition);
    let write = Write {
        stream: StreamId::new(&TenantId::from("acme"), StreamKind::Pattern, id),
        expect: Expect::Version(0),
        customer: None,
        partition: None,
        events: vec![NewEvent {
            event_type: event.name(),
            event_version: 1,
            payload: serde_json::to_vec(&event).unwrap(),
            event_id: None,
            configures: true,
        }],
    };
    let outcomes = temp.record.append(vec![Item { writes: vec![write], ..Item::default() }]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Appended { .. }]), "{outcomes:?}");
}

async fn set_key(temp: &TempRecord, key: &str) {
    let stream = StreamId::new(&TenantId::from("acme"), StreamKind::Tenant, "acme");
    let set = tenant::Command::SetKeyAttribute { expected: None, key: key.into() };
    temp.commands().execute::<Tenant>(stream, set, Metadata::default()).await.unwrap();
}

#[tokio::test]
async fn an_event_is_kept_as_it_came_and_found_by_its_customer() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let door = temp.door();
    let text = r#"{"id":12345678901234567890.10,"z":1,"a":{"b":[null]}}"#;
    let accepted = one(&door, event(text)).await.unwrap();
    assert_eq!((accepted.event.key.as_str(), accepted.position), ("12345678901234567890.10", Position(3)));
    let customer = temp.vault().customer(&acme, "12345678901234567890.10").await.unwrap();
    let rows = temp.record.read_after(Select::Customer(acme, customer.id), Position(0), 9).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].event_id, Some(accepted.event.id));
    assert_eq!((rows[0].config, rows[0].partition), (Some(Position(2)), Some(customer.partition)));
    assert!(!String::from_utf8_lossy(&rows[0].payload).contains("12345678901234567890"));
    let crate::crypto::Opened::Clear(clear) = temp.vault().open(&rows[0]).await.unwrap() else {
        panic!("the customer was not erased");
    };
    let stored: CustomerEvent = serde_json::from_slice(&clear).unwrap();
    assert_eq!(stored, accepted.event);
    assert_eq!(stored.event.to_string(), text);
}

#[tokio::test]
async fn bad_events_are_told_what_is_missing_and_hold_nobody_back() {
    let temp = TempRecord::new();
    let door = temp.door();
    let acme = TenantId::from("acme");
    let without = one(&door, event(r#"{"id":1}"#)).await;
    assert!(matches!(without, Err(Refused::Event(Refusal::NoKeyAttribute))), "{without:?}");
    temp.tenant("acme", "id").await;
    let lines = [r#"{"x":1}"#, r#"{"id":1}"#, r#"{"id":[]}"#, r#"{"id":""}"#, r#"{"id":true}"#, "[]"];
    let answers = door.accept(lines.iter().map(|line| event(line)).collect()).await;
    let told: Vec<String> = answers
        .iter()
        .map(|answer| match answer {
            Ok(accepted) => accepted.event.key.clone(),
            Err(refused) => format!("{refused:?}"),
        })
        .collect();
    let expected = [
        r#"Event(KeyMissing("id"))"#,
        "1",
        r#"Event(KeyNotScalar("id", "an array"))"#,
        r#"Event(KeyEmpty("id"))"#,
        "true",
        r#"Event(NotAnObject("an array"))"#,
    ];
    assert_eq!(told, expected);
    assert_eq!(temp.record.read_after(Select::CustomerEvents(acme), Position(0), 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_contributes_if_an_enabled_pattern_asks_for_its_like() {
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    let door = temp.door();
    let contributes = async |text: &str| one(&door, event(text)).await.unwrap().event.contributing;
    assert!(!contributes(r#"{"id":1,"type":"call"}"#).await);
    enable(&temp, "PT1", r#"(within 1 hours (seq (event (= type "call")) (fail (event (= type "sale")))))"#)
        .await;
    assert!(contributes(r#"{"id":1,"type":"call"}"#).await);
    assert!(contributes(r#"{"id":1,"type":"sale"}"#).await);
    assert!(!contributes(r#"{"id":1,"type":"mail"}"#).await);
    set_key(&temp, "name").await;
    assert_eq!(one(&door, event(r#"{"id":1,"name":"x"}"#)).await.unwrap().event.key, "x");
}

#[tokio::test]
async fn a_used_idempotency_key_gets_the_first_answer_again_whatever_the_body() {
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    // As long a name, which must not be all that tells them apart.
    temp.tenant("emca", "id").await;
    let door = temp.door();
    // A refused event does not use its key up, not even by one after it in the same batch.
    let answers = door
        .accept(vec![
            keyed("{}", "k"),
            keyed(r#"{"id":1,"n":1}"#, "k"),
            keyed(r#"{"id":2}"#, "k"),
            keyed("{}", "k"),
            Incoming { tenant: TenantId::from("emca"), ..keyed(r#"{"id":3}"#, "k") },
        ])
        .await;
    assert!(matches!(answers[0], Err(Refused::Event(Refusal::KeyMissing(_)))));
    let first = answers[1].as_ref().unwrap();
    assert!(!first.duplicate);
    let again = Accepted { duplicate: true, ..first.clone() };
    assert_eq!(answers[2].as_ref().unwrap(), &again);
    assert_eq!(answers[3].as_ref().unwrap(), &again);
    assert!(!answers[4].as_ref().unwrap().duplicate);

    temp.clock.advance(86_400_000);
    // Keys of days past are let go of as others come.
    assert!(!one(&door, keyed(r#"{"id":5}"#, "another")).await.unwrap().duplicate);
    assert_eq!(one(&door, keyed("{}", "k")).await.unwrap(), again);
    assert_eq!(one(&door, keyed(r#"{"id":9}"#, "k")).await.unwrap(), again);
    temp.clock.advance(1);
    assert!(matches!(one(&door, keyed("{}", "k")).await, Err(Refused::Event(_))));
    let afresh = one(&door, keyed(r#"{"id":9}"#, "k")).await.unwrap();
    assert!(!afresh.duplicate && afresh.position > first.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_at_the_same_time_add_one_event() {
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    let door = std::sync::Arc::new(temp.door());
    let twins: Vec<_> = (0..16)
        .map(|n| {
            let door = std::sync::Arc::clone(&door);
            tokio::spawn(async move { one(&door, keyed(&format!(r#"{{"id":{n}}}"#), "k")).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for twin in twins {
        answers.push(twin.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
    assert_eq!(answers.iter().map(|answer| answer.event.id).collect::<BTreeSet<_>>().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_customers_first_events_share_one_key() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    // Two doors, each with a vault of its own: as two servers on one record.
    let doors = [std::sync::Arc::new(temp.door()), std::sync::Arc::new(temp.door())];
    let events: Vec<_> = (0..40)
        .map(|n| {
            let door = std::sync::Arc::clone(&doors[n % 2]);
            tokio::spawn(async move { one(&door, event(&format!(r#"{{"id":{}}}"#, n % 5))).await })
        })
        .collect();
    for event in events {
        event.await.unwrap().unwrap();
    }
    let rows = temp.record.read_after(Select::CustomerEvents(acme), Position(0), 99).await.unwrap();
    let opened = temp.vault().open_all(&rows).await.unwrap();
    assert_eq!(opened.len(), 40);
    assert!(opened.iter().all(|opened| matches!(opened, crate::crypto::Opened::Clear(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_never_appended_under_a_configuration_that_has_moved() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let door = std::sync::Arc::new(temp.door());
    let prepared = door.prepare(&event(r#"{"id":1}"#)).await.unwrap();
    set_key(&temp, "name").await;
    let outcomes = temp.record.append(vec![prepared.item]).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stale(Position(3))]);

    let sender = tokio::spawn(async move {
        for _ in 0..50 {
            one(&door, event(r#"{"id":1,"name":2}"#)).await.unwrap();
        }
    });
    for n in 0..20 {
        set_key(&temp, ["id", "name"][n % 2]).await;
    }
    sender.await.unwrap();
    let rows = temp.record.read_after(Select::Tenant(acme), Position(0), 999).await.unwrap();
    let mut config = Position(0);
    for row in &rows {
        if row.configures {
            config = row.position;
        } else if row.stream.kind == StreamKind::Customer {
            assert_eq!(row.config, Some(config));
        }
    }
    assert_eq!(rows.iter().filter(|row| row.stream.kind == StreamKind::Customer).count(), 50);
}

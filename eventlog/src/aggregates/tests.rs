//! Commands over the record: races, retries, and what goes along with an event.

use domain::client::Scope;
use domain::ids::ClientId;
use domain::template::{self, Template};
use domain::tenant::{self, Tenant};
use domain::{client, pattern};

use super::*;
use crate::record::Select;
use crate::testing::TempRecord;

fn tenant_stream(id: &str) -> StreamId {
    StreamId::new(&TenantId::from(id), StreamKind::Tenant, id)
}

#[tokio::test]
async fn a_tenant_is_made_with_its_key_and_every_change_of_matching_moves_its_configuration() {
    let temp = TempRecord::new();
    let commands = temp.commands();
    let by = Metadata { by: Some("root".into()), ..Metadata::default() };
    let create = tenant::Command::Create { name: "Acme".into(), uuid: "acme".into() };
    let made = commands.execute::<Tenant>(tenant_stream("acme"), create.clone(), by.clone()).await.unwrap();
    assert_eq!((made.position, made.version), (Position(1), 1));
    let acme = TenantId::from("acme");
    assert!(temp.record.key(&acme, None).await.unwrap().is_some());
    assert_eq!(temp.record.config_position(&acme).await.unwrap(), Position(0));

    let again = commands.execute::<Tenant>(tenant_stream("acme"), create, by.clone()).await;
    assert!(matches!(again, Err(CommandError::Refused(tenant::Error::Exists))));
    let set = tenant::Command::SetKeyAttribute { expected: None, key: "email".into() };
    let set_once = commands.execute::<Tenant>(tenant_stream("acme"), set.clone(), by.clone()).await.unwrap();
    assert_eq!((set_once.position, set_once.version), (Position(2), 2));
    assert_eq!(temp.record.config_position(&acme).await.unwrap(), Position(2));
    let nothing_to_do = commands.execute::<Tenant>(tenant_stream("acme"), set, by.clone()).await.unwrap();
    assert_eq!(nothing_to_do, set_once);
    let loaded = commands.load::<Tenant>(&tenant_stream("acme")).await.unwrap();
    assert_eq!((loaded.key.as_deref(), loaded.version), (Some("email"), 2));
    let rows = temp.record.read_after(Select::All, Position(0), 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.metadata).collect::<Vec<_>>(), vec![&by; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_race_on_one_aggregate_all_come_through_in_turn() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "k0").await;
    let racers: Vec<_> = (1..=20)
        .map(|n| {
            let (commands, stream) = (temp.commands(), tenant_stream("acme"));
            tokio::spawn(async move {
                let set = tenant::Command::SetKeyAttribute { expected: None, key: format!("k{n}") };
                commands.execute::<Tenant>(stream, set, Metadata::default()).await.unwrap().version
            })
        })
        .collect();
    let mut versions = Vec::new();
    for racer in racers {
        versions.push(racer.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (3..=22).collect::<Vec<_>>());
    assert_eq!(temp.record.config_position(&acme).await.unwrap(), Position(22));
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_cut_a_command() {
    let temp = TempRecord::new();
    let commands = temp.commands();
    let create = tenant::Command::Create { name: "Acme".into(), uuid: "acme".into() };
    {
        let mut call =
            std::pin::pin!(commands.execute::<Tenant>(tenant_stream("acme"), create, Metadata::default()));
        let waker = std::task::Waker::noop();
        assert!(call.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    let mut head = temp.record.head();
    let made = head.wait_for(|head| head.position == Position(1));
    tokio::time::timeout(std::time::Duration::from_secs(10), made).await.unwrap().unwrap();
}

/// What is stored by hand here has to be what the events call themselves.
#[tokio::test]
async fn the_stored_names_are_those_of_the_events() {
    fn known<A: Kind>(events: &[&str]) {
        assert_eq!(A::EVENTS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), events);
        assert_eq!(A::TYPE, A::KIND.name());
    }
    let key = tenant::Event::KeyAttributeSet { key: String::new() };
    let created = tenant::Event::Created { name: String::new(), uuid: String::new() };
    known::<Tenant>(&[created.name(), key.name()]);
    let created = client::Event::Created {
        name: String::new(),
        secret_hash: String::new(),
        scopes: vec![],
        tenants: vec![],
    };
    known::<client::Client>(&[created.name(), client::Event::Deleted.name()]);
    let definition = pattern::Definition::default();
    known::<pattern::Pattern>(&[
        pattern::Event::Created(definition.clone()).name(),
        pattern::Event::Updated(definition).name(),
        pattern::Event::Deleted.name(),
    ]);
    let definition = template::Definition { name: String::new(), description: None, template: String::new() };
    known::<Template>(&[
        template::Event::Created(definition.clone()).name(),
        template::Event::Updated(definition).name(),
        template::Event::Deleted.name(),
    ]);
}

#[tokio::test]
async fn a_token_is_noted_once() {
    let temp = TempRecord::new();
    let token = TokenIssued { client: ClientId::from("c"), scopes: vec![Scope::Read], expires: Stamp(5) };
    let noted = temp.commands().issue_token("ab", &token, Metadata::default()).await.unwrap();
    assert_eq!((noted.position, noted.version), (Position(1), 1));
    assert!(temp.commands().issue_token("ab", &token, Metadata::default()).await.is_err());
    let row = temp.record.read_at(&[Position(1)]).await.unwrap().remove(0);
    assert_eq!(serde_json::from_slice::<TokenIssued>(&row.payload).unwrap(), token);
}

/// Something of everything that is wanted of a tenant's configuration.
fn wanted() -> domain::plan::Document<domain::integration::Setting> {
    let template = template::Definition { name: "T".into(), description: None, template: "hi".into() };
    let pattern = pattern::Definition {
        name: "P".into(),
        status: true,
        when: Some("(event (= a 1))".into()),
        then: Some("(send echo message {} (template {:message +t}))".into()),
        ..pattern::Definition::default()
    };
    let setting = domain::integration::Setting { active: true, ..Default::default() };
    domain::plan::Document {
        key: Some("who".into()),
        templates: vec![("t".into(), template)],
        augments: vec![],
        patterns: vec![("p".into(), pattern)],
        listeners: vec![],
        integrations: vec![(domain::integration::Kind::Generic, setting)],
    }
}

#[tokio::test]
async fn a_plan_is_one_item_of_the_record_and_none_if_anything_has_moved_since() {
    let temp = TempRecord::new();
    let acme = temp.tenant("acme", "id").await;
    let commands = temp.commands();
    let limits = domain::dsl::Limits::default();
    let stored = commands.configuration(&acme).await.unwrap();
    let plan = domain::plan::plan(&stored, &wanted(), &limits).unwrap();
    let before = temp.record.head().borrow().position;

    // What anybody makes meanwhile: a pattern, of which the plan knows nothing.
    let stream = StreamId::new(&acme, StreamKind::Pattern, "PT1");
    let create = pattern::Command::Create {
        name: "other".into(),
        description: None,
        status: false,
        when: None,
        then: None,
        templates: Default::default(),
        limits,
    };
    let other = commands.execute::<pattern::Pattern>(stream, create, Metadata::default()).await.unwrap();
    let lost = commands.carry_out(&acme, &stored, &plan, Metadata::default()).await.unwrap();
    assert_eq!(lost, None);
    assert_eq!(temp.record.head().borrow().position, other.position, "nothing was done");

    let stored = commands.configuration(&acme).await.unwrap();
    let plan = domain::plan::plan(&stored, &wanted(), &limits).unwrap();
    let done = commands.carry_out(&acme, &stored, &plan, Metadata::default()).await.unwrap().unwrap();
    let rows = temp.record.read_after(Select::All, other.position, 20).await.unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.event_type.as_str()).collect();
    let want =
        ["key-attribute-set", "integration-set", "template-created", "pattern-deleted", "pattern-created"];
    assert_eq!(names, want);
    assert!(rows.iter().all(|row| row.stamp == done.stamp), "one commit");
    assert_eq!(temp.record.config_position(&acme).await.unwrap(), done.position);
    assert_eq!(done.position.0, before.0 + 6);
    let stored = commands.configuration(&acme).await.unwrap();
    assert_eq!(stored.tenant.key.as_deref(), Some("who"));
    assert!(domain::plan::plan(&stored, &wanted(), &limits).unwrap().changes.is_empty());
}

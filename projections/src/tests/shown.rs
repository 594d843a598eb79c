//! Given what the record holds, then what is asked is answered so.

use domain::client::{self, Client, Scope, TokenIssued};
use domain::ids::{PatternId, TenantId};
use domain::time::Stamp;
use eventlog::record::{Metadata, StreamId, StreamKind};

use super::world::{World, finished_ok, matched, reaction, resumed, send, started};
use crate::{ChangeKind, Page, ReactionFilter, ReactionState, SendFilter, SendId, SendState, TimelineEntry};

const ALL: Page = Page { before: None, limit: 1_000 };

#[tokio::test]
async fn resources_are_shown_as_they_are_now_and_their_numbers_are_never_used_again() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let tenant = views.tenant(&world.tenant).await.unwrap().unwrap();
    assert_eq!(
        (tenant.name.as_str(), tenant.key_attribute.as_deref(), tenant.version),
        ("acme", Some("id"), 2)
    );
    assert_eq!(views.tenant_by_uuid(&tenant.uuid).await.unwrap().as_ref(), Some(&tenant));
    assert_eq!(views.tenants().await.unwrap(), [tenant]);

    let patterns = views.patterns(&world.tenant).await.unwrap();
    let shown: Vec<_> =
        patterns.iter().map(|p| (p.id.as_str(), p.definition.name.as_str(), p.version)).collect();
    assert_eq!(shown, [("PT1", "pattern 1", 1), ("PT2", "renamed", 2)]);
    assert_eq!(views.pattern(&world.tenant, &"PT3".into()).await.unwrap(), None);
    assert_eq!(views.last_pattern_number(&world.tenant).await.unwrap(), 3);
    assert_eq!(views.templates(&world.tenant).await.unwrap().len(), 2);
    assert_eq!(views.last_template_number(&world.tenant).await.unwrap(), 3);
    let other = TenantId::from("other");
    assert_eq!(views.pattern(&other, &"PT1".into()).await.unwrap(), None);
    assert_eq!(views.last_pattern_number(&other).await.unwrap(), 0);
}

#[tokio::test]
async fn the_audit_tells_who_changed_what_from_what_to_what() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let trail = views.audit(&world.tenant, ALL).await.unwrap();
    let of = |id: &str| trail.iter().rev().filter(|entry| entry.id == id).collect::<Vec<_>>();
    let [made, changed] = of("PT2")[..] else { panic!("{trail:?}") };
    assert_eq!((made.kind, changed.kind), (ChangeKind::Created, ChangeKind::Updated));
    assert_eq!((made.before.as_ref(), changed.before.as_ref()), (None, made.after.as_ref()));
    assert_eq!(changed.by.as_deref(), Some("alice"));
    let after = changed.after.as_deref().unwrap();
    assert!(after.contains(r#""name":"renamed""#) && !after.contains("version"), "{after}");
    let deleted = of("PT3")[1];
    assert_eq!((deleted.kind, deleted.after.as_ref()), (ChangeKind::Deleted, None));
    assert!(deleted.before.is_some());
    let [_, key] = of("acme")[..] else { panic!("{trail:?}") };
    assert!(key.after.as_deref().unwrap().contains(r#""key-attribute":"id""#));

    let mut paged = Vec::new();
    let mut page = Page { before: None, limit: 3 };
    loop {
        let part = views.audit(&world.tenant, page).await.unwrap();
        let Some(last) = part.last() else { break };
        page.before = Some(last.position);
        paged.extend(part);
    }
    assert_eq!(paged, trail);
}

#[tokio::test]
async fn a_token_dies_with_its_client_and_one_that_expired_is_let_go() {
    let world = World::new().await;
    let (nobody, acme) = (TenantId::from(""), world.tenant.clone());
    let commands = world.temp.commands();
    let create = client::Command::Create {
        name: "shop".into(),
        secret_hash: "$argon2id$secret".into(),
        scopes: Scope::TENANT.to_vec(),
        tenants: vec![acme.clone()],
    };
    let stream = StreamId::new(&nobody, StreamKind::Client, "C1");
    commands.execute::<Client>(stream.clone(), create, Metadata::default()).await.unwrap();
    let token = |expires| TokenIssued { client: "C1".into(), scopes: vec![Scope::Read], expires };
    commands.issue_token("aa", &token(Stamp(1_704_067_200_000)), Metadata::default()).await.unwrap();
    commands.issue_token("bb", &token(Stamp(1_999_999_999_999)), Metadata::default()).await.unwrap();
    let views = world.caught_up().await;
    assert_eq!(views.token("aa").await.unwrap(), None);
    let found = views.token("bb").await.unwrap().unwrap();
    assert_eq!((found.scopes, found.tenants), (vec![Scope::Read], vec![acme.clone()]));
    let clients = views.clients(&acme).await.unwrap();
    assert_eq!(clients[0].secret_hash, "$argon2id$secret");
    assert!(!views.has_admin().await.unwrap());

    commands.execute::<Client>(stream, client::Command::Delete, Metadata::default()).await.unwrap();
    world.temp.client("root").await;
    world.catch_up(&views).await;
    assert_eq!(views.token("bb").await.unwrap(), None);
    assert!(views.clients(&acme).await.unwrap().is_empty());
    assert!(views.has_admin().await.unwrap());
    let trail = views.audit(&acme, ALL).await.unwrap();
    assert_eq!(trail[0].kind, ChangeKind::Deleted);
    assert!(!format!("{trail:?}").contains("argon2id"));
}

#[tokio::test]
async fn reactions_are_found_by_state_pattern_customer_and_time() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let found = async |filter: ReactionFilter| {
        let found = views.reactions(&world.tenant, filter, ALL).await.unwrap();
        found.iter().map(|view| view.id.0[0]).collect::<Vec<_>>()
    };
    let of = ReactionFilter::default;
    assert_eq!(found(of()).await, [3, 2, 1]);
    assert_eq!(found(ReactionFilter { state: Some(ReactionState::Failed), ..of() }).await, [2]);
    assert_eq!(found(ReactionFilter { pattern: Some(PatternId::from("PT1")), ..of() }).await, [3, 1]);
    assert_eq!(found(ReactionFilter { customer: Some(world.customer), ..of() }).await, [3, 2, 1]);
    assert_eq!(
        found(ReactionFilter { customer: Some(domain::ids::CustomerId([9; 16])), ..of() }).await,
        [] as [u8; 0]
    );
    let second = views.reaction(&world.tenant, reaction(2)).await.unwrap().unwrap();
    assert_eq!(found(ReactionFilter { from: Some(second.at), ..of() }).await, [3, 2]);
    assert_eq!(found(ReactionFilter { to: Some(second.at), ..of() }).await, [1]);
    assert_eq!((second.matched, second.state), (Stamp(77), ReactionState::Failed));
    assert!(second.updated > second.at && second.start.is_some());
    assert_eq!(views.reaction(&TenantId::from("other"), reaction(2)).await.unwrap(), None);
    let page = Page { before: Some(second.position), limit: 1 };
    let older = views.reactions(&world.tenant, of(), page).await.unwrap();
    assert_eq!(older.iter().map(|view| view.id).collect::<Vec<_>>(), [reaction(1)]);
}

#[tokio::test]
async fn retries_are_attempts_of_one_send_and_a_late_answer_to_an_old_one_changes_nothing() {
    let mut world = World::new().await;
    world.reaction(reaction(1), vec![matched("PT1"), started(1), send(1, 0, 1, "a")]).await;
    let views = world.caught_up().await;
    let ask = async || views.sends(&world.tenant, SendFilter::default(), ALL).await.unwrap();
    assert_eq!((ask().await[0].state, ask().await[0].attempts), (SendState::Begun, 1));

    world.reaction(reaction(1), vec![send(1, 1, 2, "a"), super::world::answered_badly(0)]).await;
    world.catch_up(&views).await;
    let [view] = &views.sends(&world.tenant, SendFilter::default(), ALL).await.unwrap()[..] else { panic!() };
    assert_eq!(
        (view.state, view.attempts, view.possibly_sent_twice, view.ended),
        (SendState::Begun, 2, true, None)
    );

    world.reaction(reaction(1), vec![resumed(1)]).await;
    let end = world.reaction(reaction(1), vec![finished_ok(1)]).await;
    world.reaction(reaction(1), vec![send(1, 2, 1, "b")]).await;
    world.catch_up(&views).await;
    let all = views.sends(&world.tenant, SendFilter::default(), ALL).await.unwrap();
    let [second, first] = &all[..] else { panic!("{all:?}") };
    assert_eq!((first.state, first.attempts, first.ended), (SendState::Succeeded, 3, Some(end)));
    assert_eq!((second.state, second.attempts, second.endpoint.as_str()), (SendState::Begun, 1, "twilio"));
    let begun = SendFilter { state: Some(SendState::Begun), ..SendFilter::default() };
    assert_eq!(&views.sends(&world.tenant, begun, ALL).await.unwrap()[..], &all[..1]);
    let id: SendId = first.id().to_string().parse().unwrap();
    assert_eq!(views.send(&world.tenant, id.clone()).await.unwrap().as_ref(), Some(first));
    assert_eq!(views.send(&TenantId::from("other"), id).await.unwrap(), None);
}

#[tokio::test]
async fn a_timeline_has_matches_reactions_and_sends_newest_first_and_pages_do_not_overlap() {
    let mut world = World::new().await;
    world.day().await;
    let other = world.vault.customer(&world.tenant, "other").await.unwrap().id;
    world.reaction_of(other, reaction(9), vec![matched("PT1"), started(9)]).await;
    let views = world.caught_up().await;
    let whole = views.timeline(&world.tenant, world.customer, ALL).await.unwrap();
    let kinds: String = whole
        .iter()
        .map(|entry| match entry {
            TimelineEntry::Match(_) => 'm',
            TimelineEntry::Reaction(_) => 'r',
            TimelineEntry::Send(_) => 's',
        })
        .collect();
    assert_eq!(kinds, "msrmsrm");
    let mut paged = Vec::new();
    let mut page = Page { before: None, limit: 2 };
    loop {
        let part = views.timeline(&world.tenant, world.customer, page).await.unwrap();
        let Some(last) = part.last() else { break };
        page.before = Some(last.position());
        paged.extend(part);
    }
    assert_eq!(paged, whole);
}

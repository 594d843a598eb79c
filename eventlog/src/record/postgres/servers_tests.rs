//! What servers on one database share beside the record: terms, places, files, errands.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{Position, TenantId};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::*;
use crate::checkpoint::Places;
use crate::files::Files;
use crate::testing::postgres::{new_database, shared};

async fn open<const N: usize>() -> [Arc<PostgresRecord>; N] {
    let url = new_database(shared()).await;
    let mut servers = Vec::new();
    for _ in 0..N {
        servers.push(PostgresRecord::open(Options::new(&url).unwrap()).await.unwrap());
    }
    servers.try_into().ok().unwrap()
}

async fn two() -> (Arc<PostgresRecord>, Arc<PostgresRecord>) {
    let [a, b] = open().await;
    (a, b)
}

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), wait).await.expect("in time")
}

fn row(key: &str, value: Option<&str>) -> (Vec<u8>, Option<Vec<u8>>) {
    (key.into(), value.map(Into::into))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_goes_to_another_when_its_holder_falls_silent_and_its_leases_and_places_with_it() {
    let (a, b) = two().await;
    let (first, second) = (Term::new(a.clone(), "engine"), Term::new(b.clone(), "engine"));
    let (at_first, at_second) =
        (SharedPlaces::of(a.clone(), "engine"), SharedPlaces::of(b.clone(), "engine"));
    soon(first.wait()).await;
    let leases = ["engine/0".to_owned()];
    a.take_leases(&leases, "a").await.unwrap();
    assert!(b.take_leases(&leases, "b").await.is_err(), "only for the holder");
    b.take_leases(&["free".to_owned()], "b").await.unwrap();
    at_first.commit("engine", Position(3), vec![row("x", Some("1")), row("y", Some("2"))]).await.unwrap();
    assert!(at_second.commit("engine", Position(9), vec![]).await.is_err(), "only for the holder");

    let (_, reached) = watch::channel(Position(7));
    let mut waiting = pin!(second.wait());
    tokio::select! {
        () = first.hold(reached.clone()) => panic!("nobody has taken it"),
        () = &mut waiting => panic!("a holder that beats keeps it"),
        () = sleep(LASTING + Duration::from_secs(1)) => {}
    }
    assert_eq!(*second.progress().borrow(), Position(7));
    // Who has seen it beat all the while notices that it does no more.
    soon(waiting).await;
    b.take_leases(&leases, "b").await.unwrap();
    assert!(a.take_leases(&leases, "a").await.is_err());
    assert!(at_first.commit("engine", Position(4), vec![row("x", None)]).await.is_err());
    soon(first.hold(reached)).await;
    let kept = vec![(b"x".to_vec(), b"1".to_vec()), (b"y".to_vec(), b"2".to_vec())];
    assert_eq!(at_second.load("engine").await.unwrap(), Some((Position(3), kept)));
    let changes = vec![row("x", None), row("y", Some("3"))];
    at_second.commit("engine", Position(5), changes).await.unwrap();
    let kept = vec![(b"y".to_vec(), b"3".to_vec())];
    assert_eq!(at_second.load("engine").await.unwrap(), Some((Position(5), kept)));
    at_second.forget("engine").await.unwrap();
    assert_eq!(at_second.load("engine").await.unwrap(), None);

    second.let_go().await.unwrap();
    timeout(LASTING / 2, first.wait()).await.expect("at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_is_left_to_the_server_that_is_named_and_to_no_other() {
    let [a, b, c] = open().await;
    let term = |record: &Arc<PostgresRecord>| Term::new(record.clone(), "engine:3");
    let (first, second, third) = (term(&a), term(&b), term(&c));
    soon(first.wait()).await;
    first.leave_to(&b.server);
    first.let_go().await.unwrap();
    assert!(timeout(LASTING / 2, third.wait()).await.is_err(), "it was left to another");
    timeout(LASTING / 2, second.wait()).await.expect("at once");
    second.let_go().await.unwrap();
    timeout(LASTING / 2, third.wait()).await.expect("left to nobody, it is anybody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roster_says_who_is_there_what_they_hold_and_for_what_they_are_ready() {
    let (a, b) = two().await;
    let (mut first, mut second) = (Roster::of(a.clone(), "engine"), Roster::of(b.clone(), "engine"));
    for share in [2, 5] {
        soon(Term::new(a.clone(), format!("engine:{share}")).wait()).await;
    }
    soon(Term::new(a.clone(), "notifier:1").wait()).await;
    first.call(&BTreeSet::new()).await.unwrap();
    let presence = second.call(&[2].into()).await.unwrap();
    let of = |holds: &[u8], warm: &[u8]| Present {
        holds: holds.iter().copied().collect(),
        warm: warm.iter().copied().collect(),
    };
    let both = Presence::from([(a.server.clone(), of(&[2, 5], &[])), (b.server.clone(), of(&[], &[2]))]);
    assert_eq!(presence, both);
    assert_eq!(first.call(&BTreeSet::new()).await.unwrap(), both);

    // Whoever falls silent is gone after a while, and back with its next call.
    let silent = async {
        while first.call(&BTreeSet::new()).await.unwrap().len() > 1 {
            sleep(Duration::from_millis(500)).await;
        }
    };
    let began = tokio::time::Instant::now();
    soon(silent).await;
    assert!(began.elapsed() > LASTING - Duration::from_secs(1), "{:?}", began.elapsed());
    second.call(&BTreeSet::new()).await.unwrap();
    assert_eq!(first.call(&BTreeSet::new()).await.unwrap().len(), 2);
    second.leave().await.unwrap();
    assert_eq!(first.call(&BTreeSet::new()).await.unwrap().len(), 1, "at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_one_server_took_in_is_read_and_dropped_by_another() {
    let (a, b) = two().await;
    let acme = TenantId::from("acme");
    let before = a.now();
    a.put_piece(&acme, "f", 0, b"sealed".to_vec()).await.unwrap();
    assert!(a.put_piece(&acme, "f", 0, b"other".to_vec()).await.is_err(), "a piece stays as it is");
    assert_eq!(b.piece(&acme, "f", 0).await.unwrap(), Some(b"sealed".to_vec()));
    assert_eq!(b.piece(&acme, "f", 1).await.unwrap(), None);
    assert_eq!(b.piece(&TenantId::from("other"), "f", 0).await.unwrap(), None);
    assert_eq!(b.files_before(before).await.unwrap(), []);
    assert_eq!(b.files_before(before.after(60_000)).await.unwrap(), [(acme.clone(), "f".to_owned())]);
    b.drop_file(&acme, "f").await.unwrap();
    assert_eq!(a.piece(&acme, "f", 0).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_errand_is_run_once_by_who_serves_it_and_its_answer_comes_back() {
    let (a, b) = two().await;
    let pool = a.pool.clone();
    let (here, there) = (Errands::to(a, "notifier"), Errands::to(b, "notifier"));
    let serving = tokio::spawn(async move { there.serve(async |errand| Some(format!("{errand}!"))).await });
    let answers = futures_util::future::join_all((0..100).map(|n| {
        let here = &here;
        async move { (n, here.run(&n.to_string()).await.unwrap()) }
    }));
    for (n, answer) in soon(answers).await {
        assert_eq!(answer, Some(format!("{n}!")));
    }
    serving.abort();
    assert!(serving.await.is_err());
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM cxengage.errands").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0, "an answer is taken away by who waited for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_one_servers_at_a_time_and_over_when_it_is_dropped() {
    let (a, b) = two().await;
    let turn = a.turn("acme").await.unwrap();
    soon(b.turn("other")).await.unwrap();
    assert!(timeout(Duration::from_millis(500), b.turn("acme")).await.is_err(), "it is another's");
    let waiting = tokio::spawn(async move { b.turn("acme").await });
    drop(turn);
    soon(waiting).await.unwrap().unwrap().end().await.unwrap();
    soon(a.turn("acme")).await.unwrap();
}

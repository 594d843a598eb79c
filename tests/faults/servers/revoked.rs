//! A client that is deleted is let in nowhere any more, with clocks that differ and after a restart too.

use std::time::{Duration, Instant};

use system_tests::harness::{Home, Server};

use crate::tell;

/// How long it may take at every server.
const AT_MOST: Duration = Duration::from_secs(60);

/// Deletes a client under load at one server; for how long its token was good at the other.
fn good_for(orders: [&str; 2], patience: Duration) -> Option<Duration> {
    let home = Home::database();
    let mut servers = [Server::at_with_faults(home.clone()), Server::at_with_faults(home)];
    for (server, orders) in servers.iter_mut().zip(orders) {
        server.try_run(&[], orders).unwrap_or_else(|said| panic!("not ready: {said}"));
    }
    let acme = servers[0].tenant("acme");
    let (id, secret) = servers[0].admin().new_client("acme", None);
    let leaver = acme.client.with_token_of(&id, &secret);
    let there = leaver.at(servers[1].base());
    let path = acme.path("patterns");
    // Both servers have the grant at hand.
    assert_eq!((leaver.get(&path).status, there.get(&path).status), (200, 200));
    servers[0].admin().delete(&acme.path(&format!("clients/{id}"))).expect(204);
    let deleted = Instant::now();
    assert_eq!(leaver.get(&path).status, 401, "where it was deleted");
    while there.get(&path).status == 200 {
        if deleted.elapsed() > patience {
            return None;
        }
    }
    let took = deleted.elapsed();
    servers[1].kill();
    servers[1].try_run(&[], orders[1]).unwrap_or_else(|said| panic!("not ready: {said}"));
    assert_eq!(leaver.at(servers[1].base()).get(&path).status, 401, "after a restart");
    Some(took)
}

#[test]
fn a_deleted_clients_token_is_good_nowhere_and_where_that_is_not_passed_on_it_is_seen() {
    for orders in [["", ""], ["clock:600000", "clock:-600000"]] {
        let took = good_for(orders, AT_MOST).expect("the other server to let go of it");
        tell(&format!("revoked at one server, {orders:?}: refused at the other after {took:.0?}"));
    }
    let broken = "break:no-revocation";
    assert_eq!(good_for([broken, broken], Duration::from_secs(5)), None, "broken and not seen");
}

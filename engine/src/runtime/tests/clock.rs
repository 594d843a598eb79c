//! A clock that jumps, back and forth by days, and stands still, with stops and crashes in between.

use super::*;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Pattern, window, and how long that is.
const WINDOWS: [(&str, &str, i64); 4] = [
    ("PT1", "1 seconds", SECOND),
    ("PT2", "59 minutes", HOUR - 60 * SECOND),
    ("PT3", "2 days", 2 * DAY),
    ("PT4", "300 days", 300 * DAY),
];
const CUSTOMERS: i64 = 30;
/// By how much the clock is moved, step by step; 0: it stands still.
const JUMPS: [i64; 12] =
    [SECOND, 1, -HOUR, 0, 2 * HOUR, -DAY, DAY, -SECOND, 2 * DAY, -300 * DAY, 500 * DAY, 200 * DAY];

#[tokio::test]
async fn a_clock_that_jumps_passes_every_deadline_once_and_none_before_its_time() {
    let mut world = World::new().await;
    for (pattern, window, _) in WINDOWS {
        let cart = r#"(seq (event (= type "cart")) (fail (event (= type "paid"))))"#;
        world.create(pattern, &format!("(within {window} {cart})")).await;
    }
    world.start();
    let mut carts = Vec::new();
    for n in 0..CUSTOMERS {
        carts.push(world.customer_event(&format!("c{n}"), "cart").await);
        world.home.clock.advance(10);
    }
    let carts: Vec<_> = world.record.read_at(&carts).await.unwrap();
    let due = |carts: &[Recorded], now: Stamp| {
        let due = carts.iter().flat_map(|cart| WINDOWS.map(|(.., window)| cart.stamp.after(window)));
        due.filter(|due| *due < now).count()
    };
    for (n, jump) in JUMPS.into_iter().enumerate() {
        world.settled().await;
        if n % 2 == 0 {
            world.stop().await
        } else {
            world.kill().await
        }
        world.home.clock.advance(jump);
        world.start();
        let expected = due(&carts, world.record.now());
        world.matched(expected).await;
        world.settled().await;
        assert_eq!(world.matches().await.len(), expected, "after jump {n}");
    }
    world.stop().await;
    let matches = world.matches().await;
    assert_eq!(matches.len(), carts.len() * WINDOWS.len());
    let rows = world.rows().await;
    for (found, cause) in matches {
        let cart = carts.iter().find(|cart| found.witness == [cart.position]).unwrap();
        let (.., window) =
            WINDOWS.into_iter().find(|(id, ..)| found.pattern == PatternId::from(*id)).unwrap();
        let at = cart.stamp.after(window);
        assert_eq!((found.point, found.at), (Point::Deadline(at), at));
        let mark = rows.iter().find(|row| row.position == cause).unwrap();
        assert!(mark.stamp > at, "{found:?} before its time, at {}", mark.stamp);
    }
    assert_eq!(world.differences().await, []);
}

#[tokio::test]
async fn a_clock_that_is_set_forward_while_the_engine_waits_passes_the_deadline_soon() {
    let mut world = World::new().await;
    world.create("PT1", CART).await;
    world.start();
    world.customer_event("ann", "cart").await;
    // It waits for the deadline, an hour away, from here on.
    world.settled().await;
    world.minute(61);
    world.matched(1).await;
    world.stop().await;
}

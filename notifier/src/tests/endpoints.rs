//! Sends over real HTTP, from the match to the log: what goes out, and what each way to fail makes of a reaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::dsl::then;
use domain::ids::{Position, ReactionId};
use domain::integration::{Definition, Event as Integrated, Kind, OnAmbiguous};
use domain::reaction::{Answer, Effect, Event, Failure, InputKind, Note, Outcome as Ending, Remark};
use eventlog::record::{Error, Expect, Layer, Record, Recorded, Select, StreamId, StreamKind};

use super::stand_in::{Do, StandIn};
use super::world::{Running, World, event, item, options, within};
use crate::endpoint::http::{Http, Setup, Url};
use crate::endpoint::{Bases, Endpoints, Integrations, Outside};
use crate::runtime::Options;

/// Sets an integration up, or (`None`) deletes it.
async fn set(world: &World, version: u64, kind: Kind, fields: &[(&str, &str)], on_ambiguous: OnAmbiguous) {
    let mut definition = Definition { active: true, on_ambiguous, ..Definition::default() };
    for (name, value) in fields {
        if kind.field(name).unwrap().secret {
            let sealed = world.vault.seal_credential(&world.tenant, &kind.place(name), value).await.unwrap();
            definition.secrets.insert(name.to_string(), sealed);
        } else {
            definition.fields.insert(name.to_string(), value.to_string());
        }
    }
    append(world, version, kind, &Integrated::Set(definition)).await;
}

async fn append(world: &World, version: u64, kind: Kind, integrated: &Integrated) {
    let stream = StreamId::new(&world.tenant, StreamKind::Integration, kind.name());
    let new = event(integrated.name(), integrated, false);
    world.append(item(stream, Expect::Version(version), vec![new])).await;
}

pub(super) async fn twilio(world: &World, on_ambiguous: OnAmbiguous) {
    set(world, 0, Kind::Twilio, &[("account", "AC1"), ("password", "canary-token")], on_ambiguous).await;
}

fn endpoints(world: &World, url: &str) -> Endpoints {
    endpoints_of(world, world.record.clone(), url)
}

/// Those that read the integrations from another record.
fn endpoints_of(world: &World, record: Arc<dyn Record>, url: &str) -> Endpoints {
    let base = Url::parse(url).unwrap();
    let bases = Bases {
        twilio: base.clone(),
        sendgrid: base.clone(),
        salesforce_login: base.clone(),
        airship: base.clone(),
        pusher: Some(base.clone()),
        zendesk: Some(base.clone()),
        datasift: Some(base),
    };
    Endpoints::all(Outside {
        http: Http::new(Setup { allow_private_addresses: true, ..Setup::default() }),
        integrations: Integrations::new(record, world.vault.clone()),
        bases: Arc::new(bases),
        receipts: None,
    })
}

pub(super) fn notifier(world: &World, url: &str, options: Options) -> Running {
    world.notifier_with(world.record.clone(), endpoints(world, url), options)
}

/// Goes on in time until the reaction has ended.
pub(super) async fn play(world: &World, running: &Running, reaction: ReactionId) -> Ending {
    play_or_hold(world, running, reaction).await.expect("nothing is held")
}

/// The same, or (`None`) until a send of it is held.
pub(super) async fn play_or_hold(world: &World, running: &Running, reaction: ReactionId) -> Option<Ending> {
    within(async {
        loop {
            let trail = world.trail(reaction).await;
            match trail.last() {
                Some((_, Event::Effect(Effect::Finished(ending)))) => return Some(ending.clone()),
                Some((_, Event::Effect(Effect::Note(Note { remark: Remark::Held { .. }, .. })))) => {
                    return None;
                }
                _ => {}
            }
            world.advance(5_000);
            running.settle().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
}

pub(super) const SMS: &str =
    "twilio sms {:to-phone-number *phone* :from-phone-number \"+1\" :message \"hello\"}";
pub(super) const ANN: &str = r#"{"id":"ann","phone":"+5"}"#;

#[tokio::test]
async fn every_endpoint_is_reached_with_the_integration_in_force_and_no_secret_stays_behind() {
    let world = World::new().await;
    let answers = [
        Do::answer(201, r#"{"sid":"SM1","status":"queued"}"#),
        Do::answer(200, r#"{"sid":"SM1","status":"delivered","error_code":null}"#),
        Do::Answer(202, "X-Message-Id: m1\r\n", String::new()),
        Do::answer(200, r#"{"access_token":"canary-session","instance_url":"URL"}"#),
        Do::answer(201, r#"{"id":"00Q1","success":true,"errors":[]}"#),
        Do::answer(201, r#"{"id":"00T1","success":true,"errors":[]}"#),
        Do::answer(202, r#"{"ok":true,"push_ids":["p1"]}"#),
        Do::answer(200, "{}"),
        Do::answer(201, r#"{"ticket":{"id":35}}"#),
        Do::answer(200, r#"{"echo":"canary-hook"}"#),
    ];
    let there = StandIn::new([], Do::answer(500, "")).await;
    for answer in answers {
        there.then(match answer {
            Do::Answer(status, headers, body) => {
                Do::Answer(status, headers, body.replace("URL", &there.url()))
            }
            other => other,
        });
    }
    let retry = OnAmbiguous::Retry;
    twilio(&world, retry).await;
    set(&world, 0, Kind::Sendgrid, &[("api-key", "canary-key"), ("from", "a@example.com")], retry).await;
    let fields = [
        ("consumer-key", "ck"),
        ("consumer-secret", "canary-consumer"),
        ("username", "u"),
        ("password", "canary-pass"),
        ("secret-token", "canary-sec"),
    ];
    set(&world, 0, Kind::Salesforce, &fields, retry).await;
    set(&world, 0, Kind::UrbanAirship, &[("username", "app"), ("password", "canary-master")], retry).await;
    let fields = [("key", "k"), ("secret", "canary-push"), ("app-id", "7")];
    set(&world, 0, Kind::Pusher, &fields, retry).await;
    let fields = [("subdomain", "s"), ("email", "e@example.com"), ("token", "canary-zen")];
    set(&world, 0, Kind::Zendesk, &fields, retry).await;
    set(&world, 0, Kind::Webhook, &[("url", &there.url()), ("secret", "canary-hook")], retry).await;
    let running = notifier(&world, &there.url(), options());
    let then = format!(
        "(seq (send {SMS} (success (set sid $sid)))
              (send twilio sms-status {{:sid sid}})
              (send sendgrid email {{:to \"b@example.com\" :subject \"s\" :message \"m\"}})
              (send salesforce lead {{:LastName \"L\" :Company \"C\"}})
              (send salesforce task {{:Subject \"T\"}})
              (send urban-airship push {{:message \"m\"}})
              (send pusher trigger {{:channel \"c\" :event \"e\" :data \"d\"}})
              (send zendesk ticket {{:subject \"s\" :message \"m\"}})
              (send webhook post {{:body {{:a 1}}}} (success (set told $echo))))"
    );
    then::parse(&then, &domain::dsl::Limits::default()).unwrap();
    let reaction = world.reaction(&then, ANN).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert_eq!(
        there.lines(),
        [
            "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1",
            "GET /2010-04-01/Accounts/AC1/Messages/SM1.json HTTP/1.1",
            "POST /v3/mail/send HTTP/1.1",
            "POST /services/oauth2/token HTTP/1.1",
            "POST /services/data/v59.0/sobjects/Lead HTTP/1.1",
            "POST /services/data/v59.0/sobjects/Task HTTP/1.1",
            "POST /api/push HTTP/1.1",
            there.lines()[7].as_str(),
            "POST /api/v2/tickets.json HTTP/1.1",
            "POST / HTTP/1.1",
        ]
    );
    let seen = there.seen();
    assert!(seen[7].starts_with("POST /apps/7/events?auth_key=k&auth_timestamp="), "{}", seen[7]);
    assert!(
        seen[6].ends_with(
            r#"{"audience":{"named_user":"ann"},"device_types":"all","notification":{"alert":"m"}}"#
        )
    );
    assert!(seen[9].contains(&format!("webhook-id: {reaction}/0-8/0\r\n")), "{}", seen[9]);
    let trail = format!("{:?}", world.trail(reaction).await);
    assert!(trail.contains("00Q1") && trail.contains("********") && !trail.contains("canary"), "{trail}");
    running.stop().await;
    world.replays().await;
    for file in std::fs::read_dir(world.folder()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{path:?}");
    }
}

/// A record that is away for some reads.
struct Away(Arc<dyn Record>, AtomicUsize);

#[async_trait]
impl Layer for Away {
    fn inner(&self) -> &dyn Record {
        &*self.0
    }

    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        let count_down = |left: usize| left.checked_sub(1);
        if self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down).is_ok() {
            return Err(Error::Unavailable("gone".to_owned()));
        }
        self.0.read_before(select, before, limit).await
    }
}

#[tokio::test]
async fn a_record_that_is_away_for_longer_than_a_send_may_take_costs_the_send_none_of_its_tries() {
    let world = World::new().await;
    twilio(&world, OnAmbiguous::Retry).await;
    let there = StandIn::new([], Do::answer(201, r#"{"sid":"SM1","status":"queued"}"#)).await;
    // Five times: waited for more than a second in all.
    let away = Arc::new(Away(world.record.clone(), AtomicUsize::new(5)));
    let endpoints = endpoints_of(&world, away.clone(), &there.url());
    let running = world.notifier_with(world.record.clone(), endpoints, options());
    let reaction = world.reaction(&format!("(send {SMS} (retries 0) (within 1 second))"), ANN).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert_eq!((there.lines().len(), away.1.load(Ordering::SeqCst)), (1, 0));
    running.stop().await;
}

/// What became of a send with one retry: how often it went out, how often it was begun, its failures.
async fn outcome(there: &StandIn, url: &str, on_ambiguous: OnAmbiguous) -> (usize, Vec<Failure>, Vec<bool>) {
    let world = World::new().await;
    twilio(&world, on_ambiguous).await;
    let running = notifier(&world, url, options());
    let reaction = world.reaction(&format!("(send {SMS} (retries 1) (within 1 second))"), ANN).await;
    let ending = play_or_hold(&world, &running, reaction).await;
    assert!(matches!(ending, None | Some(Ending::Failed { .. })), "{ending:?}");
    let trail = world.trail(reaction).await;
    let failures = trail.iter().filter_map(|(_, event)| match event {
        Event::Input(input) => match &input.kind {
            InputKind::Answered { answer: Answer::Failed(failure), .. } => Some(failure.clone()),
            _ => None,
        },
        Event::Effect(_) | Event::Matched(_) => None,
    });
    let twice = trail.iter().filter_map(|(_, event)| match event {
        Event::Effect(Effect::Send(request)) => Some(request.possibly_sent_twice),
        _ => None,
    });
    let outcome = (there.seen().len(), failures.collect(), twice.collect());
    running.stop().await;
    outcome
}

#[tokio::test]
async fn every_class_of_error_makes_of_a_reaction_what_it_should() {
    use OnAmbiguous::{Hold, Retry};
    let once = |what: Do, hold| (what, hold, 1, false);
    let again = |what: Do, hold| (what, hold, 2, false);
    let perhaps_twice = |what: Do| (what, Retry, 2, true);
    let answer = |status| Do::answer(status, "");
    let cases = vec![
        once(answer(302), Retry),
        once(answer(400), Retry),
        once(answer(401), Retry),
        once(answer(403), Retry),
        once(answer(404), Retry),
        again(answer(408), Retry),
        once(answer(409), Retry),
        again(answer(429), Retry),
        again(answer(429), Hold),
        again(Do::Answer(429, "Retry-After: 7\r\n", String::new()), Retry),
        again(Do::Answer(503, "Retry-After: 7\r\n", String::new()), Hold),
        perhaps_twice(answer(500)),
        perhaps_twice(answer(503)),
        perhaps_twice(Do::Break),
        perhaps_twice(Do::Hang),
        perhaps_twice(Do::Drip),
        once(answer(500), Hold),
        once(Do::Break, Hold),
        once(Do::Hang, Hold),
        // It says that it is done: so it is not sent again, whatever else it says.
        once(Do::Flood, Retry),
        once(Do::answer(201, "nonsense"), Retry),
    ];
    let mut running = tokio::task::JoinSet::new();
    for (what, on_ambiguous, sent, twice) in cases {
        running.spawn(async move {
            let there = StandIn::new([], what.clone()).await;
            let (seen, failures, begun) = outcome(&there, &there.url(), on_ambiguous).await;
            assert_eq!(seen, sent, "{what:?} {on_ambiguous:?}: {failures:?}");
            assert_eq!((failures.len(), begun.len()), (sent, sent), "{what:?}: {failures:?}");
            assert_eq!(begun.last(), Some(&twice), "{what:?}");
            if matches!(what, Do::Answer(_, "Retry-After: 7\r\n", _)) {
                assert_eq!(failures[0].retry_after_ms, Some(7_000));
            }
        });
    }
    // Nobody there, and a server that speaks no TLS: nothing was sent.
    running.spawn(async {
        let there = StandIn::new([], Do::answer(200, "")).await;
        let (seen, failures, begun) = outcome(&there, "http://127.0.0.1:1024", Retry).await;
        assert_eq!((seen, begun), (0, vec![false, false]), "{failures:?}");
        let url = there.url().replace("http:", "https:");
        let (_, failures, begun) = outcome(&there, &url, Retry).await;
        assert_eq!(begun, [false, false], "{failures:?}");
        assert!(failures.iter().all(|failure| failure.retryable && !failure.ambiguous), "{failures:?}");
    });
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn an_integration_counts_as_it_is_at_each_send() {
    let world = World::new().await;
    let there = StandIn::new([], Do::answer(201, r#"{"sid":"SM1"}"#)).await;
    let running = notifier(&world, &there.url(), options());
    let send = format!("(send {SMS})");
    let missing =
        Ending::Failed { reason: "at 0: integration twilio is not set up for this tenant".to_owned() };
    assert_eq!(world.end(world.reaction(&send, ANN).await).await, missing);
    for (version, account) in [(0, "AC1"), (1, "AC2")] {
        let fields = [("account", account), ("password", "p")];
        set(&world, version, Kind::Twilio, &fields, OnAmbiguous::Retry).await;
        assert_eq!(world.end(world.reaction(&send, ANN).await).await, Ending::Done);
    }
    append(&world, 2, Kind::Twilio, &Integrated::Set(Definition::default())).await;
    assert_eq!(world.end(world.reaction(&send, ANN).await).await, missing, "it is not active");
    append(&world, 3, Kind::Twilio, &Integrated::Deleted).await;
    assert_eq!(world.end(world.reaction(&send, ANN).await).await, missing);
    let accounts: Vec<bool> = there.lines().iter().map(|line| line.contains("/AC1/")).collect();
    assert_eq!(accounts, [true, false]);
    running.stop().await;
}

#[tokio::test]
async fn a_session_is_shared_and_renewed_once_when_it_is_over() {
    let world = World::new().await;
    let fields = ["consumer-key", "consumer-secret", "username", "password", "secret-token"];
    set(&world, 0, Kind::Salesforce, &fields.map(|name| (name, "x")), OnAmbiguous::Retry).await;
    let there = StandIn::new([], Do::answer(401, r#"[{"errorCode":"INVALID_SESSION_ID"}]"#)).await;
    let login = |n: u8| {
        Do::answer(200, &format!(r#"{{"access_token":"token{n}","instance_url":"{}"}}"#, there.url()))
    };
    let created = || Do::answer(201, r#"{"id":"1","success":true}"#);
    let over = || Do::answer(401, "");
    for order in [login(1), created(), created(), over(), login(2), created(), over(), login(3), over()] {
        there.then(order);
    }
    let running = notifier(&world, &there.url(), options());
    let send = "(send salesforce task {:Subject \"s\"} (retries 5))";
    for ending in [Ending::Done, Ending::Done, Ending::Done] {
        assert_eq!(world.end(world.reaction(send, ANN).await).await, ending);
    }
    let Ending::Failed { reason } = world.end(world.reaction(send, ANN).await).await else { panic!() };
    assert!(reason.starts_with("at 0: answered 401"), "{reason}");
    let tokens: Vec<String> = there
        .seen()
        .iter()
        .map(|request| match request.split("Bearer ").nth(1).or(request.split("bearer ").nth(1)) {
            Some(rest) => rest[..6].to_owned(),
            None => "login".to_owned(),
        })
        .collect();
    assert_eq!(
        tokens,
        ["login", "token1", "token1", "token1", "login", "token2", "token2", "login", "token3"]
    );
    there.then(Do::answer(400, r#"{"error":"invalid_grant","error_description":"authentication failure"}"#));
    set(&world, 1, Kind::Salesforce, &fields.map(|name| (name, "y")), OnAmbiguous::Retry).await;
    let Ending::Failed { reason } = world.end(world.reaction(send, ANN).await).await else { panic!() };
    assert_eq!(reason, "at 0: login: answered 400: invalid_grant: authentication failure");
    running.stop().await;
}

#[tokio::test]
async fn an_integration_that_keeps_failing_is_left_alone_and_tried_once_in_a_while() {
    let world = World::new().await;
    twilio(&world, OnAmbiguous::Retry).await;
    let there = StandIn::new(vec![Do::answer(500, ""); 21], Do::answer(201, r#"{"sid":"SM1"}"#)).await;
    let running = notifier(&world, &there.url(), options());
    let program = world.pattern(&format!("(send {SMS})")).await;
    let begin = async |n: u32| {
        let position = world.event(&format!(r#"{{"id":"{n}","phone":"+5"}}"#)).await;
        world.matched(program, &[position]).await
    };
    for n in 0..20 {
        assert!(matches!(world.end(begin(n).await).await, Ending::Failed { .. }));
    }
    let waiting = [begin(20).await, begin(21).await, begin(22).await];
    world.until_has(waiting[2], "send-begun", 1).await;
    running.settle().await;
    assert_eq!(there.seen().len(), 20, "it is left alone");
    world.advance(30_000);
    assert!(matches!(world.end(waiting[0]).await, Ending::Failed { .. }), "the trial");
    running.settle().await;
    assert_eq!(there.seen().len(), 21, "one trial");
    world.advance(30_000);
    for reaction in &waiting[1..] {
        assert_eq!(world.end(*reaction).await, Ending::Done);
    }
    assert_eq!(there.seen().len(), 23);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sends_that_hang_hold_up_no_other_endpoint() {
    let world = World::new().await;
    twilio(&world, OnAmbiguous::Retry).await;
    let hanging = StandIn::new([], Do::Hang).await;
    let healthy = StandIn::new([], Do::answer(201, r#"{"sid":"SM1"}"#)).await;
    set(&world, 0, Kind::Webhook, &[("url", &hanging.url())], OnAmbiguous::Retry).await;
    let running = notifier(&world, &healthy.url(), options());
    let events = [world.event(ANN).await];
    let hang = world.pattern("(send webhook post {:body \"x\"})").await;
    world.matches(hang, &events, 1_000).await;
    within(async {
        while hanging.seen().len() < Options::default().lane {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await;
    let sound = world.pattern(&format!("(send {SMS})")).await;
    for n in 0..50 {
        let position = world.event(&format!(r#"{{"id":"{n}","phone":"+5"}}"#)).await;
        assert_eq!(world.end(world.matched(sound, &[position]).await).await, Ending::Done);
    }
    assert_eq!((healthy.seen().len(), hanging.seen().len()), (50, Options::default().lane));
    running.crash().await;
}

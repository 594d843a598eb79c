//! `cxengage demo`: the main job on one command, over real HTTP, on a store in a temporary folder.

mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use domain::json::Json;

use super::rest::Client;
use super::{Failure, Outcome, print};
use crate::app::{App, Config};
use crate::oauth::secret;

#[derive(clap::Args)]
pub(super) struct Options {
    /// End after the summary instead of staying to be played with.
    #[arg(long, env = "CXENGAGE_ONCE")]
    once: bool,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "CXENGAGE_LISTEN", default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
}

const TENANT: &str = "demo";
/// How long the demo waits for what it expects before it says what is missing.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(options: Options) -> Outcome {
    super::block_on(async move {
        let folder = tempfile::tempdir()?;
        let admin = ("demo-admin".to_owned(), secret::draw()?);
        let config = Config { admin: Some(admin.clone()), ..Config::new(options.listen, folder.path()) };
        let app = App::start(config).await?;
        let base = format!("http://{}", app.address);
        let outcome = play(&base, &admin).await;
        if outcome.is_ok() && !options.once {
            print(&format!("\nThe server stays at {base} until Ctrl-C."))?;
            tokio::signal::ctrl_c().await?;
        }
        app.stop().await;
        outcome
    })
}

async fn play(base: &str, (id, secret): &(String, String)) -> Outcome {
    let admin = Client::connect(base, id, secret, None).await?;
    admin.post("/1.0/tenants", &Json::object([("id", TENANT), ("name", "Demo Tenant")])).await?;
    let client =
        admin.post(&format!("/1.0/tenants/{TENANT}/clients"), &Json::object([("name", "demo")])).await?;
    let (client_id, client_secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    print(&format!(
        "address        {base}\nclient id      {client_id}\nclient secret  {client_secret}\ntenant         {TENANT}\n"
    ))?;

    let api = Client::connect(base, &client_id, &client_secret, None).await?;
    api.post(&path("key-attribute"), &Json::object([("key", "customer")])).await?;
    let patterns = create_patterns(&api).await?;
    let started = Instant::now();
    for (customer, event) in story::events() {
        send(&api, customer, &event, started).await?;
    }
    let reactions = watch(&api, &patterns, started).await?;
    summary(&patterns, &reactions)
}

async fn create_patterns(api: &Client) -> Result<BTreeMap<String, &'static story::Pattern>, Failure> {
    let mut patterns = BTreeMap::new();
    for pattern in story::PATTERNS {
        let mut body = domain::json::Object::new();
        body.set("name", pattern.name);
        body.set("status", true);
        body.set("when", pattern.when);
        body.set("then", pattern.then);
        let created = api.post(&path("patterns"), &body.into()).await?;
        let id = text(&created, "id");
        print(&format!("pattern {id}: {}\n  when {}\n  then {}", pattern.name, pattern.when, pattern.then))?;
        patterns.insert(id, pattern);
    }
    print("")?;
    Ok(patterns)
}

/// A reaction that has come to its end.
struct Reaction {
    pattern: String,
    state: String,
}

/// Shows reactions as they end, until each pattern has had as many as the story promises; sends the events that
/// some of them wait for.
async fn watch(
    api: &Client,
    patterns: &BTreeMap<String, &'static story::Pattern>,
    started: Instant,
) -> Result<BTreeMap<String, Reaction>, Failure> {
    let promised: usize = patterns.values().map(|pattern| pattern.matches).sum();
    let (mut ended, mut answered) = (BTreeMap::new(), BTreeSet::new());
    while ended.len() < promised {
        if started.elapsed() > PATIENCE {
            return Err(Failure::Failed(format!(
                "only {} of {promised} reactions ended in time",
                ended.len()
            )));
        }
        let list = api.get(&format!("{}?limit=1000", path("reactions"))).await?;
        for entry in list.get("entries").and_then(Json::as_array).unwrap_or_default().iter().rev() {
            let (id, state, pattern) = (text(entry, "id"), text(entry, "state"), text(entry, "pattern"));
            let known = patterns.get(&pattern);
            if ended.contains_key(&id) {
                continue;
            }
            if state == "running" {
                let awaited = known.and_then(|known| known.awaited).filter(|_| !answered.contains(&id));
                if let Some((customer, kind)) = awaited
                    && waits(&api.get(&path(&format!("reactions/{id}"))).await?)
                {
                    send(api, customer, &story::event(customer, vec![("eventType", kind)]), started).await?;
                    answered.insert(id);
                }
                continue;
            }
            let said = messages(&api.get(&path(&format!("reactions/{id}"))).await?);
            let name = known.map_or("", |known| known.name);
            print(&format!(
                "{:>6.2} s  {state:<8} {pattern} {name}: {said}",
                started.elapsed().as_secs_f64()
            ))?;
            ended.insert(id, Reaction { pattern, state });
        }
        // Nothing to wait on from outside but the API itself: the demo asks as a person with curl would.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(ended)
}

async fn send(api: &Client, customer: &str, event: &Json, started: Instant) -> Result<(), Failure> {
    api.post(&path("event"), event).await?;
    print(&format!("{:>6.2} s  event    {customer}: {event}", started.elapsed().as_secs_f64()))
}

/// Whether a running reaction waits for an event.
fn waits(reaction: &Json) -> bool {
    let steps = reaction.get("steps").and_then(Json::as_array).unwrap_or_default();
    steps.iter().any(|step| text(step, "kind") == "expect-opened")
}

/// What a reaction's echo sends said.
fn messages(reaction: &Json) -> String {
    let steps = reaction.get("steps").and_then(Json::as_array).unwrap_or_default();
    let said = steps.iter().filter_map(|step| step.get("params")?.get("message")?.as_text());
    said.map(|message| format!("{message:?}")).collect::<Vec<_>>().join(", then ")
}

fn summary(
    patterns: &BTreeMap<String, &'static story::Pattern>,
    ended: &BTreeMap<String, Reaction>,
) -> Outcome {
    print("\npattern                                        matches  reactions")?;
    let mut good = true;
    for (id, pattern) in patterns {
        let of_pattern: Vec<&Reaction> = ended.values().filter(|reaction| reaction.pattern == *id).collect();
        let done = of_pattern.iter().filter(|reaction| reaction.state == "done").count();
        print(&format!("{id} {:<43} {:>7}  {done} done", pattern.name, of_pattern.len()))?;
        good &= of_pattern.len() == pattern.matches && done == pattern.matches;
    }
    if good {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::Failed("the story did not come out as it should".into()))
    }
}

fn path(rest: &str) -> String {
    format!("/1.0/tenants/{TENANT}/{rest}")
}

fn text(json: &Json, name: &str) -> String {
    json.get(name).and_then(Json::as_text).unwrap_or_default().to_owned()
}

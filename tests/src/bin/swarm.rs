//! `swarm hold TO CONNECTIONS RATE SECONDS REQUEST-FILE`, `swarm slow TO KIND COUNT TOKEN LONG TAKES`: see
//! [`system_tests::swarm`].

use std::io::Write;
use std::time::Duration;

use system_tests::swarm::hold::{Plan, hold};
use system_tests::swarm::slow::{Target, slow};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = match arguments[..] {
        ["hold", to, connections, rate, seconds, request] => {
            let plan = Plan {
                to: to.parse()?,
                connections: connections.parse()?,
                rate: rate.parse()?,
                time: Duration::from_secs_f64(seconds.parse()?),
                request: std::fs::read(request)?,
            };
            hold(plan).await
        }
        ["slow", to, kind, count, token, long, takes] => {
            let target = Target {
                to: to.parse()?,
                token: token.to_owned(),
                long: long.to_owned(),
                takes: takes.to_owned(),
            };
            slow(kind.parse()?, count.parse()?, target).await
        }
        _ => return Err("hold or slow, and what they need".into()),
    };
    writeln!(std::io::stdout(), "{told}")?;
    Ok(())
}

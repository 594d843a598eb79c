//! A publisher over NATS beside the load: each event is asked for until it is answered, under one id.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use serde_json::Value;
use system_tests::property::Dice;

use crate::book::Book;
use crate::load::event;

/// Whose events it sends.
const CUSTOMER: &str = "n0";

/// How long it waits for an answer before it asks again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends until it is told to stop; servers of NATS that are away are waited for.
pub fn run(urls: Vec<String>, book: &Book, seed: u64, stop: &AtomicBool) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let setup = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = setup.connect(urls).await.expect("addresses");
        let mut dice = Dice::new(seed ^ 99);
        while !stop.load(Ordering::Relaxed) {
            let (key, event) = match book.unanswered(CUSTOMER).pop() {
                Some(open) => open,
                None => book.begin(CUSTOMER, |key| event(CUSTOMER, key, &mut dice)),
            };
            ask(&client, book, &key, &event).await;
        }
    });
}

async fn ask(client: &Client, book: &Book, key: &str, event: &Value) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", key);
    let asked = client.request_with_headers("cxengage.request.acme", headers, event.to_string().into());
    let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asked).await else {
        tokio::time::sleep(Duration::from_millis(50)).await;
        return;
    };
    let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    match (answer["id"].as_str(), answer["status"].as_u64()) {
        (Some(id), _) => book.answered(key, id),
        (None, Some(500..)) => {}
        (None, _) => book.fault(format!("{key}, over NATS: {answer}")),
    }
}

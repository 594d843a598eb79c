//! What was sent and what was answered, kept on the client's side: the audit believes nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// An event that was sent at least once.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Whose.
    pub customer: String,
    /// As it was sent first.
    pub event: Value,
    /// The id it was answered with, once it was.
    pub answer: Option<String>,
}

/// The book of a campaign.
#[derive(Default)]
pub struct Book(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    sent: BTreeMap<String, Sent>,
    faults: Vec<String>,
    answers: u64,
    repeats: u64,
}

impl Book {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event of this customer that has had no answer yet.
    pub fn unanswered(&self, customer: &str) -> Vec<(String, Value)> {
        let entries = self.entries();
        let open = entries.sent.iter().filter(|(_, sent)| sent.customer == customer && sent.answer.is_none());
        open.map(|(key, sent)| (key.clone(), sent.event.clone())).collect()
    }

    /// Notes what is about to be sent under a key that was not used before.
    pub fn begin(&self, customer: &str, event: impl FnOnce(&str) -> Value) -> (String, Value) {
        let mut entries = self.entries();
        let key = format!("{customer}/{}", entries.sent.len());
        let event = event(&key);
        let sent = Sent { customer: customer.to_owned(), event: event.clone(), answer: None };
        entries.sent.insert(key.clone(), sent);
        (key, event)
    }

    /// Notes an answer; another one than before is a fault.
    pub fn answered(&self, key: &str, id: &str) {
        let mut entries = self.entries();
        entries.answers += 1;
        let Some(sent) = entries.sent.get_mut(key) else { return };
        match sent.answer.replace(id.to_owned()) {
            None => {}
            Some(first) if first == id => entries.repeats += 1,
            Some(first) => entries.faults.push(format!("{key} was answered {first}, then {id}")),
        }
    }

    /// Notes what must not be.
    pub fn fault(&self, fault: String) {
        self.entries().faults.push(fault);
    }

    /// The key of some event of this customer that was answered.
    pub fn answered_key(&self, customer: &str, choose: usize) -> Option<String> {
        let entries = self.entries();
        let known =
            entries.sent.iter().filter(|(_, sent)| sent.customer == customer && sent.answer.is_some());
        let known: Vec<_> = known.map(|(key, _)| key).collect();
        known.get(choose % known.len().max(1)).map(|key| (*key).clone())
    }

    /// All that was sent.
    pub fn sent(&self) -> BTreeMap<String, Sent> {
        self.entries().sent.clone()
    }

    /// What was noticed while sending.
    pub fn faults(&self) -> Vec<String> {
        self.entries().faults.clone()
    }

    /// Answers so far, and how many of them repeated one.
    pub fn counts(&self) -> (u64, u64) {
        let entries = self.entries();
        (entries.answers, entries.repeats)
    }
}

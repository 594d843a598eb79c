//! A stand-in for a third party in tests: it can fail, hang and answer late, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::json::Json;
use domain::reaction::{Answer, Failure, Success};
use tokio::sync::{oneshot, watch};

use super::{Endpoint, Request, Sent};

/// An endpoint that does as it is told, call by call; without orders it does what was asked.
pub struct Double {
    name: String,
    script: Mutex<VecDeque<Order>>,
    otherwise: Mutex<Success>,
    calls: watch::Sender<Vec<Request>>,
}

enum Order {
    Answer(Answer),
    Hang,
    Wait(oneshot::Receiver<Answer>),
}

impl Double {
    /// A double that takes the place of the endpoint `name`.
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            script: Mutex::default(),
            otherwise: Mutex::default(),
            calls: watch::Sender::new(Vec::new()),
        })
    }

    fn order(&self, order: Order) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push_back(order);
    }

    /// The next call that has no order yet succeeds with these response values.
    pub fn succeed<V: Into<Json>>(&self, response: impl IntoIterator<Item = (&'static str, V)>) {
        let response = response.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        self.order(Order::Answer(Answer::Succeeded(Success { response, ..Success::default() })));
    }

    /// The next call fails so.
    pub fn fail(&self, failure: Failure) {
        self.order(Order::Answer(Answer::Failed(failure)));
    }

    /// The next call gets no answer, ever.
    pub fn hang(&self) {
        self.order(Order::Hang);
    }

    /// The next call waits for the answer that is sent here.
    pub fn wait(&self) -> oneshot::Sender<Answer> {
        let (answer, waiting) = oneshot::channel();
        self.order(Order::Wait(waiting));
        answer
    }

    /// Calls without an order succeed with these response values.
    pub fn otherwise<V: Into<Json>>(&self, response: impl IntoIterator<Item = (&'static str, V)>) {
        let response = response.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        *self.otherwise.lock().unwrap_or_else(PoisonError::into_inner) =
            Success { response, ..Success::default() };
    }

    /// What it has been asked so far.
    pub fn calls(&self) -> Vec<Request> {
        self.calls.borrow().clone()
    }

    /// Waits until it has been asked so often, and returns what.
    pub async fn called(&self, times: usize) -> Vec<Request> {
        let mut calls = self.calls.subscribe();
        match calls.wait_for(|calls| calls.len() >= times).await {
            Ok(calls) => calls.clone(),
            Err(_) => self.calls(),
        }
    }
}

#[async_trait]
impl Endpoint for Double {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, request: &Request, _: &Sent) -> Answer {
        let order = self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.calls.send_modify(|calls| calls.push(request.clone()));
        match order {
            None => Answer::Succeeded(self.otherwise.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            Some(Order::Answer(answer)) => answer,
            Some(Order::Hang) => std::future::pending().await,
            Some(Order::Wait(answer)) => match answer.await {
                Ok(answer) => answer,
                Err(_) => std::future::pending().await,
            },
        }
    }
}

//! One attempt of a send, as a task of its own: its time limit, and the answer that comes too late.
//!
//! It knows one attempt and nothing of retries. Whatever becomes of the endpoint's future, exactly one
//! [`Report::Answered`] and one [`Report::Over`] come of it.

use std::time::Duration;

use domain::reaction::{Answer, Failure};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout};

use crate::endpoint::{Endpoints, Request, Sent};

/// What an attempt has to say.
#[derive(Debug)]
pub(crate) enum Report<T> {
    /// It has ended, or its time is over: so it goes into the log.
    Answered { who: T, answer: Answer },
    /// The answer came after the limit.
    Late { who: T, answer: Answer },
    /// Nothing more will come.
    Over { who: T },
}

/// Starts an attempt. An answer later than the limit is waited for during `grace`.
pub(crate) fn start<T: Clone + Send + 'static>(
    who: T,
    request: Request,
    endpoints: Endpoints,
    grace: Duration,
    may_hold: bool,
    reports: UnboundedSender<Report<T>>,
) -> tokio::task::AbortHandle {
    let attempt = Attempt { who, begun: Instant::now(), reports, may_hold, answered: false };
    tokio::spawn(attempt.run(request, endpoints, grace)).abort_handle()
}

struct Attempt<T: Clone> {
    who: T,
    begun: Instant,
    reports: UnboundedSender<Report<T>>,
    /// Whether it can be held for a person: a question cannot.
    may_hold: bool,
    answered: bool,
}

impl<T: Clone> Attempt<T> {
    async fn run(mut self, request: Request, endpoints: Endpoints, grace: Duration) {
        let sent = Sent::default();
        eventlog::fault_point!("send.begun");
        let mut answer = std::pin::pin!(endpoints.send(&request, &sent));
        let mut ended = timeout(request.limit, &mut answer).await;
        while ended.is_err() && sent.has_waited() {
            ended = timeout(request.limit, &mut answer).await;
        }
        match ended {
            Ok(answer) => self.answered(self.held(answer, &sent)),
            Err(_) => {
                self.answered(self.held(timed_out(request.limit, sent.is_pending()), &sent));
                if let Ok(answer) = timeout(grace, answer).await {
                    let answer = self.timed(self.held(answer, &sent));
                    self.report(Report::Late { who: self.who.clone(), answer });
                }
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        eventlog::fault_point!("send.answered");
        self.answered = true;
        self.report(Report::Answered { who: self.who.clone(), answer: self.timed(answer) });
    }

    /// What nobody knows of is not sent again where a person is to look at it first.
    fn held(&self, answer: Answer, sent: &Sent) -> Answer {
        match answer {
            Answer::Failed(failure) if failure.ambiguous && self.may_hold && sent.is_held_if_ambiguous() => {
                let error = format!("{}; it may have been done all the same, and is held", failure.error);
                Answer::Failed(Failure { error, held: true, ..failure })
            }
            answer => answer,
        }
    }

    fn timed(&self, mut answer: Answer) -> Answer {
        let took = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &mut answer {
            Answer::Succeeded(success) => success.took_ms = took,
            Answer::Failed(failure) => failure.took_ms = took,
        }
        answer
    }

    /// Nobody listens once the runtime has ended: what was begun is then in the log, and taken up from there.
    fn report(&self, report: Report<T>) {
        let _ = self.reports.send(report);
    }
}

/// A panic in an endpoint must not leave a send without an end.
impl<T: Clone> Drop for Attempt<T> {
    fn drop(&mut self) {
        if !self.answered {
            self.answered(Answer::Failed(Failure {
                error: "the endpoint's adapter broke off".to_owned(),
                retryable: true,
                ambiguous: true,
                ..Failure::default()
            }));
        }
        self.report(Report::Over { who: self.who.clone() });
    }
}

fn timed_out(limit: Duration, not_sent: bool) -> Answer {
    let what = if not_sent { "no connection" } else { "no answer" };
    Answer::Failed(Failure {
        error: format!("{what} within {} ms", limit.as_millis()),
        retryable: true,
        ambiguous: !not_sent,
        timed_out: true,
        ..Failure::default()
    })
}

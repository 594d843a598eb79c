//! What the way a request ended means for the reaction (then.md §2): pure.
//!
//! Two questions are answered of a failure: can trying again help, and can it have been done all the same.

use std::time::{Duration, SystemTime};

use domain::reaction::Failure;
use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;

use super::{Received, Trouble};

/// The longest wait that an endpoint may ask for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Why there was no answer.
pub fn of_trouble(trouble: &Trouble) -> Failure {
    let (retryable, ambiguous) = match trouble {
        Trouble::Forbidden(_) => (false, false),
        Trouble::Unreached(_) => (true, false),
        Trouble::Broken(_) => (true, true),
    };
    Failure { error: trouble.to_string(), retryable, ambiguous, ..Failure::default() }
}

/// What an answer other than 2xx means. `repeatable`: whether the provider takes the same request twice for one.
/// `what` is what the provider says about it.
pub fn of_status(received: &Received, what: &str, repeatable: bool, now: SystemTime) -> Failure {
    let asked = retry_after(&received.headers, now);
    let (retryable, ambiguous) = match received.status {
        408 | 425 | 429 => (true, false),
        // Somebody who says when to come back has turned the request away.
        503 if asked.is_some() => (true, false),
        500..=599 => (true, !repeatable),
        // Redirects are not followed, and go on leading elsewhere; what is wrong with the request stays wrong.
        _ => (false, false),
    };
    let retry_after_ms =
        asked.filter(|_| retryable).map(|wait| wait.as_millis().try_into().unwrap_or(u64::MAX));
    let separator = if what.is_empty() { "" } else { ": " };
    let error = format!("answered {}{separator}{what}", received.status);
    Failure {
        error,
        status: Some(received.status),
        retryable,
        ambiguous,
        retry_after_ms,
        ..Failure::default()
    }
}

/// A success that says nothing that can be understood: it is done, so it must not be tried again.
pub fn of_nonsense(received: &Received, what: &str) -> Failure {
    let what = received.cut.as_deref().unwrap_or(what);
    let error = format!("answered {}, but {what}; it is not sent again", received.status);
    Failure { error, status: Some(received.status), ambiguous: true, ..Failure::default() }
}

/// How long an answer asks to wait: seconds, or an HTTP date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        // A date that has passed means now.
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn every_class_of_error_has_its_verdict() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        const NEVER: (bool, bool) = (false, false);
        const AGAIN: (bool, bool) = (true, false);
        const MAYBE_DONE: (bool, bool) = (true, true);
        for (status, header, repeatable, verdict, wait) in [
            (301, None, false, NEVER, None),
            (302, Some("5"), false, NEVER, None),
            (307, None, true, NEVER, None),
            (400, None, false, NEVER, None),
            (401, None, false, NEVER, None),
            (403, None, true, NEVER, None),
            (404, Some("7"), false, NEVER, None),
            (408, None, false, AGAIN, None),
            (409, None, false, NEVER, None),
            (410, None, false, NEVER, None),
            (413, None, false, NEVER, None),
            (422, None, false, NEVER, None),
            (425, None, false, AGAIN, None),
            (429, None, false, AGAIN, None),
            (429, Some("30"), false, AGAIN, Some(30_000)),
            (429, Some(" 0 "), true, AGAIN, Some(0)),
            (429, Some("Tue, 14 Nov 2023 22:14:20 GMT"), false, AGAIN, Some(60_000)),
            (429, Some("Tue, 14 Nov 2023 22:13:00 GMT"), false, AGAIN, Some(0)),
            (429, Some("99999999999999999999999"), false, AGAIN, Some(86_400_000)),
            (429, Some("Sat, 14 Nov 2099 22:13:00 GMT"), false, AGAIN, Some(86_400_000)),
            (429, Some("-5"), false, AGAIN, None),
            (429, Some("soon"), false, AGAIN, None),
            (429, Some(""), false, AGAIN, None),
            (500, None, false, MAYBE_DONE, None),
            (500, None, true, AGAIN, None),
            (502, Some("3"), false, MAYBE_DONE, Some(3_000)),
            (503, None, false, MAYBE_DONE, None),
            (503, Some("3"), false, AGAIN, Some(3_000)),
            (504, None, false, MAYBE_DONE, None),
            (599, None, true, AGAIN, None),
            (600, None, false, NEVER, None),
        ] {
            let headers =
                header.map(|value| (RETRY_AFTER, HeaderValue::from_static(value))).into_iter().collect();
            let received = Received { status, headers, body: "".into(), cut: None };
            let failure = of_status(&received, "", repeatable, now);
            let case = format!("{status} {header:?}");
            assert_eq!((failure.retryable, failure.ambiguous), verdict, "{case}");
            assert_eq!(failure.retry_after_ms, wait, "{case}");
            assert_eq!(
                (failure.status, failure.error),
                (Some(status), format!("answered {status}")),
                "{case}"
            );
        }
    }

    #[test]
    fn what_was_not_sent_is_not_ambiguous_and_what_is_done_is_not_sent_again() {
        let of = |trouble: Trouble| {
            let failure = of_trouble(&trouble);
            (failure.retryable, failure.ambiguous)
        };
        assert_eq!(of(Trouble::Forbidden("x".into())), (false, false));
        assert_eq!(of(Trouble::Unreached("x".into())), (true, false));
        assert_eq!(of(Trouble::Broken("x".into())), (true, true));
        let cut = Some("the answer broke off".to_owned());
        let received = Received { status: 201, headers: HeaderMap::new(), body: "".into(), cut };
        let failure = of_nonsense(&received, "it is no JSON");
        assert_eq!((failure.retryable, failure.ambiguous), (false, true));
        assert_eq!(failure.error, "answered 201, but the answer broke off; it is not sent again");
    }
}

//! POST /tenants/{tid}/events: many events in one body, as a JSON array or one a line; each is answered for itself.

use axum::body::Bytes;
use domain::json::{self, Json, Limits, Object};

use super::{EVENT_BYTES, answer_of, incoming, is_idempotency_key, take_rate};
use crate::http::answer::Answer;
use crate::http::body::{Format, apart};
use crate::http::call::Call;
use crate::http::problem::Problem;

/// The most lines of a batch.
const LINES: usize = 10_000;
/// Deep enough to find an event that is too deep inside its envelope and array, and to say so of it alone.
const DEEP: Limits = Limits { depth: Limits::EVENT.depth + 34, ..Limits::EVENT };

/// A line: its number from 1, and what it asks, or what is wrong with it.
struct Line {
    number: usize,
    asked: Result<Asked, String>,
}

/// What a line asks.
#[derive(Debug, PartialEq)]
struct Asked {
    event: Json,
    idempotency_key: Option<String>,
}

/// POST /tenants/{tid}/events
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let (bytes, format) = (call.body.bytes.clone(), call.body.format);
    let lines = apart(move || read(&bytes, format)).await??;
    take_rate(&call, lines.len())?;
    let mut results: Vec<(usize, Result<Object, String>)> = Vec::with_capacity(lines.len());
    let (mut numbers, mut events) = (Vec::new(), Vec::new());
    for line in lines {
        match line.asked {
            Ok(asked) => {
                numbers.push(line.number);
                events.push(incoming(&call, asked.event, asked.idempotency_key));
            }
            Err(error) => results.push((line.number, Err(error))),
        }
    }
    let mut failure = None;
    for (number, accepted) in numbers.into_iter().zip(call.state.door.accept(events).await) {
        results.push(match accepted {
            Ok(accepted) => (number, Ok(answer_of(accepted))),
            Err(refused) => {
                let problem = Problem::from(refused);
                let error = problem.body.get("error").and_then(Json::as_text).unwrap_or_default().to_owned();
                failure = failure.or_else(|| problem.status.is_server_error().then_some(problem));
                (number, Err(error))
            }
        });
    }
    // Nothing came in because nothing could: that is the batch's answer, not each line's.
    if let Some(problem) = failure
        && results.iter().all(|(_, result)| result.is_err())
    {
        return Err(problem);
    }
    results.sort_by_key(|(number, _)| *number);
    let results = results.into_iter().map(|(number, result)| entry(number, result)).collect::<Vec<_>>();
    Ok(Answer::ok(Json::object([("results", results)])))
}

fn entry(number: usize, result: Result<Object, String>) -> Json {
    let mut entry = Object::new();
    entry.set("line", number as u64);
    match result {
        Ok(answer) => entry.merge(&answer),
        Err(error) => entry.set("error", error),
    }
    entry.into()
}

fn read(bytes: &Bytes, format: Format) -> Result<Vec<Line>, Problem> {
    match format {
        Format::Lines => read_lines(bytes),
        Format::Json | Format::Form | Format::Csv | Format::Multipart => read_array(bytes),
    }
}

fn too_many() -> Problem {
    Problem::too_large(format!("a batch has at most {LINES} lines"))
}

fn read_array(bytes: &[u8]) -> Result<Vec<Line>, Problem> {
    let Json::Array(elements) = json::parse(bytes, DEEP)? else {
        return Err(Problem::bad("a batch is a JSON array of events, or application/x-ndjson"));
    };
    if elements.len() > LINES {
        return Err(too_many());
    }
    let long = bytes.len() > EVENT_BYTES;
    let lines = elements.into_iter().enumerate().map(|(n, element)| {
        let too_long = long && element.to_string().len() > EVENT_BYTES;
        Line { number: n + 1, asked: if too_long { Err(over()) } else { asked(element) } }
    });
    Ok(lines.collect())
}

fn read_lines(bytes: &[u8]) -> Result<Vec<Line>, Problem> {
    let mut lines = Vec::new();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if n >= LINES {
            return Err(too_many());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let asked = match json::parse(line, DEEP) {
            _ if line.len() > EVENT_BYTES => Err(over()),
            Ok(element) => asked(element),
            Err(error) => Err(format!("not acceptable JSON: {} at column {}", error.message, error.column)),
        };
        lines.push(Line { number: n + 1, asked });
    }
    Ok(lines)
}

fn over() -> String {
    format!("the event is over {} KiB", EVENT_BYTES / 1024)
}

/// What an element asks: a bare event, or one in an envelope with its idempotency key.
fn asked(element: Json) -> Result<Asked, String> {
    let asked = match element {
        Json::Object(mut envelope) if is_envelope(&envelope) => {
            let key = envelope.remove("idempotency-key").unwrap_or_default();
            let key = key.as_text().filter(|key| is_idempotency_key(key));
            let key = key.ok_or("idempotency-key has to be a string of 1 to 256 characters")?;
            Asked {
                event: envelope.remove("event").unwrap_or_default(),
                idempotency_key: Some(key.to_owned()),
            }
        }
        event => Asked { event, idempotency_key: None },
    };
    if depth(&asked.event) > Limits::EVENT.depth {
        return Err(format!("the event nests deeper than {}", Limits::EVENT.depth));
    }
    Ok(asked)
}

fn is_envelope(object: &Object) -> bool {
    object.len() == 2
        && object.get("idempotency-key").is_some()
        && object.get("event").is_some_and(|event| event.as_object().is_some())
}

/// How deep a value nests; its outermost array or object is level 1. Bounded by the reader's own limit.
fn depth(json: &Json) -> usize {
    match json {
        Json::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Json::Object(object) => 1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(lines: &[Line]) -> Vec<(usize, bool)> {
        lines.iter().map(|line| (line.number, line.asked.is_ok())).collect()
    }

    fn nested(levels: usize) -> String {
        "{\"a\":".repeat(levels - 1) + "{}" + &"}".repeat(levels - 1)
    }

    #[test]
    fn blank_lines_count_but_give_no_result_and_bad_ones_hold_back_nobody() {
        let body = "{\"id\":1}\n\n  \r\n{oops\n7\r\n{\"id\":2}\n";
        let lines = read_lines(body.as_bytes()).ok().unwrap();
        assert_eq!(numbers(&lines), [(1, true), (4, false), (5, true), (6, true)]);
        assert!(lines[1].asked.as_ref().unwrap_err().contains("column 2"));
        assert!(read_lines(b"").ok().unwrap().is_empty());
        assert!(read_lines("\n".repeat(LINES).as_bytes()).is_ok());
        assert_eq!(read_lines("\n".repeat(LINES + 1).as_bytes()).err().unwrap().status.as_u16(), 413);
    }

    #[test]
    fn an_event_may_nest_as_deep_as_alone_whatever_it_comes_in() {
        for (levels, good) in [(32, true), (33, false)] {
            let event = nested(levels);
            let envelope = format!("{{\"event\":{event},\"idempotency-key\":\"k\"}}");
            let array = format!("[{event},{envelope},{{\"id\":1}}]");
            let lines = read_array(array.as_bytes()).ok().unwrap();
            assert_eq!(numbers(&lines), [(1, good), (2, good), (3, true)]);
            let lines = read_lines(format!("{event}\n{envelope}").as_bytes()).ok().unwrap();
            assert_eq!(numbers(&lines), [(1, good), (2, good)]);
        }
    }

    #[test]
    fn only_exactly_an_envelope_is_one() {
        let asked = |text: &str| asked(json::parse(text.as_bytes(), DEEP).unwrap());
        let enveloped = asked(r#"{"idempotency-key":"k","event":{"id":1}}"#).unwrap();
        assert_eq!(enveloped.idempotency_key.as_deref(), Some("k"));
        assert_eq!(enveloped.event.to_string(), r#"{"id":1}"#);
        for bare in [
            r#"{"event":{"id":1}}"#,
            r#"{"event":7,"idempotency-key":"k"}"#,
            r#"{"event":{},"idempotency-key":"k","id":1}"#,
        ] {
            assert_eq!(asked(bare).unwrap().event.to_string(), bare);
        }
        for bad in [r#"{"event":{},"idempotency-key":""}"#, r#"{"event":{},"idempotency-key":7}"#] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_long_event_is_refused_for_itself() {
        let long = format!("{{\"id\":\"{}\"}}", "x".repeat(EVENT_BYTES));
        let lines = read_array(format!("[{long},{{\"id\":1}}]").as_bytes()).ok().unwrap();
        assert_eq!(numbers(&lines), [(1, false), (2, true)]);
    }
}

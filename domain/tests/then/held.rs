//! What a person decides about sends: held ones are released or discarded, failed ones are made once more.

use domain::reaction::{Effect, Note, Remark, StepId};

use super::script::{Script, plays};

const SENT: &str = r#"echo message {"message":"a"}"#;
const AS_SENT: &str = r#"echo message {"message":"as sent"}"#;

fn echo(options: &str) -> String {
    format!("(send echo message {{:message \"a\"}} {options})")
}

#[test]
fn a_held_send_waits_for_a_person_who_lets_it_out_or_lets_it_go() {
    plays(
        &echo("(retries 2) (failure (set x 1))"),
        &[
            ("start", &format!("send#0 0 {SENT}")),
            ("release 0", ""),
            ("discard 0", ""),
            ("hold 0 no answer", "note 0 held 0: no answer"),
            // Nothing but a person, or its own late answer, moves it.
            ("hold 0 no answer still", ""),
            ("resume 0", ""),
            ("release 0", &format!("send#1 0 {SENT} attempt 2 possibly twice released")),
            ("release 0", ""),
            // Whoever let it out looked at what was then: a crash after that is another matter.
            ("resume 1", "note 0 possibly sent twice: 1"),
            ("hold 1 it may have been sent", "note 0 held 1: it may have been sent"),
            (
                "discard 1",
                "note 0 1 retries dropped | note 0 failure taken: it may have been sent; discarded by somebody | \
                 x = 1 | done",
            ),
            ("discard 1", ""),
        ],
    );
}

#[test]
fn a_released_send_that_a_crash_cuts_off_is_not_let_out_twice() {
    let mut script = Script::new(&echo(""), &[]);
    for line in ["start", "hold 0 no answer", "release 0"] {
        script.play(line);
    }
    let released = |script: &Script| match script.state.open(StepId(1)) {
        Some(Effect::Send(request)) => request.released,
        other => panic!("{other:?}"),
    };
    assert!(released(&script));
    script.play("resume 1");
    assert!(!released(&script), "it is held again where it is sent");
}

#[test]
fn the_late_answer_of_a_held_send_decides_it() {
    let held = ("hold 0 no answer", "note 0 held 0: no answer");
    plays(&echo(""), &[("start", &format!("send#0 0 {SENT}")), held, ("ok 0", "done"), ("release 0", "")]);
    plays(
        &echo("(retries 1)"),
        &[
            ("start", &format!("send#0 0 {SENT}")),
            held,
            ("fail 0 busy", "note 0 attempt 1 failed: busy | timer#1 0 retry 1000"),
            ("fire 1", &format!("send#2 0 {SENT} attempt 2")),
        ],
    );
}

#[test]
fn a_held_send_is_let_go_with_the_block_around_it() {
    plays(
        &format!("(par {} {})", echo(""), echo("")),
        &[
            ("start", &format!("send#0 0.0 {SENT} | send#1 0.1 {SENT}")),
            ("hold 0 no answer", "note 0.0 held 0: no answer"),
            (
                "fatal 1 no",
                "note 0.1 failed: no | note 0.0 held no more: 0 | note 0 failed: no | failed at 0.1: no",
            ),
            ("release 0", ""),
        ],
    );
}

#[test]
fn a_send_that_failed_for_good_is_made_once_more_beside_a_program_that_is_over() {
    plays(
        &echo("(retries 1) (success (set y 1)) (failure (set x 1))"),
        &[
            ("start", &format!("send#0 0 {SENT}")),
            ("redrive 0/0", ""),
            ("fail 0 busy", "note 0 attempt 1 failed: busy | timer#1 0 retry 1000"),
            // It is tried again by itself.
            ("redrive 0/0", ""),
            ("fire 1", &format!("send#2 0 {SENT} attempt 2")),
            ("fail 2 busy", "note 0 failure taken: busy | x = 1 | done"),
            ("redrive 7/0", ""),
            ("redrive 0/0", &format!("send#3 0 {AS_SENT} group 1 again of 0/0")),
            ("redrive 0/0", ""),
            ("cancel", ""),
            ("fail 3 busy", "note 0 attempt 1 failed: busy | timer#4 0 retry 1000"),
            ("fire 4", &format!("send#5 0 {AS_SENT} attempt 2 group 1 again of 0/0")),
            ("fail 5 busy", "note 0 failed: busy"),
            // What was made once more and failed too can be made once more in turn.
            ("redrive 0/1", &format!("send#6 0 {AS_SENT} group 2 again of 0/1")),
            ("ok 6", ""),
        ],
    );
}

#[test]
fn what_is_made_once_more_outlives_the_program_that_goes_on_beside_it() {
    plays(
        &format!("(seq {} (delay 5 seconds))", echo("(failure (set x 1))")),
        &[
            ("start", &format!("send#0 0.0 {SENT}")),
            ("fatal 0 no", "note 0.0 failure taken: no | x = 1 | timer#1 0.1 delay 5000"),
            ("redrive 0.0/0", &format!("send#2 0.0 {AS_SENT} group 1 again of 0.0/0")),
            ("fire 1", "done"),
            ("ok 2", ""),
        ],
    );
}

#[test]
fn a_send_that_cannot_begin_is_noted_with_the_key_that_it_would_have_had() {
    let mut script = Script::new("(send twilio sms-status {:sid *sid*})", &[]);
    let started = script.kind("start");
    let effects = script.take(started);
    let [Effect::Note(Note { remark: Remark::NotSent { endpoint, verb, key, attempt, reason }, .. }), ..] =
        effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!((endpoint.as_str(), verb.as_str(), *attempt), ("twilio", "sms-status", 1));
    assert!(key.ends_with("/0/0") && reason.contains(":sid is null"), "{key}: {reason}");
}

//! What each form and option does, as tables of inputs and effects (then.md §2).

use domain::dsl::{Limits, then};
use domain::reaction::{Answer, Effect, Rules, StepId, Success};

use super::script::{Script, object, plays};

/// `(send echo message {:message "x"} …)`
fn echo(message: &str, options: &str) -> String {
    format!("(send echo message {{:message \"{message}\"}} {options})")
}

fn sent(number: u32, place: &str, message: &str) -> String {
    format!("send#{number} {place} echo message {{\"message\":\"{message}\"}}")
}

#[test]
fn a_block_starts_again_from_its_first_member_under_another_group() {
    let source = format!("(seq {} {} (retries 1))", echo("a", ""), echo("b", ""));
    plays(
        &source,
        &[
            ("start", &sent(0, "0.0", "a")),
            ("ok 0", &sent(1, "0.1", "b")),
            (
                "fatal 1 bad request",
                "note 0.1 failed: bad request | note 0 attempt 1 failed: bad request | timer#2 0 retry 1000",
            ),
            ("fire 2", &format!("note 0 restart 2 as group 1 | {} group 1", sent(3, "0.0", "a"))),
            ("ok 3", &format!("{} group 1", sent(4, "0.1", "b"))),
            ("fatal 4 no", "note 0.1 failed: no | note 0 failed: no | failed at 0.1: no"),
        ],
    );
}

/// Groups are numbered over the whole reaction: no two runs of one place share a key.
#[test]
fn an_inner_block_that_starts_again_in_an_outer_one_never_takes_an_old_group() {
    let source = format!("(seq (seq {} (retries 1)) (retries 1))", echo("a", ""));
    let mut script = Script::new(&source, &[]);
    let mut groups = Vec::new();
    script.play("start");
    for _ in 0..4 {
        let open: Vec<_> = script.state.outstanding().cloned().collect();
        let [Effect::Send(request)] = open.as_slice() else { panic!("{open:?}") };
        groups.push(request.key.clone());
        script.play(&format!("fail {} no", request.id));
        let timer = script.state.outstanding().find_map(|effect| match effect {
            Effect::SetTimer(timer) => Some(timer.id),
            _ => None,
        });
        if let Some(timer) = timer {
            script.play(&format!("fire {timer}"));
        }
    }
    groups.dedup();
    assert_eq!(groups.len(), 4);
    assert!(script.state.finished().is_some());
}

#[test]
fn a_par_fails_with_its_first_member_and_what_is_not_sent_is_not_sent_any_more() {
    // The second member fails before anything goes out for it: the third is not begun.
    let source =
        format!("(par {} (send twilio call-status {{:sid *sid*}}) {})", echo("a", ""), echo("c", ""));
    plays(
        &source,
        &[
            (
                "start",
                &format!(
                    "{} | note 0.1 failed: the parameter :sid is null: the events have no sid | note 0 failed: \
                     the parameter :sid is null: the events have no sid | failed at 0.1: the parameter :sid is \
                     null: the events have no sid",
                    sent(0, "0.0", "a")
                ),
            ),
            ("ok 0", "note 0.0 late: 0"),
            ("ok 0", ""),
        ],
    );
}

#[test]
fn a_delay_in_a_par_is_a_least_time() {
    let source = format!("(seq (par {} (delay 2 seconds)) {})", echo("a", ""), echo("b", ""));
    plays(
        &source,
        &[
            ("start", &format!("{} | timer#1 0.0.1 delay 2000", sent(0, "0.0.0", "a"))),
            ("ok 0", ""),
            ("fire 1", &sent(2, "0.1", "b")),
        ],
    );
}

#[test]
fn a_par_of_what_ends_at_once_takes_all_of_it() {
    plays("(par (set a 1) (set b 2) (set c 3))", &[("start", "a = 1 | b = 2 | c = 3 | done")]);
}

#[test]
fn retries_wait_doubling_to_a_minute_with_jitter_and_never_less_than_the_endpoint_asks() {
    let mut script = Script::new(&echo("a", "(retries 100)"), &[]);
    script.jitter = 200;
    script.play("start");
    for (n, wait) in [1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 72_000, 72_000].into_iter().enumerate() {
        let effects = script.play(&format!("fail {} no", 2 * n));
        assert!(effects.ends_with(&format!("retry {wait}")), "{effects}");
        script.play(&format!("fire {}", 2 * n + 1));
    }
    assert!(script.play("busy 16 900000 slow down").ends_with("retry 900000"));
    script.jitter = 1_000;
    script.play("fire 17");
    assert!(script.play("busy 18 5 slow down").ends_with("retry 72000"), "jitter is held at 20 %");
}

#[test]
fn what_no_retry_can_mend_is_not_tried_again() {
    plays(
        &echo("a", "(retries 3) (failure (set failed true))"),
        &[
            ("start", &sent(0, "0", "a")),
            ("fail 0 no", "note 0 attempt 1 failed: no | timer#1 0 retry 1000"),
            ("fire 1", &format!("{} attempt 2", sent(2, "0", "a"))),
            ("fatal 2 bad", "note 0 2 retries dropped | note 0 failure taken: bad | failed = true | done"),
        ],
    );
}

#[test]
fn what_may_have_been_sent_is_flagged_when_it_is_sent_again() {
    let source = echo("a", "(retries 1)");
    plays(
        &source,
        &[
            ("start", &sent(0, "0", "a")),
            ("unsure 0 reset", "note 0 attempt 1 failed: reset | timer#1 0 retry 1000"),
            ("fire 1", &format!("{} attempt 2 possibly twice", sent(2, "0", "a"))),
        ],
    );
    let mut script = Script::new(&source, &[]);
    script.plays(&[("start", &sent(0, "0", "a")), ("resume 0", "note 0 possibly sent twice: 0")]);
    let flagged = script
        .state
        .outstanding()
        .any(|effect| matches!(effect, Effect::Send(request) if request.possibly_sent_twice));
    assert!(flagged);
    script.plays(&[("ok 0", "done")]);
}

#[test]
fn within_bounds_one_attempt() {
    plays(&echo("a", "(within 5 seconds)"), &[("start", &format!("{} limit 5000", sent(0, "0", "a")))]);
    let source = format!("(seq {} (within 5 seconds) (retries 1))", echo("a", "(retries 5)"));
    plays(
        &source,
        &[
            ("start", &format!("timer#0 0 within 5000 | {}", sent(1, "0.0", "a"))),
            ("fail 1 no", "note 0.0 attempt 1 failed: no | timer#2 0.0 retry 1000"),
            ("fire 0", "note 0 attempt 1 failed: not done within 5 seconds | timer#3 0 retry 1000"),
            // The timer of a command that is over has no place any more.
            ("fire 2", ""),
            (
                "fire 3",
                &format!(
                    "note 0 restart 2 as group 1 | timer#4 0 within 5000 | {} group 1",
                    sent(5, "0.0", "a")
                ),
            ),
            ("ok 5", "done"),
            ("fire 4", ""),
        ],
    );
}

#[test]
fn if_success_fails_the_command_has_failed_and_its_own_failure_option_does_not_run() {
    let source =
        echo("a", "(retries 2) (success (send twilio call-status {:sid $sid})) (failure (set f true))");
    plays(
        &source,
        &[
            ("start", &sent(0, "0", "a")),
            (
                "ok 0 {}",
                "note 0.0 failed: the parameter :sid is null: $sid is not there | note 0 failed: the parameter \
                 :sid is null: $sid is not there | failed at 0.0: the parameter :sid is null: $sid is not there",
            ),
        ],
    );
}

#[test]
fn a_failure_that_fails_fails_the_command() {
    let source =
        format!("(seq {} (failure (set outer true)))", echo("a", &format!("(failure {})", echo("b", ""))));
    plays(
        &source,
        &[
            ("start", &sent(0, "0.0", "a")),
            ("fail 0 no", &format!("note 0.0 failure taken: no | {}", sent(1, "0.0.1", "b"))),
            (
                "fail 1 nor that",
                "note 0.0.1 failed: nor that | note 0.0 failed: nor that | note 0 failure taken: nor that | outer = \
                 true | done",
            ),
        ],
    );
}

#[test]
fn response_values_are_seen_in_the_success_option_of_the_command_that_got_them() {
    let source = "(seq
        (send twilio sms {:to-phone-number \"1\" :from-phone-number \"2\" :message \"m\"}
            (success (seq (set kept $sid)
                          (send echo message {:message $status} (success (set inner $sid))))))
        (set after $sid) (set again kept))";
    plays(
        source,
        &[
            (
                "start",
                r#"send#0 0.0 twilio sms {"to-phone-number":"1","from-phone-number":"2","message":"m"}"#,
            ),
            (
                r#"ok 0 {"sid":"SM1","status":"queued"}"#,
                r#"kept = "SM1" | send#1 0.0.0.1 echo message {"message":"queued"}"#,
            ),
            (r#"ok 1 {"message":"queued"}"#, r#"inner = null | after = null | again = "SM1" | done"#),
        ],
    );
}

#[test]
fn a_null_in_an_optional_parameter_leaves_it_out_and_dots_walk() {
    plays(
        "(send sendgrid email {:to *user.mail* :from \"f\" :subject *missing* :message \"m\" :cc *user.cc*})",
        &[(
            r#"start {"user":{"mail":"a@x"}}"#,
            "note 0 failed: the parameter :subject is null: the events have no missing | failed at 0: the parameter \
             :subject is null: the events have no missing",
        )],
    );
    plays(
        "(send sendgrid email {:to *user.mail* :from \"f\" :subject \"s\" :message 5 :cc *user.cc*})",
        &[(
            r#"start {"user":{"mail":"a@x"}}"#,
            r#"send#0 0 sendgrid email {"to":"a@x","from":"f","subject":"s","message":5}"#,
        )],
    );
    plays(
        "(send webhook post {:url \"http://x\" :body {:a *a* :b {:c no-such} :d *d*}})",
        &[(
            r#"start {"a":[1,{}]}"#,
            r#"send#0 0 webhook post {"url":"http://x","body":{"a":[1,{}],"b":{}}}"#,
        )],
    );
    plays(
        "(send twilio call {:to-phone-number 1 :from-phone-number 2})",
        &[(
            "start",
            "note 0 failed: one of the parameters :message, :twil-ml is missing | failed at 0: one of the \
             parameters :message, :twil-ml is missing",
        )],
    );
}

/// Templates see the variables over the events; only `:html` is escaped as HTML; a value may be a template too.
#[test]
fn templates_are_rendered_by_channel() {
    let source = r#"(seq (set name "<Ann>")
        (send sendgrid email {:to "t" :from "f" :subject +TM1 :message "-"}
              (template {:message *text* :html +TM2 :cc *none*})))"#;
    let mut script = Script::new(source, &[("TM1", "Dear {{name}}"), ("TM2", "<p>{{>TM1}}, {{{city}}}</p>")]);
    script.plays(&[(
        r#"start {"name":"hidden","city":"<b>","text":"{{city}}!"}"#,
        r#"name = "<Ann>" | send#0 0.1 sendgrid email {"to":"t","from":"f","subject":"Dear <Ann>","message":"<b>!","html":"<p>Dear &lt;Ann&gt;, <b></p>"}"#,
    )]);
    plays(
        "(send echo message {:message +TM9})",
        &[(
            "start",
            "note 0 failed: the template TM9 is not there | failed at 0: the template TM9 is not there",
        )],
    );
}

#[test]
fn predicates_compare_as_the_page_says() {
    for (predicate, held) in [
        ("(= *n* \"5\")", true),
        ("(!= *n* 5.0)", false),
        ("(> *n* 4)", true),
        ("(<= *n* 4)", false),
        ("(= *missing* 1)", false),
        ("(not (= *missing* 1))", true),
        ("(and *n* *t*)", true),
        ("(or *f* *null*)", false),
        ("\"\"", true),
        ("0", true),
        ("(= *o.k* true)", true),
    ] {
        let mut script = Script::new(&format!("(if {predicate} (set x 1) (set x 2))"), &[]);
        let effects = script.play(r#"start {"n":5,"t":"x","f":false,"null":null,"o":{"k":"true"}}"#);
        assert_eq!(effects.starts_with("note 0 true"), held, "{predicate}: {effects}");
    }
}

#[test]
fn an_if_without_the_branch_that_it_takes_succeeds() {
    plays("(if *a* (failure (set x 1)))", &[(r#"start {"a":1}"#, "note 0 true | done")]);
}

#[test]
fn an_expect_sees_the_event_and_what_was_known_when_it_began() {
    let source = "(seq (set want 5)
        (expect (or (= *a* $b) (and (not $c) (> $n want))) (success (set got $n)) (within 1 hours)))";
    plays(
        source,
        &[
            (
                r#"start {"a":null}"#,
                r#"want = 5 | expect#0 0.1 [{"or":2},{"compare":["=",{"literal":null},{"attribute":"b"}]},{"and":2},"not",{"truthy":{"attribute":"c"}},{"compare":[">",{"attribute":"n"},{"literal":5}]}] for 3600000"#,
            ),
            (r#"met 0 {"n":6}"#, "got = 6 | done"),
            ("missed 0", ""),
        ],
    );
}

#[test]
fn an_expect_that_is_refused_is_a_failure() {
    plays(
        "(expect $a (failure (set b 1)))",
        &[
            ("start", r#"expect#0 0 [{"truthy":{"attribute":"a"}}]"#),
            ("turned-away 0 too many", "note 0 failure taken: too many | b = 1 | done"),
        ],
    );
}

#[test]
fn an_event_that_is_refused_is_a_failure() {
    let source = "(event {:id *id* :none *none*} (success (set id $id)) (failure (set id false)))";
    plays(
        source,
        &[
            (r#"start {"id":3}"#, r#"event#0 0 {"id":3}"#),
            ("sent 0", r#"id = "EV01010101010101010101010101010101" | done"#),
        ],
    );
    plays(
        source,
        &[
            (r#"start {"id":3}"#, r#"event#0 0 {"id":3}"#),
            (
                "refused 0 too long a chain",
                "note 0 failure taken: the event was refused: too long a chain | id = false | done",
            ),
        ],
    );
}

#[test]
fn only_what_is_news_of_a_poll_has_to_be_recorded() {
    let source = "(par (seq (delay 1 seconds) (set want \"b\"))
        (await webhook post {:body \"?\"} (if (= $a want) (success (set got $a))) (within 1 minutes)))";
    let mut script = Script::new(source, &[]);
    script.play("start");
    let poll = StepId(2);
    let answer = |text: &str, took_ms| {
        Answer::Succeeded(Success { response: object(text), took_ms, ..Success::default() })
    };
    let matters = |script: &Script, answer| script.state.poll_matters(&script.pinned, poll, &answer);
    assert!(matters(&script, answer(r#"{"a":"b"}"#, 1)), "the first answer is news");
    assert_eq!(script.play(r#"poll 2 {"a":"b"}"#), "");
    assert!(!matters(&script, answer(r#"{"a":"b"}"#, 2)));
    assert!(matters(&script, answer(r#"{"a":"c"}"#, 1)));
    assert_eq!(script.state.poll_ended_by(StepId(1)), Some(poll));
    script.play("fire 0");
    assert!(matters(&script, answer(r#"{"a":"b"}"#, 2)), "the predicate holds of the same answer now");
    assert_eq!(script.play(r#"poll 2 {"a":"b"}"#), r#"note 0.1 true | got = "b" | done"#);
}

#[test]
fn an_await_succeeds_in_both_cases_unless_its_branch_fails() {
    let source = "(await webhook post {:body \"?\"} (if $x (failure (send twilio call-status {:sid *none*})))
        (within 1 seconds) (retries 1) (success (set y true)))";
    plays(
        source,
        &[
            ("start", r#"timer#0 0 within 1000 | poll#1 0 webhook post {"body":"?"}"#),
            (
                "fire 0",
                "note 0 false | note 0.1 failed: the parameter :sid is null: the events have no none | note 0 \
                 attempt 1 failed: the parameter :sid is null: the events have no none | timer#2 0 retry 1000",
            ),
            (
                "fire 2",
                r#"note 0 restart 2 as group 1 | timer#3 0 within 1000 | poll#4 0 webhook post {"body":"?"} attempt 2 group 1"#,
            ),
            (r#"poll 4 {"x":0}"#, "note 0 true | y = true | done"),
        ],
    );
}

#[test]
fn a_reaction_that_is_cancelled_lets_go_of_everything() {
    let source = format!("(par {} (delay 1 days) (expect (= $a 1)))", echo("a", ""));
    let mut script = Script::new(&source, &[]);
    script.play("start");
    script.plays(&[
        ("cancel", "cancelled by somebody"),
        ("cancel", ""),
        ("fire 1", ""),
        ("met 2 {}", ""),
        ("ok 0", "note 0.0 late: 0"),
    ]);
}

#[test]
fn a_reaction_that_is_cancelled_before_it_started_never_starts() {
    plays(&echo("a", ""), &[("cancel", "cancelled by somebody"), ("start", "")]);
}

#[test]
fn a_reaction_runs_so_many_commands_and_no_more() {
    let source = format!("(seq {} (retries 100) (failure (set x 1)))", echo("a", ""));
    let mut script = Script::new(&source, &[]);
    script.rules = Rules { commands: 5, ..Rules::default() };
    script.play("start");
    script.play("fail 0 no");
    script.play("fire 1");
    script.play("fail 2 no");
    script.plays(&[("fire 3", "note 0 restart 3 as group 2 | failed more than 5 commands in one reaction")]);
}

#[test]
fn a_reaction_that_is_over_in_mid_par_begins_nothing_more_and_ends_once() {
    let mut script = Script::new("(par (set a 1) (set b 2) (set c 3))", &[]);
    script.rules = Rules { commands: 2, ..Rules::default() };
    script.plays(&[("start", "a = 1 | failed more than 2 commands in one reaction")]);
}

#[test]
fn what_has_no_place_changes_nothing() {
    let mut script = Script::new(&echo("a", ""), &[]);
    script.plays(&[
        ("ok 0", ""),
        ("fire 0", ""),
        ("start", &sent(0, "0", "a")),
        ("start", ""),
        ("fire 0", ""),
        ("met 0 {}", ""),
        ("poll 0 {}", ""),
        ("sent 0", ""),
        ("ok 1", ""),
        ("ok 0", "done"),
        ("ok 0", ""),
    ]);
}

/// On the two megabytes of a test's thread; nesting beyond this is refused by the reader whatever the limits say.
#[test]
fn the_deepest_programs_are_parsed_printed_and_run() {
    let nest = |open: &str, middle: &str, close: &str, deep: usize| {
        format!("{}{middle}{}", open.repeat(deep), close.repeat(deep))
    };
    for source in [
        nest("(seq ", "(set a 1)", ")", 255),
        nest("(send echo message {:message 1} (success ", "(set a 1)", "))", 127),
        nest("(send echo message {:message 1} (failure ", "(set a 1)", "))", 127),
        nest("(if true (success ", "(set a 1)", "))", 127),
        format!("(set a {})", nest("{:a ", "1", "}", 128)),
        format!("(if {} (set a 1))", nest("(not ", "1", ")", 255)),
        format!("(expect {})", nest("(not ", "1", ")", 255)),
        format!("(send echo message {{:message {}}})", nest("{:a ", "1", "}", 254)),
    ] {
        let program = then::parse(&source, &Limits::STORED).unwrap();
        let again = then::parse(&program.to_string(), &Limits::STORED).unwrap();
        assert_eq!(again.to_string(), program.to_string());
        let mut script = Script::of(program);
        script.play("start");
        while script.state.finished().is_none() && script.inputs.len() < 200 {
            let open = script.state.outstanding().next().cloned();
            match open {
                Some(Effect::Send(request)) => script.play(&format!("ok {}", request.id)),
                Some(Effect::OpenExpect(expect)) => script.play(&format!("met {}", expect.id)),
                other => panic!("{other:?}"),
            };
        }
        assert!(script.state.finished().is_some());
    }
}

/// As many members as an operator's limits let through end on an agenda, not on the call stack.
#[test]
fn a_long_seq_runs_in_one_step() {
    let source = format!("(seq {})", "(set a *b*)".repeat(9_000));
    let program =
        then::parse(&source, &Limits { source: 1 << 20, forms: 100_000, ..Limits::default() }).unwrap();
    let mut script = Script::of(program);
    assert!(script.play("start").ends_with("done"));
}

/// A program can double what it has: thirty such steps would be a gigabyte.
#[test]
fn values_are_bounded_in_size_and_depth() {
    let doubling = "(set a {:x a :y a})".repeat(30);
    let mut script = Script::new(&format!("(seq (set a \"text\") {doubling})"), &[]);
    assert!(script.play("start").ends_with("the values of the command are over 1048576 bytes"));
    let names = (0..110).map(|n| format!("(set v{n} *big*)")).collect::<String>();
    let mut script = Script::new(&format!("(seq {names})"), &[]);
    let start = format!("start {{\"big\":\"{}\"}}", "x".repeat(10_000));
    assert!(script.play(&start).ends_with("failed at 0.104: the variables are over 1048576 bytes"));
    let deeper = "(set a {:x a})".repeat(140);
    let mut script = Script::new(&format!("(seq (set a 1) {deeper})"), &[]);
    assert!(script.play("start").ends_with("failed at 0.129: a value nests over 128 deep"));
}

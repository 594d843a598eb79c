//! Every `then` of the owner's documents, by file and line: the good ones are taken and do what the guide says, the
//! broken ones are refused at the place where they are broken.

use domain::dsl::{Limits, Place, then};

use super::script::{Script, plays, program};

/// What becomes of an example when it is parsed.
enum Parsed {
    /// It is taken; how many warnings it gets.
    Good(usize),
    /// It is refused at this line and column of its own, with this in the message.
    Bad(usize, usize, &'static str),
}
use Parsed::{Bad, Good};

const API: &str = "000";
const GUIDE: &str = "001";

const EXAMPLES: &[(&str, u32, &str, Parsed)] = &[
    (API, 202, r#"(seq (send echo message {:message "Hello world"}))"#, Good(0)),
    (API, 234, r#"(send echo message {:message "Hello curl"})"#, Good(0)),
    (API, 251, r#"(seq (send echo message {:message "Hello world"}))"#, Good(0)),
    (API, 290, r#"(seq (send echo message {:message "Hello world"}))"#, Good(0)),
    // `from` and `message` are left out: they could come from elsewhere, so it is taken with warnings.
    (
        API,
        323,
        r#"(send sendgrid email {:to *email*, :subject "Welcome to a wonderful put experience"})"#,
        Good(2),
    ),
    (
        API,
        335,
        r#"(send sendgrid email {:to *email*, :subject "Welcome to a wonderful put experience"})"#,
        Good(2),
    ),
    (
        API,
        404,
        r#"(par (send echo message {:message "We should probably call the customer"})
                 (send echo message {:message "We should probably call the customer now "}))"#,
        Good(0),
    ),
    // One parenthesis too many.
    (GUIDE, 28, "(send twilio call {:to-phone-number *To-PhoneNumber*}))", Bad(1, 55, "closes nothing")),
    (GUIDE, 91, r#"(send echo message {:message "send message"})"#, Good(0)),
    (GUIDE, 96, "(send echo message {}\n(template {:message +TM1}))", Good(0)),
    (
        GUIDE,
        125,
        "(send twilio sms {:to-phone-number *toPhoneNumber*
                  :from-phone-number *fromPhoneNumber*
                  :message *message*})",
        Good(0),
    ),
    (
        GUIDE,
        132,
        r#"(send twilio call {:to-phone-number *toPhoneNumber*
                  :from-phone-number "15068009013"
                  :message *message*})"#,
        Good(0),
    ),
    (
        GUIDE,
        141,
        r#"(send twilio call {:to-phone-number *toPhoneNumber*
                  :from-phone-number "15068009013"}
      (template {:message +TM1}))"#,
        Good(0),
    ),
    (
        GUIDE,
        171,
        "(send sendgrid email {:to *to-email-address*
                      :from *from-email-address*
                      :subject *subject*
                      :message *message*})",
        Good(0),
    ),
    (
        GUIDE,
        180,
        r#"(send sendgrid email {:to *to-email-address*
                      :from "no-reply@cxengage.com"
                      :subject *subject*
                      :message *message*})"#,
        Good(0),
    ),
    (
        GUIDE,
        189,
        r#"(send sendgrid email {:to *to-email-address*
                      :from "no-reply@cxengage.com"
                      :subject *subject*
                      :message +TM1})"#,
        Good(0),
    ),
    (
        GUIDE,
        228,
        r#"(send salesforce task
                {:OwnerId "ownerid"
                       :Description "Salesforce endpoint"
                       :Priority "High"
                       :Status "Normal"
                       :WhoId "whoid"
                       :WhatId "whatid"
                       :ActivityDate "2014-08-29T17:55:14.000+0000"
                       :Subject "Salesforce Endpoint"
                       })"#,
        Good(0),
    ),
    (
        GUIDE,
        250,
        r#" (send salesforce opportunity
                      {:OwnerId "ownerid"
                       :AccountId "accountid"
                       :CloseDate "2014-08-30T17:55:14.000+0000"
                       :StageName "Prospecting"
                       :message "hello"
                       })"#,
        Good(0),
    ),
    (
        GUIDE,
        268,
        r#" (send salesforce lead
                      {:LastName "lname"
                       :Company "Athena Home Products"
                       :Status "Working - Contacted"
                       :OwnerId "ownerid"
                       })"#,
        Good(0),
    ),
    (
        GUIDE,
        285,
        r#"(send salesforce case
                      {:Origin "Phone"
                       :Status "New"
                       :OwnerId "ownerid"
                       })"#,
        Good(0),
    ),
    (GUIDE, 336, r#"(send echo message {:message "Call abandoned twice, call customer back"})"#, Good(0)),
    // The parenthesis that is one too many here is the one that the `when` above it lacks.
    (
        GUIDE,
        349,
        r#"(send echo message {:message "Call abandoned twice , call customer back"}))"#,
        Bad(1, 75, "closes nothing"),
    ),
    (GUIDE, 363, r#"(send echo message {:message "Transfer call to senior agent"})"#, Good(0)),
    (GUIDE, 479, "(send twilio call {:to-phone-number *phone-number*}))", Bad(1, 53, "closes nothing")),
    // The call has neither message nor from, the message no from.
    (
        GUIDE,
        490,
        r#"(seq
  (send twilio sms {:to-phone-number *phone-number*
                    :message "We apologize for the long waits, an agent
                              will call you back shortly"})
  (send twilio call {:to-phone-number *phone-number*}))"#,
        Good(3),
    ),
    (GUIDE, 516, "(par <members> <options>)", Bad(1, 6, "expected a command")),
    (
        GUIDE,
        519,
        r#"(par
  (send echo message {:message "Hello World1"})
  (send echo message {:message "Hello World2"})
  (send echo message {:message "Hello World3"}))"#,
        Good(0),
    ),
    (GUIDE, 535, "(seq <members> <options>)", Bad(1, 6, "expected a command")),
    (
        GUIDE,
        538,
        r#"(seq
  (send echo message {:message "Hello World1"})
  (delay 1 minutes)
  (send echo message {:message "Hello World2"}))"#,
        Good(0),
    ),
    // `$call-id` outside of a success option is null.
    (GUIDE, 578, "(set message-sent $call-id)", Good(1)),
    (GUIDE, 581, r#"(set cust-seg "gold")"#, Good(0)),
    (GUIDE, 584, "(set id *custId*)", Good(0)),
    (GUIDE, 599, "(send <endpoint> <type> {<params>} <options>)", Bad(1, 7, "unknown endpoint")),
    (GUIDE, 603, r#"(send echo message {:message "Hello World"})"#, Good(0)),
    (
        GUIDE,
        608,
        r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"
                  :message sms-message})"#,
        Good(1),
    ),
    (GUIDE, 622, "(event {<params>} <options>)", Bad(1, 9, "expected a name such as :message")),
    (GUIDE, 625, r#"(event {:id *id* :type "b"})"#, Good(0)),
    (GUIDE, 645, "(delay <duration> <unit>)", Bad(1, 8, "expected a whole number")),
    (GUIDE, 648, "(delay 5 minutes)", Good(0)),
    (GUIDE, 651, "(delay 30 seconds)", Good(0)),
    (
        GUIDE,
        661,
        "(expect <predicate>
  (success <then>)
  (failure <then>)
  <options>)",
        Bad(1, 9, "expected a value"),
    ),
    (
        GUIDE,
        667,
        r#"(expect (and (= $id *id*)
             (= $type "b"))
  (within 5 minutes)
  (success (set got-event true))
  (failure (set got-event false)))"#,
        Good(0),
    ),
    // The dots stand for what the guide leaves out.
    (
        GUIDE,
        685,
        r#"(seq
  (await twilio call-status {:sid 12345}
    (if (= "answered" $call-status)
        (success (set msg "The call was answered"))
        (failure (set msg "No one was there")))
    (within 10 minutes))
  (send twilio sms {:message msg ...}))"#,
        Bad(7, 34, "expected a name such as :message"),
    ),
    (GUIDE, 702, "(if <predicate> (success <then>) (failure <else>))", Bad(1, 5, "expected a value")),
    (
        GUIDE,
        706,
        r#"(if (= *cust-seg* "gold")
  (success (send echo message {:message message-one}))
  (failure (send echo message {:message message-two})))"#,
        Good(2),
    ),
    (GUIDE, 751, "(retries <count>)", Bad(1, 2, "retries is an option")),
    (
        GUIDE,
        754,
        r#"(send echo message {:message "Hello World"}
  (retries 2))"#,
        Good(0),
    ),
    (GUIDE, 766, "(within <duration> <unit>)", Bad(1, 2, "within is an option")),
    (
        GUIDE,
        769,
        r#"(par
  (send echo message {:message "Hello World"})
  (send echo message {:message "Hello World"})
  (send echo message {:message "Hello World"})
  (within 5 seconds))"#,
        Good(0),
    ),
    (GUIDE, 788, "(template {<params>})", Bad(1, 2, "template is an option")),
    (
        GUIDE,
        791,
        r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"}
  (template {:message "Hello {{first-name}}"}))"#,
        Good(0),
    ),
    (
        GUIDE,
        795,
        r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"}
  (template {:message +TM1}))"#,
        Good(0),
    ),
    (GUIDE, 814, "(success <then>)", Bad(1, 2, "success is an option")),
    (GUIDE, 815, "(failure <then>)", Bad(1, 2, "failure is an option")),
    // The message is left out.
    (
        GUIDE,
        818,
        r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"}
  (success (send echo message {:message "It sent"}))
  (failure (send echo message {:message "No it didn't"})))"#,
        Good(1),
    ),
];

fn example(file: &str, line: u32) -> &'static str {
    let found = EXAMPLES.iter().find(|(f, l, ..)| *f == file && *l == line);
    found.unwrap_or_else(|| panic!("no example at {file}:{line}")).2
}

#[test]
fn every_example_is_taken_or_refused_at_the_place_where_it_is_broken() {
    for (file, line, source, expected) in EXAMPLES {
        let parsed = then::parse(source, &Limits::default());
        match (parsed, expected) {
            (Ok(program), Good(warnings)) => {
                assert_eq!(program.warnings.len(), *warnings, "{file}:{line} {:?}", program.warnings);
            }
            (Err(problems), Bad(row, column, message)) => {
                let first = &problems[0];
                let place = Place::of(source, first.span.start);
                let shown = first.render(source);
                assert_eq!((place.line, place.column), (*row, *column), "{file}:{line} {shown}");
                assert!(first.message.contains(message), "{file}:{line} {shown}");
            }
            (Ok(program), Bad(..)) => panic!("{file}:{line} is taken: {program}"),
            (Err(problems), Good(_)) => panic!("{file}:{line} {}", problems[0].render(source)),
        }
    }
}

/// The good examples have a canonical form that says the same.
#[test]
fn every_good_example_reads_back_from_its_canonical_form() {
    for (file, line, source, expected) in EXAMPLES {
        if let Good(_) = expected {
            let printed = program(source).to_string();
            assert_eq!(program(&printed).to_string(), printed, "{file}:{line}");
        }
    }
}

#[test]
fn a_par_of_the_guide_sends_all_three_at_once() {
    plays(
        example(GUIDE, 519),
        &[
            (
                "start",
                r#"send#0 0.0 echo message {"message":"Hello World1"} | send#1 0.1 echo message {"message":"Hello World2"} | send#2 0.2 echo message {"message":"Hello World3"}"#,
            ),
            ("ok 2", ""),
            ("ok 0", ""),
            ("ok 1", "done"),
        ],
    );
}

#[test]
fn a_seq_of_the_guide_waits_between_its_messages() {
    plays(
        example(GUIDE, 538),
        &[
            ("start", r#"send#0 0.0 echo message {"message":"Hello World1"}"#),
            ("ok 0", "timer#1 0.1 delay 60000"),
            ("fire 1", r#"send#2 0.2 echo message {"message":"Hello World2"}"#),
            ("ok 2", "done"),
        ],
    );
}

#[test]
fn if_the_sms_of_the_guide_fails_the_call_is_not_made() {
    let sms = r#"{"to-phone-number":"1","message":"We apologize for the long waits, an agent\n                              will call you back shortly"}"#;
    plays(
        example(GUIDE, 490),
        &[
            (r#"start {"phone-number":"1"}"#, &format!("send#0 0.0 twilio sms {sms}")),
            (
                "fail 0 no route",
                "note 0.0 failed: no route | note 0 failed: no route | failed at 0.0: no route",
            ),
        ],
    );
}

#[test]
fn variables_and_events_of_the_guide_take_their_values_from_the_events() {
    plays(example(GUIDE, 584), &[(r#"start {"custId":17}"#, "id = 17 | done")]);
    plays(example(GUIDE, 581), &[("start", r#"cust-seg = "gold" | done"#)]);
    plays(example(GUIDE, 578), &[("start", "message-sent = null | done")]);
    plays(
        example(GUIDE, 625),
        &[(r#"start {"id":"7"}"#, r#"event#0 0 {"id":"7","type":"b"}"#), ("sent 0", "done")],
    );
}

#[test]
fn the_expect_of_the_guide_waits_for_the_event_or_five_minutes() {
    let opened = r#"expect#0 0 [{"and":2},{"compare":["=",{"attribute":"id"},{"literal":"7"}]},{"compare":["=",{"attribute":"type"},{"literal":"b"}]}] for 300000 by id="7""#;
    let start = (r#"start {"id":"7"}"#, opened);
    plays(example(GUIDE, 667), &[start, (r#"met 0 {"id":"7","type":"b"}"#, "got-event = true | done")]);
    plays(
        example(GUIDE, 667),
        &[
            start,
            ("missed 0", "note 0 failure taken: no such event within 5 minutes | got-event = false | done"),
        ],
    );
}

/// The await of the guide, with a whole SMS in place of the dots.
#[test]
fn the_await_of_the_guide_asks_until_the_call_was_answered_or_the_time_is_over() {
    let sms = ":message msg :to-phone-number \"1\" :from-phone-number \"2\"";
    let source = example(GUIDE, 685).replace(":message msg ...", sms);
    let asks = r#"timer#0 0.0 within 600000 | poll#1 0.0 twilio call-status {"sid":12345}"#;
    plays(
        &source,
        &[
            ("start", asks),
            (r#"poll 1 {"call-status":"ringing"}"#, ""),
            (
                r#"poll 1 {"call-status":"answered"}"#,
                r#"note 0.0 true | msg = "The call was answered" | send#2 0.1 twilio sms {"message":"The call was answered","to-phone-number":"1","from-phone-number":"2"}"#,
            ),
            ("fire 0", ""),
            ("ok 2", "done"),
        ],
    );
    plays(
        &source,
        &[
            ("start", asks),
            ("down 1 no route", ""),
            (
                "fire 0",
                r#"note 0.0 false | msg = "No one was there" | send#2 0.1 twilio sms {"message":"No one was there","to-phone-number":"1","from-phone-number":"2"}"#,
            ),
            (r#"poll 1 {"call-status":"answered"}"#, "note 0.0 late: 1"),
            ("ok 2", "done"),
        ],
    );
}

#[test]
fn the_if_of_the_guide_chooses_the_message() {
    let source =
        format!(r#"(seq (set message-one "gold!") (set message-two "other") {})"#, example(GUIDE, 706));
    plays(
        &source,
        &[(
            r#"start {"cust-seg":"gold"}"#,
            r#"message-one = "gold!" | message-two = "other" | note 0.2 true | send#0 0.2.0 echo message {"message":"gold!"}"#,
        )],
    );
    plays(
        &source,
        &[(
            r#"start {"cust-seg":"tin"}"#,
            r#"message-one = "gold!" | message-two = "other" | note 0.2 false | send#0 0.2.1 echo message {"message":"other"}"#,
        )],
    );
}

#[test]
fn the_retries_of_the_guide_are_two_more_attempts() {
    let send = r#"0 echo message {"message":"Hello World"}"#;
    plays(
        example(GUIDE, 754),
        &[
            ("start", &format!("send#0 {send}")),
            ("fail 0 no route", "note 0 attempt 1 failed: no route | timer#1 0 retry 1000"),
            ("fire 1", &format!("send#2 {send} attempt 2")),
            ("fail 2 no route", "note 0 attempt 2 failed: no route | timer#3 0 retry 2000"),
            ("fire 3", &format!("send#4 {send} attempt 3")),
            ("fail 4 no route", "note 0 failed: no route | failed at 0: no route"),
        ],
    );
}

#[test]
fn the_within_of_the_guide_fails_the_par_when_it_is_over() {
    let mut script = Script::new(example(GUIDE, 769), &[]);
    assert!(script.play("start").starts_with("timer#0 0 within 5000 | send#1 0.0"));
    script.plays(&[
        ("ok 1", ""),
        ("fire 0", "note 0 failed: not done within 5 seconds | failed at 0: not done within 5 seconds"),
        ("ok 2", "note 0.1 late: 2"),
    ]);
}

#[test]
fn the_templates_of_the_guide_are_rendered_over_the_events() {
    let start = r#"start {"phone-number":"1","first-name":"Ann <a@x>"}"#;
    let sent = r#"send#0 0 twilio sms {"to-phone-number":"1","from-phone-number":"1-506-555-1234","message":"Hello Ann <a@x>"}"#;
    plays(example(GUIDE, 791), &[(start, sent), ("ok 0", "done")]);
    let mut script = Script::new(example(GUIDE, 795), &[("TM1", "Hello {{first-name}}")]);
    script.plays(&[(start, sent), ("ok 0", "done")]);
}

/// As it stands the guide's SMS has no message: its failure is taken, and the reaction goes on.
#[test]
fn success_and_failure_of_the_guide_choose_what_follows() {
    let start = r#"start {"phone-number":"1"}"#;
    plays(
        example(GUIDE, 818),
        &[
            (
                start,
                r#"note 0 failure taken: the parameter :message is missing | send#0 0.1 echo message {"message":"No it didn't"}"#,
            ),
            ("ok 0", "done"),
        ],
    );
    let whole = example(GUIDE, 818).replacen('{', "{:message \"Hello\" ", 1);
    let sms = r#"send#0 0 twilio sms {"message":"Hello","to-phone-number":"1","from-phone-number":"1-506-555-1234"}"#;
    plays(
        &whole,
        &[
            (start, sms),
            (r#"ok 0 {"sid":"SM1"}"#, r#"send#1 0.0 echo message {"message":"It sent"}"#),
            ("ok 1", "done"),
        ],
    );
    plays(
        &whole,
        &[
            (start, sms),
            (
                "fatal 0 not a number",
                r#"note 0 failure taken: not a number | send#1 0.1 echo message {"message":"No it didn't"}"#,
            ),
            ("ok 1", "done"),
        ],
    );
}

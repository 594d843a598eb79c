//! What is refused, where, and with which words.

use domain::dsl::{Code, Limits, then};

fn problems(source: &str) -> Vec<(Code, String)> {
    let problems = then::parse(source, &Limits::default()).expect_err(source);
    problems.iter().map(|problem| (problem.code, problem.render(source))).collect()
}

/// What of the rendered problem comes before the line of the source.
fn first(source: &str) -> String {
    let problems = problems(source);
    problems[0].1.split('\n').next().unwrap().to_owned()
}

#[test]
fn a_problem_says_where_it_is_and_how_to_mend_it() {
    for (source, expected) in [
        (
            "",
            "line 1, column 1: nothing here; expected one command, such as (send echo message {:message \"Hello\"})",
        ),
        ("(seq)", "line 1, column 1: (seq …) needs a member"),
        ("(par (retries 2))", "line 1, column 1: (par …) needs a member"),
        ("(sned echo message {})", "line 1, column 2: unknown command \"sned\"; did you mean \"send\"?"),
        (
            "(set a 1) (set b 2)",
            "line 1, column 11: expected one command, found another one; (seq …) takes them one after the other, (par …) at once",
        ),
        ("(send twillio sms {})", "line 1, column 7: unknown endpoint \"twillio\"; did you mean \"twilio\"?"),
        ("(send twilio sns {})", "line 1, column 14: twilio has no verb \"sns\"; did you mean \"sms\"?"),
        (
            "(send fax page {})",
            "line 1, column 7: unknown endpoint \"fax\"; known are echo, twilio, sendgrid, salesforce, urban-airship, pusher, generic, webhook, zendesk",
        ),
        (
            "(send echo message {:mesage 1})",
            "line 1, column 21: echo message has no parameter :mesage; did you mean \"message\"?",
        ),
        (
            "(send echo message {} (template {:text \"x\"}))",
            "line 1, column 34: echo message has no parameter :text; known are message",
        ),
        (
            "(send echo message {message 1})",
            "line 1, column 21: expected a name such as :message, found \"message\"; write :message",
        ),
        ("(send echo message {:message})", "line 1, column 21: :message has no value"),
        ("(send echo message {:message 1 :message 2})", "line 1, column 32: :message is given twice"),
        (
            "(send echo message {:message :x})",
            "line 1, column 30: expected a value, found \":x\"; a word with a colon is a name; it stands in a map, before its value",
        ),
        (
            "(send echo message {:message *x})",
            "line 1, column 30: expected a value, found \"*x\"; an attribute stands between two stars: *x*",
        ),
        ("(send echo message {:message (set a 1)})", "line 1, column 30: expected a value, found (set …)"),
        (
            "(send echo message {:message 1} (retrys 2))",
            "line 1, column 34: expected an option, found (retrys …); did you mean \"retries\"?",
        ),
        (
            "(send echo message {:message 1} (set a 1))",
            "line 1, column 34: expected an option, found (set …); members stand in front of the options; several commands are made one by (seq …)",
        ),
        (
            "(send echo message {:message 1} (retries 1) (retries 2))",
            "line 1, column 46: retries is given twice",
        ),
        (
            "(send echo message {:message 1} (within 1 hours) (timeout 2 hours))",
            "line 1, column 51: timeout is given twice",
        ),
        (
            "(send echo message {:message 1} (retries 101))",
            "line 1, column 42: 101 retries; at most 100 are taken",
        ),
        (
            "(send echo message {:message 1} (retries 1.5))",
            "line 1, column 42: expected how many retries, a whole number; found the number 1.5",
        ),
        (
            "(send echo message {:message 1} (success))",
            "line 1, column 33: (success …) holds one command; found none",
        ),
        (
            "(send echo message {:message 1} (failure (set a 1) (set b 2)))",
            "line 1, column 52: (failure …) holds one command; found 2; write (failure (seq …))",
        ),
        (
            "(send echo message {:message 1} (template {:message \"{{#a}}\"}))",
            "line 1, column 53: the template of :message is not valid",
        ),
        ("(delay 0 hours)", "line 1, column 8: expected a whole number from 1, found the number 0"),
        (
            "(delay 1 fortnight)",
            "line 1, column 10: unknown unit \"fortnight\"; known are seconds, minutes, hours, days",
        ),
        ("(delay 367 days)", "line 1, column 8: 367 days is too long; at most 366 days are taken"),
        ("(delay 1 days (retries 1))", "line 1, column 15: expected a duration, such as 5 minutes"),
        (
            "(event {:a 1} (retries 1))",
            "line 1, column 16: event takes no (retries …); retries goes with seq, par, send and await",
        ),
        (
            "(expect (= $a 1) (template {}))",
            "line 1, column 19: expect takes no (template …); template goes with send and event",
        ),
        (
            "(expect (contains $a 1))",
            "line 1, column 10: unknown predicate \"contains\"; known are =, !=, >, <, >=, <=, and, or, not",
        ),
        ("(expect (= $a))", "line 1, column 9: (= a b) compares two values; found 1"),
        ("(expect (and))", "line 1, column 9: expected at least one predicate"),
        (
            "(await twilio sms-status {:sid 1} (within 1 hours))",
            "line 1, column 1: an await holds one (if P (success …) (failure …)): what it waits for",
        ),
        (
            "(await twilio sms-status {:sid 1} (if $a (set b 1)))",
            "line 1, column 1: an await needs a within: how long it asks in all; add (within n unit)",
        ),
        ("(if *a*)", "line 1, column 1: an if needs a branch: (success …), (failure …) or both"),
        (
            "(if *a* (set b 1) (success (set c 1)))",
            "line 1, column 19: (success …) is one branch too many; an if has one success and one failure; (seq …) makes one command of several",
        ),
        (
            "(set *a* 1)",
            "line 1, column 6: expected a variable's name, found \"*a*\"; a variable is a bare word: (set answer $status)",
        ),
        ("(set a)", "line 1, column 1: expected (set name value)"),
        (
            "(seq (set a 1) (retries 1) (set b 1))",
            "line 1, column 29: expected an option, found (set …); members stand in front of the options; several commands are made one by (seq …)",
        ),
        (
            "(send urban-airship push {:message 1 :tag \"a\" :channel \"b\"})",
            "line 1, column 47: :tag and :channel exclude each other; give one of named-user, channel, tag, audience",
        ),
    ] {
        let found = first(source);
        assert!(found.starts_with(expected), "{source}\n found: {found}\n expected: {expected}");
    }
}

#[test]
fn several_problems_are_told_together_in_the_order_of_their_places() {
    let source = "(seq (sned a b {}) (delay 0 days) (send echo message {:x 1 :y 2}) (set a))";
    let codes: Vec<Code> = problems(source).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::UnknownWord, Code::Shape, Code::Endpoint, Code::Endpoint, Code::Shape]);
}

#[test]
fn warnings_do_not_refuse() {
    for (source, expected) in [
        (
            "(send twilio sms {:to-phone-number *a*})",
            "MissingParameter twilio sms needs :from-phone-number; MissingParameter twilio sms needs :message",
        ),
        (
            "(send twilio call {:to-phone-number 1 :from-phone-number 2})",
            "MissingParameter twilio call needs one of :message, :twil-ml",
        ),
        ("(send twilio call {:to-phone-number 1 :from-phone-number 2} (template {:twil-ml +TM1}))", ""),
        (
            "(send webhook post {:url \"u\" :body 1 :headers {:authorization \"Bearer x\"}})",
            "Secret a literal Authorization header: whoever may read the pattern may read it",
        ),
        ("(send webhook post {:url \"u\" :body 1 :headers {:Authorization *token*}})", ""),
        (
            "(send echo message {:message $message} (failure (set a $message)))",
            "Suspicious $message is null here; Suspicious $message is null here",
        ),
        (
            "(send echo message {:message 1} (success (seq (set a $message) (set b $sid))))",
            "Suspicious echo message answers no $sid; it is null",
        ),
        (
            "(expect (= $a 1) (within 1 days) (success (set b $a)) (failure (set b $a)))",
            "Suspicious $a is null here",
        ),
        ("(expect (= $a 1))", "Suspicious an expect without a within may wait for ever"),
        (
            "(seq (set msg 1) (send echo message {:message mgs}))",
            "Suspicious the variable mgs is never set, so it is null",
        ),
        (
            "(await twilio sms-status {:sid $sid} (if (= $sms-status \"sent\") (set a $error-code)) (within 1 days))",
            "Suspicious $sid is null here",
        ),
        ("(event {:a 1} (success (set b $id)))", ""),
    ] {
        let program = then::parse(source, &Limits::default()).unwrap();
        let warnings: Vec<String> = program
            .warnings
            .iter()
            .map(|warning| format!("{:?} {}", warning.code, warning.message))
            .collect();
        assert_eq!(warnings.join("; "), expected, "{source}");
    }
}

#[test]
fn words_have_no_case_and_options_no_order() {
    let source =
        "(SEQ (Send echo message {:message 1} (Failure (set a TRUE)) (Timeout 5 Minute) (Retries 1)))";
    let program = then::parse(source, &Limits::default()).unwrap();
    assert_eq!(
        program.to_string(),
        "(seq (send echo message {:message 1} (retries 1) (within 5 minutes) (failure (set a TRUE))))"
    );
}

#[test]
fn the_templates_that_a_program_names_are_known() {
    let source = "(seq (set a +TM1) (send echo message {} (template {:message \"{{> TM3}}{{> TM2}}\"})))";
    let program = then::parse(source, &Limits::default()).unwrap();
    let names: Vec<&str> = program.templates.iter().map(|id| id.as_str()).collect();
    assert_eq!(names, ["TM1", "TM2", "TM3"]);
}

//! The demo's patterns, after the guide's examples, and the journeys of its customers.

use domain::json::{Json, Object};

/// A pattern, and how often the story meets it.
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) when: &'static str,
    pub(super) then: &'static str,
    pub(super) matches: usize,
    /// An event that is sent once a reaction of this pattern waits for one.
    pub(super) awaited: Option<(&'static str, &'static str)>,
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern {
        name: "Call abandoned twice",
        when: r#"(within 1 hours (count 2 (event (= CallAction "abandoned"))))"#,
        then: r#"(send echo message {:message "Call abandoned twice, call customer back"})"#,
        matches: 2,
        awaited: None,
    },
    Pattern {
        name: "Call abandoned twice and not answered",
        when: r#"(all (within 1 hours (count 2 (event (= CallAction "abandoned"))))
     (fail (count 1 (event (= CallAction "answered")))))"#,
        then: r#"(seq (send echo message {:message "We apologize for the long waits"})
     (send echo message {:message "Calling back"}))"#,
        matches: 1,
        awaited: None,
    },
    Pattern {
        name: "Called again within 30 minutes",
        when: r#"(within 30 minutes (seq (event (= CallAction "answered")) (event (= CallAction "inqueue"))))"#,
        then: r#"(send echo message {:message "Transfer call to senior agent"})"#,
        matches: 1,
        awaited: None,
    },
    Pattern {
        name: "Platinum customer, failed check-in",
        when: r#"(event (and (= customerSegment "platinum") (= eventType "flcheck")))"#,
        then: r#"(send echo message {} (template {:message "Sorry for the trouble, {{first-name}}"}))"#,
        matches: 2,
        awaited: None,
    },
    Pattern {
        name: "Two failed check-ins and a cancelled ticket",
        when: r#"(within 1 hours
  (all (count 2 (event (and (= customerSegment "platinum") (= eventType "flcheck"))))
       (count 1 (event (and (= customerSegment "platinum") (= eventType "cnclticket"))))))"#,
        then: r#"(par (send echo message {:message "We should probably call the customer"})
     (send echo message {:message "We should probably call the customer now"}))"#,
        matches: 1,
        awaited: None,
    },
    Pattern {
        name: "Abandoned cart",
        when: r#"(within 2 seconds (seq (event (= eventType "cart")) (fail (event (= eventType "paid")))))"#,
        then: r#"(seq (set goods *goods*)
     (if (= *customerSegment* "platinum")
       (success (send echo message {} (template {:message "Your {{goods}} is reserved for you"})))
       (failure (send echo message {} (template {:message "You left {{goods}} in your cart"})))))"#,
        matches: 1,
        awaited: None,
    },
    Pattern {
        name: "Welcome, and wait for the first order",
        when: r#"(event (= eventType "signup"))"#,
        then: r#"(seq (send echo message {:message "Welcome"} (retries 2))
     (delay 1 seconds)
     (expect (and (= $customer *customer*) (= $eventType "paid"))
       (within 5 minutes)
       (success (send echo message {:message "Thank you for your first order"}))
       (failure (send echo message {:message "Can we help?"}))))"#,
        matches: 1,
        awaited: Some(("fay", "paid")),
    },
];

/// The events, in the order in which they are sent, each with its customer's name.
pub(super) fn events() -> Vec<(&'static str, Json)> {
    let call = |action| vec![("CallAction", action)];
    let platinum = |kind| vec![("eventType", kind), ("customerSegment", "platinum"), ("first-name", "Pat")];
    let plain = |kind| vec![("eventType", kind)];
    [
        // Ann gives up twice and never gets through.
        ("ann", call("abandoned")),
        ("ann", call("abandoned")),
        // Bob gets through in between, and calls again at once.
        ("bob", call("abandoned")),
        ("bob", call("answered")),
        ("bob", call("inqueue")),
        ("bob", call("abandoned")),
        // Pat's trip goes wrong.
        ("pat", platinum("flcheck")),
        ("pat", platinum("cnclticket")),
        ("pat", platinum("flcheck")),
        // Dan leaves a cart behind; Eve pays for hers.
        ("dan", vec![("eventType", "cart"), ("goods", "a tent")]),
        ("eve", vec![("eventType", "cart"), ("goods", "a lamp")]),
        ("eve", plain("paid")),
        // Fay signs up; her order comes when her reaction waits for it.
        ("fay", plain("signup")),
    ]
    .into_iter()
    .map(|(customer, attributes)| (customer, event(customer, attributes)))
    .collect()
}

pub(super) fn event(customer: &str, attributes: Vec<(&str, &str)>) -> Json {
    let mut event = Object::new();
    event.set("customer", customer);
    for (name, value) in attributes {
        event.set(name, value);
    }
    event.into()
}

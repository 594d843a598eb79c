//! The wire, verb by verb, as endpoints.md has it: what is asked, what an answer gives, what a refusal means.

use std::time::{Duration, UNIX_EPOCH};

use domain::ids::{Position, ReactionId, TenantId};
use domain::json::{Json, Limits, Object, parse};
use hyper::{HeaderMap, Method};

use super::*;
use crate::endpoint::http::Reach;
use crate::endpoint::integration::Integration;

const KEY: &str = "RE00/0.1/0";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const FORM: &str = "application/x-www-form-urlencoded";

fn request(endpoint: &str, verb: &str, params: &str) -> Request {
    let Ok(Json::Object(params)) = parse(params.as_bytes(), Limits::STORED) else { panic!("{params}") };
    Request {
        tenant: TenantId::from("acme"),
        reaction: ReactionId([0; 16]),
        event: Some(Position(1)),
        endpoint: endpoint.to_owned(),
        verb: verb.to_owned(),
        params,
        idempotency_key: KEY.to_owned(),
        attempt: 1,
        limit: Duration::from_secs(15),
        possibly_sent_twice: false,
        released: false,
    }
}

fn integration(kind: Kind) -> Integration {
    let fields: &[(&str, &str)] = match kind {
        Kind::Twilio => &[("account", ACCOUNT), ("password", "demo-auth-token")],
        Kind::Sendgrid => &[("api-key", "SG.demo-key")],
        Kind::Salesforce => &[
            ("consumer-key", "CONSUMERKEY"),
            ("consumer-secret", "CONSUMERSECRET"),
            ("username", "bot@example.com"),
            ("password", "pa55word"),
            ("secret-token", "SECTOKEN"),
        ],
        Kind::UrbanAirship => &[("username", "appkey"), ("password", "mastersecret")],
        Kind::Pusher => &[("key", "pk-demo"), ("secret", "sk-demo"), ("app-id", "77"), ("cluster", "mt1")],
        Kind::Webhook => &[
            ("url", "https://receiver.example.com/hooks/orders"),
            ("secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"),
        ],
        Kind::Zendesk => &[("subdomain", "example"), ("email", "agent@example.com"), ("token", "zd-token")],
        Kind::Datasift | Kind::Generic | Kind::Echo => &[],
    };
    Integration::of(kind, fields)
}

fn with<T>(integration: &Integration, request: &Request, use_it: impl FnOnce(&Call<'_>) -> T) -> T {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let (customer, bases) = (Some("customer-42"), &Bases::default());
    use_it(&Call { request, integration, customer, receipts: None, now, bases })
}

fn session() -> salesforce::Session {
    let base = Bases::default().salesforce_login;
    let body = r#"{"access_token":"00D000000000042!AQ.demo","instance_url":"https://example.my.salesforce.com",
        "id":"https://login.salesforce.com/id/00D000000000042EAA/005000000000042AAA","token_type":"Bearer",
        "issued_at":"1700000000000","signature":"c2lnbmF0dXJl"}"#;
    salesforce::session(&base, Position(1), &received(200, &[], body)).unwrap()
}

fn provider(name: &str) -> Box<dyn Provider> {
    match Kind::from_name(name).unwrap() {
        Kind::Twilio => Box::new(twilio::Twilio),
        Kind::Sendgrid => Box::new(sendgrid::Sendgrid),
        Kind::Salesforce => Box::new(salesforce::Records(session())),
        Kind::UrbanAirship => Box::new(urban_airship::UrbanAirship),
        Kind::Pusher => Box::new(pusher::Pusher),
        Kind::Webhook => Box::new(webhook::Webhook),
        Kind::Zendesk => Box::new(zendesk::Zendesk),
        other => panic!("{other:?} is not behind HTTP"),
    }
}

fn outgoing(endpoint: &str, verb: &str, params: &str) -> Result<Outgoing, String> {
    let provider = provider(endpoint);
    with(&integration(provider.kind()), &request(endpoint, verb, params), |call| provider.request(call))
}

/// A request as lines: the first, the headers in order of name, an empty one, the body.
fn wire(outgoing: &Outgoing) -> String {
    let mut headers: Vec<String> = outgoing
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&outgoing.body);
    format!("{} {}\n{}\n{body}", outgoing.method, outgoing.url.uri(), headers.concat())
}

fn received(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Received {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), hyper::header::HeaderValue::from_static(value)))
        .collect();
    Received { status, headers, body: body.to_owned().into(), cut: None }
}

#[test]
fn every_verb_is_on_the_wire_as_its_provider_has_it() {
    let basic = "authorization: Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpkZW1vLWF1dGgtdG9rZW4=";
    let twilio = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}");
    let form = format!("accept: application/json\n{basic}\ncontent-type: {FORM}\n\n");
    let json = "accept: application/json\nauthorization: Bearer 00D000000000042!AQ.demo\n\
                content-type: application/json\n\n";
    let objects = "https://example.my.salesforce.com/services/data/v59.0/sobjects";
    let airship = "POST https://go.urbanairship.com/api/push\n\
                   accept: application/vnd.urbanairship+json; version=3\n\
                   authorization: Basic YXBwa2V5Om1hc3RlcnNlY3JldA==\ncontent-type: application/json\n\n";
    let cases: Vec<(&str, &str, &str, String)> = vec![
        (
            "twilio",
            "sms",
            r#"{"to-phone-number":"+15005550006","from-phone-number":"+15005550001","message":"Order 42 shipped",
                "status-callback":"https://hooks.example.com/twilio/sms"}"#,
            format!(
                "POST {twilio}/Messages.json\n{form}To=%2B15005550006&From=%2B15005550001&Body=Order+42+shipped\
                 &StatusCallback=https%3A%2F%2Fhooks.example.com%2Ftwilio%2Fsms"
            ),
        ),
        (
            "twilio",
            "call",
            r#"{"to-phone-number":"+15005550006","from-phone-number":"+15005550001","message":"Disk A & B full"}"#,
            format!(
                "POST {twilio}/Calls.json\n{form}To=%2B15005550006&From=%2B15005550001\
                 &Twiml=%3CResponse%3E%3CSay%3EDisk+A+%26amp%3B+B+full%3C%2FSay%3E%3C%2FResponse%3E"
            ),
        ),
        (
            "twilio",
            "call",
            r#"{"to-phone-number":"+1","from-phone-number":"+2","twil-ml":"<Response/>","message":"x"}"#,
            format!("POST {twilio}/Calls.json\n{form}To=%2B1&From=%2B2&Twiml=%3CResponse%2F%3E"),
        ),
        (
            "twilio",
            "call-status",
            r#"{"sid":"CA01"}"#,
            format!("GET {twilio}/Calls/CA01.json\naccept: application/json\n{basic}\n\n"),
        ),
        (
            "twilio",
            "sms-status",
            r#"{"sid":"SM/../x?y#z"}"#,
            format!("GET {twilio}/Messages/SM%2F..%2Fx%3Fy%23z.json\naccept: application/json\n{basic}\n\n"),
        ),
        (
            "sendgrid",
            "email",
            r#"{"to":"Ops <ops@example.com>, Ops@example.com","from":"Alerts <alerts@example.com>",
                "subject":"Disk full","message":"sda1 is at 98%","html":"<p>sda1 is at 98%</p>",
                "cc":["a@example.com","ops@example.com"],"bcc":"b@example.com","reply-to":"r@example.com"}"#,
            "POST https://api.sendgrid.com/v3/mail/send\naccept: application/json\n\
             authorization: Bearer SG.demo-key\ncontent-type: application/json\n\n\
             {\"personalizations\":[{\"to\":[{\"email\":\"ops@example.com\",\"name\":\"Ops\"}],\
             \"cc\":[{\"email\":\"a@example.com\"}],\"bcc\":[{\"email\":\"b@example.com\"}],\
             \"custom_args\":{\"notification_id\":\"RE00/0.1/0\"}}],\
             \"from\":{\"email\":\"alerts@example.com\",\"name\":\"Alerts\"},\
             \"reply_to\":{\"email\":\"r@example.com\"},\"subject\":\"Disk full\",\
             \"content\":[{\"type\":\"text/plain\",\"value\":\"sda1 is at 98%\"},\
             {\"type\":\"text/html\",\"value\":\"<p>sda1 is at 98%</p>\"}]}"
                .to_owned(),
        ),
        (
            "salesforce",
            "lead",
            r#"{"LastName":"Rivera","Company":"Example Ltd","Email":"rivera@example.com","Score__c":1.50}"#,
            format!(
                "POST {objects}/Lead\n{json}{{\"LastName\":\"Rivera\",\"Company\":\"Example Ltd\",\
                 \"Email\":\"rivera@example.com\",\"Score__c\":1.50}}"
            ),
        ),
        (
            "salesforce",
            "task",
            r#"{"Subject":"x"}"#,
            format!("POST {objects}/Task\n{json}{{\"Subject\":\"x\"}}"),
        ),
        ("salesforce", "opportunity", "{}", format!("POST {objects}/Opportunity\n{json}{{}}")),
        (
            "salesforce",
            "case",
            r#"{"Origin":"Web"}"#,
            format!("POST {objects}/Case\n{json}{{\"Origin\":\"Web\"}}"),
        ),
        (
            "urban-airship",
            "push",
            r#"{"message":"Order 42 shipped"}"#,
            format!(
                "{airship}{{\"audience\":{{\"named_user\":\"customer-42\"}},\"device_types\":\"all\",\
                 \"notification\":{{\"alert\":\"Order 42 shipped\"}}}}"
            ),
        ),
        (
            "urban-airship",
            "push",
            r#"{"message":"x","tag":"vip","device-types":"ios, android"}"#,
            format!(
                "{airship}{{\"audience\":{{\"tag\":\"vip\"}},\"device_types\":[\"ios\",\"android\"],\
                 \"notification\":{{\"alert\":\"x\"}}}}"
            ),
        ),
        (
            "urban-airship",
            "push",
            r#"{"message":"x","audience":{"or":[{"tag":"a"},{"channel":"b"}]}}"#,
            format!(
                "{airship}{{\"audience\":{{\"or\":[{{\"tag\":\"a\"}},{{\"channel\":\"b\"}}]}},\
                 \"device_types\":\"all\",\"notification\":{{\"alert\":\"x\"}}}}"
            ),
        ),
        (
            "pusher",
            "trigger",
            r#"{"channel":"orders","event":"order-placed","data":{"id":42}}"#,
            "POST https://api-mt1.pusher.com/apps/77/events?auth_key=pk-demo&auth_timestamp=1700000000\
             &auth_version=1.0&body_md5=42bfbcb0dac95bad36dd16802e2befbe\
             &auth_signature=849a29cd70707257bd26165c0071a28b2afe4b1b16dbed2d47b9a901e9b9dac1\n\
             content-type: application/json\n\n\
             {\"name\":\"order-placed\",\"channels\":[\"orders\"],\"data\":\"{\\\"id\\\":42}\"}"
                .to_owned(),
        ),
        (
            "zendesk",
            "ticket",
            r#"{"subject":"Disk full","message":"sda1 is at 98%","priority":"high","tags":"monitoring, disk",
                "requester":"Ops <ops@example.com>"}"#,
            "POST https://example.zendesk.com/api/v2/tickets.json\naccept: application/json\n\
             authorization: Basic YWdlbnRAZXhhbXBsZS5jb20vdG9rZW46emQtdG9rZW4=\n\
             content-type: application/json\nidempotency-key: RE00/0.1/0\n\n\
             {\"ticket\":{\"subject\":\"Disk full\",\"comment\":{\"body\":\"sda1 is at 98%\"},\
             \"priority\":\"high\",\"tags\":[\"monitoring\",\"disk\"],\
             \"requester\":{\"name\":\"Ops\",\"email\":\"ops@example.com\"},\"external_id\":\"RE00/0.1/0\"}}"
                .to_owned(),
        ),
    ];
    for (endpoint, verb, params, want) in &cases {
        let outgoing = outgoing(endpoint, verb, params).unwrap();
        assert_eq!(wire(&outgoing), *want, "{endpoint} {verb}");
        assert!(outgoing.reach == Reach::Operator || *endpoint == "salesforce", "{endpoint}");
        let known = domain::dsl::then::catalogue::find(endpoint, verb);
        assert!(known.is_some(), "the language has no {endpoint} {verb}");
    }
}

#[test]
fn a_webhook_is_signed_as_the_standard_says_and_its_headers_are_bounded() {
    let mut with_headers = integration(Kind::Webhook);
    with_headers.headers.insert("Authorization".into(), "Bearer canary".to_owned().into());
    let body = r#"{"type":"order.placed","timestamp":"2023-11-14T22:13:20Z","data":{"id":42}}"#;
    let mut asked = request("webhook", "post", &format!(r#"{{"body":{body},"headers":{{"X-One":1}}}}"#));
    asked.idempotency_key = "msg_demo1".to_owned();
    let outgoing = with(&with_headers, &asked, |call| webhook::Webhook.request(call)).unwrap();
    assert_eq!(outgoing.reach, Reach::Tenant);
    assert_eq!(
        wire(&outgoing),
        format!(
            "POST https://receiver.example.com/hooks/orders\nauthorization: Bearer canary\n\
             content-type: application/json\nwebhook-id: msg_demo1\n\
             webhook-signature: v1,FfC6MtK/wmCQlGA5aFETx7Tpw0FejfUG7TX5ctKccXs=\n\
             webhook-timestamp: 1700000000\nx-one: 1\n\n{body}"
        )
    );
    // The id of a repeat is the same, and holds no dot.
    let outgoing = outgoing_of("webhook", r#"{"url":"http://a.example/x","body":"just text"}"#).unwrap();
    assert!(
        wire(&outgoing).starts_with("POST http://a.example/x\ncontent-type: text/plain; charset=utf-8\n")
    );
    assert_eq!(outgoing.headers["webhook-id"], "RE00/0-1/0");
    for header in
        ["Host", "content-length", "Transfer-Encoding", "connection", "webhook-signature", "a b", ""]
    {
        let params = format!(r#"{{"body":"x","headers":{{"{header}":"y"}}}}"#);
        assert!(outgoing_of("webhook", &params).is_err(), "{header:?}");
    }
}

#[test]
fn twilio_is_told_where_to_say_what_became_of_a_send_unless_the_program_says_it() {
    let wire = |verb: &str, params: &str| {
        let request = request("twilio", verb, params);
        let integration = integration(Kind::Twilio);
        let (receipts, bases) = (Some("https://h.example/s?send=RE00%2F0"), &Bases::default());
        let now = UNIX_EPOCH;
        let call =
            Call { request: &request, integration: &integration, customer: None, receipts, now, bases };
        (twilio::Twilio.says_where(&request), wire(&twilio::Twilio.request(&call).unwrap()))
    };
    let ours = "&StatusCallback=https%3A%2F%2Fh.example%2Fs%3Fsend%3DRE00%252F0";
    let (says, sms) = wire("sms", r#"{"to-phone-number":"+1","from-phone-number":"+2","message":"x"}"#);
    assert!(says && sms.ends_with(ours), "{sms}");
    let events = "&StatusCallbackEvent=answered&StatusCallbackEvent=completed";
    let (says, call) = wire("call", r#"{"to-phone-number":"+1","from-phone-number":"+2","message":"x"}"#);
    assert!(says && call.ends_with(&format!("{ours}{events}")), "{call}");
    let own =
        r#"{"to-phone-number":"1","from-phone-number":"2","message":"x","status-callback":"http://a.b"}"#;
    let (_, sms) = wire("sms", own);
    assert!(sms.ends_with("&StatusCallback=http%3A%2F%2Fa.b"), "{sms}");
    assert!(!wire("sms-status", r#"{"sid":"SM1"}"#).0, "a question has nothing to come");
}

fn outgoing_of(endpoint: &str, params: &str) -> Result<Outgoing, String> {
    let verb = domain::dsl::then::catalogue::verbs(endpoint).next().unwrap();
    outgoing(endpoint, verb, params)
}

#[test]
fn a_login_is_asked_for_as_salesforce_has_it_and_its_instance_is_held_to_public_addresses() {
    let base = Bases::default().salesforce_login;
    let outgoing = salesforce::login(&base, &integration(Kind::Salesforce)).unwrap();
    assert_eq!(
        wire(&outgoing),
        format!(
            "POST https://login.salesforce.com/services/oauth2/token\naccept: application/json\n\
             content-type: {FORM}\n\n\
             grant_type=password&client_id=CONSUMERKEY&client_secret=CONSUMERSECRET\
             &username=bot%40example.com&password=pa55wordSECTOKEN"
        )
    );
    let request = request("salesforce", "task", "{}");
    let reach = |instance: &str, base: &str| {
        let body = format!(r#"{{"access_token":"t","instance_url":"{instance}"}}"#);
        let session =
            salesforce::session(&Url::parse(base).unwrap(), Position(1), &received(200, &[], &body))?;
        let records = salesforce::Records(session);
        with(&integration(Kind::Salesforce), &request, |call| records.request(call)).map(|out| out.reach)
    };
    assert_eq!(reach("https://x.salesforce.com", "https://login.salesforce.com"), Ok(Reach::Tenant));
    assert_eq!(reach("http://127.0.0.1:8099", "http://127.0.0.1:8099"), Ok(Reach::Operator));
    assert!(reach("file:///etc", "https://login.salesforce.com").is_err());
}

#[test]
fn what_cannot_go_onto_the_wire_is_refused_before() {
    for (endpoint, verb, params, why) in [
        (
            "twilio",
            "sms",
            r#"{"to-phone-number":"+1","message":"x"}"#,
            "the parameter :from-phone-number is missing",
        ),
        ("twilio", "fax", "{}", "twilio has no verb \"fax\""),
        ("twilio", "call-status", r#"{"sid":".."}"#, "the sid \"..\" cannot be part of a path"),
        (
            "sendgrid",
            "email",
            r#"{"to":"a@b","subject":"s","message":"m"}"#,
            "the parameter :from is missing",
        ),
        (
            "sendgrid",
            "email",
            r#"{"to":"a@b\r\nBcc: x@y","from":"a@b","subject":"s","message":"m"}"#,
            "the parameter :to is no mail address",
        ),
        (
            "sendgrid",
            "email",
            r#"{"to":"nobody","from":"a@b","subject":"s","message":"m"}"#,
            "the parameter :to is no mail address",
        ),
        (
            "pusher",
            "trigger",
            r#"{"channel":"a/b","event":"e"}"#,
            "the parameter :channel is no channel's name",
        ),
        (
            "webhook",
            "post",
            r#"{"url":"http://user@example.com","body":"x"}"#,
            "the parameter :url: a URL must not have a user name or password; use the integration's headers",
        ),
        (
            "webhook",
            "post",
            r#"{"body":"x","headers":{"X-A":"b\r\nX-Evil: 1"}}"#,
            "the header x-a cannot hold this value: it has a line end or the like",
        ),
    ] {
        assert_eq!(outgoing(endpoint, verb, params).err().as_deref(), Some(why), "{params}");
    }
    let evil = Integration::of(Kind::Zendesk, &[("subdomain", "evil.com/"), ("email", "a"), ("token", "b")]);
    let asked = request("zendesk", "ticket", r#"{"subject":"s","message":"m"}"#);
    let refused = with(&evil, &asked, |call| zendesk::Zendesk.request(call));
    assert_eq!(refused.err().as_deref(), Some("the integration's subdomain is not valid"));
}

#[test]
fn a_default_comes_from_the_integration() {
    let fields = [("account", ACCOUNT), ("password", "t"), ("from-phone-number", "+99")];
    let asked = request("twilio", "sms", r#"{"to-phone-number":"+1","message":"x"}"#);
    let outgoing = with(&Integration::of(Kind::Twilio, &fields), &asked, |call| twilio::Twilio.request(call));
    assert_eq!(&outgoing.unwrap().body[..], b"To=%2B1&From=%2B99&Body=x");
    let password =
        Integration::of(Kind::Sendgrid, &[("account", "a"), ("password", "SG.p"), ("from", "f@x")]);
    let asked = request("sendgrid", "email", r#"{"to":"a@b","subject":"s","message":"m"}"#);
    let outgoing = with(&password, &asked, |call| sendgrid::Sendgrid.request(call)).unwrap();
    assert_eq!(outgoing.headers["authorization"], "Bearer SG.p");
    assert!(String::from_utf8_lossy(&outgoing.body).contains(r#""from":{"email":"f@x"}"#));
}

fn judged(endpoint: &str, verb: &str, received: &Received) -> Answer {
    judge(provider(endpoint).as_ref(), verb, received, UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

#[test]
fn every_answer_gives_its_response_values() {
    for (endpoint, verb, answer, response, id) in [
        (
            "twilio",
            "sms",
            received(201, &[], r#"{"sid":"SM01","status":"queued","error_code":null}"#),
            r#"{"sid":"SM01","call-id":"SM01","status":"queued"}"#,
            Some("SM01"),
        ),
        (
            "twilio",
            "call-status",
            received(200, &[], r#"{"sid":"CA01","status":"in-progress","duration":null}"#),
            r#"{"call-status":"answered","duration":null}"#,
            None,
        ),
        (
            "twilio",
            "call-status",
            received(200, &[], r#"{"status":"completed","duration":"12"}"#),
            r#"{"call-status":"completed","duration":"12"}"#,
            None,
        ),
        (
            "twilio",
            "sms-status",
            received(200, &[], r#"{"status":"undelivered","error_code":30005}"#),
            r#"{"sms-status":"undelivered","error-code":30005}"#,
            None,
        ),
        (
            "sendgrid",
            "email",
            received(202, &[("x-message-id", "dEmO-A")], ""),
            r#"{"message-id":"dEmO-A"}"#,
            Some("dEmO-A"),
        ),
        (
            "salesforce",
            "lead",
            received(201, &[], r#"{"id":"00Qxx000002AbCdEAK","success":true,"errors":[]}"#),
            r#"{"id":"00Qxx000002AbCdEAK"}"#,
            Some("00Qxx000002AbCdEAK"),
        ),
        (
            "urban-airship",
            "push",
            received(202, &[], r#"{"ok":true,"operation_id":"op","push_ids":["9a4c"],"message_ids":[]}"#),
            r#"{"push-id":"9a4c"}"#,
            Some("9a4c"),
        ),
        ("pusher", "trigger", received(200, &[], "{}"), "{}", None),
        ("pusher", "trigger", received(202, &[], r#"{"ok":true}"#), "{}", None),
        ("webhook", "post", received(204, &[], ""), r#"{"status":204}"#, None),
        (
            "webhook",
            "post",
            received(200, &[], r#"{"status":"mine","a":{"b":1}}"#),
            r#"{"status":200,"a":{"b":1}}"#,
            None,
        ),
        (
            "zendesk",
            "ticket",
            received(201, &[], r#"{"ticket":{"id":35,"status":"new"},"audit":{"id":71}}"#),
            r#"{"id":35}"#,
            Some("35"),
        ),
    ] {
        let Answer::Succeeded(success) = judged(endpoint, verb, &answer) else { panic!("{endpoint} {verb}") };
        let Ok(Json::Object(want)) = parse(response.as_bytes(), Limits::STORED) else { panic!("{response}") };
        assert_eq!(success.response, want, "{endpoint} {verb}");
        assert_eq!((success.message_id.as_deref(), success.status), (id, Some(answer.status)), "{endpoint}");
    }
}

#[test]
fn every_refusal_means_what_its_provider_means_by_it() {
    const NEVER: (bool, bool) = (false, false);
    const AGAIN: (bool, bool) = (true, false);
    const MAYBE_DONE: (bool, bool) = (true, true);
    const DONE: (bool, bool) = (false, true);
    let twilio = |code: u32| format!(r#"{{"code":{code},"message":"no","status":400}}"#);
    let sales = |code: &str| format!(r#"[{{"message":"no","errorCode":"{code}","fields":[]}}]"#);
    for (endpoint, verb, answer, verdict, wait, error) in [
        ("twilio", "sms", received(400, &[], &twilio(21211)), NEVER, None, "answered 400: 21211 no"),
        ("twilio", "sms", received(400, &[], &twilio(21611)), AGAIN, None, "answered 400: 21611 no"),
        ("twilio", "sms", received(429, &[], &twilio(20429)), AGAIN, None, "answered 429: 20429 no"),
        ("twilio", "sms", received(500, &[], ""), MAYBE_DONE, None, "answered 500"),
        ("twilio", "call-status", received(500, &[], ""), AGAIN, None, "answered 500"),
        (
            "twilio",
            "sms",
            received(201, &[], "<xml/>"),
            DONE,
            None,
            "answered 201, but the answer is no JSON object; it is not sent again",
        ),
        (
            "twilio",
            "sms",
            received(201, &[], "{}"),
            DONE,
            None,
            "answered 201, but it names no sid; it is not sent again",
        ),
        (
            "sendgrid",
            "email",
            received(
                400,
                &[],
                r#"{"errors":[{"message":"bad","field":"from","help":null},{"message":"worse"}]}"#,
            ),
            NEVER,
            None,
            "answered 400: from: bad; worse",
        ),
        (
            "sendgrid",
            "email",
            received(429, &[("x-ratelimit-reset", "1700000042")], ""),
            AGAIN,
            Some(42_000),
            "answered 429",
        ),
        ("sendgrid", "email", received(503, &[], ""), MAYBE_DONE, None, "answered 503"),
        (
            "salesforce",
            "lead",
            received(400, &[], &sales("UNABLE_TO_LOCK_ROW")),
            AGAIN,
            None,
            "answered 400: UNABLE_TO_LOCK_ROW no",
        ),
        (
            "salesforce",
            "lead",
            received(403, &[], &sales("REQUEST_LIMIT_EXCEEDED")),
            NEVER,
            None,
            "answered 403: REQUEST_LIMIT_EXCEEDED no",
        ),
        (
            "salesforce",
            "lead",
            received(500, &[], &sales("UNKNOWN_EXCEPTION")),
            MAYBE_DONE,
            None,
            "answered 500: UNKNOWN_EXCEPTION no",
        ),
        (
            "urban-airship",
            "push",
            received(
                400,
                &[],
                r#"{"ok":false,"error":"bad","error_code":40000,"details":{"error":"no such"}}"#,
            ),
            NEVER,
            None,
            "answered 400: 40000 bad no such",
        ),
        (
            "pusher",
            "trigger",
            received(401, &[], "Invalid\r\nsignature"),
            NEVER,
            None,
            "answered 401: Invalid  signature",
        ),
        ("zendesk", "ticket", received(409, &[], ""), AGAIN, None, "answered 409"),
        ("zendesk", "ticket", received(429, &[("retry-after", "3")], ""), AGAIN, Some(3_000), "answered 429"),
        ("zendesk", "ticket", received(500, &[], ""), AGAIN, None, "answered 500"),
        ("zendesk", "ticket", received(503, &[], ""), AGAIN, Some(10_000), "answered 503"),
        (
            "zendesk",
            "ticket",
            received(422, &[], r#"{"error":{"title":"RecordInvalid","message":"m"},"description":"d"}"#),
            NEVER,
            None,
            "answered 422: RecordInvalid: d",
        ),
        ("webhook", "post", received(500, &[], "oops"), AGAIN, None, "answered 500: oops"),
        (
            "webhook",
            "post",
            received(302, &[("location", "http://169.254.169.254/")], ""),
            NEVER,
            None,
            "answered 302",
        ),
        ("webhook", "post", received(410, &[], ""), NEVER, None, "answered 410"),
    ] {
        let Answer::Failed(failure) = judged(endpoint, verb, &answer) else { panic!("{endpoint} {error}") };
        assert_eq!((failure.retryable, failure.ambiguous), verdict, "{endpoint} {error}");
        assert_eq!((failure.retry_after_ms, failure.error.as_str()), (wait, error), "{endpoint}");
    }
}

#[test]
fn an_answer_that_repeats_a_secret_is_recorded_without_it() {
    let integration = integration(Kind::Twilio);
    let asked = request("twilio", "call-status", r#"{"sid":"CA01"}"#);
    let outgoing = with(&integration, &asked, |call| twilio::Twilio.request(call)).unwrap();
    let basic = outgoing.headers["authorization"].to_str().unwrap().to_owned();
    let scrub = Scrub::new(&integration, &outgoing);
    let mut response = Object::new();
    response.set("a", Json::object([("demo-auth-token", Json::from(vec![basic.clone().into()]))]));
    let success = Success { response, message_id: Some("x-demo-auth-token".into()), ..Success::default() };
    let clean = format!("{:?}", scrub.answer(Answer::Succeeded(success)));
    assert!(
        !clean.contains("demo-auth-token") && !clean.contains(basic.trim_start_matches("Basic ")),
        "{clean}"
    );
    let failure = Failure { error: format!("no: {basic}"), ..Failure::default() };
    let Answer::Failed(failure) = scrub.answer(Answer::Failed(failure)) else { panic!() };
    assert_eq!(failure.error, "no: Basic ********");
    assert_eq!(outgoing.method, Method::GET);
}

//! Every example of a request in the owner's documents 000 to 004, sent as it stands there but for host, tenant and
//! token: a table with the document's number and the line of each.
//!
//! An example that is no JSON is refused with the place; the row after it sends what was meant.

use serde_json::{Value, json};
use system_tests::harness::{ADMIN, Answer, Request, Server, Tenant, wait_for};

use crate::listeners::Datasift;

/// An example: where it stands, method, path below the host (`{T}` for the tenant), body, status, and what the answer
/// holds among other things (of a refusal: what its error says).
type Example = (&'static str, &'static str, &'static str, &'static str, u16, &'static str);

const EXAMPLES: &[Example] = &[
    ("000:69", "GET", "/1.0/tenants/{T}", "", 200, r#"{"id":"{T}","name":"Tenant {T}"}"#),
    ("000:124", "GET", "/1.0/tenants/{T}/key-attribute", "", 200, r#"{"key":"id"}"#),
    (
        "000:160",
        "POST",
        "/1.0/tenants/{T}/key-attribute",
        r#"{"key" : "username"}"#,
        200,
        r#"{"key":"username"}"#,
    ),
    (
        "000:231",
        "POST",
        "/1.0/tenants/{T}/patterns",
        r#"{"then":"(send echo message {:message \"Hello curl\"})",
          "when":"(event (= type \"curl\"))","status":true,"name":"curl Pattern"}"#,
        201,
        r#"{"id":"PT6","status":true,"name":"curl Pattern","when":"(event (= type \"curl\"))"}"#,
    ),
    ("000:275", "GET", "/tenants/{T}/patterns/PT2", "", 200, r#"{"id":"PT2","name":"Sample Pattern"}"#),
    (
        "000:320",
        "PUT",
        "/1.0/tenants/{T}/patterns/PT5",
        r#"{"then" : "(send sendgrid email {:to *email*, :subject \"Welcome to a wonderful put experience\"})"}"#,
        200,
        r#"{"id":"PT5","name":"Sample Pattern","status":true,
            "then":"(send sendgrid email {:to *email*, :subject \"Welcome to a wonderful put experience\"})"}"#,
    ),
    ("000:361", "DELETE", "/1.0/tenants/{T}/patterns/PT1", "", 204, ""),
    ("000:389", "GET", "/tenants/{T}/patterns", "", 200, r#"[{"id":"PT2"}]"#),
    // Without the brace that closes it, as it stands; then with it.
    (
        "000:463",
        "POST",
        "/1.0/tenants/{T}/templates",
        r#"{"name": "My Template", "template": "Hello {{FirstName}}!""#,
        400,
        "line 1, column 59",
    ),
    (
        "000:463 mended",
        "POST",
        "/1.0/tenants/{T}/templates",
        r#"{"name": "My Template", "template": "Hello {{FirstName}}!"}"#,
        201,
        r#"{"id":"TM3","name":"My Template","template":"Hello {{FirstName}}!"}"#,
    ),
    ("000:502", "GET", "/tenants/{T}/templates/TM2", "", 200, r#"{"id":"TM2","name":"SMS"}"#),
    (
        "000:543",
        "PUT",
        "/1.0/tenants/{T}/templates/TM1",
        r#"{"name":"Test Template"}"#,
        200,
        r#"{"id":"TM1","name":"Test Template","description":"Default SMS message"}"#,
    ),
    ("000:583", "DELETE", "/1.0/tenants/{T}/templates/TM1", "", 204, ""),
    ("000:610", "GET", "/tenants/{T}/templates", "", 200, r#"[{"id":"TM2"}]"#),
    (
        "000:1007",
        "POST",
        "/1.0/tenants/{T}/integrations/salesforce",
        r#"{"id": "salesforce", "type": "salesforce", "consumer-key": "consumerkey",
          "consumer-secret":"consumersecret","username":"email@userevents.com",
          "secret-token":"secret-token","password":"password"}"#,
        200,
        r#"{"id":"salesforce","type":"salesforce","consumer-key":"consumerkey","consumer-secret":"consumersecret",
            "username":"email@userevents.com","secret-token":"secret-token","password":"password"}"#,
    ),
    ("000:1055", "POST", "/1.0/tenants/{T}/integrations/twilio", TWILIO, 200, TWILIO_SHOWN),
    ("000:1097", "POST", "/1.0/tenants/{T}/integrations/sendgrid", SENDGRID, 200, SENDGRID_SHOWN),
    (
        "000:1139",
        "POST",
        "/1.0/tenants/{T}/integrations/urban-airship",
        r#"{"id": "urban-airship", "type": "urban-airship",
          "username": "app key", "password":"app master key"}"#,
        200,
        r#"{"id":"urban-airship","username":"app key","password":"app master key"}"#,
    ),
    ("000:1182", "POST", "/1.0/tenants/{T}/integrations/datasift", DATASIFT, 200, DATASIFT_SHOWN),
    (
        "000:1224",
        "POST",
        "/1.0/tenants/{T}/integrations/pusher",
        r#"{"id": "pusher", "type": "pusher", "key": "key", "secret":"password"}"#,
        200,
        r#"{"id":"pusher","key":"key","secret":"password"}"#,
    ),
    (
        "000:693",
        "POST",
        "/1.0/tenants/{T}/listeners",
        r#"{"name": "Demo Datasift",
          "type": "datasift",
          "status": true,
          "options": { "hash": "xxxxxxxxxxxxxx" },
          "mapping": { "username": "interaction.author.username",
                       "sentiment": "salience.content.sentiment",
                       "id": "twitter.user.screen_name" }}"#,
        201,
        r#"{"id":"LI3","name":"Demo Datasift","type":"datasift","status":true,"options":{"hash":"xxxxxxxxxxxxxx"},
            "mapping":{"username":"interaction.author.username","sentiment":"salience.content.sentiment",
            "id":"twitter.user.screen_name"}}"#,
    ),
    (
        "000:747",
        "GET",
        "/tenants/{T}/listeners/LI2",
        "",
        200,
        r#"{"id":"LI2","name":"My Salesforce Listener","status":true,"type":"salesforce",
            "options":{"version":"26.0","topic":"CxDemo_0720v2"},
            "mapping":{"user":"user__c","type":"Type","stage":"StageName","amount":"Amount",
            "daystoclose":"daysToClose__c","product":"Product__c"}}"#,
    ),
    (
        "000:802",
        "PUT",
        "/1.0/tenants/{T}/listeners/LI1",
        r#"{"options": {"hash": "yyyyyyyyyy"}}"#,
        200,
        r#"{"id":"LI1","name":"Demo Datasift","type":"datasift","status":true,"options":{"hash":"yyyyyyyyyy"},
            "mapping":{"username":"interaction.author.username","sentiment":"salience.content.sentiment",
            "id":"twitter.user.screen_name"}}"#,
    ),
    (
        "000:877",
        "GET",
        "/tenants/{T}/listeners",
        "",
        200,
        r#"[{"id":"LI1","options":{"hash":"yyyyyyyyyy"}},{"id":"LI2","name":"My Salesforce Listener"}]"#,
    ),
    // As soon as it is connected, which the request does not wait for.
    (
        "000:944",
        "GET",
        "/1.0/tenants/{T}/listeners/LI1/status",
        "",
        200,
        r#"{"status":"started","message":"Connected to stream: yyyyyyyyyy"}"#,
    ),
    ("000:850", "DELETE", "/1.0/tenants/{T}/listeners/LI1", "", 204, ""),
    (
        "000:1265",
        "GET",
        "/tenants/{T}/integrations/salesforce",
        "",
        200,
        r#"{"id":"salesforce","type":"salesforce"}"#,
    ),
    ("000:1306", "GET", "/tenants/{T}/integrations", "", 200, r#"[{"id":"salesforce"}]"#),
    (
        "000:1380",
        "POST",
        "/1.0/tenants/{T}/augment",
        r#"{"service": "engine", "name": "Augment API", "type": "api",
          "description": "REST API", "augment-service": "engine",
          "options": { "url": "hostname", "attributes": ["customerSegment"]}}"#,
        201,
        r#"{"id":"AU1","service":"engine","name":"Augment API","description":"REST API","augment-service":"engine",
            "type":"api","options":{"url":"hostname","attributes":["customerSegment"]}}"#,
    ),
    (
        "000:1433",
        "POST",
        "/1.0/tenants/{T}/augment",
        r#"{"service": "engine", "name": "File Augment",
          "description": "CSV File", "type": "file"}"#,
        201,
        r#"{"id":"AU2","name":"File Augment","description":"CSV File","type":"file","service":"engine"}"#,
    ),
    ("000:1475", "GET", "/tenants/{T}/augments/AU2", "", 200, r#"{"id":"AU2","type":"file"}"#),
    (
        "000:1518",
        "PUT",
        "/1.0/tenants/{T}/augments/AU1",
        r#"{"name": "My Augment"}"#,
        200,
        r#"{"id":"AU1","service":"engine","name":"My Augment","description":"REST API","augment-service":"engine",
            "type":"api","options":{"url":"hostname","attributes":["customerSegment"]}}"#,
    ),
    ("000:1566", "DELETE", "/1.0/tenants/{T}/augments/AU1", "", 204, ""),
    ("000:1593", "GET", "/tenants/{T}/augments", "", 200, r#"[{"id":"AU2","name":"File Augment"}]"#),
    ("000:1685", "POST", "/1.0/tenants/{T}/augments/AU2/file", USERS, 201, r#"{"id":"AU2","rows":3}"#),
    ("000:1648", "GET", "/tenants/{T}/augments/AU2/file", "", 200, ""),
    ("000:1713", "DELETE", "/1.0/tenants/{T}/augments/AU2/file", "", 204, ""),
    ("001:870", "GET", "/tenants/{T}", "", 200, r#"{"id":"{T}"}"#),
    ("001:881 before", "POST", "/1.0/tenants/{T}/key-attribute", r#"{"key":"key"}"#, 200, r#"{"key":"key"}"#),
    (
        "001:881",
        "POST",
        "/tenants/{T}/event",
        "{\"key\" : \"1\", \"type\" : \"echoo\"}\n",
        201,
        r#"{"event":{"key":"1","type":"echoo"},"key-attr":"1"}"#,
    ),
    // The guide's event has a comma too many.
    (
        "001:34",
        "POST",
        "/tenants/{T}/event",
        "{\n  \"user\" : \"3458676\",\n  \"calAction\" : \"AbandonedCall\",\n\n}",
        400,
        "line 5",
    ),
    ("002:26", "POST", "/1.0/tenants/{T}/salesforce", SALESFORCE, 200, SALESFORCE_SHOWN),
    ("002:68", "POST", "/1.0/tenants/{T}/integrations/salesforce", SALESFORCE_TORN, 400, "line 2, column 1"),
    ("002:68 mended", "POST", "/1.0/tenants/{T}/integrations/salesforce", SALESFORCE, 200, SALESFORCE_SHOWN),
    ("002:81", "POST", "/1.0/tenants/{T}/twilio", TWILIO_BARE, 200, TWILIO_SHOWN),
    ("002:116", "POST", "/1.0/tenants/{T}/integrations/twilio", TWILIO, 200, TWILIO_SHOWN),
    ("002:132", "POST", "/1.0/tenants/{T}/sendgrid", SENDGRID_BARE, 200, SENDGRID_SHOWN),
    ("002:162", "POST", "/1.0/tenants/{T}/integrations/sendgrid", SENDGRID, 200, SENDGRID_SHOWN),
    ("002:179", "POST", "/1.0/tenants/{T}/datasift", DATASIFT_BARE, 200, DATASIFT_SHOWN),
    ("002:209", "POST", "/1.0/tenants/{T}/integrations/datasift", DATASIFT, 200, DATASIFT_SHOWN),
    (
        "003:18",
        "POST",
        "/v1/tenants/{T}/integrations/",
        "{\n\t\"attribute\": {\n            \"type\": \"<type>\",\n            \"name\": \"<name>\",\n            \
         \"active\": \"true\",\n            \"properties\": {\n\t\t\t\"\":\"\"\n\t\t\t\"\":\"\"\t\t\t\n\t\t     \
         }\n\t\t\t\"active\":false\n}",
        400,
        "line 8",
    ),
    (
        "003:18 mended",
        "POST",
        "/v1/tenants/{T}/integrations/",
        r#"{"attribute": {"type": "Zendesk", "name": "help", "active": "true",
            "properties": {"subdomain": "acme", "email": "a@example.com", "token": "t"}}}"#,
        201,
        r#"{"result":{"type":"zendesk","name":"help","active":true}}"#,
    ),
    ("004:28", "POST", "/tenants/{T}/integrations/salesforce", SALESFORCE, 200, SALESFORCE_SHOWN),
    ("004:64", "POST", "/tenants/{T}/integrations/salesforce", SALESFORCE_TORN, 400, "line 2, column 1"),
    (
        "004:64 mended",
        "POST",
        "/tenants/{T}/integrations/salesforce",
        r#"{"id": "salesforce", "type": "salesforce", "consumer-key": "consumerkey",
            "consumer-secret":"consumersecret","username":"dev@userevents.com",
            "secret-token":"secret-token","password":"password","instance":"instance-id"}"#,
        200,
        r#"{"id":"salesforce","instance":"instance-id"}"#,
    ),
    ("004:77", "POST", "/tenants/{T}/integrations/twilio", TWILIO_BARE, 200, TWILIO_SHOWN),
    ("004:104", "POST", "/tenants/{T}/integrations/twilio", TWILIO, 200, TWILIO_SHOWN),
    ("004:116", "POST", "/tenants/{T}/integrations/sendgrid", SENDGRID_BARE, 200, SENDGRID_SHOWN),
    ("004:143", "POST", "/tenants/{T}/integrations/sendgrid", SENDGRID, 200, SENDGRID_SHOWN),
    ("004:155", "POST", "/tenants/{T}/integrations/datasift", DATASIFT_BARE, 200, DATASIFT_SHOWN),
    ("004:182", "POST", "/tenants/{T}/integrations/datasift", DATASIFT, 200, DATASIFT_SHOWN),
];

const TWILIO: &str = r#"{"id": "twilio", "type": "twilio", "account": "SID", "password":"Token"}"#;
const TWILIO_BARE: &str = r#"{
    "id": "twilio",
    "account": "SID",
    "password": "Token"
}"#;
const TWILIO_SHOWN: &str = r#"{"id":"twilio","account":"SID","password":"Token"}"#;
const SENDGRID: &str =
    r#"{"id": "sendgrid", "type": "sendgrid", "account": "username", "password":"password"}"#;
const SENDGRID_BARE: &str = r#"{
    "id": "sendgrid",
    "account": "username",
    "password": "password"
}"#;
const SENDGRID_SHOWN: &str = r#"{"id":"sendgrid","account":"username","password":"password"}"#;
const DATASIFT: &str =
    r#"{"id": "datasift", "type": "datasift", "api-key": "api-key", "username":"username"}"#;
const DATASIFT_BARE: &str = r#"{
    "id": "datasift",
    "api-key": "api-key",
    "username": "username"
}"#;
const DATASIFT_SHOWN: &str = r#"{"id":"datasift","api-key":"api-key","username":"username"}"#;
const SALESFORCE: &str = r#" {
        "id": "salesforce",
        "type": "salesforce",
        "consumer-key": "consumerkey",
        "consumer-secret": "consumersecret",
        "username": "dev@userevents.com",
        "secret-token": "secret-token",
        "password": "password"
    }"#;
const SALESFORCE_SHOWN: &str = r#"{"id":"salesforce","type":"salesforce","consumer-key":"consumerkey",
    "consumer-secret":"consumersecret","username":"dev@userevents.com","secret-token":"secret-token","password":"password"}"#;
/// A comma is missing where the line breaks.
const SALESFORCE_TORN: &str = r#"{"id": "salesforce", "type": "salesforce", "consumer-key": "consumerkey", "consumer-secret":"consumersecret","username":"email@userevents.com"
"secret-token":"secret-token","password":"password"}"#;
/// The guide's file, as `curl -F` sends it.
const USERS: &str = "custId,first-name\n101,Ryan\n201,John\n123,Bob\n";

/// A tenant that has what the examples speak of.
fn furnished(server: &Server) -> Tenant {
    let tenant = server.tenant("tenant1");
    let when = r#"(when (event (= "id" "1234")))"#;
    let then = r#"(seq (send echo message {:message "Hello world"}))"#;
    for _ in 0..5 {
        let body = json!({"name": "Sample Pattern", "status": true, "when": when, "then": then});
        tenant.post("patterns", &body).expect(201);
    }
    for _ in 0..2 {
        let body =
            json!({"name": "SMS", "description": "Default SMS message", "template": "Hi {{FirstName}}"});
        tenant.post("templates", &body).expect(201);
    }
    let datasift = json!({"name": "Demo Datasift", "type": "datasift", "status": true,
        "options": {"hash": "xxxxxxxxxxxxxx"}, "mapping": {"username": "interaction.author.username",
        "sentiment": "salience.content.sentiment", "id": "twitter.user.screen_name"}});
    tenant.post("listeners", &datasift).expect(201);
    let salesforce = json!({"name": "My Salesforce Listener", "status": true, "type": "salesforce",
        "options": {"version": "26.0", "topic": "CxDemo_0720v2"}, "mapping": {"user": "user__c", "type": "Type",
        "stage": "StageName", "amount": "Amount", "daystoclose": "daysToClose__c", "product": "Product__c"}});
    tenant.post("listeners", &salesforce).expect(201);
    tenant
}

/// Whether an answer is the documented one.
fn is_good(answer: &Answer, status: u16, wanted: &str) -> bool {
    answer.status == status
        && match status {
            400.. => answer.error().contains(wanted),
            _ if wanted.is_empty() => true,
            _ => holds(&answer.json(), &serde_json::from_str(wanted).expect("the table is JSON")),
        }
}

/// Whether `answer` has all that `wanted` has: of a list, whether its first entries do.
fn holds(answer: &Value, wanted: &Value) -> bool {
    match (answer, wanted) {
        (Value::Object(answer), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| answer.get(name).is_some_and(|found| holds(found, wanted)))
        }
        (Value::Array(answer), Value::Array(wanted)) => {
            answer.len() >= wanted.len()
                && wanted.iter().zip(answer).all(|(wanted, found)| holds(found, wanted))
        }
        _ => answer == wanted,
    }
}

#[test]
fn every_example_of_a_request_gets_its_documented_answer() {
    let datasift = Datasift::start();
    let third_parties = format!("http://127.0.0.1:{}", datasift.port);
    let server = Server::start_with(&["--datasift-url", &third_parties]);
    let tenant = furnished(&server);
    let mut wrong = Vec::new();
    for (place, method, path, body, status, wanted) in EXAMPLES {
        let mut request = Request::new(method, &path.replace("{T}", &tenant.id));
        if *body == USERS {
            let form = format!(
                "--------------------------4ebf00fbcf09\r\nContent-Disposition: form-data; name=\"file\"; \
                 filename=\"users.csv\"\r\nContent-Type: text/csv\r\n\r\n{body}\r\n\
                 --------------------------4ebf00fbcf09--\r\n"
            );
            let media = "multipart/form-data; boundary=------------------------4ebf00fbcf09";
            request = request.body(media, form);
        } else if !body.is_empty() {
            request = request.body("application/json; charset=utf-8", *body);
        }
        let wanted = wanted.replace("{T}", &tenant.id);
        let mut answer = tenant.client.send(&request);
        if path.ends_with("/status") {
            answer = wait_for(place, || {
                let answer = tenant.client.send(&request);
                is_good(&answer, *status, &wanted).then_some(answer)
            });
        }
        let good = is_good(&answer, *status, &wanted);
        if !good {
            wrong.push(format!("{place}: {} {}", answer.status, answer.body));
        }
        if path.ends_with("/file") && *method == "GET" {
            assert_eq!(
                (answer.header("content-type"), answer.body.as_str()),
                ("text/csv; charset=utf-8", USERS)
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_token_is_got_as_documented_and_the_mistyped_grant_is_told_the_right_word() {
    let server = Server::start();
    let ask = |form: &str| {
        let (name, value) = ("authorization", basic(ADMIN.0, ADMIN.1));
        let request = Request::new("POST", "/token").body("application/x-www-form-urlencoded", form);
        server.anonymous().send(&request.header(name, &value))
    };
    // 001:848
    let refused = ask("grant_type=client_credential").expect(400);
    assert_eq!(refused["error"], "unsupported_grant_type");
    assert!(refused["error_description"].as_str().unwrap().contains("client_credentials"), "{refused}");
    // 001:855
    let answer = ask("grant_type=client_credentials").expect(200);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("bearer"), &json!(3600)));
    assert!(answer["access_token"].as_str().is_some_and(|token| token.len() > 20));
}

fn basic(id: &str, secret: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("{id}:{secret}");
    let mut encoded = String::from("Basic ");
    for bytes in text.as_bytes().chunks(3) {
        let group =
            bytes.iter().chain([&0; 2]).take(3).fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        for n in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * n) & 63) as usize];
            encoded.push(if n <= bytes.len() { char::from(digit) } else { '=' });
        }
    }
    encoded
}

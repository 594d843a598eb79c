//! The walls between tenants, asked of the whole server: each path of its description, under another tenant's name. The
//! full matrix is the edge's own (`api/src/http/tests/isolation.rs`).

use serde_json::{Value, json};
use system_tests::harness::{Request, Server};

use crate::tell;

/// The ways to ask; the last ones change something.
const VERBS: [&str; 4] = ["get", "post", "put", "delete"];

/// What a client of one tenant gets on all paths of another: those that are answered otherwise than under the name of
/// a tenant that is not there.
fn let_in(orders: &str) -> (usize, Vec<String>) {
    let mut server = Server::with_faults(None);
    server.try_run(&[], orders).expect("it starts");
    let (acme, other) = (server.tenant("acme"), server.tenant("other"));
    other.pattern(r#"(event (= type "A"))"#, "(set x 1)");
    other.post("templates", &json!({"name": "T", "template": "canary"})).expect(201);
    other.event(json!({"id": "c", "type": "A"}));
    other.wait_reactions("c", 1);
    let described = server.anonymous().get("/openapi.json").expect(200);
    let (mut cells, mut open) = (0, Vec::new());
    for verb in VERBS {
        for (path, verbs) in described["paths"].as_object().expect("paths") {
            // What a provider says about a send carries no token: its signature lets it in.
            let is_closed = path.contains("{tid}") && !path.contains("/receipts/");
            if !is_closed || verbs[verb] == Value::Null {
                continue;
            }
            let ask = |tenant: &str| {
                let path = path.replace("{tid}", tenant).replace("{key}", "c").replace("{type}", "webhook");
                let path = path.replace("{id}", if path.contains("templates") { "TM1" } else { "PT1" });
                let request = Request::new(&verb.to_uppercase(), &path.replace("{ticket}", "none"));
                let request = if verb == "get" { request } else { request.json(&json!({"name": "mine"})) };
                acme.client.try_send(&request).expect("an answer")
            };
            let (theirs, nobodys) = (ask("other"), ask("nobody"));
            cells += 1;
            if (theirs.status, &theirs.body) != (nobodys.status, &nobodys.body) || theirs.status != 403 {
                open.push(format!("{verb} {path}: {} {}", theirs.status, theirs.body));
            }
        }
    }
    (cells, open)
}

#[test]
fn no_path_of_the_server_lets_another_tenant_in_and_one_that_did_is_seen() {
    let (cells, open) = let_in("");
    assert!(cells > 40, "{cells} cells");
    assert_eq!(open, Vec::<String>::new());
    let (_, open) = let_in("break:no-tenant-check");
    assert!(open.iter().any(|cell| cell.contains("200 ") && cell.contains("canary")), "not seen: {open:?}");
    tell(&format!("{cells} paths of another tenant are closed; without the check {} are open", open.len()));
}

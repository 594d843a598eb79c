//! Configuration as code through the real binary: out into files, compared, and in again, all of it or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use system_tests::harness::{ADMIN, Request, Server, Tenant, command, wait_for};

/// The secrets, as variables of the environment.
const SECRETS: &[(&str, &str)] = &[
    ("TWILIO_PASSWORD", "canary-token"),
    ("WEBHOOK_SECRET", "canary-secret"),
    ("WEBHOOK_HEADER_X_KEY", "canary-header"),
];

/// What a command ended with.
struct Ran {
    code: Option<i32>,
    out: String,
    said: String,
}

fn run(mut command: Command) -> Ran {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), said: text(output.stderr) }
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.said);
        self
    }
}

/// A folder of files, and the tenant that they are of.
struct Desk<'a> {
    server: &'a Server,
    tenant: Tenant,
    client: (String, String),
}

impl<'a> Desk<'a> {
    fn new(server: &'a Server, id: &str) -> Self {
        let admin = server.admin();
        admin.post("/1.0/tenants", &json!({"id": id, "name": id})).expect(201);
        let client = admin.new_client(id, None);
        let tenant = Tenant { id: id.to_owned(), client: admin.with_token_of(&client.0, &client.1) };
        Self { server, tenant, client }
    }

    /// A command that reads the store, about a folder.
    fn reading(&self, name: &str, option: &str, folder: &Path) -> Command {
        let mut command = self.server.command(&[name, "--tenant", &self.tenant.id]);
        command.arg(option).arg(folder);
        command
    }

    fn export(&self, to: &Path) -> Ran {
        run(self.reading("export", "--to", to))
    }

    fn diff(&self, from: &Path, further: &[&str], secrets: bool) -> Ran {
        let mut command = self.reading("diff", "--from", from);
        command.args(further);
        if secrets {
            command.envs(SECRETS.iter().copied());
        }
        run(command)
    }

    fn apply(&self, from: &Path, secrets: bool) -> Ran {
        self.apply_as(&self.client, from, secrets)
    }

    fn apply_as(&self, (id, secret): &(String, String), from: &Path, secrets: bool) -> Ran {
        let mut command =
            command(&["apply", "--tenant", &self.tenant.id, "--url", self.server.base(), "--from"]);
        command.arg(from).env("CXENGAGE_CLIENT_ID", id).env("CXENGAGE_CLIENT_SECRET", secret);
        if secrets {
            command.envs(SECRETS.iter().copied());
        }
        run(command)
    }
}

/// A tenant that has something of everything: names that are taken twice, ids that have gaps, references.
fn furnish(tenant: &Tenant) {
    tenant.post("key-attribute", &json!({"key": "customer"})).expect(200);
    for (name, text) in
        [("Gone", "gone"), ("Footer", "Bye,\n  {{name}}\n"), ("Welcome mail", "Hi\n{{> TM2}}{{! TM2 }}")]
    {
        tenant.post("templates", &json!({"name": name, "template": text})).expect(201);
    }
    tenant.delete("templates/TM1").expect(204);
    let then = "(send echo message {:message \"+TM3\"}\n  (template {:message +TM3})) ; as +TM3 says";
    for n in 0..3 {
        let when = format!("(event (= n {n}))");
        tenant
            .post(
                "patterns",
                &json!({"name": "Cart", "description": "d", "status": n < 2, "when": when, "then": then}),
            )
            .expect(201);
    }
    tenant.post("patterns", &json!({"name": "Draft: \u{e9}t\u{e9}", "when": "(unfinished +TM9"})).expect(201);
    for (name, kind) in [("Zones", "file"), ("Api", "api")] {
        let mut body = json!({"name": name, "type": kind, "service": "engine"});
        if kind == "api" {
            body["options"] = json!({"url": "https://api.invalid/a", "attributes": ["mood"]});
        }
        tenant.post("augments", &body).expect(201);
    }
    upload(tenant, "AU1", "zone,place\r\n1,\"a\nb\"\r\n");
    tenant
        .post("listeners", &json!({"name": "Orders", "type": "pusher", "options": {"channel": "o"}, "mapping": {"id": "a.b"}}))
        .expect(201);
    tenant.post("integrations/twilio", &json!({"account": "SID", "password": "canary-token"})).expect(200);
    let webhook = json!({"url": "https://example.com/hook", "secret": "canary-secret",
        "headers": {"X-Key": "canary-header"}, "on-ambiguous": "hold"});
    tenant.post("integrations/webhook", &webhook).expect(200);
}

fn upload(tenant: &Tenant, id: &str, csv: &str) {
    let path = tenant.path(&format!("augments/{id}/file"));
    tenant.client.send(&Request::new("POST", &path).body("text/csv", csv)).expect(201);
}

/// All files of a folder, by their names.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("read"));
            }
        }
    }
    files
}

/// What the API shows of a tenant, ids and all.
fn shown(tenant: &Tenant) -> Vec<Value> {
    let mut lists = ["key-attribute", "templates", "patterns", "augments", "listeners", "integrations"]
        .map(|list| tenant.get(list).json())
        .to_vec();
    let augments = tenant.get("augments").json();
    for augment in augments.as_array().expect("a list") {
        let id = augment["id"].as_str().expect("an id");
        lists.push(json!(tenant.get(&format!("augments/{id}/file")).body));
    }
    lists
}

/// How many changes there have been.
fn changes_so_far(tenant: &Tenant) -> usize {
    tenant.pages("audit").len()
}

#[test]
fn what_is_exported_and_applied_to_an_empty_tenant_exports_the_same_files() {
    let server = Server::start();
    let acme = Desk::new(&server, "acme");
    furnish(&acme.tenant);
    let (first, second) = (server.scratch("first"), server.scratch("second"));
    acme.export(&first).expect(0);
    let exported = files(&first);
    let text = |name: &str| String::from_utf8(exported[name].clone()).expect("UTF-8");
    let names: Vec<&str> = exported.keys().map(String::as_str).collect();
    let want = [
        "augments/api.json",
        "augments/zones.csv",
        "augments/zones.json",
        "configuration.json",
        "integrations/twilio.json",
        "integrations/webhook.json",
        "listeners/orders.json",
        "patterns/cart-2.json",
        "patterns/cart-2.then",
        "patterns/cart-2.when",
        "patterns/cart-3.json",
        "patterns/cart-3.then",
        "patterns/cart-3.when",
        "patterns/cart.json",
        "patterns/cart.then",
        "patterns/cart.when",
        "patterns/draft-\u{e9}t\u{e9}.json",
        "patterns/draft-\u{e9}t\u{e9}.when",
        "templates/footer.json",
        "templates/footer.mustache",
        "templates/welcome-mail.json",
        "templates/welcome-mail.mustache",
    ];
    assert_eq!(names, want);
    let then =
        "(send echo message {:message \"+TM3\"}\n  (template {:message +welcome-mail})) ; as +TM3 says\n";
    assert_eq!(text("patterns/cart.then"), then);
    assert_eq!(text("templates/welcome-mail.mustache"), "Hi\n{{> footer}}{{! TM2 }}\n");
    assert_eq!(text("augments/zones.csv"), "zone,place\r\n1,\"a\nb\"\r\n");
    assert!(!exported.values().any(|bytes| String::from_utf8_lossy(bytes).contains("canary")), "a secret");
    let before = changes_so_far(&acme.tenant);
    for secrets in [true, false] {
        let same = acme.diff(&first, &["--exit-code"], secrets).expect(0);
        assert_eq!((same.out.as_str(), same.said.trim()), ("", "nothing would change"));
        assert_eq!(acme.apply(&first, secrets).expect(0).said.trim(), "nothing to do");
    }
    assert_eq!(changes_so_far(&acme.tenant), before);

    let other = Desk::new(&server, "other");
    let untouched = changes_so_far(&other.tenant);
    let refused = other.apply(&first, false).expect(1);
    for says in ["twilio.json: password", "TWILIO_PASSWORD is not set", "WEBHOOK_HEADER_X_KEY is not set"] {
        assert!(refused.said.contains(says), "{says}: {}", refused.said);
    }
    assert_eq!(changes_so_far(&other.tenant), untouched);
    let applied = other.apply(&first, true).expect(0);
    assert!(applied.out.contains("created pattern cart-3 PT3\n"), "{}", applied.out);
    assert_eq!(applied.said.trim(), "12 changes");
    other.export(&second).expect(0);
    assert_eq!(files(&second), exported);
    assert_eq!(other.apply(&second, true).expect(0).said.trim(), "nothing to do");
    let pattern = other.tenant.get("patterns/PT1").expect(200);
    assert!(pattern["then"].as_str().expect("a text").contains("(template {:message +TM2})"), "{pattern}");
    let twilio = other.tenant.get("integrations/twilio").expect(200);
    assert_eq!(twilio["password"], "canary-token");
    let hook = other.tenant.get("integrations/webhook").expect(200);
    assert_eq!((&hook["headers"]["X-Key"], &hook["on-ambiguous"]), (&json!("canary-header"), &json!("hold")));

    // It works: the template of the other tenant, by its name.
    other.tenant.event(json!({"customer": "ann", "n": 1, "name": "Ann", "zone": 1}));
    let send = wait_for("the send", || {
        other.tenant.entries("ann", "send").pop().filter(|s| s["state"] == "succeeded")
    });
    assert_eq!(send["response"]["message"], "Hi\nBye,\n  Ann\n");
    assert_eq!(
        other.tenant.entries("ann", "event")[0]["augmented"]["AU1"]["added"],
        json!({"place": "a\nb"})
    );
}

#[test]
fn a_diff_shows_what_an_apply_then_does_and_what_is_not_in_the_files_is_deleted() {
    let server = Server::start();
    let acme = Desk::new(&server, "acme");
    furnish(&acme.tenant);
    let root = server.scratch("files");
    acme.export(&root).expect(0);
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("written");
    let remove = |name: &str| std::fs::remove_file(root.join(name)).expect("removed");
    write("configuration.json", r#"{"format": 1, "key-attribute": "who"}"#);
    write("patterns/cart.then", "(send echo message {:message \"new\"})");
    write("templates/news.json", r#"{"name": "News"}"#);
    write("templates/news.mustache", "extra {{> footer}}");
    write("augments/zones.csv", "zone,name\n1,c\n");
    ["json", "when", "then"].iter().for_each(|ending| remove(&format!("patterns/cart-3.{ending}")));
    remove("integrations/twilio.json");
    remove("listeners/orders.json");
    let want = [
        "key-attribute would be updated",
        "integration twilio would be deleted",
        "template news (TM4) would be created",
        "augment zones (AU1) would be updated",
        "pattern cart-3 (PT3) would be deleted",
        "pattern cart (PT1) would be updated",
        "listener orders (LI1) would be deleted",
    ];
    let before = shown(&acme.tenant);
    let differs = acme.diff(&root, &["--exit-code"], false).expect(1);
    let lines: Vec<&str> = differs.out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(lines, want, "{}", differs.said);
    assert!(differs.out.contains("      + (send echo message {:message \"new\"})\n"), "{}", differs.out);
    let lines = acme.diff(&root, &["--json"], false).expect(0).out;
    let change: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(change["fields"]["key"], json!({"before": "customer", "after": "who"}));
    assert_eq!(shown(&acme.tenant), before, "a diff changes nothing");

    let applied = acme.apply(&root, false).expect(0);
    let want = [
        "updated key-attribute",
        "deleted integration twilio",
        "created template news TM4",
        "updated augment zones AU1",
        "deleted pattern cart-3 PT3",
        "updated pattern cart PT1",
        "deleted listener orders LI1",
    ];
    assert_eq!(applied.out.lines().collect::<Vec<_>>(), want);
    assert_eq!(acme.tenant.get("templates/TM4").expect(200)["template"], "extra {{> TM2}}");
    assert_eq!(acme.tenant.get("augments/AU1/file").body, "zone,name\n1,c\n");
    assert_eq!(acme.tenant.get("integrations/twilio").status, 404);
    assert_eq!(acme.apply(&root, false).expect(0).said.trim(), "nothing to do");
    // An export brings the folder up to date, and takes nothing else away.
    write("README.md", "ours");
    let again = acme.export(&root).expect(0);
    assert!(again.said.contains("secrets are not"), "{}", again.said);
    let names: Vec<String> = files(&root).into_keys().collect();
    assert!(names.contains(&"README.md".to_owned()) && !names.iter().any(|name| name.contains("cart-3")));

    // A secret that is given anew is a change; the one that is stored is none.
    let secret = [("WEBHOOK_SECRET", "another")];
    let mut command = acme.reading("diff", "--from", &root);
    command.envs(secret);
    let out = run(command).expect(0).out;
    assert_eq!(out.lines().next(), Some("integration webhook would be updated"), "{out}");
    assert!(!out.contains("another") && !out.contains("canary"), "{out}");
}

#[test]
fn files_that_would_be_refused_change_nothing_and_each_is_told_with_its_place() {
    let server = Server::start();
    let acme = Desk::new(&server, "acme");
    furnish(&acme.tenant);
    let good = server.scratch("good");
    acme.export(&good).expect(0);
    let before = (shown(&acme.tenant), changes_so_far(&acme.tenant));
    let cases: &[(&str, &str, &str)] = &[
        ("patterns/cart.then", "(seq\n  (sned echo message {}))", "patterns/cart.then:2:4: "),
        (
            "patterns/cart.then",
            "(send echo message {} (template {:message +gone}))",
            "patterns/cart.then:1:43: ",
        ),
        ("patterns/cart.when", "(event (= a 1)", "patterns/cart.when:1:1: "),
        (
            "patterns/cart.json",
            "{\"name\": \"Cart\",\n \"status\": 1}",
            "patterns/cart.json: status: has to be true or false",
        ),
        ("patterns/cart.json", "{\"name\": \"Cart\",\n}", "patterns/cart.json:2:1: "),
        ("patterns/cart.json", "{\"name\": \"Cart\", \"stauts\": true}", "did you mean \"status\"?"),
        ("patterns/cart.wehn", "x", "patterns/cart.wehn: is no file of a configuration"),
        ("patterns/crat.when", "x", "patterns/crat.when: has no crat.json beside it"),
        ("pattern/cart.when", "x", "/pattern: is no part of a configuration"),
        ("templates/footer.mustache", "a\n{{#b}}", "templates/footer.mustache:2:1: "),
        ("templates/welcome-mail.mustache", "{{> fotter}}", "templates/welcome-mail.mustache:1:5: "),
        ("augments/zones.csv", "zone,name\n1\n", "augments/zones.csv:2:"),
        ("augments/api.csv", "zone,name\n1,2\n", "augments/api"),
        (
            "augments/api.json",
            "{\"name\": \"Api\", \"type\": \"api\", \"service\": \"engine\"}",
            "augments/api.json: options",
        ),
        (
            "listeners/orders.json",
            "{\"name\": \"Orders\", \"type\": \"pusher\", \"options\": {}, \"mapping\": {\"id\": \"a\"}}",
            "listeners/orders.json: options.channel: is missing",
        ),
        ("integrations/fax.json", "{}", "integrations/fax.json: there is no such integration"),
        (
            "integrations/twilio.json",
            "{\"account\": \"SID\", \"password\": \"clear\"}",
            "does not stand in a file",
        ),
        ("integrations/sendgrid.json", "{\"api-key\": {\"env\": \"NO_SUCH\"}}", "NO_SUCH is not set"),
        ("configuration.json", "{\"format\": 2}", "\"format\" has to be 1"),
        (
            "configuration.json",
            "{\"format\": 1, \"key-attribute\": \"\"}",
            "configuration.json: key-attribute",
        ),
    ];
    for (n, (name, text, says)) in cases.iter().enumerate() {
        let root = server.scratch(&format!("bad-{n}"));
        for (name, bytes) in files(&good) {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        // Something good besides, that would be a change.
        std::fs::write(root.join("templates/a.json"), "{\"name\": \"A\"}").expect("written");
        std::fs::write(root.join("templates/a.mustache"), "a").expect("written");
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
        for ran in [acme.apply(&root, false), acme.diff(&root, &[], false)] {
            assert_eq!(ran.code, Some(1), "{name}: {}{}", ran.out, ran.said);
            assert!(ran.said.contains(says), "{name}: {says}: {}", ran.said);
            assert!(!ran.said.contains("panicked"), "{}", ran.said);
        }
    }
    assert_eq!((shown(&acme.tenant), changes_so_far(&acme.tenant)), before);
}

#[test]
fn who_may_not_or_where_there_is_nothing_is_told_so() {
    let server = Server::start();
    let acme = Desk::new(&server, "acme");
    furnish(&acme.tenant);
    let root = server.scratch("files");
    acme.export(&root).expect(0);
    let admin = server.admin();
    let reader = admin.new_client("acme", Some(&["read"]));
    let writer = admin.new_client("acme", Some(&["read", "write"]));
    // Nothing would change, and who may not manage integrations is not told so of secrets that they guessed.
    assert_eq!(acme.apply_as(&writer, &root, false).expect(0).said.trim(), "nothing to do");
    let guessed = acme.apply_as(&writer, &root, true).expect(1);
    assert!(guessed.said.contains("lacks the scope \"integrations:manage\""), "{}", guessed.said);
    std::fs::remove_file(root.join("integrations/twilio.json")).expect("removed");
    let stranger = {
        admin.post("/1.0/tenants", &json!({"id": "else", "name": "else"})).expect(201);
        admin.new_client("else", None)
    };
    for (client, says) in [
        (&reader, "lacks the scope \"write\""),
        (&writer, "lacks the scope \"integrations:manage\""),
        (&stranger, "no access to this tenant"),
        (&(ADMIN.0.to_owned(), ADMIN.1.to_owned()), "403"),
        (&("nobody".to_owned(), "wrong".to_owned()), "401"),
    ] {
        let ran = acme.apply_as(client, &root, false).expect(1);
        assert!(ran.said.contains(says), "{says}: {}", ran.said);
    }
    assert_eq!(acme.tenant.get("integrations/twilio").status, 200);
    let empty = server.scratch("empty");
    std::fs::create_dir_all(&empty).expect("made");
    for ran in [acme.apply(&empty, false), acme.diff(&empty, &[], false)] {
        assert!(ran.expect(1).said.contains("there is no configuration.json in it"));
    }
    std::fs::write(empty.join("mine"), "x").expect("written");
    assert!(acme.export(&empty).expect(1).said.contains("is not empty"));
    run(command(&["apply", "--tenant", "acme"])).expect(2);
    let unknown = server.command(&["export", "--tenant", "nobody", "--to", "x"]);
    assert!(run(unknown).expect(1).said.contains("there is no tenant"));
}

#[test]
fn tenants_and_clients_are_made_shown_and_deleted_from_the_command_line() {
    let server = Server::start();
    let remote = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.args(["--url", server.base()]);
        command.env("CXENGAGE_CLIENT_ID", ADMIN.0).env("CXENGAGE_CLIENT_SECRET", ADMIN.1);
        run(command)
    };
    let reading = |arguments: &[&str]| {
        let (code, out, said) = server.cli(arguments);
        Ran { code, out, said }
    };
    let line = |ran: Ran| serde_json::from_str::<Value>(&ran.expect(0).out).expect("one JSON line");
    let made = line(remote(&["tenant", "create", "acme", "--name", "Acme Inc.", "--json"]));
    assert_eq!((&made["id"], &made["name"]), (&json!("acme"), &json!("Acme Inc.")));
    let again = remote(&["tenant", "create", "acme", "--name", "x"]).expect(1);
    assert!(again.said.contains("409") && again.said.contains("there already"), "{}", again.said);
    remote(&["tenant", "create", "b\u{e4}d", "--name", "x"]).expect(1);
    remote(&["tenant", "create", "other", "--name", "Other"]).expect(0);
    assert_eq!(line(reading(&["tenant", "show", "acme", "--json"])), made);
    let all = reading(&["tenant", "list"]).expect(0).out;
    assert!(all.contains("name  Acme Inc.\n") && all.contains("name  Other\n"), "{all}");
    reading(&["tenant", "show", "nobody"]).expect(1);

    let client = line(remote(&[
        "client",
        "create",
        "--tenant",
        "acme",
        "--name",
        "shop",
        "--scope",
        "read,write",
        "--json",
    ]));
    let text = |name: &str| client[name].as_str().expect("a text").to_owned();
    let api = server.anonymous().with_token_of(&text("client_id"), &text("client_secret"));
    api.post("/1.0/tenants/acme/key-attribute", &json!({"key": "who"})).expect(200);
    assert_eq!(line(reading(&["tenant", "show", "acme", "--json"]))["key-attribute"], "who");
    let listed = reading(&["client", "list", "--tenant", "acme", "--json"]);
    assert!(!listed.out.contains(&text("client_secret")));
    assert_eq!(line(listed), json!({"id": text("id"), "name": "shop", "scopes": ["read", "write"]}));
    assert_eq!(reading(&["client", "list", "--tenant", "other"]).expect(0).out, "");
    let bad = remote(&["client", "create", "--tenant", "acme", "--name", "x", "--scope", "all"]).expect(2);
    assert!(bad.said.contains("integrations:manage"), "{}", bad.said);
    remote(&["client", "delete", &text("id"), "--tenant", "other"]).expect(1);
    remote(&["client", "delete", &text("id"), "--tenant", "acme"]).expect(0);
    assert_eq!(api.get("/1.0/tenants/acme").status, 401);
    assert_eq!(reading(&["client", "list", "--tenant", "acme"]).expect(0).out, "");
    let nowhere = run({
        let mut command = command(&["tenant", "create", "x", "--name", "x", "--url", "http://127.0.0.1:1"]);
        command.env("CXENGAGE_CLIENT_ID", "a").env("CXENGAGE_CLIENT_SECRET", "b");
        command
    });
    assert!(nowhere.expect(1).said.contains("refused"));
}

//! The API's own description against what the server does, path by path.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::harness::{Client, Request, Server};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn document(client: &Client) -> Value {
    let answer = client.get("/openapi.json");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    answer.expect(200)
}

#[test]
fn what_is_described_is_served_and_nothing_else_on_its_paths() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let document = document(&server.anonymous());
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 40, "{} paths", paths.len());
    for (path, item) in paths {
        let described: BTreeSet<&str> =
            METHODS.into_iter().filter(|method| item.get(method).is_some()).collect();
        let real = path.replace("{tid}", "acme").replace("{type}", "echo").replace("{id}", "none");
        let real = real.replace("{key}", "none");
        for method in METHODS {
            let request = Request::new(&method.to_uppercase(), &real);
            let open = item[method]["security"].is_null();
            if !described.contains(method) {
                let answer = acme.client.send(&request);
                let admins = item.to_string().contains(r#""oauth":["admin"]"#);
                assert!(
                    answer.status == 405 || admins && answer.status == 403,
                    "{method} {real}: {}",
                    answer.status
                );
                continue;
            }
            let answer = server.anonymous().send(&request);
            assert_eq!(
                answer.status == 401,
                !open || path.ends_with("/token") && answer.status == 401,
                "{method} {real}: {}",
                answer.status
            );
            assert_ne!(answer.status, 405, "{method} {real}");
            let known = item[method]["responses"].as_object().unwrap();
            for answer in [answer, acme.client.send(&request)] {
                assert!(known.contains_key(&answer.status.to_string()), "{method} {real}: {}", answer.status);
            }
        }
        // Also without the version, where it says so.
        let bare = item["description"].as_str().and_then(|says| says.split([' ', ',']).nth(3));
        if let Some(bare) = bare {
            assert_eq!(format!("/1.0{bare}"), *path);
            let bare = bare.replace("{tid}", "acme").replace("{type}", "echo").replace("{id}", "none");
            assert_ne!(server.anonymous().get(&bare).status, 404, "{bare}");
        }
    }
}

#[test]
fn the_description_is_on_both_listeners() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start_with(&["--admin-listen", &port.to_string()]);
    let operator = Client::new(&format!("http://{port}"));
    assert_eq!(document(&operator), document(&server.anonymous()));
    assert_eq!(server.anonymous().get("/healthz").status, 404);
    assert_eq!(operator.get("/healthz").status, 200);
    assert_eq!(operator.get("/1.0/tenants").status, 404);
}

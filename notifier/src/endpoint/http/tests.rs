//! The client against servers that misbehave, over real sockets.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use hyper::header::HeaderName;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::tests::stand_in::{request, server};

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> io::Result<()> {
    request(&mut stream).await?;
    stream.write_all(answer).await?;
    stream.flush().await
}

fn client() -> Http {
    Http::new(Setup { allow_private_addresses: true, ..Setup::default() })
}

fn post(url: &str) -> Outgoing {
    Outgoing::new(Method::POST, Url::parse(url).unwrap(), Reach::Tenant).body("hello")
}

/// Sends with a short time limit; `None`: it is over. And whether it is certain that nothing was sent.
async fn send(http: &Http, outgoing: Outgoing) -> (Option<Result<Received, Trouble>>, bool) {
    let sent = Sent::default();
    let result = timeout(Duration::from_millis(400), http.send(outgoing, &sent)).await.ok();
    (result, sent.is_pending())
}

#[tokio::test]
async fn a_request_arrives_as_it_was_meant_and_its_answer_comes_back() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = seen.clone();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let address = server(move |mut stream| {
        let keep = keep.clone();
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            loop {
                let request = request(&mut stream).await?;
                keep.lock().unwrap().push(request);
                stream.write_all(b"HTTP/1.1 201 Created\r\nX-Id: 7\r\nContent-Length: 2\r\n\r\nok").await?;
            }
        }
    })
    .await;
    let http = client();
    for _ in 0..2 {
        let outgoing = post(&format!("http://{address}/a?b=c#d"));
        let outgoing = outgoing.header(HeaderName::from_static("x-what"), "ever").unwrap();
        let (Some(Ok(received)), false) = send(&http, outgoing).await else { panic!("no answer") };
        assert_eq!((received.status, &received.body[..], received.cut), (201, &b"ok"[..], None));
        assert_eq!(received.headers["x-id"], "7");
    }
    let seen = seen.lock().unwrap();
    let want = format!(
        "POST /a?b=c HTTP/1.1\r\nx-what: ever\r\nuser-agent: cxengage/{}\r\nhost: {address}\r\n\
         content-length: 5\r\n\r\nhello",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(*seen, [want.clone(), want]);
    assert_eq!(connections.load(Ordering::Relaxed), 1, "the connection is kept");
}

#[tokio::test]
async fn nothing_in_a_header_can_begin_another() {
    let name = HeaderName::from_static("x-what");
    for bad in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
        assert!(post("http://example.com").header(name.clone(), bad).is_err(), "{bad:?}");
        assert!(post("http://example.com").secret_header(name.clone(), bad).is_err(), "{bad:?}");
    }
    let secret = post("http://example.com").secret_header(name, "canary").unwrap().body("canary");
    assert!(!format!("{secret:?}").contains("canary"));
}

#[tokio::test]
async fn what_goes_wrong_before_the_request_is_out_is_told_from_what_goes_wrong_after() {
    let http = client();
    // Nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let (result, pending) = send(&http, post(&format!("http://{nobody}"))).await;
    assert!(matches!(result, Some(Err(Trouble::Unreached(_)))) && pending, "{result:?}");
    // A name without an address.
    let (result, _) = send(&http, post("http://no.such.host.invalid")).await;
    assert!(matches!(result, Some(Err(Trouble::Unreached(_))) | None), "{result:?}");
    // A connection that is taken and never answered: over TLS nothing of the request is out.
    let silent = server(|mut stream| async move {
        let mut nothing = Vec::new();
        stream.read_to_end(&mut nothing).await.map(drop)
    })
    .await;
    assert_eq!(send(&http, post(&format!("https://{silent}"))).await, (None, true));
    assert_eq!(send(&http, post(&format!("http://{silent}"))).await, (None, false));
    // A reset when the request has been read.
    let reset = server(|mut stream| async move { request(&mut stream).await.map(drop) }).await;
    let (result, pending) = send(&http, post(&format!("http://{reset}"))).await;
    assert!(matches!(result, Some(Err(Trouble::Broken(_)))) && !pending, "{result:?}");
    // What is no HTTP.
    let nonsense = server(|stream| answer(stream, b"220 mail.example.com ESMTP\r\n")).await;
    let (result, _) = send(&http, post(&format!("http://{nonsense}"))).await;
    assert!(matches!(result, Some(Err(Trouble::Broken(_)))), "{result:?}");
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound_and_told_to_be_cut() {
    let http = client();
    let endless = server(|mut stream| async move {
        request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        loop {
            stream.write_all(&[b'x'; 65_536]).await?;
        }
    })
    .await;
    let (Some(Ok(received)), _) = send(&http, post(&format!("http://{endless}"))).await else { panic!() };
    assert_eq!((received.status, received.body.len()), (200, MOST));
    assert_eq!(received.cut.unwrap(), "the answer is longer than 1048576 bytes");
    let short = server(|stream| answer(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")).await;
    let (Some(Ok(received)), _) = send(&http, post(&format!("http://{short}"))).await else { panic!() };
    assert!(received.status == 200 && received.cut.unwrap().starts_with("the answer broke off"));
    let drip = server(|mut stream| async move {
        request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(send(&http, post(&format!("http://{drip}"))).await, (None, false));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let count = hits.clone();
    let canary = server(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let text =
            format!("HTTP/1.1 {status} Moved\r\nLocation: http://{canary}/\r\nContent-Length: 0\r\n\r\n");
        let moved = server(move |stream| {
            let text = text.clone();
            async move { answer(stream, text.as_bytes()).await }
        })
        .await;
        let (Some(Ok(received)), _) = send(&client(), post(&format!("http://{moved}"))).await else {
            panic!()
        };
        assert_eq!(received.status, status);
    }
    assert_eq!(hits.load(Ordering::Relaxed), 0);
}

/// Answers as it is told, one answer for each question.
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

#[async_trait]
impl Resolver for Scripted {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let addresses = self.0.lock().unwrap().pop_front().unwrap_or_default();
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nobody_is_dialled() {
    let hits = Arc::new(AtomicUsize::new(0));
    let count = hits.clone();
    let canary = server(move |stream| {
        count.fetch_add(1, Ordering::Relaxed);
        answer(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    })
    .await;
    let (inside, outside) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)));
    let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    let answers =
        [vec![inside], vec![outside, inside], vec![inside, outside], vec![mapped], vec![outside, mapped]];
    let resolver = Arc::new(Scripted(Mutex::new(answers.clone().into())));
    let http = Http::new(Setup { resolver, ..Setup::default() });
    let url = format!("http://changing.example:{}", canary.port());
    let literal = |host: &str| format!("http://{host}:{}", canary.port());
    let urls = std::iter::repeat_n(url, answers.len());
    let urls = urls.chain(["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"].map(literal));
    for url in urls {
        let (result, pending) = send(&http, post(&url)).await;
        let Some(Err(Trouble::Forbidden(why))) = result else { panic!("{url}: {result:?}") };
        assert!(
            pending && why.ends_with("is not a public address, and may not be reached from here"),
            "{why}"
        );
        assert!(!why.contains("8.8.8.8"), "{why}");
    }
    assert_eq!(hits.load(Ordering::Relaxed), 0);
    // The operator's own URLs may lead there, and a tenant's do not find the connection that this leaves.
    let mut own = post(&literal("127.0.0.1"));
    own.reach = Reach::Operator;
    let (result, _) = send(&http, own).await;
    assert!(matches!(result, Some(Ok(_))), "{result:?}");
    let (result, _) = send(&http, post(&literal("127.0.0.1"))).await;
    assert!(matches!(result, Some(Err(Trouble::Forbidden(_)))), "{result:?}");
    assert_eq!(hits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_server_has_to_show_a_certificate_that_is_trusted_and_for_its_name() {
    let certificate = CertificateDer::from(include_bytes!("fixtures/certificate.der").as_slice());
    let key = PrivatePkcs8KeyDer::from(include_bytes!("fixtures/key.der").as_slice());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from(key))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let secure = server(move |stream| {
        let acceptor = acceptor.clone();
        async move { answer(acceptor.accept(stream).await?, b"HTTP/1.1 204 No Content\r\n\r\n").await }
    })
    .await;
    let trusting = |authorities| {
        let resolver = Arc::new(Scripted(Mutex::new([vec![secure.ip()]].into())));
        Http::new(Setup { allow_private_addresses: true, resolver, authorities, ..Setup::default() })
    };
    let named = |host: &str| post(&format!("https://{host}:{}", secure.port()));
    let (result, _) = send(&trusting(vec![certificate.clone()]), named("stand-in.example")).await;
    assert!(matches!(result, Some(Ok(Received { status: 204, .. }))), "{result:?}");
    let (result, _) = send(&trusting(vec![certificate.clone()]), named("127.0.0.1")).await;
    assert!(matches!(result, Some(Ok(_))), "{result:?}");
    for (http, host) in
        [(trusting(vec![]), "stand-in.example"), (trusting(vec![certificate]), "other.example")]
    {
        let (result, pending) = send(&http, named(host)).await;
        assert!(matches!(result, Some(Err(Trouble::Unreached(_)))) && pending, "{host}: {result:?}");
    }
    // A server that speaks no TLS.
    let plain = server(|stream| answer(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let (result, pending) = send(&client(), post(&format!("https://{plain}"))).await;
    assert!(matches!(result, Some(Err(Trouble::Unreached(_))) | None) && pending, "{result:?}");
}

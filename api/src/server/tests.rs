//! Slow, silent and too many clients, against real sockets.

use std::time::Duration;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

const SOON: Duration = Duration::from_secs(10);

fn brisk() -> Limits {
    let short = Duration::from_millis(200);
    Limits {
        connections: 2,
        header: short,
        idle: short * 3,
        request: short * 10,
        write: short,
        drain: short * 20,
    }
}

async fn started(limits: Limits, router: Router) -> (SocketAddr, CancellationToken, oneshot::Receiver<bool>) {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
    let (address, stop) = (server.address().unwrap(), CancellationToken::new());
    let (ended, end) = oneshot::channel();
    let serving = server.serve(router, stop.clone());
    tokio::spawn(async move { ended.send(serving.await) });
    (address, stop, end)
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset counts as an end here.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut text)).await.expect("closed in time");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn silent_and_dripping_clients_are_closed() {
    let (address, ..) = started(brisk(), Router::new()).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut dripping = TcpStream::connect(address).await.unwrap();
    let (mut input, mut output) = dripping.split();
    let drip = async {
        while output.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let closed = async {
        let mut text = Vec::new();
        let _ = input.read_to_end(&mut text).await;
    };
    tokio::time::timeout(SOON, async {
        tokio::join!(rest(&mut silent), async {
            tokio::select! { () = drip => {}, () = closed => {} }
        })
    })
    .await
    .expect("both are closed in time");
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_a_while_then_closed() {
    let (address, ..) = started(brisk(), Router::new().route("/", get(|| async { "hello" }))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read]).ends_with("hello"));
        // Longer than the header's time, shorter than the idle time.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn connections_over_the_cap_are_told_so() {
    let (address, ..) = started(Limits { header: SOON, ..brisk() }, Router::new()).await;
    let _held = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut third).await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn what_is_in_flight_at_a_stop_is_finished() {
    let (entered, mut entering) = tokio::sync::mpsc::channel::<()>(1);
    let go = Arc::new(tokio::sync::Notify::new());
    let router = Router::new().route("/", {
        let go = go.clone();
        get(move || async move {
            entered.send(()).await.unwrap();
            go.notified().await;
            "done"
        })
    });
    let (address, stop, end) = started(brisk(), router).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    entering.recv().await.unwrap();
    stop.cancel();
    go.notify_one();
    assert!(rest(&mut stream).await.ends_with("done"));
    assert!(tokio::time::timeout(SOON, end).await.unwrap().unwrap(), "drained");
    assert!(TcpStream::connect(address).await.is_err(), "no new work");
}

#[tokio::test]
async fn with_a_certificate_only_tls_is_spoken_and_a_silent_handshake_is_ended() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};

    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/fixtures");
    let certificate = fixtures.join("cert.pem");
    assert!(Tls::load(&certificate, &certificate).is_err(), "a certificate is no key");
    let tls = Tls::load(&certificate, &fixtures.join("key.pem")).unwrap();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), brisk()).await.unwrap().with_tls(Some(tls));
    let address = server.address().unwrap();
    tokio::spawn(server.serve(Router::new().route("/", get(|| async { "there" })), CancellationToken::new()));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).ends_with("there"));

    let mut clear = TcpStream::connect(address).await.unwrap();
    clear.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(!rest(&mut clear).await.contains("HTTP"), "nothing in clear");
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
}

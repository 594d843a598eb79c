//! A TCP proxy between a client and a server that cuts connections when it is told to, and keeps what it passed on to
//! the client: what was not passed on was lost on the way, and nobody can ask for it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The proxy; it serves until the test ends.
pub struct Proxy {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    open: Vec<(TcpStream, TcpStream)>,
    passed: Vec<Arc<Mutex<Vec<u8>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// One to a port on this machine.
    ///
    /// # Panics
    /// If no port is free.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let serving = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    // A connection that breaks by itself is as good as cut.
                    drop(join(&serving, client, server));
                }
            }
        });
        Self { url, shared }
    }

    /// `http://127.0.0.1:…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts every connection; how many there were.
    pub fn cut(&self) -> usize {
        let open = std::mem::take(&mut lock(&self.shared).open);
        for (client, server) in &open {
            // The server first: what it has sent and is not passed on yet is lost.
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
        }
        open.len()
    }

    /// What was passed on to the client, by connection.
    pub fn passed(&self) -> Vec<Vec<u8>> {
        lock(&self.shared).passed.iter().map(|passed| lock(passed).clone()).collect()
    }
}

fn join(shared: &Mutex<Shared>, client: TcpStream, server: TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let passed: Arc<Mutex<Vec<u8>>> = Arc::default();
    {
        let mut shared = lock(shared);
        shared.open.retain(|(client, _)| client.peer_addr().is_ok());
        shared.open.push((client.try_clone()?, server.try_clone()?));
        shared.passed.push(passed.clone());
    }
    let (to_server, from_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || pass(from_client, to_server, None));
    thread::spawn(move || pass(server, client, Some(&passed)));
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, keep: Option<&Mutex<Vec<u8>>>) {
    let mut bytes = [0; 4_096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
        if let Some(keep) = keep {
            lock(keep).extend_from_slice(&bytes[..read]);
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

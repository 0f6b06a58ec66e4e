//! A proxy before a server that breaks its connections.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes bytes on between clients and a server, until it is told to cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    connections: Mutex<Vec<TcpStream>>,
    made: AtomicUsize,
    stopped: AtomicBool,
    /// Bytes from the server after which a connection is cut; 0 is never.
    budget: AtomicUsize,
}

impl Proxy {
    /// Listens on a free port before this server.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            connections: Mutex::default(),
            made: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            budget: AtomicUsize::new(0),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if own.stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A server that is gone is a client that is let go.
                let _ = own.join(client);
            }
        });
        Ok(Self { address, shared })
    }

    /// Cuts every connection after so many bytes from the server; 0 is never.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.budget.store(bytes, Ordering::Relaxed);
    }

    /// Cuts all connections now.
    pub fn cut(&self) {
        let mut connections =
            self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(client.try_clone()?);
        connections.push(server.try_clone()?);
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || pass(from_client, to_server, 0));
        let budget = self.budget.load(Ordering::Relaxed);
        thread::spawn(move || pass(server, client, budget));
        Ok(())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, budget: usize) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        passed += count;
        let over = if budget > 0 { passed.saturating_sub(budget) } else { 0 };
        // The cut may fall into the middle of an answer.
        if to.write_all(&buffer[..count - over.min(count)]).is_err() || over > 0 {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.cut();
        // So that the one who listens wakes and sees it.
        let _ = TcpStream::connect(self.address);
    }
}

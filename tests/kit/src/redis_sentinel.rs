//! A primary and a replica, watched by three Sentinels.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Server;
use crate::redis::{Redis, Reply};

/// A primary and a replica, watched by three Sentinels under the name `mymaster`.
#[derive(Debug)]
pub struct Watched {
    /// The primary that there is at first, and its replica.
    pub servers: [Redis; 2],
    sentinels: Vec<Server>,
}

impl Watched {
    /// Starts the five.
    ///
    /// # Errors
    /// When they do not find each other.
    pub fn start() -> io::Result<Self> {
        let primary = Redis::start()?;
        let port = primary.address().port().to_string();
        let replica = Redis::start()?;
        replica.connect()?.command(&["REPLICAOF", "127.0.0.1", &port])?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(Server::start("sentinel", Duration::from_secs(30), |folder, own| {
                let file = folder.join("sentinel.conf");
                let folder = folder.display();
                let text = format!(
                    "port {own}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor mymaster 127.0.0.1 {port} 2\n\
                     sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 4000\n"
                );
                std::fs::write(&file, text)?;
                let mut command = Command::new("redis-server");
                command.arg(file).arg("--sentinel");
                Ok(command)
            })?);
        }
        let watched = Self { servers: [primary, replica], sentinels };
        let begun = Instant::now();
        while !watched.all_are_known()? {
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(io::Error::other("the Sentinels do not find each other"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(watched)
    }

    fn all_are_known(&self) -> io::Result<bool> {
        for sentinel in &self.sentinels {
            let reply = ask(sentinel, &["SENTINEL", "MASTER", "mymaster"])?;
            let Reply::Array(fields) = reply else { return Ok(false) };
            let field = |name: &str| {
                let at = fields.iter().position(|field| *field == Reply::Bytes(name.into()))?;
                match fields.get(at + 1) {
                    Some(Reply::Bytes(value)) => String::from_utf8(value.clone()).ok(),
                    _ => None,
                }
            };
            if field("num-slaves").as_deref() != Some("1")
                || field("num-other-sentinels").as_deref() != Some("2")
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The URL by which clients find it.
    pub fn url(&self) -> String {
        let sentinels: Vec<_> =
            self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        format!("redis+sentinel://{}/mymaster", sentinels.join(","))
    }
}

fn ask(sentinel: &Server, arguments: &[&str]) -> io::Result<Reply> {
    crate::redis::Connection::tcp(sentinel.address())?.command(arguments)
}

//! A primary and a replica, watched by three Sentinels.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Server;
use crate::redis::{Connection, Redis, Reply};
use crate::redis_tls::Certificates;

/// A primary and a replica, watched by three Sentinels under the name `mymaster`.
#[derive(Debug)]
pub struct Watched {
    /// The primary that there is at first, and its replica.
    pub servers: [Redis; 2],
    sentinels: Vec<Server>,
    is_encrypted: bool,
}

impl Watched {
    /// Starts the five.
    ///
    /// # Errors
    /// When they do not find each other.
    pub fn start() -> io::Result<Self> {
        Self::start_at("127.0.0.1", &[], |own| format!("port {own}\n"))
    }

    /// Starts the five so that they speak TLS, to clients and to each other, show this certificate and want one, and
    /// know the servers by the name `localhost`.
    ///
    /// # Errors
    /// When they do not find each other.
    pub fn encrypted(certificates: &Certificates, name: &str) -> io::Result<Self> {
        let mut arguments = certificates.arguments(name, true);
        arguments.extend(["--replica-announce-ip", "localhost"].map(str::to_owned));
        Self::start_at("localhost", &arguments, |own| {
            let settings =
                certificates.settings(name, true).map(|(name, value)| format!("{name} {value}\n"));
            let names = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n";
            format!("{}tls-port {own}\n{names}", settings.concat())
        })
    }

    fn start_at(
        host: &str,
        arguments: &[String],
        settings: impl Fn(u16) -> String,
    ) -> io::Result<Self> {
        let start =
            || Redis::start_with(Path::new("redis-server"), None, |_| Ok(arguments.to_vec()));
        let primary = start()?;
        let port = primary.address().port().to_string();
        let replica = start()?;
        replica.connect()?.command(&["REPLICAOF", host, &port])?;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(Server::start("sentinel", Duration::from_secs(30), |folder, own| {
                let file = folder.join("sentinel.conf");
                let (settings, folder) = (settings(own), folder.display());
                let text = format!(
                    "bind 127.0.0.1\ndir {folder}\nunixsocket {folder}/socket\n{settings}\
                     sentinel monitor mymaster {host} {port} 2\n\
                     sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 4000\n"
                );
                std::fs::write(&file, text)?;
                let mut command = Command::new("redis-server");
                command.arg(file).arg("--sentinel");
                Ok(command)
            })?);
        }
        let is_encrypted = !arguments.is_empty();
        let watched = Self { servers: [primary, replica], sentinels, is_encrypted };
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
        let scheme = if self.is_encrypted { "rediss" } else { "redis" };
        format!("{scheme}+sentinel://{}/mymaster", sentinels.join(","))
    }
}

fn ask(sentinel: &Server, arguments: &[&str]) -> io::Result<Reply> {
    Connection::unix(&sentinel.folder().join("socket"))?.command(arguments)
}

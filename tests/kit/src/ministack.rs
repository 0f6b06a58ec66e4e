//! Ministack: an emulator of others with an S3 and an `ImportTable` of its own, for DynamoDB JSON and CSV.

use std::io;
use std::process::Command;
use std::time::Duration;

use crate::double_http::{Headers, Request, forward};
use crate::dynamodb::Client;
use crate::places;
use crate::process::Server;

/// Ministack on loopback, empty.
#[derive(Debug)]
pub struct Ministack {
    server: Server,
}

impl Ministack {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        let program = places::installed("tools/ministack/bin/ministack")?;
        let server = Server::start("ministack", Duration::from_secs(60), |folder, port| {
            let mut command = Command::new(&program);
            command
                .current_dir(folder)
                .env("GATEWAY_PORT", port.to_string())
                .env("BIND_HOST", "127.0.0.1")
                .env("MINISTACK_HOST", "127.0.0.1")
                .env("SERVICES", "s3,dynamodb,logs,sts,iam")
                .env("S3_DATA_DIR", folder.join("s3"))
                .env("TMPDIR", folder);
            Ok(command)
        })?;
        Ok(Self { server })
    }

    /// A plain connection to its tables.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tables(&self) -> io::Result<Client> {
        Client::connect(self.server.address())
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// When it is gone, or will not.
    pub fn make_bucket(&self, name: &str) -> io::Result<()> {
        let headers = Headers::default().with("host", self.server.address().to_string());
        let target = format!("/{name}");
        let request = Request { method: "PUT".to_owned(), target, headers, body: Vec::new() };
        match forward(&request, self.server.address())?.status {
            200 => Ok(()),
            status => Err(io::Error::other(format!("no bucket {name}: {status}"))),
        }
    }

    /// Where an SDK finds it, for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

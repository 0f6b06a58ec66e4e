//! Certificates, made by `openssl` for one test, and servers that speak TLS with them.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::redis::Redis;

/// A CA and what it signed; gone when this is dropped.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes a CA with certificates named `server`, `client` and `expired`, which are good for the address of
    /// loopback and for `localhost`, and one named `named`, which is good for `localhost` alone.
    ///
    /// # Errors
    /// When there is no `openssl`, with what it printed.
    pub fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("keystar-tls-").tempdir()?;
        let made = Self { folder };
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.crt")?;
        let all = "IP:127.0.0.1,DNS:localhost";
        for (name, days, good_for) in [
            ("server", "2", all),
            ("client", "2", all),
            ("expired", "-1", all),
            ("named", "2", "DNS:localhost"),
        ] {
            std::fs::write(made.path("names"), format!("subjectAltName={good_for}\n"))?;
            made.openssl(&format!("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"))?;
            made.openssl(&format!("x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days} -extfile names -out {name}.crt"))?;
        }
        Ok(made)
    }

    fn openssl(&self, arguments: &str) -> io::Result<()> {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("openssl {arguments}: {text}")))
    }

    /// A file of it: `ca.crt`, `server.crt`, `server.key` …
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server that shows this certificate, and wants one if `mutual`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn serve(&self, name: &str, mutual: bool) -> io::Result<Redis> {
        Redis::start_with(Path::new("redis-server"), None, |_| Ok(self.arguments(name, mutual)))
    }

    /// The arguments of a server that shows this certificate, to clients and to its peers, and wants one of
    /// clients if `mutual`.
    pub fn arguments(&self, name: &str, mutual: bool) -> Vec<String> {
        let settings = self.settings(name, mutual);
        settings.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }

    /// The same as a file of settings has them.
    pub(crate) fn settings(&self, name: &str, mutual: bool) -> [(&'static str, String); 6] {
        let file = |name: String| self.path(&name).to_string_lossy().into_owned();
        [
            ("port", "0".to_owned()),
            ("tls-cert-file", file(format!("{name}.crt"))),
            ("tls-key-file", file(format!("{name}.key"))),
            ("tls-ca-cert-file", file("ca.crt".to_owned())),
            ("tls-auth-clients", if mutual { "yes" } else { "no" }.to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }
}

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
    /// Makes a CA with certificates named `server`, `client` and `expired`.
    ///
    /// # Errors
    /// When there is no `openssl`, with what it printed.
    pub fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("keystar-tls-").tempdir()?;
        let made = Self { folder };
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.crt")?;
        std::fs::write(
            made.folder.path().join("names"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
        )?;
        for (name, days) in [("server", "2"), ("client", "2"), ("expired", "-1")] {
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
        let file = |name: String| self.path(&name).to_string_lossy().into_owned();
        Redis::start_with(Path::new("redis-server"), None, |_| {
            Ok(vec![
                "--port".to_owned(),
                "0".to_owned(),
                "--tls-cert-file".to_owned(),
                file(format!("{name}.crt")),
                "--tls-key-file".to_owned(),
                file(format!("{name}.key")),
                "--tls-ca-cert-file".to_owned(),
                file("ca.crt".to_owned()),
                "--tls-auth-clients".to_owned(),
                if mutual { "yes" } else { "no" }.to_owned(),
            ])
        })
    }
}

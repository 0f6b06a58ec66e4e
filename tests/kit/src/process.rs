//! Servers as child processes: on a free loopback port, waited for until they answer, ended when dropped.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that listens on loopback and is ended, and its folder removed, when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Starts what `command` makes of a folder of its own and a free port, and waits until the port answers.
    ///
    /// # Errors
    /// When it cannot be started, ends by itself, or does not answer within `patience`; with what it printed.
    pub fn start(
        name: &str,
        patience: Duration,
        command: impl Fn(&Path, u16) -> io::Result<Command>,
    ) -> io::Result<Self> {
        let mut last = io::Error::other("never tried");
        // Between our finding a port free and the server's taking it another process may have taken it.
        for _ in 0..3 {
            match Self::try_start(name, patience, &command) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_start(
        name: &str,
        patience: Duration,
        command: &impl Fn(&Path, u16) -> io::Result<Command>,
    ) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(&format!("keystar-{name}-")).tempdir()?;
        let address = free_address()?;
        let log = folder.path().join("log");
        let output = File::create(&log)?;
        let child = command(folder.path(), address.port())?
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{name}: {error}: run scripts/setup"))
            })?;
        let mut server = Self { child, address, folder };
        server.wait_until_it_answers(name, patience)?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self, name: &str, patience: Duration) -> io::Result<()> {
        let (address, log) = (self.address, self.log());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!(
                    "{name} ended with {status}: {}",
                    tail(&log)
                )));
            }
            if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err(io::Error::other(format!(
                    "{name} does not answer after {patience:?}: {}",
                    tail(&log)
                )));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, as a power cut would; its folder stays.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Starts it again after [`kill`](Self::kill), in the same folder and on the same port, which the command names.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_again(&mut self, patience: Duration, mut command: Command) -> io::Result<()> {
        let output = File::options().append(true).open(self.log())?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        self.child = command.spawn()?;
        self.wait_until_it_answers("the server", patience)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its own folder; gone when this is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it printed.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
}

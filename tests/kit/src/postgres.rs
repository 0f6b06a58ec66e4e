//! A live PostgreSQL, which runs the SQL that is written for it and for Redshift's sake.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, Uid, User};

use crate::process::Server;

/// A PostgreSQL server on loopback with one empty database.
///
/// It sorts text as people do and not by bytes, so that SQL which leaves the order to the database
/// is found out.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    programs: PathBuf,
}

impl Postgres {
    /// Starts Debian's newest.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        let programs = programs()?;
        let owner = owner()?;
        let server = Server::start("postgres", Duration::from_secs(60), |folder, port| {
            let data = folder.join("data");
            fs::create_dir(&data)?;
            if let Some(owner) = &owner {
                let (user, group) = (owner.uid.as_raw(), owner.gid.as_raw());
                chown(folder, Some(user), Some(group))?;
                chown(&data, Some(user), Some(group))?;
            }
            let output = as_owner(owner.as_ref(), &programs.join("initdb"))
                .args(["--username=keystar", "--auth=trust", "--encoding=UTF8", "--no-sync"])
                .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"])
                .arg("-D")
                .arg(&data)
                .current_dir(folder)
                .output()?;
            checked("initdb", &output)?;
            let mut command = as_owner(owner.as_ref(), &programs.join("postgres"));
            command
                .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p"])
                .arg(port.to_string())
                .arg("-k")
                .arg(folder)
                .arg("-D")
                .arg(&data)
                .current_dir(folder);
            Ok(command)
        })?;
        let postgres = Self { server, programs };
        // It listens before it takes statements.
        let begun = Instant::now();
        loop {
            match postgres.run("SELECT 1") {
                Ok(_) => return Ok(postgres),
                Err(error) if begun.elapsed() > Duration::from_secs(30) => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Runs statements in one session and gives back the rows of their results: values with `|`
    /// between, NULL as `NULL`.
    ///
    /// # Errors
    /// What the server refused, in its words; nothing after that was run.
    pub fn run(&self, sql: &str) -> io::Result<Vec<String>> {
        let mut child = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-P", "null=NULL"])
            .args(["-h", "127.0.0.1", "-U", "keystar", "-d", "postgres", "-p"])
            .arg(self.server.address().port().to_string())
            .env("PGTZ", "UTC")
            .env("PGCLIENTENCODING", "UTF8")
            // It reads whatever `-f` names, and stops at the first error.
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| io::Error::other("psql has no stdin"))?;
        let text = sql.to_owned();
        // On a thread of its own, since psql may wait for us to read what it says.
        let writing = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output()?;
        let _ = writing.join();
        checked("psql", &output)?;
        let rows = String::from_utf8(output.stdout).map_err(io::Error::other)?;
        Ok(rows.lines().map(ToOwned::to_owned).collect())
    }
}

impl Drop for Postgres {
    /// Asks it to end at once, which takes its children and its shared memory with it; what is left
    /// after a while is killed with the server.
    fn drop(&mut self) {
        let file = self.server.folder().join("data/postmaster.pid");
        let text = fs::read_to_string(&file).unwrap_or_default();
        if let Some(Ok(pid)) = text.lines().next().map(str::parse) {
            let _ = signal::kill(Pid::from_raw(pid), Signal::SIGQUIT);
            let begun = Instant::now();
            while file.exists() && begun.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Where its programs lie: Debian keeps each version's apart, and off the path.
fn programs() -> io::Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten() {
        let path = entry?.path();
        let version = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let programs = path.join("bin");
        if let Some(version) = version
            && programs.join("postgres").is_file()
        {
            found.push((version, programs));
        }
    }
    let newest = found.into_iter().max();
    newest.map(|(_, programs)| programs).ok_or_else(|| {
        io::Error::other("no PostgreSQL server in /usr/lib/postgresql: run scripts/setup")
    })
}

/// Whom to run it as: it refuses to be root. `None` for who runs the tests.
fn owner() -> io::Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    match User::from_name("postgres")? {
        Some(user) => Ok(Some(user)),
        None => Err(io::Error::other("there is no user postgres: run scripts/setup")),
    }
}

fn as_owner(owner: Option<&User>, program: &Path) -> Command {
    let Some(owner) = owner else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", owner.uid))
        .arg(format!("--regid={}", owner.gid))
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

fn checked(name: &str, output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{name}: {}: {errors}", output.status)))
}

//! An S3 that keeps its objects as files and checks signatures, with faults in front of it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::double_http::{Headers, Listener, Request, Response, forward};
use crate::places;
use crate::process::Server;

/// What it knows its client by.
pub const ACCESS_KEY: &str = "AKIDKEYSTARTESTS0001";
/// What the client signs with.
pub const SECRET_KEY: &str = "secret/of+the+tests";
/// Where its buckets are.
pub const REGION: &str = "eu-central-1";

/// An S3 server on loopback without buckets.
#[derive(Debug)]
pub struct S3 {
    // Before the server: nobody asks it any more when it goes.
    listener: Listener,
    state: Arc<State>,
    server: Server,
}

/// What goes wrong of itself, one after another.
const SHAKES: [Fault; 4] = [
    Fault::HangUp,
    Fault::Refuse(500, "InternalError"),
    Fault::LoseAnswer,
    Fault::Refuse(503, "SlowDown"),
];

#[derive(Debug, Default)]
struct State {
    faults: Mutex<Vec<(&'static str, usize, Fault)>>,
    requests: Mutex<Vec<String>>,
    signers: Mutex<Vec<String>>,
    unchecked: AtomicUsize,
    shake: AtomicUsize,
    parts: AtomicUsize,
    most_parts: AtomicUsize,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server refuses, with this status and code, and does nothing.
    Refuse(u16, &'static str),
    /// The connection ends before the server has seen the request.
    HangUp,
    /// The server does as it is told, but nobody hears of it.
    LoseAnswer,
    /// The bucket is in this region.
    Elsewhere(&'static str),
    /// The server sees it only after so many milliseconds.
    Delay(u64),
}

impl S3 {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        let program = places::installed("tools/bin/s3s-fs")?;
        let server = Server::start("s3s-fs", Duration::from_secs(10), |folder, port| {
            let root = folder.join("root");
            std::fs::create_dir_all(&root)?;
            let mut command = Command::new(&program);
            command.args(["--host", "127.0.0.1", "--access-key", ACCESS_KEY, "--secret-key"]);
            command.arg(SECRET_KEY).arg("--port").arg(port.to_string()).arg(root);
            Ok(command)
        })?;
        let state = Arc::new(State::default());
        let (address, shared) = (server.address(), Arc::clone(&state));
        let listener = Listener::start(move |request| shared.answer(&request, address))?;
        Ok(Self { listener, state, server })
    }

    /// Where an SDK finds it.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// The folder of its buckets' folders.
    pub fn root(&self) -> PathBuf {
        self.server.folder().join("root")
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// The file system's.
    pub fn make_bucket(&self, name: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.root().join(name))
    }

    /// Puts an object without asking the server.
    ///
    /// # Errors
    /// The file system's.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root().join(bucket).join(key);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
        std::fs::write(path, bytes)
    }

    /// An object's bytes.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, bucket: &str, key: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.root().join(bucket).join(key))
    }

    /// The keys of a bucket that begin so, in order.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub fn keys(&self, bucket: &str, prefix: &str) -> io::Result<Vec<String>> {
        keys(&self.root().join(bucket), prefix)
    }

    /// Parts of uploads that were neither completed nor given up.
    ///
    /// # Errors
    /// The file system's.
    pub fn leftover_parts(&self) -> io::Result<usize> {
        let names = std::fs::read_dir(self.root())?.map(|entry| Ok(entry?.file_name()));
        let names: Vec<_> = names.collect::<io::Result<_>>()?;
        Ok(names.iter().filter(|name| name.to_string_lossy().contains(".part-")).count())
    }

    /// Lets requests whose `METHOD target` contains this text go wrong, so many times.
    pub fn fault(&self, matching: &'static str, times: usize, fault: Fault) {
        locked(&self.state.faults).push((matching, times, fault));
    }

    /// From now on every so many-th request goes wrong, in one way after another; 0: none.
    pub fn shake(&self, every: usize) {
        self.state.shake.store(every, Ordering::SeqCst);
    }

    /// How many bodies came without a checksum of their own.
    pub fn unchecked(&self) -> usize {
        self.state.unchecked.load(Ordering::SeqCst)
    }

    /// How many parts of uploads were ever under way at once.
    pub fn most_parts_at_once(&self) -> usize {
        self.state.most_parts.load(Ordering::SeqCst)
    }

    /// The access keys that requests were signed with, each once, in the order in which they came.
    pub fn signers(&self) -> Vec<String> {
        locked(&self.state.signers).clone()
    }

    /// `METHOD target` of every request so far.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.state.requests).clone()
    }
}

impl State {
    fn answer(&self, request: &Request, server: SocketAddr) -> Option<Response> {
        let line = format!("{} {}", request.method, request.target);
        let fault = self.due(&line);
        self.note_signer(request);
        let checked = request.headers.get("x-amz-checksum-sha256").is_some();
        if request.method == "PUT" && !request.body.is_empty() && !checked {
            self.unchecked.fetch_add(1, Ordering::SeqCst);
        }
        let part = line.contains("partNumber=");
        let count = {
            let mut requests = locked(&self.requests);
            requests.push(line);
            requests.len()
        };
        let every = self.shake.load(Ordering::SeqCst);
        let shaken =
            (every > 0 && count % every == 0).then(|| SHAKES[count / every % SHAKES.len()]);
        let fault = fault.or(shaken);
        if part {
            let now = self.parts.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_parts.fetch_max(now, Ordering::SeqCst);
        }
        let answer = self.suffer(fault, request, server);
        if part {
            self.parts.fetch_sub(1, Ordering::SeqCst);
        }
        answer
    }

    /// `AWS4-HMAC-SHA256 Credential=KEY/20260131/…`
    fn note_signer(&self, request: &Request) {
        let signature = request.headers.get("authorization").unwrap_or_default();
        let key = signature.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
        let mut signers = locked(&self.signers);
        if let Some(key) = key.filter(|key| !signers.iter().any(|known| known == key)) {
            signers.push(key.to_owned());
        }
    }

    fn suffer(
        &self,
        fault: Option<Fault>,
        request: &Request,
        server: SocketAddr,
    ) -> Option<Response> {
        match fault {
            None => forward(request, server).ok(),
            Some(Fault::HangUp) => None,
            Some(Fault::Delay(millis)) => {
                std::thread::sleep(Duration::from_millis(millis));
                forward(request, server).ok()
            }
            Some(Fault::LoseAnswer) => {
                let _ = forward(request, server);
                if request.method == "POST" && request.target.contains("?uploadId=") {
                    // The upload has become an object. This server would say that nobody may complete it.
                    let gone = Fault::Refuse(404, "NoSuchUpload");
                    locked(&self.faults).push(("?uploadId=", 1, gone));
                }
                None
            }
            Some(Fault::Refuse(status, code)) => Some(refusal(status, code, Headers::default())),
            Some(Fault::Elsewhere(region)) => {
                let headers = Headers::default().with("x-amz-bucket-region", region);
                Some(refusal(301, "PermanentRedirect", headers))
            }
        }
    }

    fn due(&self, line: &str) -> Option<Fault> {
        let mut faults = locked(&self.faults);
        let (_, left, fault) =
            faults.iter_mut().find(|(part, left, _)| *left > 0 && line.contains(part))?;
        *left -= 1;
        Some(*fault)
    }
}

fn refusal(status: u16, code: &str, headers: Headers) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>a fault of the \
         tests</Message></Error>"
    );
    let headers = headers.with("content-type", "application/xml");
    Response { status, headers, body: body.into_bytes() }
}

/// The objects below a folder that is a bucket.
pub(crate) fn keys(bucket: &Path, prefix: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(bucket.join(&folder))? {
            let entry = entry?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(format!("{name}/"));
            } else if name.starts_with(prefix) {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

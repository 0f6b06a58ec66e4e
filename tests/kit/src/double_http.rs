//! Just enough of HTTP/1.1 to stand in for a service, or between a client and one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as they came.
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// What a server answers.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// In order, names as they were written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    fn write(&self, out: &mut Vec<u8>, length: Option<usize>) {
        for (name, value) in &self.0 {
            let framing = ["content-length", "transfer-encoding", "connection", "expect"];
            let ours = framing.iter().any(|framing| name.eq_ignore_ascii_case(framing));
            if !ours || (length.is_none() && name.eq_ignore_ascii_case("content-length")) {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        if let Some(length) = length {
            out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Response {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = Headers::default().with("content-type", "application/x-amz-json-1.0");
        Self { status, headers, body: body.to_string().into_bytes() }
    }
}

/// Listens on a free port of loopback; every connection has a thread. Dropping it closes them all.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// `None` from the handler closes the connection without an answer.
    pub(crate) fn start(
        handler: impl Fn(Request) -> Option<Response> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Vec::new()));
        let handler = Arc::new(handler);
        let (stop, streams) = (Arc::clone(&stopped), Arc::clone(&open));
        let thread = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                if let Ok(clone) = stream.try_clone() {
                    streams.lock().unwrap_or_else(PoisonError::into_inner).push(clone);
                }
                let handler = Arc::clone(&handler);
                threads.push(std::thread::spawn(move || {
                    // A client that hangs up is no matter.
                    let _ = serve(&stream, &*handler);
                    let _ = stream.shutdown(Shutdown::Both);
                }));
            }
            for thread in threads {
                let _ = thread.join();
            }
        });
        Ok(Self { address, stopped, open, thread: Some(thread) })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: &TcpStream, handler: &dyn Fn(Request) -> Option<Response>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let Some((first, headers)) = head(&mut reader)? else { return Ok(()) };
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::Error::other("not HTTP"));
        };
        if headers.get("expect").is_some() {
            (&*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = body(&mut reader, &headers, Some(0))?;
        let (method, target) = (method.to_owned(), target.to_owned());
        let bodiless = method == "HEAD";
        let Some(response) = handler(Request { method, target, headers, body }) else {
            return Ok(());
        };
        let mut out = format!("HTTP/1.1 {} Answer\r\n", response.status).into_bytes();
        // The length that a HEAD's answer tells is that of the object.
        let length = (!bodiless && response.status != 204).then_some(response.body.len());
        response.headers.write(&mut out, length);
        if !bodiless {
            out.extend_from_slice(&response.body);
        }
        (&*stream).write_all(&out)?;
    }
}

/// Hands a request to the real server, host name and all, because signatures cover it.
pub(crate) fn forward(request: &Request, to: SocketAddr) -> io::Result<Response> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    out.extend_from_slice(b"connection: close\r\n");
    request.headers.write(&mut out, Some(request.body.len()));
    out.extend_from_slice(&request.body);
    (&stream).write_all(&out)?;
    let mut reader = BufReader::new(&stream);
    let (first, headers) =
        head(&mut reader)?.ok_or_else(|| io::Error::other("the server hung up"))?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {first:?}")))?;
    let length = (request.method == "HEAD" || status == 204 || status == 304).then_some(0);
    let body = match length {
        Some(_) => Vec::new(),
        None => body(&mut reader, &headers, None)?,
    };
    Ok(Response { status, headers, body })
}

/// The first line and the headers; `None` at the end of the connection.
fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let first = line(reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut headers = Headers::default();
    loop {
        let line = line(reader)?;
        match line.split_once(':') {
            Some((name, value)) => headers = headers.with(name, value.trim()),
            None => return Ok(Some((first, headers))),
        }
    }
}

/// `otherwise`: how long it is if nothing says so; `None` is up to the end of the connection.
fn body(
    reader: &mut impl BufRead,
    headers: &Headers,
    otherwise: Option<u64>,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = line(reader)?;
            let size = size.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            reader.by_ref().take(size).read_to_end(&mut body)?;
            line(reader)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).or(otherwise);
    match length {
        Some(length) => {
            reader.by_ref().take(length).read_to_end(&mut body)?;
            if (body.len() as u64) < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        None => drop(reader.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

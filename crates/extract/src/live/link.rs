//! One connection to a server: bytes out, replies in.
//!
//! Requests are gathered and sent together; replies are read token by token out of one buffer, so
//! that a value goes from the socket into a batch with a single copy and no allocation. After the
//! login the same bytes can be had raw ([`Read`], [`Write`]), which replication needs.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned};

use super::{access::Access, address::Address, resp, tls::Tls};
use crate::Error;

/// Bytes that are read at a time. The buffer grows for longer answers only.
const BUFFER: usize = 128 << 10;
/// A line of the protocol is never longer, unless it is not the protocol.
const MAX_LINE: usize = 64 << 10;
/// Replies nest no deeper: `COMMAND INFO` and `XINFO STREAM FULL` come to 6.
const MAX_DEPTH: usize = 16;

/// How a link is made: the same for every server of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    pub(crate) access: Arc<Access>,
    pub(crate) tls: Option<Tls>,
}

/// Who logs in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    node: Arc<str>,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// What a reply, or an element of one, begins with.
#[derive(Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// `+OK`
    Status(&'a [u8]),
    /// `-ERR …`, without the hyphen.
    Error(&'a [u8]),
    Integer(i64),
    /// So many bytes follow: take them with [`Link::bulk`] or [`Link::skip_bulk`].
    Bulk(usize),
    /// So many replies follow.
    Array(usize),
    Nil,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Status(String),
    Integer(i64),
    Bytes(Vec<u8>),
    Array(Vec<Reply>),
    /// An error inside of an array, or one that the caller wanted to see.
    Error(String),
    Nil,
}

impl Dialer {
    pub(crate) fn new(access: &Access, tls: bool) -> Result<Self, Error> {
        let tls = if tls { Some(Tls::new(access)?) } else { None };
        Ok(Self { access: Arc::new(access.clone()), tls })
    }

    /// Connects and logs in.
    pub(crate) fn dial(&self, address: &Address, login: &Login<'_>) -> Result<Link, Error> {
        let node: Arc<str> = address.to_string().into();
        let stream = self.connect(address, &node)?;
        let (input, output) = (vec![0; BUFFER], Vec::with_capacity(BUFFER / 2));
        let mut link = Link { stream, node, input, start: 0, end: 0, output };
        link.login(login)?;
        Ok(link)
    }

    fn connect(&self, address: &Address, node: &Arc<str>) -> Result<Stream, Error> {
        let failed = |source| Error::Connect { node: node.to_string(), source };
        match address {
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(failed)?;
                self.set_timeouts(&stream).map_err(failed)?;
                Ok(Stream::Unix(stream))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(failed(io::ErrorKind::Unsupported.into())),
            Address::Tcp { host, port } => {
                let stream = self.connect_tcp(host, *port).map_err(failed)?;
                let Some(tls) = &self.tls else { return Ok(Stream::Tcp(stream)) };
                let refused = |source| tls_error(node, source);
                let connection = tls.connection(host).map_err(refused)?;
                // Who does not speak TLS often says nothing at all.
                stream.set_timeout(self.access.connect_timeout).map_err(failed)?;
                let mut stream = StreamOwned::new(connection, stream);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock).map_err(refused)?;
                }
                self.set_timeouts(&stream.sock).map_err(failed)?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }

    /// Tries every address that the name has.
    fn connect_tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.access.connect_timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    self.set_timeouts(&stream)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn set_timeouts(&self, socket: &impl Socket) -> io::Result<()> {
        socket.set_timeout(self.access.read_timeout.max(Duration::from_millis(1)))
    }
}

/// What both kinds of sockets can.
trait Socket {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout))?;
        self.set_write_timeout(Some(timeout))
    }
}

/// Ends a connection from another thread.
#[derive(Debug)]
pub(crate) enum Breaker {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Breaker {
    pub(crate) fn shut(&self) {
        // It may be closed already.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Link {
    /// The server's address.
    pub(crate) fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// A way to end this connection while it is being waited for.
    pub(crate) fn breaker(&self) -> io::Result<Breaker> {
        Ok(match &self.stream {
            Stream::Tcp(stream) => Breaker::Tcp(stream.try_clone()?),
            Stream::Tls(stream) => Breaker::Tcp(stream.sock.try_clone()?),
            #[cfg(unix)]
            Stream::Unix(stream) => Breaker::Unix(stream.try_clone()?),
        })
    }

    fn login(&mut self, login: &Login<'_>) -> Result<(), Error> {
        if let Some(password) = login.password {
            match login.user {
                Some(user) => self.push(&["AUTH", user, password]),
                None => self.push(&["AUTH", password]),
            }
            self.flush()?;
            if let Reply::Error(detail) = self.reply()? {
                return Err(Error::Login { node: self.node.to_string(), detail });
            }
        }
        // So that whoever looks at the server's clients knows who this is; no matter if it may not.
        self.push(&["CLIENT", "SETNAME", "keystar"]);
        self.flush()?;
        self.reply().map(|_| ())
    }

    /// Appends a command to what is sent next.
    pub(crate) fn push<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        resp::encode(&mut self.output, arguments);
    }

    /// Bytes that wait to be sent.
    pub(crate) fn pending(&self) -> usize {
        self.output.len()
    }

    /// Sends what was pushed.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let sent = match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(&self.output),
            Stream::Tls(stream) => stream.write_all(&self.output).and_then(|()| stream.flush()),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write_all(&self.output),
        };
        self.output.clear();
        sent.map_err(|source| self.lost(source))
    }

    /// Sends a command and waits for its answer; an answer that is an error is an error.
    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Reply, Error> {
        match self.try_ask(arguments)? {
            Reply::Error(detail) => Err(self.refused(&name(arguments), &detail)),
            reply => Ok(reply),
        }
    }

    /// Sends a command and waits for its answer, be it an error.
    pub(crate) fn try_ask<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Reply, Error> {
        self.push(arguments);
        self.flush()?;
        self.reply()
    }

    /// Reads the beginning of a reply.
    pub(crate) fn token(&mut self) -> Result<Token<'_>, Error> {
        let (from, to) = self.line()?;
        let line = self.input.get(from..to).unwrap_or_default();
        match resp::token(line) {
            Some(token) => Ok(token),
            None => Err(Error::Protocol {
                node: self.node.to_string(),
                detail: "a line that begins no answer",
            }),
        }
    }

    /// Takes the bytes of a bulk reply whose length was told. They are all held: look at the
    /// length first.
    pub(crate) fn bulk(&mut self, len: usize) -> Result<&[u8], Error> {
        self.need(len + 2)?;
        let from = self.start;
        self.start += len + 2;
        match self.input.get(from..from + len + 2) {
            Some([bytes @ .., b'\r', b'\n']) => Ok(bytes),
            _ => Err(self.protocol("a value that does not end where it should")),
        }
    }

    /// Passes over the bytes of a bulk reply.
    pub(crate) fn skip_bulk(&mut self, len: usize) -> Result<(), Error> {
        let mut left = len + 2;
        loop {
            let here = left.min(self.end - self.start);
            self.start += here;
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads a whole reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Error> {
        self.reply_within(MAX_DEPTH)
    }

    fn reply_within(&mut self, depth: usize) -> Result<Reply, Error> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match self.token()? {
            Token::Status(status) => Reply::Status(text(status)),
            Token::Error(error) => Reply::Error(text(error)),
            Token::Integer(number) => Reply::Integer(number),
            Token::Nil => Reply::Nil,
            Token::Bulk(len) => Reply::Bytes(self.bulk(len)?.to_vec()),
            Token::Array(_) if depth == 0 => {
                return Err(self.protocol("an answer that nests too deep"));
            }
            Token::Array(len) => {
                // Not sized by what the server says: the elements come first.
                let mut replies = Vec::new();
                for _ in 0..len {
                    replies.push(self.reply_within(depth - 1)?);
                }
                Reply::Array(replies)
            }
        })
    }

    /// Where the next line lies, without its end; it is passed.
    fn line(&mut self) -> Result<(usize, usize), Error> {
        let mut looked = 0;
        loop {
            let here = self.input.get(self.start + looked..self.end).unwrap_or_default();
            if let Some(at) = here.iter().position(|byte| *byte == b'\n') {
                let (from, to) = (self.start, self.start + looked + at);
                self.start = to + 1;
                return Ok((from, to.saturating_sub(1).max(from)));
            }
            looked = self.end - self.start;
            if looked > MAX_LINE {
                return Err(self.protocol("a line without an end"));
            }
            self.fill()?;
        }
    }

    /// Has so many bytes in the buffer.
    fn need(&mut self, len: usize) -> Result<(), Error> {
        while self.end - self.start < len {
            if self.start + len > self.input.len() {
                self.compact();
            }
            // It grows as bytes come, not as the server says that they will.
            self.fill()?;
        }
        Ok(())
    }

    fn compact(&mut self) {
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }

    /// Reads what there is, at least a byte.
    fn fill(&mut self) -> Result<(), Error> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            // What a long answer needed is not kept.
            if self.input.len() > 8 * BUFFER {
                self.input.truncate(BUFFER);
                self.input.shrink_to_fit();
            }
        } else if self.end == self.input.len() {
            self.compact();
            if self.end == self.input.len() {
                self.input.resize(self.end * 2, 0);
            }
        }
        let room = self.input.get_mut(self.end..).unwrap_or_default();
        match read_some(&mut self.stream, room) {
            Ok(0) => Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.end += count;
                Ok(())
            }
            Err(error) => Err(self.lost(error)),
        }
    }

    pub(crate) fn lost(&self, source: io::Error) -> Error {
        // What a timed-out read says differs between systems.
        let source = match source.kind() {
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
            }
            _ => source,
        };
        match source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
            true => tls_error(&self.node, source),
            false => Error::Lost { node: self.node.to_string(), source },
        }
    }

    pub(crate) fn protocol(&self, detail: &'static str) -> Error {
        Error::Protocol { node: self.node.to_string(), detail }
    }

    /// What an answer that is an error means.
    pub(crate) fn refused(&self, command: &str, detail: &str) -> Error {
        resp::refused(&self.node, command, detail)
    }
}

fn tls_error(node: &str, source: io::Error) -> Error {
    let node = node.to_owned();
    match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Connect {
            node,
            source: io::Error::new(io::ErrorKind::TimedOut, "no answer to the TLS handshake"),
        },
        _ if source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Error::Tls { node, source }
        }
        _ => Error::Connect { node, source },
    }
}

/// The command's name, with its subcommand where it is made of two words.
fn name<A: AsRef<[u8]>>(arguments: &[A]) -> String {
    let word = |at: usize| {
        arguments.get(at).map(|word| String::from_utf8_lossy(word.as_ref()).into_owned())
    };
    let first = word(0).unwrap_or_default();
    match (first.as_str(), word(1)) {
        (
            "CLUSTER" | "CONFIG" | "XINFO" | "SENTINEL" | "ACL" | "MEMORY" | "CLIENT",
            Some(second),
        ) => {
            format!("{first} {second}")
        }
        _ => first,
    }
}

fn read_some(stream: &mut Stream, room: &mut [u8]) -> io::Result<usize> {
    loop {
        let read = match stream {
            Stream::Tcp(stream) => stream.read(room),
            Stream::Tls(stream) => stream.read(room),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.read(room),
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The raw bytes, from where the last reply ended.
impl Read for Link {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            return read_some(&mut self.stream, room);
        }
        let here = self.input.get(self.start..self.end).unwrap_or_default();
        let count = here.len().min(room.len());
        if let (Some(room), Some(here)) = (room.get_mut(..count), here.get(..count)) {
            room.copy_from_slice(here);
        }
        self.start += count;
        Ok(count)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

impl Reply {
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Status(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// An integer, as such or as text.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => self.text()?.parse().ok(),
        }
    }

    pub(crate) fn array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(replies) => Some(replies),
            _ => None,
        }
    }

    /// What stands behind a name in an array of names and values.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let pairs = self.array()?.chunks_exact(2);
        pairs
            .filter_map(|pair| <&[Self; 2]>::try_from(pair).ok())
            .find_map(|[found, value]| (found.bytes() == Some(name.as_bytes())).then_some(value))
    }
}

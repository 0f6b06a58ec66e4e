//! A live Redis, and just enough of its protocol to ask it things.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::places;
use crate::process::Server;

/// The setting that a server which speaks TLS has.
const TLS: &str = "--tls-cert-file";
/// How long a server may take to start: it may have a file to load.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis server on loopback with an empty data set, or one loaded from a file.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    program: PathBuf,
    arguments: Vec<String>,
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// No such thing.
    Nil,
    /// `+OK`.
    Status(String),
    /// `:1`.
    Integer(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several.
    Array(Vec<Reply>),
}

impl Redis {
    /// Starts Debian's `redis-server`, empty.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_program(Path::new("redis-server"), None)
    }

    /// Starts Valkey 9.1, empty: field expiry, and dumps of Valkey's own family.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn valkey() -> io::Result<Self> {
        let program = places::installed("tools/bin/valkey-server")?;
        Self::start_program(&program, None)
    }

    /// Starts it with the data of an RDB file.
    ///
    /// # Errors
    /// When it refuses the file.
    pub fn load(rdb: &Path) -> io::Result<Self> {
        Self::start_program(Path::new("redis-server"), Some(rdb))
    }

    /// Starts another server that understands the same arguments (Valkey, another Redis).
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_program(program: &Path, rdb: Option<&Path>) -> io::Result<Self> {
        Self::start_with(program, rdb, |_| Ok(Vec::new()))
    }

    /// Starts a server with further arguments, made for its folder.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(
        program: &Path,
        rdb: Option<&Path>,
        further: impl Fn(&Path) -> io::Result<Vec<String>>,
    ) -> io::Result<Self> {
        let arguments = std::cell::RefCell::new(Vec::new());
        let server = Server::start("redis", PATIENCE, |folder, port| {
            if let Some(rdb) = rdb {
                std::fs::copy(rdb, folder.join("dump.rdb"))?;
            }
            let socket = folder.join("socket");
            let (folder_text, socket) = (folder.to_string_lossy(), socket.to_string_lossy());
            let further = further(folder)?;
            let is_tls = further.iter().any(|word| word == TLS);
            let port_name = if is_tls { "--tls-port" } else { "--port" };
            let mut all: Vec<String> = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
                .into_iter()
                .chain(["--unixsocket", &socket, "--dir", &folder_text])
                .map(str::to_owned)
                .collect();
            all.extend([port_name.to_owned(), port.to_string()]);
            all.extend(further);
            arguments.replace(all.clone());
            let mut command = Command::new(program);
            command.args(all);
            Ok(command)
        })?;
        let redis = Self { server, program: program.to_owned(), arguments: arguments.into_inner() };
        redis.wait_until_loaded()?;
        Ok(redis)
    }

    /// It listens before it has loaded its file.
    fn wait_until_loaded(&self) -> io::Result<()> {
        let mut connection = self.connect()?;
        for _ in 0..3000 {
            match connection.command(&[b"PING"]) {
                Ok(_) => return Ok(()),
                Err(error) if error.to_string().contains("LOADING") => {
                    std::thread::sleep(Duration::from_millis(20))
                }
                // It is there; what it wants to be told first is another matter.
                Err(error) if error.to_string().contains("NOAUTH") => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the server is still loading"))
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Errors
    /// When it cannot.
    pub fn kill(&mut self) -> io::Result<()> {
        self.server.kill()
    }

    /// Starts it again on the same port, with what it saved.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        self.server.start_again(PATIENCE, command)?;
        self.wait_until_loaded()
    }

    /// A new connection; to a server that speaks TLS, by its socket.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn connect(&self) -> io::Result<Connection> {
        if !self.is_tls() {
            return Connection::tcp(self.server.address());
        }
        Connection::unix(&self.socket())
    }

    fn is_tls(&self) -> bool {
        self.arguments.iter().any(|word| word == TLS)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.server.folder().join("socket")
    }

    /// Its own folder.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The URL by which clients find it.
    pub fn url(&self) -> String {
        format!("redis{}://{}", if self.is_tls() { "s" } else { "" }, self.server.address())
    }

    /// Has the server save its data, and says where.
    ///
    /// # Errors
    /// When it cannot.
    pub fn save(&self) -> io::Result<PathBuf> {
        self.connect()?.command(&[b"SAVE"])?;
        Ok(self.server.folder().join("dump.rdb"))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<Stream>,
    writer: Stream,
}

/// What a connection runs over.
#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(room),
            Self::Unix(stream) => stream.read(room),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    /// Connects to whatever speaks the protocol there.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let reader = BufReader::new(Stream::Tcp(stream.try_clone()?));
        Ok(Self { reader, writer: Stream::Tcp(stream) })
    }

    /// Connects to a socket, which is made a moment after the port listens.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn unix(socket: &Path) -> io::Result<Self> {
        let mut tries = 0;
        let stream = loop {
            match UnixStream::connect(socket) {
                Err(_) if tries < 500 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
                connected => break connected?,
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let reader = BufReader::new(Stream::Unix(stream.try_clone()?));
        Ok(Self { reader, writer: Stream::Unix(stream) })
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The server's own error text, or a broken connection.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            let bytes = argument.as_ref();
            request.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            request.extend_from_slice(bytes);
            request.extend_from_slice(b"\r\n");
        }
        self.writer.write_all(&request)?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let line = line.trim_end();
        let (mark, rest) =
            line.split_at_checked(1).ok_or_else(|| io::Error::other("the server hung up"))?;
        let number = || {
            rest.parse::<i64>().map_err(|_| io::Error::other(format!("not an answer: {line:?}")))
        };
        match mark {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Err(io::Error::other(rest.to_owned())),
            ":" => Ok(Reply::Integer(number()?)),
            "$" if rest == "-1" => Ok(Reply::Nil),
            "$" => {
                let mut bytes = vec![0; number()? as usize + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Bytes(bytes))
            }
            "*" if rest == "-1" => Ok(Reply::Nil),
            "*" => {
                (0..number()?).map(|_| self.reply()).collect::<io::Result<_>>().map(Reply::Array)
            }
            _ => Err(io::Error::other(format!("not an answer: {line:?}"))),
        }
    }

    /// Sends commands that are written out already, and waits for all their answers.
    ///
    /// # Errors
    /// The first answer that is an error, with the server's text.
    pub fn play(&mut self, commands: &[u8]) -> io::Result<()> {
        // In pieces: a server that may not write its answers stops reading.
        let mut rest = commands;
        while !rest.is_empty() {
            let (one, after) = first_command(rest)?;
            self.writer.write_all(one)?;
            self.reply()?;
            rest = after;
        }
        Ok(())
    }

    /// `DUMP`: the value's bytes, which `RESTORE` takes.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn dump(&mut self, key: &[u8]) -> io::Result<Vec<u8>> {
        match self.command(&[b"DUMP", key])? {
            Reply::Bytes(bytes) => Ok(bytes),
            other => Err(io::Error::other(format!("DUMP answered {other:?}"))),
        }
    }
}

/// Cuts off the first command, `*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n`.
fn first_command(bytes: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let bad = || io::Error::other("not a command");
    let mut at = 0;
    let mut number = |mark: u8, skip: usize| -> io::Result<usize> {
        let rest = bytes.get(at..).ok_or_else(bad)?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(bad)?;
        let line = rest[..end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(&[mark]));
        let number = line
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .ok_or_else(bad)?;
        at += end + 1 + skip * (number + 2);
        Ok(number)
    };
    for _ in 0..number(b'*', 0)? {
        number(b'$', 1)?;
    }
    bytes.split_at_checked(at).ok_or_else(bad)
}

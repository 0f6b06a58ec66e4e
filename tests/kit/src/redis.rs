//! A live Redis, and just enough of its protocol to ask it things.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::places;
use crate::process::Server;

/// A Redis server on loopback with an empty data set, or one loaded from a file.
#[derive(Debug)]
pub struct Redis {
    server: Server,
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
        let server = Server::start("redis", Duration::from_secs(30), |folder, port| {
            if let Some(rdb) = rdb {
                std::fs::copy(rdb, folder.join("dump.rdb"))?;
            }
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
            command.arg(port.to_string()).arg("--dir").arg(folder);
            Ok(command)
        })?;
        let redis = Self { server };
        // It listens before it has loaded its file.
        let mut connection = redis.connect()?;
        for _ in 0..3000 {
            match connection.command(&[b"PING"]) {
                Ok(_) => return Ok(redis),
                Err(error) if error.to_string().contains("LOADING") => {
                    std::thread::sleep(Duration::from_millis(20))
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the server is still loading"))
    }

    /// A new connection.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.server.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Connection { reader: BufReader::new(stream.try_clone()?), writer: stream })
    }

    /// The URL by which clients find it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.server.address())
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
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Connection {
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

use std::{io, path::PathBuf};

/// What went wrong while reading Redis data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or is not a file.
    #[error("cannot open {path}", path = path.display())]
    Open {
        /// The path as it was given.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The path names a folder; one dump file is expected.
    #[error("{path} is a directory, not an RDB file", path = path.display())]
    Directory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// Reading stopped with an I/O error.
    #[error("cannot read the source at byte {offset}")]
    Read {
        /// How many (decompressed) bytes had been read.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The compressed envelope around the dump is damaged.
    #[error("the {compression} stream is damaged after {offset} decompressed bytes")]
    Compression {
        /// The envelope's name: `gzip`, `zstd` or `lz4`.
        compression: &'static str,
        /// How many decompressed bytes were good.
        offset: u64,
        /// The decompressor's reason.
        source: io::Error,
    },
    /// The bytes are not a readable dump.
    #[error("the dump cannot be read")]
    Dump(#[from] keystar_rdb::Error),
    /// One of several dumps cannot be read; the cause says why.
    #[error("cannot read {place}")]
    Place {
        /// The dump's path or URL.
        place: String,
        /// What went wrong with it.
        source: Box<Error>,
    },
    /// A list of dumps cannot be made of what was given.
    #[error("{place}: {reason}")]
    Places {
        /// The path, pattern or URL as it was given.
        place: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// An append-only file cannot be read on.
    #[error("{file}, byte {offset}: {detail}")]
    Log {
        /// The file's path.
        file: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// A command of an append-only file cannot be replayed.
    #[error("{file}, byte {offset}: cannot replay {command}: {detail}")]
    Command {
        /// The file's path.
        file: String,
        /// Where the command begins, in bytes from the start of the file.
        offset: u64,
        /// The command's name.
        command: String,
        /// Why not.
        detail: String,
    },
    /// What an append-only file's commands touch takes more memory than it may.
    #[error("replaying {file} takes more than {limit} bytes of memory")]
    Memory {
        /// The file's path.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// The dump that a live server sent broke off, or cannot be read; the cause says why.
    #[error("the snapshot of {node} cannot be read to its end")]
    Snapshot {
        /// The server's address.
        node: String,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The position to resume from does not fit this source.
    #[error("cannot resume: {0}")]
    Position(&'static str),
    /// The text names no server.
    #[error("not the URL of a Redis server: {reason}")]
    Url {
        /// What is wrong with it. The text itself is not told: a password may stand in it.
        reason: &'static str,
    },
    /// No connection to a server.
    #[error("cannot connect to {node}")]
    Connect {
        /// The server's address.
        node: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server and we do not trust each other.
    #[error("no encrypted connection to {node}")]
    Tls {
        /// The server's address.
        node: String,
        /// What is wrong with the certificates, or with the protocol.
        source: io::Error,
    },
    /// A certificate or a key of ours cannot be used.
    #[error("cannot use {path}", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The server does not let us in: a wrong password, or none.
    #[error("{node} refuses the login: {detail}")]
    Login {
        /// The server's address.
        node: String,
        /// The server's own words.
        detail: String,
    },
    /// The user may not run a command that the work needs.
    #[error("{node} does not let the user run {command}: {detail}")]
    Forbidden {
        /// The server's address.
        node: String,
        /// The command, e.g. `DUMP`.
        command: String,
        /// The server's own words.
        detail: String,
    },
    /// A server is there but cannot serve: it is loading, it is no primary, its cluster is down,
    /// no Sentinel knows a primary.
    #[error("{node} cannot serve: {detail}")]
    Unavailable {
        /// The server's address.
        node: String,
        /// Why not.
        detail: String,
    },
    /// A connection was lost and could not be had again in time.
    #[error("the connection to {node} is lost")]
    Lost {
        /// The server's address.
        node: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server answers something that its protocol does not allow.
    #[error("{node} answers what is not the Redis protocol: {detail}")]
    Protocol {
        /// The server's address.
        node: String,
        /// What is odd.
        detail: &'static str,
    },
    /// The server has not got a command that the work needs.
    #[error("{node} does not know {command}")]
    Unsupported {
        /// The server's address.
        node: String,
        /// The command, e.g. `PSYNC`.
        command: String,
    },
    /// The server answers a command with an error.
    #[error("{node} answers {command} with an error: {detail}")]
    Answer {
        /// The server's address.
        node: String,
        /// The command.
        command: String,
        /// The server's own words.
        detail: String,
    },
}

#[cfg(feature = "s3")]
impl From<keystar_bucket::Error> for Error {
    fn from(error: keystar_bucket::Error) -> Self {
        match error {
            keystar_bucket::Error::Place { place, reason } => Self::Places { place, reason },
            keystar_bucket::Error::Io { place, source, .. } => {
                Self::Open { path: PathBuf::from(place), source }
            }
            other => Self::Open { path: "s3://".into(), source: io::Error::other(other) },
        }
    }
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Read { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ),
            Self::Place { source, .. } => source.is_retryable(),
            Self::Connect { .. } | Self::Lost { .. } | Self::Unavailable { .. } => true,
            _ => false,
        }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Url { .. } => "for example redis://user@host:6379, rediss://host, \
                unix:///run/redis.sock, redis+sentinel://host:26379/mymaster"
                .to_owned(),
            Self::Connect { .. } => {
                "check the host, the port, and that the server may be reached from here".to_owned()
            }
            Self::Tls { .. } => "check that the port speaks TLS, that the CA is the one that \
                signed the server's certificate, that no certificate is expired, and that the \
                certificate names the host, or set the server's name"
                .to_owned(),
            Self::Certificate { .. } => "certificates and keys are PEM files".to_owned(),
            Self::Login { .. } => {
                "check the user and the password, which come from the environment or from a file"
                    .to_owned()
            }
            Self::Forbidden { command, .. } => {
                let grant = command.to_ascii_lowercase().replace(' ', "|");
                format!("grant it: ACL SETUSER <user> +{grant} ~*")
            }
            Self::Unavailable { .. } | Self::Lost { .. } => {
                "when the server is back, resume: nothing that was read before is read again"
                    .to_owned()
            }
            Self::Unsupported { command, .. } if command == "PSYNC" => {
                "this service does not give its replication stream away: use the scan".to_owned()
            }
            Self::Unsupported { command, .. } if command == "DUMP" => {
                "read the values by type instead".to_owned()
            }
            Self::Place { source, .. } => return source.hint(),
            Self::Snapshot { source, .. } if matches!(**source, Self::Lost { .. }) => {
                "begin again; a server hangs up when it must wait for longer than its repl-timeout, \
                 or holds more than its client-output-buffer-limit of replicas allows: raise them"
                    .to_owned()
            }
            Self::Log { .. } => {
                "redis-check-aof tells whether the file can be repaired; or take an RDB file of the \
                 server"
                    .to_owned()
            }
            Self::Command { .. } | Self::Memory { .. } => {
                "have the server write the file anew without the commands (BGREWRITEAOF), or take \
                 an RDB file of it (BGSAVE)"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

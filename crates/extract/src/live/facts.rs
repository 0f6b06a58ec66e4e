//! What servers say of themselves, for whoever decides whether and how to read them.

use std::collections::BTreeMap;

use keystar_rdb::Db;

use super::{
    info::Info,
    link::{Link, Reply},
    redis::{Connected, Mode, Redis},
    resp,
    topology::Shard,
};
use crate::Error;

/// A fact, or why it is not known.
pub type Fact<T> = Result<T, String>;

/// What the servers of a deployment say of themselves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// How the servers work together.
    pub kind: DeploymentKind,
    /// One server of each shard: the one that a scan would read.
    pub nodes: Vec<NodeFacts>,
}

/// How servers work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeploymentKind {
    /// One server, perhaps with replicas.
    Standalone,
    /// A cluster, each of whose shards holds some of the slots.
    Cluster,
    /// A server and replicas, watched by Sentinels.
    Sentinel,
}

/// What one server says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeFacts {
    /// Its address.
    pub address: String,
    /// `Redis` or `Valkey`.
    pub server: Fact<String>,
    /// Its version, e.g. `7.0.15`.
    pub version: Fact<String>,
    /// `master` or `slave`, as it says.
    pub role: Fact<String>,
    /// The ranges of its slots, both ends included; none outside of clusters.
    pub slots: Vec<(u16, u16)>,
    /// How many replicas its shard has.
    pub replicas: u64,
    /// Its modules and their versions.
    pub modules: Fact<Vec<(String, u64)>>,
    /// Its memory.
    pub memory: Fact<MemoryFacts>,
    /// Its databases that hold keys.
    pub databases: Fact<BTreeMap<Db, DbFacts>>,
    /// `client-output-buffer-limit` for replicas: hard limit, soft limit (bytes), and for how many
    /// seconds; 0 means none.
    pub replica_buffer: Fact<(u64, u64, u64)>,
    /// `repl-backlog-size`, in bytes.
    pub backlog_bytes: Fact<u64>,
    /// `repl-diskless-sync`: whether a replica is fed without a file.
    pub diskless: Fact<bool>,
    /// By command, whether we may run it.
    pub commands: BTreeMap<&'static str, Permission>,
}

/// What a server says of its memory; all in bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryFacts {
    /// What it uses by its own count.
    pub used: u64,
    /// What it takes from the system.
    pub resident: u64,
    /// What it may use; 0 means no limit.
    pub max: u64,
    /// Which keys go when that is reached, e.g. `noeviction`.
    pub policy: String,
    /// What the machine has; a fork for a snapshot may need as much again as is used.
    pub machine: Option<u64>,
    /// What was copied while the last snapshot was written.
    pub last_copied: Option<u64>,
}

/// What a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DbFacts {
    /// Keys.
    pub keys: u64,
    /// Keys that expire.
    pub expires: u64,
    /// How long those have still to live on average, in milliseconds.
    pub average_ttl_ms: u64,
}

/// Whether we may run a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// Yes.
    Granted,
    /// No: the server's words.
    Denied(String),
    /// The server has no such command, or does not give it to anybody.
    Missing,
    /// That cannot be found out without running it.
    Unknown,
}

/// The commands that reading needs, with arguments by which they can be tried without effect; none
/// where running is no trial.
const COMMANDS: [(&str, Option<&[&str]>); 22] = [
    ("SCAN", Some(&["SCAN", "0", "COUNT", "1"])),
    ("DUMP", Some(&["DUMP", NONE])),
    ("PEXPIRETIME", Some(&["PEXPIRETIME", NONE])),
    ("PTTL", Some(&["PTTL", NONE])),
    ("TYPE", Some(&["TYPE", NONE])),
    ("MEMORY USAGE", Some(&["MEMORY", "USAGE", NONE])),
    ("STRLEN", Some(&["STRLEN", NONE])),
    ("GETRANGE", Some(&["GETRANGE", NONE, "0", "0"])),
    ("LRANGE", Some(&["LRANGE", NONE, "0", "0"])),
    ("HSCAN", Some(&["HSCAN", NONE, "0"])),
    ("HPEXPIRETIME", Some(&["HPEXPIRETIME", NONE, "FIELDS", "1", "f"])),
    ("SSCAN", Some(&["SSCAN", NONE, "0"])),
    ("ZSCAN", Some(&["ZSCAN", NONE, "0"])),
    ("XRANGE", Some(&["XRANGE", NONE, "-", "+", "COUNT", "1"])),
    ("XINFO STREAM", Some(&["XINFO", "STREAM", NONE])),
    ("XPENDING", Some(&["XPENDING", NONE, "g"])),
    ("JSON.GET", Some(&["JSON.GET", NONE])),
    ("INFO", Some(&["INFO", "server"])),
    ("CONFIG GET", Some(&["CONFIG", "GET", "repl-backlog-size"])),
    ("CLUSTER SLOTS", Some(&["CLUSTER", "SLOTS"])),
    ("REPLCONF", None),
    ("PSYNC", None),
];

/// A key that nobody has.
const NONE: &str = "keystar:none";

impl Redis {
    /// Asks one server of each shard what it is, what it holds and what it lets us do.
    ///
    /// What a server does not tell is left open, with the reason; it is no error.
    ///
    /// # Errors
    ///
    /// When a server cannot be reached.
    pub fn facts(&self) -> Result<Facts, Error> {
        let nodes =
            self.shards()?.iter().map(|shard| self.node_facts(shard)).collect::<Result<_, _>>()?;
        let kind = match self.mode() {
            Mode::Server => DeploymentKind::Standalone,
            Mode::Cluster => DeploymentKind::Cluster,
            Mode::Sentinel => DeploymentKind::Sentinel,
        };
        Ok(Facts { kind, nodes })
    }

    fn node_facts(&self, shard: &Shard) -> Result<NodeFacts, Error> {
        let Connected { mut link, info } = self.dial_shard(shard)?;
        let told = |name: &str| {
            let denied = || "INFO is not granted".to_owned();
            let missing = || format!("INFO does not tell {name}");
            let value = info.get(name).map(str::to_owned);
            value.ok_or_else(|| if info.is_known() { missing() } else { denied() })
        };
        let version = told("valkey_version").or_else(|_| told("redis_version"));
        let server = version.clone().map(|_| match info.get("valkey_version") {
            Some(_) => "Valkey".to_owned(),
            None => "Redis".to_owned(),
        });
        let databases = told("redis_version").map(|_| {
            let told = info.keyspaces().into_iter();
            told.map(|(db, space)| {
                let super::info::Keyspace { keys, expires, average_ttl_ms } = space;
                (db, DbFacts { keys, expires, average_ttl_ms })
            })
            .collect()
        });
        Ok(NodeFacts {
            address: link.node().to_string(),
            server,
            version,
            role: told("role"),
            slots: shard.slots.clone(),
            replicas: info.number("connected_slaves").unwrap_or(shard.replicas.len() as u64),
            modules: modules(&mut link)?,
            memory: memory(&info),
            databases,
            replica_buffer: setting(&mut link, "client-output-buffer-limit")?
                .and_then(|text| replica_buffer(&text)),
            backlog_bytes: setting(&mut link, "repl-backlog-size")?
                .and_then(|text| text.parse().map_err(|_| format!("not a number: {text}"))),
            diskless: setting(&mut link, "repl-diskless-sync")?.map(|text| text == "yes"),
            commands: permissions(&mut link)?,
        })
    }
}

fn memory(info: &Info) -> Fact<MemoryFacts> {
    let number = |name: &str| info.number(name).ok_or_else(|| format!("INFO does not tell {name}"));
    Ok(MemoryFacts {
        used: number("used_memory")?,
        resident: number("used_memory_rss").unwrap_or_default(),
        max: number("maxmemory").unwrap_or_default(),
        policy: info.get("maxmemory_policy").unwrap_or("noeviction").to_owned(),
        machine: info.number("total_system_memory"),
        last_copied: info.number("rdb_last_cow_size"),
    })
}

fn modules(link: &mut Link) -> Result<Fact<Vec<(String, u64)>>, Error> {
    Ok(match link.try_ask(&["MODULE", "LIST"])? {
        Reply::Error(detail) => Err(detail),
        reply => {
            let module = |reply: &Reply| {
                let name = reply.field("name")?.text()?.to_owned();
                let version = reply.field("ver").and_then(Reply::integer).unwrap_or_default();
                Some((name, u64::try_from(version).unwrap_or_default()))
            };
            Ok(reply.array().unwrap_or_default().iter().filter_map(module).collect())
        }
    })
}

fn setting(link: &mut Link, name: &str) -> Result<Fact<String>, Error> {
    Ok(match link.try_ask(&["CONFIG", "GET", name])? {
        Reply::Error(detail) => Err(detail),
        reply => match reply.field(name).and_then(Reply::text) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("the server has no setting {name}")),
        },
    })
}

/// `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60`
fn replica_buffer(text: &str) -> Fact<(u64, u64, u64)> {
    let mut words =
        text.split(' ').skip_while(|word| !matches!(*word, "slave" | "replica")).skip(1);
    let mut number = || words.next()?.parse().ok();
    number()
        .zip(number())
        .zip(number())
        .map(|((hard, soft), seconds)| (hard, soft, seconds))
        .ok_or_else(|| format!("it tells nothing of replicas: {text}"))
}

fn permissions(link: &mut Link) -> Result<BTreeMap<&'static str, Permission>, Error> {
    let user = link.try_ask(&["ACL", "WHOAMI"])?.text().map(str::to_owned);
    COMMANDS
        .into_iter()
        .map(|(name, trial)| Ok((name, permission(link, user.as_deref(), name, trial)?)))
        .collect()
}

fn permission(
    link: &mut Link,
    user: Option<&str>,
    name: &str,
    trial: Option<&[&str]>,
) -> Result<Permission, Error> {
    if let Some(trial) = trial {
        let Reply::Error(detail) = link.try_ask(trial)? else { return Ok(Permission::Granted) };
        return Ok(match link.refused(name, &detail) {
            Error::Forbidden { detail, .. } => Permission::Denied(detail),
            Error::Unsupported { .. } => Permission::Missing,
            error @ (Error::Login { .. } | Error::Unavailable { .. })
                if resp::redirect(detail.as_bytes()).is_none() =>
            {
                return Err(error);
            }
            // It ran, and did not like the key that nobody has.
            _ => Permission::Granted,
        });
    }
    if let Reply::Array(found) = link.try_ask(&["COMMAND", "INFO", name])?
        && found.first() == Some(&Reply::Nil)
    {
        return Ok(Permission::Missing);
    }
    let Some(user) = user else { return Ok(Permission::Unknown) };
    let arguments: &[&str] = match name {
        "PSYNC" => &["ACL", "DRYRUN", user, "PSYNC", "?", "-1"],
        _ => &["ACL", "DRYRUN", user, name, "capa", "eof"],
    };
    Ok(match link.try_ask(arguments)? {
        Reply::Status(_) => Permission::Granted,
        // The answer of a dry run is no error; it tells what a real one would say.
        Reply::Bytes(text) => Permission::Denied(String::from_utf8_lossy(&text).into_owned()),
        _ => Permission::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_replicas_is_read() {
        let text = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(replica_buffer(text), Ok((268_435_456, 67_108_864, 60)));
        assert!(replica_buffer("normal 0 0 0").is_err());
    }
}

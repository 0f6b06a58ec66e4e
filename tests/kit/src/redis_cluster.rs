//! A cluster of real servers, and what happens to clusters: failovers and slots that move.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::free_address;
use crate::redis::{Redis, Reply};
use crate::redis_tls::Certificates;

/// Three primaries, each with as many replicas as was asked for, all slots covered.
#[derive(Debug)]
pub struct Cluster {
    /// The primaries first, then the replicas: that of the first, of the second, of the third, and again.
    pub nodes: Vec<Redis>,
    ids: Vec<String>,
}

/// How many slots there are.
const SLOTS: u16 = 16384;
/// The primaries.
const PRIMARIES: usize = 3;

impl Cluster {
    /// Starts Debian's Redis as a cluster.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(replicas: usize) -> io::Result<Self> {
        Self::start_program(Path::new("redis-server"), replicas)
    }

    /// Starts another server as a cluster.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_program(program: &Path, replicas: usize) -> io::Result<Self> {
        Self::start_with(program, replicas, &[])
    }

    /// Starts Debian's Redis as a cluster in which everybody speaks TLS, to clients and to each other, shows this
    /// certificate and wants one; with further arguments.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn encrypted(
        replicas: usize,
        certificates: &Certificates,
        name: &str,
        further: &[&str],
    ) -> io::Result<Self> {
        let mut arguments = certificates.arguments(name, true);
        let cluster = ["--tls-cluster", "yes"];
        arguments.extend(cluster.iter().chain(further).map(|word| (*word).to_owned()));
        Self::start_with(Path::new("redis-server"), replicas, &arguments)
    }

    fn start_with(program: &Path, replicas: usize, further: &[String]) -> io::Result<Self> {
        let mut nodes = Vec::new();
        for _ in 0..PRIMARIES * (1 + replicas) {
            nodes.push(Redis::start_with(program, None, |_| {
                let bus = free_address()?.port().to_string();
                let words = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500"];
                let more = ["--cluster-port", &bus, "--repl-diskless-sync-delay", "0"];
                let own = words.into_iter().chain(more).map(str::to_owned);
                Ok(own.chain(further.iter().cloned()).collect())
            })?);
        }
        let ids =
            nodes.iter().map(|node| text(node, &["CLUSTER", "MYID"])).collect::<io::Result<_>>()?;
        let cluster = Self { nodes, ids };
        cluster.join()?;
        Ok(cluster)
    }

    fn join(&self) -> io::Result<()> {
        let part = SLOTS.div_ceil(PRIMARIES as u16);
        for (at, node) in self.nodes.iter().enumerate() {
            if at < PRIMARIES {
                let (from, to) = (part * at as u16, (part * (at as u16 + 1)).min(SLOTS) - 1);
                text(node, &["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
                text(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
            }
        }
        for node in self.nodes.iter().skip(1) {
            let port = node.address().port();
            let setting = node.connect()?.command(&["CONFIG", "GET", "cluster-port"])?;
            let bus = match &setting {
                Reply::Array(pair) => match pair.as_slice() {
                    [_, Reply::Bytes(bus)] => String::from_utf8_lossy(bus).into_owned(),
                    _ => return Err(io::Error::other(format!("no port of the bus: {setting:?}"))),
                },
                _ => return Err(io::Error::other(format!("no port of the bus: {setting:?}"))),
            };
            text(&self.nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus])?;
        }
        self.wait("all know each other", || {
            for node in &self.nodes {
                let known = text(node, &["CLUSTER", "NODES"])?;
                if known.lines().count() != self.nodes.len() || known.contains("handshake") {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        for (at, node) in self.nodes.iter().enumerate().skip(PRIMARIES) {
            text(node, &["CLUSTER", "REPLICATE", &self.ids[at % PRIMARIES]])?;
        }
        self.wait("the cluster is up", || {
            for (at, node) in self.nodes.iter().enumerate() {
                let up = text(node, &["CLUSTER", "INFO"])?.contains("cluster_state:ok");
                let replicates = text(node, &["INFO", "replication"])?;
                let linked = at < PRIMARIES || replicates.contains("master_link_status:up");
                let slots = text(node, &["CLUSTER", "NODES"])?;
                let replicas = slots.lines().filter(|line| line.contains("slave")).count();
                if !(up && linked && replicas == self.nodes.len() - PRIMARIES) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// The URL by which clients find it.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// Runs a command for a key where the key lives.
    ///
    /// # Errors
    /// The server's own error text.
    pub fn command(&self, arguments: &[&str]) -> io::Result<Reply> {
        let mut at = 0;
        for _ in 0..20 {
            match self.nodes[at].connect()?.command(arguments) {
                Err(error) if error.to_string().starts_with("MOVED") => {
                    let text = error.to_string();
                    let port = text.rsplit(':').next().and_then(|port| port.parse().ok());
                    let found =
                        self.nodes.iter().position(|node| Some(node.address().port()) == port);
                    at = found.ok_or(error)?;
                }
                other => return other,
            }
        }
        Err(io::Error::other("the nodes do not agree where it is"))
    }

    /// Sets keys, each on the node that has its slot.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn fill(&self, names: impl Iterator<Item = String>) -> io::Result<()> {
        let mut connections = Vec::new();
        for node in &self.nodes[..PRIMARIES] {
            connections.push(node.connect()?);
        }
        for name in names {
            let value = format!("value of {name}");
            let mut set = false;
            for connection in &mut connections {
                match connection.command(&["SET", &name, &value]) {
                    Err(error) if error.to_string().starts_with("MOVED") => {}
                    answer => {
                        answer?;
                        set = true;
                        break;
                    }
                }
            }
            if !set {
                return Err(io::Error::other(format!("no node takes {name}")));
            }
        }
        Ok(())
    }

    /// The slots that a node owns, as it says itself.
    ///
    /// # Errors
    /// When the node is gone.
    pub fn slots_of(&self, node: usize) -> io::Result<Vec<u16>> {
        slots_of(&text(&self.nodes[node], &["CLUSTER", "NODES"])?, &self.ids[node])
    }

    /// Moves a slot with its keys from one node to another, as `redis-cli --cluster reshard` does.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) -> io::Result<()> {
        self.begin_move(slot, from, to)?;
        while self.move_keys(slot, from, to, 100)? > 0 {}
        let slot = slot.to_string();
        for node in [to, from] {
            text(&self.nodes[node], &["CLUSTER", "SETSLOT", &slot, "NODE", &self.ids[to]])?;
        }
        // Moves that overlap may get the same epoch, and then the nodes never agree.
        let number = slot.parse().map_err(io::Error::other)?;
        self.wait("all know where the slot is", || {
            for node in &self.nodes[..PRIMARIES] {
                if !slots_of(&text(node, &["CLUSTER", "NODES"])?, &self.ids[to])?.contains(&number)
                {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Declares that a slot is on its way.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) -> io::Result<()> {
        let slot = slot.to_string();
        text(&self.nodes[to], &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]])?;
        text(&self.nodes[from], &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]])?;
        Ok(())
    }

    /// Moves some keys of a slot that is on its way; how many there were to move.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize, count: usize) -> io::Result<usize> {
        let mut connection = self.nodes[from].connect()?;
        let (slot, count) = (slot.to_string(), count.to_string());
        let Reply::Array(names) =
            connection.command(&["CLUSTER", "GETKEYSINSLOT", &slot, &count])?
        else {
            return Ok(0);
        };
        let port = self.nodes[to].address().port().to_string();
        let mut command: Vec<Vec<u8>> = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"]
            .map(|word| word.as_bytes().to_vec())
            .into();
        for name in &names {
            if let Reply::Bytes(name) = name {
                command.push(name.clone());
            }
        }
        if !names.is_empty() {
            connection.command(&command)?;
        }
        Ok(names.len())
    }

    /// Ends a primary as a power cut would, and waits until a replica has taken its place.
    ///
    /// # Errors
    /// When none does.
    pub fn fail_over(&mut self, primary: usize) -> io::Result<()> {
        let lost = self.ids[primary].clone();
        self.nodes[primary].kill()?;
        let witness = usize::from(primary == 0);
        let witness = &self.nodes[witness];
        self.wait("a replica takes over", || {
            let nodes = text(witness, &["CLUSTER", "NODES"])?;
            let failed = nodes.lines().any(|line| line.starts_with(&lost) && line.contains("fail"));
            let up = text(witness, &["CLUSTER", "INFO"])?.contains("cluster_state:ok");
            let primaries =
                nodes.lines().filter(|line| line.contains("master") && !line.contains("fail"));
            Ok(failed && up && primaries.count() == PRIMARIES)
        })
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
        let begun = Instant::now();
        while !done()? {
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(io::Error::other(format!("not in time: {what}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// The slots of a node, by what one says of all.
fn slots_of(nodes: &str, id: &str) -> io::Result<Vec<u16>> {
    let line = nodes.lines().find(|line| line.starts_with(id)).unwrap_or_default();
    let mut slots = Vec::new();
    for word in line.split(' ').skip(8).filter(|word| !word.starts_with('[')) {
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        let number = |text: &str| {
            text.parse::<u16>().map_err(|_| io::Error::other(format!("no slots: {word}")))
        };
        slots.extend(number(from)?..=number(to)?);
    }
    Ok(slots)
}

/// Asks a node for a text.
fn text(node: &Redis, arguments: &[&str]) -> io::Result<String> {
    match node.connect()?.command(arguments)? {
        Reply::Status(text) => Ok(text),
        Reply::Bytes(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        other => Err(io::Error::other(format!("{arguments:?} answered {other:?}"))),
    }
}

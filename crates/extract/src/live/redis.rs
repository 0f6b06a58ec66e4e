//! A deployment: one server, a cluster, or what Sentinels watch.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    access::Access,
    address::Address,
    info::Info,
    link::{Dialer, Link, Login, Reply},
    topology::{self, Shard},
    url::{Place, RedisUrl},
};
use crate::Error;

/// How long a failover may take until the Sentinels agree on the new primary.
const FAILOVER: Duration = Duration::from_secs(20);
const FAILOVER_PAUSE: Duration = Duration::from_millis(500);

/// A deployment of Redis or Valkey that was found: a server, a cluster, or what Sentinels watch.
///
/// It is a handle and cheap to clone; connections are made by what reads through it.
///
/// ```no_run
/// use keystar_extract::{Access, Redis, Secret};
///
/// let password = std::env::var("REDIS_PASSWORD").ok().map(Secret::from);
/// let url = "rediss://reader@cache.example:6380".parse()?;
/// let redis = Redis::connect(&url, &Access::default().with_password(password))?;
/// # Ok::<(), keystar_extract::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Redis(Arc<Deployment>);

#[derive(Debug)]
struct Deployment {
    url: RedisUrl,
    dialer: Dialer,
    mode: Mode,
    /// Nodes of the cluster that were seen: any of them can be asked where the others are.
    seen: Mutex<BTreeSet<Address>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Server,
    Cluster,
    Sentinel,
}

/// A connection to a server of a shard, and what it says of itself.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) link: Link,
    pub(crate) info: Info,
}

impl Redis {
    /// Finds the deployment and logs in to one of its servers.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], [`Error::Tls`], [`Error::Certificate`], [`Error::Login`], and
    /// [`Error::Unavailable`] when it is there but cannot serve. Nothing is tried twice.
    pub fn connect(url: &RedisUrl, access: &Access) -> Result<Self, Error> {
        let dialer = Dialer::new(access, url.tls)?;
        let deployment = |mode, seen: &[Address]| {
            let seen = Mutex::new(seen.iter().cloned().collect());
            Self(Arc::new(Deployment { url: url.clone(), dialer: dialer.clone(), mode, seen }))
        };
        let address = match &url.place {
            Place::Sentinel { .. } => {
                let redis = deployment(Mode::Sentinel, &[]);
                for shard in redis.shards()? {
                    redis.dial_shard(&shard)?;
                }
                return Ok(redis);
            }
            Place::Server(address) => address,
        };
        let redis = deployment(Mode::Server, std::slice::from_ref(address));
        let mut link = redis.dial(address)?;
        let mode = match mode_of(&mut link)? {
            mode @ (Mode::Server | Mode::Cluster) => {
                deployment(mode, std::slice::from_ref(address))
            }
            Mode::Sentinel => {
                let detail = "it is a Sentinel: write redis+sentinel://host:port/NAME".to_owned();
                return Err(Error::Unavailable { node: address.to_string(), detail });
            }
        };
        Ok(mode)
    }

    /// The URL that it was found by.
    pub fn url(&self) -> &RedisUrl {
        &self.0.url
    }

    pub(crate) fn mode(&self) -> Mode {
        self.0.mode
    }

    pub(crate) fn access(&self) -> &Access {
        &self.0.dialer.access
    }

    /// Who holds the data now.
    pub(crate) fn shards(&self) -> Result<Vec<Shard>, Error> {
        match &self.0.url.place {
            Place::Server(address) if self.0.mode == Mode::Cluster => self.cluster(address),
            Place::Server(address) => Ok(vec![Shard {
                id: address.to_string(),
                slots: Vec::new(),
                primary: address.clone(),
                replicas: self.replicas_of(address)?,
            }]),
            Place::Sentinel { sentinels, name } => Ok(vec![self.watched(sentinels, name)?]),
        }
    }

    /// Connects to the primary of a shard, or to a replica where those are to be read.
    pub(crate) fn dial_shard(&self, shard: &Shard) -> Result<Connected, Error> {
        if self.access().replicas {
            for replica in &shard.replicas {
                // One that is down or out of step is no loss: there are others.
                if let Ok(connected) = self.dial_replica(replica) {
                    return Ok(connected);
                }
            }
        }
        let mut link = self.dial(&shard.primary)?;
        let info = Info::of(&mut link)?;
        if self.mode() != Mode::Server && info.get("role").is_some_and(|role| role != "master") {
            let detail = "it is no primary any more".to_owned();
            return Err(Error::Unavailable { node: link.node().to_string(), detail });
        }
        Ok(Connected { link, info })
    }

    fn dial_replica(&self, address: &Address) -> Result<Connected, Error> {
        let mut link = self.dial(address)?;
        let info = Info::of(&mut link)?;
        if info.get("master_link_status").is_some_and(|status| status != "up") {
            let detail = "the replica has lost its primary".to_owned();
            return Err(Error::Unavailable { node: link.node().to_string(), detail });
        }
        if self.mode() == Mode::Cluster {
            link.ask(&["READONLY"])?;
        }
        Ok(Connected { link, info })
    }

    /// The slots that are on their way now: which, and the ids of the nodes from and to.
    pub(crate) fn migrations(&self, shards: &[Shard]) -> Result<Vec<(u16, String, String)>, Error> {
        let mut found = Vec::new();
        for shard in shards {
            let mut link = self.dial(&shard.primary)?;
            match link.try_ask(&["CLUSTER", "NODES"])? {
                Reply::Error(detail) => return Err(link.refused("CLUSTER NODES", &detail)),
                reply => found.extend(topology::migrations(reply.text().unwrap_or_default())),
            }
        }
        Ok(found)
    }

    /// Connects to a server and logs in.
    pub(crate) fn dial(&self, address: &Address) -> Result<Link, Error> {
        let access = self.access();
        let user = access.user.as_deref().or(self.0.url.user.as_deref());
        let password = access.password.as_ref().map(|password| password.reveal());
        self.0.dialer.dial(address, &Login { user, password })
    }

    /// Asks the nodes of the cluster, one after the other, until one answers.
    fn cluster(&self, first: &Address) -> Result<Vec<Shard>, Error> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let others = seen.iter().filter(|address| *address != first);
        let mut last = None;
        for address in std::iter::once(first).chain(others) {
            let asked = self.dial(address).and_then(|mut link| {
                let shards = topology::shards_of_cluster(&mut link, address)?;
                if shards.is_empty() {
                    let detail = "its cluster has no slots".to_owned();
                    return Err(Error::Unavailable { node: address.to_string(), detail });
                }
                Ok(shards)
            });
            match asked {
                Ok(shards) => {
                    let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    for shard in &shards {
                        seen.insert(shard.primary.clone());
                        seen.extend(shard.replicas.iter().cloned());
                    }
                    return Ok(shards);
                }
                Err(error) => {
                    last.get_or_insert(error);
                }
            }
        }
        let unknown = || Error::Unavailable {
            node: first.to_string(),
            detail: "no node of the cluster is known".to_owned(),
        };
        Err(last.unwrap_or_else(unknown))
    }

    /// The replicas that a lone server has, where they are to be read.
    fn replicas_of(&self, address: &Address) -> Result<Vec<Address>, Error> {
        if !self.access().replicas {
            return Ok(Vec::new());
        }
        let info = Info::of(&mut self.dial(address)?)?;
        let count = info.number("connected_slaves").unwrap_or_default().min(64);
        let replicas =
            (0..count).filter_map(|at| info.get(&format!("slave{at}"))).filter_map(|line| {
                let field = |name: &str| {
                    let mut pairs = line.split(',').filter_map(|pair| pair.split_once('='));
                    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
                };
                Some(Address::tcp(field("ip")?, field("port")?.parse().ok()?))
            });
        Ok(replicas.collect())
    }

    /// Asks the Sentinels who the primary is, until one names a server that says so itself: during
    /// a failover, and for a while after it, they still name the one that was.
    fn watched(&self, sentinels: &[Address], name: &str) -> Result<Shard, Error> {
        let until = Instant::now() + FAILOVER.min(self.access().patience);
        loop {
            let (mut last, mut answered) = (None, false);
            for sentinel in sentinels {
                let asked = self.ask_sentinel(sentinel, name).and_then(|shard| {
                    answered = true;
                    self.is_primary(&shard.primary).map(|()| shard)
                });
                match asked {
                    Ok(shard) => return Ok(shard),
                    Err(error) if answered && !error.is_retryable() => return Err(error),
                    Err(error) => last = Some(error),
                }
            }
            // Where no Sentinel knows anything, waiting is of no use.
            if !answered || Instant::now() >= until {
                return Err(last.unwrap_or(Error::Url { reason: "no Sentinel is named" }));
            }
            thread::sleep(FAILOVER_PAUSE);
        }
    }

    fn is_primary(&self, address: &Address) -> Result<(), Error> {
        let info = Info::of(&mut self.dial(address)?)?;
        match info.get("role") {
            Some(role) if role != "master" => {
                let detail = "it is no primary any more".to_owned();
                Err(Error::Unavailable { node: address.to_string(), detail })
            }
            _ => Ok(()),
        }
    }

    fn ask_sentinel(&self, sentinel: &Address, name: &str) -> Result<Shard, Error> {
        let access = self.access();
        let login = Login {
            user: access.sentinel_user.as_deref(),
            password: access.sentinel_password.as_ref().map(|password| password.reveal()),
        };
        let mut link = self.0.dialer.dial(sentinel, &login)?;
        let reply = link.ask(&["SENTINEL", "get-master-addr-by-name", name])?;
        let primary = reply.array().and_then(|pair| {
            let [host, port] = pair else { return None };
            Some(Address::tcp(host.text()?, port.text()?.parse().ok()?))
        });
        let Some(primary) = primary else {
            let detail = format!("it watches no primary named {name:?}");
            return Err(Error::Unavailable { node: sentinel.to_string(), detail });
        };
        let mut replicas = Vec::new();
        if access.replicas {
            let reply = link.ask(&["SENTINEL", "REPLICAS", name])?;
            for replica in reply.array().unwrap_or_default() {
                let field = |name: &str| replica.field(name).and_then(Reply::text);
                let up = field("flags").is_some_and(|flags| !flags.contains("down"));
                if let (true, Some(host), Some(port)) = (up, field("ip"), field("port"))
                    && let Ok(port) = port.parse()
                {
                    replicas.push(Address::tcp(host, port));
                }
            }
        }
        Ok(Shard { id: name.to_owned(), slots: Vec::new(), primary, replicas })
    }
}

/// What kind of server this is, as it says of itself.
fn mode_of(link: &mut Link) -> Result<Mode, Error> {
    let mode = |text: &str| match text {
        "cluster" => Mode::Cluster,
        "sentinel" => Mode::Sentinel,
        _ => Mode::Server,
    };
    let hello = link.try_ask(&["HELLO", "2"])?;
    if let Reply::Error(detail) = &hello
        && let error @ Error::Login { .. } = link.refused("HELLO", detail)
    {
        return Err(error);
    }
    if let Some(found) = hello.field("mode").and_then(Reply::text) {
        return Ok(mode(found));
    }
    let info = Info::of(link)?;
    if let Some(found) = info.get("redis_mode") {
        return Ok(mode(found));
    }
    // Neither may be asked: a cluster answers this.
    match link.try_ask(&["CLUSTER", "SLOTS"])? {
        Reply::Array(_) => Ok(Mode::Cluster),
        _ => Ok(Mode::Server),
    }
}

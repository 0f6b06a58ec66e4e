//! What a live server says of itself, and what that would mean for a run.

use keystar_extract::{Facts, NodeFacts, Permission, Redis};

use crate::{
    Error, Input, Reach, Via,
    check::{Checks, State},
    text::{bytes, count, plural},
};

/// What a run needs of a server, by the way that it reads it.
const SCAN: [&str; 2] = ["SCAN", "DUMP"];
/// Of values that are too big for one answer, these tell the type and the pieces.
const PIECES: [&str; 8] =
    ["TYPE", "STRLEN", "GETRANGE", "LRANGE", "HSCAN", "SSCAN", "ZSCAN", "XRANGE"];
const TYPED: [&str; 10] = [
    "SCAN",
    "TYPE",
    "STRLEN",
    "GETRANGE",
    "LRANGE",
    "HSCAN",
    "SSCAN",
    "ZSCAN",
    "XRANGE",
    "XINFO STREAM",
];
const SNAPSHOT: [&str; 2] = ["PSYNC", "REPLCONF"];
/// Either of these tells when a key expires.
const EXPIRY: [&str; 2] = ["PEXPIRETIME", "PTTL"];

/// Evictions of these kinds take keys away while they are read.
const KEEPS_KEYS: &str = "noeviction";

/// Looks at every server that a run would read.
pub(crate) fn check(input: &Input, reach: &Reach, checks: &mut Checks) -> Result<(), Error> {
    let Some(url) = input.server() else { return Ok(()) };
    let url = url.parse().map_err(Error::Source)?;
    let redis = Redis::connect(&url, &reach.access).map_err(Error::Source)?;
    let facts = redis.facts().map_err(Error::Source)?;
    summary(&facts, checks);
    for node in &facts.nodes {
        let mut checks = OfNode { node, many: facts.nodes.len() > 1, checks };
        checks.modules();
        checks.memory(input.via);
        checks.rights(input.via);
        if input.via == Via::Rdb {
            checks.replication();
        }
    }
    Ok(())
}

/// One line for the whole: what it is and how many keys it has.
fn summary(facts: &Facts, checks: &mut Checks) {
    let kind = format!("{:?}", facts.kind).to_lowercase();
    let servers = plural(facts.nodes.len() as u64, "server");
    let first = facts.nodes.first();
    let version = first.map_or_else(String::new, |node| {
        let told = |fact: &Result<String, String>| fact.clone().unwrap_or_default();
        format!("{} {}", told(&node.server), told(&node.version))
    });
    checks.push("source", State::Ok, format!("{kind}, {servers} to read, {}", version.trim()));
    let (mut keys, mut expires, mut dbs) = (0, 0, std::collections::BTreeSet::new());
    for node in &facts.nodes {
        let Ok(databases) = &node.databases else { continue };
        for (db, held) in databases {
            keys += held.keys;
            expires += held.expires;
            dbs.insert(*db);
        }
    }
    let found = format!(
        "{} in {}; {} of them expire",
        plural(keys, "key"),
        plural(dbs.len() as u64, "database"),
        count(expires)
    );
    checks.push("keys", State::Ok, found);
}

struct OfNode<'a> {
    node: &'a NodeFacts,
    /// Whether it must be said which server it is.
    many: bool,
    checks: &'a mut Checks,
}

impl OfNode<'_> {
    fn push(&mut self, name: &'static str, state: State, found: String) {
        let found = match self.many {
            true => format!("{}: {found}", self.node.address),
            false => found,
        };
        self.checks.push(name, state, found);
    }

    fn modules(&mut self) {
        match &self.node.modules {
            Ok(modules) if modules.is_empty() => {}
            Ok(modules) => {
                let names: Vec<_> = modules.iter().map(|(name, _)| name.as_str()).collect();
                let found = format!(
                    "{}: values of modules other than RedisJSON are carried as bytes, or rejected",
                    names.join(", ")
                );
                self.push("modules", State::Warning, found);
            }
            Err(reason) => {
                self.push("modules", State::Warning, format!("not known: {reason}"));
            }
        }
    }

    fn memory(&mut self, via: Via) {
        let memory = match &self.node.memory {
            Ok(memory) => memory.clone(),
            Err(reason) => {
                return self.push("memory", State::Warning, format!("not known: {reason}"));
            }
        };
        let limit = match memory.max {
            0 => "no limit".to_owned(),
            max => format!("limit {}", bytes(max)),
        };
        let found = format!("{} used, {limit}, {}", bytes(memory.used), memory.policy);
        if memory.max > 0 && memory.policy != KEEPS_KEYS {
            let found = format!("{found}: keys that are evicted during the run are missed");
            self.push("memory", State::Warning, found);
        } else {
            self.push("memory", State::Ok, found);
        }
        if let (Via::Rdb, Some(machine)) = (via, memory.machine) {
            let room = machine.saturating_sub(memory.resident);
            let state = if room < memory.used { State::Warning } else { State::Ok };
            let found = format!(
                "{} free beside the server; a snapshot's fork copies what is written meanwhile, at \
                 most {}",
                bytes(room),
                bytes(memory.used)
            );
            self.push("fork", state, found);
        }
    }

    fn rights(&mut self, via: Via) {
        let needed: &[&str] = match via {
            Via::Typed => &TYPED,
            Via::Rdb => &SNAPSHOT,
            _ => &SCAN,
        };
        let mut lacking = Vec::new();
        for command in needed {
            match self.node.commands.get(command) {
                Some(Permission::Denied(words)) => lacking.push(format!("{command}: {words}")),
                Some(Permission::Missing) => lacking.push(format!("{command}: no such command")),
                _ => {}
            }
        }
        let node = self.node;
        let may = |command: &str| {
            let permission = node.commands.get(command);
            matches!(permission, Some(Permission::Granted | Permission::Unknown))
        };
        if via != Via::Rdb && !EXPIRY.into_iter().any(may) {
            lacking.push("PEXPIRETIME or PTTL: neither is allowed".to_owned());
        }
        let big: Vec<_> = PIECES.into_iter().filter(|command| !may(command)).collect();
        if via == Via::Scan && !big.is_empty() {
            let found = format!(
                "{}: not allowed; a value of more than 1 MiB, which is read in pieces, would stop \
                 the run",
                big.join(", ")
            );
            self.push("big values", State::Warning, found);
        }
        if lacking.is_empty() {
            self.push("rights", State::Ok, format!("{} are allowed", needed.join(", ")));
            return;
        }
        let advice = match via {
            Via::Scan if may("TYPE") && may("HSCAN") => "; grant it, or read by --via typed",
            Via::Rdb => "; grant it, or read by --via scan",
            _ => "; grant it",
        };
        self.push("rights", State::Failed, format!("{}{advice}", lacking.join("; ")));
    }

    fn replication(&mut self) {
        match &self.node.replica_buffer {
            Ok((0, 0, _)) => {}
            Ok((hard, soft, seconds)) => {
                let found = format!(
                    "replicas may be {} behind, or {} for {seconds} s, before the server hangs up: \
                     with many writes set client-output-buffer-limit replica 0 0 0",
                    bytes(*hard),
                    bytes(*soft)
                );
                self.push("buffer", State::Ok, found);
            }
            Err(reason) => self.push("buffer", State::Warning, format!("not known: {reason}")),
        }
    }
}

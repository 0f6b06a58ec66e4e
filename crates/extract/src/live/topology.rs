//! Which servers hold the data.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    address::Address,
    link::{Link, Reply},
};
use crate::Error;

/// Servers that hold the same keys: a primary and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// The primary's node id in a cluster; else the address, or the name that Sentinels know.
    pub(crate) id: String,
    /// The slots of a cluster, both ends included, in order; none where there is no cluster.
    pub(crate) slots: Vec<(u16, u16)>,
    pub(crate) primary: Address,
    pub(crate) replicas: Vec<Address>,
}

/// Asks a node of a cluster for its shards.
pub(crate) fn shards_of_cluster(link: &mut Link, asked: &Address) -> Result<Vec<Shard>, Error> {
    let reply = link.ask(&["CLUSTER", "SLOTS"])?;
    shards(&reply, asked).ok_or_else(|| link.protocol("a table of slots that is none"))
}

/// Reads the answer to `CLUSTER SLOTS`. A node that does not know its own address leaves it out:
/// then it is the one that was asked.
fn shards(reply: &Reply, asked: &Address) -> Option<Vec<Shard>> {
    let mut found: BTreeMap<String, Shard> = BTreeMap::new();
    let own_host = asked.host().unwrap_or("127.0.0.1");
    for range in reply.array()? {
        let [first, last, primary, replicas @ ..] = range.array()? else { return None };
        let slot = |reply: &Reply| u16::try_from(reply.integer()?).ok();
        let slots = (slot(first)?, slot(last)?);
        let node = |reply: &Reply| {
            let fields = reply.array()?;
            let host = fields.first()?.text().filter(|host| !host.is_empty() && *host != "?");
            let port = u16::try_from(fields.get(1)?.integer()?).ok()?;
            Some(Address::tcp(host.unwrap_or(own_host), port))
        };
        let address = node(primary)?;
        let id = primary.array()?.get(2).and_then(Reply::text);
        let id = id.map_or_else(|| address.to_string(), str::to_owned);
        let shard = found.entry(id.clone()).or_insert_with(|| Shard {
            id,
            slots: Vec::new(),
            primary: address,
            replicas: Vec::new(),
        });
        shard.slots.push(slots);
        let others: BTreeSet<_> = replicas.iter().filter_map(node).collect();
        shard.replicas = others.into_iter().collect();
    }
    let mut shards: Vec<_> = found.into_values().collect();
    for shard in &mut shards {
        shard.slots.sort_unstable();
    }
    Some(shards)
}

/// What a node says in `CLUSTER NODES` of slots that leave it: which, from whom, to whom.
pub(crate) fn migrations(nodes: &str) -> Vec<(u16, String, String)> {
    let own = nodes.lines().find(|line| {
        line.split(' ').nth(2).is_some_and(|flags| flags.split(',').any(|flag| flag == "myself"))
    });
    let mut words = own.unwrap_or_default().split(' ');
    let from = words.next().unwrap_or_default();
    let leaving = words.filter_map(|word| {
        let (slot, to) = word.strip_prefix('[')?.strip_suffix(']')?.split_once("->-")?;
        Some((slot.parse().ok()?, from.to_owned(), to.to_owned()))
    });
    leaving.collect()
}

/// The slot of a key.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    let hashed = key
        .iter()
        .position(|byte| *byte == b'{')
        .and_then(|open| {
            let rest = key.get(open + 1..)?;
            let close = rest.iter().position(|byte| *byte == b'}')?;
            rest.get(..close).filter(|tag| !tag.is_empty())
        })
        .unwrap_or(key);
    crc16(hashed) & 0x3fff
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") & 0x3fff);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn slots_on_their_way_are_read() {
        let nodes = "bb 127.0.0.1:2@3 master - 0 0 2 connected 8-9 [7-<-aa]\n\
            aa 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-7 [5->-bb] [6-<-bb]\n";
        assert_eq!(migrations(nodes), [(5, "aa".to_owned(), "bb".to_owned())]);
        assert_eq!(migrations(""), []);
    }

    #[test]
    fn tables_of_slots_are_read() {
        let text = |text: &str| Reply::Bytes(text.into());
        let node = |host: &str, port, id: &str| {
            Reply::Array(vec![text(host), Reply::Integer(port), text(id), Reply::Array(vec![])])
        };
        let range = |from, to, nodes: &[Reply]| {
            let mut all = vec![Reply::Integer(from), Reply::Integer(to)];
            all.extend_from_slice(nodes);
            Reply::Array(all)
        };
        let reply = Reply::Array(vec![
            range(100, 200, &[node("10.0.0.1", 7000, "a"), node("10.0.0.2", 7001, "c")]),
            range(201, 16383, &[node("", 7002, "b")]),
            range(0, 99, &[node("10.0.0.1", 7000, "a"), node("10.0.0.2", 7001, "c")]),
        ]);
        let shards = shards(&reply, &Address::tcp("cache", 7002)).unwrap();
        assert_eq!(shards.len(), 2);
        assert_eq!(shards[0].slots, [(0, 99), (100, 200)]);
        assert_eq!(shards[0].replicas, [Address::tcp("10.0.0.2", 7001)]);
        assert_eq!(shards[1].primary, Address::tcp("cache", 7002));
    }
}

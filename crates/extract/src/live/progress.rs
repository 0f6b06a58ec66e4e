//! How far a scan came, shard by shard, as text that a checkpoint can hold.

use std::fmt::Write;

use keystar_rdb::Db;

/// How far the scan of one shard came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The shard's id.
    pub(crate) id: String,
    /// Its slots when its scan began.
    pub(crate) slots: Vec<(u16, u16)>,
    /// The process that the cursor is good for.
    pub(crate) run_id: String,
    /// The database at hand: those before it are done.
    pub(crate) db: Db,
    /// Where to go on in it.
    pub(crate) cursor: u64,
    /// Whether all of the shard was told.
    pub(crate) done: bool,
    /// Slots of which keys were seen to have moved away.
    pub(crate) moved: Vec<u16>,
}

const HEAD: &str = "keystar scan 1";

/// Writes the progress of all shards.
pub(crate) fn to_bytes(shards: &[Progress]) -> Vec<u8> {
    let mut text = HEAD.to_owned();
    for shard in shards {
        let run_id = if shard.run_id.is_empty() { "-" } else { &shard.run_id };
        let state = if shard.done { "done" } else { "open" };
        let slots: Vec<_> = shard.slots.iter().map(|(from, to)| format!("{from}-{to}")).collect();
        let moved: Vec<_> = shard.moved.iter().map(u16::to_string).collect();
        let list =
            |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join(",") };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n{state} {run_id} {} {} {} {} {}",
            shard.db,
            shard.cursor,
            list(slots),
            list(moved),
            shard.id
        );
    }
    text.into_bytes()
}

/// Reads it back; `None` when it is something else.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Vec<Progress>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != HEAD {
        return None;
    }
    lines.map(shard).collect()
}

fn shard(line: &str) -> Option<Progress> {
    let mut words = line.splitn(7, ' ');
    let done = match words.next()? {
        "done" => true,
        "open" => false,
        _ => return None,
    };
    let run_id = Some(words.next()?).filter(|id| *id != "-").unwrap_or_default().to_owned();
    let (db, cursor) = (Db(words.next()?.parse().ok()?), words.next()?.parse().ok()?);
    let mut list = || Some(words.next()?.split(',').filter(|word| *word != "-"));
    let slots = list()?.map(|range| {
        let (from, to) = range.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    });
    let slots = slots.collect::<Option<_>>()?;
    let moved = list()?.map(|slot| slot.parse().ok()).collect::<Option<_>>()?;
    Some(Progress { id: words.next()?.to_owned(), slots, run_id, db, cursor, done, moved })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_back() {
        let shards = [
            Progress {
                id: "my master".to_owned(),
                run_id: "abc".to_owned(),
                db: Db(3),
                cursor: u64::MAX,
                ..Progress::default()
            },
            Progress {
                id: "f00".to_owned(),
                slots: vec![(0, 5), (7, 7)],
                done: true,
                moved: vec![3, 4],
                ..Progress::default()
            },
        ];
        assert_eq!(from_bytes(&to_bytes(&shards)).unwrap(), shards);
        assert_eq!(from_bytes(&to_bytes(&[])).unwrap(), []);
        assert_eq!(from_bytes(b"something else"), None);
        assert_eq!(from_bytes(b"keystar scan 1\nopen - 0"), None);
    }
}

//! What is left to do in a table once everything was written: records that are to go, and keys
//! that two records have.
//!
//! The table has the last item that was written of each key. Items of records that go are deleted
//! from it, unless a record that stays has their key: then its item is put. Nothing depends on how
//! far an earlier attempt came, so that a finish may be repeated.

use std::collections::{BTreeMap, HashMap, HashSet};

use keystar_item::{Item, json};

use crate::{
    DynamoDb, Error, LiveOptions, Origin, Put, Receipt,
    batch::{self, MAX_WRITES, Writes},
    collision::{self, Candidate, Key},
    live_log::Log,
    spill::Spill,
    table_keys,
};

/// Places of lines by frame.
type Places = BTreeMap<u32, Vec<u32>>;

pub(crate) async fn settle(
    db: &DynamoDb,
    options: LiveOptions,
    mut spill: Spill,
    mut log: Log,
    retract: &[Origin],
    mut receipt: Receipt,
) -> Result<Receipt, Error> {
    let mut removed: HashSet<Origin> = retract.iter().copied().collect();
    let found = spill.collisions(options.max_duplicates.saturating_mul(2), options.repeats)?;
    let mut origins: HashMap<(u32, u32), Origin> = HashMap::new();
    let mut places = Places::new();
    for item in found.items.iter().filter(|item| !removed.contains(&item.origin)) {
        origins.insert((item.file, item.index), item.origin);
        places.entry(item.file).or_default().push(item.index);
    }
    let mut candidates = Vec::with_capacity(origins.len());
    each_line(&mut log, places, |place, line| {
        let (_, key) = read(line, &options)?;
        let origin = origins.get(&place).copied().unwrap_or_default();
        candidates.push(Candidate { origin, place, key });
        Ok(())
    })?;

    // All items of this run that a key had, for tables that may have items of others.
    let mut rivals: HashMap<[u8; 32], Vec<(u32, u32)>> = HashMap::new();
    for candidate in &candidates {
        rivals.entry(candidate.key.identity()).or_default().push(candidate.place);
    }
    // Where the item is that a key should have: written last by the record that stays.
    let mut holders: Vec<(Origin, (u32, u32), [u8; 32])> = candidates
        .iter()
        .map(|candidate| (candidate.origin, candidate.place, candidate.key.identity()))
        .collect();
    let settled = collision::settle(candidates, options.repeats);
    removed.extend(settled.duplicates.iter().map(|duplicate| duplicate.second));
    holders.retain(|(origin, _, _)| !removed.contains(origin));
    holders.sort_by_key(|(_, place, _)| *place);
    let holders: HashMap<[u8; 32], (u32, u32)> =
        holders.into_iter().map(|(_, place, identity)| (identity, place)).collect();
    receipt.duplicates = settled.duplicates;

    let mut lines = Places::new();
    if !removed.is_empty() {
        spill.for_each(|item| {
            if removed.contains(&item.origin) {
                lines.entry(item.file).or_default().push(item.index);
            }
            Ok(())
        })?;
    }
    let gone: HashSet<(u32, u32)> = lines
        .iter()
        .flat_map(|(frame, indexes)| indexes.iter().map(|index| (*frame, *index)))
        .collect();
    let repeats = found.repeats.iter().chain(&settled.repeats);
    receipt.repeats = repeats.filter(|place| !gone.contains(place)).count() as u64;

    let mut repair = Repair { db, options: &options, writes: Writes::default() };
    let mut returning: HashSet<(u32, u32)> = HashSet::new();
    for (frame, mut indexes) in lines {
        indexes.sort_unstable();
        // One frame's lines are held at a time: sending waits, reading must not.
        let mut held = Vec::new();
        log.read(frame, &indexes, |_, line| {
            held.push(line.to_vec());
            Ok(())
        })?;
        for line in held {
            let (item, key) = read(&line, &options)?;
            if options.put != Put::Always {
                let rivals = rivals.get(&key.identity()).map_or(&[][..], Vec::as_slice);
                if !repair.is_ours(&item, rivals, &mut log).await? {
                    // It was not written, and is counted as that.
                    continue;
                }
                // Of the items of this run that had the key all but one were refused.
                receipt.existing = receipt.existing.saturating_sub(u64::from(rivals.len() > 1));
            }
            receipt.removed_items += 1;
            match holders.get(&key.identity()) {
                Some(place) => drop(returning.insert(*place)),
                None => repair.delete(&item).await?,
            }
        }
    }
    repair.send().await?;
    let mut places = Places::new();
    for (frame, index) in returning {
        places.entry(frame).or_default().push(index);
    }
    let mut held = Vec::new();
    each_line(&mut log, places, |_, line| {
        held.push(line.to_vec());
        Ok(())
    })?;
    for line in held {
        repair.put(&line).await?;
    }
    repair.send().await?;
    let less = receipt.existing + receipt.removed_items + receipt.repeats;
    receipt.items = receipt.items.saturating_sub(less);
    Ok(receipt)
}

/// Puts and deletes on their way to the table.
struct Repair<'a> {
    db: &'a DynamoDb,
    options: &'a LiveOptions,
    writes: Writes,
}

impl Repair<'_> {
    async fn delete(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let key = &self.options.table.key;
        if let (Some(hash), Some(named)) = (batch::hash_of(item, key), batch::key_of(item, key)) {
            self.make_room(hash).await?;
            self.writes.delete(&[b"{\"Key\":", named.as_slice(), b"}"].concat(), hash);
        }
        Ok(())
    }

    async fn put(&mut self, line: &[u8]) -> Result<(), Error> {
        if let Some(hash) = batch::key_hash(line, &self.options.table.key) {
            self.make_room(hash).await?;
            self.writes.put(line, hash);
        }
        Ok(())
    }

    /// Whether the table has nothing of the item's key but what this run put: the item itself or one
    /// of its rivals. (Nothing: an earlier attempt deleted it.)
    async fn is_ours(
        &self,
        item: &Item<'_>,
        rivals: &[(u32, u32)],
        log: &mut Log,
    ) -> Result<bool, Error> {
        let LiveOptions { name, table, timeout, patience, .. } = self.options;
        let (db, name, key) = (self.db.clone(), name.clone(), table.key.clone());
        let (keys, timeout, patience) = ([item.clone().into_owned()], *timeout, *patience);
        let task = async move {
            table_keys::get(db.wire(), &name, &key, &keys, true, timeout, patience).await
        };
        let found = self.db.aws().run(task).await?;
        let Some(found) = found.first().and_then(Option::as_ref) else { return Ok(true) };
        let mut ours = found.is_same(item);
        for (frame, index) in rivals {
            log.read(*frame, &[*index], |_, line| {
                ours |= read(line, self.options)?.0.is_same(found);
                Ok(())
            })?;
        }
        Ok(ours)
    }

    async fn make_room(&mut self, hash: u64) -> Result<(), Error> {
        if self.writes.len() >= MAX_WRITES
            || self.writes.bytes() >= self.options.max_request_bytes
            || self.writes.has(hash)
        {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Error> {
        let writes = std::mem::take(&mut self.writes);
        let LiveOptions { name, table, timeout, patience, .. } = self.options.clone();
        let db = self.db.clone();
        let task = async move {
            batch::write_all(db.wire(), &name, &table, writes, timeout, patience).await
        };
        self.db.aws().run(task).await
    }
}

fn each_line(
    log: &mut Log,
    places: Places,
    mut visit: impl FnMut((u32, u32), &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    for (frame, mut indexes) in places {
        indexes.sort_unstable();
        log.read(frame, &indexes, |index, line| visit((frame, index), line))?;
    }
    Ok(())
}

fn read<'a>(line: &'a [u8], options: &LiveOptions) -> Result<(Item<'a>, Key), Error> {
    let damaged = || Error::Damaged {
        file: options.work.display().to_string(),
        reason: "the log of items has a line that is none",
    };
    let item = json::parse_item(line).map_err(|_| damaged())?;
    let key = Key::of(&item, &options.table).ok_or_else(damaged)?;
    Ok((item, key))
}

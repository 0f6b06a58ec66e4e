//! What a dump and the files made of it say about the same keys, brought together.
//!
//! Both sides enter what they have, in any order and in any number of pieces: 45 bytes an entry,
//! of which memory holds a bounded number. Sorted by key, what belongs together stands together.

use std::{
    io,
    path::{Path, PathBuf},
};

use keystar_rdb::{Kind, UnixMillis};

use crate::{
    Error,
    fingerprint::Fingerprint,
    spool::{Sorted, Spool},
};

/// What is compared under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A record, named by its database and key.
    Record(Kind),
    /// An item, named by its own key, since no record can be read back from it.
    Item,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The place is an offset in the dump.
    Dump,
    /// The place is a [`line`].
    Files,
}

/// What one side has under one name, or a piece of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) unit: Unit,
    pub(crate) name: u128,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) place: u64,
}

impl Entry {
    /// Adds a further piece.
    pub(crate) fn join(&mut self, piece: &Self) {
        self.fingerprint.merge(&piece.fingerprint, self.unit.kind());
    }
}

impl Unit {
    /// By which pieces are put together; the pieces of an item have no order.
    fn kind(self) -> Kind {
        match self {
            Self::Record(kind) => kind,
            Self::Item => Kind::Set,
        }
    }
}

/// How the two sides compare in one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Same(Unit),
    /// The dump has it, the files have not.
    Missing {
        unit: Unit,
        offset: u64,
    },
    /// The files have it, the dump has not (or the run set it aside).
    Extra {
        unit: Unit,
        line: u64,
    },
    Different {
        unit: Unit,
        offset: u64,
        line: u64,
        how: How,
    },
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Kind {
        dump: Kind,
        files: Kind,
    },
    /// How many there are; also if both are the same number.
    Elements {
        dump: u64,
        files: u64,
    },
    Expiry {
        dump: Option<UnixMillis>,
        files: Option<UnixMillis>,
    },
    /// The items of one record do not agree on when it expires.
    TornExpiry,
}

/// A line of a file as a place.
pub(crate) fn line(file: usize, line: u64) -> u64 {
    (file as u64) << LINE_BITS | line.min(LINE_MASK)
}

/// The file and the line of such a place.
pub(crate) fn file_and_line(place: u64) -> (usize, u64) {
    ((place >> LINE_BITS) as usize, place & LINE_MASK)
}

const LINE_BITS: u32 = 40;
const LINE_MASK: u64 = (1 << LINE_BITS) - 1;

/// The unit's class, then the name.
const KEY_BYTES: usize = 1 + 16;

/// The entries of both sides.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    spool: Spool<KEY_BYTES>,
    /// Kept for its memory.
    payload: Vec<u8>,
}

impl Ledger {
    /// Holds up to `max_bytes` in memory, the rest in the folder.
    pub(crate) fn new(folder: &Path, max_bytes: usize) -> Self {
        let spool = Spool::new(folder, max_bytes);
        Self { folder: folder.to_owned(), spool, payload: Vec::new() }
    }

    pub(crate) fn push(&mut self, side: Side, entry: &Entry) -> Result<(), Error> {
        let mut key = [0; KEY_BYTES];
        key[0] = class(entry.unit);
        key[1..].copy_from_slice(&entry.name.to_be_bytes());
        self.payload.clear();
        let flags = u8::from(side == Side::Files)
            | u8::from(entry.expires_at.is_some()) << 1
            | kind_code(entry.unit) << 2;
        self.payload.push(flags);
        self.payload.extend_from_slice(&entry.fingerprint.sum_bytes());
        put(&mut self.payload, entry.fingerprint.elements);
        put(&mut self.payload, entry.place);
        if let Some(UnixMillis(millis)) = entry.expires_at {
            self.payload.extend_from_slice(&millis.to_le_bytes());
        }
        self.spool.push(&key, &self.payload)
    }

    /// Compares the sides name by name.
    pub(crate) fn compare(self) -> Result<Comparison, Error> {
        let entries = self.spool.sorted()?;
        let mut comparison = Comparison { folder: self.folder, entries, next: None };
        comparison.next = comparison.read()?;
        Ok(comparison)
    }
}

/// The outcomes, in no order that means something.
#[derive(Debug)]
pub(crate) struct Comparison {
    folder: PathBuf,
    entries: Sorted<KEY_BYTES>,
    /// The entry that begins the next name.
    next: Option<(Side, Entry)>,
}

impl Comparison {
    /// The outcome of the next name.
    pub(crate) fn next(&mut self) -> Result<Option<Outcome>, Error> {
        let Some((side, first)) = self.next.take() else { return Ok(None) };
        let mut claims = Claims::default();
        claims.add(side, &first);
        while let Some((side, entry)) = self.read()? {
            if (class(entry.unit), entry.name) != (class(first.unit), first.name) {
                self.next = Some((side, entry));
                break;
            }
            claims.add(side, &entry);
        }
        Ok(claims.outcome())
    }

    fn read(&mut self) -> Result<Option<(Side, Entry)>, Error> {
        let Some((key, payload)) = self.entries.next()? else { return Ok(None) };
        match decode(key, payload) {
            Some(entry) => Ok(Some(entry)),
            None => Err(Error::work(&self.folder, io::ErrorKind::InvalidData.into())),
        }
    }
}

/// What each side says of one name.
#[derive(Debug, Default)]
struct Claims {
    dump: Option<Claim>,
    files: Option<Claim>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    unit: Unit,
    fingerprint: Fingerprint,
    expires_at: Option<UnixMillis>,
    torn_expiry: bool,
    mixed: Option<Kind>,
    place: u64,
}

impl Claims {
    fn add(&mut self, side: Side, entry: &Entry) {
        let claim = match side {
            Side::Dump => &mut self.dump,
            Side::Files => &mut self.files,
        };
        match claim {
            Some(claim) => claim.merge(entry),
            None => *claim = Some(Claim::of(entry)),
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(match (&self.dump, &self.files) {
            (Some(dump), Some(files)) => match dump.differs(files) {
                None => Outcome::Same(dump.unit),
                Some(how) => {
                    let (unit, offset, line) = (dump.unit, dump.place, files.place);
                    Outcome::Different { unit, offset, line, how }
                }
            },
            (Some(dump), None) => Outcome::Missing { unit: dump.unit, offset: dump.place },
            (None, Some(files)) => Outcome::Extra { unit: files.unit, line: files.place },
            (None, None) => return None,
        })
    }
}

impl Claim {
    fn of(entry: &Entry) -> Self {
        let &Entry { unit, fingerprint, expires_at, place, .. } = entry;
        Self { unit, fingerprint, expires_at, torn_expiry: false, mixed: None, place }
    }

    fn merge(&mut self, piece: &Entry) {
        match (self.unit, piece.unit) {
            (Unit::Record(ours), Unit::Record(theirs)) if ours != theirs => {
                self.mixed = Some(theirs);
            }
            _ => {}
        }
        self.fingerprint.merge(&piece.fingerprint, self.unit.kind());
        self.torn_expiry |= self.expires_at != piece.expires_at;
        self.place = self.place.min(piece.place);
    }

    fn differs(&self, files: &Self) -> Option<How> {
        if let (Unit::Record(dump), Unit::Record(other)) = (self.unit, files.unit) {
            let other = files.mixed.filter(|_| dump == other).unwrap_or(other);
            if dump != other {
                return Some(How::Kind { dump, files: other });
            }
        }
        if self.fingerprint != files.fingerprint {
            let (dump, files) = (self.fingerprint.elements, files.fingerprint.elements);
            return Some(How::Elements { dump, files });
        }
        if self.expires_at != files.expires_at {
            return Some(How::Expiry { dump: self.expires_at, files: files.expires_at });
        }
        (self.torn_expiry != files.torn_expiry).then_some(How::TornExpiry)
    }
}

/// Records and items are named apart.
fn class(unit: Unit) -> u8 {
    u8::from(unit == Unit::Item)
}

fn kind_code(unit: Unit) -> u8 {
    let Unit::Record(kind) = unit else { return 0 };
    Kind::ALL.iter().position(|known| *known == kind).unwrap_or_default() as u8
}

fn decode(key: &[u8; KEY_BYTES], mut payload: &[u8]) -> Option<(Side, Entry)> {
    let (class, name) = key.split_first_chunk::<1>()?;
    let (flags, rest) = payload.split_first_chunk::<1>()?;
    payload = rest;
    let [flags] = *flags;
    let (sum, rest) = payload.split_first_chunk::<16>()?;
    payload = rest;
    let elements = take(&mut payload)?;
    let place = take(&mut payload)?;
    let millis = payload.first_chunk().map(|bytes| UnixMillis(i64::from_le_bytes(*bytes)));
    let unit = match class {
        [0] => Unit::Record(*Kind::ALL.get(usize::from(flags >> 2))?),
        _ => Unit::Item,
    };
    let side = if flags & 1 == 0 { Side::Dump } else { Side::Files };
    let entry = Entry {
        unit,
        name: u128::from_be_bytes(*name.first_chunk()?),
        fingerprint: Fingerprint::from_parts(*sum, elements),
        expires_at: millis.filter(|_| flags & 2 != 0),
        place,
    };
    Some((side, entry))
}

/// Appends a number in as many bytes as it needs, seven bits each.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use keystar_rdb::{Blob, Value};

    use super::*;

    fn list(items: &[&str], start: u64) -> Fingerprint {
        let items = items.iter().map(|item| Blob::copied(item.as_bytes())).collect();
        Fingerprint::of(&Value::List(items), start)
    }

    fn entry(name: u128, fingerprint: Fingerprint, place: u64) -> Entry {
        let unit = Unit::Record(Kind::List);
        Entry { unit, name, fingerprint, expires_at: None, place }
    }

    fn outcomes(dump: &[Entry], files: &[Entry]) -> Vec<Outcome> {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::new(folder.path(), 1 << 10);
        // Files first: the order in which the sides come means nothing.
        files.iter().for_each(|entry| ledger.push(Side::Files, entry).unwrap());
        dump.iter().for_each(|entry| ledger.push(Side::Dump, entry).unwrap());
        let mut comparison = ledger.compare().unwrap();
        std::iter::from_fn(|| comparison.next().unwrap()).collect()
    }

    const UNIT: Unit = Unit::Record(Kind::List);

    #[test]
    fn pieces_are_put_together_before_they_are_compared() {
        let dump = [entry(1, list(&["a", "b", "c"], 0), 7)];
        let files = [entry(1, list(&["c"], 2), 8), entry(1, list(&["a", "b"], 0), 3)];
        assert_eq!(outcomes(&dump, &files), [Outcome::Same(UNIT)]);
        let how = How::Elements { dump: 3, files: 1 };
        let different = Outcome::Different { unit: UNIT, offset: 7, line: 8, how };
        assert_eq!(outcomes(&dump, &files[..1]), [different]);
        let twice = [dump[0], dump[0]];
        let how = How::Elements { dump: 3, files: 6 };
        let different = Outcome::Different { unit: UNIT, offset: 7, line: 7, how };
        assert_eq!(outcomes(&dump, &twice), [different]);
    }

    #[test]
    fn what_one_side_lacks_is_told() {
        let (a, b) = (entry(1, list(&["a"], 0), 7), entry(2, list(&["a"], 0), line(3, 9)));
        let extra = Outcome::Extra { unit: UNIT, line: b.place };
        assert_eq!(outcomes(&[a], &[b]), [Outcome::Missing { unit: UNIT, offset: 7 }, extra]);
        assert_eq!(file_and_line(b.place), (3, 9));
        // An item and a record are never taken for each other.
        let item = Entry { unit: Unit::Item, ..a };
        assert_eq!(outcomes(&[a], &[item]).len(), 2);
        assert_eq!(outcomes(&[item], &[item]), [Outcome::Same(Unit::Item)]);
    }

    #[test]
    fn types_elements_and_expiries_differ() {
        let how = |files: &[Entry]| {
            let dump = Entry { expires_at: Some(UnixMillis(-1)), ..entry(1, list(&["a"], 0), 7) };
            match outcomes(&[dump], files)[..] {
                [Outcome::Different { how, .. }] => Some(how),
                [Outcome::Same(_)] => None,
                ref other => panic!("{other:?}"),
            }
        };
        let same = Entry { expires_at: Some(UnixMillis(-1)), ..entry(1, list(&["a"], 0), 7) };
        assert_eq!(how(&[same]), None);
        let set = Entry { unit: Unit::Record(Kind::Set), ..same };
        assert_eq!(how(&[set]), Some(How::Kind { dump: Kind::List, files: Kind::Set }));
        assert_eq!(how(&[same, set]), Some(How::Kind { dump: Kind::List, files: Kind::Set }));
        let swapped = Entry { fingerprint: list(&["b"], 0), ..same };
        assert_eq!(how(&[swapped]), Some(How::Elements { dump: 1, files: 1 }));
        let never = Entry { expires_at: None, ..same };
        let expiry = How::Expiry { dump: Some(UnixMillis(-1)), files: None };
        assert_eq!(how(&[never]), Some(expiry));
        let empty = Entry { fingerprint: Fingerprint::default(), ..never };
        assert_eq!(how(&[same, empty]), Some(How::TornExpiry));
    }

    #[test]
    fn many_names_on_little_memory() {
        let dump: Vec<_> = (0..20_000).map(|n| entry(n, list(&["a"], 0), n as u64)).collect();
        let mut files = dump.clone();
        files.remove(777);
        let outcomes = outcomes(&dump, &files);
        assert_eq!(outcomes.len(), 20_000);
        let missing = Outcome::Missing { unit: UNIT, offset: 777 };
        assert_eq!(outcomes.iter().filter(|outcome| **outcome != Outcome::Same(UNIT)).count(), 1);
        assert!(outcomes.contains(&missing));
    }
}

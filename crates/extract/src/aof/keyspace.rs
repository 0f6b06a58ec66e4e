//! The databases while commands are replayed: the values of those keys that a command touches.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use keystar_rdb::{Blob, UnixMillis};

use super::{
    stream::Log,
    value::{Cell, Held, Keyed, Sorted},
};

/// The arguments of a command, its name first.
pub(super) type Args<'a> = &'a [&'a [u8]];

/// Why a command cannot be replayed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its arguments are not what the command takes.
    Syntax,
    /// The key holds another type.
    Type(&'static str),
    /// The value is not such that the command can change it.
    Value(&'static str),
    /// An expiry that counts from a moment which the file does not tell.
    Relative,
    /// Something that a file does not carry, or that does not say what it does.
    Unsupported(&'static str),
}

impl Fault {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Syntax => "its arguments are not those that it takes".to_owned(),
            Self::Type(kind) => format!("the key holds a value of type {kind}"),
            Self::Value(what) | Self::Unsupported(what) => (*what).to_owned(),
            Self::Relative => {
                "its expiry counts from a moment that the file does not tell".to_owned()
            }
        }
    }
}

pub(super) type Done = Result<(), Fault>;

/// Which database is which: `SWAPDB` gives them other numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Databases {
    /// What the base, or the beginning, calls a database, by what it is called now.
    was: BTreeMap<u32, u32>,
}

impl Databases {
    pub(super) fn was(&self, now: u32) -> u32 {
        self.was.get(&now).copied().unwrap_or(now)
    }

    /// What a database is called now.
    pub(super) fn now(&self, was: u32) -> u32 {
        let found = self.was.iter().find(|(_, before)| **before == was);
        found.map_or(was, |(now, _)| *now)
    }

    pub(super) fn swap(&mut self, one: u32, other: u32) {
        let (a, b) = (self.was(one), self.was(other));
        self.was.insert(one, b);
        self.was.insert(other, a);
    }

    pub(super) fn are_as_before(&self) -> bool {
        self.was.iter().all(|(now, was)| now == was)
    }
}

/// Keys of several databases.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    dbs: HashMap<u32, HashSet<Blob<'static>>>,
    pub(super) bytes: usize,
}

impl Keys {
    pub(super) fn insert(&mut self, db: u32, key: &[u8]) {
        let keys = self.dbs.entry(db).or_default();
        if !keys.contains(key) {
            self.bytes += key.len() + 64;
            keys.insert(Blob::copied(key));
        }
    }

    pub(super) fn contains(&self, db: u32, key: &[u8]) -> bool {
        self.dbs.get(&db).is_some_and(|keys| keys.contains(key))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.dbs.values().all(HashSet::is_empty)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The values.
#[derive(Debug, Default)]
pub(super) struct Keyspace {
    dbs: HashMap<u32, HashMap<Blob<'static>, Keyed>>,
    pub(super) names: Databases,
    /// The database of the commands, as it is called now.
    pub(super) selected: u32,
    /// The moment of the commands, where the file tells.
    pub(super) clock: Option<i64>,
    /// The longest string that there may be, if not the server's limit is reached before.
    pub(super) longest: usize,
    /// Bytes that were added since somebody set it to 0.
    pub(super) grown: usize,
}

impl Keyspace {
    fn db(&mut self) -> &mut HashMap<Blob<'static>, Keyed> {
        let db = self.names.was(self.selected);
        self.dbs.entry(db).or_default()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Keyed> {
        self.dbs.get(&self.names.was(self.selected))?.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Keyed> {
        self.db().get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Keyed> {
        self.db().remove(key)
    }

    pub(super) fn insert(&mut self, key: &[u8], keyed: Keyed) {
        self.db().insert(Blob::copied(key), keyed);
    }

    /// A new value without an expiry; an empty collection is no key.
    pub(super) fn replace(&mut self, key: &[u8], held: Held) {
        if held.is_empty() {
            self.remove(key);
        } else {
            self.insert(key, Keyed::new(held));
        }
    }

    pub(super) fn remove_if_empty(&mut self, key: &[u8]) {
        if self.get(key).is_some_and(|keyed| keyed.held.is_empty()) {
            self.remove(key);
        }
    }

    /// Does something in another database.
    pub(super) fn within<T>(&mut self, db: u32, act: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.selected, db);
        let done = act(self);
        self.selected = before;
        done
    }

    /// A key of the base, whose databases have the numbers that they had at the beginning.
    pub(super) fn load(&mut self, db: u32, key: &[u8], keyed: Keyed) {
        self.grown += key.len() + 64 + keyed.held.cost();
        self.dbs.entry(db).or_default().insert(Blob::copied(key), keyed);
    }

    pub(super) fn flush(&mut self) {
        self.db().clear();
    }

    pub(super) fn flush_all(&mut self) {
        self.dbs.clear();
    }

    /// About how many bytes of memory all takes.
    pub(super) fn cost(&self) -> usize {
        let entries = self.dbs.values().flatten();
        entries.map(|(key, keyed)| key.len() + 64 + keyed.held.cost()).sum()
    }

    /// All keys by the numbers that their databases have now, in order.
    pub(super) fn drain(&mut self) -> VecDeque<(u32, Blob<'static>, Keyed)> {
        let mut all = Vec::new();
        for (was, keys) in std::mem::take(&mut self.dbs) {
            let now = self.names.now(was);
            all.extend(keys.into_iter().map(|(key, keyed)| (now, key, keyed)));
        }
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        all.into()
    }

    /// When something expires that does so after this time.
    pub(super) fn after(&self, millis: i64) -> Result<UnixMillis, Fault> {
        let clock = self.clock.ok_or(Fault::Relative)?;
        Ok(UnixMillis(clock.saturating_add(millis)))
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident $make:ident $read:ident $variant:ident $type:ty;)*) => {
        impl Keyspace {
            $(
                $(#[$doc])*
                #[allow(dead_code, reason = "not every type needs all of them")]
                pub(super) fn $name(&mut self, key: &[u8]) -> Result<Option<&mut $type>, Fault> {
                    match self.get_mut(key).map(|keyed| &mut keyed.held) {
                        None => Ok(None),
                        Some(Held::$variant(value)) => Ok(Some(value)),
                        Some(other) => Err(Fault::Type(other.name())),
                    }
                }

                #[allow(dead_code, reason = "not every type needs all of them")]
                pub(super) fn $read(&self, key: &[u8]) -> Result<Option<&$type>, Fault> {
                    match self.get(key).map(|keyed| &keyed.held) {
                        None => Ok(None),
                        Some(Held::$variant(value)) => Ok(Some(value)),
                        Some(other) => Err(Fault::Type(other.name())),
                    }
                }

                #[allow(dead_code, reason = "not every type needs all of them")]
                pub(super) fn $make(&mut self, key: &[u8]) -> Result<&mut $type, Fault> {
                    let keyed = self.db().entry(Blob::copied(key));
                    let keyed = keyed.or_insert_with(|| Keyed::new(Held::$variant(Default::default())));
                    match &mut keyed.held {
                        Held::$variant(value) => Ok(value),
                        other => Err(Fault::Type(other.name())),
                    }
                }
            )*
        }
    };
}

typed! {
    text make_text read_text Text Vec<u8>;
    list make_list read_list List VecDeque<Blob<'static>>;
    set make_set read_set Set HashSet<Blob<'static>>;
    hash make_hash read_hash Hash HashMap<Blob<'static>, Cell>;
    sorted make_sorted read_sorted Sorted Sorted;
    log make_log read_log Log Box<Log>;
}

pub(super) fn arg<'a>(args: Args<'a>, at: usize) -> Result<&'a [u8], Fault> {
    args.get(at).copied().ok_or(Fault::Syntax)
}

/// The arguments from this one on.
pub(super) fn rest<'a>(args: Args<'a>, from: usize) -> Args<'a> {
    args.get(from..).unwrap_or_default()
}

/// Pairs of arguments from this one on; at least one pair.
pub(super) fn pairs<'a>(
    args: Args<'a>,
    from: usize,
) -> Result<impl Iterator<Item = (&'a [u8], &'a [u8])>, Fault> {
    let (pairs, odd) = rest(args, from).as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return Err(Fault::Syntax);
    }
    Ok(pairs.iter().map(|[one, other]| (*one, *other)))
}

pub(super) fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// An integer in the form in which the server writes it.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (Blob::from_i64(number) == *text).then_some(number)
}

pub(super) fn int(args: Args<'_>, at: usize) -> Result<i64, Fault> {
    integer(arg(args, at)?).ok_or(Fault::Syntax)
}

pub(super) fn count(args: Args<'_>, at: usize) -> Result<usize, Fault> {
    usize::try_from(int(args, at)?).map_err(|_| Fault::Syntax)
}

pub(super) fn database(args: Args<'_>, at: usize) -> Result<u32, Fault> {
    u32::try_from(int(args, at)?).map_err(|_| Fault::Syntax)
}

/// A number as a score is written; not a number is none.
pub(super) fn float(text: &[u8]) -> Result<f64, Fault> {
    let text = std::str::from_utf8(text).map_err(|_| Fault::Syntax)?;
    text.parse().ok().filter(|number: &f64| !number.is_nan()).ok_or(Fault::Syntax)
}

/// A place in a list of this length; negative ones count from its end.
pub(super) fn place(at: i64, len: usize) -> i64 {
    if at < 0 { at.saturating_add(i64::try_from(len).unwrap_or(i64::MAX)) } else { at }
}

/// The places from one to another, both included, within this length.
pub(super) fn range(from: i64, to: i64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(place(from, len).max(0)).unwrap_or(usize::MAX);
    let end = place(to, len).saturating_add(1).max(0);
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(len);
    start.min(end)..end
}

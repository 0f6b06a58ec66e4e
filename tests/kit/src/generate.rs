//! Invented data as Redis would have saved it: the same seed gives the same bytes, at any size in the same memory.

use std::io::{self, Write};

use crate::dump::{DumpWriter, kind};
use crate::listpack::Listpack;
use crate::random::Random;

/// What to invent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// So many hashes named by IP address with the fields age, longitude, name and email.
    Article {
        /// How many hashes.
        records: u64,
    },
    /// One hash, `big`, with so many short fields.
    HashFields {
        /// How many fields.
        fields: u64,
    },
    /// One hash, `big`, of so many bytes, in fields of about 1000 bytes.
    HashBytes {
        /// Bytes of names and values together.
        bytes: u64,
    },
    /// So many records, every type in turn, in two databases, some with an expiry.
    Mixed {
        /// How many records.
        records: u64,
    },
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Records, that is keys.
    pub records: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Strings that were written compressed.
    pub compressed: u64,
}

/// RDB version of the file; 10 is what Redis 7.0 loads, 11 what Redis 7.2 and Valkey 8 write.
pub const DEFAULT_VERSION: u16 = 11;

/// Writes the file to `out`.
///
/// # Errors
/// What `out` answers.
///
/// ```
/// use keystar_kit::generate::{Shape, write};
///
/// let mut file = Vec::new();
/// let summary = write(Shape::Article { records: 3 }, 1, 11, &mut file)?;
/// assert_eq!(summary.records, 3);
/// assert!(file.starts_with(b"REDIS0011"));
/// # std::io::Result::Ok(())
/// ```
pub fn write(shape: Shape, seed: u64, version: u16, out: impl Write) -> io::Result<Summary> {
    let mut dump = DumpWriter::new(out, version)?;
    let records = match shape {
        Shape::Article { records } => {
            article(&mut dump, seed, records)?;
            records
        }
        Shape::HashFields { fields } => {
            hash_fields(&mut dump, seed, fields)?;
            1
        }
        Shape::HashBytes { bytes } => {
            hash_bytes(&mut dump, seed, bytes)?;
            1
        }
        Shape::Mixed { records } => {
            mixed(&mut dump, seed, records)?;
            records
        }
    };
    let compressed = dump.compressed();
    Ok(Summary { records, bytes: dump.finish()?, compressed })
}

/// One person of the article's data; the texts are reused from one to the next.
#[derive(Debug, Default)]
pub struct Person {
    /// `i:` and an IP address; no two alike within the first 2^32.
    pub key: String,
    /// 0 to 9999.
    pub age: String,
    /// -180 to 180, at most six decimals, no trailing zero.
    pub longitude: String,
    /// First and last name.
    pub name: String,
    /// A handle that is not the name.
    pub email: String,
}

impl Person {
    /// Becomes the `index`th person.
    pub fn become_nth(&mut self, seed: u64, index: u64) {
        use std::fmt::Write as _;
        for text in
            [&mut self.key, &mut self.age, &mut self.longitude, &mut self.name, &mut self.email]
        {
            text.clear();
        }
        let mut random = Random::nth(seed, index);
        let [a, b, c, d] = scramble(index as u32, seed as u32).to_be_bytes();
        let _ = write!(self.key, "i:{a}.{b}.{c}.{d}");
        let _ = write!(self.age, "{}", random.below(10_000));

        let millionths = random.below(360_000_001) as i64 - 180_000_000;
        let sign = if millionths < 0 { "-" } else { "" };
        let (whole, part) =
            (millionths.unsigned_abs() / 1_000_000, millionths.unsigned_abs() % 1_000_000);
        let _ = write!(self.longitude, "{sign}{whole}.{part:06}");
        let kept = self.longitude.trim_end_matches('0').trim_end_matches('.').len();
        self.longitude.truncate(kept);

        let _ = write!(self.name, "{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
        for _ in 0..5 + random.below(4) {
            self.email.push((b'a' + random.below(26) as u8) as char);
        }
        let _ = write!(self.email, "@{}", random.pick(&MAIL_DOMAINS));
    }

    /// The item that the default mapping makes of it, as a line of DynamoDB JSON: what a migration must arrive at.
    pub fn item_line(&self, out: &mut Vec<u8>) {
        // No text here needs escaping.
        let Self { key, age, longitude, name, email } = self;
        let _ = writeln!(
            out,
            r#"{{"Item":{{"key":{{"S":"{key}"}},"value":{{"M":{{"age":{{"N":"{age}"}},"longitude":{{"N":"{longitude}"}},"name":{{"S":"{name}"}},"email":{{"S":"{email}"}}}}}}}}}}"#,
        );
    }
}

/// Writes the items that a migration of `Shape::Article` must arrive at, one a line, in the order of the dump.
///
/// # Errors
/// What `out` answers.
pub fn write_article_items(records: u64, seed: u64, mut out: impl Write) -> io::Result<()> {
    let mut person = Person::default();
    let mut lines = Vec::with_capacity(1 << 20);
    for index in 0..records {
        person.become_nth(seed, index);
        person.item_line(&mut lines);
        if lines.len() > 1 << 19 {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    out.write_all(&lines)?;
    out.flush()
}

/// Every 32-bit number to another, no two to the same: odd factors and shifted xors can be undone.
fn scramble(index: u32, seed: u32) -> u32 {
    let mut value = index.wrapping_mul(0x9e37_79b1) ^ seed;
    value = (value ^ value >> 15).wrapping_mul(0x2c1b_3c6d);
    value = (value ^ value >> 12).wrapping_mul(0x297a_2d39);
    value ^ value >> 15
}

fn article<W: Write>(dump: &mut DumpWriter<W>, seed: u64, records: u64) -> io::Result<()> {
    if records > 0 {
        dump.select(0, records, 0);
    }
    let mut person = Person::default();
    let mut packed = Listpack::default();
    for index in 0..records {
        person.become_nth(seed, index);
        packed.clear();
        for (field, value) in [
            ("age", &person.age),
            ("longitude", &person.longitude),
            ("name", &person.name),
            ("email", &person.email),
        ] {
            packed.push(field.as_bytes());
            packed.push(value.as_bytes());
        }
        dump.key(kind::HASH_LISTPACK, person.key.as_bytes(), None);
        dump.string(packed.finish());
        dump.flush_if_full()?;
    }
    Ok(())
}

fn hash_fields<W: Write>(dump: &mut DumpWriter<W>, seed: u64, fields: u64) -> io::Result<()> {
    let mut random = Random::new(seed);
    dump.select(0, 1, 0);
    dump.key(kind::HASH, b"big", None);
    dump.length(fields);
    for index in 0..fields {
        dump.string(format!("field:{index}").as_bytes());
        match index % 3 {
            0 => dump.string(random.below(1 << 40).to_string().as_bytes()),
            1 => dump.string(random.pick(&LAST_NAMES).as_bytes()),
            _ => dump.string(format!("{:016x}", random.next()).as_bytes()),
        }
        dump.flush_if_full()?;
    }
    Ok(())
}

fn hash_bytes<W: Write>(dump: &mut DumpWriter<W>, seed: u64, bytes: u64) -> io::Result<()> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const FIELD_BYTES: u64 = 1000;
    let mut random = Random::new(seed);
    let fields = bytes.div_ceil(FIELD_BYTES).max(1);
    dump.select(0, 1, 0);
    dump.key(kind::HASH, b"big", None);
    dump.length(fields);
    let mut value = Vec::new();
    for index in 0..fields {
        let name = format!("field:{index:09}");
        dump.string(name.as_bytes());
        value.clear();
        while value.len() < FIELD_BYTES as usize - name.len() {
            let mut bits = random.next();
            for _ in 0..10 {
                value.push(LETTERS[(bits & 63) as usize]);
                bits >>= 6;
            }
        }
        value.truncate(FIELD_BYTES as usize - name.len());
        dump.string(&value);
        dump.flush_if_full()?;
    }
    Ok(())
}

/// The last tenth lies in database 1. Expiries lie in 2100, so that a server that loads the file keeps the keys.
fn mixed<W: Write>(dump: &mut DumpWriter<W>, seed: u64, records: u64) -> io::Result<()> {
    const EXPIRES_AT: u64 = 4_102_444_800_000;
    let second = records - records / 10;
    for (db, range) in [(0, 0..second), (1, second..records)] {
        if range.is_empty() {
            continue;
        }
        let expires = range.clone().filter(|index| index % 7 == 0).count() as u64;
        dump.select(db, range.end - range.start, expires);
        for index in range {
            let mut random = Random::nth(seed, index);
            let expires_at = (index % 7 == 0).then(|| (EXPIRES_AT + random.below(1 << 32)) as i64);
            mixed_record(dump, &mut random, index, expires_at);
            dump.flush_if_full()?;
        }
    }
    Ok(())
}

fn mixed_record<W: Write>(
    dump: &mut DumpWriter<W>,
    random: &mut Random,
    index: u64,
    expires_at: Option<i64>,
) {
    let mut packed = Listpack::default();
    let key = |dump: &mut DumpWriter<W>, kind, name: &str| {
        dump.key(kind, format!("{name}:{index}").as_bytes(), expires_at);
    };
    match index % 15 {
        0 => {
            key(dump, kind::STRING, "text");
            dump.string(word(random, 12).as_bytes());
        }
        1 => {
            key(dump, kind::STRING, "int");
            let bits = 1 + random.below(63);
            let value = random.next() as i64 >> bits;
            dump.string(value.to_string().as_bytes());
        }
        2 => {
            key(dump, kind::STRING, "long");
            let line = format!("{} — “{}”\n", word(random, 6), word(random, 9));
            dump.string(line.repeat(1 + random.below(40) as usize).as_bytes());
        }
        3 => {
            key(dump, kind::STRING, "bytes");
            let bytes: Vec<u8> = (0..1 + random.below(50)).map(|_| random.next() as u8).collect();
            dump.string(&[&bytes[..], &[0xff]].concat());
        }
        4 => {
            key(dump, kind::LIST_QUICKLIST_2, "list");
            for _ in 0..1 + random.below(30) {
                push_any(&mut packed, random);
            }
            dump.length(1);
            dump.length(2);
            dump.string(packed.finish());
        }
        5 => {
            key(dump, kind::LIST_QUICKLIST_2, "biglist");
            packed.push(b"first");
            dump.length(2);
            dump.length(2);
            dump.string(packed.finish());
            dump.length(1);
            dump.string(word(random, 9000).as_bytes());
        }
        6 => {
            key(dump, kind::SET_INTSET, "ints");
            let width = *random.pick(&[2_usize, 4, 8]);
            let step = 1_u64 << (8 * width - 8);
            let members = 1 + random.below(40);
            let mut intset = Vec::new();
            intset.extend_from_slice(&(width as u32).to_le_bytes());
            intset.extend_from_slice(&(members as u32).to_le_bytes());
            for nth in 0..members {
                // Ascending, and wide enough that the width is needed.
                let value =
                    (step as i64).wrapping_neg() * 100 + (nth * step + random.below(step)) as i64;
                intset.extend_from_slice(&value.to_le_bytes()[..width]);
            }
            dump.string(&intset);
        }
        7 if dump.version() >= 11 => {
            key(dump, kind::SET_LISTPACK, "set");
            for nth in 0..1 + random.below(40) {
                packed.push(format!("{nth}-{}", word(random, 5)).as_bytes());
            }
            dump.string(packed.finish());
        }
        7 | 8 => {
            key(dump, kind::SET, "bigset");
            let members = 130 + random.below(30);
            dump.length(members);
            for nth in 0..members {
                dump.string(format!("member-{nth}").as_bytes());
            }
        }
        9 => {
            key(dump, kind::ZSET_LISTPACK, "ranks");
            for nth in 0..1 + random.below(20) as i64 {
                packed.push(format!("m{nth}").as_bytes());
                if nth % 2 == 0 {
                    packed.push_integer(nth * 10)
                } else {
                    packed.push(format!("{nth}0.5").as_bytes())
                }
            }
            dump.string(packed.finish());
        }
        10 => {
            // Redis saves the tree from its end.
            key(dump, kind::ZSET_2, "bigranks");
            let members = 130 + random.below(30);
            dump.length(members);
            for nth in (0..members).rev() {
                dump.string(format!("member-{nth}").as_bytes());
                dump.raw(&(nth as f64 / 8.0 - 3.0).to_le_bytes());
            }
        }
        11 => {
            key(dump, kind::HASH_LISTPACK, "hash");
            for nth in 0..1 + random.below(20) {
                packed.push(format!("f{nth}").as_bytes());
                push_any(&mut packed, random);
            }
            dump.string(packed.finish());
        }
        12 => {
            key(dump, kind::HASH, "bighash");
            let fields = 1 + random.below(20);
            dump.length(fields);
            for nth in 0..fields {
                dump.string(format!("f{nth}").as_bytes());
                dump.string(word(random, 65 + nth).as_bytes());
            }
        }
        13 => {
            let newer = dump.version() >= 11;
            key(
                dump,
                if newer { kind::STREAM_LISTPACKS_3 } else { kind::STREAM_LISTPACKS_2 },
                "stream",
            );
            stream(dump, random, &mut packed, newer);
        }
        _ => {
            key(dump, kind::STRING, "json");
            let text = format!(
                r#"{{"name":"{}","tags":["a","b"],"n":{}}}"#,
                word(random, 6),
                random.below(1000)
            );
            dump.string(text.as_bytes());
        }
    }
}

/// One node of entries that share their fields, and a group with one entry pending.
fn stream<W: Write>(
    dump: &mut DumpWriter<W>,
    random: &mut Random,
    packed: &mut Listpack,
    newer: bool,
) {
    let first_ms = 1_700_000_000_000 + random.below(1 << 30);
    let entries = 1 + random.below(20);
    let id = |nth: u64| (first_ms + 3 * nth, nth % 2);
    let raw_id = |nth: u64| {
        let (ms, seq) = id(nth);
        [ms.to_be_bytes(), seq.to_be_bytes()].concat()
    };

    for number in [entries as i64, 0, 2] {
        packed.push_integer(number);
    }
    packed.push(b"sensor");
    packed.push(b"value");
    packed.push_integer(0);
    for nth in 0..entries {
        for number in [2, 3 * nth as i64, (nth % 2) as i64] {
            packed.push_integer(number);
        }
        packed.push(word(random, 4).as_bytes());
        packed.push(random.below(1000).to_string().as_bytes());
        packed.push_integer(5);
    }
    dump.length(1);
    dump.string(&raw_id(0));
    dump.string(packed.finish());
    dump.length(entries);
    let (last_ms, last_seq) = id(entries - 1);
    for number in [last_ms, last_seq, first_ms, 0, 0, 0, entries] {
        dump.length(number);
    }

    dump.length(1);
    dump.string(b"readers");
    for number in [first_ms, 0, 1, 1] {
        dump.length(number);
    }
    dump.raw(&raw_id(0));
    dump.raw(&1_700_000_000_123_i64.to_le_bytes());
    dump.length(1);
    dump.length(1);
    dump.string(b"ana");
    dump.raw(&1_700_000_000_456_i64.to_le_bytes());
    if newer {
        dump.raw(&1_700_000_000_123_i64.to_le_bytes());
    }
    dump.length(1);
    dump.raw(&raw_id(0));
}

fn push_any(packed: &mut Listpack, random: &mut Random) {
    match random.below(4) {
        0 => packed.push_integer(random.next() as i64 >> (random.below(64))),
        1 => packed.push(format!("{}.{}", random.below(100), 1 + random.below(9)).as_bytes()),
        _ => {
            let letters = random.below(64);
            packed.push(word(random, letters).as_bytes());
        }
    }
}

fn word(random: &mut Random, letters: u64) -> String {
    (0..letters).map(|_| (b'a' + random.below(26) as u8) as char).collect()
}

const FIRST_NAMES: [&str; 32] = [
    "Ada", "Alan", "Amir", "Anna", "Boris", "Carla", "Chen", "Dora", "Elif", "Emil", "Fatima",
    "Felix", "Gita", "Hugo", "Ines", "Ivan", "Jonas", "Kaito", "Karin", "Lena", "Luca", "Maria",
    "Miguel", "Nadia", "Olga", "Paulo", "Priya", "Rosa", "Sven", "Tomas", "Yusuf", "Zoe",
];

const LAST_NAMES: [&str; 32] = [
    "Abbott", "Almeida", "Berg", "Brandt", "Castillo", "Costa", "Dubois", "Eriksen", "Fischer",
    "Fontana", "Garcia", "Haddad", "Hoffmann", "Ibrahim", "Jansen", "Kowalski", "Kumar",
    "Lindgren", "Lopez", "Moreau", "Nakamura", "Novak", "Okafor", "Peters", "Quinn", "Rossi",
    "Santos", "Schmidt", "Silva", "Tanaka", "Weber", "Yilmaz",
];

const MAIL_DOMAINS: [&str; 4] = ["example.com", "example.net", "example.org", "mail.example"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn generated(shape: Shape, seed: u64, version: u16) -> Vec<u8> {
        let mut out = Vec::new();
        write(shape, seed, version, &mut out).unwrap();
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let shape = Shape::Mixed { records: 300 };
        assert_eq!(generated(shape, 7, 11), generated(shape, 7, 11));
        assert_ne!(generated(shape, 7, 11), generated(shape, 8, 11));
    }

    #[test]
    fn no_two_people_share_an_address() {
        let mut person = Person::default();
        let mut seen = HashSet::new();
        for index in 0..200_000 {
            person.become_nth(3, index);
            assert!(seen.insert(person.key.clone()), "{} came twice", person.key);
        }
    }

    #[test]
    fn the_articles_sizes() {
        let records = 20_000;
        let dump = generated(Shape::Article { records }, 1, 11).len() as u64 / records;
        let mut lines = Vec::new();
        write_article_items(records, 1, &mut lines).unwrap();
        let line = lines.len() as u64 / records;
        assert!((95..=110).contains(&dump), "{dump} bytes of dump a record");
        assert!((165..=178).contains(&line), "{line} bytes of JSON a record");
    }

    #[test]
    fn a_hash_of_so_many_bytes() {
        let file = generated(Shape::HashBytes { bytes: 1_000_000 }, 1, 11).len();
        assert!((1_000_000..1_010_000).contains(&file), "{file}");
    }
}

//! A digest of a record that can be taken in pieces, in any order.
//!
//! The items of one record lie in many files, in no order, and a record may be too big to hold.
//! So every element is hashed by itself, with its place where places matter (a list's index), and
//! the hashes are added up: the same elements give the same sum, however they were cut and in
//! whichever order they came.

use keystar_rdb::{
    Blob, Db, Field, Json, Module, ModuleToken, Scored, Slot, Stream, StreamEntry, StreamId,
    UnixMillis, Value,
};
use xxhash_rust::xxh3::Xxh3;

/// What is compared of a record: its elements, and when it expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    sum: u128,
    /// Of a string: its bytes, each weighed by its place, modulo [`PRIME`].
    text: u64,
    elements: u64,
    expires_at: Option<UnixMillis>,
}

impl Fingerprint {
    /// The fingerprint of a whole record, or of a piece whose first element is number `start`.
    pub(crate) fn of(value: &Value<'_>, start: u64, expires_at: Option<UnixMillis>) -> Self {
        let mut fingerprint = Self { expires_at, ..Self::default() };
        fingerprint.value(value, start);
        fingerprint
    }

    /// Puts the pieces of one record together.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.text = reduced(u128::from(self.text) + u128::from(other.text));
        self.elements += other.elements;
        self.expires_at = self.expires_at.or(other.expires_at);
    }

    pub(crate) const BYTES: usize = 16 + 8 + 8 + 1 + 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.sum.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.text.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.elements.to_le_bytes());
        bytes[32] = self.expires_at.is_some().into();
        bytes[33..].copy_from_slice(&self.expires_at.unwrap_or_default().0.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        fn number<const N: usize>(bytes: &[u8; Fingerprint::BYTES], at: usize) -> [u8; N] {
            std::array::from_fn(|index| bytes[at + index])
        }
        let moment = UnixMillis(i64::from_le_bytes(number(bytes, 33)));
        Self {
            sum: u128::from_le_bytes(number(bytes, 0)),
            text: u64::from_le_bytes(number(bytes, 16)),
            elements: u64::from_le_bytes(number(bytes, 24)),
            expires_at: (bytes[32] == 1).then_some(moment),
        }
    }

    fn value(&mut self, value: &Value<'_>, start: u64) {
        match value {
            Value::String(text) => self.text(text, start),
            Value::List(items) => {
                for (index, item) in (start..).zip(items) {
                    self.add(|hash| hash.number(index).bytes(item));
                }
            }
            Value::Set(members) => {
                for member in members {
                    self.add(|hash| hash.bytes(member));
                }
            }
            Value::SortedSet(members) => {
                for Scored { member, score } in members {
                    // -0 and 0 are one score.
                    self.add(|hash| hash.bytes(member).number((score + 0.0).to_bits()));
                }
            }
            Value::Hash(fields) => {
                for Field { name, value, expires_at } in fields {
                    self.add(|hash| hash.bytes(name).bytes(value).moment(*expires_at));
                }
            }
            Value::Stream(stream) => self.stream(stream),
            Value::Array(array) => {
                for (index, slot) in &array.slots {
                    self.add(|hash| match slot {
                        Slot::Text(text) => hash.number(*index).tag(0).bytes(text),
                        Slot::Int(int) => hash.number(*index).tag(1).number(int.cast_unsigned()),
                        Slot::Float(float) => hash.number(*index).tag(2).number(float.to_bits()),
                    });
                }
                if let Some(index) = array.insert_index {
                    self.add(|hash| hash.tag(3).number(index));
                }
            }
            Value::Json(json) => self.add(|hash| hash.json(json)),
            Value::Module(module) => self.add(|hash| hash.module(module)),
            other => self.add(|hash| hash.bytes(other.kind().name().as_bytes())),
        }
    }

    /// What is not an entry comes with the last piece only, so the others must add nothing.
    fn stream(&mut self, stream: &Stream<'_>) {
        for StreamEntry { id, fields } in &stream.entries {
            self.add(|hash| {
                fields.iter().fold(hash.id(*id), |hash, (name, value)| hash.bytes(name).bytes(value))
            });
        }
        if stream.last_id != StreamId::default() {
            self.add(|hash| hash.tag(1).id(stream.last_id));
        }
        for (tag, id) in [(2, stream.first_id), (3, stream.max_deleted_id)] {
            if let Some(id) = id {
                self.add(|hash| hash.tag(tag).id(id));
            }
        }
        if let Some(entries) = stream.entries_added {
            self.add(|hash| hash.tag(4).number(entries));
        }
        for group in &stream.groups {
            let name = &group.name;
            self.add(|hash| {
                hash.tag(5).bytes(name).id(group.last_id).optional(group.entries_read)
            });
            for pending in &group.pending {
                self.add(|hash| {
                    let hash = hash.tag(6).bytes(name).id(pending.id);
                    let hash = match &pending.consumer {
                        Some(consumer) => hash.tag(1).bytes(consumer),
                        None => hash.tag(0),
                    };
                    hash.moment(Some(pending.delivered_at)).number(pending.delivery_count)
                });
            }
            for consumer in &group.consumers {
                self.add(|hash| {
                    let hash = hash.tag(7).bytes(name).bytes(&consumer.name);
                    hash.moment(Some(consumer.seen_at)).moment(consumer.active_at)
                });
            }
            for id in &group.nacked {
                self.add(|hash| hash.tag(8).bytes(name).id(*id));
            }
        }
        if let Some(idempotency) = &stream.idempotency {
            self.add(|hash| {
                let hash = hash.tag(9).number(idempotency.duration_seconds);
                let hash = hash.number(idempotency.max_entries).number(idempotency.ids_added);
                hash.number(idempotency.duplicates)
            });
            for producer in &idempotency.producers {
                self.add(|hash| {
                    let hash = hash.tag(10).bytes(&producer.id);
                    producer.entries.iter().fold(hash, |hash, (key, id)| hash.bytes(key).id(*id))
                });
            }
        }
    }

    /// Adds `Σ byte·R^place` modulo a prime: wherever a string is cut, the pieces give the same.
    fn text(&mut self, text: &Blob<'_>, start: u64) {
        let sum = text.iter().rev().fold(0, |sum, &byte| {
            reduced(u128::from(sum) * u128::from(R) + u128::from(byte) + 1)
        });
        let placed = u128::from(sum) * u128::from(power(R, start));
        self.text = reduced(u128::from(self.text) + u128::from(reduced(placed)));
        self.elements += text.len() as u64;
    }

    fn add(&mut self, element: impl FnOnce(Hash) -> Hash) {
        let hash = element(Hash(Xxh3::new()));
        self.sum = self.sum.wrapping_add(hash.0.digest128());
        self.elements += 1;
    }
}

/// Names a record: 128 bits of its database and key.
pub(crate) fn key_hash(db: Db, key: &[u8]) -> u128 {
    Hash(Xxh3::new()).number(u64::from(db.0)).bytes(key).0.digest128()
}

const PRIME: u64 = (1 << 61) - 1;
const R: u64 = 0x1657_39ab_24c8_f1d3;

/// The remainder by the Mersenne prime 2^61 - 1, of a number below 2^122.
fn reduced(number: u128) -> u64 {
    let folded = (number as u64 & PRIME) + (number >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
    if folded == PRIME { 0 } else { folded }
}

fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut power = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = reduced(u128::from(power) * u128::from(base));
        }
        base = reduced(u128::from(base) * u128::from(base));
        exponent >>= 1;
    }
    power
}

/// A hash of parts, each delimited, so that no two lists of parts look alike.
struct Hash(Xxh3);

impl Hash {
    fn tag(self, tag: u8) -> Self {
        self.raw(&[tag])
    }

    fn number(self, number: u64) -> Self {
        self.raw(&number.to_le_bytes())
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        self.number(bytes.len() as u64).raw(bytes)
    }

    fn moment(self, moment: Option<UnixMillis>) -> Self {
        match moment {
            Some(UnixMillis(millis)) => self.tag(1).number(millis.cast_unsigned()),
            None => self.tag(0),
        }
    }

    fn optional(self, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.tag(1).number(number),
            None => self.tag(0),
        }
    }

    fn id(self, id: StreamId) -> Self {
        self.number(id.ms).number(id.seq)
    }

    fn module(self, module: &Module<'_>) -> Self {
        let hash = self.bytes(module.name.as_bytes()).number(module.version.into());
        module.tokens.iter().fold(hash, |hash, token| match token {
            ModuleToken::Int(int) => hash.tag(1).number(int.cast_unsigned()),
            ModuleToken::Uint(int) => hash.tag(2).number(*int),
            ModuleToken::Float(float) => hash.tag(3).number(float.to_bits().into()),
            ModuleToken::Double(float) => hash.tag(4).number(float.to_bits()),
            ModuleToken::Text(text) => hash.tag(5).bytes(text),
        })
    }

    fn json(self, json: &Json) -> Self {
        match json {
            Json::Null => self.tag(b'n'),
            Json::Bool(truth) => self.tag(b'b').tag((*truth).into()),
            Json::Number(number) => self.tag(b'#').bytes(number.as_bytes()),
            Json::String(text) => self.tag(b'"').bytes(text.as_bytes()),
            Json::Array(values) => {
                let hash = self.tag(b'[').number(values.len() as u64);
                values.iter().fold(hash, Self::json)
            }
            Json::Object(members) => {
                // The order of members means nothing; DynamoDB does not keep it.
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                let hash = self.tag(b'{').number(members.len() as u64);
                members.into_iter().fold(hash, |hash, (name, value)| {
                    hash.bytes(name.as_bytes()).json(value)
                })
            }
        }
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &str) -> Blob<'static> {
        Blob::copied(text.as_bytes())
    }

    fn whole(value: &Value<'_>) -> Fingerprint {
        Fingerprint::of(value, 0, None)
    }

    #[test]
    fn a_string_may_be_cut_anywhere() {
        let text = "the quick brown fox, \0 and more";
        let expected = whole(&Value::String(blob(text)));
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let mut sum = Fingerprint::of(&Value::String(blob(tail)), cut as u64, None);
            sum.merge(&whole(&Value::String(blob(head))));
            assert_eq!(sum, expected, "cut at {cut}");
        }
        assert_ne!(whole(&Value::String(blob("ab"))), whole(&Value::String(blob("ba"))));
        assert_ne!(whole(&Value::String(blob("a"))), whole(&Value::String(blob("a\0"))));
    }

    #[test]
    fn places_matter_in_lists_only() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| blob(item)).collect());
        let set = |items: &[&str]| Value::Set(items.iter().map(|item| blob(item)).collect());
        assert_ne!(whole(&list(&["a", "b"])), whole(&list(&["b", "a"])));
        assert_eq!(whole(&set(&["a", "b"])), whole(&set(&["b", "a"])));
        assert_ne!(whole(&set(&["ab", "c"])), whole(&set(&["a", "bc"])));
        let mut pieces = Fingerprint::of(&list(&["c"]), 2, None);
        pieces.merge(&whole(&list(&["a", "b"])));
        assert_eq!(pieces, whole(&list(&["a", "b", "c"])));
    }

    #[test]
    fn the_bytes_are_read_back() {
        let value = Value::Set(vec![blob("x")]);
        for expires_at in [None, Some(UnixMillis(-5)), Some(UnixMillis(1_700_000_000_000))] {
            let fingerprint = Fingerprint::of(&value, 0, expires_at);
            assert_eq!(Fingerprint::from_bytes(&fingerprint.to_bytes()), fingerprint);
        }
    }
}

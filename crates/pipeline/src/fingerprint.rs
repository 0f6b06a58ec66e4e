//! A digest of a value that can be taken in pieces, in any order.
//!
//! The items of one record lie in many files, in no order, and a record may be too big to hold.
//! So every element is hashed by itself and the hashes are added up: the same elements give the
//! same sum, however they were cut and in whichever order they came. Where the order of elements
//! means something, in lists and in strings, elements are the coefficients of a polynomial, and its
//! value is what adds up.

use keystar_item::{AttributeValue, Attributes, Item};
use keystar_rdb::{
    Array, Blob, Db, Field, Json, Kind, Module, ModuleToken, Scored, Slot, Stream, StreamEntry,
    StreamId, UnixMillis, Value,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Whether a string is what `PFADD` makes: 16 bytes of head, then at most 12 KiB of registers.
pub(crate) fn is_hyperloglog(text: &[u8]) -> bool {
    text.starts_with(b"HYLL") && (16..=16 + 12_288 + 1).contains(&text.len())
}

/// The estimate that a HyperLogLog keeps in its head: asking for it may write it anew, so it says
/// nothing of the value.
pub(crate) fn forget_estimate(text: &mut [u8]) {
    if let Some(estimate) = text.get_mut(8..16) {
        estimate.fill(0);
    }
}

/// What two values are compared by: equal values have equal fingerprints, and others have not, but
/// for a chance of about 2^-60.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Where order matters, the polynomial's value, below [`PRIME`]; elsewhere the sum of the
    /// elements' hashes, modulo 2^128.
    sum: u128,
    /// How many elements there are; of a string, how many bytes.
    pub(crate) elements: u64,
}

impl Fingerprint {
    /// The fingerprint of a whole value, or of a piece whose first element is number `start` (of
    /// a string, whose first byte is).
    pub(crate) fn of(value: &Value<'_>, start: u64) -> Self {
        match value {
            Value::String(text) if start == 0 && is_hyperloglog(text) => {
                let mut bytes = text.to_vec();
                forget_estimate(&mut bytes);
                Self {
                    sum: placed(text_polynomial(&bytes), start).into(),
                    elements: bytes.len() as u64,
                }
            }
            Value::String(text) => Self {
                sum: placed(text_polynomial(text), start).into(),
                elements: text.len() as u64,
            },
            Value::List(items) => Self {
                sum: placed(list_polynomial(items), start).into(),
                elements: items.len() as u64,
            },
            _ => {
                let mut sum = Sum { bytes: Vec::with_capacity(256), fingerprint: Self::default() };
                sum.value(value);
                sum.fingerprint
            }
        }
    }

    /// The fingerprint of an item: one element.
    ///
    /// The order of attributes and of set members means nothing, nor does how a number is written:
    /// it is what DynamoDB keeps that counts.
    pub(crate) fn of_item(item: &Item<'_>) -> Self {
        let mut sum = Sum { bytes: Vec::with_capacity(512), fingerprint: Self::default() };
        sum.add(|element| element.attributes(&item.attributes));
        sum.fingerprint
    }

    /// Puts pieces of one value together.
    pub(crate) fn merge(&mut self, other: &Self, kind: Kind) {
        self.sum = match is_ordered(kind) {
            true => reduced(self.sum + other.sum).into(),
            false => self.sum.wrapping_add(other.sum),
        };
        self.elements += other.elements;
    }

    /// The sum alone, as a name.
    pub(crate) fn sum(&self) -> u128 {
        self.sum
    }

    /// What [`from_parts`](Self::from_parts) takes besides the elements.
    pub(crate) fn sum_bytes(&self) -> [u8; 16] {
        self.sum.to_le_bytes()
    }

    pub(crate) fn from_parts(sum: [u8; 16], elements: u64) -> Self {
        Self { sum: u128::from_le_bytes(sum), elements }
    }
}

/// Whether the order of such a value's elements means something that they do not say themselves.
fn is_ordered(kind: Kind) -> bool {
    matches!(kind, Kind::String | Kind::List)
}

/// Names a record: 128 bits of its database and key.
pub(crate) fn key_hash(db: Db, key: &[u8]) -> u128 {
    let mut bytes = Vec::with_capacity(64);
    let _ = Element(&mut bytes).number(u64::from(db.0)).bytes(key);
    xxh3_128(&bytes)
}

/// Adds up elements.
struct Sum {
    /// The element at hand; kept for its memory.
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
}

impl Sum {
    fn add(&mut self, write: impl FnOnce(Element<'_>) -> Element<'_>) {
        self.bytes.clear();
        let _ = write(Element(&mut self.bytes));
        let hash = xxh3_128(&self.bytes);
        self.fingerprint.sum = self.fingerprint.sum.wrapping_add(hash);
        self.fingerprint.elements += 1;
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Set(members) => {
                for member in members {
                    self.add(|element| element.bytes(member));
                }
            }
            Value::SortedSet(members) => {
                for Scored { member, score } in members {
                    // -0 and 0 are one score.
                    self.add(|element| element.bytes(member).number((score + 0.0).to_bits()));
                }
            }
            Value::Hash(fields) => {
                for Field { name, value, expires_at } in fields {
                    self.add(|element| element.bytes(name).bytes(value).moment(*expires_at));
                }
            }
            Value::Stream(stream) => self.stream(stream),
            Value::Array(array) => self.array(array),
            Value::Json(json) => self.add(|element| element.json(json)),
            Value::Module(module) => self.add(|element| element.module(module)),
            other => self.add(|element| element.bytes(other.kind().name().as_bytes())),
        }
    }

    /// What is not a slot comes with one piece only, so the others must add nothing.
    fn array(&mut self, array: &Array<'_>) {
        for (index, slot) in &array.slots {
            self.add(|element| match slot {
                Slot::Text(text) => element.number(*index).tag(0).bytes(text),
                Slot::Int(int) => element.number(*index).tag(1).number(int.cast_unsigned()),
                Slot::Float(float) => element.number(*index).tag(2).number(float.to_bits()),
                _ => element.number(*index).tag(3),
            });
        }
        if let Some(index) = array.insert_index {
            self.add(|element| element.tag(b'i').number(index));
        }
    }

    /// What is not an entry comes with one piece only, so the others must add nothing. The length
    /// is left out: some servers wrote a wrong one, and it is the entries that count.
    fn stream(&mut self, stream: &Stream<'_>) {
        for StreamEntry { id, fields } in &stream.entries {
            self.add(|element| {
                let element = element.tag(0).id(*id);
                fields
                    .iter()
                    .fold(element, |element, (name, value)| element.bytes(name).bytes(value))
            });
        }
        if stream.last_id != StreamId::default() {
            self.add(|element| element.tag(1).id(stream.last_id));
        }
        for (tag, id) in [(10, stream.first_id), (2, stream.max_deleted_id)] {
            if let Some(id) = id {
                self.add(|element| element.tag(tag).id(id));
            }
        }
        if let Some(entries) = stream.entries_added {
            self.add(|element| element.tag(3).number(entries));
        }
        for group in &stream.groups {
            let name = &group.name;
            self.add(|element| {
                element.tag(4).bytes(name).id(group.last_id).optional(group.entries_read)
            });
            for pending in &group.pending {
                self.add(|element| {
                    let element = element.tag(5).bytes(name).id(pending.id);
                    let element = match &pending.consumer {
                        Some(consumer) => element.tag(1).bytes(consumer),
                        None => element.tag(0),
                    };
                    element.moment(Some(pending.delivered_at)).number(pending.delivery_count)
                });
            }
            for consumer in &group.consumers {
                self.add(|element| {
                    let element = element.tag(6).bytes(name).bytes(&consumer.name);
                    element.moment(Some(consumer.seen_at)).moment(consumer.active_at)
                });
            }
            for id in &group.nacked {
                self.add(|element| element.tag(7).bytes(name).id(*id));
            }
        }
        if let Some(idempotency) = &stream.idempotency {
            self.add(|element| {
                let element = element.tag(8).number(idempotency.duration_seconds);
                let element = element.number(idempotency.max_entries).number(idempotency.ids_added);
                element.number(idempotency.duplicates)
            });
            for producer in &idempotency.producers {
                self.add(|element| {
                    let element = element.tag(9).bytes(&producer.id);
                    producer
                        .entries
                        .iter()
                        .fold(element, |element, (key, id)| element.bytes(key).id(*id))
                });
            }
        }
    }
}

/// The bytes of one element. Its parts are delimited, so that no two lists of parts look alike.
struct Element<'b>(&'b mut Vec<u8>);

impl Element<'_> {
    fn tag(self, tag: u8) -> Self {
        self.0.push(tag);
        self
    }

    fn number(self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let element = self.number(bytes.len() as u64);
        element.0.extend_from_slice(bytes);
        element
    }

    fn moment(self, moment: Option<UnixMillis>) -> Self {
        self.optional(moment.map(|UnixMillis(millis)| millis.cast_unsigned()))
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
        let element = self.bytes(module.name.as_bytes()).number(module.version.into());
        module.tokens.iter().fold(element, |element, token| match token {
            ModuleToken::Int(int) => element.tag(1).number(int.cast_unsigned()),
            ModuleToken::Uint(int) => element.tag(2).number(*int),
            ModuleToken::Float(float) => element.tag(3).number(float.to_bits().into()),
            ModuleToken::Double(float) => element.tag(4).number(float.to_bits()),
            ModuleToken::Text(text) => element.tag(5).bytes(text),
        })
    }

    fn json(self, json: &Json) -> Self {
        match json {
            Json::Null => self.tag(b'n'),
            Json::Bool(truth) => self.tag(b'b').tag((*truth).into()),
            Json::Number(number) => self.tag(b'#').bytes(number.as_bytes()),
            Json::String(text) => self.tag(b'"').bytes(text.as_bytes()),
            Json::Array(values) => {
                let element = self.tag(b'[').number(values.len() as u64);
                values.iter().fold(element, Self::json)
            }
            Json::Object(members) => {
                // The order of members means nothing; DynamoDB does not keep it.
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                let element = self.tag(b'{').number(members.len() as u64);
                members.into_iter().fold(element, |element, (name, value)| {
                    element.bytes(name.as_bytes()).json(value)
                })
            }
        }
    }

    fn attributes(self, attributes: &Attributes<'_>) -> Self {
        let mut sorted: Vec<_> = attributes.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let element = self.number(sorted.len() as u64);
        sorted
            .into_iter()
            .fold(element, |element, (name, value)| element.bytes(name.as_bytes()).attribute(value))
    }

    fn attribute(self, value: &AttributeValue<'_>) -> Self {
        let element = self.bytes(value.type_name().as_bytes());
        match value {
            AttributeValue::S(text) => element.bytes(text.as_bytes()),
            AttributeValue::N(number) => element.bytes(number.canonical().as_bytes()),
            AttributeValue::B(bytes) => element.bytes(bytes),
            AttributeValue::Bool(truth) => element.tag((*truth).into()),
            AttributeValue::Null => element,
            AttributeValue::L(list) => {
                let element = element.number(list.len() as u64);
                list.iter().fold(element, Self::attribute)
            }
            AttributeValue::M(map) => element.attributes(map),
            AttributeValue::Ss(set) => element.set(set.iter().map(|text| text.as_bytes())),
            AttributeValue::Bs(set) => element.set(set.iter().map(|bytes| &**bytes)),
            AttributeValue::Ns(set) => {
                let numbers: Vec<_> = set.iter().map(|number| number.canonical()).collect();
                element.set(numbers.iter().map(|number| number.as_bytes()))
            }
        }
    }

    fn set<'s>(self, members: impl Iterator<Item = &'s [u8]>) -> Self {
        let mut members: Vec<_> = members.collect();
        members.sort_unstable();
        let element = self.number(members.len() as u64);
        members.into_iter().fold(element, Self::bytes)
    }
}

/// `Σ (byte + 1)·R^place` modulo [`PRIME`]: wherever a string is cut, the pieces' values, each in
/// its place, add up.
fn text_polynomial(text: &[u8]) -> u64 {
    text.rchunks(POWERS.len() - 1).fold(0, |value, chunk| {
        // At most 2^122 + 8·2^69: `reduced` takes it at once.
        let power = POWERS.get(chunk.len()).copied().unwrap_or_default();
        let sum: u128 = chunk
            .iter()
            .zip(POWERS)
            .map(|(&byte, power)| (u128::from(byte) + 1) * u128::from(power))
            .sum();
        reduced(u128::from(value) * u128::from(power) + sum)
    })
}

/// The same for the hashes of a list's items.
fn list_polynomial(items: &[Blob<'_>]) -> u64 {
    items.iter().rev().fold(0, |value, item| {
        reduced(u128::from(value) * u128::from(R) + u128::from(xxh3_64(item)))
    })
}

/// The value of a polynomial whose first coefficient is number `start`.
fn placed(value: u64, start: u64) -> u64 {
    reduced(u128::from(value) * u128::from(power(R, start)))
}

/// A Mersenne prime: the remainder is two additions away.
const PRIME: u64 = (1 << 61) - 1;
/// Any number below [`PRIME`] would do.
const R: u64 = 0x1657_39ab_24c8_f1d3;

/// `R^0` to `R^8`: eight bytes a step leave one long multiplication in the chain for eight.
const POWERS: [u64; 9] = {
    let mut powers = [1; 9];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = reduced(powers[at - 1] as u128 * R as u128);
        at += 1;
    }
    powers
};

/// The remainder by [`PRIME`] of a number below 2^123.
const fn reduced(number: u128) -> u64 {
    let folded = (number as u64 & PRIME) + (number >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
    if folded >= PRIME { folded - PRIME } else { folded }
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

#[cfg(test)]
mod tests {
    use keystar_item::Number;
    use keystar_rdb::Group;

    use super::*;

    fn blob(text: &str) -> Blob<'static> {
        Blob::copied(text.as_bytes())
    }

    fn whole(value: &Value<'_>) -> Fingerprint {
        Fingerprint::of(value, 0)
    }

    fn text(bytes: &[u8], start: u64) -> Fingerprint {
        Fingerprint::of(&Value::String(Blob::copied(bytes)), start)
    }

    #[test]
    fn remainders_are_remainders() {
        for number in [
            0,
            1,
            u128::from(PRIME),
            u128::from(PRIME) - 1,
            u128::from(PRIME) + 1,
            2 * u128::from(PRIME),
            (1 << 122) - 1,
            (1 << 123) - 1,
            0x0123_4567_89ab_cdef_0123_4567_89ab_cdef & ((1 << 123) - 1),
        ] {
            assert_eq!(u128::from(reduced(number)), number % u128::from(PRIME), "{number}");
        }
        assert_eq!(POWERS.map(Some), std::array::from_fn(|n| Some(power(R, n as u64))));
    }

    #[test]
    fn a_string_may_be_cut_anywhere() {
        let bytes: Vec<u8> = (0..97_u32).map(|n| (n * n) as u8).chain([0, 0, 255]).collect();
        let expected = text(&bytes, 0);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut sum = text(tail, cut as u64);
            sum.merge(&text(head, 0), Kind::String);
            assert_eq!(sum, expected, "cut at {cut}");
        }
        assert_ne!(text(b"ab", 0), text(b"ba", 0));
        assert_ne!(text(b"a", 0), text(b"a\0", 0));
        assert_ne!(text(b"aaaaaaaab", 0), text(b"baaaaaaaa", 0));
    }

    #[test]
    fn places_matter_in_lists_only() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| blob(item)).collect());
        let set = |items: &[&str]| Value::Set(items.iter().map(|item| blob(item)).collect());
        assert_ne!(whole(&list(&["a", "b"])), whole(&list(&["b", "a"])));
        assert_eq!(whole(&set(&["a", "b"])), whole(&set(&["b", "a"])));
        assert_ne!(whole(&set(&["ab", "c"])), whole(&set(&["a", "bc"])));
        let mut pieces = Fingerprint::of(&list(&["c"]), 2);
        pieces.merge(&whole(&list(&["a", "b"])), Kind::List);
        assert_eq!(pieces, whole(&list(&["a", "b", "c"])));
    }

    #[test]
    fn everything_that_a_hash_or_a_sorted_set_says_matters() {
        let field = |expires| {
            let field = Field::new(blob("f"), blob("v")).with_expires_at(expires);
            whole(&Value::Hash(vec![field]))
        };
        assert_ne!(field(None), field(Some(UnixMillis(0))));
        let member = |score| whole(&Value::SortedSet(vec![Scored::new(blob("m"), score)]));
        assert_ne!(member(1.0), member(1.000_000_000_000_000_2));
        assert_eq!(member(0.0), member(-0.0));
    }

    #[test]
    fn a_stream_adds_up_from_entries_and_its_tail() {
        let entry =
            |seq| StreamEntry { id: StreamId::new(1, seq), fields: vec![(blob("f"), blob("v"))] };
        let mut all = Stream::default();
        all.entries = vec![entry(1), entry(2)];
        all.last_id = StreamId::new(1, 2);
        all.groups = vec![Group::new(blob("g"), StreamId::new(1, 1))];
        let mut tail = all.clone();
        let mut head = Stream::default();
        head.entries = vec![tail.entries.remove(0)];
        let value = |stream: &Stream<'static>| Value::Stream(Box::new(stream.clone()));
        let mut sum = Fingerprint::of(&value(&tail), 1);
        sum.merge(&whole(&value(&head)), Kind::Stream);
        assert_eq!(sum, whole(&value(&all)));
        all.groups[0].last_id = StreamId::new(1, 2);
        assert_ne!(sum, whole(&value(&all)));
    }

    #[test]
    fn items_are_compared_as_dynamodb_would() {
        let item = |number: &'static str, first: &'static str| {
            let mut item = Item::new();
            let other = if first == "a" { "b" } else { "a" };
            let set = AttributeValue::Ss(vec![first.into(), other.into()]);
            if first == "a" {
                item.push("set", set.clone());
            }
            item.push("n", Number::parse(number).unwrap());
            if first != "a" {
                item.push("set", set);
            }
            Fingerprint::of_item(&item)
        };
        assert_eq!(item("1000", "a"), item("1e3", "b"));
        assert_ne!(item("1000", "a"), item("1001", "a"));
    }

    #[test]
    fn the_bytes_are_read_back() {
        let fingerprint = whole(&Value::Set(vec![blob("x")]));
        let parts = (fingerprint.sum_bytes(), fingerprint.elements);
        assert_eq!(Fingerprint::from_parts(parts.0, parts.1), fingerprint);
        assert_ne!(key_hash(Db(0), b"k"), key_hash(Db(1), b"k"));
    }
}

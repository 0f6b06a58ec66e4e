//! The way back: items become the record that they were made of.

use std::borrow::Cow;

use keystar_item::{AttributeValue, Item, KeyType, json};
use keystar_rdb::{Array, Blob, Db, Kind, Record, Scored, Stream, StreamId, UnixMillis, Value};
use sha2::{Digest as _, Sha256};

use crate::decode;
use crate::error::{Error, ErrorKind};
use crate::map::{Subject, TAIL, WHOLE, key_value, split_db_prefix};
use crate::mapping::{Mapping, RuleIndex};
use crate::parts::suffix;
use crate::rule::{Rule, own_names};
use crate::spec::{DbStyle, Layout, TypeStyle};
use crate::template::{Found, Source};
use crate::text::{hex, unescape, unsortable};

/// What one item says of the record that it was made of: its key, and all or a fragment of its
/// value. An [`Assembly`] puts fragments together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unmapped {
    /// The rule that made the item.
    pub rule: RuleIndex,
    /// The database; 0 with [`DbStyle::Folder`], where the item does not say.
    pub db: Db,
    /// The Redis key.
    pub key: Blob<'static>,
    /// The type of the value.
    pub kind: Kind,
    /// When the key expires.
    pub expires_at: Option<UnixMillis>,
    /// What the item holds of the value.
    pub fragment: Fragment,
}

/// What an item holds of a value: for those who put more together than memory holds, and so cannot
/// use an [`Assembly`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fragment {
    /// All of it.
    Whole(Value<'static>),
    /// One element, and its index in a list.
    Element(u64, Value<'static>),
    /// Of a stream or an array, what is no element.
    Tail(Numbered),
    /// A part that holds as many elements as fit; parts have the order of their numbers.
    Part(Numbered),
    /// Nothing: the value lies beside the items.
    Offloaded(Pointer),
}

/// A piece with its number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Numbered {
    /// From 0.
    pub number: u64,
    /// How many elements, or bytes of a string, come before those of the piece.
    pub start: u64,
    /// How many there are; on the last one.
    pub count: Option<u64>,
    /// The piece.
    pub piece: Piece,
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// Some of its elements; of a stream or an array also what is no element.
    Value(Value<'static>),
    /// Text of the value, or of its tail, as DynamoDB JSON, cut anywhere between characters.
    Text(String),
}

/// Where a value lies beside the items.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pointer {
    /// The file's name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its content, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl Unmapped {
    /// Whether the item holds all of the record.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.fragment, Fragment::Whole(_))
    }

    /// The value, or what of it the item holds, as a value of the same type: the elements of a
    /// part, one element, or a stream without entries but with its groups. `None` if the item
    /// holds a piece of text that means nothing without the others, or points elsewhere.
    #[must_use]
    pub const fn value(&self) -> Option<&Value<'static>> {
        match &self.fragment {
            Fragment::Whole(value) | Fragment::Element(_, value) => Some(value),
            Fragment::Tail(Numbered { piece: Piece::Value(value), .. })
            | Fragment::Part(Numbered { piece: Piece::Value(value), .. }) => Some(value),
            _ => None,
        }
    }

    /// How many elements of the value, or bytes of a string, come before those of
    /// [`value`](Self::value); 0 where order means nothing or elements tell it themselves.
    #[must_use]
    pub const fn start(&self) -> u64 {
        match &self.fragment {
            Fragment::Element(start, _) | Fragment::Part(Numbered { start, .. }) => *start,
            _ => 0,
        }
    }

    /// Where the value lies, if it lies beside the items.
    #[must_use]
    pub const fn offloaded(&self) -> Option<&Pointer> {
        match &self.fragment {
            Fragment::Offloaded(pointer) => Some(pointer),
            _ => None,
        }
    }
}

impl Mapping {
    /// Reads an item back: the inverse of [`map`](Self::map), item by item.
    ///
    /// # Errors
    ///
    /// Why the item is none that this mapping makes.
    pub fn unmap(&self, item: &Item<'_>) -> Result<Unmapped, Error> {
        let mut best = Error::new(ErrorKind::NoRule);
        for rule in self.mapping_rules() {
            match self.unmap_by(rule, item) {
                Ok(unmapped) => return Ok(unmapped),
                // It may well be this rule's item; what a later rule reads into it is a guess.
                Err(error) if error.kind() == ErrorKind::KeyNotKept => return Err(error),
                // The first rule whose key fits is the one that explains best.
                Err(error) if best.kind() == ErrorKind::NoRule => best = error,
                Err(_) => {}
            }
        }
        Err(best)
    }

    /// Puts all items of one record together, in any order.
    ///
    /// The record is the one that the items were made of, up to the losses that were reported,
    /// except for what carries no meaning: the order of members and fields, and
    /// [`Record::usage`], which no item holds. [`same_record`] compares accordingly.
    ///
    /// # Errors
    ///
    /// Why the items are none that this mapping makes of one record.
    pub fn record(&self, items: &[Item<'_>]) -> Result<Record<'static>, Error> {
        let mut assembly = Assembly::new();
        for item in items {
            assembly.add(self.unmap(item)?)?;
        }
        assembly.finish()
    }

    /// The record whose value lies beside the items, from the item that points to it and the
    /// content of the file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OffloadMismatch`] if the content is not what was written, and as
    /// [`record`](Self::record).
    pub fn onload(&self, pointer: &Item<'_>, content: &[u8]) -> Result<Record<'static>, Error> {
        let unmapped = self.unmap(pointer)?;
        let Fragment::Offloaded(expected) = &unmapped.fragment else {
            return Err(Error::at(ErrorKind::Missing, &self.names.offload));
        };
        let mismatch = || Error::new(ErrorKind::OffloadMismatch);
        let is_it = expected.bytes == content.len() as u64
            && expected.sha256 == hex(&Sha256::digest(content));
        if !is_it {
            return Err(mismatch());
        }
        if unmapped.kind == Kind::String {
            let value = Value::String(Blob::copied(content));
            return Ok(
                Record::new(unmapped.db, unmapped.key, value).with_expires_at(unmapped.expires_at)
            );
        }
        let mut assembly = Assembly::new();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let item = json::parse_item(line).map_err(|_| mismatch())?;
            assembly.add(self.unmap(&item)?)?;
        }
        assembly.finish()
    }

    fn unmap_by(&self, index: RuleIndex, item: &Item<'_>) -> Result<Unmapped, Error> {
        let no_rule = || Error::new(ErrorKind::NoRule);
        let names = &self.names;
        let rule = self.rule(index).ok_or_else(no_rule)?;
        let typed = match item.get(&names.r#type) {
            Some(AttributeValue::S(name)) => Some(
                name.parse::<Kind>().map_err(|_| Error::at(ErrorKind::Malformed, &names.r#type))?,
            ),
            Some(_) => return Err(Error::at(ErrorKind::Malformed, &names.r#type)),
            None if rule.shares_keys && rule.type_style != TypeStyle::Never => {
                return Err(no_rule());
            }
            None => None,
        };
        let kind = match typed.or_else(|| rule.only_kind()) {
            Some(kind) => kind,
            None => match (rule.layout, item.get(&names.value)) {
                (Layout::Item, Some(value)) => plain_kind(value),
                _ => Kind::Hash,
            },
        };
        let number = whole_number(item, &names.part)?;
        let (db, key, element) = self.read_key(rule, kind, number, item)?;
        let db_known = (self.db_style != DbStyle::Folder).then_some(db);
        if self.find_rule(db_known, &key, Some(kind)) != Some(index) {
            return Err(no_rule());
        }
        let (expires_at, field_expires_at) = self.expiries(rule, kind, item)?;
        let fragment = self.fragment(rule, kind, number, element.as_deref(), item)?;
        let fragment = match (fragment, field_expires_at) {
            (Fragment::Element(order, Value::Hash(mut fields)), at) => {
                for field in &mut fields {
                    field.expires_at = at;
                }
                Fragment::Element(order, Value::Hash(fields))
            }
            (fragment, _) => fragment,
        };
        Ok(Unmapped { rule: index, db: Db(db), key: key.into(), kind, expires_at, fragment })
    }

    /// The database, the Redis key, and the element, that an item's key tells.
    fn read_key(
        &self,
        rule: &Rule,
        kind: Kind,
        number: Option<u64>,
        item: &Item<'_>,
    ) -> Result<(u32, Vec<u8>, Option<String>), Error> {
        let no_rule = || Error::new(ErrorKind::NoRule);
        let schema = &self.table.key;
        if let Some(told) = self.names.redis_key.as_deref().and_then(|name| item.get(name)) {
            let key = decode::scalar(told).ok_or_else(|| Error::new(ErrorKind::Malformed))?;
            return self.read_told(rule, kind, number, item, key.into_vec());
        }
        let mut found = Found::default();
        let mut part_suffix = suffix(number.unwrap_or_default()).into_bytes();
        let pk = key_bytes(item, &schema.partition.name, schema.partition.kind)?;
        let mut element = None;
        if let Some(sort) = &schema.sort {
            let sk = key_bytes(item, &sort.name, sort.kind)?;
            let sk = sk.strip_suffix(part_suffix.as_slice()).ok_or_else(no_rule)?;
            part_suffix.clear();
            let escaped = sort.kind == KeyType::S;
            if rule.layout == Layout::Collection {
                let rest = match &rule.sk {
                    Some(template) => template.read_front(sk, escaped, &mut found, true),
                    None => Some(sk),
                };
                element = read_rest(kind, rest)?;
            } else if let Some(template) = &rule.sk {
                template.read(sk, escaped, &mut found).ok_or_else(no_rule)?;
            }
        }
        let pk = pk.strip_suffix(part_suffix.as_slice()).ok_or_else(no_rule)?;
        let db = self.read_partition(rule, pk, &mut found).ok_or_else(no_rule)?;
        let db = match self.db_style {
            DbStyle::Attribute if !rule.tells_db => whole_number(item, &self.names.db)?
                .map_or(Some(0), |db| u32::try_from(db).ok())
                .ok_or_else(|| Error::at(ErrorKind::Malformed, &self.names.db))?,
            _ => db,
        };
        let key = self.found_key(rule, &found).ok_or_else(|| Error::new(ErrorKind::KeyNotKept))?;
        Ok((db, key, element))
    }

    /// The same for an item that tells its Redis key: its own key must be what the rule makes of
    /// that one, and what follows is the element.
    fn read_told(
        &self,
        rule: &Rule,
        kind: Kind,
        number: Option<u64>,
        item: &Item<'_>,
        key: Vec<u8>,
    ) -> Result<(u32, Vec<u8>, Option<String>), Error> {
        let no_rule = || Error::new(ErrorKind::NoRule);
        let schema = &self.table.key;
        let mut part_suffix = suffix(number.unwrap_or_default()).into_bytes();
        let pk = key_bytes(item, &schema.partition.name, schema.partition.kind)?;
        let has_prefix = self.db_style == DbStyle::Prefix && !rule.tells_db;
        let db = match self.db_style {
            DbStyle::Prefix if has_prefix => split_db_prefix(&pk).map_or(0, |(db, _)| db),
            _ => whole_number(item, &self.names.db)?
                .map_or(Some(0), |db| u32::try_from(db).ok())
                .ok_or_else(|| Error::at(ErrorKind::Malformed, &self.names.db))?,
        };
        let segments = rule.pattern.segments(&key).ok_or_else(no_rule)?;
        let source = Source { key: &key, db, segments: &segments, binary: rule.binary };
        let mut element = None;
        if let Some(sort) = &schema.sort {
            let made = match &rule.sk {
                Some(sk) => key_value(sk, source, sort.kind, None).map_err(|_| no_rule())?,
                None => AttributeValue::S(Cow::Borrowed("")),
            };
            let made = bytes_of(&made).ok_or_else(no_rule)?;
            let sk = key_bytes(item, &sort.name, sort.kind)?;
            let sk = sk.strip_suffix(part_suffix.as_slice()).ok_or_else(no_rule)?;
            part_suffix.clear();
            let rest = sk.strip_prefix(made.as_ref()).ok_or_else(no_rule)?;
            if rule.layout == Layout::Collection {
                element = read_rest(kind, Some(rest))?;
            } else if !rest.is_empty() {
                return Err(no_rule());
            }
        }
        let made = key_value(&rule.pk, source, schema.partition.kind, has_prefix.then_some(db))
            .map_err(|_| no_rule())?;
        let pk = pk.strip_suffix(part_suffix.as_slice()).ok_or_else(no_rule)?;
        if bytes_of(&made).as_deref() != Some(pk) {
            return Err(no_rule());
        }
        Ok((db, key, element))
    }

    /// Reads a partition key without the suffix of a part; returns the database.
    fn read_partition(&self, rule: &Rule, pk: &[u8], found: &mut Found) -> Option<u32> {
        let has_prefix = self.db_style == DbStyle::Prefix && !rule.tells_db;
        let (db, pk) = match split_db_prefix(pk) {
            Some((db, rest)) if has_prefix => (db, rest),
            _ => (0, pk),
        };
        rule.pk.read(pk, self.table.key.partition.kind == KeyType::S, found)?;
        Some(found.db.unwrap_or(db))
    }

    /// Whether the way back would find this very key.
    pub(crate) fn tells(
        &self,
        index: RuleIndex,
        pk: &AttributeValue<'_>,
        sk: Option<&AttributeValue<'_>>,
        subject: &Subject<'_>,
    ) -> bool {
        let (Some(own), Some(pk)) = (self.rule(index), bytes_of(pk)) else { return false };
        let sk = sk.and_then(bytes_of);
        for other in self.mapping_rules().take_while(|other| *other <= index) {
            let Some(rule) = self.rule(other) else { continue };
            let mut found = Found::default();
            let read = self.read_partition(rule, &pk, &mut found).and_then(|db| {
                self.read_sort(rule, own, sk.as_deref(), &mut found)?;
                Some((db, self.found_key(rule, &found)))
            });
            let db_matters = self.db_style == DbStyle::Prefix || own.tells_db;
            if other == index {
                return read.is_some_and(|(db, key)| {
                    key.as_deref() == Some(subject.key) && (!db_matters || db == subject.db)
                });
            }
            // Rules for the same keys differ in types, and items of such rules tell theirs.
            let differs = rule.pattern.shape() != own.pattern.shape();
            let takes = |key: Option<Vec<u8>>| key.is_none_or(|key| rule.pattern.matches(&key));
            if differs && read.is_some_and(|(_, key)| takes(key)) {
                return false;
            }
        }
        false
    }

    /// Reads a sort key that is complete but for the element.
    fn read_sort(
        &self,
        rule: &Rule,
        own: &Rule,
        sk: Option<&[u8]>,
        found: &mut Found,
    ) -> Option<()> {
        let Some(template) = &rule.sk else { return Some(()) };
        let escaped = self.table.key.sort.as_ref().is_some_and(|sort| sort.kind == KeyType::S);
        let sk = sk.unwrap_or_default();
        if own.layout == Layout::Collection {
            // Any element stands for all: what matters is where the template ends.
            let with_element = [sk, b"x"].concat();
            return template.read_front(&with_element, escaped, found, true).map(|_| ());
        }
        if rule.layout == Layout::Collection {
            return template.read_front(sk, escaped, found, true).map(|_| ());
        }
        template.read(sk, escaped, found)
    }

    /// When the key expires, and when the field does that the item holds.
    fn expiries(
        &self,
        rule: &Rule,
        kind: Kind,
        item: &Item<'_>,
    ) -> Result<(Option<UnixMillis>, Option<UnixMillis>), Error> {
        let names = &self.names;
        let read = |name: &str| match item.get(name) {
            None => Ok(None),
            Some(value) => {
                decode::millis(value).map(Some).ok_or_else(|| Error::at(ErrorKind::Malformed, name))
            }
        };
        let ttl_ms = read(&names.ttl_ms)?;
        if rule.layout == Layout::Collection
            && kind == Kind::Hash
            && let Some(at) = read(&names.field_ttls)?
        {
            return Ok((ttl_ms, Some(at)));
        }
        let ttl = read(&self.ttl)?.map(|seconds| UnixMillis(seconds.0.saturating_mul(1000)));
        Ok((ttl_ms.or(ttl), None))
    }

    fn fragment(
        &self,
        rule: &Rule,
        kind: Kind,
        number: Option<u64>,
        element: Option<&str>,
        item: &Item<'_>,
    ) -> Result<Fragment, Error> {
        let names = &self.names;
        let missing = |name: &str| Error::at(ErrorKind::Missing, name);
        let malformed = |name: &str| Error::at(ErrorKind::Malformed, name);
        if let Some(pointer) = item.get(&names.offload) {
            let pointer = read_pointer(pointer).ok_or_else(|| malformed(&names.offload))?;
            return Ok(Fragment::Offloaded(pointer));
        }
        let value = || item.get(&names.value).ok_or_else(|| missing(&names.value));
        let count = whole_number(item, &names.parts)?;
        let start = whole_number(item, &names.start)?.unwrap_or_default();
        if let Some(element) = element {
            let is_tail = element == TAIL && matches!(kind, Kind::Stream | Kind::Array);
            if is_tail {
                let piece = match value()? {
                    AttributeValue::S(text) => Piece::Text(text.clone().into_owned()),
                    AttributeValue::M(map) => {
                        let tail = decode::tail(kind, map);
                        Piece::Value(tail.ok_or_else(|| malformed(&names.value))?)
                    }
                    _ => return Err(malformed(&names.value)),
                };
                // A tail in one piece carries no numbers.
                let (number, count) = match number {
                    Some(number) => (number, count),
                    None => (0, Some(1)),
                };
                return Ok(Fragment::Tail(Numbered { number, start, count, piece }));
            }
            let value =
                if kind == Kind::Set || kind == Kind::SortedSet { None } else { Some(value()?) };
            let (order, value) =
                read_element(rule, kind, element, value).ok_or_else(|| malformed(&names.value))?;
            return Ok(Fragment::Element(order, value));
        }
        let ttls = item.get(&names.field_ttls);
        if rule.layout == Layout::Attributes && kind == Kind::Hash {
            let own = own_names(names, &self.table);
            let is_field = |name: &str| {
                !own.contains(&name) && !rule.attributes.iter().any(|extra| extra.name == name)
            };
            let attributes = item.attributes.iter().filter(|(name, _)| is_field(name));
            let fields = decode::fields(rule, attributes, ttls)
                .ok_or_else(|| malformed(&names.field_ttls))?;
            let value = Value::Hash(fields);
            return Ok(match number {
                None => Fragment::Whole(value),
                Some(number) => {
                    Fragment::Part(Numbered { number, start, count, piece: Piece::Value(value) })
                }
            });
        }
        let value = value()?;
        let Some(number) = number else {
            let value = decode::value(rule, kind, value, ttls);
            return value.map(Fragment::Whole).ok_or_else(|| malformed(&names.value));
        };
        let is_text = matches!(kind, Kind::Json | Kind::Module | Kind::Stream | Kind::Array);
        let piece = match value {
            AttributeValue::S(text) if is_text => Piece::Text(text.clone().into_owned()),
            value => {
                let value = decode::value(rule, kind, value, ttls);
                Piece::Value(value.ok_or_else(|| malformed(&names.value))?)
            }
        };
        Ok(Fragment::Part(Numbered { number, start, count, piece }))
    }
}

/// Puts the items of one record together, as they come and in any order.
///
/// ```
/// use keystar_mapping::{Assembly, Mapped, Mapping};
/// use keystar_rdb::{Db, Record, Value};
///
/// let mapping = Mapping::from_toml(
///     "table.key = { partition = { name = 'pk' }, sort = { name = 'sk' } }\n\
///      defaults.layout = 'collection'",
/// ).unwrap();
/// let record = Record::new(Db(0), "todo".into(), Value::List(vec!["a".into(), "b".into()]));
/// let mut mapped = Mapped::new();
/// mapping.map(mapping.route_record(&record).rule().unwrap(), &record, &mut mapped).unwrap();
///
/// let mut assembly = Assembly::new();
/// for item in mapped.items.iter().rev() {
///     assembly.add(mapping.unmap(item)?)?;
/// }
/// assert_eq!(assembly.finish()?, record);
/// # Ok::<(), keystar_mapping::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    head: Option<(Db, Blob<'static>, Kind, Option<UnixMillis>)>,
    whole: Option<Value<'static>>,
    elements: Vec<(u64, Value<'static>)>,
    parts: Vec<Numbered>,
    tails: Vec<Numbered>,
}

impl Assembly {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { head: None, whole: None, elements: Vec::new(), parts: Vec::new(), tails: Vec::new() }
    }

    /// Adds what an item said.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SeveralRecords`] if it belongs to another record, or is there twice;
    /// [`ErrorKind::Offloaded`] if it only points to the value.
    pub fn add(&mut self, unmapped: Unmapped) -> Result<(), Error> {
        let Unmapped { db, key, kind, expires_at, fragment, .. } = unmapped;
        let several = || Error::new(ErrorKind::SeveralRecords);
        match &self.head {
            None => self.head = Some((db, key, kind, expires_at)),
            Some(head) => {
                let is_same = (head.0, &head.1, head.2, head.3) == (db, &key, kind, expires_at);
                if !is_same || self.whole.is_some() {
                    return Err(several());
                }
            }
        }
        match fragment {
            Fragment::Whole(_)
                if !(self.elements.is_empty()
                    && self.parts.is_empty()
                    && self.tails.is_empty()) =>
            {
                return Err(several());
            }
            Fragment::Whole(value) => self.whole = Some(value),
            Fragment::Element(order, value) => self.elements.push((order, value)),
            Fragment::Part(part) => self.parts.push(part),
            Fragment::Tail(tail) => self.tails.push(tail),
            Fragment::Offloaded(_) => return Err(Error::new(ErrorKind::Offloaded)),
        }
        Ok(())
    }

    /// The record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Incomplete`] if items are missing. Of elements that are items of their own,
    /// only those of a list tell how many they are up to the last that is there.
    pub fn finish(self) -> Result<Record<'static>, Error> {
        let incomplete = || Error::new(ErrorKind::Incomplete);
        let (db, key, kind, expires_at) = self.head.ok_or_else(incomplete)?;
        let value = match self.whole {
            Some(value) => value,
            None if !self.parts.is_empty() => join_parts(kind, self.parts)?,
            None => join_elements(kind, self.elements, self.tails)?,
        };
        Ok(Record::new(db, key, value).with_expires_at(expires_at))
    }
}

fn join_parts(kind: Kind, parts: Vec<Numbered>) -> Result<Value<'static>, Error> {
    let mut bytes = Vec::new();
    let mut value = empty(kind);
    let mut text = String::new();
    for piece in in_order(parts)? {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::Value(Value::String(more)) => bytes.extend_from_slice(&more),
            Piece::Value(more) => join(&mut value, more)?,
        }
    }
    if kind == Kind::String {
        return Ok(Value::String(bytes.into()));
    }
    if !text.is_empty() {
        let more = read_text(kind, &text)?;
        match kind {
            Kind::Json | Kind::Module => value = more,
            _ => join(&mut value, more)?,
        }
    }
    Ok(value)
}

fn join_elements(
    kind: Kind,
    mut elements: Vec<(u64, Value<'static>)>,
    tails: Vec<Numbered>,
) -> Result<Value<'static>, Error> {
    let incomplete = || Error::new(ErrorKind::Incomplete);
    let mut value = empty(kind);
    elements.sort_by_key(|(index, _)| *index);
    for (expected, (index, element)) in (0..).zip(elements) {
        if kind == Kind::List && index != expected {
            return Err(incomplete());
        }
        join(&mut value, element)?;
    }
    match &mut value {
        Value::SortedSet(members) => members.sort_by(by_score),
        Value::Stream(stream) => stream.entries.sort_by_key(|entry| entry.id),
        Value::Array(array) => array.slots.sort_by_key(|(index, _)| *index),
        _ => {}
    }
    if tails.is_empty() {
        return if kind == Kind::Stream { Err(incomplete()) } else { Ok(value) };
    }
    let mut text = String::new();
    for piece in in_order(tails)? {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::Value(more) => join(&mut value, more)?,
        }
    }
    if !text.is_empty() {
        join(&mut value, read_text(kind, &text)?)?;
    }
    Ok(value)
}

/// What text says that was cut into pieces: a document, a module value, or a tail.
fn read_text(kind: Kind, text: &str) -> Result<Value<'static>, Error> {
    let malformed = || Error::new(ErrorKind::Malformed);
    let value = json::parse_value(text.as_bytes()).map_err(|_| malformed())?;
    match (kind, &value) {
        (Kind::Stream | Kind::Array, AttributeValue::M(map)) => decode::tail(kind, map),
        _ => decode::unruled(kind, &value),
    }
    .ok_or_else(malformed)
}

/// The pieces by their numbers, which must be there from the first to the last.
fn in_order(mut parts: Vec<Numbered>) -> Result<impl Iterator<Item = Piece>, Error> {
    parts.sort_by_key(|part| part.number);
    let count = parts.last().and_then(|part| part.count);
    let is_complete = count == Some(parts.len() as u64)
        && parts.iter().zip(0..).all(|(part, number)| part.number == number);
    if !is_complete {
        return Err(Error::new(ErrorKind::Incomplete));
    }
    Ok(parts.into_iter().map(|part| part.piece))
}

fn empty(kind: Kind) -> Value<'static> {
    match kind {
        Kind::List => Value::List(Vec::new()),
        Kind::Set => Value::Set(Vec::new()),
        Kind::SortedSet => Value::SortedSet(Vec::new()),
        Kind::Hash => Value::Hash(Vec::new()),
        Kind::Stream => Value::Stream(Box::default()),
        Kind::Array => Value::Array(Array::default()),
        _ => Value::String(Blob::empty()),
    }
}

/// Adds the elements of another fragment; what a tail says replaces what was there.
fn join(value: &mut Value<'static>, more: Value<'static>) -> Result<(), Error> {
    match (value, more) {
        (Value::List(items), Value::List(more)) | (Value::Set(items), Value::Set(more)) => {
            items.extend(more);
        }
        (Value::SortedSet(items), Value::SortedSet(more)) => items.extend(more),
        (Value::Hash(fields), Value::Hash(more)) => fields.extend(more),
        (Value::Stream(stream), Value::Stream(mut more)) => {
            let mut entries = std::mem::take(&mut stream.entries);
            entries.append(&mut more.entries);
            *stream = more;
            stream.entries = entries;
        }
        (Value::Array(array), Value::Array(more)) => {
            array.insert_index = more.insert_index.or(array.insert_index);
            array.slots.extend(more.slots);
        }
        _ => return Err(Error::new(ErrorKind::Malformed)),
    }
    Ok(())
}

fn read_element(
    rule: &Rule,
    kind: Kind,
    element: &str,
    value: Option<&AttributeValue<'_>>,
) -> Option<(u64, Value<'static>)> {
    let blob = |text: &str| unescape(text).map(|bytes| Blob::copied(&bytes));
    let index = || {
        let is_index = element.bytes().all(|byte| byte.is_ascii_digit());
        is_index.then(|| element.parse::<u64>().ok()).flatten()
    };
    Some(match kind {
        Kind::List => (index()?, Value::List(vec![decode::scalar(value?)?])),
        Kind::Set => (0, Value::Set(vec![blob(element)?])),
        Kind::SortedSet => {
            let (score, member) = element.split_once('#')?;
            (0, Value::SortedSet(vec![Scored::new(blob(member)?, unsortable(score)?)]))
        }
        Kind::Hash => (0, Value::Hash(vec![decode::field(rule, element, value?)?])),
        Kind::Stream => {
            let (ms, seq) = element.split_once('-')?;
            let id = StreamId::new(ms.parse().ok()?, seq.parse().ok()?);
            let mut stream = Stream::default();
            stream.entries = vec![decode::entry_of(id, value?)?];
            (0, Value::Stream(Box::new(stream)))
        }
        Kind::Array => (0, Value::Array(Array::new(vec![(index()?, decode::slot_of(value?)?)]))),
        _ => return None,
    })
}

/// What follows the template in a sort key of the layout `collection`: the element, if values of
/// this kind have any.
fn read_rest(kind: Kind, rest: Option<&[u8]>) -> Result<Option<String>, Error> {
    let no_rule = || Error::new(ErrorKind::NoRule);
    let rest = rest.and_then(|rest| std::str::from_utf8(rest).ok());
    let rest = rest.filter(|rest| !rest.is_empty()).ok_or_else(no_rule)?;
    match kind {
        Kind::String | Kind::Json | Kind::Module if rest == WHOLE => Ok(None),
        Kind::String | Kind::Json | Kind::Module => Err(no_rule()),
        _ => Ok(Some(rest.to_owned())),
    }
}

fn read_pointer(value: &AttributeValue<'_>) -> Option<Pointer> {
    let AttributeValue::M(map) = value else { return None };
    match (map.get("name")?, map.get("bytes")?, map.get("sha256")?) {
        (AttributeValue::S(name), AttributeValue::N(bytes), AttributeValue::S(sha256)) => {
            Some(Pointer {
                name: name.clone().into_owned(),
                bytes: bytes.as_str().parse().ok()?,
                sha256: sha256.clone().into_owned(),
            })
        }
        _ => None,
    }
}

/// The type of a value without a `type`.
fn plain_kind(value: &AttributeValue<'_>) -> Kind {
    match value {
        AttributeValue::L(_) => Kind::List,
        AttributeValue::M(_) => Kind::Hash,
        AttributeValue::Ss(_) | AttributeValue::Bs(_) | AttributeValue::Ns(_) => Kind::Set,
        _ => Kind::String,
    }
}

fn whole_number(item: &Item<'_>, name: &str) -> Result<Option<u64>, Error> {
    match item.get(name) {
        None => Ok(None),
        Some(AttributeValue::N(number)) => {
            number.as_str().parse().map(Some).map_err(|_| Error::at(ErrorKind::Malformed, name))
        }
        Some(_) => Err(Error::at(ErrorKind::Malformed, name)),
    }
}

fn key_bytes<'i>(item: &'i Item<'_>, name: &str, kind: KeyType) -> Result<Cow<'i, [u8]>, Error> {
    let value = item.get(name).ok_or_else(|| Error::at(ErrorKind::Missing, name))?;
    match (kind, value) {
        (KeyType::S, AttributeValue::S(_))
        | (KeyType::B, AttributeValue::B(_))
        | (KeyType::N, AttributeValue::N(_)) => {
            bytes_of(value).ok_or_else(|| Error::at(ErrorKind::Malformed, name))
        }
        _ => Err(Error::at(ErrorKind::Malformed, name)),
    }
}

fn bytes_of<'v>(value: &'v AttributeValue<'_>) -> Option<Cow<'v, [u8]>> {
    Some(match value {
        AttributeValue::S(text) => Cow::Borrowed(text.as_bytes()),
        AttributeValue::B(bytes) => Cow::Borrowed(bytes.as_ref()),
        AttributeValue::N(number) => Cow::Owned(number.canonical().into_owned().into_bytes()),
        _ => return None,
    })
}

fn by_score(a: &Scored<'_>, b: &Scored<'_>) -> std::cmp::Ordering {
    a.score.total_cmp(&b.score).then_with(|| a.member.cmp(&b.member))
}

/// Whether two records are the same as far as Redis is concerned: whatever the order of members,
/// of fields, and of the names in a document, and without regard to [`Record::usage`].
///
/// ```
/// use keystar_mapping::same_record;
/// use keystar_rdb::{Db, Record, Value};
///
/// let set = |members: [&'static str; 2]| {
///     Record::new(Db(0), "tags".into(), Value::Set(members.map(Into::into).into()))
/// };
/// assert!(same_record(&set(["a", "b"]), &set(["b", "a"])));
/// ```
#[must_use]
pub fn same_record(a: &Record<'_>, b: &Record<'_>) -> bool {
    a.db == b.db && a.key == b.key && a.expires_at == b.expires_at && same_value(&a.value, &b.value)
}

/// Whether two values are the same as far as Redis is concerned: as [`same_record`].
#[must_use]
pub fn same_value(a: &Value<'_>, b: &Value<'_>) -> bool {
    fn sorted<T>(items: &[T], by: impl Fn(&T, &T) -> std::cmp::Ordering) -> Vec<&T> {
        let mut sorted: Vec<&T> = items.iter().collect();
        sorted.sort_by(|a, b| by(a, b));
        sorted
    }
    match (a, b) {
        (Value::Set(a), Value::Set(b)) => sorted(a, Ord::cmp) == sorted(b, Ord::cmp),
        (Value::SortedSet(a), Value::SortedSet(b)) => {
            let same = |(a, b): (&&Scored<'_>, &&Scored<'_>)| {
                a.member == b.member && (a.score == b.score || a.score.is_nan() && b.score.is_nan())
            };
            a.len() == b.len() && sorted(a, by_score).iter().zip(&sorted(b, by_score)).all(same)
        }
        (Value::Hash(a), Value::Hash(b)) => {
            let by = |a: &keystar_rdb::Field<'_>, b: &keystar_rdb::Field<'_>| a.name.cmp(&b.name);
            sorted(a, by) == sorted(b, by)
        }
        (Value::Json(a), Value::Json(b)) => same_json(a, b),
        (a, b) => a == b,
    }
}

fn same_json(a: &keystar_rdb::Json, b: &keystar_rdb::Json) -> bool {
    use keystar_rdb::Json;

    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let order = |entries: &mut Vec<&(String, Json)>| entries.sort_by(|a, b| a.0.cmp(&b.0));
            let (mut a, mut b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
            order(&mut a);
            order(&mut b);
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same_json(&a.1, &b.1))
        }
        (a, b) => a == b,
    }
}

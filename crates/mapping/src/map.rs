//! The way there: one record becomes items.

use std::borrow::Cow;

use keystar_item::{AttributeValue, Attributes, Item, KeyType, Number, limits};
use keystar_rdb::{Field, Kind, Record, UnixMillis, Value};

use crate::encode::{Encoder, score, slot_value, text_or_bytes};
use crate::loss::{Loss, LossKind, lose, merge};
use crate::mapping::{Mapping, RuleIndex};
use crate::parts;
use crate::reject::{Reject, RejectReason};
use crate::rule::{ExtraValue, KeyKept};
use crate::spec::{DbStyle, Layout, TypeStyle};
use crate::tail;
use crate::template::{Source, Template};
use crate::text::{plain, shown, sortable};

/// What one record became. Reused from record to record: [`recycle`](Self::recycle).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Mapped<'r> {
    /// The items, in the order of the value's elements.
    pub items: Vec<Item<'r>>,
    /// What was not carried exactly; each kind once.
    pub losses: Vec<Loss>,
    /// What is to be written beside the items.
    pub offloads: Vec<Offload<'r>>,
}

/// Bytes to be written to a file beside the items, which an item points to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Offload<'r> {
    /// The file's name, safe in every file system, and the same in every run. It ends in `.bin`
    /// for the bytes of a string, in `.jsonl` for lines of DynamoDB JSON.
    pub name: String,
    /// The bytes; of a value in pieces, those that follow what was handed out before.
    pub bytes: Cow<'r, [u8]>,
    /// Whether the file ends here.
    pub last: bool,
}

impl<'r> Offload<'r> {
    /// Bytes for the file of that name.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Cow<'r, [u8]>>, last: bool) -> Self {
        Self { name: name.into(), bytes: bytes.into(), last }
    }
}

impl<'r> Mapped<'r> {
    /// Nothing yet; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new(), losses: Vec::new(), offloads: Vec::new() }
    }

    /// Forgets what is there and keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.losses.clear();
        self.offloads.clear();
    }

    /// The same memory, empty, for a record that lives elsewhere: how a loop over records that
    /// each borrow from their own input allocates nothing for what they become.
    ///
    /// ```
    /// use keystar_mapping::{Mapped, Mapping};
    /// use keystar_rdb::{Db, Record, Value};
    ///
    /// let mapping = Mapping::default();
    /// let mut spare = Mapped::new();
    /// for text in ["a", "b"] {
    ///     let record = Record::new(Db(0), "key".into(), Value::String(text.into()));
    ///     let mut mapped = spare.recycle();
    ///     mapping.map(mapping.route_record(&record).rule().unwrap(), &record, &mut mapped)?;
    ///     assert_eq!(mapped.items.len(), 1);
    ///     spare = mapped.recycle();
    /// }
    /// # Ok::<(), keystar_mapping::Reject>(())
    /// ```
    #[must_use]
    #[allow(clippy::unnecessary_filter_map, reason = "a filter would keep the lifetime")]
    pub fn recycle<'other>(self) -> Mapped<'other> {
        let Self { mut items, mut losses, .. } = self;
        items.clear();
        losses.clear();
        // Collecting an empty vector in place is how safe code changes a lifetime and keeps the
        // allocation. Offloads are rare and large: there is nothing to keep.
        Mapped {
            items: items.into_iter().filter_map(|_| None).collect(),
            losses,
            offloads: Vec::new(),
        }
    }

    fn truncate(&mut self, mark: [usize; 2]) {
        self.items.truncate(mark[0]);
        self.offloads.truncate(mark[1]);
    }
}

/// What there is to know of a record besides its value.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'r> {
    pub(crate) db: u32,
    pub(crate) key: &'r [u8],
    pub(crate) kind: Kind,
    pub(crate) expires_at: Option<UnixMillis>,
}

/// Which elements of a value are at hand.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// The index of the first one.
    pub(crate) start: u64,
    /// Nothing came before.
    pub(crate) first: bool,
    /// Nothing will follow.
    pub(crate) last: bool,
}

/// What all items of a record have in common.
pub(crate) struct Envelope<'r> {
    pub(crate) encoder: Encoder<'r>,
    pub(crate) subject: Subject<'r>,
    pk: AttributeValue<'r>,
    /// The sort key, or what precedes the element in it.
    sk: Option<AttributeValue<'r>>,
    /// Whether the item must tell the Redis key.
    tells_key: bool,
}

impl Mapping {
    /// Makes the items of a record, by the rule that [`route`](Self::route) found. Appends to
    /// `out`; after a reject, `out` is as before.
    ///
    /// Items may break limits of DynamoDB's other than the 400 KB, e.g. by a sort key that is too
    /// long: [`keystar_item::limits::check`] says so.
    ///
    /// # Errors
    ///
    /// Why there are no items for this record.
    pub fn map<'r>(
        &'r self,
        rule: RuleIndex,
        record: &'r Record<'_>,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        let subject = Subject {
            db: record.db.0,
            key: &record.key,
            kind: record.value.kind(),
            expires_at: record.expires_at,
        };
        self.map_value(rule, subject, &record.value, out)
    }

    #[inline]
    pub(crate) fn map_value<'r>(
        &'r self,
        rule: RuleIndex,
        subject: Subject<'r>,
        value: &'r Value<'_>,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        let mark = [out.items.len(), out.offloads.len()];
        let earlier = std::mem::take(&mut out.losses);
        let mapped = self.try_map(rule, subject, value, out);
        match mapped {
            Ok(()) => merge(&mut out.losses, earlier),
            Err(_) => {
                out.truncate(mark);
                out.losses = earlier;
            }
        }
        mapped
    }

    #[inline]
    fn try_map<'r>(
        &'r self,
        rule: RuleIndex,
        subject: Subject<'r>,
        value: &'r Value<'_>,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        if value.is_empty() {
            return Err(Reject::new(RejectReason::Empty, subject.kind.name()));
        }
        let envelope = self.envelope(rule, subject, &mut out.losses)?;
        let encoder = envelope.encoder;
        if encoder.is_collected(subject.kind) {
            return envelope.collect(value, Run { start: 0, first: true, last: true }, out);
        }
        let item = envelope.single(value, &mut out.losses)?;
        let is_small = encoder.rule.attributes.is_empty()
            && most_bytes(value, &subject) <= limits::MAX_ITEM_BYTES;
        if is_small || limits::size(&item) <= limits::MAX_ITEM_BYTES as u64 {
            out.items.push(item);
            return Ok(());
        }
        let bytes = limits::size(&item);
        // The parts will report what is lost in them.
        out.losses.clear();
        parts::cut(self, rule, subject, value, bytes, out)
    }

    /// Checks the key and makes what all items of the record have in common.
    #[inline]
    pub(crate) fn envelope<'r>(
        &'r self,
        index: RuleIndex,
        subject: Subject<'r>,
        losses: &mut Vec<Loss>,
    ) -> Result<Envelope<'r>, Reject> {
        let no_rule = || Reject::new(RejectReason::NoRule, "");
        let rule = self.rule(index).filter(|rule| !rule.skip).ok_or_else(no_rule)?;
        if let (true, Some(key)) = (rule.is_key_itself, plain(subject.key))
            && !self.is_prefixed(subject.key, subject.db)
        {
            // The way of most records: the key is the item's key, and nothing is lost with it.
            let encoder = Encoder { mapping: self, rule };
            let pk = AttributeValue::S(Cow::Borrowed(key));
            return Ok(Envelope { encoder, subject, pk, sk: None, tells_key: false });
        }
        let segments = rule.pattern.segments(subject.key).ok_or_else(no_rule)?;
        let source =
            Source { key: subject.key, db: subject.db, segments: &segments, binary: rule.binary };
        let has_prefix = self.db_style == DbStyle::Prefix && !rule.tells_db;
        let prefix = if has_prefix { Some(subject.db) } else { None };
        let pk = key_value(&rule.pk, source, self.table.key.partition.kind, prefix)?;
        let sk = match (&rule.sk, &self.table.key.sort) {
            (Some(template), Some(sort)) => Some(key_value(template, source, sort.kind, None)?),
            _ => None,
        };
        let kept = match rule.key_kept {
            KeyKept::Always => true,
            KeyKept::Never => false,
            KeyKept::Check => self.tells(index, &pk, sk.as_ref(), &subject),
        };
        if !kept && self.names.redis_key.is_none() {
            lose(losses, LossKind::KeyNotKept);
        }
        let needs_type = rule.shares_keys || !rule.is_plain(subject.kind);
        if rule.type_style == TypeStyle::Never && needs_type && rule.only_kind().is_none() {
            lose(losses, LossKind::TypeNotKept);
        }
        let encoder = Encoder { mapping: self, rule };
        let sk = if rule.layout == Layout::Collection && !encoder.is_collected(subject.kind) {
            let before = sk.unwrap_or(AttributeValue::S(Cow::Borrowed("")));
            Some(extended(&before, WHOLE))
        } else {
            sk
        };
        let tells_key = !kept && self.names.redis_key.is_some();
        Ok(Envelope { encoder, subject, pk, sk, tells_key })
    }
}

impl Mapping {
    /// Whether something goes before the key to tell its database.
    #[inline]
    pub(crate) fn is_prefixed(&self, key: &[u8], db: u32) -> bool {
        self.db_style == DbStyle::Prefix && db_prefix(key, Some(db)).is_some()
    }
}

/// The value of a key attribute.
#[inline]
pub(crate) fn key_value<'r>(
    template: &'r Template,
    source: Source<'_, 'r>,
    kind: KeyType,
    db: Option<u32>,
) -> Result<AttributeValue<'r>, Reject> {
    if kind == KeyType::B {
        let bytes = template.bytes(source);
        return Ok(AttributeValue::B(match db_prefix(&bytes, db) {
            Some(prefix) => [prefix.as_bytes(), bytes.as_ref()].concat().into(),
            None => bytes,
        }));
    }
    let text = template
        .text(source)
        .map_err(|_| Reject::new(RejectReason::BinaryKey, shown(source.key)))?;
    let text = match db_prefix(text.as_bytes(), db) {
        Some(prefix) => format!("{prefix}{text}").into(),
        None => text,
    };
    if kind == KeyType::S {
        return Ok(AttributeValue::S(text));
    }
    let number = Number::parse(text)
        .map_err(|_| Reject::new(RejectReason::KeyNotNumber, shown(source.key)))?;
    // What DynamoDB would make of it, so that keys can be compared.
    let canonical = number.canonical().into_owned();
    Ok(AttributeValue::N(Number::parse(canonical).unwrap_or(number)))
}

/// What goes before a key to tell its database; also before keys of database 0 that look as if
/// something had been put before them.
#[inline]
fn db_prefix(key: &[u8], db: Option<u32>) -> Option<String> {
    match db? {
        0 if key.first() != Some(&b'd') || split_db_prefix(key).is_none() => None,
        db => Some(format!("db{db}:")),
    }
}

/// Cuts `db7:` off a key.
pub(crate) fn split_db_prefix(key: &[u8]) -> Option<(u32, &[u8])> {
    let rest = key.strip_prefix(b"db")?;
    let colon = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at_checked(colon)?;
    let db = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((db, rest.strip_prefix(b":")?))
}

impl<'r> Envelope<'r> {
    /// The one item of a record in the layouts `item` and `attributes`.
    #[inline]
    fn single(mut self, value: &'r Value<'_>, losses: &mut Vec<Loss>) -> Result<Item<'r>, Reject> {
        let encoder = self.encoder;
        let Value::Hash(fields) = value else {
            let mut item = self.start_single(4);
            item.push(encoder.mapping.names.value.as_str(), encoder.value(value, losses)?);
            self.end(&mut item, self.subject.expires_at, &|_| None, losses)?;
            return Ok(item);
        };
        let mut ttls = Attributes::new();
        let mut item;
        if encoder.rule.layout == Layout::Attributes {
            item = self.start_single(fields.len() + 4);
            for field in fields {
                if let Some(field) = encoder.top_level(field, losses)? {
                    if let Some(at) = field.expires_at {
                        ttls.push(field.name.clone(), Number::from(at));
                    }
                    item.push(field.name, field.value);
                }
            }
        } else {
            item = self.start_single(4);
            let mut map;
            if encoder.rule.fields.is_empty() {
                // The way of most hashes: nothing is special about any field.
                map = Attributes::blank(fields.len());
                for (field, attribute) in fields.iter().zip(map.iter_mut()) {
                    if let Some(at) = field.expires_at {
                        ttls.push(encoder.name(&field.name)?, Number::from(at.0));
                    }
                    encoder.plain_field(field, attribute, losses)?;
                }
            } else {
                map = Attributes::with_capacity(fields.len());
                for field in fields {
                    if let Some(field) = encoder.field(field, losses)? {
                        if let Some(at) = field.expires_at {
                            ttls.push(field.name.clone(), Number::from(at));
                        }
                        map.push(field.name, field.value);
                    }
                }
            }
            item.push(encoder.mapping.names.value.as_str(), AttributeValue::M(map));
        }
        if !ttls.is_empty() {
            item.push(encoder.mapping.names.field_ttls.as_str(), AttributeValue::M(ttls));
        }
        let field =
            |name: &str| fields.iter().find(|field| field.name == *name).map(|field| &*field.value);
        self.end(&mut item, self.subject.expires_at, &field, losses)?;
        Ok(item)
    }

    /// The item with the record's own key, which is not needed again.
    #[inline]
    fn start_single(&mut self, attributes: usize) -> Item<'r> {
        let key = &self.encoder.mapping.table.key;
        let mut item = Item { attributes: Attributes::with_capacity(attributes) };
        let pk = std::mem::replace(&mut self.pk, AttributeValue::Null);
        item.push(key.partition.name.as_str(), pk);
        if let (Some(sort), Some(sk)) = (&key.sort, self.sk.take()) {
            item.push(sort.name.as_str(), sk);
        }
        item
    }

    /// An item for each element.
    pub(crate) fn collect(
        &self,
        value: &'r Value<'_>,
        run: Run,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        let names = &self.encoder.mapping.names;
        let encoder = &self.encoder;
        let expires_at = self.subject.expires_at;
        out.items.reserve(value.len() + 1);
        match value {
            Value::List(items) => {
                for (index, bytes) in (run.start..).zip(items) {
                    let mut item = self.start(Some(&format!("{index:010}")), 4);
                    item.push(names.value.as_str(), encoder.scalar(bytes, &mut out.losses));
                    self.element(item, expires_at, out)?;
                }
            }
            Value::Set(members) => {
                for member in members {
                    let item = self.start(Some(&encoder.name(member)?), 3);
                    self.element(item, expires_at, out)?;
                }
            }
            Value::SortedSet(members) => {
                for scored in members {
                    let member = encoder.name(&scored.member)?;
                    let element = format!("{}#{member}", sortable(scored.score));
                    let mut item = self.start(Some(&element), 4);
                    // The sort key holds the score to the last bit: nothing is lost here.
                    item.push("score", score(scored.score, &mut Vec::new()));
                    encoder.position(scored.score, &mut item.attributes);
                    self.element(item, expires_at, out)?;
                }
            }
            Value::Hash(fields) => {
                for field in fields {
                    self.collect_field(field, out)?;
                }
            }
            Value::Stream(stream) => {
                for entry in &stream.entries {
                    let element = format!("{:020}-{:020}", entry.id.ms, entry.id.seq);
                    let mut item = self.start(Some(&element), 4);
                    let fields = encoder.entry_fields(entry, &mut out.losses)?;
                    item.push(names.value.as_str(), fields);
                    self.element(item, expires_at, out)?;
                }
                if run.last {
                    let mut map = Attributes::with_capacity(6);
                    tail::encode(stream, &mut map);
                    self.tail(AttributeValue::M(map), out)?;
                }
            }
            Value::Array(array) => {
                if run.first && array.insert_index.is_some() {
                    let mut map = Attributes::with_capacity(1);
                    encoder.array_head(array, &mut map);
                    self.tail(AttributeValue::M(map), out)?;
                }
                for (index, slot) in &array.slots {
                    let mut item = self.start(Some(&format!("{index:020}")), 4);
                    item.push(names.value.as_str(), slot_value(slot));
                    self.element(item, expires_at, out)?;
                }
            }
            _ => return Err(Reject::new(RejectReason::UnknownType, self.subject.kind.name())),
        }
        Ok(())
    }

    fn collect_field(&self, field: &'r Field<'_>, out: &mut Mapped<'r>) -> Result<(), Reject> {
        let names = &self.encoder.mapping.names;
        let key_expires_at = self.subject.expires_at;
        let Some(attribute) = self.encoder.field(field, &mut out.losses)? else { return Ok(()) };
        let mut item = self.start(Some(&attribute.name), 4);
        item.push(names.value.as_str(), attribute.value);
        let Some(at) = field.expires_at else {
            return self.element(item, key_expires_at, out);
        };
        // The item goes when the field or the key goes, whichever is first; both are kept.
        item.push(names.field_ttls.as_str(), Number::from(at.0));
        let first = key_expires_at.map_or(at, |key| key.min(at));
        item.push(self.encoder.mapping.ttl.as_str(), Number::from(whole_seconds(first)));
        if let Some(key) = key_expires_at {
            item.push(names.ttl_ms.as_str(), Number::from(key.0));
        }
        self.element(item, None, out)
    }

    /// The item of a stream or an array that holds what is not an element. It may be large, if
    /// consumers left much unacknowledged: then it takes several items.
    fn tail(&self, value: AttributeValue<'r>, out: &mut Mapped<'r>) -> Result<(), Reject> {
        let names = &self.encoder.mapping.names;
        let mut item = self.start(Some(TAIL), 4);
        let room = parts::room(self, &item);
        if limits::value_size(&value) <= room as u64 {
            item.push(names.value.as_str(), value);
            return self.element(item, self.subject.expires_at, out);
        }
        let pieces = parts::text_pieces(&value, room);
        let count = pieces.len() as u64;
        for (number, piece) in (0_u64..).zip(pieces) {
            let mut item = self.start(Some(&format!("{TAIL}{}", parts::suffix(number))), 6);
            item.push(names.value.as_str(), piece);
            item.push(names.part.as_str(), Number::from(number));
            if number + 1 == count {
                item.push(names.parts.as_str(), Number::from(count));
            }
            self.element(item, self.subject.expires_at, out)?;
        }
        Ok(())
    }

    fn element(
        &self,
        mut item: Item<'r>,
        expires_at: Option<UnixMillis>,
        out: &mut Mapped<'r>,
    ) -> Result<(), Reject> {
        self.end(&mut item, expires_at, &|_| None, &mut out.losses)?;
        out.items.push(item);
        Ok(())
    }

    /// An item with its key; the element or the part completes it.
    #[inline]
    pub(crate) fn start(&self, element: Option<&str>, attributes: usize) -> Item<'r> {
        let table = &self.encoder.mapping.table;
        let mut item = Item { attributes: Attributes::with_capacity(attributes + 2) };
        match (&table.key.sort, element) {
            (Some(sort), _) => {
                item.push(table.key.partition.name.as_str(), self.pk.clone());
                let sk = match (&self.sk, element) {
                    (Some(sk), None) => Some(sk.clone()),
                    (Some(sk), Some(element)) => Some(extended(sk, element)),
                    (None, Some(element)) => Some(AttributeValue::S(element.to_owned().into())),
                    (None, None) => None,
                };
                if let Some(sk) = sk {
                    item.push(sort.name.as_str(), sk);
                }
            }
            (None, None) => item.push(table.key.partition.name.as_str(), self.pk.clone()),
            (None, Some(part)) => {
                item.push(table.key.partition.name.as_str(), extended(&self.pk, part));
            }
        }
        item
    }

    /// Adds what follows the value: type, expiry, database, and the rule's own attributes.
    #[inline]
    pub(crate) fn end(
        &self,
        item: &mut Item<'r>,
        expires_at: Option<UnixMillis>,
        field: &dyn Fn(&str) -> Option<&'r [u8]>,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Reject> {
        let (mapping, rule) = (self.encoder.mapping, self.encoder.rule);
        if rule.writes_type(self.subject.kind) {
            item.push(mapping.names.r#type.as_str(), type_name(self.subject.kind));
        }
        if let Some(at) = expires_at {
            let seconds = whole_seconds(at);
            item.push(mapping.ttl.as_str(), Number::from(seconds));
            if seconds.checked_mul(1000) != Some(at.0) {
                item.push(mapping.names.ttl_ms.as_str(), Number::from(at.0));
            }
        }
        let tells_db = mapping.db_style == DbStyle::Attribute || self.tells_key && rule.tells_db;
        if tells_db && self.subject.db != 0 {
            item.push(mapping.names.db.as_str(), Number::from(u64::from(self.subject.db)));
        }
        if self.tells_key
            && let Some(name) = &mapping.names.redis_key
        {
            item.push(name.as_str(), text_or_bytes(self.subject.key));
        }
        if rule.attributes.is_empty() { Ok(()) } else { self.extras(item, field, losses) }
    }

    fn extras(
        &self,
        item: &mut Item<'r>,
        field: &dyn Fn(&str) -> Option<&'r [u8]>,
        losses: &mut Vec<Loss>,
    ) -> Result<(), Reject> {
        let rule = self.encoder.rule;
        let Some(segments) = rule.pattern.segments(self.subject.key) else { return Ok(()) };
        let source = Source {
            key: self.subject.key,
            db: self.subject.db,
            segments: &segments,
            binary: rule.binary,
        };
        for extra in &rule.attributes {
            let value = match &extra.value {
                ExtraValue::Number(number) => Number::from(*number).into(),
                ExtraValue::Bool(truth) => AttributeValue::Bool(*truth),
                ExtraValue::Template(template) => {
                    let text = template
                        .attribute(source, field)
                        .map_err(|_| Reject::new(RejectReason::BinaryKey, shown(source.key)))?;
                    // Empty text is no key of an index: the item is left out of it.
                    let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
                    match extra.kind {
                        KeyType::S => AttributeValue::S(text),
                        KeyType::B => AttributeValue::B(text.into_owned().into_bytes().into()),
                        KeyType::N => match Number::parse(text) {
                            Ok(number) => AttributeValue::N(number),
                            Err(_) => {
                                lose(losses, LossKind::CastFailed);
                                continue;
                            }
                        },
                    }
                }
            };
            item.push(extra.name.as_str(), value);
        }
        Ok(())
    }

    /// Whether parts of the value can have keys of their own.
    pub(crate) fn can_be_cut(&self) -> bool {
        let last = self.sk.as_ref().unwrap_or(&self.pk);
        !matches!(last, AttributeValue::N(_))
    }
}

/// The element that stands for what is none, in sort keys of streams and arrays: it sorts after
/// their elements, which are digits.
pub(crate) const TAIL: &str = "tail";

/// What stands in the place of the element for a value that has none.
pub(crate) const WHOLE: &str = "value";

fn extended<'r>(key: &AttributeValue<'r>, more: &str) -> AttributeValue<'r> {
    match key {
        AttributeValue::S(text) => {
            let mut longer = String::with_capacity(text.len() + more.len());
            longer.push_str(text);
            longer.push_str(more);
            AttributeValue::S(longer.into())
        }
        AttributeValue::B(bytes) => {
            AttributeValue::B([bytes.as_ref(), more.as_bytes()].concat().into())
        }
        other => other.clone(),
    }
}

/// Seconds rounded up, so that nothing goes too early.
pub(crate) const fn whole_seconds(at: UnixMillis) -> i64 {
    at.0.div_euclid(1000) + (at.0.rem_euclid(1000) != 0) as i64
}

/// The name of a type as items carry it.
pub(crate) const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Json => "json",
        kind => kind.name(),
    }
}

/// No fewer bytes than the item of this value has, if that is cheap to say.
#[inline]
fn most_bytes(value: &Value<'_>, subject: &Subject<'_>) -> usize {
    /// More than the names and the bookkeeping of one element take.
    const ELEMENT: usize = 64;
    /// More than all that is not value takes, but for the key; binary names grow by a third.
    const ITEM: usize = 4096;
    let bytes: usize = match value {
        Value::String(text) => text.len(),
        Value::List(items) | Value::Set(items) => items.iter().map(|item| item.len()).sum(),
        Value::SortedSet(items) => items.iter().map(|item| item.member.len()).sum(),
        Value::Hash(fields) => {
            fields.iter().map(|field| field.name.len() * 4 + field.value.len()).sum()
        }
        _ => return usize::MAX,
    };
    bytes + value.len() * ELEMENT + subject.key.len() * 8 + ITEM
}

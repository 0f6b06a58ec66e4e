//! Redis' values as attribute values.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystar_item::{AttributeValue, Attributes, KeyType, Number};
use keystar_rdb::{
    Array, Field, Json, Kind, Module, ModuleToken, Scored, Slot, StreamEntry, Value,
};
use sha2::{Digest as _, Sha256};

use crate::document;
use crate::loss::{Loss, LossKind, lose};
use crate::mapping::Mapping;
use crate::reject::{Reject, RejectReason};
use crate::rule::Rule;
use crate::spec::{Binary, Cast, Layout, Numbers, StreamFields};
use crate::tail;
use crate::text::{escape, hex, plain, shown};

/// Encodes values as one rule says.
#[derive(Clone, Copy)]
pub(crate) struct Encoder<'r> {
    pub(crate) mapping: &'r Mapping,
    pub(crate) rule: &'r Rule,
}

/// A field as an attribute, and its expiry under the same name.
pub(crate) struct FieldAttribute<'r> {
    pub(crate) name: Cow<'r, str>,
    pub(crate) value: AttributeValue<'r>,
    pub(crate) expires_at: Option<i64>,
}

impl<'r> Encoder<'r> {
    /// The whole value as one attribute value; a hash without the expiries of its fields.
    pub(crate) fn value(
        &self,
        value: &'r Value<'_>,
        losses: &mut Vec<Loss>,
    ) -> Result<AttributeValue<'r>, Reject> {
        Ok(match value {
            Value::String(text) => self.scalar(text, losses),
            Value::List(items) => {
                AttributeValue::L(items.iter().map(|item| self.scalar(item, losses)).collect())
            }
            Value::Set(members) => set(members.iter().map(|member| &**member)),
            Value::SortedSet(members) => {
                let mut list = Vec::with_capacity(members.len());
                let in_order = |a: &&Scored<'_>, b: &&Scored<'_>| {
                    a.score.total_cmp(&b.score).then_with(|| a.member.cmp(&b.member))
                };
                if members.iter().is_sorted_by(|a, b| in_order(a, b).is_le()) {
                    list.extend(members.iter().map(|member| self.scored(member, losses)));
                } else {
                    let mut sorted: Vec<&'r Scored<'_>> = members.iter().collect();
                    sorted.sort_by(|a, b| in_order(a, b));
                    list.extend(sorted.into_iter().map(|member| self.scored(member, losses)));
                }
                AttributeValue::L(list)
            }
            Value::Hash(fields) => {
                let mut map = Attributes::with_capacity(fields.len());
                for field in fields {
                    if let Some(field) = self.field(field, losses)? {
                        map.push(field.name, field.value);
                    }
                }
                AttributeValue::M(map)
            }
            Value::Stream(stream) => {
                let entries = stream.entries.iter();
                let entries = entries.map(|entry| self.entry(entry, losses));
                let entries = entries.collect::<Result<_, _>>()?;
                let mut map = Attributes::with_capacity(8);
                map.push("entries", AttributeValue::L(entries));
                tail::encode(stream, &mut map);
                AttributeValue::M(map)
            }
            Value::Array(array) => {
                let slots =
                    array.slots.iter().map(|(index, slot)| self.slot(*index, slot)).collect();
                let mut map = Attributes::with_capacity(2);
                map.push("slots", AttributeValue::L(slots));
                self.array_head(array, &mut map);
                AttributeValue::M(map)
            }
            Value::Json(json) => self.json(json, losses)?,
            Value::Module(module) => self.module(module),
            _ => return Err(Reject::new(RejectReason::UnknownType, value.kind().name())),
        })
    }

    /// Text as a number where the rule's `numbers` says so, else as text, else as bytes.
    #[inline]
    pub(crate) fn scalar(&self, bytes: &'r [u8], losses: &mut Vec<Loss>) -> AttributeValue<'r> {
        match self.rule.numbers {
            Numbers::Exact => {
                if let Some(number) = Number::from_canonical(bytes) {
                    return AttributeValue::N(number);
                }
            }
            Numbers::Loose => {
                if let Some(number) = loose(bytes, losses) {
                    return number;
                }
            }
            Numbers::Never => {}
        }
        text_or_bytes(bytes)
    }

    /// Sets an attribute to a field that no rule of its own is for: [`name`](Self::name) and
    /// [`scalar`](Self::scalar). What most fields are, exact numbers and texts under names that
    /// stand for themselves, has its form known where it is written, so that nothing is copied.
    #[inline]
    pub(crate) fn plain_field(
        &self,
        field: &'r Field<'_>,
        (name, value): &mut (Cow<'r, str>, AttributeValue<'r>),
        losses: &mut Vec<Loss>,
    ) -> Result<(), Reject> {
        let bytes = field.value.as_bytes();
        match plain(&field.name) {
            Some(text) if self.rule.numbers == Numbers::Exact => {
                *name = Cow::Borrowed(text);
                if let Some(number) = Number::from_canonical(bytes) {
                    *value = AttributeValue::N(number);
                } else if let Ok(text) = std::str::from_utf8(bytes) {
                    *value = AttributeValue::S(Cow::Borrowed(text));
                } else {
                    *value = AttributeValue::B(Cow::Borrowed(bytes));
                }
            }
            _ => {
                *name = self.name(&field.name)?;
                *value = self.scalar(bytes, losses);
            }
        }
        Ok(())
    }

    /// The name of a map's entry; never empty.
    #[inline]
    pub(crate) fn name(&self, bytes: &'r [u8]) -> Result<Cow<'r, str>, Reject> {
        match plain(bytes) {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.escaped_name(bytes),
        }
    }

    #[cold]
    fn escaped_name(&self, bytes: &'r [u8]) -> Result<Cow<'r, str>, Reject> {
        escape(bytes, self.rule.binary)
            .map_err(|_| Reject::new(RejectReason::BinaryName, shown(bytes)))
    }

    /// A field of a hash; `None` if the rule drops it.
    #[inline]
    pub(crate) fn field(
        &self,
        field: &'r Field<'_>,
        losses: &mut Vec<Loss>,
    ) -> Result<Option<FieldAttribute<'r>>, Reject> {
        let expires_at = field.expires_at.map(|at| at.0);
        if self.rule.fields.is_empty() {
            let name = self.name(&field.name)?;
            let value = self.scalar(&field.value, losses);
            return Ok(Some(FieldAttribute { name, value, expires_at }));
        }
        self.special_field(field, expires_at, losses)
    }

    fn special_field(
        &self,
        field: &'r Field<'_>,
        expires_at: Option<i64>,
        losses: &mut Vec<Loss>,
    ) -> Result<Option<FieldAttribute<'r>>, Reject> {
        let Some(special) = self.rule.fields.get(field.name.as_bytes()) else {
            let name = self.name(&field.name)?;
            if self.rule.renamed.contains_key(&*name) {
                // Another field has this name on the way back.
                return Err(Reject::new(RejectReason::NameCollision, shown(&field.name)));
            }
            let value = self.scalar(&field.value, losses);
            return Ok(Some(FieldAttribute { name, value, expires_at }));
        };
        if special.drop {
            lose(losses, LossKind::FieldDropped);
            return Ok(None);
        }
        let name = match &special.rename {
            Some(name) => Cow::Borrowed(name.as_str()),
            None => {
                let name = self.name(&field.name)?;
                if self.rule.renamed.contains_key(&*name) {
                    return Err(Reject::new(RejectReason::NameCollision, shown(&field.name)));
                }
                name
            }
        };
        let value = if special.hash {
            lose(losses, LossKind::FieldHashed);
            AttributeValue::S(Cow::Owned(self.hash(&field.value)?))
        } else if let Some(cast) = special.cast {
            self.cast(&field.value, cast, losses)
        } else {
            self.scalar(&field.value, losses)
        };
        Ok(Some(FieldAttribute { name, value, expires_at }))
    }

    /// A field as a top-level attribute, whose name must be free, and whose type is fixed if it
    /// is a key of an index.
    #[inline]
    pub(crate) fn top_level(
        &self,
        field: &'r Field<'_>,
        losses: &mut Vec<Loss>,
    ) -> Result<Option<FieldAttribute<'r>>, Reject> {
        let Some(mut attribute) = self.field(field, losses)? else { return Ok(None) };
        if self.rule.reserved.iter().any(|name| *name == attribute.name) {
            return Err(Reject::new(RejectReason::NameCollision, shown(attribute.name.as_bytes())));
        }
        match (self.rule.index_kind(&attribute.name), &attribute.value) {
            (Some(KeyType::S), AttributeValue::N(_)) => {
                attribute.value = text_or_bytes(&field.value);
            }
            (Some(KeyType::B), AttributeValue::N(_) | AttributeValue::S(_)) => {
                attribute.value = AttributeValue::B(Cow::Borrowed(&field.value));
            }
            _ => {}
        }
        Ok(Some(attribute))
    }

    fn hash(&self, bytes: &[u8]) -> Result<String, Reject> {
        let Some(salt) = &self.mapping.salt else {
            return Err(Reject::new(RejectReason::MissingSalt, ""));
        };
        let digest = Sha256::new().chain_update(salt).chain_update(bytes).finalize();
        Ok(hex(&digest))
    }

    fn cast(&self, bytes: &'r [u8], cast: Cast, losses: &mut Vec<Loss>) -> AttributeValue<'r> {
        let done = match cast {
            Cast::S => return text_or_bytes(bytes),
            Cast::N => loose(bytes, losses),
            Cast::Bool => match bytes {
                b"1" => Some(AttributeValue::Bool(true)),
                b"0" => Some(AttributeValue::Bool(false)),
                _ => {
                    let truth = std::str::from_utf8(bytes).ok().and_then(|text| {
                        let is = |truth: &str| text.eq_ignore_ascii_case(truth);
                        if is("true") { Some(true) } else { is("false").then_some(false) }
                    });
                    if truth.is_some() {
                        lose(losses, LossKind::CastText);
                    }
                    truth.map(AttributeValue::Bool)
                }
            },
            Cast::Null if bytes.is_empty() => Some(AttributeValue::Null),
            Cast::Null => return self.scalar(bytes, losses),
            Cast::Json => {
                if !matches!(bytes.trim_ascii().first(), Some(b'{' | b'[')) {
                    return self.scalar(bytes, losses);
                }
                let json = std::str::from_utf8(bytes).ok().and_then(document::parse);
                // A name twice, or a number out of range, has no way back: then the text stays.
                let mut inner = Vec::new();
                let value = json.and_then(|json| {
                    let value = self.json(&json, &mut inner).ok()?.into_owned();
                    (!document::has_duplicates(&json)).then_some(value)
                });
                if let Some(value) = &value
                    && document::text_of_value(value).as_deref().map(str::as_bytes) != Some(bytes)
                {
                    lose(losses, LossKind::CastText);
                }
                value
            }
            Cast::B => STANDARD.decode(bytes).ok().map(|bytes| AttributeValue::B(bytes.into())),
        };
        done.unwrap_or_else(|| {
            lose(losses, LossKind::CastFailed);
            self.scalar(bytes, losses)
        })
    }

    /// A member of a sorted set.
    pub(crate) fn scored(
        &self,
        scored: &'r Scored<'_>,
        losses: &mut Vec<Loss>,
    ) -> AttributeValue<'r> {
        let mut map = Attributes::with_capacity(if self.rule.geo { 4 } else { 2 });
        map.push("member", text_or_bytes(&scored.member));
        map.push("score", score(scored.score, losses));
        self.position(scored.score, &mut map);
        AttributeValue::M(map)
    }

    /// Adds where a member of a geo index lies, if the rule says that it is one.
    pub(crate) fn position(&self, score: f64, map: &mut Attributes<'r>) {
        if let (true, Some((lat, lon))) = (self.rule.geo, position(score))
            && let (Some(lat), Some(lon)) = (Number::from_f64(lat), Number::from_f64(lon))
        {
            map.push("lat", lat);
            map.push("lon", lon);
        }
    }

    /// An entry of a stream.
    pub(crate) fn entry(
        &self,
        entry: &'r StreamEntry<'_>,
        losses: &mut Vec<Loss>,
    ) -> Result<AttributeValue<'r>, Reject> {
        let mut map = Attributes::with_capacity(2);
        map.push("id", entry.id.to_string());
        map.push("fields", self.entry_fields(entry, losses)?);
        Ok(AttributeValue::M(map))
    }

    pub(crate) fn entry_fields(
        &self,
        entry: &'r StreamEntry<'_>,
        losses: &mut Vec<Loss>,
    ) -> Result<AttributeValue<'r>, Reject> {
        if self.rule.stream_fields == StreamFields::List {
            let mut list = Vec::with_capacity(entry.fields.len() * 2);
            for (name, value) in &entry.fields {
                list.push(text_or_bytes(name));
                list.push(self.scalar(value, losses));
            }
            return Ok(AttributeValue::L(list));
        }
        let mut map = Attributes::with_capacity(entry.fields.len());
        for (name, value) in &entry.fields {
            let name = self.name(name)?;
            let value = self.scalar(value, losses);
            match map.get_mut(&name) {
                Some(earlier) => {
                    lose(losses, LossKind::DuplicateStreamField);
                    *earlier = value;
                }
                None => map.push(name, value),
            }
        }
        if map.len() > 1 {
            lose(losses, LossKind::StreamFieldOrder);
        }
        Ok(AttributeValue::M(map))
    }

    /// A slot of an array: its index and its value.
    pub(crate) fn slot(&self, index: u64, slot: &'r Slot<'_>) -> AttributeValue<'r> {
        AttributeValue::L(vec![AttributeValue::N(index.into()), slot_value(slot)])
    }

    pub(crate) fn array_head(&self, array: &Array<'_>, map: &mut Attributes<'r>) {
        if let Some(index) = array.insert_index {
            map.push("insert_index", Number::from(index));
        }
    }

    /// A document as it is; the empty name and the like escaped.
    fn json(&self, json: &Json, losses: &mut Vec<Loss>) -> Result<AttributeValue<'r>, Reject> {
        Ok(match json {
            Json::Null => AttributeValue::Null,
            Json::Bool(truth) => AttributeValue::Bool(*truth),
            Json::Number(text) => match Number::parse(text.clone()) {
                Ok(number) if number.is_canonical() => AttributeValue::N(number),
                Ok(number) => {
                    lose(losses, LossKind::NumberText);
                    canonical(&number)
                }
                Err(_) => {
                    lose(losses, LossKind::NumberRange);
                    AttributeValue::S(Cow::Owned(text.clone()))
                }
            },
            Json::String(text) => AttributeValue::S(Cow::Owned(text.clone())),
            Json::Array(items) => AttributeValue::L(
                items.iter().map(|item| self.json(item, losses)).collect::<Result<_, _>>()?,
            ),
            Json::Object(entries) => {
                let mut map = Attributes::with_capacity(entries.len());
                for (name, value) in entries {
                    let name = escape(name.as_bytes(), Binary::Base64).unwrap_or_default();
                    map.push(name.into_owned(), self.json(value, losses)?);
                }
                AttributeValue::M(map)
            }
        })
    }

    /// The tokens of a module, each as a map with its type.
    fn module(&self, module: &'r Module<'_>) -> AttributeValue<'r> {
        let tokens = module.tokens.iter().map(|token| {
            let (name, value) = match token {
                ModuleToken::Int(value) => ("int", Number::from(*value).into()),
                ModuleToken::Uint(value) => ("uint", Number::from(*value).into()),
                // As text, so that infinities and every last bit survive.
                ModuleToken::Float(value) => ("float", value.to_string().into()),
                ModuleToken::Double(value) => ("double", value.to_string().into()),
                ModuleToken::Text(text) => ("text", text_or_bytes(text)),
            };
            let mut map = Attributes::with_capacity(1);
            map.push(name, value);
            AttributeValue::M(map)
        });
        let tokens = AttributeValue::L(tokens.collect());
        let mut map = Attributes::with_capacity(3);
        map.push("name", module.name.as_str());
        map.push("version", Number::from(u64::from(module.version)));
        map.push("tokens", tokens);
        AttributeValue::M(map)
    }

    /// Whether values of this kind have elements that items of their own can hold.
    pub(crate) fn is_collected(&self, kind: Kind) -> bool {
        self.rule.layout == Layout::Collection
            && !matches!(kind, Kind::String | Kind::Json | Kind::Module)
    }
}

/// Text, or bytes where it is none.
#[inline]
pub(crate) fn text_or_bytes(bytes: &[u8]) -> AttributeValue<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => AttributeValue::S(Cow::Borrowed(text)),
        Err(_) => AttributeValue::B(Cow::Borrowed(bytes)),
    }
}

/// A set of texts, or of bytes where one member is none.
pub(crate) fn set<'r>(members: impl Iterator<Item = &'r [u8]> + Clone) -> AttributeValue<'r> {
    let texts: Option<Vec<Cow<'r, str>>> =
        members.clone().map(|bytes| std::str::from_utf8(bytes).ok().map(Cow::Borrowed)).collect();
    match texts {
        Some(texts) => AttributeValue::Ss(texts),
        None => AttributeValue::Bs(members.map(Cow::Borrowed).collect()),
    }
}

/// What a slot of an array holds; a float as a map, so that it is told from an integer.
pub(crate) fn slot_value<'r>(slot: &'r Slot<'_>) -> AttributeValue<'r> {
    match slot {
        Slot::Int(value) => Number::from(*value).into(),
        Slot::Float(value) => {
            let mut map = Attributes::with_capacity(1);
            map.push("float", value.to_string());
            AttributeValue::M(map)
        }
        Slot::Text(text) => text_or_bytes(text),
        _ => AttributeValue::Null,
    }
}

/// A score as a number where there is one.
pub(crate) fn score(score: f64, losses: &mut Vec<Loss>) -> AttributeValue<'static> {
    if let Some(number) = Number::from_f64(score) {
        if score == 0.0 && score.is_sign_negative() {
            lose(losses, LossKind::NegativeZero);
        }
        return AttributeValue::N(number);
    }
    let (kind, text) = if score.is_nan() {
        (LossKind::NanScore, "nan".to_owned())
    } else if score.is_infinite() {
        (LossKind::InfiniteScore, score.to_string())
    } else {
        (LossKind::NumberRange, format!("{score:e}"))
    };
    lose(losses, kind);
    text.into()
}

/// Longer text is never taken for a number, so that a value that comes in pieces is known to be
/// none before its end.
pub(crate) const MAX_NUMBER_BYTES: usize = 512;

fn loose<'r>(bytes: &'r [u8], losses: &mut Vec<Loss>) -> Option<AttributeValue<'r>> {
    if let Some(number) = Number::from_canonical(bytes) {
        return Some(AttributeValue::N(number));
    }
    // Most texts do not even begin like a number: no error is built for those.
    if bytes.len() > MAX_NUMBER_BYTES {
        return None;
    }
    if !bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let number = Number::parse_bytes(bytes).ok()?;
    lose(losses, LossKind::NumberText);
    Some(canonical(&number))
}

fn canonical(number: &Number<'_>) -> AttributeValue<'static> {
    let text = number.canonical().into_owned();
    Number::parse(text.clone()).map_or_else(|_| AttributeValue::S(text.into()), AttributeValue::N)
}

/// Latitude and longitude of the middle of the cell that a geo index's score names: 26 bits of
/// each, interleaved, as Redis does.
fn position(score: f64) -> Option<(f64, f64)> {
    const LIMIT: f64 = (1_u64 << 52) as f64;
    const LAT_MAX: f64 = 85.051_128_78;
    const LON_MAX: f64 = 180.0;
    if !(0.0..LIMIT).contains(&score) || score.fract() != 0.0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let bits = score as u64;
    let every_other =
        |from: u32| (0..26).map(|at| (bits >> (2 * at + from) & 1) << at).sum::<u64>();
    let middle = |cell: u64, max: f64| (cell as f64 + 0.5) / (1_u64 << 26) as f64 * 2.0 * max - max;
    // Redis' replies have no more digits than these say anything with.
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    Some((round(middle(every_other(0), LAT_MAX)), round(middle(every_other(1), LON_MAX))))
}

#[cfg(test)]
mod tests {
    use keystar_rdb::{Blob, Db, Record};

    use super::*;
    use crate::Mapped;

    #[test]
    fn plain_fields_are_as_fields_under_rules() {
        let special = "fields.other = { drop = true }\n";
        let texts = ["", "a", "7", "-1.5", "1.50", "1e3", "007", "-", "base64:", "b", "\u{e9}"];
        let texts = texts.map(Blob::from).into_iter();
        let blobs: Vec<Blob<'_>> = texts.chain([Blob::from(b"\xff"), Blob::from_i64(42)]).collect();
        for numbers in ["exact", "loose", "never"] {
            for binary in ["base64", "reject"] {
                let rule =
                    format!("[[rule]]\nkeys = '*'\nnumbers = '{numbers}'\nbinary = '{binary}'\n");
                let [plain, ruled] =
                    [rule.clone(), rule + special].map(|spec| Mapping::from_toml(&spec).unwrap());
                for (name, value) in blobs.iter().flat_map(|a| blobs.iter().map(move |b| (a, b))) {
                    let fields = vec![Field::new(name.clone(), value.clone())];
                    let record = Record::new(Db(0), "key".into(), Value::Hash(fields));
                    let [mut one, mut other] = [Mapped::new(), Mapped::new()];
                    let rule = plain.route_record(&record).rule().unwrap();
                    let result = plain.map(rule, &record, &mut one);
                    assert_eq!(result, ruled.map(rule, &record, &mut other));
                    assert_eq!(one.items, other.items, "{numbers} {name:?}: {value:?}");
                }
            }
        }
    }
}

//! From bytes to values. Everything that reads a value reads it with these: whole frames, `DUMP`
//! payloads, and the parser when it tells elements one by one.

mod stream;

pub(crate) use stream::{Level as StreamLevel, Node, node as stream_node, tail as stream_tail};

use crate::array::{Array, Slot};
use crate::blob::Blob;
use crate::context::Context;
use crate::cursor::{Cursor, Limits};
use crate::encoding::Layout;
use crate::error::ErrorKind;
use crate::event::Element;
use crate::json;
use crate::module::{Module, ModuleId, ModuleToken};
use crate::packed::{Entry, Intset, Listpack, Packed, Ziplist, Zipmap};
use crate::record::{Field, Scored, UnixMillis, Value};
use crate::score;

/// Reads a whole value, from the byte after the key to its end.
pub(crate) fn value<'a>(
    layout: Layout,
    cursor: &mut Cursor<'a>,
    context: &'a Context,
) -> Result<Value<'a>, ErrorKind> {
    let value = match layout {
        Layout::HashListpack => {
            packed(cursor, |bytes, strict| Form::Field.whole(Listpack::open(bytes, strict)?))?
        }
        Layout::String => Value::String(cursor.str()?),
        Layout::List => Value::List(counted(cursor, 1, Cursor::str)?),
        Layout::Set => Value::Set(counted(cursor, 1, Cursor::str)?),
        Layout::Zset => Value::SortedSet(counted(cursor, 2, scored_text)?),
        Layout::Zset2 => Value::SortedSet(counted(cursor, 9, scored_double)?),
        Layout::Hash => Value::Hash(counted(cursor, 2, field)?),
        Layout::HashMetadataPreGa => Value::Hash(counted(cursor, 3, |c| field_ttl(c, None))?),
        Layout::HashMetadata => {
            let min = cursor.i64()?;
            Value::Hash(counted(cursor, 3, |cursor| field_ttl(cursor, Some(min)))?)
        }
        Layout::ValkeyHash2 => Value::Hash(counted(cursor, 10, field_valkey)?),
        Layout::HashListpackEx => {
            let _min = cursor.i64()?;
            packed(cursor, |bytes, strict| Form::FieldEx.whole(Listpack::open(bytes, strict)?))?
        }
        Layout::HashListpackExPreGa => {
            packed(cursor, |bytes, strict| Form::FieldEx.whole(Listpack::open(bytes, strict)?))?
        }
        Layout::HashZipmap => {
            packed(cursor, |bytes, strict| Form::Field.whole(Zipmap::open(bytes, strict)?))?
        }
        Layout::HashZiplist => {
            packed(cursor, |bytes, strict| Form::Field.whole(Ziplist::open(bytes, strict)?))?
        }
        Layout::ListZiplist => {
            packed(cursor, |bytes, strict| Form::Item.whole(Ziplist::open(bytes, strict)?))?
        }
        Layout::SetIntset => {
            packed(cursor, |bytes, strict| Form::Member.whole(Intset::open(bytes, strict)?))?
        }
        Layout::SetListpack => {
            packed(cursor, |bytes, strict| Form::Member.whole(Listpack::open(bytes, strict)?))?
        }
        Layout::ZsetZiplist => {
            packed(cursor, |bytes, strict| Form::Scored.whole(Ziplist::open(bytes, strict)?))?
        }
        Layout::ZsetListpack => {
            packed(cursor, |bytes, strict| Form::Scored.whole(Listpack::open(bytes, strict)?))?
        }
        Layout::Quicklist => quicklist(cursor)?,
        Layout::Quicklist2 => quicklist_2(cursor)?,
        Layout::Stream1 | Layout::Stream2 | Layout::Stream3 | Layout::Stream4 | Layout::Stream5 => {
            Value::Stream(Box::new(stream::whole(cursor, StreamLevel::of(layout))?))
        }
        Layout::Array => array(cursor)?,
        Layout::HashTemplateListpack => {
            let names = names(cursor)?;
            template_listpack(cursor, |_| Ok(names))?
        }
        Layout::HashTemplateListpackRef => template_listpack(cursor, |id| registered(context, id))?,
        Layout::HashTemplateArray => {
            let names = names(cursor)?;
            template_array(cursor, names)?
        }
        Layout::HashTemplateArrayRef => {
            let id = cursor.len()?;
            template_array(cursor, registered(context, id)?)?
        }
        Layout::Module2 => module(cursor)?,
    };
    if cursor.limits.strict {
        refuse_oddities(&value)?;
    }
    Ok(value)
}

/// What one element of a packed value is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Item,
    Member,
    /// Member and score.
    Scored,
    /// Name and value.
    Field,
    /// Name, value and expiry.
    FieldEx,
}

impl Form {
    /// All elements of a packed value. Inlined where the form is known, so that nothing of the
    /// others is left there.
    #[inline(always)]
    fn whole<'a, P: Packed<'a>>(self, pack: P) -> Result<Value<'a>, ErrorKind> {
        Ok(match self {
            Self::Item => Value::List(collect(pack, 1, packed_item)?),
            Self::Member => Value::Set(collect(pack, 1, packed_item)?),
            Self::Scored => Value::SortedSet(collect(pack, 2, packed_scored)?),
            Self::Field => Value::Hash(collect_fields(pack)?),
            Self::FieldEx => Value::Hash(collect(pack, 3, packed_field_ex)?),
        })
    }

    /// The next element of a packed value.
    pub(crate) fn next<'a, P: Packed<'a>>(self, pack: &mut P) -> Result<Element<'a>, ErrorKind> {
        let element = match self {
            Self::Item => packed_item(pack)?.map(Element::Item),
            Self::Member => packed_item(pack)?.map(Element::Member),
            Self::Scored => packed_scored(pack)?.map(Element::Scored),
            Self::Field => packed_field(pack)?.map(Element::Field),
            Self::FieldEx => packed_field_ex(pack)?.map(Element::Field),
        };
        element.ok_or(ErrorKind::Corrupt("packed value ends too early"))
    }
}

/// Reads the packed value that is held in a string. What is borrowed from a decompressed string
/// has to be copied out of it.
#[inline]
fn packed<'a>(
    cursor: &mut Cursor<'a>,
    read: impl for<'b> Fn(&'b [u8], bool) -> Result<Value<'b>, ErrorKind>,
) -> Result<Value<'a>, ErrorKind> {
    let blob = cursor.packed()?;
    match blob.borrowed() {
        Some(bytes) => read(bytes, cursor.limits.strict),
        None => read(&blob, cursor.limits.strict).map(Value::into_owned),
    }
}

#[inline(always)]
fn collect<'a, P: Packed<'a>, T>(
    mut pack: P,
    entries_each: usize,
    next: impl Fn(&mut P) -> Result<Option<T>, ErrorKind>,
) -> Result<Vec<T>, ErrorKind> {
    let mut all = Vec::with_capacity(pack.bound() / entries_each);
    while let Some(one) = next(&mut pack)? {
        all.push(one);
    }
    Ok(all)
}

/// The same as `collect(pack, 2, packed_field)`, for the layout that most records have: the first
/// fields are written where they stay, while one that is pushed is put together elsewhere and
/// copied.
#[inline(always)]
fn collect_fields<'a, P: Packed<'a>>(mut pack: P) -> Result<Vec<Field<'a>>, ErrorKind> {
    /// What a header claims costs no more than this.
    const FIRST: usize = 64;
    let bound = pack.bound() / 2;
    let mut all = Vec::with_capacity(bound);
    all.resize_with(bound.min(FIRST), || Field::new(Blob::empty(), Blob::empty()));
    for (index, field) in all.iter_mut().enumerate() {
        let Some(name) = pack.next()? else {
            all.truncate(index);
            return Ok(all);
        };
        name.write_to(&mut field.name);
        pack.next()?.ok_or(ODD)?.write_to(&mut field.value);
    }
    while let Some(field) = packed_field(&mut pack)? {
        all.push(field);
    }
    Ok(all)
}

/// Reads a count, then as many elements, each of at least `min_bytes`.
#[inline]
fn counted<'a, T>(
    cursor: &mut Cursor<'a>,
    min_bytes: usize,
    one: impl Fn(&mut Cursor<'a>) -> Result<T, ErrorKind>,
) -> Result<Vec<T>, ErrorKind> {
    let count = cursor.len()?;
    let mut all = Vec::with_capacity(cursor.capacity(count, min_bytes));
    for _ in 0..count {
        all.push(one(cursor)?);
    }
    Ok(all)
}

const ODD: ErrorKind = ErrorKind::Corrupt("packed value with an incomplete last element");

#[inline(always)]
fn packed_item<'a, P: Packed<'a>>(pack: &mut P) -> Result<Option<Blob<'a>>, ErrorKind> {
    Ok(pack.next()?.map(Entry::into_blob))
}

#[inline(always)]
fn packed_field<'a, P: Packed<'a>>(pack: &mut P) -> Result<Option<Field<'a>>, ErrorKind> {
    let Some(name) = pack.next()? else { return Ok(None) };
    let value = pack.next()?.ok_or(ODD)?;
    Ok(Some(Field::new(name.into_blob(), value.into_blob())))
}

#[inline(always)]
fn packed_field_ex<'a, P: Packed<'a>>(pack: &mut P) -> Result<Option<Field<'a>>, ErrorKind> {
    let Some(field) = packed_field(pack)? else { return Ok(None) };
    let expires_at = match pack.next()?.ok_or(ODD)? {
        Entry::Int(0) => None,
        Entry::Int(at) if at > 0 => Some(UnixMillis(at)),
        _ => return Err(ErrorKind::Corrupt("field expiry")),
    };
    Ok(Some(Field { expires_at, ..field }))
}

#[inline(always)]
fn packed_scored<'a, P: Packed<'a>>(pack: &mut P) -> Result<Option<Scored<'a>>, ErrorKind> {
    let Some(member) = pack.next()? else { return Ok(None) };
    let score = match pack.next()?.ok_or(ODD)? {
        Entry::Int(score) => score as f64,
        Entry::Text(text) => score::parse(text)?,
    };
    Ok(Some(Scored { member: member.into_blob(), score }))
}

pub(crate) fn field<'a>(cursor: &mut Cursor<'a>) -> Result<Field<'a>, ErrorKind> {
    Ok(Field::new(cursor.str()?, cursor.str()?))
}

/// A field after its expiry, which counts from `min - 1` if there is a `min`. 0 is none.
pub(crate) fn field_ttl<'a>(
    cursor: &mut Cursor<'a>,
    min: Option<i64>,
) -> Result<Field<'a>, ErrorKind> {
    const BAD: ErrorKind = ErrorKind::Corrupt("field expiry");
    let ttl = i64::try_from(cursor.len()?).map_err(|_| BAD)?;
    let expires_at = match (ttl, min) {
        (0, _) => None,
        (ttl, None) => Some(UnixMillis(ttl)),
        (ttl, Some(min)) => Some(UnixMillis(min.checked_add(ttl - 1).ok_or(BAD)?)),
    };
    Ok(Field { expires_at, ..field(cursor)? })
}

/// A field before its expiry in Valkey's way: −1 is none.
pub(crate) fn field_valkey<'a>(cursor: &mut Cursor<'a>) -> Result<Field<'a>, ErrorKind> {
    let field = field(cursor)?;
    let expires_at = match cursor.i64()? {
        -1 => None,
        at => Some(UnixMillis(at)),
    };
    Ok(Field { expires_at, ..field })
}

/// A member before its score as text.
pub(crate) fn scored_text<'a>(cursor: &mut Cursor<'a>) -> Result<Scored<'a>, ErrorKind> {
    let member = cursor.str()?;
    let score = match cursor.u8()? {
        253 => f64::NAN,
        254 => f64::INFINITY,
        255 => f64::NEG_INFINITY,
        len => score::parse(cursor.take(u64::from(len))?)?,
    };
    Ok(Scored { member, score: score::number(score)? })
}

/// A member before its score as a double.
pub(crate) fn scored_double<'a>(cursor: &mut Cursor<'a>) -> Result<Scored<'a>, ErrorKind> {
    Ok(Scored { member: cursor.str()?, score: score::number(cursor.f64()?)? })
}

fn quicklist<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, ErrorKind> {
    let nodes = cursor.len()?;
    let mut items = Vec::new();
    for _ in 0..nodes {
        let node = packed(cursor, |bytes, strict| Form::Item.whole(Ziplist::open(bytes, strict)?))?;
        append(&mut items, node, cursor.limits.strict)?;
    }
    Ok(Value::List(items))
}

fn quicklist_2<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, ErrorKind> {
    let nodes = cursor.len()?;
    let mut items = Vec::new();
    for _ in 0..nodes {
        match container(cursor)? {
            Container::Plain => {
                let item = cursor.str()?;
                if item.is_empty() && cursor.limits.strict {
                    return Err(ErrorKind::Corrupt("list node without bytes"));
                }
                items.push(item);
            }
            Container::Packed => {
                let node = packed(cursor, |bytes, strict| {
                    Form::Item.whole(Listpack::open(bytes, strict)?)
                })?;
                append(&mut items, node, cursor.limits.strict)?;
            }
        }
    }
    Ok(Value::List(items))
}

fn append<'a>(items: &mut Vec<Blob<'a>>, node: Value<'a>, strict: bool) -> Result<(), ErrorKind> {
    match node {
        Value::List(node) if node.is_empty() && strict => {
            Err(ErrorKind::Corrupt("list node without items"))
        }
        Value::List(node) if items.is_empty() => {
            *items = node;
            Ok(())
        }
        Value::List(node) => {
            items.extend(node);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a node of a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    /// One long item.
    Plain,
    Packed,
}

pub(crate) fn container(cursor: &mut Cursor<'_>) -> Result<Container, ErrorKind> {
    match cursor.len()? {
        1 => Ok(Container::Plain),
        2 => Ok(Container::Packed),
        _ => Err(ErrorKind::Corrupt("container of a list node")),
    }
}

/// The number of slots of an array and its insertion point.
pub(crate) fn array_head(cursor: &mut Cursor<'_>) -> Result<(u64, Option<u64>), ErrorKind> {
    let count = cursor.len()?;
    let insert_index = match cursor.len()? {
        0 => None,
        1 => Some(cursor.len()?),
        _ => return Err(ErrorKind::Corrupt("array flag")),
    };
    Ok((count, insert_index))
}

pub(crate) fn array_slot<'a>(cursor: &mut Cursor<'a>) -> Result<(u64, Slot<'a>), ErrorKind> {
    let index = cursor.len()?;
    if index == u64::MAX {
        return Err(ErrorKind::Corrupt("array index"));
    }
    let slot = match cursor.len()? {
        0 | 3 => Slot::Text(cursor.str()?),
        1 => Slot::Int(cursor.i64()?),
        2 => Slot::Float(cursor.f64()?),
        _ => return Err(ErrorKind::Corrupt("array slot tag")),
    };
    Ok((index, slot))
}

fn array<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, ErrorKind> {
    let (count, insert_index) = array_head(cursor)?;
    let mut slots = Vec::with_capacity(cursor.capacity(count, 3));
    for _ in 0..count {
        let slot = array_slot(cursor)?;
        if slots.last().is_some_and(|(last, _)| *last >= slot.0) {
            return Err(ErrorKind::Corrupt("array order"));
        }
        slots.push(slot);
    }
    Ok(Value::Array(Array { insert_index, slots }))
}

/// The field names of a template that a value brings along.
pub(crate) fn names<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Blob<'a>>, ErrorKind> {
    let names = match cursor.len()? {
        0 => packed(cursor, |bytes, strict| Form::Item.whole(Listpack::open(bytes, strict)?))?,
        1 => Value::List(counted(cursor, 1, Cursor::str)?),
        _ => return Err(ErrorKind::Corrupt("form of a hash template")),
    };
    match names {
        Value::List(names) => Ok(names),
        _ => Ok(Vec::new()),
    }
}

fn registered(context: &Context, id: u64) -> Result<Vec<Blob<'_>>, ErrorKind> {
    let names = context.template(id).ok_or(ErrorKind::UnknownTemplate(id))?;
    Ok(names.iter().map(|name| Blob::from(&**name)).collect())
}

/// A hash as the listpack of a template's id and the values.
fn template_listpack<'a>(
    cursor: &mut Cursor<'a>,
    names: impl FnOnce(u64) -> Result<Vec<Blob<'a>>, ErrorKind>,
) -> Result<Value<'a>, ErrorKind> {
    let list = packed(cursor, |bytes, strict| Form::Item.whole(Listpack::open(bytes, strict)?))?;
    let Value::List(list) = list else { return Err(BAD_ID) };
    let mut list = list.into_iter();
    let id = list.next().as_ref().and_then(Blob::as_str).and_then(|id| id.parse().ok());
    zip(names(id.ok_or(BAD_ID)?)?, list)
}

const BAD_ID: ErrorKind = ErrorKind::Corrupt("hash template id");

/// The id of the template that a hash of a file refers to.
pub(crate) fn template_id(layout: Layout, payload: &[u8]) -> Result<u64, ErrorKind> {
    let mut cursor = Cursor::new(payload, Limits::DEFAULT);
    match layout {
        Layout::HashTemplateArrayRef => cursor.len(),
        Layout::HashTemplateListpackRef => {
            let blob = cursor.packed()?;
            let id = Listpack::open(&blob, false)?.int()?;
            u64::try_from(id).map_err(|_| BAD_ID)
        }
        _ => Err(BAD_ID),
    }
}

fn template_array<'a>(
    cursor: &mut Cursor<'a>,
    names: Vec<Blob<'a>>,
) -> Result<Value<'a>, ErrorKind> {
    let mut values = Vec::with_capacity(names.len());
    for _ in 0..names.len() {
        values.push(cursor.str()?);
    }
    zip(names, values.into_iter())
}

fn zip<'a>(
    names: Vec<Blob<'a>>,
    values: impl ExactSizeIterator<Item = Blob<'a>>,
) -> Result<Value<'a>, ErrorKind> {
    if names.len() != values.len() {
        return Err(ErrorKind::Corrupt("hash template with another number of values"));
    }
    let fields = names.into_iter().zip(values);
    Ok(Value::Hash(fields.map(|(name, value)| Field::new(name, value)).collect()))
}

/// A module's value: a document if it is RedisJSON's, else its tokens.
pub(crate) fn module<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, ErrorKind> {
    let id = ModuleId(cursor.len()?);
    let tokens = module_tokens(cursor)?;
    if id.is_json()
        && let Some(json) = json::from_module(id.version(), &tokens)?
    {
        return Ok(Value::Json(json));
    }
    Ok(Value::Module(Module::new(id, tokens)))
}

/// The tokens of a module up to and including the end mark.
pub(crate) fn module_tokens<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<Vec<ModuleToken<'a>>, ErrorKind> {
    let mut tokens = Vec::new();
    loop {
        tokens.push(match cursor.len()? {
            0 => return Ok(tokens),
            1 => ModuleToken::Int(cursor.len()?.cast_signed()),
            2 => ModuleToken::Uint(cursor.len()?),
            3 => ModuleToken::Float(f32::from_le_bytes(cursor.array()?)),
            4 => ModuleToken::Double(cursor.f64()?),
            5 => ModuleToken::Text(cursor.str()?),
            _ => return Err(ErrorKind::Corrupt("module opcode")),
        });
    }
}

/// Refuses what a server's `RESTORE` refuses although it could be read.
fn refuse_oddities(value: &Value<'_>) -> Result<(), ErrorKind> {
    use std::collections::HashSet;

    fn distinct<'a>(mut names: impl Iterator<Item = &'a Blob<'a>>) -> bool {
        let mut seen = HashSet::new();
        names.all(|name| seen.insert(name.as_bytes()))
    }
    if value.is_empty() {
        return Err(ErrorKind::Corrupt("empty collection"));
    }
    let distinct = match value {
        Value::Set(members) => distinct(members.iter()),
        Value::Hash(fields) => distinct(fields.iter().map(|field| &field.name)),
        Value::SortedSet(members) => distinct(members.iter().map(|scored| &scored.member)),
        _ => true,
    };
    if distinct { Ok(()) } else { Err(ErrorKind::Corrupt("duplicate element")) }
}

/// Whether the value is a collection without elements, told from its first bytes.
///
/// A value that cannot be read is not empty: whoever decodes it will say what is wrong.
pub(crate) fn is_empty(layout: Layout, cursor: &mut Cursor<'_>) -> bool {
    match layout {
        Layout::List
        | Layout::Set
        | Layout::Zset
        | Layout::Hash
        | Layout::Zset2
        | Layout::HashMetadataPreGa
        | Layout::ValkeyHash2
        | Layout::Array => cursor.len() == Ok(0),
        Layout::HashMetadata => cursor.i64().is_ok() && cursor.len() == Ok(0),
        Layout::HashZipmap => at_end(cursor, |bytes| Zipmap::open(bytes, false).map(ended)),
        Layout::SetIntset => at_end(cursor, |bytes| Intset::open(bytes, false).map(ended)),
        Layout::ListZiplist | Layout::ZsetZiplist | Layout::HashZiplist => {
            at_end(cursor, |bytes| Ziplist::open(bytes, false).map(ended))
        }
        Layout::HashListpack
        | Layout::ZsetListpack
        | Layout::SetListpack
        | Layout::HashListpackExPreGa => {
            at_end(cursor, |bytes| Listpack::open(bytes, false).map(ended))
        }
        Layout::HashListpackEx => {
            cursor.i64().is_ok() && at_end(cursor, |bytes| Listpack::open(bytes, false).map(ended))
        }
        Layout::Quicklist => {
            let nodes = cursor.len().unwrap_or(1);
            (0..nodes).all(|_| at_end(cursor, |bytes| Ziplist::open(bytes, false).map(ended)))
        }
        Layout::Quicklist2 => {
            let nodes = cursor.len().unwrap_or(1);
            (0..nodes).all(|_| {
                container(cursor) == Ok(Container::Packed)
                    && at_end(cursor, |bytes| Listpack::open(bytes, false).map(ended))
            })
        }
        Layout::String
        | Layout::Module2
        | Layout::Stream1
        | Layout::Stream2
        | Layout::Stream3
        | Layout::Stream4
        | Layout::Stream5
        | Layout::HashTemplateListpack
        | Layout::HashTemplateListpackRef
        | Layout::HashTemplateArray
        | Layout::HashTemplateArrayRef => false,
    }
}

fn ended<'a>(pack: impl Packed<'a>) -> bool {
    pack.at_end()
}

fn at_end(cursor: &mut Cursor<'_>, open: fn(&[u8]) -> Result<bool, ErrorKind>) -> bool {
    /// No packed value without entries is longer than this; a longer one need not be decompressed
    /// to know that it has some.
    const EMPTY: u64 = 16;
    let string = cursor.limits.packed;
    cursor.limits.packed = EMPTY;
    let short = cursor.packed();
    cursor.limits.packed = string;
    short.is_ok_and(|bytes| open(&bytes).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listpack of single letters and small integers that claims to have `count` entries.
    fn pack(entries: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend((count as u16).to_le_bytes());
        for entry in 0..entries {
            match entry % 3 {
                0 => bytes.extend([entry as u8 & 0x7f, 1]),
                _ => bytes.extend([0x81, b'a' + (entry % 26) as u8, 2]),
            }
        }
        bytes.push(0xff);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        bytes
    }

    #[test]
    fn fields_in_place_are_fields_pushed() {
        for entries in [0, 1, 2, 3, 8, 126, 127, 128, 129, 130, 131, 400] {
            for count in [entries, 0, entries / 2, entries + 2, 0xffff] {
                let bytes = pack(entries, count);
                let pack = Listpack::open(&bytes, false).unwrap();
                let pushed = collect(pack.clone(), 2, packed_field);
                assert_eq!(collect_fields(pack), pushed, "{entries} entries, {count} claimed");
            }
        }
    }
}

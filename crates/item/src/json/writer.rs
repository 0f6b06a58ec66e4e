use crate::text::Text;
use crate::{AttributeValue, Attributes, Item};

/// Appends the item as a line: `{"Item":{…}}` and a newline.
///
/// The text is valid UTF-8 with the fewest escapes that JSON allows. Only memory can fail. The
/// item is written as it is, whether or not it keeps DynamoDB's limits:
/// [`limits::check`](crate::limits::check) comes first, also because the writer follows lists and
/// maps as deep as they go.
pub fn write_item(item: &Item<'_>, out: &mut Vec<u8>) {
    let text = Text::after(out).literal(b"{\"Item\":");
    attributes(&item.attributes, text).literal(b"}\n").finish();
}

/// Appends the attributes as an object, `{"name":{"S":"Ann"}}`, without a newline: an item as
/// DynamoDB's API takes it.
pub fn write_attributes(map: &Attributes<'_>, out: &mut Vec<u8>) {
    attributes(map, Text::after(out)).finish();
}

/// Appends the value with its type, `{"S":"Ann"}`, without a newline.
pub fn write_value(value: &AttributeValue<'_>, out: &mut Vec<u8>) {
    self::value(value, Text::after(out)).finish();
}

fn attributes<'o>(map: &Attributes<'_>, mut text: Text<'o>) -> Text<'o> {
    let mut rest = map.iter();
    let Some((name, value)) = rest.next() else { return text.literal(b"{}") };
    text = self::value(value, text.escaped(b"{\"", name, b"\":"));
    for (name, value) in rest {
        text = self::value(value, text.escaped(b",\"", name, b"\":"));
    }
    text.literal(b"}")
}

#[inline]
fn value<'o>(value: &AttributeValue<'_>, text: Text<'o>) -> Text<'o> {
    match value {
        AttributeValue::S(string) => text.escaped(b"{\"S\":\"", string, b"\"}"),
        AttributeValue::N(number) => text.plain(b"{\"N\":\"", number.as_str().as_bytes(), b"\"}"),
        other => self::other(other, text),
    }
}

/// What is neither text nor a number.
#[inline(never)]
fn other<'o>(value: &AttributeValue<'_>, text: Text<'o>) -> Text<'o> {
    match value {
        AttributeValue::S(_) | AttributeValue::N(_) => self::value(value, text),
        AttributeValue::M(map) => attributes(map, text.literal(b"{\"M\":")).literal(b"}"),
        AttributeValue::B(bytes) => text.literal(b"{\"B\":\"").base64(bytes).literal(b"\"}"),
        AttributeValue::Bool(true) => text.literal(b"{\"BOOL\":true}"),
        AttributeValue::Bool(false) => text.literal(b"{\"BOOL\":false}"),
        AttributeValue::Null => text.literal(b"{\"NULL\":true}"),
        AttributeValue::L(list) => {
            let mut text = text.literal(b"{\"L\":[");
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    text = text.literal(b",");
                }
                text = self::value(value, text);
            }
            text.literal(b"]}")
        }
        AttributeValue::Ss(set) => {
            strings(set, text.literal(b"{\"SS\":["), |member, text| text.escaped(b"", member, b""))
        }
        AttributeValue::Ns(set) => strings(set, text.literal(b"{\"NS\":["), |member, text| {
            text.plain(b"", member.as_str().as_bytes(), b"")
        }),
        AttributeValue::Bs(set) => {
            strings(set, text.literal(b"{\"BS\":["), |member, text| text.base64(member))
        }
    }
}

/// The members in quotes, and what closes the set.
fn strings<'o, T>(
    members: &[T],
    mut text: Text<'o>,
    write: impl Fn(&T, Text<'o>) -> Text<'o>,
) -> Text<'o> {
    let Some((first, others)) = members.split_first() else { return text.literal(b"]}") };
    text = write(first, text.literal(b"\""));
    for member in others {
        text = write(member, text.literal(b"\",\""));
    }
    text.literal(b"\"]}")
}

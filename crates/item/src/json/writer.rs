use std::borrow::Cow;

use crate::text::Text;
use crate::{AttributeValue, Attributes, Item};

/// Appends the item as a line: `{"Item":{…}}` and a newline.
///
/// The text is valid UTF-8 with the fewest escapes that JSON allows. Only memory can fail. The
/// item is written as it is, whether or not it keeps DynamoDB's limits:
/// [`limits::check`](crate::limits::check) comes first, also because the writer follows lists and
/// maps as deep as they go.
pub fn write_item(item: &Item<'_>, out: &mut Vec<u8>) {
    let mut text = Text::after(out);
    text.literal(b"{\"Item\":");
    attributes(&item.attributes, &mut text);
    text.literal(b"}\n");
    text.finish();
}

/// Appends the attributes as an object, `{"name":{"S":"Ann"}}`, without a newline: an item as
/// DynamoDB's API takes it.
pub fn write_attributes(map: &Attributes<'_>, out: &mut Vec<u8>) {
    let mut text = Text::after(out);
    attributes(map, &mut text);
    text.finish();
}

/// Appends the value with its type, `{"S":"Ann"}`, without a newline.
pub fn write_value(value: &AttributeValue<'_>, out: &mut Vec<u8>) {
    let mut text = Text::after(out);
    self::value(value, &mut text);
    text.finish();
}

fn attributes(map: &Attributes<'_>, text: &mut Text<'_>) {
    let mut rest = map.iter();
    let Some((name, value)) = rest.next() else { return text.literal(b"{}") };
    text.literal(b"{\"");
    attribute(name, value, text);
    for (name, value) in rest {
        text.literal(b",\"");
        attribute(name, value, text);
    }
    text.literal(b"}");
}

/// The name without its first quote, so that the quote goes with the comma or brace before it.
#[inline]
fn attribute(name: &str, value: &AttributeValue<'_>, text: &mut Text<'_>) {
    text.escaped(name);
    text.literal(b"\":");
    self::value(value, text);
}

fn value(value: &AttributeValue<'_>, text: &mut Text<'_>) {
    match value {
        AttributeValue::S(string) => {
            text.literal(b"{\"S\":\"");
            text.escaped(string);
            text.literal(b"\"}");
        }
        AttributeValue::N(number) => {
            text.literal(b"{\"N\":\"");
            text.plain(number.as_str().as_bytes());
            text.literal(b"\"}");
        }
        AttributeValue::M(map) => {
            text.literal(b"{\"M\":");
            attributes(map, text);
            text.literal(b"}");
        }
        AttributeValue::B(bytes) => {
            text.literal(b"{\"B\":\"");
            text.base64(bytes);
            text.literal(b"\"}");
        }
        AttributeValue::Bool(true) => text.literal(b"{\"BOOL\":true}"),
        AttributeValue::Bool(false) => text.literal(b"{\"BOOL\":false}"),
        AttributeValue::Null => text.literal(b"{\"NULL\":true}"),
        AttributeValue::L(list) => {
            text.literal(b"{\"L\":[");
            let mut values = list.iter();
            if let Some(first) = values.next() {
                self::value(first, text);
            }
            for next in values {
                text.literal(b",");
                self::value(next, text);
            }
            text.literal(b"]}");
        }
        AttributeValue::Ss(set) => {
            text.literal(b"{\"SS\":[");
            strings(set, text, |member: &Cow<'_, str>, text| text.escaped(member));
        }
        AttributeValue::Ns(set) => {
            text.literal(b"{\"NS\":[");
            strings(set, text, |member, text| text.plain(member.as_str().as_bytes()));
        }
        AttributeValue::Bs(set) => {
            text.literal(b"{\"BS\":[");
            strings(set, text, |member: &Cow<'_, [u8]>, text| text.base64(member));
        }
    }
}

/// The members in quotes, and what closes the set.
fn strings<T>(members: &[T], text: &mut Text<'_>, write: impl Fn(&T, &mut Text<'_>)) {
    let mut members = members.iter();
    let Some(first) = members.next() else { return text.literal(b"]}") };
    text.literal(b"\"");
    write(first, text);
    for member in members {
        text.literal(b"\",\"");
        write(member, text);
    }
    text.literal(b"\"]}");
}

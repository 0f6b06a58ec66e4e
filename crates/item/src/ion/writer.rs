use crate::text::Text;
use crate::{AttributeValue, Attributes, Item};

/// Appends the item as a line: `$ion_1_0 {Item:{…}}` and a newline, which lies nowhere else in it.
///
/// The values of numbers are kept exactly, as is their text but for what Ion writes differently:
/// `1.50` stays `1.50`, `103` becomes `103.`, `6E+2` becomes `6d2`, `007` becomes `7.`. As with
/// [`json::write_item`](crate::json::write_item), limits are to be checked before.
pub fn write_item(item: &Item<'_>, out: &mut Vec<u8>) {
    let text = Text::after(out).literal(b"$ion_1_0 {Item:");
    structure(&item.attributes, text).literal(b"}\n").finish();
}

fn structure<'o>(map: &Attributes<'_>, mut text: Text<'o>) -> Text<'o> {
    text = text.literal(b"{");
    for (index, (name, value)) in map.iter().enumerate() {
        if index > 0 {
            text = text.literal(b",");
        }
        text = self::value(value, symbol(name, text).literal(b":"));
    }
    text.literal(b"}")
}

fn value<'o>(value: &AttributeValue<'_>, text: Text<'o>) -> Text<'o> {
    match value {
        AttributeValue::S(string) => text.escaped(b"\"", string, b"\""),
        AttributeValue::N(number) => decimal(number.as_str(), text),
        AttributeValue::B(bytes) => text.literal(b"{{").base64(bytes).literal(b"}}"),
        AttributeValue::Bool(true) => text.literal(b"true"),
        AttributeValue::Bool(false) => text.literal(b"false"),
        AttributeValue::Null => text.literal(b"null"),
        AttributeValue::L(list) => elements(list, text, self::value),
        AttributeValue::M(map) => structure(map, text),
        AttributeValue::Ss(set) => {
            elements(set, text.literal(b"$dynamodb_SS::"), |member, text| {
                text.escaped(b"\"", member, b"\"")
            })
        }
        AttributeValue::Ns(set) => {
            elements(set, text.literal(b"$dynamodb_NS::"), |member, text| {
                decimal(member.as_str(), text)
            })
        }
        AttributeValue::Bs(set) => {
            elements(set, text.literal(b"$dynamodb_BS::"), |member, text| {
                text.literal(b"{{").base64(member).literal(b"}}")
            })
        }
    }
}

fn elements<'o, T>(
    list: &[T],
    mut text: Text<'o>,
    write: impl Fn(&T, Text<'o>) -> Text<'o>,
) -> Text<'o> {
    text = text.literal(b"[");
    for (index, element) in list.iter().enumerate() {
        if index > 0 {
            text = text.literal(b",");
        }
        text = write(element, text);
    }
    text.literal(b"]")
}

/// A field's name: bare where Ion reads it as nothing but that name, else in single quotes.
fn symbol<'o>(name: &str, text: Text<'o>) -> Text<'o> {
    if is_bare(name) {
        return text.plain(b"", name.as_bytes(), b"");
    }
    let mut pieces = name.split('\'');
    let mut text = text.escaped(b"'", pieces.next().unwrap_or_default(), b"");
    for piece in pieces {
        text = text.escaped(b"\\'", piece, b"");
    }
    text.literal(b"'")
}

/// Letters, digits and underscores, not beginning with a digit, and no keyword. Names with `$` are
/// quoted because `$10` would be a reference to a symbol table and `$ion_1_0` a version marker.
fn is_bare(name: &str) -> bool {
    let (Some(first), false) =
        (name.bytes().next(), matches!(name, "null" | "true" | "false" | "nan"))
    else {
        return false;
    };
    !first.is_ascii_digit() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An Ion decimal has a point or a `d`, a digit before the point, and no superfluous zero or plus
/// in front.
fn decimal<'o>(number: &str, mut text: Text<'o>) -> Text<'o> {
    let number = match number.strip_prefix('-') {
        Some(number) => {
            text = text.literal(b"-");
            number
        }
        None => number.strip_prefix('+').unwrap_or(number),
    };
    let (coefficient, exponent) = match number.split_once(['e', 'E']) {
        Some((coefficient, exponent)) => (coefficient, Some(exponent)),
        None => (number, None),
    };
    let (whole, fraction) = coefficient.split_once('.').unwrap_or((coefficient, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    text = text.plain(b"", whole.as_bytes(), b"");
    if !fraction.is_empty() || exponent.is_none() {
        text = text.plain(b".", fraction.as_bytes(), b"");
    }
    match exponent {
        Some(exponent) => {
            text.plain(b"d", exponent.strip_prefix('+').unwrap_or(exponent).as_bytes(), b"")
        }
        None => text,
    }
}

//! Plain JSON of an attribute's value: what a person would have written, without DynamoDB's types.

use keystar_item::Number;
use keystar_item::scan::ValueView;

/// Appends the value. Numbers are in plain notation, bytes are base64, sets are arrays.
pub(crate) fn write(value: ValueView<'_>, out: &mut Vec<u8>) {
    match value {
        // What a string of DynamoDB JSON may hold, one of plain JSON may.
        ValueView::S(text) | ValueView::B(text) => quote(text.raw(), out),
        ValueView::N(text) => number(text, out),
        ValueView::Bool(true) => out.extend_from_slice(b"true"),
        ValueView::Bool(false) => out.extend_from_slice(b"false"),
        ValueView::Null => out.extend_from_slice(b"null"),
        ValueView::L(list) => array(list, out, write),
        ValueView::M(map) => {
            out.push(b'{');
            for (index, (name, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                quote(name.raw(), out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        ValueView::Ss(set) | ValueView::Bs(set) => {
            array(set, out, |text, out| quote(text.raw(), out));
        }
        ValueView::Ns(set) => array(set, out, number),
    }
}

/// Appends a text as a string of JSON.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

fn quote(raw: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(raw.as_bytes());
    out.push(b'"');
}

fn number(text: &str, out: &mut Vec<u8>) {
    // JSON knows neither `+1` nor `007` nor `.5`.
    match Number::parse(text) {
        Ok(number) => out.extend_from_slice(number.canonical().as_bytes()),
        Err(_) => out.extend_from_slice(b"null"),
    }
}

fn array<T>(
    members: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (index, member) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(member, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use keystar_item::scan::Tape;

    use super::*;

    #[test]
    fn every_type() {
        let text = br#"{"a":{"M":{"s":{"S":"x\"\u0041"},"n":{"N":"+1.50"},"b":{"B":"AQ=="},"t":{"BOOL":true},"z":{"NULL":true},"l":{"L":[{"N":"1e3"},{"L":[]}]},"ss":{"SS":["p","q"]},"ns":{"NS":["007",".5"]},"bs":{"BS":["AQ=="]},"m":{"M":{}}}}}"#;
        let mut tape = Tape::new();
        let value = tape.scan(text).unwrap().get("a").unwrap();
        let mut out = Vec::new();
        write(value, &mut out);
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({
            "s": "x\"A", "n": 1.5, "b": "AQ==", "t": true, "z": null, "l": [1000, []],
            "ss": ["p", "q"], "ns": [7, 0.5], "bs": ["AQ=="], "m": {},
        });
        assert_eq!(read, expected);
    }
}

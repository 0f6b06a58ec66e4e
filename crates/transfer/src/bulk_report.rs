//! What a bulk put says of the items that it refused.
//!
//! That the report lies below a prefix is documented, its form is not. So its lines of JSON are
//! searched for what names an item and a reason, whatever the fields are called; and where nothing
//! of that kind is found, the user is told where to look.

use serde_json::{Map, Value};

use crate::{Error, Format, ItemError, error::OrIo, file::Records, store::Store};

/// What a field with a file's key is called, without case and punctuation.
const FILES: [&str; 8] =
    ["key", "s3key", "objectkey", "s3objectkey", "file", "filename", "object", "inputfile"];
/// What a field with an item's number in its file is called, counted from 0.
const INDICES: [&str; 3] = ["itemindex", "recordindex", "index"];
/// What holds an item or its key: nothing in there is about the refusal.
const ITEMS: [&str; 4] = ["item", "keys", "newimage", "attributes"];

/// The errors in a file of the report, at most so many.
pub(crate) fn item_errors(store: &Store, name: &str, most: usize) -> Result<Vec<ItemError>, Error> {
    let mut found = Vec::new();
    let mut lines = Records::open(store, name, &Format::DynamoDbJson, None)?;
    while let Some((line, _)) = lines.next().or_io("read", store.place(name))? {
        let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
        let entries = match &line {
            Value::Array(entries) => entries.as_slice(),
            entry => std::slice::from_ref(entry),
        };
        for error in entries.iter().filter_map(item_error) {
            if found.len() >= most {
                return Ok(found);
            }
            found.push(error);
        }
    }
    Ok(found)
}

/// An entry, if it is one of an error: it names an item of a file, or gives a reason.
fn item_error(entry: &Value) -> Option<ItemError> {
    let mut error = ItemError::default();
    search(entry.as_object()?, &mut error);
    let names_an_item = error.file.is_some() && error.index.is_some();
    if error.reasons.is_empty() && names_an_item {
        error.reasons.push("the report gives no reason".to_owned());
    }
    (!error.reasons.is_empty()).then_some(error)
}

fn search(entry: &Map<String, Value>, error: &mut ItemError) {
    for (name, value) in entry {
        let name: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        let name = name.as_str();
        match value {
            Value::String(text) if FILES.contains(&name) => {
                let key = keystar_bucket::split(text).map_or(text.as_str(), |(_, key)| key);
                error.file.get_or_insert_with(|| key.to_owned());
            }
            Value::String(text) if is_reason(name) => error.reasons.push(text.clone()),
            Value::Number(_) | Value::String(_) if INDICES.contains(&name) => {
                let index = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                error.index = error.index.or(index);
            }
            Value::Array(values) if is_reason(name) => {
                for value in values {
                    match value {
                        Value::String(text) => error.reasons.push(text.clone()),
                        Value::Object(inner) => search(inner, error),
                        _ => {}
                    }
                }
            }
            // An item's key is an object, a file's key is none.
            Value::Object(inner) if !ITEMS.contains(&name) && !FILES.contains(&name) => {
                search(inner, error);
            }
            _ => {}
        }
    }
}

fn is_reason(name: &str) -> bool {
    ["message", "reason", "error", "exception"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, most: usize) -> Vec<(Option<String>, Option<u64>, String)> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = format!("memory:///bulk-report-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let store = Store::open(url).unwrap();
        store.put("errors", text.as_bytes()).unwrap();
        let errors = item_errors(&store, "errors", most).unwrap();
        errors
            .into_iter()
            .map(|error| (error.file, error.index, error.reasons.join("; ")))
            .collect()
    }

    #[test]
    fn whatever_the_fields_are_called_items_and_reasons_are_found() {
        let file = || Some("p/data/x.json".to_owned());
        for line in [
            r#"{"itemS3Pointer":{"bucket":"b","key":"p/data/x.json","itemIndex":7},"errorMessages":["no"]}"#,
            r#"{"S3ObjectKey":"p/data/x.json","ItemIndex":"7","ErrorMessage":"no"}"#,
            r#"{"source":{"object_key":"s3://b/p/data/x.json","record_index":7},"failure":{"reason":"no"}}"#,
            r#"{"Key":{"id":{"S":"a"}},"Item":{"message":{"S":"secret"}},"File":"p/data/x.json","index":7,"Errors":[{"Message":"no"}]}"#,
        ] {
            assert_eq!(read(line, 9), [(file(), Some(7), "no".to_owned())], "{line}");
        }
        let text = "{\"status\":\"COMPLETED\",\"count\":3}\nnot json\n\n[{\"message\":\"a\"},{\"message\":\"b\"}]\n{\"key\":\"k\",\"index\":0}\n";
        let all = [
            (None, None, "a".to_owned()),
            (None, None, "b".to_owned()),
            (Some("k".to_owned()), Some(0), "the report gives no reason".to_owned()),
        ];
        assert_eq!(read(text, 9), all);
        assert_eq!(read(text, 2), all[..2]);
        assert_eq!(read("", 9), []);
    }
}

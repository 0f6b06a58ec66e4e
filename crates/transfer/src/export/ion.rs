use std::io::{self, BufReader, Read};

use keystar_item::{AttributeValue, Attributes, ErrorKind, Item, ion, json};

use super::{
    block::Block,
    blocks::{Count, Fault, MAX_LINE_BYTES, Shape},
};

/// Ion text, rewritten to lines of DynamoDB JSON.
pub(super) struct IonRecords {
    items: ion::Items<BufReader<Box<dyn Read + Send>>>,
    shape: Shape,
}

impl IonRecords {
    pub(super) fn new(text: BufReader<Box<dyn Read + Send>>, shape: Shape) -> Self {
        Self { items: ion::Items::new(text).with_max_item_bytes(MAX_LINE_BYTES), shape }
    }

    pub(super) fn fill(&mut self, block: &mut Block, target: usize) -> Result<Count, Fault> {
        block.buffer.clear();
        let mut count = Count::default();
        while block.buffer.len() < target {
            let Some(item) = self.items.next_item() else { break };
            let item = item.map_err(fault)?;
            match change_of(&item, self.shape) {
                Ok(Some(change)) => write_change(change, &mut block.buffer),
                Ok(None) => json::write_item(&item, &mut block.buffer),
                Err(reason) => return Err(Fault::Shape(self.items.line(), reason)),
            }
            count.lines += 1;
            count.items += 1;
        }
        block.end = block.buffer.len();
        Ok(count)
    }
}

fn fault(error: keystar_item::Error) -> Fault {
    match error.kind() {
        ErrorKind::Io => {
            let cause = std::error::Error::source(&error);
            let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
            let kind = cause.map_or(io::ErrorKind::Other, io::Error::kind);
            let text = cause.map_or_else(|| error.to_string(), ToString::to_string);
            Fault::Io(io::Error::new(kind, text))
        }
        _ => Fault::Item(error.line().unwrap_or(0), error),
    }
}

/// The fields of an incremental export's record. It may lie in a `Record`, as an item lies in an
/// `Item`.
fn change_of<'i, 'a>(
    item: &'i Item<'a>,
    shape: Shape,
) -> Result<Option<&'i Attributes<'a>>, &'static str> {
    if shape == Shape::Items {
        return Ok(None);
    }
    let fields = match item.get("Record") {
        Some(AttributeValue::M(fields)) if item.attributes.len() == 1 => fields,
        _ => &item.attributes,
    };
    let is_change = matches!(fields.get("Keys"), Some(AttributeValue::M(_)))
        && matches!(fields.get("Metadata"), Some(AttributeValue::M(_)))
        && fields.iter().all(|(name, value)| {
            ["Keys", "Metadata", "NewImage", "OldImage"].contains(&name.as_ref())
                && matches!(value, AttributeValue::M(_))
        });
    match (is_change, shape) {
        (true, _) => Ok(Some(fields)),
        (false, Shape::Changes) => {
            Err("a change has Metadata, Keys and images, all of them structs")
        }
        (false, _) => Ok(None),
    }
}

/// As an incremental export in DynamoDB JSON has it.
fn write_change(fields: &Attributes<'_>, out: &mut Vec<u8>) {
    let mut separator = b'{';
    for name in ["Metadata", "Keys", "OldImage", "NewImage"] {
        if let Some(AttributeValue::M(map)) = fields.get(name) {
            out.push(separator);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            json::write_attributes(map, out);
            separator = b',';
        }
    }
    out.extend_from_slice(b"}\n");
}

//! DynamoDB JSON: the text that S3 imports read and exports write.
//!
//! One item is one line, `{"Item":{"key":{"S":"i:"},"age":{"N":"6867"}}}`. Every value carries its
//! type, numbers are strings, bytes are base64, and no newline ever lies inside an item.
//!
//! ```
//! use keystar_item::json;
//!
//! let line = br#"{"Item":{"key":{"S":"i:"},"value":{"M":{"age":{"N":"6867"}}}}}"#;
//! let item = json::parse_item(line)?;
//!
//! let mut out = Vec::new();
//! json::write_item(&item, &mut out);
//! assert_eq!(out, [line.as_slice(), b"\n"].concat());
//! # Ok::<(), keystar_item::Error>(())
//! ```

mod line;
mod reader;
mod writer;

pub use line::{MapEntries, MapLine};
pub use reader::{Items, parse_item, parse_value};
pub use writer::{write_attributes, write_item, write_value};

/// Most levels of lists and maps that the reader follows. DynamoDB stores no more than
/// [`limits::MAX_DEPTH`](crate::limits::MAX_DEPTH); the reader takes more so that
/// [`limits::check`](crate::limits::check) can say which attribute is too deep.
pub const MAX_DEPTH: usize = 64;

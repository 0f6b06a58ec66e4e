//! Amazon Ion text, in the one shape that S3 imports and exports of DynamoDB use.
//!
//! One item is one line, `$ion_1_0 {Item:{key:"i:",age:6867.}}`. Ion has types of its own, so no
//! value is wrapped:
//!
//! | DynamoDB | Ion | example |
//! |---|---|---|
//! | S | string | `"Ann"` |
//! | N | decimal, never int or float | `103.` `1.5` `6d2` |
//! | B | blob | `{{aGVsbG8=}}` |
//! | BOOL | bool | `true` |
//! | NULL | null | `null` |
//! | L | list | `["a",1.]` |
//! | M | struct | `{name:"Ann"}` |
//! | SS, NS, BS | annotated list | `$dynamodb_SS::["a","b"]` |
//!
//! The developer guide's table of types does not name `null`; it is what Ion has for it.
//!
//! ```
//! use keystar_item::{Item, Number, ion};
//!
//! let mut item = Item::new();
//! item.push("key", "i:");
//! item.push("price", Number::parse("6e2")?);
//!
//! let mut line = Vec::new();
//! ion::write_item(&item, &mut line);
//! assert_eq!(line, b"$ion_1_0 {Item:{key:\"i:\",price:6d2}}\n");
//! assert_eq!(ion::parse_item(&line)?, item);
//! # Ok::<(), keystar_item::Error>(())
//! ```

mod reader;
mod scanner;
mod writer;

pub use reader::parse_item;
pub use scanner::Items;
pub use writer::write_item;

/// Most levels of lists and structs that the reader follows; see
/// [`json::MAX_DEPTH`](crate::json::MAX_DEPTH).
pub const MAX_DEPTH: usize = crate::json::MAX_DEPTH;

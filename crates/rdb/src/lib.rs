#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod array;
mod blob;
mod context;
mod encoding;
mod error;
mod event;
mod filter;
mod frame;
mod glob;
mod json;
mod module;
mod options;
mod record;
mod stream;

pub use array::{Array, Slot};
pub use blob::Blob;
pub use context::Context;
pub use encoding::{Encoding, Family};
pub use error::{Error, ErrorKind};
pub use event::{Checksum, Element, Event, Step, Trailing, Warning};
pub use filter::{Expiry, Filter};
pub use frame::{Frame, Head};
pub use json::Json;
pub use module::{Module, ModuleId, ModuleToken};
pub use options::{Level, Options};
pub use record::{Db, Field, Kind, ParseKindError, Record, Scored, UnixMillis, Usage, Value};
pub use stream::{
    Consumer, Group, Idempotency, ParseStreamIdError, Pending, Producer, Stream, StreamEntry,
    StreamId,
};

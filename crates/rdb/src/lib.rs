#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod array;
mod blob;
mod cbor;
mod context;
mod crc64;
mod cursor;
mod decode;
mod dump;
mod elements;
mod encoding;
mod error;
mod event;
mod fields;
mod filter;
mod frame;
mod glob;
mod json;
mod lzf;
mod module;
mod options;
mod packed;
mod parser;
mod part;
mod read;
mod record;
mod resume;
mod score;
mod sniff;
mod stream;
mod walker;

pub use array::{Array, Slot};
pub use blob::Blob;
pub use context::Context;
pub use dump::{decode_dump, decode_dump_unverified};
pub use encoding::{Encoding, Family};
pub use error::{Error, ErrorKind};
pub use event::{Checksum, Element, Event, Step, Trailing, Warning};
pub use filter::{Expiry, Filter};
pub use frame::{Frame, Head};
pub use json::Json;
pub use module::{Module, ModuleId, ModuleToken};
pub use options::{Level, Options};
pub use parser::Parser;
pub use part::{Part, Parts};
pub use read::{Reader, Records};
pub use record::{Db, Field, Kind, ParseKindError, Record, Scored, UnixMillis, Usage, Value};
pub use resume::{ResumePoint, Stats};
pub use sniff::looks_like;
pub use stream::{
    Consumer, Group, Idempotency, ParseStreamIdError, Pending, Producer, Stream, StreamEntry,
    StreamId,
};

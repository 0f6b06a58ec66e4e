#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod decode;
mod document;
mod encode;
mod error;
mod line;
mod loss;
mod map;
mod mapping;
mod parts;
mod pattern;
mod reject;
#[cfg(any(feature = "redis", feature = "fred"))]
pub mod reply;
mod rule;
mod spec;
mod tail;
mod template;
mod text;
mod unmap;

pub use error::{Error, ErrorKind, SpecError};
pub use line::Lines;
pub use loss::{Loss, LossCount, LossKind, Losses};
pub use map::{Mapped, Offload};
pub use mapping::{FilterReason, Mapping, Route, RuleIndex};
pub use parts::PartState;
pub use reject::{Reject, RejectReason};
pub use spec::{
    AttributeSpec, Binary, Cast, DbStyle, Expired, FieldSpec, Layout, MappingSpec, NamesSpec,
    Numbers, Oversize, RuleSpec, StreamFields, StreamImages, TableSettings, TableSpec, TypeName,
    TypeStyle, Unmatched, json_schema,
};
pub use unmap::{Assembly, Fragment, Numbered, Piece, Pointer, Unmapped, same_record, same_value};

#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod calendar;
mod check;
mod column;
pub mod decimal;
mod decode;
mod dimension;
mod entity;
mod error;
mod fact;
pub mod infer;
mod lock;
mod model;
mod name;
mod path;
mod spec;
mod template;
mod text;
mod time;
mod types;
mod write;

pub use calendar::Calendar;
pub use column::{Column, Source};
pub use dimension::{Attribute, Dimension, History};
pub use entity::{Condition, Drift, Entity, Matcher, Seen, Unnest, UnnestOver};
pub use error::{Fault, ModelError};
pub use fact::{ColumnRef, DimensionRole, Fact, Join, Measure, Operand, Resolve};
pub use lock::{Lock, LockError, LockedColumn};
pub use model::{Model, TableKey};
pub use name::{Name, NameError};
pub use path::{Path, PathError};
pub use spec::{
    CalendarSpec, ColumnSpec, DimensionSpec, EntitySpec, FactSpec, JoinSpec, ModelSpec, Named,
    OperandSpec, RoleSpec, SourceSpec, TableSpec,
};
pub use template::{Captures, KeyTemplate, Segment, TemplateError};
pub use types::{Field, TimeFormat, Type, TypeError};

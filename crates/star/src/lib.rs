#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod calendar;
mod column;
mod dimension;
mod entity;
mod fact;
mod model;
mod name;

pub use calendar::Calendar;
pub use column::{Column, Field, Path, Source, TimeFormat, Type};
pub use dimension::{Attribute, Dimension, History};
pub use entity::{Condition, Drift, Entity, KeyTemplate, Matcher, Segment, Unnest, UnnestOver};
pub use fact::{ColumnRef, DimensionRole, Fact, Join, Measure, Operand, Resolve};
pub use model::{Model, TableKey};
pub use name::{Name, NameError};

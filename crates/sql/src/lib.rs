#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod dialect;
mod error;
mod expr;
mod ident;
mod literal;
mod plan;
mod question;
mod script;
mod select;
mod statement;
mod table;
mod types;
mod writer;

pub use dialect::{DataFusion, Dialect, Form, PostgreSql, Redshift};
pub use error::Error;
pub use expr::{Aggregate, Comparison, DatePart, Expr, Operator, Order, Parameter, Window};
pub use ident::Ident;
pub use literal::Literal;
pub use plan::{Plan, Step, Test, Write};
pub use question::{Compare, Period, Question, year_on_year};
pub use select::{JoinClause, JoinKind, Relation, Select};
pub use statement::{CopySource, Right, Statement};
pub use table::{Schema, Table, TableColumn, TableName};
pub use types::SqlType;

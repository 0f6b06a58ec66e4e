//! What a table's items say about their model.
//!
//! A [`Profile`] looks at every item once and remembers, in bounded memory, what they have in
//! common. A [`Proposal`] is made of it: entities and the templates of their keys, typed columns,
//! what refers to what, and the star, each with its evidence.
//!
//! ```
//! use keystar_item::scan::Tape;
//! use keystar_star::infer::{Profile, Proposal, TableHint};
//!
//! let mut profile = Profile::new(TableHint::default());
//! let mut tape = Tape::new();
//! for name in ["ann", "bob", "cyd"] {
//!     let item = format!(
//!         r#"{{"PK":{{"S":"USER#{name}"}},"name":{{"S":"{name}"}},"born":{{"S":"1990-12-31"}}}}"#
//!     );
//!     profile.observe(tape.scan(item.as_bytes())?);
//! }
//! let toml = Proposal::from(&profile).to_toml();
//! assert!(toml.contains(r#"pk = "USER#{name}""#));
//! assert!(toml.contains(r#"born = "date(iso)""#));
//! # Ok::<(), keystar_item::Error>(())
//! ```

mod dependency;
mod digits;
mod group;
mod hints;
mod moments;
mod node;
mod page;
mod profile;
mod propose;
mod shape;
mod sketch;
mod toml;
mod values;
mod words;

pub use hints::{HintError, Hints};
pub use page::{ColumnProposal, EntityProposal, RelationProposal};
pub use profile::{Profile, TableHint};
pub use propose::Proposal;

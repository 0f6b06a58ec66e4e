//! The columns that no model names.

use keystar_star::{Entity, Model, Name, Type};

use crate::{Error, Expr, Ident, Literal, SqlType};

pub(super) const PK: &str = "_pk";
pub(super) const SK: &str = "_sk";
pub(super) const WRITTEN_AT: &str = "_written_at";
pub(super) const IS_INFERRED: &str = "is_inferred";
pub(super) const IS_DELETED: &str = "is_deleted";
pub(super) const VALID_FROM: &str = "valid_from";
pub(super) const VALID_TO: &str = "valid_to";
pub(super) const IS_CURRENT: &str = "is_current";

/// The surrogate key of the unknown member.
pub(super) const UNKNOWN: i64 = -1;

/// A name that stands in this crate's source.
pub(super) fn fixed(name: &'static str) -> Name {
    debug_assert!(Name::new(name).is_ok(), "{name}");
    Name::fold(name)
}

/// The surrogate key's column: `customer_key`.
pub(crate) fn key_of(name: &Name, place: &str) -> Result<Name, Error> {
    joined(&format!("{name}_key"), place)
}

/// A name that is made of names.
pub(crate) fn joined(text: &str, place: &str) -> Result<Name, Error> {
    Name::new(text).map_err(|_| Error::LongName { place: place.into(), name: text.into() })
}

/// 1900-01-01: every member's first version begins here.
pub(super) fn beginning() -> Expr {
    Expr::Literal(Literal::Timestamp(-25_567 * 86_400_000_000))
}

/// 9999-12-31: the current version ends here.
pub(super) fn end() -> Expr {
    Expr::Literal(Literal::Timestamp(2_932_896 * 86_400_000_000))
}

/// The day before the end: within the current version.
pub(super) fn now() -> Expr {
    Expr::Literal(Literal::Timestamp(2_932_895 * 86_400_000_000))
}

/// All columns of one side equal those of the other.
pub(super) fn equal<'n>(
    left: &Ident,
    right: &Ident,
    columns: impl IntoIterator<Item = &'n Name>,
) -> Expr {
    all(columns.into_iter().map(|name| Expr::of(left, name).equals(Expr::of(right, name))))
}

/// All conditions hold.
pub(super) fn all(conditions: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::And(conditions.into_iter().collect())
}

/// A value in an order that is the same in every database.
pub(super) fn ordered(value: Expr, ty: &SqlType) -> Expr {
    match ty {
        SqlType::Text { .. } | SqlType::Json => Expr::Bytewise(Box::new(value)),
        _ => value,
    }
}

/// An entity of the model.
pub(crate) fn entity<'m>(model: &'m Model, name: &Name, place: &str) -> Result<&'m Entity, Error> {
    model.entity(name).ok_or_else(|| {
        unknown(place, "entity", name, model.entities.iter().map(|entity| &entity.name))
    })
}

/// The type of an entity's column.
pub(crate) fn type_of<'m>(entity: &'m Entity, name: &Name, place: &str) -> Result<&'m Type, Error> {
    match entity.column(name) {
        Some(column) => Ok(&column.ty),
        None => {
            let place = format!("{place}, entity {}", entity.name);
            let known = entity.columns.iter().map(|column| &column.name);
            Err(unknown(&place, "column", name, known))
        }
    }
}

pub(crate) fn unknown<'n>(
    place: &str,
    kind: &'static str,
    name: &Name,
    known: impl IntoIterator<Item = &'n Name>,
) -> Error {
    let known: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "there are none".into() } else { known.join(", ") };
    Error::Unknown { place: place.into(), kind, name: name.to_string(), known }
}

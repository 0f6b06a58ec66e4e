use keystar_star::Type;

/// The type of a column in a warehouse.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SqlType {
    /// Text of at most so many bytes.
    Text {
        /// The most bytes; Redshift holds 65,535.
        max_bytes: u32,
    },
    /// A truth value.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// An exact decimal number. Always with its precision: Redshift's bare `DECIMAL` cuts the cents.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// A floating-point number of 64 bits.
    Double,
    /// A day.
    Date,
    /// A moment, microseconds UTC.
    Timestamp,
    /// Bytes, at most so many.
    Bytes {
        /// The most bytes.
        max_bytes: u32,
    },
    /// JSON as text. In Redshift too, since COPY makes a JSON *string* of it where a SUPER stands.
    Json,
    /// A list or a struct: SUPER in Redshift, JSONB in PostgreSQL, a nested type in DataFusion.
    Nested(Type),
}

impl From<&Type> for SqlType {
    fn from(ty: &Type) -> Self {
        match ty {
            Type::Bool => Self::Bool,
            Type::Int => Self::Int,
            Type::Decimal { precision, scale } => {
                Self::Decimal { precision: *precision, scale: *scale }
            }
            Type::Double => Self::Double,
            Type::Date(_) => Self::Date,
            Type::Timestamp(_) => Self::Timestamp,
            Type::Bytes { max_bytes } => Self::Bytes { max_bytes: *max_bytes },
            Type::Text { max_bytes } => Self::Text { max_bytes: *max_bytes },
            Type::Json => Self::Json,
            nested => Self::Nested(nested.clone()),
        }
    }
}

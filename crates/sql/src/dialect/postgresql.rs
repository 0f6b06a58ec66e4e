use crate::dialect::redshift::quoted;
use crate::{Dialect, Error, Form, Parameter, SqlType};

/// PostgreSQL, from version 12.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "a dialect has no settings")]
pub struct PostgreSql;

impl Dialect for PostgreSql {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn has(&self, form: Form) -> bool {
        !matches!(form, Form::BareLock | Form::CopyParquet)
    }

    fn type_name(&self, ty: &SqlType) -> Result<String, Error> {
        Ok(match ty {
            // It counts characters: whatever fits in so many bytes fits.
            SqlType::Text { max_bytes } if *max_bytes <= 10_485_760 => {
                format!("VARCHAR({})", (*max_bytes).max(1))
            }
            SqlType::Text { .. } | SqlType::Json => "TEXT".into(),
            SqlType::Bytes { .. } => "BYTEA".into(),
            SqlType::Nested(_) => "JSONB".into(),
            plain => self::plain(self, plain)?,
        })
    }

    fn cast(&self, value: &str, ty: &SqlType) -> Result<String, Error> {
        Ok(format!("CAST({value} AS {})", self.type_name(ty)?))
    }

    // With E, a backslash is an escape whatever `standard_conforming_strings` says.
    fn text(&self, text: &str) -> String {
        if text.contains('\\') {
            format!("E{}", quoted(&text.replace('\\', "\\\\")))
        } else {
            quoted(text)
        }
    }

    fn bytes(&self, hexadecimal: &str) -> String {
        format!("DECODE('{hexadecimal}', 'hex')")
    }

    fn timestamp(&self, text: &str) -> String {
        format!("TIMESTAMP '{text}'")
    }

    fn add_days(&self, date: &str, days: &str) -> String {
        format!("({date} + CAST({days} AS INTEGER))")
    }

    fn bytewise(&self, text: &str) -> String {
        format!("{text} COLLATE \"C\"")
    }

    fn numbers(&self, count: u32) -> String {
        let last = count.saturating_sub(1);
        format!(r#"(SELECT "s"."n" AS "n" FROM GENERATE_SERIES(0, {last}) AS "s" ("n"))"#)
    }

    fn parameter(&self, parameter: &Parameter) -> String {
        format!("${}", parameter.position)
    }
}

/// The types that Redshift and PostgreSQL name alike.
pub(super) fn plain(dialect: &dyn Dialect, ty: &SqlType) -> Result<String, Error> {
    Ok(match ty {
        SqlType::Bool => "BOOLEAN".into(),
        SqlType::Int => "BIGINT".into(),
        SqlType::Double => "DOUBLE PRECISION".into(),
        SqlType::Date => "DATE".into(),
        SqlType::Timestamp => "TIMESTAMP".into(),
        SqlType::Decimal { precision, scale }
            if (1..=38).contains(precision) && *scale <= 37 && scale <= precision =>
        {
            format!("DECIMAL({precision},{scale})")
        }
        SqlType::Decimal { precision, scale } => {
            return Err(Error::unsupported(
                dialect.name(),
                format!("DECIMAL({precision},{scale})"),
            ));
        }
        other => return Err(Error::unsupported(dialect.name(), format!("type {other:?}"))),
    })
}

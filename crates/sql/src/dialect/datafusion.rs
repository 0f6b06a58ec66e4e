use crate::dialect::postgresql;
use crate::dialect::redshift::quoted;
use crate::{Dialect, Error, Form, Parameter, SqlType};

/// Apache DataFusion, from version 50: queries, with the types that the lake's files have.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "a dialect has no settings")]
pub struct DataFusion;

/// Its own TIMESTAMP counts nanoseconds, and ends in 2262.
const TIMESTAMP: &str = r#"'Timestamp(Microsecond, Some("UTC"))'"#;

impl Dialect for DataFusion {
    fn name(&self) -> &'static str {
        "DataFusion"
    }

    fn has(&self, form: Form) -> bool {
        matches!(form, Form::NotDistinct)
    }

    fn type_name(&self, ty: &SqlType) -> Result<String, Error> {
        Ok(match ty {
            SqlType::Text { .. } | SqlType::Json => "VARCHAR".into(),
            SqlType::Bytes { .. } => "BYTEA".into(),
            // With the session's time zone, which is UTC unless somebody sets another.
            SqlType::Timestamp => "TIMESTAMP(6) WITH TIME ZONE".into(),
            SqlType::Nested(_) => {
                return Err(Error::unsupported(self.name(), "name for a nested type"));
            }
            plain => postgresql::plain(self, plain)?,
        })
    }

    fn cast(&self, value: &str, ty: &SqlType) -> Result<String, Error> {
        Ok(match ty {
            SqlType::Timestamp => format!("arrow_cast({value}, {TIMESTAMP})"),
            // Its VARCHAR is a view, which is not what the files have.
            SqlType::Text { .. } | SqlType::Json => format!("arrow_cast({value}, 'Utf8')"),
            // A nested NULL takes its type from where it goes; nothing else is cast to one.
            SqlType::Nested(_) if value == "NULL" => value.into(),
            _ => format!("CAST({value} AS {})", self.type_name(ty)?),
        })
    }

    fn text(&self, text: &str) -> String {
        quoted(text)
    }

    fn bytes(&self, hexadecimal: &str) -> String {
        format!("X'{hexadecimal}'")
    }

    fn timestamp(&self, text: &str) -> String {
        format!("arrow_cast('{}Z', {TIMESTAMP})", text.replace(' ', "T"))
    }

    // Its own sum of a date and a number overflows on a whole column of them.
    fn add_days(&self, date: &str, days: &str) -> String {
        format!("CAST(CAST(CAST({date} AS INTEGER) + {days} AS INTEGER) AS DATE)")
    }

    fn bytewise(&self, text: &str) -> String {
        text.into()
    }

    fn numbers(&self, count: u32) -> String {
        let last = count.saturating_sub(1);
        format!(r#"(SELECT "value" AS "n" FROM generate_series(0, {last}))"#)
    }

    fn parameter(&self, parameter: &Parameter) -> String {
        format!("${}", parameter.name)
    }
}

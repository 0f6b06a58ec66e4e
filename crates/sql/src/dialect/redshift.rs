use crate::dialect::postgresql;
use crate::{Dialect, Error, Form, Parameter, SqlType};

/// Amazon Redshift. Distribution, sort keys and encodings are left to it (AUTO).
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "a dialect has no settings")]
pub struct Redshift;

/// VARCHAR and VARBYTE hold no more.
const MOST_BYTES: u32 = 65_535;

impl Dialect for Redshift {
    fn name(&self) -> &'static str {
        "Redshift"
    }

    fn has(&self, form: Form) -> bool {
        !matches!(form, Form::NotDistinct | Form::AlterAnyType)
    }

    fn type_name(&self, ty: &SqlType) -> Result<String, Error> {
        Ok(match ty {
            SqlType::Text { max_bytes } => format!("VARCHAR({})", size(*max_bytes, "VARCHAR")?),
            SqlType::Bytes { max_bytes } => format!("VARBYTE({})", size(*max_bytes, "VARBYTE")?),
            SqlType::Json => format!("VARCHAR({MOST_BYTES})"),
            SqlType::Nested(_) => "SUPER".into(),
            plain => postgresql::plain(self, plain)?,
        })
    }

    fn cast(&self, value: &str, ty: &SqlType) -> Result<String, Error> {
        Ok(format!("CAST({value} AS {})", self.type_name(ty)?))
    }

    // A backslash begins an escape in some of its settings and none in others: it is written as
    // its number, which means the same in all.
    fn text(&self, text: &str) -> String {
        if !text.contains('\\') {
            return quoted(text);
        }
        let parts: Vec<String> = text.split('\\').map(quoted).collect();
        format!("({})", parts.join(" || CHR(92) || "))
    }

    fn bytes(&self, hexadecimal: &str) -> String {
        format!("FROM_HEX('{hexadecimal}')")
    }

    fn timestamp(&self, text: &str) -> String {
        format!("TIMESTAMP '{text}'")
    }

    fn add_days(&self, date: &str, days: &str) -> String {
        format!("CAST(DATEADD(DAY, {days}, {date}) AS DATE)")
    }

    // Its only collation, unless a column was made case insensitive, which we never do.
    fn bytewise(&self, text: &str) -> String {
        text.into()
    }

    // Its GENERATE_SERIES runs on the leader alone and cannot be joined with tables: the numbers are
    // counted out of digits.
    fn numbers(&self, count: u32) -> String {
        let last = u64::from(count.saturating_sub(1));
        let (mut terms, mut places) = (Vec::new(), Vec::new());
        let mut power = 1_u64;
        while power <= last || power == 1 {
            let place = format!("\"d{}\"", places.len());
            // Of the highest place only the digits that are needed.
            let most = (last / power).min(9);
            let digits: Vec<_> = (0..=most).map(|n| format!("SELECT {n} AS \"n\"")).collect();
            terms.push(format!("{place}.\"n\" * {power}"));
            places.push(format!("({}) AS {place}", digits.join(" UNION ALL ")));
            power *= 10;
        }
        let (sum, places) = (terms.join(" + "), places.join(" CROSS JOIN "));
        let all = format!("SELECT {sum} AS \"n\" FROM {places}");
        format!("(SELECT \"n\" FROM ({all}) AS \"counted\" WHERE \"n\" <= {last})")
    }

    fn parameter(&self, parameter: &Parameter) -> String {
        format!(":{}", parameter.name)
    }
}

fn size(bytes: u32, ty: &str) -> Result<u32, Error> {
    if (1..=MOST_BYTES).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(Error::unsupported("Redshift", format!("{ty} of {bytes} bytes, at most 65,535")))
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

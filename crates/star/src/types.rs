//! The types of columns, and their text: `decimal(10,2)`, `list<text(20)>`.

use std::fmt;
use std::str::FromStr;

use crate::decimal::MAX_PRECISION;
use crate::text::{Quoted, is_plain, nearest, unescape};
use crate::{Name, time};

/// The type of a column, in the lake and in the warehouse.
///
/// As text: `text(64)`, `bool`, `int`, `decimal(10,2)`, `double`, `date(iso)`,
/// `timestamp(epoch-millis)`, `timestamp('%d/%m/%Y %H:%M')`, `bytes(1000)`, `json`,
/// `list<text(20)>`, `struct<city: text(50), post_code="postal.code": text(16)>`. Lengths are
/// bytes, `date` and `timestamp` alone are ISO.
///
/// ```
/// use keystar_star::Type;
///
/// let ty: Type = "list<decimal(10, 2)>".parse()?;
/// assert_eq!(ty.to_string(), "list<decimal(10,2)>");
///
/// let error = "decimal".parse::<Type>().unwrap_err();
/// assert_eq!(error.to_string(), "decimal has no precision and scale");
/// assert!(error.hint().starts_with("write decimal(18,2)"));
/// # Ok::<(), keystar_star::TypeError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Type {
    /// UTF-8 text of at most so many bytes.
    Text {
        /// The most bytes: Redshift counts bytes, at most 65,535.
        max_bytes: u32,
    },
    /// A truth value.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// An exact decimal number.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision` and at most 37.
        scale: u8,
    },
    /// A floating-point number: for measurements whose range no decimal holds.
    Double,
    /// A day.
    Date(TimeFormat),
    /// A moment, microseconds UTC.
    Timestamp(TimeFormat),
    /// Bytes, at most so many.
    Bytes {
        /// The most bytes.
        max_bytes: u32,
    },
    /// Any value, as plain JSON text (not DynamoDB JSON).
    Json,
    /// A list or a set of one type.
    List(Box<Type>),
    /// A map with known fields.
    Struct(Vec<Field>),
}

/// A field of a [`Type::Struct`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// Its name in the lake.
    pub name: Name,
    /// The attribute in the map.
    pub attribute: Box<str>,
    /// Its type.
    pub ty: Type,
}

impl Field {
    /// A field.
    #[must_use]
    pub fn new(name: Name, attribute: &str, ty: Type) -> Self {
        Self { name, attribute: attribute.into(), ty }
    }
}

/// How a date or a timestamp is written in an item.
///
/// ```
/// use keystar_star::TimeFormat;
///
/// assert_eq!(TimeFormat::Iso.timestamp("1970-01-01T00:00:01.5Z"), Some(1_500_000));
/// assert_eq!(TimeFormat::Iso.timestamp("1970-01-01T01:00:00+01:00"), Some(0));
/// assert_eq!(TimeFormat::Iso.date("1970-01-02"), Some(1));
/// assert_eq!(TimeFormat::Iso.date("2021-02-30"), None);
/// assert_eq!(TimeFormat::Pattern("%d/%m/%Y".into()).date("02/01/1970"), Some(1));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimeFormat {
    /// ISO 8601: `2021-04-01`, `2021-04-01T10:20:30.123456Z`, with an offset or without (UTC).
    Iso,
    /// Whole seconds since 1970, as N or S.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMillis,
    /// Whole microseconds since 1970.
    EpochMicros,
    /// A pattern in the manner of strftime: `%d/%m/%Y`. Numbers have all their digits; after `%-`
    /// they need not. There are `%Y %y %m %d %e %j %H %I %M %S %f %p %z %s %b %B %a %A`, of them
    /// made `%F %T %R %D`, and `%%`; `%f` is a fraction of a second, names are English.
    Pattern(Box<str>),
}

impl Type {
    /// The most bytes of a text: Redshift's `VARCHAR` holds no more.
    pub const MAX_TEXT_BYTES: u32 = 65_535;
    /// The most bytes of bytes: as many as an item of DynamoDB.
    pub const MAX_BYTES: u32 = 409_600;
    /// The most digits of a decimal after the point.
    pub const MAX_SCALE: u8 = 37;
    /// How deep lists and structs may nest: DynamoDB nests no deeper.
    pub const MAX_DEPTH: usize = 32;

    /// Whether it is a number that can be summed.
    #[must_use]
    pub const fn is_numeric(&self) -> bool {
        matches!(self, Self::Int | Self::Decimal { .. } | Self::Double)
    }

    /// Whether it is a date or a timestamp.
    #[must_use]
    pub const fn is_time(&self) -> bool {
        matches!(self, Self::Date(_) | Self::Timestamp(_))
    }

    /// Whether values of this type are equal or not beyond doubt, so that rows can be told apart
    /// and joined by them: no floating point, nothing nested.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        !matches!(self, Self::Double | Self::Json | Self::List(_) | Self::Struct(_))
    }

    /// Whether every value of this type is one of the other too, unchanged: the other is the same,
    /// or longer, or a decimal with at least as many digits on either side of the point.
    ///
    /// How an item writes a date or a timestamp makes no difference.
    #[must_use]
    pub fn fits(&self, wider: &Self) -> bool {
        /// Digits of the largest whole number of 64 bits.
        const INT_DIGITS: u8 = 19;
        let whole = |precision: u8, scale: u8| precision.saturating_sub(scale);
        match (self, wider) {
            (Self::Text { max_bytes }, Self::Text { max_bytes: most })
            | (Self::Bytes { max_bytes }, Self::Bytes { max_bytes: most }) => max_bytes <= most,
            (Self::Int, Self::Decimal { precision, scale }) => {
                whole(*precision, *scale) >= INT_DIGITS
            }
            (
                Self::Decimal { precision, scale },
                Self::Decimal { precision: digits, scale: places },
            ) => scale <= places && whole(*precision, *scale) <= whole(*digits, *places),
            (Self::Date(_), Self::Date(_)) | (Self::Timestamp(_), Self::Timestamp(_)) => true,
            (Self::List(one), Self::List(other)) => one.fits(other),
            (Self::Struct(fields), Self::Struct(wider)) => {
                let fits = |(one, other): (&Field, &Field)| {
                    one.name == other.name && one.ty.fits(&other.ty)
                };
                fields.len() == wider.len() && fields.iter().zip(wider).all(fits)
            }
            (one, other) => one == other,
        }
    }

    /// Whether values of both types can be compared: texts, exact numbers, days, moments, each
    /// among themselves.
    #[must_use]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let exact = |ty: &Self| matches!(ty, Self::Int | Self::Decimal { .. });
        match (self, other) {
            (Self::Text { .. }, Self::Text { .. })
            | (Self::Bytes { .. }, Self::Bytes { .. })
            | (Self::Date(_), Self::Date(_))
            | (Self::Timestamp(_), Self::Timestamp(_))
            | (Self::Bool, Self::Bool) => true,
            (one, other) => exact(one) && exact(other),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { max_bytes } => write!(f, "text({max_bytes})"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Double => f.write_str("double"),
            Self::Date(format) => write!(f, "date({format})"),
            Self::Timestamp(format) => write!(f, "timestamp({format})"),
            Self::Bytes { max_bytes } => write!(f, "bytes({max_bytes})"),
            Self::Json => f.write_str("json"),
            Self::List(ty) => write!(f, "list<{ty}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{field}")?;
                }
                f.write_str(">")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if Name::fold(&self.attribute) != self.name {
            write!(f, "{}={}", self.name, Quoted(&self.attribute))?;
        } else if is_plain(&self.attribute) {
            f.write_str(&self.attribute)?;
        } else {
            write!(f, "{}", Quoted(&self.attribute))?;
        }
        write!(f, ": {}", self.ty)
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iso => f.write_str("iso"),
            Self::EpochSeconds => f.write_str("epoch-seconds"),
            Self::EpochMillis => f.write_str("epoch-millis"),
            Self::EpochMicros => f.write_str("epoch-micros"),
            Self::Pattern(pattern) => write!(f, "'{}'", pattern.replace('\'', "''")),
        }
    }
}

impl FromStr for Type {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let mut reader = Reader { rest: text };
        let ty = reader.ty(0)?;
        reader.space();
        if reader.rest.is_empty() {
            return Ok(ty);
        }
        Err(TypeError::new(format!("{:?} after the type {ty}", reader.rest), "leave it out"))
    }
}

/// Why a text is no [`Type`]: what is wrong, and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    message: String,
    hint: String,
}

impl TypeError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// The types, and how each is written.
const KNOWN: [(&str, &str); 11] = [
    ("text", "text(64)"),
    ("bool", "bool"),
    ("int", "int"),
    ("decimal", "decimal(18,2)"),
    ("double", "double"),
    ("date", "date(iso)"),
    ("timestamp", "timestamp(iso)"),
    ("bytes", "bytes(1000)"),
    ("json", "json"),
    ("list", "list<text(64)>"),
    ("struct", "struct<city: text(64)>"),
];

/// What others call them.
const FOREIGN: [(&str, &str); 18] = [
    ("string", "text(64)"),
    ("varchar", "text(64)"),
    ("char", "text(64)"),
    ("utf8", "text(64)"),
    ("s", "text(64)"),
    ("boolean", "bool"),
    ("integer", "int"),
    ("bigint", "int"),
    ("int64", "int"),
    ("n", "int, decimal(18,2) or double"),
    ("number", "int, decimal(18,2) or double"),
    ("numeric", "decimal(18,2)"),
    ("float", "double"),
    ("real", "double"),
    ("datetime", "timestamp(iso)"),
    ("binary", "bytes(1000)"),
    ("array", "list<text(64)>"),
    ("map", "struct<city: text(64)> or json"),
];

const FORMATS: [&str; 4] = ["iso", "epoch-seconds", "epoch-millis", "epoch-micros"];
const STRUCT: &str = "struct<city: text(64), post_code=\"postal.code\": text(16)>";

/// Reads a type from the front of a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, mark: char) -> bool {
        self.space();
        let after = self.rest.strip_prefix(mark);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, mark: char, what: &str, example: &str) -> Result<(), TypeError> {
        if self.take(mark) {
            return Ok(());
        }
        let found = match self.rest.chars().next() {
            Some(char) => format!("{char:?}"),
            None => "the end".into(),
        };
        let message = format!("{what} needs {mark:?}, not {found}");
        Err(TypeError::new(message, format!("write {example}")))
    }

    fn word(&mut self) -> String {
        self.space();
        let inside = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
        let end = self.rest.find(|char| !inside(char)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word.to_owned()
    }

    fn ty(&mut self, depth: usize) -> Result<Type, TypeError> {
        if depth >= Type::MAX_DEPTH {
            let message = "lists and structs nest deeper than DynamoDB does";
            return Err(TypeError::new(message, "write json for what lies below"));
        }
        let word = self.word();
        Ok(match &*word {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "double" => Type::Double,
            "json" => Type::Json,
            "text" => Type::Text { max_bytes: self.length(&word, Type::MAX_TEXT_BYTES)? },
            "bytes" => Type::Bytes { max_bytes: self.length(&word, Type::MAX_BYTES)? },
            "decimal" => self.decimal()?,
            "date" => Type::Date(self.format(&word)?),
            "timestamp" => Type::Timestamp(self.format(&word)?),
            "list" => {
                self.expect('<', "list", "list<text(64)>")?;
                let ty = self.ty(depth + 1)?;
                self.expect('>', "list", &format!("list<{ty}>"))?;
                Type::List(Box::new(ty))
            }
            "struct" => self.fields(depth)?,
            unknown => return Err(unknown_type(unknown)),
        })
    }

    fn length(&mut self, name: &str, most: u32) -> Result<u32, TypeError> {
        if !self.take('(') {
            return Err(TypeError::new(
                format!("{name} has no length"),
                format!("write {name}(64), the most bytes that a value may have"),
            ));
        }
        let length = self.word().parse().ok().filter(|length| (1..=most).contains(length));
        let length = length.ok_or_else(|| {
            let longer = if name == "text" { ", or json for longer values" } else { "" };
            TypeError::new(
                format!("the length of {name} is from 1 to {most} bytes"),
                format!("write {name}(64){longer}"),
            )
        })?;
        self.expect(')', name, &format!("{name}({length})"))?;
        Ok(length)
    }

    fn decimal(&mut self) -> Result<Type, TypeError> {
        const EXAMPLE: &str = "write decimal(18,2): 18 digits in all, 2 of them after the point";
        if !self.take('(') {
            return Err(TypeError::new(
                "decimal has no precision and scale",
                format!("{EXAMPLE}; a warehouse would take 18 and 0, and cut the cents off"),
            ));
        }
        let precision: Option<u8> = self.word().parse().ok();
        if !self.take(',') {
            return Err(TypeError::new("decimal has no scale", EXAMPLE));
        }
        let scale: Option<u8> = self.word().parse().ok();
        let (Some(precision @ 1..=MAX_PRECISION), Some(scale @ 0..=Type::MAX_SCALE)) =
            (precision, scale)
        else {
            let message = "a decimal has 1 to 38 digits, of them 0 to 37 after the point";
            return Err(TypeError::new(message, EXAMPLE));
        };
        if scale > precision {
            return Err(TypeError::new(
                format!("decimal({precision},{scale}) has more places than digits"),
                format!("write decimal({scale},{scale})"),
            ));
        }
        self.expect(')', "decimal", &format!("decimal({precision},{scale})"))?;
        Ok(Type::Decimal { precision, scale })
    }

    fn format(&mut self, name: &str) -> Result<TimeFormat, TypeError> {
        if !self.take('(') {
            return Ok(TimeFormat::Iso);
        }
        self.space();
        let format = if let Some(quoted) = self.rest.strip_prefix('\'') {
            let example = format!("a pattern is such as {name}('%d/%m/%Y')");
            let (pattern, rest) = unquote(quoted)
                .ok_or_else(|| TypeError::new("the pattern's quote is not closed", &*example))?;
            self.rest = rest;
            time::check_pattern(&pattern, name == "date")
                .map_err(|message| TypeError::new(message, example))?;
            TimeFormat::Pattern(pattern.into())
        } else {
            match &*self.word() {
                "iso" => TimeFormat::Iso,
                "epoch-seconds" => TimeFormat::EpochSeconds,
                "epoch-millis" => TimeFormat::EpochMillis,
                "epoch-micros" => TimeFormat::EpochMicros,
                other => {
                    let hint = match nearest(other, FORMATS) {
                        Some(known) => format!("did you mean {known}?"),
                        None => format!(
                            "write {}, or a pattern in quotes: {name}('%d/%m/%Y')",
                            FORMATS.join(", ")
                        ),
                    };
                    return Err(TypeError::new(
                        format!("{other:?} is no format of a {name}"),
                        hint,
                    ));
                }
            }
        };
        self.expect(')', name, &format!("{name}({format})"))?;
        Ok(format)
    }

    fn fields(&mut self, depth: usize) -> Result<Type, TypeError> {
        self.expect('<', "struct", STRUCT)?;
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let field = self.field(depth)?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(TypeError::new(
                    format!("two fields of the struct are called {}", field.name),
                    format!("write other_name={}: {}", Quoted(&field.attribute), field.ty),
                ));
            }
            fields.push(field);
            if !self.take(',') {
                break;
            }
        }
        self.expect('>', "struct", STRUCT)?;
        Ok(Type::Struct(fields))
    }

    fn field(&mut self, depth: usize) -> Result<Field, TypeError> {
        let mut attribute = self.attribute()?;
        let mut name = Name::fold(&attribute);
        if self.take('=') {
            name = Name::new(&attribute)
                .map_err(|error| TypeError::new(error.to_string(), format!("write {name}=…")))?;
            attribute = self.attribute()?;
        }
        self.expect(':', "a field", STRUCT)?;
        Ok(Field { name, attribute: attribute.into(), ty: self.ty(depth + 1)? })
    }

    /// A word, or anything in double quotes.
    fn attribute(&mut self) -> Result<String, TypeError> {
        let error = |message: &str| TypeError::new(message, format!("write {STRUCT}"));
        if !self.take('"') {
            let word = self.word();
            return match word.is_empty() {
                true => Err(error("a field of a struct has no name")),
                false => Ok(word),
            };
        }
        let (name, rest) =
            unescape(self.rest).ok_or_else(|| error("the quote of a field is not closed"))?;
        self.rest = rest;
        Ok(name)
    }
}

/// Text up to a quote; two quotes are one.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut unquoted = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('\'')?;
        unquoted.push_str(before);
        let Some(after) = after.strip_prefix('\'') else { return Some((unquoted, after)) };
        unquoted.push('\'');
        rest = after;
    }
}

fn unknown_type(word: &str) -> TypeError {
    let known = || KNOWN.iter().chain(&FOREIGN);
    let lower = word.to_ascii_lowercase();
    let example = |name: &str| known().find(|known| known.0 == name).map(|known| known.1);
    let near = || nearest(&lower, KNOWN.iter().map(|known| known.0)).and_then(example);
    let hint = match example(&lower).or_else(near) {
        Some(example) => format!("write {example}"),
        None => {
            let all: Vec<&str> = KNOWN.iter().map(|known| known.1).collect();
            format!("write one of {}", all.join(", "))
        }
    };
    match word.is_empty() {
        true => TypeError::new("a type is missing", hint),
        false => TypeError::new(format!("{word} is no type"), hint),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ty(text: &str) -> Type {
        text.parse().unwrap()
    }

    #[test]
    fn types_are_read_and_written() {
        for (text, written) in [
            ("text(65535)", "text(65535)"),
            (" decimal( 10 , 2 ) ", "decimal(10,2)"),
            ("decimal(38,37)", "decimal(38,37)"),
            ("date", "date(iso)"),
            ("timestamp(epoch-millis)", "timestamp(epoch-millis)"),
            ("timestamp('%d/%m/%Y %H:%M')", "timestamp('%d/%m/%Y %H:%M')"),
            ("date('''%y-%m-%d')", "date('''%y-%m-%d')"),
            ("list< list<int> >", "list<list<int>>"),
            (
                "struct<City:text(5),post_code=\"Postal.Code\":json,\"a b\":bool>",
                "struct<City: text(5), post_code=\"Postal.Code\": json, \"a b\": bool>",
            ),
        ] {
            assert_eq!(ty(text).to_string(), written);
            assert_eq!(ty(written), ty(text));
        }
        let field = Field::new(Name::fold("postcode"), "postCode", Type::Int);
        assert_eq!(ty("struct<postCode: int>"), Type::Struct(vec![field]));
    }

    #[test]
    fn what_is_no_type_is_explained() {
        let deep = format!("{}int{}", "list<".repeat(40), ">".repeat(40));
        let length = "the length of text is from 1 to 65535 bytes";
        for (text, message, hint) in [
            ("", "a type is missing", "write one of text(64), bool,"),
            ("decimal", "decimal has no precision and scale", "write decimal(18,2)"),
            ("decimal(18)", "decimal has no scale", "write decimal(18,2)"),
            ("decimal(39,2)", "a decimal has 1 to 38 digits", "write decimal(18,2)"),
            ("decimal(38,38)", "a decimal has 1 to 38 digits", "write decimal(18,2)"),
            ("decimal(2,4)", "decimal(2,4) has more places than digits", "write decimal(4,4)"),
            ("text", "text has no length", "write text(64), the most bytes"),
            ("text(0)", length, "write text(64), or json"),
            ("text(70000)", length, "write text(64), or json"),
            ("text(10", "text needs ')', not the end", "write text(10)"),
            ("texd(10)", "texd is no type", "write text(64)"),
            ("String", "String is no type", "write text(64)"),
            ("N", "N is no type", "write int, decimal(18,2) or double"),
            ("int int", "\"int\" after the type int", "leave it out"),
            (
                "timestamp(epoch-milis)",
                "\"epoch-milis\" is no format",
                "did you mean epoch-millis?",
            ),
            ("timestamp(unix)", "\"unix\" is no format", "write iso, epoch-seconds, "),
            ("date('%d.%m.%Y %H')", "the pattern tells a time", "a pattern is such as"),
            ("date('%d", "the pattern's quote is not closed", "a pattern is such as"),
            ("list<", "a type is missing", "write one of"),
            ("struct<>", "a field of a struct has no name", "write struct<"),
            ("struct<\"a: int>", "the quote of a field is not closed", "write struct<"),
            (
                "struct<a: int, A: int>",
                "two fields of the struct are called a",
                "write other_name=\"A\": int",
            ),
            (&deep, "lists and structs nest deeper", "write json"),
        ] {
            let error = text.parse::<Type>().unwrap_err();
            assert!(error.to_string().starts_with(message), "{text}: {error}");
            assert!(error.hint().starts_with(hint), "{text}: {}", error.hint());
        }
    }

    #[test]
    fn a_type_fits_a_wider_one() {
        for (narrow, wide, fits) in [
            ("text(10)", "text(20)", true),
            ("text(20)", "text(10)", false),
            ("int", "decimal(21,2)", true),
            ("int", "decimal(20,2)", false),
            ("decimal(10,2)", "decimal(12,4)", true),
            ("decimal(10,2)", "decimal(10,4)", false),
            ("decimal(10,2)", "decimal(12,1)", false),
            ("timestamp(iso)", "timestamp(epoch-millis)", true),
            ("date", "timestamp", false),
            ("int", "double", false),
            ("int", "text(20)", false),
            ("list<text(1)>", "list<text(2)>", true),
            ("struct<a: int>", "struct<a: decimal(19,0)>", true),
            ("struct<a: int>", "struct<b: int>", false),
            ("struct<a: int>", "struct<a: int, b: int>", false),
        ] {
            assert_eq!(ty(narrow).fits(&ty(wide)), fits, "{narrow} {wide}");
        }
    }

    fn any_type() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![
            (1..=Type::MAX_TEXT_BYTES).prop_map(|max_bytes| Type::Text { max_bytes }),
            (1..=Type::MAX_BYTES).prop_map(|max_bytes| Type::Bytes { max_bytes }),
            (1..=38_u8, 0..=37_u8).prop_map(|(precision, scale)| {
                Type::Decimal { precision, scale: scale.min(precision) }
            }),
            Just(Type::Date(TimeFormat::EpochSeconds)),
            Just(Type::Timestamp(TimeFormat::Pattern("%F 'at' %T".into()))),
            Just(Type::Json),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let field = (".{1,8}", "[a-z]{1,3}", any::<bool>(), inner.clone());
            prop_oneof![
                inner.prop_map(|ty| Type::List(Box::new(ty))),
                prop::collection::vec(field, 1..3).prop_map(|fields| {
                    let mut list: Vec<Field> = Vec::new();
                    for (attribute, name, folded, ty) in fields {
                        let name = if folded { &attribute } else { &name };
                        let field = Field::new(Name::fold(name), &attribute, ty);
                        if list.iter().all(|other| other.name != field.name) {
                            list.push(field);
                        }
                    }
                    Type::Struct(list)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_type_is_read_back(ty in any_type()) {
            prop_assert_eq!(ty.to_string().parse::<Type>(), Ok(ty.clone()));
            prop_assert!(ty.fits(&ty));
        }

        #[test]
        fn no_text_panics(text in "[a-z0-9<>(),:='\" %-]{0,40}") {
            let _ = text.parse::<Type>();
        }
    }
}

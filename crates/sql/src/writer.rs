//! Turns what is data into text. It quotes every identifier and every literal, and puts brackets
//! around whatever stands within an operator, so that no precedence has to be known.

use jiff::SignedDuration;
use jiff::civil::{Date, date};

use crate::{
    Aggregate, Comparison, CopySource, DatePart, Dialect, Error, Expr, Form, Ident, JoinKind,
    Literal, Operator, Order, Relation, Right, Select, SqlType, Statement, Table, TableName,
    Window,
};

impl Expr {
    /// The text of the expression.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a form that the dialect lacks, [`Error::Literal`] for a value
    /// that no literal can tell.
    pub fn to_sql(&self, dialect: &dyn Dialect) -> Result<String, Error> {
        Writer { dialect, depth: 0 }.expr(self)
    }
}

impl Select {
    /// The text of the query, in lines.
    ///
    /// # Errors
    ///
    /// Those of [`Expr::to_sql`].
    pub fn to_sql(&self, dialect: &dyn Dialect) -> Result<String, Error> {
        Writer { dialect, depth: 0 }.select(self)
    }
}

impl Statement {
    /// The text of the statement, without a semicolon.
    ///
    /// # Errors
    ///
    /// Those of [`Expr::to_sql`].
    pub fn to_sql(&self, dialect: &dyn Dialect) -> Result<String, Error> {
        Writer { dialect, depth: 0 }.statement(self)
    }
}

#[derive(Clone, Copy)]
struct Writer<'d> {
    dialect: &'d dyn Dialect,
    depth: usize,
}

impl Writer<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    fn line(self) -> String {
        format!("\n{}", "  ".repeat(self.depth))
    }

    fn need(self, form: Form, what: &str) -> Result<(), Error> {
        if self.dialect.has(form) {
            return Ok(());
        }
        Err(Error::unsupported(self.dialect.name(), what))
    }

    fn statement(self, statement: &Statement) -> Result<String, Error> {
        Ok(match statement {
            Statement::CreateSchema(schema) => {
                format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema.as_str()))
            }
            Statement::CreateTable(table) => self.create_table(table)?,
            Statement::AddColumn { table, column } => {
                self.need(Form::Alter, "ALTER TABLE")?;
                let ty = self.dialect.type_name(&column.ty)?;
                let name = quoted(column.name.as_str());
                format!("ALTER TABLE {} ADD COLUMN {name} {ty}", table_name(table))
            }
            Statement::WidenColumn { table, column, ty } => {
                self.need(Form::Alter, "ALTER TABLE")?;
                if !matches!(ty, SqlType::Text { .. } | SqlType::Bytes { .. }) {
                    self.need(Form::AlterAnyType, "ALTER COLUMN to another type")?;
                }
                let ty = self.dialect.type_name(ty)?;
                let (table, column) = (table_name(table), ident(column));
                format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {ty}")
            }
            Statement::Comment { table, text } => {
                self.need(Form::Comment, "COMMENT")?;
                // No expression may stand there: a literal that needs one has no place.
                let text = self.literal(&Literal::Text(text.replace('\\', "/").into()))?;
                format!("COMMENT ON TABLE {} IS {text}", table_name(table))
            }
            Statement::Grant { right, schema, to } => {
                self.need(Form::Grant, "GRANT")?;
                let (schema, to) = (quoted(schema.as_str()), ident(to));
                match right {
                    Right::Usage => format!("GRANT USAGE ON SCHEMA {schema} TO {to}"),
                    Right::Read => format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {to}"),
                    Right::Write => format!(
                        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {to}"
                    ),
                }
            }
            Statement::CreateTemporary { name, select } => {
                self.need(Form::Temporary, "temporary tables")?;
                format!("CREATE TEMPORARY TABLE {} AS\n{}", ident(name), self.select(select)?)
            }
            Statement::DropTemporary(name) => {
                self.need(Form::Temporary, "temporary tables")?;
                format!("DROP TABLE {}", ident(name))
            }
            Statement::Insert { table, select } => {
                let columns: Vec<_> = select.columns.iter().map(|(_, name)| ident(name)).collect();
                let (table, columns) = (table_name(table), columns.join(", "));
                format!("INSERT INTO {table} ({columns})\n{}", self.select(select)?)
            }
            Statement::Delete { table, using, filter } => {
                self.need(Form::Change, "DELETE")?;
                let mut text = format!("DELETE FROM {}", table_name(table));
                if let Some((relation, alias)) = using {
                    text += &format!("\nUSING {}", self.relation(relation, alias)?);
                }
                self.filter(&mut text, "WHERE", filter.as_ref())?;
                text
            }
            Statement::Update { table, set, from, filter } => {
                self.need(Form::Change, "UPDATE")?;
                let set = set.iter().map(|(column, value)| {
                    Ok(format!("{} = {}", ident(column), self.expr(value)?))
                });
                let set = set.collect::<Result<Vec<_>, Error>>()?.join(",\n  ");
                let mut text = format!("UPDATE {}\nSET\n  {set}", table_name(table));
                if let Some((relation, alias)) = from {
                    text += &format!("\nFROM {}", self.relation(relation, alias)?);
                }
                self.filter(&mut text, "WHERE", filter.as_ref())?;
                text
            }
            Statement::Select(select) => self.select(select)?,
            Statement::Begin => {
                self.need(Form::Transaction, "transactions")?;
                "BEGIN".into()
            }
            Statement::Commit => {
                self.need(Form::Transaction, "transactions")?;
                "COMMIT".into()
            }
            Statement::Lock(tables) => {
                self.need(Form::Transaction, "LOCK")?;
                let tables: Vec<_> = tables.iter().map(table_name).collect();
                let tables = tables.join(", ");
                if self.dialect.has(Form::BareLock) {
                    format!("LOCK {tables}")
                } else {
                    format!("LOCK TABLE {tables} IN EXCLUSIVE MODE")
                }
            }
            Statement::Copy { table, columns, source, nested } => {
                self.need(Form::CopyParquet, "COPY from Parquet")?;
                self.copy(table, columns, source, *nested)?
            }
        })
    }

    fn create_table(self, table: &Table) -> Result<String, Error> {
        let constraints = self.dialect.has(Form::Constraint);
        let mut lines = Vec::new();
        for column in &table.columns {
            let ty = self.dialect.type_name(&column.ty)?;
            let null = if column.nullable || !constraints { "" } else { " NOT NULL" };
            lines.push(format!("{} {ty}{null}", quoted(column.name.as_str())));
        }
        if constraints && !table.primary_key.is_empty() {
            let key: Vec<_> = table.primary_key.iter().map(|name| quoted(name.as_str())).collect();
            lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let (name, lines) = (table_name(&table.name), lines.join(",\n  "));
        Ok(format!("CREATE TABLE IF NOT EXISTS {name} (\n  {lines}\n)"))
    }

    fn copy(
        self,
        table: &TableName,
        columns: &[Ident],
        source: &CopySource,
        nested: bool,
    ) -> Result<String, Error> {
        let columns: Vec<_> = columns.iter().map(ident).collect();
        let plain = |text: &str| {
            if text.contains(['\\', '\0']) {
                let reason = "a URL or a role of COPY has a backslash or a NUL";
                return Err(Error::Literal { reason });
            }
            Ok(self.dialect.text(text))
        };
        Ok(format!(
            "COPY {} ({})\nFROM {}\nIAM_ROLE {}\nFORMAT AS PARQUET{}{}",
            table_name(table),
            columns.join(", "),
            plain(&source.url)?,
            plain(&source.iam_role)?,
            if nested { " SERIALIZETOJSON" } else { "" },
            if source.manifest { "\nMANIFEST" } else { "" },
        ))
    }

    fn select(self, select: &Select) -> Result<String, Error> {
        let mut text = String::new();
        for (index, (name, query)) in select.with.iter().enumerate() {
            text += if index == 0 { "WITH " } else { ", " };
            text += &format!("{} AS {}", ident(name), self.nested(query)?);
            if index + 1 == select.with.len() {
                text += &self.line();
            }
        }
        text += if select.distinct { "SELECT DISTINCT" } else { "SELECT" };
        let deeper = self.deeper();
        for (index, (value, name)) in select.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            text += &format!("{comma}{}{} AS {}", deeper.line(), deeper.expr(value)?, ident(name));
        }
        if let Some((relation, alias)) = &select.from {
            text += &format!("{}FROM {}", self.line(), self.relation(relation, alias)?);
        }
        for join in &select.joins {
            let kind = match join.kind {
                JoinKind::Inner => "INNER JOIN",
                JoinKind::Left => "LEFT JOIN",
                JoinKind::Full => "FULL OUTER JOIN",
                JoinKind::Cross => "CROSS JOIN",
            };
            text +=
                &format!("{}{kind} {}", self.line(), self.relation(&join.relation, &join.alias)?);
            if let Some(on) = &join.on {
                text += &format!(" ON {}", deeper.top(on)?);
            }
        }
        self.filter(&mut text, "WHERE", select.filter.as_ref())?;
        if !select.group.is_empty() {
            text += &format!("{}GROUP BY {}", self.line(), self.list(&select.group)?);
        }
        self.filter(&mut text, "HAVING", select.having.as_ref())?;
        for other in &select.union_all {
            text += &format!("{0}UNION ALL{0}{1}", self.line(), self.select(other)?);
        }
        if !select.order.is_empty() {
            text += &format!("{}ORDER BY {}", self.line(), self.orders(&select.order)?);
        }
        Ok(text)
    }

    fn filter(self, text: &mut String, word: &str, on: Option<&Expr>) -> Result<(), Error> {
        if let Some(on) = on {
            *text += &format!("{}{word} {}", self.line(), self.deeper().top(on)?);
        }
        Ok(())
    }

    /// A query in brackets, on lines of its own.
    fn nested(self, select: &Select) -> Result<String, Error> {
        let deeper = self.deeper();
        Ok(format!("({}{}{})", deeper.line(), deeper.select(select)?, self.line()))
    }

    fn relation(self, relation: &Relation, alias: &Ident) -> Result<String, Error> {
        Ok(match relation {
            Relation::Table(name) => format!("{} AS {}", table_name(name), ident(alias)),
            Relation::Named(name) if name == alias => ident(name),
            Relation::Named(name) => format!("{} AS {}", ident(name), ident(alias)),
            Relation::Numbers(count) => {
                format!("{} AS {}", self.dialect.numbers(*count), ident(alias))
            }
            Relation::Query(query) => format!("{} AS {}", self.nested(query)?, ident(alias)),
        })
    }

    fn list(self, values: &[Expr]) -> Result<String, Error> {
        let values = values.iter().map(|value| self.expr(value));
        Ok(values.collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    fn orders(self, orders: &[Order]) -> Result<String, Error> {
        let orders = orders.iter().map(|order| {
            Ok(format!("{}{}", self.expr(&order.by)?, if order.descending { " DESC" } else { "" }))
        });
        Ok(orders.collect::<Result<Vec<_>, Error>>()?.join(", "))
    }

    /// A condition that nothing stands around: its ANDs take a line each and no brackets.
    fn top(self, value: &Expr) -> Result<String, Error> {
        match value {
            Expr::And(all) if !all.is_empty() => {
                let all = all.iter().map(|one| self.inner(one));
                let separator = format!("{}AND ", self.line());
                Ok(all.collect::<Result<Vec<_>, _>>()?.join(&separator))
            }
            other => self.expr(other),
        }
    }

    /// An operand: in brackets unless it is one thing.
    fn inner(self, value: &Expr) -> Result<String, Error> {
        let text = self.expr(value)?;
        let spelled_out = match value {
            Expr::Same(..) => !self.dialect.has(Form::NotDistinct),
            Expr::And(all) | Expr::Or(all) => all.len() < 2,
            Expr::Literal(Literal::Int(number)) => *number >= 0,
            Expr::Compare(..)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::Calculate(..)
            | Expr::Concat(_)
            | Expr::Bytewise(_) => false,
            _ => true,
        };
        // AND and OR bring their own.
        let brackets = !spelled_out && !matches!(value, Expr::And(_) | Expr::Or(_));
        Ok(if brackets { format!("({text})") } else { text })
    }

    fn expr(self, value: &Expr) -> Result<String, Error> {
        Ok(match value {
            Expr::Column { of: None, name } => ident(name),
            Expr::Column { of: Some(alias), name } => format!("{}.{}", ident(alias), ident(name)),
            Expr::Literal(literal) => self.literal(literal)?,
            Expr::Parameter(parameter) => self.dialect.parameter(parameter),
            Expr::Compare(left, comparison, right) => {
                let sign = match comparison {
                    Comparison::Equal => "=",
                    Comparison::NotEqual => "<>",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                };
                format!("{} {sign} {}", self.inner(left)?, self.inner(right)?)
            }
            Expr::Same(left, right) => {
                let (left, right) = (self.inner(left)?, self.inner(right)?);
                if self.dialect.has(Form::NotDistinct) {
                    format!("{left} IS NOT DISTINCT FROM {right}")
                } else {
                    format!(
                        "(({left} IS NOT NULL AND {right} IS NOT NULL AND {left} = {right}) \
                         OR ({left} IS NULL AND {right} IS NULL))"
                    )
                }
            }
            Expr::And(all) => self.all(all, " AND ", "TRUE")?,
            Expr::Or(any) => self.all(any, " OR ", "FALSE")?,
            Expr::Not(of) => match of.as_ref() {
                Expr::Same(left, right) if self.dialect.has(Form::NotDistinct) => {
                    format!("{} IS DISTINCT FROM {}", self.inner(left)?, self.inner(right)?)
                }
                Expr::Exists(select) => format!("NOT EXISTS {}", self.nested(select)?),
                other => format!("NOT {}", self.inner(other)?),
            },
            Expr::IsNull(of) => format!("{} IS NULL", self.inner(of)?),
            Expr::IsNotNull(of) => format!("{} IS NOT NULL", self.inner(of)?),
            Expr::Coalesce(values) => format!("COALESCE({})", self.list(values)?),
            Expr::Case { when, otherwise } => {
                let mut text = "CASE".to_owned();
                for (condition, value) in when {
                    let (condition, value) = (self.expr(condition)?, self.expr(value)?);
                    text += &format!(" WHEN {condition} THEN {value}");
                }
                format!("{text} ELSE {} END", self.expr(otherwise)?)
            }
            Expr::Cast(of, ty) => self.dialect.cast(&self.expr(of)?, ty)?,
            Expr::Calculate(left, operator, right) => {
                let sign = match operator {
                    Operator::Add => "+",
                    Operator::Subtract => "-",
                    Operator::Multiply => "*",
                    Operator::Divide => "/",
                    Operator::Remainder => "%",
                };
                format!("{} {sign} {}", self.inner(left)?, self.inner(right)?)
            }
            Expr::Concat(parts) => {
                let parts = parts.iter().map(|part| self.inner(part));
                parts.collect::<Result<Vec<_>, _>>()?.join(" || ")
            }
            Expr::Aggregate(function, of) => {
                let of = match of {
                    Some(of) => self.expr(of)?,
                    None => "*".into(),
                };
                match function {
                    Aggregate::Count => format!("COUNT({of})"),
                    Aggregate::CountDistinct => format!("COUNT(DISTINCT {of})"),
                    Aggregate::Sum => format!("SUM({of})"),
                    Aggregate::Min => format!("MIN({of})"),
                    Aggregate::Max => format!("MAX({of})"),
                }
            }
            Expr::RowNumber(window) => format!("ROW_NUMBER() OVER ({})", self.window(window)?),
            Expr::Lead(of, window) => {
                format!("LEAD({}) OVER ({})", self.expr(of)?, self.window(window)?)
            }
            Expr::Extract(part, of) => {
                let part = match part {
                    DatePart::Year => "YEAR",
                    DatePart::Quarter => "QUARTER",
                    DatePart::Month => "MONTH",
                    DatePart::Day => "DAY",
                    DatePart::DayOfWeek => "DOW",
                    DatePart::DayOfYear => "DOY",
                };
                format!("CAST(EXTRACT({part} FROM {}) AS BIGINT)", self.inner(of)?)
            }
            Expr::AddDays(date, days) => {
                self.dialect.add_days(&self.inner(date)?, &self.inner(days)?)
            }
            Expr::Bytewise(of) => self.dialect.bytewise(&self.inner(of)?),
            Expr::Exists(select) => format!("EXISTS {}", self.nested(select)?),
        })
    }

    fn all(self, all: &[Expr], word: &str, none: &str) -> Result<String, Error> {
        match all {
            [] => Ok(none.into()),
            [one] => self.inner(one),
            several => {
                let several = several.iter().map(|one| self.inner(one));
                Ok(format!("({})", several.collect::<Result<Vec<_>, _>>()?.join(word)))
            }
        }
    }

    fn window(self, window: &Window) -> Result<String, Error> {
        let mut parts = Vec::new();
        if !window.partition.is_empty() {
            parts.push(format!("PARTITION BY {}", self.list(&window.partition)?));
        }
        if !window.order.is_empty() {
            parts.push(format!("ORDER BY {}", self.orders(&window.order)?));
        }
        Ok(parts.join(" "))
    }

    fn literal(self, literal: &Literal) -> Result<String, Error> {
        let wrong = |reason| Error::Literal { reason };
        Ok(match literal {
            Literal::Null => "NULL".into(),
            Literal::Bool(true) => "TRUE".into(),
            Literal::Bool(false) => "FALSE".into(),
            // Its digits alone are no number of 64 bits.
            Literal::Int(i64::MIN) => self.dialect.cast("'-9223372036854775808'", &SqlType::Int)?,
            Literal::Int(number) => number.to_string(),
            Literal::Decimal { unscaled, scale } => {
                let digits = decimal(*unscaled, *scale)
                    .ok_or_else(|| wrong("a decimal has more than 38 digits"))?;
                let ty = SqlType::Decimal { precision: 38, scale: *scale };
                self.dialect.cast(&format!("'{digits}'"), &ty)?
            }
            Literal::Double(number) if number.is_finite() => {
                self.dialect.cast(&format!("'{number:e}'"), &SqlType::Double)?
            }
            Literal::Double(_) => return Err(wrong("a number is not finite")),
            Literal::Text(text) if text.contains('\0') => return Err(wrong("a text has a NUL")),
            Literal::Text(text) => self.dialect.text(text),
            Literal::Bytes(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                self.dialect.bytes(&digits)
            }
            Literal::Date(days) => {
                let date =
                    day(i64::from(*days)).ok_or_else(|| wrong("a date is not in 1 to 9999"))?;
                format!("DATE '{date}'")
            }
            Literal::Timestamp(micros) => {
                let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
                let date = day(days).ok_or_else(|| wrong("a timestamp is not in 1 to 9999"))?;
                let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                let seconds = seconds % 60;
                let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
                self.dialect
                    .timestamp(&format!("{date} {hours:02}:{minutes:02}:{seconds:02}{fraction}"))
            }
        })
    }
}

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

fn day(days: i64) -> Option<Date> {
    let date = date(1970, 1, 1).checked_add(SignedDuration::try_from_hours(days.checked_mul(24)?)?);
    date.ok().filter(|date| date.year() >= 1)
}

fn decimal(unscaled: i128, scale: u8) -> Option<String> {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    if digits.len() > 38 + usize::from(scale == 38) {
        return None;
    }
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(scale)?)?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

fn ident(ident: &Ident) -> String {
    quoted(ident.as_str())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn table_name(name: &TableName) -> String {
    format!("{}.{}", quoted(name.schema.as_str()), quoted(name.name.as_str()))
}

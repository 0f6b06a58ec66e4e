//! The order of the lake's columns, which never changes: columns are only appended.

use std::fmt::Write;

use toml::de::{DeTable, DeValue};

use crate::text::{Key, Quoted};
use crate::{Entity, Model, Name, Type};

/// Which columns each entity's files have, in which order.
///
/// `COPY` goes by position, so a column that was written once keeps its place: new ones are
/// appended, ones that the model no longer has stay, and are written as NULL.
///
/// ```
/// use keystar_star::{Lock, Model, Name};
///
/// let model = |columns: &str| Model::parse(&format!(r#"
///     table.partition_key = "PK"
///     entity.user.pk = "USER#{{name}}"
///     entity.user.columns = {{ name = "text(64)", {columns} }}
/// "#));
/// let lock = Lock::default().reconcile(&model("email = 'text(100)', age = 'int'")?)?;
/// let lock = lock.reconcile(&model("city = 'text(50)', email = 'text(200)'")?)?;
///
/// let columns = lock.columns(&Name::fold("user"));
/// let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
/// assert_eq!(names, ["name", "email", "age", "city"]);
/// assert_eq!(columns[1].ty.to_string(), "text(200)");
/// assert_eq!(Lock::parse(&lock.to_toml())?, lock);
///
/// let error = lock.reconcile(&model("age = 'text(3)'")?).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "user.age is int in the lake and text(3) in the model; write the new values to a column of \
///      another name, or build the lake anew",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lock {
    entities: Vec<(Name, Vec<LockedColumn>)>,
}

/// A column of a [`Lock`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LockedColumn {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
}

impl LockedColumn {
    /// A column.
    #[must_use]
    pub fn new(name: Name, ty: Type) -> Self {
        Self { name, ty }
    }
}

/// The version of the lock file's form.
const VERSION: i64 = 1;

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    ///
    /// [`LockError::Malformed`] with the line.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let root = DeTable::parse(text).map_err(|error| LockError::Malformed {
            line: line(text, error.span().map_or(0, |span| span.start)),
            message: error.message().into(),
        })?;
        let malformed = |offset: usize, message: String| LockError::Malformed {
            line: line(text, offset),
            message: message.into(),
        };
        let mut entities: Vec<(usize, Name, Vec<LockedColumn>)> = Vec::new();
        let version =
            root.get_ref().get("version").and_then(|version| version.get_ref().as_integer());
        if version.and_then(|version| version.as_str().parse().ok()) != Some(VERSION) {
            return Err(malformed(0, format!("version {VERSION} is expected")));
        }
        let tables = root.get_ref().get("entity").and_then(|entity| entity.get_ref().as_table());
        for (key, value) in tables.into_iter().flatten() {
            let name = Name::new(key.get_ref())
                .map_err(|error| malformed(key.span().start, error.to_string()))?;
            let columns = value.get_ref().as_table().and_then(|table| table.get("columns"));
            let columns = columns.and_then(|columns| columns.get_ref().as_array());
            let columns = columns
                .ok_or_else(|| malformed(key.span().start, format!("{name} has no columns")))?;
            let mut locked: Vec<LockedColumn> = Vec::new();
            for column in columns.iter() {
                let text = |setting: &str| {
                    let value = column.get_ref().get(setting).map(toml::Spanned::get_ref);
                    value.and_then(DeValue::as_str).ok_or_else(|| {
                        malformed(column.span().start, format!("a column has no {setting}"))
                    })
                };
                let fault = |message: String| malformed(column.span().start, message);
                let name = Name::new(text("name")?).map_err(|error| fault(error.to_string()))?;
                let ty = text("type")?.parse::<Type>().map_err(|error| fault(error.to_string()))?;
                if locked.iter().any(|other| other.name == name) {
                    return Err(fault(format!("the column {name} stands there twice")));
                }
                locked.push(LockedColumn { name, ty });
            }
            entities.push((key.span().start, name, locked));
        }
        entities.sort_by_key(|entity| entity.0);
        Ok(Self {
            entities: entities.into_iter().map(|(_, name, columns)| (name, columns)).collect(),
        })
    }

    /// The lock file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# The columns of the lake's files in their order. Keep this file with the model:\n\
             # columns are only ever appended, since COPY goes by position.\n\
             version = {VERSION}\n"
        );
        for (entity, columns) in &self.entities {
            // Writing to a string does not fail.
            let _ = writeln!(text, "\n[entity.{}]\ncolumns = [", Key(entity.as_str()));
            for column in columns {
                let ty = column.ty.to_string();
                let _ = writeln!(
                    text,
                    "  {{ name = {}, type = {} }},",
                    Quoted(column.name.as_str()),
                    Quoted(&ty)
                );
            }
            text.push_str("]\n");
        }
        text
    }

    /// The columns of an entity, in their order; none of one that is not known.
    #[must_use]
    pub fn columns(&self, entity: &Name) -> &[LockedColumn] {
        let found = self.entities.iter().find(|(name, _)| name == entity);
        found.map_or(&[], |(_, columns)| columns)
    }

    /// The entities, in the order in which they came.
    pub fn entities(&self) -> impl Iterator<Item = &Name> {
        self.entities.iter().map(|(name, _)| name)
    }

    /// The lock with all that a model has: new columns and entities at the end, wider types.
    /// What the model no longer has stays.
    ///
    /// # Errors
    ///
    /// [`LockError::Changed`] where a type became another that does not hold every value of the
    /// old one.
    pub fn reconcile(&self, model: &Model) -> Result<Self, LockError> {
        let mut lock = self.clone();
        for entity in &model.entities {
            for column in &entity.columns {
                lock.append(
                    &entity.name,
                    LockedColumn::new(column.name.clone(), column.ty.clone()),
                )?;
            }
        }
        Ok(lock)
    }

    /// Adds one column, such as one that an entity grew by [`Drift::Evolve`](crate::Drift::Evolve),
    /// or widens the one of that name.
    ///
    /// # Errors
    ///
    /// [`LockError::Changed`] as for [`reconcile`](Self::reconcile).
    pub fn append(&mut self, entity: &Name, column: LockedColumn) -> Result<(), LockError> {
        let place = self.entities.iter().position(|(name, _)| name == entity);
        let place = place.unwrap_or_else(|| {
            self.entities.push((entity.clone(), Vec::new()));
            self.entities.len() - 1
        });
        let Some((_, columns)) = self.entities.get_mut(place) else { return Ok(()) };
        let Some(locked) = columns.iter_mut().find(|locked| locked.name == column.name) else {
            columns.push(column);
            return Ok(());
        };
        if !locked.ty.fits(&column.ty) {
            return Err(LockError::Changed {
                entity: entity.clone(),
                narrower: column.ty.fits(&locked.ty),
                column: column.name,
                locked: locked.ty.clone(),
                found: column.ty,
            });
        }
        locked.ty = column.ty;
        Ok(())
    }

    /// The lock of one entity's columns that are not in the model, which are written as NULL.
    pub fn vanished<'l>(&'l self, entity: &'l Entity) -> impl Iterator<Item = &'l LockedColumn> {
        let columns = self.columns(&entity.name).iter();
        columns.filter(|column| entity.column(&column.name).is_none())
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// Why a lock and a model do not go together, or a text is no lock.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// A column has another type than its files.
    #[error(
        "{entity}.{column} is {locked} in the lake and {found} in the model; {}",
        if *narrower {
            format!("keep {locked}, since the lake may hold values that {found} does not")
        } else {
            "write the new values to a column of another name, or build the lake anew".into()
        }
    )]
    Changed {
        /// The entity.
        entity: Name,
        /// The column.
        column: Name,
        /// The type of the files that are there.
        locked: Type,
        /// The type in the model.
        found: Type,
        /// Whether the model's type is the same but holds less.
        narrower: bool,
    },
    /// The text is no lock.
    #[error("line {line}: {message}; take the lock file from the lake's last commit")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: Box<str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(columns: &str) -> Model {
        let text = format!(
            "table.partition_key = 'PK'\nentity.e.pk = '{{id}}'\n[entity.e.columns]\nid = 'int'\n{columns}"
        );
        Model::parse(&text).unwrap()
    }

    fn shown(lock: &Lock) -> Vec<String> {
        let columns = lock.columns(&Name::fold("e")).iter();
        columns.map(|column| format!("{} {}", column.name, column.ty)).collect()
    }

    #[test]
    fn columns_keep_their_places() {
        let first = model("b = 'text(5)'\na = 'decimal(5,1)'");
        let lock = Lock::default().reconcile(&first).unwrap();
        assert_eq!(shown(&lock), ["id int", "b text(5)", "a decimal(5,1)"]);
        assert_eq!(lock.reconcile(&first).unwrap(), lock);

        let second = model("c = 'bool'\na = 'decimal(7,2)'\nB = 'text(6)'");
        let wider = lock.reconcile(&second).unwrap();
        assert_eq!(shown(&wider), ["id int", "b text(6)", "a decimal(7,2)", "c bool"]);

        let third = model("c = 'bool'");
        let same = wider.reconcile(&third).unwrap();
        assert_eq!(same, wider);
        let vanished = same.vanished(&third.entities[0]);
        assert_eq!(vanished.map(|column| column.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn a_type_that_holds_less_is_refused() {
        let lock = Lock::default().reconcile(&model("a = 'text(5)'\nb = 'int'")).unwrap();
        for (columns, message) in [
            (
                "a = 'text(4)'",
                "e.a is text(5) in the lake and text(4) in the model; keep text(5), since the lake \
                 may hold values that text(4) does not",
            ),
            (
                "b = 'decimal(10,2)'",
                "e.b is int in the lake and decimal(10,2) in the model; write the new values to a \
                 column of another name, or build the lake anew",
            ),
            (
                "b = 'double'",
                "e.b is int in the lake and double in the model; write the new values to a column \
                 of another name, or build the lake anew",
            ),
        ] {
            assert_eq!(lock.reconcile(&model(columns)).unwrap_err().to_string(), message);
        }
        let grown = lock.reconcile(&model("b = 'decimal(21,2)'")).unwrap();
        assert_eq!(shown(&grown), ["id int", "a text(5)", "b decimal(21,2)"]);
    }

    #[test]
    fn a_lock_file_is_read_back() {
        let model =
            model("t = \"timestamp('%d \\\"of\\\" %m %Y')\"\ns = 'struct<\"a b\": list<int>>'");
        let mut lock = Lock::default().reconcile(&model).unwrap();
        lock.append(&Name::fold("a"), LockedColumn::new(Name::fold("new"), Type::Json)).unwrap();
        assert_eq!(Lock::parse(&lock.to_toml()), Ok(lock.clone()));
        assert_eq!(lock.entities().map(Name::as_str).collect::<Vec<_>>(), ["e", "a"]);
        assert!(lock.columns(&Name::fold("other")).is_empty());
    }

    #[test]
    fn what_is_no_lock_is_told_with_its_line() {
        for (text, message) in [
            ("", "line 1: version 1 is expected"),
            ("version = 2", "line 1: version 1 is expected"),
            ("version = 1\n[entity.a]", "line 2: a has no columns"),
            ("version = 1\n[entity.A]\ncolumns = []", "line 2: a name has lower-case letters"),
            ("version = 1\nentity.a.columns = [\n{ name = 'x' }]", "line 3: a column has no type"),
            (
                "version = 1\nentity.a.columns = [{ name = 'x', type = 'blob' }]",
                "line 2: blob is no type",
            ),
            (
                "version = 1\n[entity.a]\ncolumns = [{ name = 'x', type = 'int' },\n{ name = 'x', type = 'int' }]",
                "line 4: the column x stands there twice",
            ),
            ("version = ", "line 1: string values must be quoted"),
        ] {
            let error = Lock::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
            assert!(error.ends_with("take the lock file from the lake's last commit"), "{error}");
        }
    }
}

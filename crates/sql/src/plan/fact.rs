//! Facts: staging (business keys looked up), and the star's (surrogate keys).

use keystar_star::{
    ColumnRef, DimensionRole, Entity, Fact, History, Model, Name, Operand, Resolve, Type,
};

use super::column::{
    IS_CURRENT, UNKNOWN, VALID_FROM, VALID_TO, all, beginning, entity, fixed, joined, key_of, now,
    type_of, unknown,
};
use super::{Plan, Step, Write, dimension};
use crate::{
    Comparison, Error, Expr, Ident, Schema, Select, SqlType, Table, TableColumn, TableName,
};

/// A fact with what its tables are made of.
pub(super) struct Shape<'m> {
    pub(super) fact: &'m Fact,
    pub(super) entity: &'m Entity,
    joins: Vec<(&'m Name, &'m Entity)>,
    pub(super) roles: Vec<RoleShape<'m>>,
    /// The columns that staging hands on to the star: grain, degenerate ones, measures.
    carried: Vec<(Name, ColumnRef, SqlType)>,
}

/// A dimension as a fact uses it.
pub(super) struct RoleShape<'m> {
    pub(super) role: &'m DimensionRole,
    /// `<role>_key`.
    pub(super) surrogate: Name,
    /// Whether the dimension is the calendar.
    pub(super) is_date: bool,
    /// The columns of staging that hold the business key.
    pub(super) key: Vec<Name>,
    /// The column of staging that holds the moment whose version is wanted.
    as_of: Option<Name>,
}

impl<'m> Shape<'m> {
    pub(super) fn new(model: &'m Model, fact: &'m Fact) -> Result<Self, Error> {
        let place = format!("fact {}", fact.name);
        let own = entity(model, &fact.entity, &place)?;
        let mut joins = Vec::new();
        for join in &fact.joins {
            joins.push((&join.alias, entity(model, &join.entity, &place)?));
        }
        let mut shape = Self { fact, entity: own, joins, roles: Vec::new(), carried: Vec::new() };

        let own_columns = fact.grain.iter().map(|name| (name, name));
        let measures = fact.measures.iter().map(|measure| (&measure.name, &measure.column));
        let mut carried: Vec<(&Name, ColumnRef)> = own_columns
            .map(|(name, column)| (name, ColumnRef::new(None, column.clone())))
            .collect();
        carried.extend(fact.degenerate.iter().map(|(name, column)| (name, column.clone())));
        carried.extend(measures.map(|(name, column)| (name, ColumnRef::new(None, column.clone()))));
        for (name, column) in carried {
            // A grain that is also called degenerate is there once.
            if shape.carried.iter().any(|(there, of, _)| there == name && *of == column) {
                continue;
            }
            let ty = shape.type_of(&column)?.into();
            shape.carried.push((name.clone(), column, ty));
        }

        for (index, role) in fact.dimensions.iter().enumerate() {
            let place = format!("{place}, role {}", role.role);
            let is_date = model.calendar.as_ref().is_some_and(|it| it.name == role.dimension);
            let names: Vec<&Name> = match model.dimension(&role.dimension) {
                Some(dimension) if !is_date => dimension.key.iter().collect(),
                _ if is_date => role.key.iter().map(|column| &column.column).collect(),
                _ => {
                    let known = model.dimensions.iter().map(|dimension| &dimension.name);
                    let known = known.chain(model.calendar.as_ref().map(|it| &it.name));
                    return Err(unknown(&place, "dimension", &role.dimension, known));
                }
            };
            let mut key = Vec::new();
            for (part, name) in names.iter().enumerate().take(role.key.len()) {
                key.push(shape.staged(&format!("_{}_{name}", role.role), index, part)?);
            }
            let has_history = model.dimension(&role.dimension).is_some_and(|dimension| {
                dimension.attributes.iter().any(|it| it.history == History::Versions)
            });
            let as_of = match &role.resolve {
                Resolve::AsOf(_) if has_history && !is_date => {
                    Some(shape.staged(&format!("_{}_as_of", role.role), index, key.len())?)
                }
                _ => None,
            };
            let surrogate = key_of(&role.role, &place)?;
            shape.roles.push(RoleShape { role, surrogate, is_date, key, as_of });
        }
        Ok(shape)
    }

    /// A column of staging that the model does not name: telling if it can be, else short.
    fn staged(&self, telling: &str, role: usize, part: usize) -> Result<Name, Error> {
        let taken = |name: &Name| {
            let roles = self.roles.iter().flat_map(|role| role.key.iter().chain(&role.as_of));
            roles.chain(self.carried.iter().map(|(name, ..)| name)).any(|it| it == name)
        };
        match Name::new(telling) {
            Ok(name) if !taken(&name) => Ok(name),
            _ => joined(&format!("_{role}_{part}"), "a column of staging"),
        }
    }

    pub(super) fn table(&self, schema: Schema) -> TableName {
        TableName::new(schema, self.fact.name.clone())
    }

    /// The roles in which the fact refers to a dimension's members, but for those that are members
    /// because this very row describes them.
    pub(super) fn references<'s>(
        &'s self,
        of: &'s dimension::Shape<'_>,
    ) -> impl Iterator<Item = &'s RoleShape<'m>> {
        let own_rows = of.entity.name == self.entity.name;
        self.roles.iter().filter(move |shape| {
            let keys = shape.role.key.iter().zip(&of.dimension.key);
            let describes = own_rows
                && keys.into_iter().all(|(it, name)| it.join.is_none() && it.column == *name);
            !shape.is_date && shape.role.dimension == of.dimension.name && !describes
        })
    }

    fn type_of(&self, column: &ColumnRef) -> Result<&'m Type, Error> {
        let place = format!("fact {}", self.fact.name);
        match &column.join {
            None => type_of(self.entity, &column.column, &place),
            Some(alias) => match self.joins.iter().find(|(name, _)| *name == alias) {
                Some((_, entity)) => type_of(entity, &column.column, &place),
                None => {
                    let known = self.joins.iter().map(|(name, _)| *name);
                    Err(unknown(&place, "join", alias, known))
                }
            },
        }
    }

    /// One row for each row of the entity, with what the joins find. No row is lost, since all
    /// joins are left; none is doubled, since each finds at most one.
    pub(super) fn add_staging(&self, plan: &mut Plan) -> Result<(), Error> {
        let own = Ident::fixed("_row");
        let value = |column: &ColumnRef| match &column.join {
            None => Expr::of(&own, &column.column),
            Some(alias) => Expr::of(&alias.into(), &column.column),
        };
        let landing = |entity: &Name| TableName::new(Schema::Landing, entity.clone());
        let mut select = Select::from(landing(&self.entity.name), own.clone());
        for join in &self.fact.joins {
            let alias = Ident::from(&join.alias);
            if alias == own {
                let place = format!("fact {}: its joins", self.fact.name);
                return Err(Error::Collision { place, name: alias.to_string() });
            }
            let on = join.on.iter().map(|(name, operand)| {
                let other = match operand {
                    Operand::Column(column) => value(column),
                    Operand::Text(text) => Expr::text(text),
                    Operand::Int(number) => Expr::int(*number),
                    other => return Err(unread(other)),
                };
                Ok(Expr::of(&alias, name).equals(other))
            });
            let on = all(on.collect::<Result<Vec<_>, _>>()?);
            select = select.left_join(landing(&join.entity), alias.clone(), on);
        }

        let mut columns = Vec::new();
        for (name, column, ty) in &self.carried {
            select = select.column(value(column), name);
            columns.push(TableColumn::new(name.clone(), ty.clone()));
        }
        for shape in &self.roles {
            for (column, name) in shape.role.key.iter().zip(&shape.key) {
                let ty = SqlType::from(self.type_of(column)?);
                let (value, ty) = if shape.is_date && ty != SqlType::Date {
                    (value(column).cast(SqlType::Date), SqlType::Date)
                } else {
                    (value(column), ty)
                };
                select = select.column(value, name);
                columns.push(TableColumn::new(name.clone(), ty));
            }
            if let (Some(name), Resolve::AsOf(column)) = (&shape.as_of, &shape.role.resolve) {
                let moment = match self.type_of(column)? {
                    Type::Timestamp(_) => value(column),
                    _ => value(column).cast(SqlType::Timestamp),
                };
                // Without a moment the current version; before and after all versions the nearest.
                let before = moment.clone().compare(Comparison::Less, beginning());
                let late = moment.clone().compare(Comparison::Greater, now());
                let moment = Expr::Case {
                    when: vec![
                        (moment.clone().is_null(), now()),
                        (late, now()),
                        (before, beginning()),
                    ],
                    otherwise: Box::new(moment),
                };
                select = select.column(moment, name);
                columns.push(TableColumn::new(name.clone(), SqlType::Timestamp));
            }
        }

        let target = self.table(Schema::Staging);
        let comment = format!("{}: business keys looked up, one row a fact", self.fact.name);
        plan.tables.push(Table::new(target.clone(), comment, columns));
        plan.steps.push(Step {
            name: format!("{target}: business keys looked up"),
            target,
            write: Write::Replace,
            select,
        });
        Ok(())
    }

    /// The same rows with surrogate keys.
    pub(super) fn add_dwh(&self, model: &Model, plan: &mut Plan) -> Result<(), Error> {
        let own = Ident::fixed("_row");
        let mut select = Select::from(self.table(Schema::Staging), own.clone());
        let mut columns = Vec::new();
        for shape in &self.roles {
            let alias = Ident::from(&shape.role.role);
            if alias == own {
                let place = format!("fact {}: its roles", self.fact.name);
                return Err(Error::Collision { place, name: alias.to_string() });
            }
            let place = format!("fact {}, role {}", self.fact.name, shape.role.role);
            let surrogate = key_of(&shape.role.dimension, &place)?;
            let staged = |index: usize| shape.key.get(index).map(|name| Expr::of(&own, name));
            let (table, on) = match model.dimension(&shape.role.dimension) {
                Some(dimension) if !shape.is_date => {
                    let names = dimension.key.iter().enumerate();
                    let equal = names.filter_map(|(index, name)| {
                        Some(Expr::of(&alias, name).equals(staged(index)?))
                    });
                    let on = all(equal);
                    let schema = if dimension.has_history() { Schema::Dwh } else { Schema::Keys };
                    let on = match &shape.as_of {
                        _ if !dimension.has_history() => on,
                        None => on.and(Expr::of(&alias, fixed(IS_CURRENT))),
                        Some(moment) => {
                            let moment = Expr::of(&own, moment);
                            let from = Expr::of(&alias, fixed(VALID_FROM));
                            let to = Expr::of(&alias, fixed(VALID_TO));
                            on.and(moment.clone().compare(Comparison::GreaterOrEqual, from))
                                .and(moment.compare(Comparison::Less, to))
                        }
                    };
                    (TableName::new(schema, dimension.name.clone()), on)
                }
                _ => {
                    let date = Expr::of(&alias, fixed("date"));
                    let on = all(staged(0).map(|value| date.equals(value)));
                    (TableName::new(Schema::Dwh, shape.role.dimension.clone()), on)
                }
            };
            let value = Expr::of(&alias, &surrogate).or_else(Expr::int(UNKNOWN));
            select = select.left_join(table, alias, on).column(value, &shape.surrogate);
            columns.push(TableColumn::new(shape.surrogate.clone(), SqlType::Int).required());
        }
        for (name, _, ty) in &self.carried {
            select = select.column(Expr::of(&own, name), name);
            let column = TableColumn::new(name.clone(), ty.clone());
            let in_grain = self.fact.grain.contains(name);
            columns.push(if in_grain { column.required() } else { column });
        }

        let target = self.table(Schema::Dwh);
        let grain: Vec<_> = self.fact.grain.iter().map(Name::as_str).collect();
        let comment = format!("{}: one row for each {}", self.fact.name, grain.join(", "));
        let table =
            Table::new(target.clone(), comment, columns).with_primary_key(self.fact.grain.clone());
        plan.tables.push(table);
        plan.steps.push(Step {
            name: format!("{target}: facts"),
            target,
            write: Write::Replace,
            select,
        });
        Ok(())
    }
}

fn unread(operand: &Operand) -> Error {
    Error::Unsupported { dialect: "the plan", form: format!("operand {operand:?}") }
}

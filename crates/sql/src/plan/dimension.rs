//! Dimensions: staging (one row a member), keys, and the members with their versions.

use keystar_star::{Dimension, Entity, History, Model, Name};

use super::column::{
    IS_CURRENT, IS_DELETED, IS_INFERRED, PK, SK, UNKNOWN, VALID_FROM, VALID_TO, WRITTEN_AT, all,
    beginning, end, entity, equal, fixed, key_of, ordered, type_of,
};
use super::{Plan, Step, Write, fact};
use crate::{
    Aggregate, Comparison, Error, Expr, Ident, Relation, Schema, Select, SqlType, Table,
    TableColumn, TableName, Window,
};

/// A dimension with what its tables are made of.
pub(super) struct Shape<'m> {
    pub(super) dimension: &'m Dimension,
    pub(super) entity: &'m Entity,
    /// `customer_key`.
    pub(super) surrogate: Name,
    /// The business key, with types.
    pub(super) key: Vec<(&'m Name, SqlType)>,
    /// The attributes that are no part of the business key.
    pub(super) attributes: Vec<(&'m Name, SqlType, History)>,
}

impl<'m> Shape<'m> {
    pub(super) fn new(model: &'m Model, dimension: &'m Dimension) -> Result<Self, Error> {
        let place = format!("dimension {}", dimension.name);
        let entity = entity(model, &dimension.entity, &place)?;
        let mut key: Vec<(&Name, SqlType)> = Vec::new();
        for name in &dimension.key {
            key.push((name, type_of(entity, name, &place)?.into()));
        }
        let mut attributes = Vec::new();
        for attribute in &dimension.attributes {
            let ty = type_of(entity, &attribute.column, &place)?.into();
            if !dimension.key.contains(&attribute.column) {
                attributes.push((&attribute.column, ty, attribute.history));
            }
        }
        let surrogate = key_of(&dimension.name, &place)?;
        Ok(Self { dimension, entity, surrogate, key, attributes })
    }

    pub(super) fn has_history(&self) -> bool {
        self.attributes.iter().any(|(_, _, history)| *history == History::Versions)
    }

    pub(super) fn table(&self, schema: Schema) -> TableName {
        TableName::new(schema, self.dimension.name.clone())
    }

    pub(super) fn key_names(&self) -> impl Iterator<Item = &'m Name> {
        self.key.iter().map(|(name, _)| *name)
    }

    /// One row a member: its newest.
    pub(super) fn add_staging(&self, plan: &mut Plan) {
        let written_at = fixed(WRITTEN_AT);
        let key = self.key.iter().map(|(name, ty)| (*name, ty));
        let attributes = self.attributes.iter().map(|(name, ty, _)| (*name, ty));
        let mut columns: Vec<_> = key
            .chain(attributes)
            .map(|(name, ty)| TableColumn::new(name.clone(), ty.clone()))
            .collect();
        columns.push(TableColumn::new(written_at.clone(), SqlType::Timestamp));

        let row = Ident::fixed("row");
        let landing = TableName::new(Schema::Landing, self.entity.name.clone());
        let present = self.key_names().map(|name| Expr::of(&row, name).is_not_null());
        let rows = Select::from(&landing, row.clone()).filter(all(present));
        let names: Vec<_> = self.key_names().collect();
        let select = if self.entity.is_unique(&names) {
            listed(rows, &row, &columns)
        } else {
            self.newest(rows, &row, &columns)
        };

        let target = self.table(Schema::Staging);
        let comment = format!("the newest row of every {}", self.dimension.name);
        plan.tables.push(Table::new(target.clone(), comment, columns));
        plan.steps.push(Step {
            name: format!("{target}: the newest row of each member"),
            target,
            write: Write::Replace,
            select,
        });
    }

    /// Of the rows of each business key the newest. Rows of one write time, as all of a full
    /// export's are, are told apart so that it is the same one in every database.
    fn newest(&self, rows: Select, row: &Ident, columns: &[TableColumn]) -> Select {
        let written_at = fixed(WRITTEN_AT);
        let latest = |value: Expr| vec![value.descending()];
        // Most rows of a member describe it alike (an order line repeats its product): they are
        // made one first, which leaves little to be sorted.
        let groupable = |ty: &SqlType| !matches!(ty, SqlType::Nested(_) | SqlType::Bytes { .. });
        let (rows, order) = if self.attributes.iter().all(|(_, ty, _)| groupable(ty)) {
            let described = columns.iter().filter(|column| column.name != written_at);
            let mut variants = rows;
            for column in described {
                let value = Expr::of(row, &column.name);
                variants = variants.column(value.clone(), &column.name).group(value);
            }
            let newest = Expr::of(row, &written_at).aggregate(Aggregate::Max);
            let mut order = latest(Expr::of(row, &written_at));
            let attributes = self.attributes.iter();
            order.extend(
                attributes.map(|(name, ty, _)| ordered(Expr::of(row, *name), ty).ascending()),
            );
            (Select::from(variants.column(newest, &written_at), row.clone()), order)
        } else {
            let mut order = latest(Expr::of(row, &written_at));
            let text = SqlType::Text { max_bytes: 1 };
            for name in [PK, SK] {
                order.push(ordered(Expr::of(row, fixed(name)), &text).ascending());
            }
            // The rows of a child entity share their parent's key.
            for column in self.entity.key.iter().filter_map(|name| self.entity.column(name)) {
                let value = Expr::of(row, &column.name);
                order.push(ordered(value, &(&column.ty).into()).ascending());
            }
            (rows, order)
        };
        let rank = Ident::fixed("_rank");
        let partition = self.key_names().map(|name| Expr::of(row, name)).collect();
        let number = Expr::RowNumber(Window::new(partition, order));
        let ranked = listed(rows, row, columns).column(number, rank.clone());
        let first = Expr::of(row, rank).equals(Expr::int(1));
        listed(Select::from(ranked, row.clone()).filter(first), row, columns)
    }

    /// A surrogate key for every member, and with history for every version, that has none yet.
    pub(super) fn add_keys(&self, facts: &[fact::Shape<'_>], plan: &mut Plan) {
        let target = self.table(Schema::Keys);
        let valid_from = fixed(VALID_FROM);
        let mut columns = vec![TableColumn::new(self.surrogate.clone(), SqlType::Int).required()];
        let key = self.key.iter();
        columns
            .extend(key.map(|(name, ty)| TableColumn::new((*name).clone(), ty.clone()).required()));
        if self.has_history() {
            columns.push(TableColumn::new(valid_from.clone(), SqlType::Timestamp).required());
        }

        let [member, known, new, highest] = ["member", "known", "new", "highest"].map(Ident::fixed);
        let last = Ident::fixed("last");
        // Members: those with a row, and those that facts refer to.
        let row = Ident::fixed("row");
        let mut members = Select::from(self.table(Schema::Staging), row.clone());
        for name in self.key_names() {
            members = members.column(Expr::of(&row, name), name);
        }
        for fact in facts {
            for role in fact.references(self) {
                let present = role.key.iter().map(|name| Expr::of(&row, name).is_not_null());
                let mut select = Select::from(fact.table(Schema::Staging), row.clone())
                    .distinct()
                    .filter(all(present));
                for (column, name) in role.key.iter().zip(self.key_names()) {
                    select = select.column(Expr::of(&row, column), name);
                }
                members = members.union_all(select);
            }
        }

        // Those without a key.
        let of_member = |select: Select| {
            self.key_names().fold(select, |select, name| {
                select.column(Expr::of(&member, name), name).group(Expr::of(&member, name))
            })
        };
        let mut fresh = of_member(Select::from(member.clone(), member.clone()))
            .left_join(&target, known.clone(), equal(&member, &known, self.key_names()))
            .filter(Expr::of(&known, &self.surrogate).is_null());
        if self.has_history() {
            fresh = fresh.column(beginning(), &valid_from).union_all(self.new_versions());
        }

        let mut order: Vec<_> = self
            .key
            .iter()
            .map(|(name, ty)| ordered(Expr::of(&new, *name), ty).ascending())
            .collect();
        if self.has_history() {
            order.push(Expr::of(&new, &valid_from).ascending());
        }
        let number = Expr::RowNumber(Window::new(Vec::new(), order)).cast(SqlType::Int);
        let key = Expr::of(&known, &self.surrogate).aggregate(Aggregate::Max);
        let highest_key =
            Select::from(&target, known.clone()).column(key.or_else(Expr::int(0)), last.clone());
        let mut select = Select::from(fresh, new.clone())
            .with(member, members)
            .cross_join(highest_key, highest.clone())
            .column(Expr::of(&highest, last).plus(number), &self.surrogate);
        for column in columns.iter().skip(1) {
            select = select.column(Expr::of(&new, &column.name), &column.name);
        }

        let comment = format!("the surrogate keys of {}, kept for ever", self.dimension.name);
        let table = Table::new(target.clone(), comment, columns)
            .with_primary_key(vec![self.surrogate.clone()]);
        plan.tables.push(table);
        plan.steps.push(Step {
            name: format!("{target}: keys for new members"),
            target,
            write: Write::Append,
            select,
        });
    }

    /// The key and the time of each version that begins with this load. A row that is not newer
    /// than the current version takes that one's place instead, so that no version is empty.
    fn new_versions(&self) -> Select {
        let [row, current, known] = ["row", "current", "known"].map(Ident::fixed);
        let (written_at, valid_from) = (fixed(WRITTEN_AT), fixed(VALID_FROM));
        let changed =
            self.attributes.iter().filter(|(_, _, history)| *history == History::Versions);
        let changed =
            changed.map(|(name, ..)| Expr::of(&row, *name).differs(Expr::of(&current, *name)));
        let is_current = Expr::of(&current, fixed(IS_CURRENT));
        let is_known = equal(&row, &known, self.key_names())
            .and(Expr::of(&known, &valid_from).equals(Expr::of(&row, &written_at)));
        let mut select = Select::from(self.table(Schema::Staging), row.clone())
            .join(
                crate::JoinKind::Inner,
                self.table(Schema::Dwh),
                current.clone(),
                equal(&row, &current, self.key_names()).and(is_current),
            )
            .left_join(self.table(Schema::Keys), known.clone(), is_known)
            .filter(Expr::of(&known, &self.surrogate).is_null())
            .filter(Expr::of(&current, fixed(IS_INFERRED)).negate())
            .filter(
                Expr::of(&row, &written_at)
                    .compare(Comparison::Greater, Expr::of(&current, &valid_from)),
            )
            .filter(Expr::Or(changed.collect()));
        for name in self.key_names() {
            select = select.column(Expr::of(&row, name), name);
        }
        select.column(Expr::of(&row, written_at), valid_from)
    }

    /// Every member that has a key, and the unknown one.
    pub(super) fn add_dwh(&self, plan: &mut Plan) {
        let target = self.table(Schema::Dwh);
        let (columns, history) = (self.dwh_columns(), self.has_history());
        let [key, row, old] = ["key", "row", "old"].map(Ident::fixed);
        let [is_inferred, is_deleted, valid_from, valid_to, is_current] =
            [IS_INFERRED, IS_DELETED, VALID_FROM, VALID_TO, IS_CURRENT].map(fixed);

        // A member has a row if its business key has: no part of it is NULL.
        let first = self.key.first().map(|(name, _)| *name);
        let there = first.map_or(Expr::bool(false), |name| Expr::of(&row, name).is_not_null());
        let gone = first.map_or(Expr::bool(true), |name| Expr::of(&row, name).is_null());
        let newest = Expr::of(&key, &valid_to).equals(end());
        let described = if history { there.clone().and(newest.clone()) } else { there.clone() };
        let was_inferred = Expr::of(&old, &is_inferred).or_else(Expr::bool(true));

        let mut select = Select::from(self.keys_with_ends(), key.clone())
            .left_join(
                self.table(Schema::Staging),
                row.clone(),
                equal(&key, &row, self.key_names()),
            )
            .left_join(&target, old.clone(), equal(&key, &old, [&self.surrogate]))
            .column(Expr::of(&key, &self.surrogate), &self.surrogate);
        for name in self.key_names() {
            select = select.column(Expr::of(&key, name), name);
        }
        for (name, _, kind) in &self.attributes {
            let from_row = match kind {
                History::Versions => &described,
                _ => &there,
            };
            let value =
                Expr::choose(from_row.clone(), Expr::of(&row, *name), Expr::of(&old, *name));
            select = select.column(value, *name);
        }
        let inferred = Expr::choose(described, Expr::bool(false), was_inferred.clone());
        let deleted = gone.and(was_inferred.negate());
        select = select.column(inferred, &is_inferred).column(deleted, &is_deleted);
        if history {
            select = select
                .column(Expr::of(&key, &valid_from), &valid_from)
                .column(Expr::of(&key, &valid_to), &valid_to)
                .column(newest, &is_current);
        }
        select = select.union_all(self.unknown(&columns));

        let comment = if history {
            format!("{}: every member's versions; -1 is the unknown one", self.dimension.name)
        } else {
            format!("{}: every member; -1 is the unknown one", self.dimension.name)
        };
        let table = Table::new(target.clone(), comment, columns)
            .with_primary_key(vec![self.surrogate.clone()]);
        plan.tables.push(table);
        let what = if history { "members and their versions" } else { "members" };
        plan.steps.push(Step {
            name: format!("{target}: {what}"),
            target,
            write: Write::Replace,
            select,
        });
    }

    fn dwh_columns(&self) -> Vec<TableColumn> {
        let mut columns = vec![TableColumn::new(self.surrogate.clone(), SqlType::Int).required()];
        let key = self.key.iter().map(|(name, ty)| (*name, ty));
        let attributes = self.attributes.iter().map(|(name, ty, _)| (*name, ty));
        columns.extend(
            key.chain(attributes).map(|(name, ty)| TableColumn::new(name.clone(), ty.clone())),
        );
        let flag = |name| TableColumn::new(fixed(name), SqlType::Bool).required();
        columns.extend([flag(IS_INFERRED), flag(IS_DELETED)]);
        if self.has_history() {
            let time = |name| TableColumn::new(fixed(name), SqlType::Timestamp).required();
            columns.extend([time(VALID_FROM), time(VALID_TO), flag(IS_CURRENT)]);
        }
        columns
    }

    /// The keys; with history also when each version ends: where the next begins.
    fn keys_with_ends(&self) -> Relation {
        let table = self.table(Schema::Keys);
        if !self.has_history() {
            return table.into();
        }
        let key = Ident::fixed("key");
        let (valid_from, valid_to) = (fixed(VALID_FROM), fixed(VALID_TO));
        let partition = self.key_names().map(|name| Expr::of(&key, name)).collect();
        let window = Window::new(partition, vec![Expr::of(&key, &valid_from).ascending()]);
        let next = Expr::Lead(Box::new(Expr::of(&key, &valid_from)), window);
        let mut select = Select::from(table, key.clone())
            .column(Expr::of(&key, &self.surrogate), &self.surrogate);
        for name in self.key_names() {
            select = select.column(Expr::of(&key, name), name);
        }
        select
            .column(Expr::of(&key, &valid_from), &valid_from)
            .column(next.or_else(end()), valid_to)
            .into()
    }

    fn unknown(&self, columns: &[TableColumn]) -> Select {
        let mut select = Select::row();
        for column in columns {
            let value = match column.name.as_str() {
                _ if column.name == self.surrogate => Expr::int(UNKNOWN),
                _ if column.nullable => Expr::null(column.ty.clone()),
                VALID_FROM => beginning(),
                VALID_TO => end(),
                IS_CURRENT => Expr::bool(true),
                _ => Expr::bool(false),
            };
            select = select.column(value, &column.name);
        }
        select
    }
}

fn listed(select: Select, row: &Ident, columns: &[TableColumn]) -> Select {
    columns
        .iter()
        .fold(select, |select, column| select.column(Expr::of(row, &column.name), &column.name))
}

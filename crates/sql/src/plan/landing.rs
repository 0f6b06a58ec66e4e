//! Landing: the lake's tables, as they are.

use keystar_star::Entity;

use super::Plan;
use super::column::{PK, SK, WRITTEN_AT, fixed};
use crate::{Schema, SqlType, Table, TableColumn, TableName};

pub(super) fn add(entity: &Entity, plan: &mut Plan) {
    // DynamoDB's limits for a key; Base64 of a binary key takes a third more.
    let mut columns = vec![
        TableColumn::new(fixed(PK), SqlType::Text { max_bytes: 2732 }).required(),
        TableColumn::new(fixed(SK), SqlType::Text { max_bytes: 1368 }),
        TableColumn::new(fixed(WRITTEN_AT), SqlType::Timestamp).required(),
    ];
    let own = entity.columns.iter();
    columns.extend(own.map(|it| TableColumn::new(it.name.clone(), (&it.ty).into())));
    let table = TableName::new(Schema::Landing, entity.name.clone());
    let comment = format!("the current state of every {} in the lake", entity.name);
    plan.tables.push(Table::new(table, comment, columns));
}

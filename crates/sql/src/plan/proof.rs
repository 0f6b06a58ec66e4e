//! The data tests: queries for rows that must not be.

use keystar_star::{Model, Name};

use super::column::{
    IS_CURRENT, IS_DELETED, IS_INFERRED, PK, SK, UNKNOWN, VALID_FROM, VALID_TO, all, beginning,
    end, equal, fixed, key_of, type_of,
};
use super::{Plan, Test, dimension, fact};
use crate::{
    Aggregate, Comparison, Error, Expr, Ident, Schema, Select, SqlType, TableName, Window,
};

pub(super) fn add(
    model: &Model,
    members: &[dimension::Shape<'_>],
    facts: &[fact::Shape<'_>],
    plan: &mut Plan,
) -> Result<(), Error> {
    for entity in &model.entities {
        let table = TableName::new(Schema::Landing, entity.name.clone());
        for unique in &entity.unique {
            let names: Vec<_> = unique.iter().map(Name::as_str).collect();
            let names = names.join(", ");
            plan.tests.push(Test {
                name: format!("{table}: {names} is unique"),
                explains: format!(
                    "the model declares {names} of entity {} unique, and facts count on it; \
                     each row tells values that several items have",
                    entity.name
                ),
                select: repeated(&table, unique.iter(), true),
            });
        }
    }
    for member in members {
        add_dimension(member, plan);
    }
    if let Some(calendar) = &model.calendar {
        let table = TableName::new(Schema::Dwh, calendar.name.clone());
        plan.tests.push(Test {
            name: format!("{table}: every day is there once"),
            explains: "each row tells a day that is there twice".into(),
            select: repeated(&table, [&fixed("date")], true),
        });
    }
    for fact in facts {
        add_fact(fact, plan)?;
    }
    Ok(())
}

fn add_dimension(member: &dimension::Shape<'_>, plan: &mut Plan) {
    let (keys, dwh) = (member.table(Schema::Keys), member.table(Schema::Dwh));
    let history = member.has_history();
    let [row, found] = ["row", "found"].map(Ident::fixed);
    let names: Vec<_> = member.key_names().map(Name::as_str).collect();
    let names = names.join(", ");

    // Only where the model says that the key is always there: elsewhere a row without it is a fact
    // whose member is unknown, and no fault.
    let always = member.key_names().all(|name| {
        member.entity.key.contains(name)
            || member.entity.column(name).is_some_and(|column| column.required)
    });
    if always {
        let landing = TableName::new(Schema::Landing, member.entity.name.clone());
        let absent = member.key_names().map(|name| Expr::of(&row, name).is_null());
        let select = Select::from(&landing, row.clone())
            .column(Expr::of(&row, fixed(PK)), fixed(PK))
            .column(Expr::of(&row, fixed(SK)), fixed(SK))
            .filter(Expr::Or(absent.collect()));
        plan.tests.push(Test {
            name: format!("{landing}: {names} is present for {}", member.dimension.name),
            explains: format!("each row tells the key of an item without {names}"),
            select,
        });
    }

    let version = fixed(VALID_FROM);
    let unique = member.key_names().chain(history.then_some(&version));
    plan.tests.push(Test {
        name: format!("{keys}: one key for each member"),
        explains: "each row tells a business key that has several surrogate keys".into(),
        select: repeated(&keys, unique, false),
    });
    plan.tests.push(Test {
        name: format!("{dwh}: one row for each key"),
        explains: "each row tells a surrogate key that is there twice".into(),
        select: repeated(&dwh, [&member.surrogate], false),
    });

    let surrogate = || Expr::of(&row, &member.surrogate);
    let is_unknown = || surrogate().equals(Expr::int(UNKNOWN));
    let counted = Select::from(&dwh, row.clone())
        .column(Expr::count(), fixed("_rows"))
        .filter(is_unknown())
        .having(Expr::count().compare(Comparison::NotEqual, Expr::int(1)));
    plan.tests.push(Test {
        name: format!("{dwh}: the unknown member is there"),
        explains: "the row tells how many members have the key -1, which has to be one".into(),
        select: counted,
    });
    let absent = member.key_names().map(|name| Expr::of(&row, name).is_null());
    plan.tests.push(Test {
        name: format!("{dwh}: {names} is present"),
        explains: format!("each row tells the key of a member without {names}"),
        select: Select::from(&dwh, row.clone())
            .column(surrogate(), &member.surrogate)
            .filter(surrogate().compare(Comparison::NotEqual, Expr::int(UNKNOWN)))
            .filter(Expr::Or(absent.collect())),
    });

    let mut on = equal(&row, &found, member.key_names());
    if history {
        on = on.and(Expr::of(&found, fixed(IS_CURRENT)));
    }
    let lost = Expr::Or(vec![
        Expr::of(&found, &member.surrogate).is_null(),
        Expr::of(&found, fixed(IS_INFERRED)),
        Expr::of(&found, fixed(IS_DELETED)),
    ]);
    let mut select = Select::from(member.table(Schema::Staging), row.clone())
        .left_join(&dwh, found, on)
        .filter(lost);
    for name in member.key_names() {
        select = select.column(Expr::of(&row, name), name);
    }
    plan.tests.push(Test {
        name: format!("{dwh}: every row is a member"),
        explains: "each row tells a business key of the lake whose member is missing, or is \
                   marked as inferred or deleted"
            .into(),
        select,
    });
    if history {
        add_history(member, plan);
    }
}

fn add_history(member: &dimension::Shape<'_>, plan: &mut Plan) {
    let dwh = member.table(Schema::Dwh);
    let [row, next] = ["row", "_next"].map(Ident::fixed);
    let [valid_from, valid_to, is_current] = [VALID_FROM, VALID_TO, IS_CURRENT].map(fixed);
    let known =
        || Expr::of(&row, &member.surrogate).compare(Comparison::NotEqual, Expr::int(UNKNOWN));
    let keyed = |select: Select| {
        member.key_names().fold(select, |select, name| select.column(Expr::of(&row, name), name))
    };

    let current = Expr::choose(Expr::of(&row, &is_current), Expr::int(1), Expr::int(0))
        .aggregate(Aggregate::Sum);
    let select = keyed(Select::from(&dwh, row.clone())).column(current.clone(), fixed("_current"));
    let select = member
        .key_names()
        .fold(select.filter(known()), |select, name| select.group(Expr::of(&row, name)));
    plan.tests.push(Test {
        name: format!("{dwh}: one current version"),
        explains: "each row tells a member that has not exactly one current version".into(),
        select: select.having(current.compare(Comparison::NotEqual, Expr::int(1))),
    });

    let window = || {
        let partition = member.key_names().map(|name| Expr::of(&row, name)).collect();
        Window::new(partition, vec![Expr::of(&row, &valid_from).ascending()])
    };
    let lead = Expr::Lead(Box::new(Expr::of(&row, &valid_from)), window()).or_else(end());
    let number = Expr::RowNumber(window());
    let versions = keyed(Select::from(&dwh, row.clone()))
        .filter(known())
        .column(Expr::of(&row, &valid_from), &valid_from)
        .column(Expr::of(&row, &valid_to), &valid_to)
        .column(Expr::of(&row, &is_current), &is_current)
        .column(lead, next.clone())
        .column(number, fixed("_version"));
    let of = |name: &Name| Expr::of(&row, name);
    let gap = of(&valid_to).differs(Expr::of(&row, &next));
    let first = of(&fixed("_version")).equals(Expr::int(1));
    let late = first.and(of(&valid_from).differs(beginning()));
    let flag = of(&is_current).differs(of(&valid_to).same(end()));
    let empty = of(&valid_from).compare(Comparison::GreaterOrEqual, of(&valid_to));
    let select = keyed(Select::from(versions, row.clone()))
        .column(of(&valid_from), &valid_from)
        .column(of(&valid_to), &valid_to)
        .filter(Expr::Or(vec![gap, late, flag, empty]));
    plan.tests.push(Test {
        name: format!("{dwh}: history without gap or overlap"),
        explains: "each row tells a version that does not end where the next begins, or does not \
                   begin in 1900 as a first one does, or is current without being the last"
            .into(),
        select,
    });
}

fn add_fact(fact: &fact::Shape<'_>, plan: &mut Plan) -> Result<(), Error> {
    let dwh = fact.table(Schema::Dwh);
    let landing = TableName::new(Schema::Landing, fact.entity.name.clone());
    let place = format!("fact {}", fact.fact.name);
    let [row, found, source] = ["row", "found", "source"].map(Ident::fixed);

    let grain = &fact.fact.grain;
    let names: Vec<_> = grain.iter().map(Name::as_str).collect();
    let names = names.join(", ");
    plan.tests.push(Test {
        name: format!("{dwh}: {names} is unique"),
        explains: format!("each row tells values of {names} that several facts have"),
        select: repeated(&dwh, grain.iter(), false),
    });
    let absent = grain.iter().map(|name| Expr::of(&row, name).is_null());
    let select = Select::from(&dwh, row.clone()).filter(Expr::Or(absent.collect()));
    plan.tests.push(Test {
        name: format!("{dwh}: {names} is present"),
        explains: format!("each row tells a fact with no value in {names}"),
        select: grain.iter().fold(select, |select, name| select.column(Expr::of(&row, name), name)),
    });

    for role in &fact.roles {
        let place = format!("{place}, role {}", role.role.role);
        let surrogate = key_of(&role.role.dimension, &place)?;
        let table = TableName::new(Schema::Dwh, role.role.dimension.clone());
        let key = || Expr::of(&row, &role.surrogate);
        plan.tests.push(Test {
            name: format!("{dwh}: every {} is there", role.role.role),
            explains: format!(
                "each row tells a key of {table} that is not there, and how many facts refer to it"
            ),
            select: Select::from(&dwh, row.clone())
                .left_join(&table, found.clone(), Expr::of(&found, &surrogate).equals(key()))
                .column(key(), &role.surrogate)
                .column(Expr::count(), fixed("_facts"))
                .filter(Expr::of(&found, &surrogate).is_null())
                .group(key()),
        });
    }

    let [in_landing, in_dwh] = ["landing", "dwh"].map(Ident::fixed);
    let both = |of_landing: Expr, of_dwh: Expr| {
        let side = |table: &TableName, value: Expr, name: &Ident| {
            Select::from(table, row.clone()).column(value, name.clone())
        };
        Select::from(side(&landing, of_landing, &in_landing), source.clone())
            .cross_join(side(&dwh, of_dwh, &in_dwh), found.clone())
            .column(Expr::of(&source, &in_landing), in_landing.clone())
            .column(Expr::of(&found, &in_dwh), in_dwh.clone())
    };
    let (left, right) = (Expr::of(&source, &in_landing), Expr::of(&found, &in_dwh));
    plan.tests.push(Test {
        name: format!("{dwh}: as many rows as {landing}"),
        explains: "the row tells how many rows there are and how many there are to be".into(),
        select: both(Expr::count(), Expr::count()).filter(left.clone().differs(right.clone())),
    });
    for measure in &fact.fact.measures {
        let ty = type_of(fact.entity, &measure.column, &place)?.into();
        let of_landing = total(Expr::of(&row, &measure.column), &ty);
        let of_dwh = total(Expr::of(&row, &measure.name), &ty);
        // Sums of floating-point numbers depend on the order in which they are added.
        let off = if ty == SqlType::Double {
            let less = |a: &Expr, b: &Expr| {
                let size = Expr::choose(
                    a.clone().compare(Comparison::Less, Expr::int(0)),
                    Expr::int(0).minus(a.clone()),
                    a.clone(),
                );
                let slack = size.times(Expr::Literal(crate::Literal::Double(1e-9)));
                a.clone().plus(slack).compare(Comparison::Less, b.clone())
            };
            Expr::Or(vec![
                left.clone().is_null().differs(right.clone().is_null()),
                less(&left, &right),
                less(&right, &left),
            ])
        } else {
            left.clone().differs(right.clone())
        };
        plan.tests.push(Test {
            name: format!("{dwh}: the sum of {} is that of {landing}", measure.name),
            explains: "the row tells the sum that is to be and the one that is".into(),
            select: both(of_landing, of_dwh).filter(off),
        });
    }
    Ok(())
}

/// A sum in a type that holds it.
pub(crate) fn total(value: Expr, ty: &SqlType) -> Expr {
    match ty {
        SqlType::Int => {
            let wide = SqlType::Decimal { precision: 38, scale: 0 };
            value.cast(wide.clone()).aggregate(Aggregate::Sum).cast(wide)
        }
        SqlType::Decimal { scale, .. } => {
            value.aggregate(Aggregate::Sum).cast(SqlType::Decimal { precision: 38, scale: *scale })
        }
        _ => value.aggregate(Aggregate::Sum),
    }
}

/// The values that are there more than once, and how often.
fn repeated<'n>(
    table: &TableName,
    columns: impl IntoIterator<Item = &'n Name>,
    present_only: bool,
) -> Select {
    let row = Ident::fixed("row");
    let mut select = Select::from(table, row.clone());
    let mut present = Vec::new();
    for name in columns {
        select = select.column(Expr::of(&row, name), name).group(Expr::of(&row, name));
        present.push(Expr::of(&row, name).is_not_null());
    }
    if present_only {
        select = select.filter(all(present));
    }
    select
        .column(Expr::count(), fixed("_rows"))
        .having(Expr::count().compare(Comparison::Greater, Expr::int(1)))
}

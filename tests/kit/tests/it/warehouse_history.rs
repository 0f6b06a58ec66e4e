//! Loads after random changes, on a real PostgreSQL, against a warehouse that is a few lines of maps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use keystar_kit::places;
use keystar_kit::postgres::Postgres;
use keystar_kit::random::Random;
use keystar_sql::{Plan, PostgreSql};
use keystar_star::Model;

/// Days are counted from 2022-01-01; a first version begins at -1.
type Day = i64;

#[derive(Clone)]
struct Customer {
    written: Day,
    email: Option<u64>,
    fullname: Option<u64>,
}

#[derive(Default)]
struct Member {
    versions: Vec<(Day, Option<u64>)>,
    email: Option<u64>,
    inferred: bool,
    deleted: bool,
}

/// What the lake holds.
#[derive(Default)]
struct Lake {
    customers: BTreeMap<u64, Customer>,
    /// Order number: its customer and its day.
    orders: BTreeMap<u64, (u64, Option<Day>)>,
    /// Order and product: the price in cents.
    lines: BTreeMap<(u64, u64), u64>,
}

impl Lake {
    fn change(&mut self, random: &mut Random, today: Day) {
        for _ in 0..6 {
            let (who, order) = (random.below(8), random.below(20));
            let maybe = |random: &mut Random| Some(random.below(4)).filter(|it| *it > 0);
            match random.below(8) {
                0 => drop(self.customers.remove(&who)),
                1..4 => {
                    // Now and then an item is written again at the time of an earlier write.
                    let written = if random.below(4) == 0 { random.below(5) as Day } else { today };
                    let email = maybe(random);
                    let fullname = maybe(random);
                    let written =
                        self.customers.get(&who).map_or(written, |old| old.written.max(written));
                    self.customers.insert(who, Customer { written, email, fullname });
                }
                4 => drop(self.orders.remove(&order)),
                5 => {
                    let day = maybe(random).map(|_| random.below(40) as Day - 5);
                    self.orders.insert(order, (who, day));
                }
                6 => drop(self.lines.remove(&(order, random.below(3)))),
                _ => drop(self.lines.insert((order, random.below(3)), random.below(10_000))),
            }
        }
    }

    fn sql(&self) -> String {
        let mut sql = "DELETE FROM landing.customer; DELETE FROM landing.order;\
                       DELETE FROM landing.line;\n"
            .to_owned();
        let text = |value: Option<u64>| value.map_or("NULL".into(), |it| format!("'{it}'"));
        let day = |day: Day| format!("date '2022-01-01' + {day}");
        for (who, it) in &self.customers {
            let (written, email, fullname) = (day(it.written), text(it.email), text(it.fullname));
            writeln!(
                sql,
                "INSERT INTO landing.customer VALUES \
                 ('CUST#{who}', 'CUST#{who}', {written}, '{who}', {email}, {fullname});"
            )
            .unwrap();
        }
        for (order, (who, when)) in &self.orders {
            let when = when.map_or("NULL".into(), day);
            writeln!(
                sql,
                "INSERT INTO landing.order VALUES ('CUST#{who}', 'ORD#{order}', '2022-01-01', \
                 '{who}', '{order}', {when}, 1, NULL);"
            )
            .unwrap();
        }
        for ((order, product), cents) in &self.lines {
            writeln!(
                sql,
                "INSERT INTO landing.line VALUES ('ORD#{order}', 'PROD#{product}', '2022-01-01', \
                 '{order}', '{product}', NULL, NULL, NULL, {cents} / 100.0);"
            )
            .unwrap();
        }
        sql
    }
}

/// What the warehouse is to hold of the customers.
#[derive(Default)]
struct Members(BTreeMap<u64, Member>);

impl Members {
    fn load(&mut self, lake: &Lake) {
        for (who, row) in &lake.customers {
            let member = self.0.entry(*who).or_default();
            match member.versions.last_mut() {
                None => member.versions.push((-1, row.fullname)),
                Some(last)
                    if member.inferred || row.fullname == last.1 || row.written <= last.0 =>
                {
                    last.1 = row.fullname;
                }
                Some(_) => member.versions.push((row.written, row.fullname)),
            }
            (member.email, member.inferred, member.deleted) = (row.email, false, false);
        }
        for (who, _) in lake.orders.values() {
            self.0.entry(*who).or_insert_with(|| Member {
                versions: vec![(-1, None)],
                inferred: true,
                ..Member::default()
            });
        }
        for (who, member) in &mut self.0 {
            member.deleted = !member.inferred && !lake.customers.contains_key(who);
        }
    }

    fn rows(&self) -> Vec<String> {
        let text = |value: Option<u64>| value.map_or("NULL".into(), |it| it.to_string());
        let mut rows = Vec::new();
        for (who, member) in &self.0 {
            for (index, (from, fullname)) in member.versions.iter().enumerate() {
                let to = member.versions.get(index + 1).map_or("-".into(), |it| it.0.to_string());
                rows.push(format!(
                    "{who}|{from}|{to}|{}|{}|{}|{}",
                    text(*fullname),
                    text(member.email),
                    if member.inferred { "t" } else { "f" },
                    if member.deleted { "t" } else { "f" },
                ));
            }
        }
        rows.sort();
        rows
    }

    /// Of each line: its order and product, its customer and the version of the order's day.
    fn sales(&self, lake: &Lake) -> Vec<String> {
        let row = |((order, product), cents): (&(u64, u64), &u64)| {
            let order_of = lake.orders.get(order);
            let member = match order_of {
                None => "NULL|NULL".into(),
                Some((who, day)) => {
                    let versions = &self.0[who].versions;
                    let at = |day: &Day| versions.iter().rfind(|(from, _)| from <= day);
                    let version = match day {
                        Some(day) => at(day).or(versions.first()),
                        None => versions.last(),
                    };
                    format!("{who}|{}", version.unwrap().0)
                }
            };
            let day = order_of.and_then(|(_, day)| *day);
            let day = day.map_or("NULL".into(), |day| day.to_string());
            format!("{order}|{product}|{member}|{day}|{cents}")
        };
        let mut rows: Vec<_> = lake.lines.iter().map(row).collect();
        rows.sort();
        rows
    }
}

const MEMBERS: &str = "
    SELECT username,
        CASE WHEN valid_from = '1900-01-01' THEN -1 ELSE valid_from::date - date '2022-01-01' END,
        CASE WHEN is_current THEN '-' ELSE (valid_to::date - date '2022-01-01')::text END,
        fullname, email, is_inferred, is_deleted
    FROM dwh.customer WHERE customer_key > 0";

const SALES: &str = "
    SELECT s.orderid, s.productid, c.username,
        CASE WHEN c.valid_from = '1900-01-01' AND c.customer_key > 0 THEN -1
             WHEN c.customer_key > 0 THEN c.valid_from::date - date '2022-01-01' END,
        d.date - date '2022-01-01', (s.price * 100)::bigint
    FROM dwh.sales AS s JOIN dwh.customer AS c USING (customer_key)
    JOIN dwh.date AS d USING (date_key)";

#[test]
fn random_changes_come_to_what_maps_come_to() {
    let spec = places::workspace().join("examples/ecommerce/model.toml");
    let plan = Plan::new(&Model::parse(&std::fs::read_to_string(spec).unwrap()).unwrap()).unwrap();
    let all = |all: Vec<String>| -> String { all.iter().map(|it| format!("{it};\n")).collect() };
    let load = all(plan.script(&PostgreSql).unwrap());
    let postgres = Postgres::start().unwrap();
    postgres.run(&all(plan.ddl(&PostgreSql).unwrap())).unwrap();
    let sorted = |sql: &str| {
        let mut rows = postgres.run(sql).unwrap();
        rows.sort();
        rows
    };

    let mut random = Random::new(3);
    let (mut lake, mut members, mut keys) = (Lake::default(), Members::default(), BTreeSet::new());
    let mut versions = 0;
    for day in 0..40 {
        lake.change(&mut random, day);
        members.load(&lake);
        postgres.run(&lake.sql()).unwrap();
        postgres.run(&load).unwrap_or_else(|error| panic!("day {day}: {error}"));
        assert_eq!(sorted(MEMBERS), members.rows(), "day {day}");
        assert_eq!(sorted(SALES), members.sales(&lake), "day {day}");
        // What has a key keeps it.
        let now: BTreeSet<_> = sorted("SELECT * FROM keys.customer").into_iter().collect();
        assert!(now.is_superset(&keys), "day {day}");
        keys = now;
        versions = members.0.values().map(|member| member.versions.len()).max().unwrap_or(0);
    }
    // The changes were worth it.
    assert!(versions > 4 && lake.lines.len() > 5 && keys.len() > 20, "{versions} {}", keys.len());
}

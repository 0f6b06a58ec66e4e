use std::{collections::BTreeMap, io};

use serde::{Serialize, Serializer};

use super::{
    catalogue::CATEGORIES,
    customer::{Customer, Order},
};

/// What the sample's items come to, summed up while they were made: no reader, lake or warehouse
/// had a hand in it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Expected {
    /// Customers that the table holds.
    pub customers: u64,
    /// Addresses in them.
    pub addresses: u64,
    /// Orders that the table holds.
    pub orders: u64,
    /// Order lines that the table holds.
    pub lines: u64,
    /// The sum of all prices, in cents.
    pub cents: u64,
    /// The sums by year, quarter, category and country.
    #[serde(serialize_with = "rows")]
    pub sales: BTreeMap<Cell, Sales>,
}

/// A group of sales.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct Cell {
    /// The order's year; `None` where the order's item is missing.
    pub year: Option<i16>,
    /// The quarter, 1 to 4.
    pub quarter: Option<i8>,
    /// The product's category.
    pub category: &'static str,
    /// The country that the order was shipped to; `None` where that is not known.
    pub country: Option<&'static str>,
}

/// What a group of sales comes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sales {
    /// Order lines.
    pub lines: u64,
    /// The sum of their prices, in cents.
    pub cents: u64,
}

impl Expected {
    pub(super) fn add(&mut self, customer: &Customer) {
        if customer.present {
            self.customers += 1;
            self.addresses += customer.addresses.len() as u64;
        }
        for order in &customer.orders {
            self.orders += u64::from(order.present);
            self.add_lines(order, customer.country(order));
        }
    }

    fn add_lines(&mut self, order: &Order, country: Option<&'static str>) {
        let when = order.present.then_some((order.year, (order.month - 1) / 3 + 1));
        for line in &order.lines {
            let cell = Cell {
                year: when.map(|(year, _)| year),
                quarter: when.map(|(_, quarter)| quarter),
                category: CATEGORIES.get(line.product.category).map_or("", |known| known.name),
                country,
            };
            let sales = self.sales.entry(cell).or_default();
            sales.lines += 1;
            sales.cents += line.cents;
            self.lines += 1;
            self.cents += line.cents;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.customers += other.customers;
        self.addresses += other.addresses;
        self.orders += other.orders;
        self.lines += other.lines;
        self.cents += other.cents;
        for (cell, more) in other.sales {
            let sales = self.sales.entry(cell).or_default();
            sales.lines += more.lines;
            sales.cents += more.cents;
        }
    }

    /// As a JSON document, which ends with a newline.
    ///
    /// # Errors
    ///
    /// What the writer fails with.
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}

/// A list of rows: JSON has no keys of four parts.
fn rows<S: Serializer>(sales: &BTreeMap<Cell, Sales>, out: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Row<'a> {
        #[serde(flatten)]
        cell: &'a Cell,
        #[serde(flatten)]
        sales: &'a Sales,
    }
    out.collect_seq(sales.iter().map(|(cell, sales)| Row { cell, sales }))
}

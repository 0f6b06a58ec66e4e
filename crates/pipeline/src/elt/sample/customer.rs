//! A customer with all orders: made from the seed alone, and moved on from window to window.

use std::io::Write;

use super::{
    catalogue::{CATEGORIES, COUNTRIES, Catalogue, FIRST_YEAR, MONTHS, Product},
    random::Random,
};

/// Orders are told apart by twelve digits that seem to come in no order.
const ORDERS: u64 = 1_000_000_000_000;
const ORDERS_PER_CUSTOMER: u64 = 1 << 10;
const SCATTER: u64 = 387_420_489_001;

const ADDRESSES: [&str; 3] = ["home", "work", "other"];

const DAY_MICROS: u64 = 86_400_000_000;

#[derive(Debug)]
pub(super) struct Customer {
    index: u64,
    username: String,
    email: String,
    fullname: String,
    /// Whether the table holds the customer's own item.
    pub(super) present: bool,
    /// Whether it ever did: a warehouse keeps what it knew.
    known: bool,
    pub(super) addresses: Vec<Address>,
    pub(super) orders: Vec<Order>,
    next_order: u64,
}

#[derive(Debug)]
pub(super) struct Address {
    country: usize,
    city: usize,
    street: usize,
    number: u64,
    postcode: u64,
}

#[derive(Debug)]
pub(super) struct Order {
    id: u64,
    pub(super) year: i16,
    pub(super) month: i8,
    day: i8,
    second: u64,
    /// Which of the addresses.
    shipto: Option<usize>,
    /// Whether the table holds the order's own item; its lines may be there all the same.
    pub(super) present: bool,
    pub(super) lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) product: Product,
    pub(super) cents: u64,
}

/// One day after the full export: the changes of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// From 1.
    pub(super) number: u64,
    pub(super) from_micros: u64,
    pub(super) year: i16,
    pub(super) month: i8,
    pub(super) day: i8,
}

/// A change of one item, as DynamoDB JSON.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) keys: Vec<u8>,
    pub(super) old: Option<Vec<u8>>,
    pub(super) new: Option<Vec<u8>>,
    pub(super) micros: u64,
}

impl Customer {
    pub(super) fn new(seed: u64, index: u64, catalogue: &Catalogue) -> Self {
        let mut random = Random::nth(seed, index);
        let country = Catalogue::country(&mut random);
        let home = COUNTRIES.get(country).unwrap_or(&COUNTRIES[0]);
        let (first, first_ascii) = random.pick(&home.first, ("", ""));
        let (last, last_ascii) = random.pick(&home.last, ("", ""));
        let username = format!("{first_ascii}.{last_ascii}{index}");
        let fullname = match random.permille(10) {
            true => format!("{first} \"Mo\" {last}"),
            false => format!("{first} {last}"),
        };
        let addresses = 1 + random.below(ADDRESSES.len() as u64);
        let addresses = (0..addresses).map(|at| {
            // Some work abroad.
            let abroad = at > 0 && random.permille(80);
            let country = if abroad { Catalogue::country(&mut random) } else { country };
            Address::new(country, &mut random)
        });
        let addresses: Vec<_> = addresses.collect();
        let present = !random.permille(4);
        let mut customer = Self {
            index,
            email: format!("{username}@example.com"),
            username,
            fullname,
            present,
            known: present,
            addresses,
            orders: Vec::new(),
            next_order: 0,
        };
        for _ in 0..1 + random.below(6) {
            let month = catalogue.month(country, &mut random);
            let (year, of_year) = (FIRST_YEAR + (month / 12) as i16, (month % 12) as i8 + 1);
            let day = 1 + random.below(days(year, of_year)) as i8;
            customer.order((year, of_year, day), month, catalogue, &mut random);
        }
        customer
    }

    fn order(
        &mut self,
        (year, month, day): (i16, i8, i8),
        since_start: usize,
        catalogue: &Catalogue,
        random: &mut Random,
    ) {
        let number = self.index * ORDERS_PER_CUSTOMER + self.next_order;
        self.next_order += 1;
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..1 + random.below(5) {
            let product = catalogue.product(since_start, random);
            let known = |line: &Line| line.product.number == product.number;
            if !lines.iter().any(known) {
                // A price of its day: up to 15 % below the catalogue's.
                let cents = match random.permille(700) {
                    true => product.cents,
                    false => product.cents - product.cents * random.below(16) / 100,
                };
                lines.push(Line { product, cents });
            }
        }
        let shipto = (!random.permille(30))
            .then(|| random.below(self.addresses.len().max(1) as u64) as usize);
        self.orders.push(Order {
            id: (u128::from(number) * u128::from(SCATTER) % u128::from(ORDERS)) as u64,
            year,
            month,
            day,
            second: random.below(86_400),
            shipto,
            present: !random.permille(3),
            lines,
        });
    }

    /// Where an order went, as far as a warehouse can know.
    pub(super) fn country(&self, order: &Order) -> Option<&'static str> {
        let address = self.addresses.get(order.shipto.filter(|_| order.present && self.known)?)?;
        COUNTRIES.get(address.country).map(|country| country.code)
    }

    /// All items, as DynamoDB JSON.
    pub(super) fn items(&self, mut each: impl FnMut(&[u8])) {
        let mut item = Vec::with_capacity(1024);
        if self.present {
            self.write(&mut item);
            each(&item);
        }
        for order in &self.orders {
            if order.present {
                item.clear();
                self.write_order(order, &mut item);
                each(&item);
            }
            for line in &order.lines {
                item.clear();
                write_line(order, line, &mut item);
                each(&item);
            }
        }
    }

    /// What happens in a window: at most one thing a customer, so that no item changes twice.
    pub(super) fn advance(
        &mut self,
        seed: u64,
        window: Window,
        catalogue: &Catalogue,
        changes: &mut Vec<Change>,
    ) {
        let mut random = Random::nth(seed ^ window.number.wrapping_mul(0xd1b5_4a32), self.index);
        if !self.known && window.number == 1 {
            self.present = true;
            self.known = true;
            changes.push(self.change(None, window, &mut random));
        }
        for at in 0..self.orders.len() {
            // What an export was too early for comes with the next.
            if window.number == 1 && self.orders.get(at).is_some_and(|order| !order.present) {
                if let Some(order) = self.orders.get_mut(at) {
                    order.present = true;
                }
                if let Some(order) = self.orders.get(at) {
                    let new = Some(self.order_item(order));
                    changes.push(Change::of(
                        self.order_keys(order),
                        None,
                        new,
                        window,
                        &mut random,
                    ));
                }
            }
        }
        match random.below(1000) {
            0..60 => {
                let date = (window.year, window.month, window.day);
                self.order(date, MONTHS, catalogue, &mut random);
                let Some(order) = self.orders.last_mut() else { return };
                order.present = true;
                let Some(order) = self.orders.last() else { return };
                let new = Some(self.order_item(order));
                changes.push(Change::of(self.order_keys(order), None, new, window, &mut random));
                for line in &order.lines {
                    let new = Some(line_item(order, line));
                    changes.push(Change::of(
                        line_keys(order, line),
                        None,
                        new,
                        window,
                        &mut random,
                    ));
                }
            }
            60..100 if self.present => {
                let old = Some(self.item());
                let home = self.addresses.first().map_or(0, |address| address.country);
                match random.below(3) {
                    0 => self.email = format!("{}+{}@example.org", self.username, window.number),
                    1 => self.fullname.push_str(" Jr."),
                    _ => {
                        let abroad = random.permille(300);
                        let country = if abroad { Catalogue::country(&mut random) } else { home };
                        let address = Address::new(country, &mut random);
                        if let Some(home) = self.addresses.first_mut() {
                            *home = address;
                        }
                    }
                }
                changes.push(self.change(old, window, &mut random));
            }
            100..130 => {
                let order = random.below(self.orders.len().max(1) as u64) as usize;
                let Some(order) = self.orders.get_mut(order) else { return };
                let Some(line) = order.lines.first().copied() else { return };
                let old = Some(line_item(order, &line));
                let corrected = Line { cents: line.cents + 1 + random.below(500), ..line };
                if let Some(line) = order.lines.first_mut() {
                    *line = corrected;
                }
                let new = Some(line_item(order, &corrected));
                changes.push(Change::of(line_keys(order, &line), old, new, window, &mut random));
            }
            // An order is called off: the item and its lines go.
            130..150 if self.orders.first().is_some_and(|order| order.present) => {
                let order = self.orders.remove(0);
                let old = Some(self.order_item(&order));
                changes.push(Change::of(self.order_keys(&order), old, None, window, &mut random));
                for line in &order.lines {
                    let old = Some(line_item(&order, line));
                    changes.push(Change::of(
                        line_keys(&order, line),
                        old,
                        None,
                        window,
                        &mut random,
                    ));
                }
            }
            // A customer wishes to be forgotten; the orders stay. Not in the first window, in which
            // the customer may have come.
            150..155 if self.present && window.number > 1 => {
                let old = self.item();
                self.present = false;
                let keys = self.keys();
                changes.push(Change::of(keys, Some(old), None, window, &mut random));
            }
            _ => {}
        }
    }

    fn change(&self, old: Option<Vec<u8>>, window: Window, random: &mut Random) -> Change {
        Change::of(self.keys(), old, Some(self.item()), window, random)
    }

    fn keys(&self) -> Vec<u8> {
        let key = format!("CUST#{}", self.username);
        keys(&key, &key)
    }

    fn order_keys(&self, order: &Order) -> Vec<u8> {
        keys(&format!("CUST#{}", self.username), &format!("ORD#{:012}", order.id))
    }

    fn item(&self) -> Vec<u8> {
        let mut item = Vec::new();
        self.write(&mut item);
        item
    }

    fn order_item(&self, order: &Order) -> Vec<u8> {
        let mut item = Vec::new();
        self.write_order(order, &mut item);
        item
    }

    fn write(&self, out: &mut Vec<u8>) {
        let name = &self.username;
        put(out, format_args!(r#"{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"CUST#{name}"}},"#));
        put(out, format_args!(r#""type":{{"S":"customer"}},"username":{{"S":"{name}"}},"#));
        let (email, fullname) = (&self.email, self.fullname.replace('"', "\\\""));
        put(out, format_args!(r#""email":{{"S":"{email}"}},"fullname":{{"S":"{fullname}"}},"#));
        out.extend_from_slice(br#""address":{"M":{"#);
        for (at, (address, name)) in self.addresses.iter().zip(ADDRESSES).enumerate() {
            put(out, format_args!(r#"{}"{name}":{{"M":{{"#, if at > 0 { "," } else { "" }));
            address.write(out);
            out.extend_from_slice(b"}}");
        }
        out.extend_from_slice(b"}}}");
    }

    fn write_order(&self, order: &Order, out: &mut Vec<u8>) {
        let (name, id) = (&self.username, order.id);
        put(out, format_args!(r#"{{"PK":{{"S":"CUST#{name}"}},"SK":{{"S":"ORD#{id:012}"}},"#));
        put(out, format_args!(r#""GSIpk":{{"S":"ORD#{id:012}"}},"GSIsk":{{"S":"ORD#{id:012}"}},"#));
        put(out, format_args!(r#""type":{{"S":"order"}},"orderid":{{"S":"{id:012}"}},"#));
        let Order { year, month, day, second, .. } = order;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        put(
            out,
            format_args!(
                r#""orderdate":{{"S":"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"}},"#
            ),
        );
        put(out, format_args!(r#""numberofitems":{{"N":"{}"}}"#, order.lines.len()));
        if let Some(name) = order.shipto.and_then(|at| ADDRESSES.get(at)) {
            put(out, format_args!(r#","shipto":{{"S":"{name}"}}"#));
        }
        out.push(b'}');
    }
}

impl Address {
    fn new(country: usize, random: &mut Random) -> Self {
        Self {
            country,
            city: random.below(4) as usize,
            street: random.below(4) as usize,
            number: 1 + random.below(240),
            postcode: 10_000 + random.below(89_999),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let country = COUNTRIES.get(self.country).unwrap_or(&COUNTRIES[0]);
        let (city, state) = country.cities.get(self.city).unwrap_or(&country.cities[0]);
        let street = country.streets.get(self.street).unwrap_or(&country.streets[0]);
        let Self { number, postcode, .. } = self;
        put(out, format_args!(r#""street":{{"S":"{street} {number}"}},"city":{{"S":"{city}"}},"#));
        put(out, format_args!(r#""state":{{"S":"{state}"}},"postcode":{{"S":"{postcode}"}},"#));
        put(out, format_args!(r#""country":{{"S":"{}"}}"#, country.code));
    }
}

impl Change {
    fn of(
        keys: Vec<u8>,
        old: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
        window: Window,
        random: &mut Random,
    ) -> Self {
        Self { keys, old, new, micros: window.from_micros + random.below(DAY_MICROS) }
    }

    /// The line of an incremental export with both images.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(
            out,
            format_args!(
                r#"{{"Metadata":{{"WriteTimestampMicros":{{"N":"{}"}}}},"Keys":"#,
                self.micros
            ),
        );
        out.extend_from_slice(&self.keys);
        for (name, image) in [("OldImage", &self.old), ("NewImage", &self.new)] {
            if let Some(image) = image {
                put(out, format_args!(r#","{name}":"#));
                out.extend_from_slice(image);
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

fn keys(partition: &str, sort: &str) -> Vec<u8> {
    format!(r#"{{"PK":{{"S":"{partition}"}},"SK":{{"S":"{sort}"}}}}"#).into_bytes()
}

fn line_keys(order: &Order, line: &Line) -> Vec<u8> {
    keys(&format!("ORD#{:012}", order.id), &format!("PROD#P{:06}", line.product.number))
}

fn line_item(order: &Order, line: &Line) -> Vec<u8> {
    let mut item = Vec::new();
    write_line(order, line, &mut item);
    item
}

fn write_line(order: &Order, line: &Line, out: &mut Vec<u8>) {
    let (id, product) = (order.id, line.product);
    let number = product.number;
    put(out, format_args!(r#"{{"PK":{{"S":"ORD#{id:012}"}},"SK":{{"S":"PROD#P{number:06}"}},"#));
    put(
        out,
        format_args!(r#""GSIpk":{{"S":"ORD#{id:012}"}},"GSIsk":{{"S":"PROD#P{number:06}"}},"#),
    );
    put(out, format_args!(r#""type":{{"S":"product"}},"orderid":{{"S":"{id:012}"}},"#));
    let category = CATEGORIES.get(product.category).map_or("", |category| category.name);
    put(
        out,
        format_args!(r#""productid":{{"S":"P{number:06}"}},"category":{{"S":"{category}"}},"#),
    );
    let Product { style, thing, color, .. } = product;
    put(out, format_args!(r#""productname":{{"S":"{style} {thing}"}},"color":{{"S":"{color}"}},"#));
    out.extend_from_slice(br#""price":{"N":""#);
    price(line.cents, out);
    out.extend_from_slice(br#""}}"#);
}

/// As DynamoDB writes numbers: without zeros at the end.
fn price(cents: u64, out: &mut Vec<u8>) {
    match (cents / 100, cents % 100) {
        (whole, 0) => put(out, format_args!("{whole}")),
        (whole, part) if part % 10 == 0 => put(out, format_args!("{whole}.{}", part / 10)),
        (whole, part) => put(out, format_args!("{whole}.{part:02}")),
    }
}

/// Writing to memory cannot fail.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn days(year: i16, month: i8) -> u64 {
    match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cents: u64) -> String {
        let mut out = Vec::new();
        price(cents, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prices_are_written_as_dynamodb_does() {
        assert_eq!([1999, 1990, 1900, 5, 50].map(written), ["19.99", "19.9", "19", "0.05", "0.5"]);
    }

    #[test]
    fn every_item_is_json_and_keys_are_unique() {
        let catalogue = Catalogue::new(1, 300);
        let (mut keys, mut items, mut bytes) = (std::collections::BTreeSet::new(), 0_u64, 0);
        for index in 0..300 {
            Customer::new(1, index, &catalogue).items(|item| {
                let item: serde_json::Value = serde_json::from_slice(item).unwrap();
                let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
                assert!(keys.insert((text("PK"), text("SK"))), "{item}");
                items += 1;
                bytes += item.to_string().len() as u64;
            });
        }
        assert!((4000..5000).contains(&items), "about 15 a customer: {items}");
        assert!((270..340).contains(&(bytes / items)), "about 300 bytes: {}", bytes / items);
    }

    #[test]
    fn changes_fit_the_state_that_they_change() {
        let catalogue = Catalogue::new(1, 2000);
        let (mut puts, mut updates, mut removes) = (0, 0, 0);
        for index in 0..2000 {
            let mut customer = Customer::new(1, index, &catalogue);
            for number in 1..=3 {
                let state = |customer: &Customer| {
                    let mut items = std::collections::BTreeSet::new();
                    customer.items(|item| {
                        items.insert(item.to_vec());
                    });
                    items
                };
                let mut expected = state(&customer);
                let (from_micros, mut changes) = (1, Vec::new());
                let window = Window { number, from_micros, year: 2024, month: 1, day: 1 };
                customer.advance(1, window, &catalogue, &mut changes);
                for change in &changes {
                    match (&change.old, &change.new) {
                        (None, Some(_)) => puts += 1,
                        (Some(_), Some(_)) => updates += 1,
                        (Some(_), None) => removes += 1,
                        (None, None) => panic!("a change without an image"),
                    }
                    let old = change.old.as_ref();
                    assert!(old.is_none_or(|old| expected.remove(old)), "the image was there");
                    expected.extend(change.new.clone());
                }
                assert_eq!(state(&customer), expected);
            }
        }
        assert!(puts > 100 && updates > 100 && removes > 100, "{puts} {updates} {removes}");
    }
}

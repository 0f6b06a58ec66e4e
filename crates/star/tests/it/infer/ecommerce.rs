//! The article's table: customers with addresses, orders, order lines that are called products.

use keystar_star::{Name, Resolve, Source};

use super::is_golden;
use super::items::{Dice, item, m, n, s};

pub(super) fn items(customers: u64) -> Vec<String> {
    let dice = &mut Dice(1);
    let mut items = Vec::new();
    let colors = ["red", "blue", "green", "black", "white"];
    let categories = ["books", "garden", "kitchen", "music", "sports", "toys"];
    for customer in 0..customers {
        let username =
            format!("{}{customer}", dice.one_of(&["ann", "bob", "cyd", "dee", "eve", "fay"]));
        let key = format!("CUST#{username}");
        let address = |dice: &mut Dice| {
            m(&[
                (
                    "street",
                    s(format!(
                        "{} {} Street",
                        1 + dice.below(200),
                        dice.one_of(&["High", "Mill", "Church", "Park"])
                    )),
                ),
                ("city", s(dice.one_of(&["Auckland", "Leeds", "Austin", "Lyon", "Porto", "Graz"]))),
                ("state", s(dice.one_of(&["AKL", "WYK", "TX", "ARA", "NOR", "STY"]))),
                ("postcode", s(format!("{:05}", dice.below(100_000)))),
                ("country", s(dice.one_of(&["NZ", "GB", "US", "FR", "PT", "AT"]))),
            ])
        };
        let mut addresses = vec![("home", address(dice))];
        if dice.below(2) == 0 {
            addresses.push(("work", address(dice)));
        }
        if dice.below(5) == 0 {
            addresses.push(("other", address(dice)));
        }
        items.push(item(&[
            ("PK", s(&key)),
            ("SK", s(&key)),
            ("type", s("customer")),
            ("username", s(&username)),
            ("email", s(format!("{username}@mail.example"))),
            ("fullname", s(format!("{} Example {customer}", &username[..3]))),
            ("address", m(&addresses)),
        ]));
        for _ in 0..dice.below(4) {
            let order = dice.id();
            let order_key = format!("ORD#{order}");
            let lines = 1 + dice.below(4);
            let (shipto, _) = addresses[dice.below(addresses.len() as u64) as usize];
            items.push(item(&[
                ("PK", s(&key)),
                ("SK", s(&order_key)),
                ("GSIpk", s(&order_key)),
                ("GSIsk", s(&order_key)),
                ("type", s("order")),
                ("orderid", s(&order)),
                ("orderdate", s(dice.moment(2021))),
                ("numberofitems", n(lines)),
                ("shipto", s(shipto)),
            ]));
            let first = dice.below(60);
            for line in 0..lines {
                let number = (first + line * 7) % 60;
                let product = format!("P{number:04}");
                let product_key = format!("PROD#{product}");
                items.push(item(&[
                    ("PK", s(&order_key)),
                    ("SK", s(&product_key)),
                    ("GSIpk", s(&order_key)),
                    ("GSIsk", s(&product_key)),
                    ("type", s("product")),
                    ("orderid", s(&order)),
                    ("productid", s(&product)),
                    ("category", s(categories[number as usize % 6])),
                    ("productname", s(format!("Thing number {number}"))),
                    ("color", s(colors[number as usize % 5])),
                    ("price", n(format!("{}.{}", 1 + dice.below(300), 1 + dice.below(99)))),
                ]));
            }
        }
    }
    items
}

#[test]
fn the_articles_table_is_understood() {
    let model = is_golden(&items(300), "ecommerce");
    let name = |name: &str| Name::new(name).unwrap();
    let sales = model.fact(&name("sales")).unwrap();
    assert_eq!(sales.entity, name("product"));
    assert_eq!(sales.grain, [name("orderid"), name("productid")]);
    let roles: Vec<&str> = sales.dimensions.iter().map(|role| role.role.as_str()).collect();
    assert_eq!(roles, ["product", "customer", "address", "date"]);
    assert!(matches!(sales.dimensions[1].resolve, Resolve::AsOf(_)));
    // The address that the order names, never all of the customer's.
    let address: Vec<&str> =
        sales.dimensions[2].key.iter().map(|key| key.column.as_str()).collect();
    assert_eq!(address, ["username", "shipto"]);
    let order = model.entity(&name("order")).unwrap();
    assert!(matches!(order.column(&name("username")).unwrap().source, Source::Key { .. }));
}

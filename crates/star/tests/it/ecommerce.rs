//! The model of the e-commerce table, and the mistakes that the table invites.

use keystar_star::{
    ColumnRef, Condition, History, KeyTemplate, Model, ModelSpec, Name, Operand, Resolve, Source,
    TimeFormat, Type, UnnestOver,
};

pub(crate) const MODEL: &str = include_str!("../../../../examples/ecommerce/model.toml");

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| name(text)).collect()
}

fn template(text: &str) -> KeyTemplate {
    KeyTemplate::parse(text).unwrap()
}

#[test]
fn the_model_is_complete() {
    let model = Model::parse(MODEL).unwrap();
    assert_eq!((&*model.table.partition, model.table.sort.as_deref()), ("PK", Some("SK")));
    let entities: Vec<&str> = model.entities.iter().map(|entity| entity.name.as_str()).collect();
    assert_eq!(entities, ["customer", "address", "order", "line"]);

    let customer = model.entity(&name("customer")).unwrap();
    let like = |attribute: &str, text| Condition::Like {
        attribute: attribute.into(),
        template: template(text),
    };
    assert_eq!(
        customer.matcher.conditions,
        [
            Condition::Equals { attribute: "type".into(), value: "customer".into() },
            like("PK", "CUST#{username}"),
            like("SK", "CUST#{username}"),
            Condition::Same {
                variable: "username".into(),
                left: ("PK".into(), template("CUST#{username}")),
                right: ("SK".into(), template("CUST#{username}")),
            },
        ]
    );
    assert_eq!(customer.key, names(&["username"]));

    let address = model.entity(&name("address")).unwrap();
    assert_eq!(address.matcher, customer.matcher);
    let unnest = address.unnest.as_ref().unwrap();
    assert_eq!((unnest.parent.as_str(), unnest.path.head()), ("customer", "address"));
    assert_eq!(unnest.over, UnnestOver::Map);
    assert_eq!(address.key, names(&["username", "name"]));
    let username = address.column(&name("username")).unwrap();
    assert_eq!(username.source, Source::Parent(name("username")));
    assert_eq!(username.ty, Type::Text { max_bytes: 64 });

    let order = model.entity(&name("order")).unwrap();
    assert_eq!(order.key, names(&["username", "orderid"]));
    assert_eq!(order.unique, [names(&["orderid"])]);
    let columns: Vec<&str> = order.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["username", "orderid", "orderdate", "numberofitems", "shipto"]);
    assert_eq!(
        order.columns[0].source,
        Source::Key {
            attribute: "PK".into(),
            template: template("CUST#{username}"),
            variable: "username".into()
        }
    );
    assert_eq!(order.columns[2].ty, Type::Timestamp(TimeFormat::Iso));

    let line = model.entity(&name("line")).unwrap();
    assert_eq!(line.key, names(&["orderid", "productid"]));
    let price = line.column(&name("price")).unwrap();
    assert_eq!(price.ty, Type::Decimal { precision: 10, scale: 2 });

    let customers = model.dimension(&name("customer")).unwrap();
    assert!(customers.has_history());
    assert_eq!(customers.attributes[1].history, History::Versions);
    assert_eq!(model.calendar.as_ref().unwrap().name, name("date"));

    let sales = model.fact(&name("sales")).unwrap();
    assert_eq!(sales.grain, names(&["orderid", "productid"]));
    let own = |column: &str| ColumnRef::new(None, name(column));
    let order = |column: &str| ColumnRef::new(Some(name("order")), name(column));
    assert_eq!(sales.joins[0].on, [(name("orderid"), Operand::Column(own("orderid")))]);
    let roles: Vec<_> = sales
        .dimensions
        .iter()
        .map(|role| (role.role.as_str(), role.dimension.as_str(), role.key.clone()))
        .collect();
    assert_eq!(
        roles,
        [
            ("customer", "customer", vec![order("username")]),
            ("address", "address", vec![order("username"), order("shipto")]),
            ("product", "product", vec![own("productid")]),
            ("date", "date", vec![order("orderdate")]),
        ]
    );
    assert_eq!(sales.dimensions[0].resolve, Resolve::AsOf(order("orderdate")));
    assert_eq!(sales.measures[0].column, name("price"));
    assert_eq!(model.fact(&name("orders")).unwrap().grain, names(&["username", "orderid"]));
}

#[test]
fn the_spec_is_read_back() {
    let spec = ModelSpec::parse(MODEL).unwrap();
    assert_eq!(ModelSpec::parse(&spec.to_toml()).unwrap(), spec);
}

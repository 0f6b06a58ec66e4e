use keystar_item::{
    AttributeValue, Index, Item, KeyAttribute, KeySchema, KeyType, Number, Projection, Table,
};

fn table() -> Table {
    Table::new(KeySchema::new(KeyAttribute::new("pk", KeyType::S)))
}

#[track_caller]
fn invalid(table: &Table, rule: &str) {
    assert_eq!(table.validate().unwrap_err().to_string(), format!("invalid table: {rule}"));
}

#[test]
fn the_rules_for_tables() {
    let key = |name: &str| KeySchema::new(KeyAttribute::new(name, KeyType::S));
    assert!(table().with_name("abc").validate().is_ok());
    let rule = "a table's name has 3 to 255 characters out of a-z A-Z 0-9 _ - .";
    invalid(&table().with_name("ab"), rule);
    invalid(&table().with_name("a b"), rule);
    invalid(&table().with_name("x".repeat(256)), rule);

    let rule = "the name of a key attribute has 1 to 255 bytes";
    assert!(Table::new(key(&"x".repeat(255))).validate().is_ok());
    invalid(&Table::new(key(&"x".repeat(256))), rule);
    invalid(&Table::new(key("")), rule);
    invalid(
        &Table::new(key("pk").with_sort(KeyAttribute::new("pk", KeyType::S))),
        "partition key and sort key are two attributes",
    );

    let indexes = |count: usize| {
        (0..count).fold(table(), |table, i| {
            table.with_index(Index::new(format!("index-{i}"), key(&format!("a{i}"))))
        })
    };
    assert!(indexes(20).validate().is_ok());
    invalid(&indexes(21), "a table has at most 20 global secondary indexes");
    let twice = indexes(1).with_index(Index::new("index-0", key("b")));
    invalid(&twice, "the indexes of a table have different names");
    let number = KeySchema::new(KeyAttribute::new("pk", KeyType::N));
    invalid(
        &table().with_index(Index::new("other-type", number)),
        "an attribute has the same type in every key",
    );
    let including = |count: usize| {
        let names = (0..count).map(|i| i.to_string()).collect();
        table().with_index(Index::new("abc", key("a")).with_projection(Projection::Include(names)))
    };
    assert!(including(20).validate().is_ok());
    invalid(&including(21), "an index includes 1 to 20 attributes by name");
    invalid(&including(0), "an index includes 1 to 20 attributes by name");
    assert!(table().with_ttl_attribute("expires").validate().is_ok());
    invalid(&table().with_ttl_attribute(""), "the name of the TTL attribute has 1 to 255 bytes");
}

#[test]
fn encoded_keys_differ_where_items_do() {
    let schema = KeySchema::new(KeyAttribute::new("a", KeyType::S))
        .with_sort(KeyAttribute::new("b", KeyType::N));
    let key = |a: &str, b: &str| {
        let mut item = Item::new();
        item.push("b", Number::parse(b.to_owned()).unwrap());
        item.push("a", a.to_owned());
        item.push("c", "no matter");
        let mut out = b"kept".to_vec();
        assert!(schema.encode_key(&item, &mut out));
        out
    };
    assert_eq!(key("x", "10"), key("x", "1e1"));
    assert_ne!(key("x", "10"), key("x1", "0"));
    assert_ne!(key("x", "1"), key("x", "-1"));

    let mut out = b"kept".to_vec();
    let mut item = Item::new();
    assert!(!schema.encode_key(&item, &mut out));
    item.push("a", "x");
    item.push("b", AttributeValue::from("no number"));
    assert!(!schema.encode_key(&item, &mut out));
    assert_eq!(out, b"kept");
}

#[cfg(feature = "serde")]
#[test]
fn specs_are_read_and_written() {
    use keystar_item::Billing;

    let spec = r#"
name = "users"
ttl_attribute = "expires"

[key.partition]
name = "pk"
type = "S"

[key.sort]
name = "sk"
type = "N"

[[indexes]]
name = "by-email"
key.partition = { name = "email" }
projection = { include = ["name"] }

[[indexes]]
name = "by-age"
key.partition = { name = "age", type = "N" }
projection = "keys-only"

[billing.provisioned]
read_units = 5
write_units = 10
"#;
    let table: Table = toml::from_str(spec).unwrap();
    assert!(table.validate().is_ok());
    assert_eq!(table.key.sort, Some(KeyAttribute::new("sk", KeyType::N)));
    assert_eq!(table.indexes[0].key.partition.kind, KeyType::S);
    assert_eq!(table.indexes[0].projection, Projection::Include(vec!["name".into()]));
    assert_eq!(table.indexes[1].projection, Projection::KeysOnly);
    assert_eq!(table.billing, Billing::Provisioned { read_units: 5, write_units: 10 });
    let again: Table = toml::from_str(&toml::to_string(&table).unwrap()).unwrap();
    assert_eq!(again, table);

    let plain: Table =
        toml::from_str("billing = \"on-demand\"\nkey.partition.name = \"pk\"").unwrap();
    assert_eq!(plain, self::table());
    assert!(toml::from_str::<Table>("key.partition.name = \"pk\"\nnmae = \"x\"").is_err());
    assert!(toml::from_str::<Table>("key.partition = { name = \"pk\", type = \"X\" }").is_err());
}

#[cfg(feature = "schemars")]
#[test]
fn the_schema_names_what_a_spec_may_hold() {
    let schema = schemars::schema_for!(Table);
    let schema = schema.as_value();
    let mut properties: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    properties.sort();
    assert_eq!(properties, ["billing", "indexes", "key", "name", "ttl_attribute"]);
    assert_eq!(schema["required"], serde_json::json!(["key"]));
    assert_eq!(schema["additionalProperties"], false);
}

//! Models that are not the example: what they make, and what they must not.

use keystar_sql::{
    Compare, CopySource, DataFusion, Error, Period, Plan, PostgreSql, Question, Redshift, Schema,
    SqlType, TableName, Write, year_on_year,
};
use keystar_star::{ColumnRef, Lock, Model, Name};

use crate::ecommerce::{dialects, model, name, question};

/// A table of payments without any dimension of its own, with everything that has a type.
const PAYMENTS: &str = r#"
    table.partition_key = "id"

    [entity.payment]
    pk = "P#{id}"
    [entity.payment.columns]
    id = "text(20)"
    amount = "double"
    cents = "int"
    tags = "list<text(10)>"
    note = "json"
    paid = "date(iso)"
    by = "text(20)"

    [dimension.payer]
    entity = "payment"
    key = ["by"]
    attributes = { tags = "type2", note = "type1" }

    [calendar]
    name = "day"

    [fact.paid]
    entity = "payment"
    grain = ["id"]
    measures = { amount = "amount", cents = "cents" }
    [fact.paid.dimensions]
    payer = { key = ["by"], as_of = "paid" }
    paid_on = { dimension = "day", key = ["paid"] }
"#;

#[test]
fn the_tables_of_the_star() {
    let plan = Plan::new(&model()).unwrap();
    let tables: Vec<_> = plan.tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(
        tables,
        [
            "landing.customer",
            "landing.address",
            "landing.order",
            "landing.line",
            "staging.customer",
            "staging.address",
            "staging.product",
            "staging.sales",
            "staging.orders",
            "keys.customer",
            "keys.address",
            "keys.product",
            "dwh.customer",
            "dwh.address",
            "dwh.product",
            "dwh.date",
            "dwh.sales",
            "dwh.orders",
        ]
    );
    let columns = |schema, table: &str| {
        let table = plan.table(&TableName::new(schema, name(table))).unwrap();
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.to_string()).collect();
        columns.join(" ")
    };
    assert_eq!(columns(Schema::Landing, "customer"), "_pk _sk _written_at username email fullname");
    assert_eq!(columns(Schema::Keys, "customer"), "customer_key username valid_from");
    assert_eq!(columns(Schema::Keys, "address"), "address_key username name");
    assert_eq!(
        columns(Schema::Dwh, "customer"),
        "customer_key username email fullname is_inferred is_deleted valid_from valid_to is_current"
    );
    assert_eq!(
        columns(Schema::Dwh, "sales"),
        "customer_key address_key product_key date_key orderid productid price"
    );
    assert_eq!(
        columns(Schema::Dwh, "date"),
        "date_key date year quarter month day iso_year iso_week weekday month_name weekday_name \
         fiscal_year fiscal_quarter"
    );
}

#[test]
fn a_step_gives_its_tables_columns_in_their_order() {
    for spec in [include_str!("../../../../examples/ecommerce/model.toml"), PAYMENTS] {
        let plan = Plan::new(&Model::parse(spec).unwrap()).unwrap();
        for step in &plan.steps {
            let table = plan.table(&step.target).unwrap();
            let wanted: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let given: Vec<_> = step.select.columns.iter().map(|(_, name)| name.as_str()).collect();
            assert_eq!(given, wanted, "{}", step.name);
            for other in &step.select.union_all {
                let given: Vec<_> = other.columns.iter().map(|(_, name)| name.as_str()).collect();
                assert_eq!(given, wanted, "{}", step.name);
            }
            assert_eq!(
                step.write == Write::Append,
                step.target.schema == Schema::Keys,
                "{}",
                step.name
            );
        }
        let names: std::collections::BTreeSet<_> = plan.tests.iter().map(|it| &it.name).collect();
        assert_eq!(names.len(), plan.tests.len(), "a test's name tells it from all others");
    }
}

#[test]
fn types_that_nest_and_float_have_their_forms() {
    let model = Model::parse(PAYMENTS).unwrap();
    let plan = Plan::new(&model).unwrap();
    for (_, dialect) in dialects() {
        for step in &plan.steps {
            step.select.to_sql(dialect).unwrap();
        }
        for test in &plan.tests {
            test.select.to_sql(dialect).unwrap();
        }
    }
    let ddl = plan.ddl(&Redshift).unwrap().join("\n");
    assert!(ddl.contains("\"tags\" SUPER") && ddl.contains("\"note\" VARCHAR(65535)"), "{ddl}");
    let ddl = plan.ddl(&PostgreSql).unwrap().join("\n");
    assert!(ddl.contains("\"tags\" JSONB") && ddl.contains("\"note\" TEXT"), "{ddl}");

    let source = (name("payment"), CopySource::manifest("s3://lake/m", "role"));
    let script = plan.script_copying(&Redshift, std::slice::from_ref(&source)).unwrap();
    let copy = script.iter().find(|statement| statement.starts_with("COPY")).unwrap();
    assert!(copy.contains("PARQUET SERIALIZETOJSON\nMANIFEST"), "{copy}");
    let wrong = (name("payer"), source.1);
    assert_eq!(
        plan.script_copying(&Redshift, &[wrong]).unwrap_err().to_string(),
        "COPY: there is no entity `payer`, but `payment`"
    );
    // By month and floating: the sums stay what they are.
    let question = Question::new(name("paid"), name("amount"), name("paid_on"))
        .period(Period::Month)
        .by(name("payer"), name("by"));
    let sql = year_on_year(&model, &question).unwrap().to_sql(&DataFusion).unwrap();
    assert!(sql.contains("CAST(NULL AS DOUBLE PRECISION)"), "{sql}");
}

#[test]
fn a_key_that_may_be_missing_is_no_fault() {
    let plan = Plan::new(&Model::parse(PAYMENTS).unwrap()).unwrap();
    assert!(!plan.tests.iter().any(|test| test.name.starts_with("landing.")), "{:?}", plan.tests);
}

#[test]
fn an_embedded_warehouse_has_no_script() {
    let plan = Plan::new(&model()).unwrap();
    assert_eq!(plan.script(&DataFusion).unwrap_err().to_string(), "DataFusion has no transactions");
}

#[test]
fn landing_has_the_order_of_the_lock() {
    let model = model();
    let earlier = include_str!("../../../../examples/ecommerce/model.toml")
        .replace("email = \"text(254)\"", "phone = \"text(20)\"\nemail = \"text(200)\"");
    let lock = Lock::default().reconcile(&Model::parse(&earlier).unwrap()).unwrap();
    let lock = lock.reconcile(&model).unwrap();
    let plan = Plan::locked(&model, &lock).unwrap();
    let landing = plan.table(&TableName::new(Schema::Landing, name("customer"))).unwrap();
    let columns: Vec<_> = landing.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["_pk", "_sk", "_written_at", "username", "phone", "email", "fullname"]);
    let dwh = plan.table(&TableName::new(Schema::Dwh, name("customer"))).unwrap();
    assert_eq!(dwh.column(&name("email")).unwrap().ty, SqlType::Text { max_bytes: 254 });
    assert!(dwh.column(&name("phone")).is_none());
}

#[test]
fn names_that_meet_are_refused() {
    // A model that was read has none; one that was put together may.
    let mut model = model();
    model.facts[0].degenerate.push((name("date_key"), ColumnRef::new(None, name("orderid"))));
    assert_eq!(
        Plan::new(&model).unwrap_err().to_string(),
        "dwh.sales would have `date_key` twice; rename one of them in the model"
    );
    let mut model = crate::ecommerce::model();
    model.facts[0].name = name("customer");
    assert_eq!(
        Plan::new(&model).unwrap_err().to_string(),
        "staging would have `customer` twice; rename one of them in the model"
    );
    let mut model = crate::ecommerce::model();
    model.facts[0].dimensions[0].role = Name::fold(&"r".repeat(127));
    assert!(matches!(Plan::new(&model), Err(Error::LongName { .. })));
    let mut model = crate::ecommerce::model();
    model.facts[0].dimensions[0].dimension = name("client");
    assert_eq!(
        Plan::new(&model).unwrap_err().to_string(),
        "fact sales, role customer: there is no dimension `client`, but `customer`, `address`, \
         `product`, `date`"
    );
}

#[test]
fn a_question_about_nothing_says_what_there_is() {
    let model = model();
    let error = |question: &Question| year_on_year(&model, question).unwrap_err().to_string();
    let ask = |fact: &str, measure: &str, date: &str| {
        Question::new(name(fact), name(measure), name(date))
    };
    assert_eq!(
        error(&ask("sale", "price", "date")),
        "question about sale: there is no fact `sale`, but `sales`, `orders`"
    );
    assert_eq!(
        error(&ask("sales", "amount", "date")),
        "question about sales: there is no measure `amount`, but `price`"
    );
    assert_eq!(
        error(&ask("sales", "price", "customer")),
        "question about sales, date customer: the role is no date; name a role of the calendar"
    );
    assert_eq!(
        error(&ask("orders", "numberofitems", "date").by(name("product"), name("category"))),
        "question about orders, by product.category: there is no role `product`, but `customer`, \
         `address`, `date`"
    );
    assert_eq!(
        error(&question().by(name("product"), name("brand"))),
        "question about sales, by product.brand: there is no attribute `brand`, but `productid`, \
         `productname`, `color`, `category`"
    );
    assert_eq!(
        error(&question().by(name("product"), name("category"))),
        "question about sales, by product.category: two columns of the answer would have this \
         name; ask for it once"
    );
    assert_eq!(
        error(&question().compare(Compare::Two { previous: (2021, 5), current: (2022, 1) })),
        "question about sales: period 5 of 2021: a year has 1 to 4"
    );
}

#[test]
fn what_cannot_grow_in_place_is_refused() {
    let old = Plan::new(&model()).unwrap();
    let grown = |from: &str, to: &str| {
        let spec = include_str!("../../../../examples/ecommerce/model.toml").replace(from, to);
        Plan::new(&Model::parse(&spec).unwrap()).unwrap()
    };
    let error = |plan: &Plan| plan.upgrade(&Redshift, &old.tables).unwrap_err().to_string();
    assert_eq!(
        error(&grown("shipto = \"text(16)\"", "shipto = \"text(8)\"\n")),
        "landing.order, column `shipto`: its type cannot become the new one in place; give the new \
         values a column of another name"
    );
    let wider = grown("decimal(10,2)", "decimal(12,2)");
    assert!(error(&wider).starts_with("landing.line, column `price`"));
    assert_eq!(
        wider.upgrade(&PostgreSql, &old.tables).unwrap(),
        ["landing\".\"line", "staging\".\"sales", "dwh\".\"sales"].map(|table| format!(
            "ALTER TABLE \"{table}\" ALTER COLUMN \"price\" TYPE DECIMAL(12,2)"
        ))
    );
    let spec = include_str!("../../../../examples/ecommerce/model.toml")
        .replace("\"type2\"", "\"type1\"")
        .replace(", as_of = \"order.orderdate\"", "")
        .replace(", as_of = \"orderdate\"", "");
    let history = Plan::new(&Model::parse(&spec).unwrap()).unwrap();
    assert_eq!(history.upgrade(&Redshift, &old.tables).unwrap(), Vec::<String>::new());
    let back = old.upgrade(&Redshift, &history.tables).unwrap_err().to_string();
    assert_eq!(
        back,
        "keys.customer, column `valid_from`: it may not be NULL, and the rows that are there would \
         be; make the table anew"
    );
}

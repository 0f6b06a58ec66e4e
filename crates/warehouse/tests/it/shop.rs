//! The shop of `examples/ecommerce`, loaded again and again as its table changes.

use std::{cell::Cell, path::Path};

use keystar_sql::{DataFusion, Dialect, Plan, Question, Schema, TableName, year_on_year};
use keystar_star::{Model, Name};
use keystar_warehouse::{
    Embedded, EmbeddedOptions, Error, Landing, LoadReport, LoadRun,
    result::{write_csv, write_parquet},
};
use tempfile::TempDir;

const MODEL: &str = include_str!("../../../../examples/ecommerce/model.toml");

/// What the lake holds: rows as SQL values, `written_at` first. The keys are made of the columns.
#[derive(Clone, Default)]
struct Lake {
    customers: Vec<&'static str>,
    addresses: Vec<&'static str>,
    orders: Vec<&'static str>,
    lines: Vec<&'static str>,
}

struct Shop {
    dir: TempDir,
    plan: Plan,
    warehouse: Embedded,
    files: Cell<u32>,
}

impl Shop {
    fn new() -> Self {
        Self::with_memory(128 << 20)
    }

    fn with_memory(memory_bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions { memory_bytes, threads: 2 };
        let warehouse = Embedded::open(&dir.path().join("wh"), options).unwrap();
        let plan = Plan::new(&Model::parse(MODEL).unwrap()).unwrap();
        Self { dir, plan, warehouse, files: Cell::new(0) }
    }

    fn landing(&self, entity: &str, rows: &[&str]) -> Landing {
        let table = TableName::new(Schema::Landing, Name::new(entity).unwrap());
        let columns = self.plan.table(&table).unwrap().columns.len();
        let blank = vec!["NULL"; columns - 2].join(", ");
        let mut values: Vec<String> = rows.iter().map(|row| format!("({row})")).collect();
        values.push(format!("({blank})"));
        self.landing_of(entity, &format!("VALUES {}", values.join(", ")))
    }

    /// The rows of a query that gives `column1`, `column2`, ….
    fn landing_of(&self, entity: &str, rows: &str) -> Landing {
        let table = TableName::new(Schema::Landing, Name::new(entity).unwrap());
        let columns = &self.plan.table(&table).unwrap().columns;
        // `_pk` and `_sk` are the row itself: different rows, different keys.
        let casts = columns.iter().enumerate().map(|(index, column)| {
            let value = match index {
                0 => "column2".to_owned(),
                1 => "column3".to_owned(),
                2 => "column1".to_owned(),
                other => format!("column{}", other - 1),
            };
            format!("{} AS \"{}\"", DataFusion.cast(&value, &column.ty).unwrap(), column.name)
        });
        let casts = casts.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {casts} FROM ({rows})");
        let sql = format!("SELECT * FROM ({sql}) WHERE _written_at IS NOT NULL");
        let rows = self.warehouse.query(&sql, &[]).unwrap();
        let columns = rows.schema();
        let number = self.files.replace(self.files.get() + 1);
        let file = self.dir.path().join(format!("{entity}-{number}.parquet"));
        write_parquet(&file, &columns, rows).unwrap();
        Landing { table, files: vec![file], columns }
    }

    fn try_load(&self, lake: &Lake) -> Result<LoadReport, Error> {
        let landing = [
            self.landing("customer", &lake.customers),
            self.landing("address", &lake.addresses),
            self.landing("order", &lake.orders),
            self.landing("line", &lake.lines),
        ];
        self.try_load_of(&landing)
    }

    fn try_load_of(&self, landing: &[Landing]) -> Result<LoadReport, Error> {
        let run = LoadRun { id: "r".into(), loaded_at: 0, source: "test".into() };
        self.warehouse.load(&self.plan, landing, &run, &|_| ())
    }

    fn load(&self, lake: &Lake) -> LoadReport {
        self.try_load(lake).unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let result = self.warehouse.query(sql, &[]).unwrap();
        let mut out = Vec::new();
        write_csv(&mut out, &result.schema(), result).unwrap();
        String::from_utf8(out).unwrap().lines().skip(1).map(str::to_owned).collect()
    }

    fn customers(&self) -> Vec<String> {
        self.rows(
            "SELECT customer_key, username, email, fullname, is_inferred AS i, is_deleted AS d,
               CAST(valid_from AS DATE), CAST(valid_to AS DATE), is_current
             FROM customer ORDER BY customer_key",
        )
    }

    fn sales(&self) -> Vec<String> {
        self.rows(
            "SELECT s.orderid, s.productid, s.customer_key, s.address_key, s.product_key,
               s.date_key, s.price
             FROM sales s ORDER BY 1, 2",
        )
    }
}

/// What a full export of the shop gives.
fn full() -> Lake {
    Lake {
        customers: vec![
            "'2022-07-01T00:00:00Z', 'ann', 'ann@x.org', 'Ann Lee'",
            "'2022-07-01T00:00:00Z', 'bob', 'bob@x.org', 'Bob Ray'",
        ],
        addresses: vec![
            "'2022-07-01T00:00:00Z', 'ann', 'home', '1 High St', 'Leeds', NULL, 'LS1', 'GB'",
            "'2022-07-01T00:00:00Z', 'ann', 'work', '2 Low St', 'Leeds', NULL, 'LS2', 'GB'",
            "'2022-07-01T00:00:00Z', 'bob', 'home', '3 Rue A', 'Paris', NULL, '75001', 'FR'",
        ],
        orders: vec![
            "'2022-07-01T00:00:00Z', 'ann', 'o1', '2021-04-12T10:20:30Z', 2, 'home'",
            "'2022-07-01T00:00:00Z', 'bob', 'o2', '2022-05-01T00:00:00Z', 1, 'home'",
            "'2022-07-01T00:00:00Z', 'ann', 'o3', '2022-06-30T23:59:59Z', 1, 'work'",
        ],
        lines: vec![
            "'2022-07-01T00:00:00Z', 'o1', 'p1', 'books', 'Atlas', 'red', '10.10'",
            "'2022-07-01T00:00:00Z', 'o1', 'p2', 'games', 'Chess', NULL, '5.00'",
            "'2022-07-01T00:00:00Z', 'o2', 'p1', 'books', 'Atlas', 'red', '20.20'",
            "'2022-07-01T00:00:00Z', 'o3', 'p1', 'books', 'Atlas', 'red', '15.15'",
        ],
    }
}

#[test]
fn a_full_export_becomes_the_star_and_no_address_doubles_a_sale() {
    let shop = Shop::new();
    let report = shop.load(&full());
    assert_eq!(report.commit.number, 1);
    assert!(report.tests.len() > 10, "{} tests", report.tests.len());
    assert_eq!(
        shop.customers(),
        [
            "-1,,,,false,false,1900-01-01,9999-12-31,true",
            "1,ann,ann@x.org,Ann Lee,false,false,1900-01-01,9999-12-31,true",
            "2,bob,bob@x.org,Bob Ray,false,false,1900-01-01,9999-12-31,true",
        ]
    );
    assert_eq!(
        shop.sales(),
        [
            "o1,p1,1,1,1,20210412,10.10",
            "o1,p2,1,1,2,20210412,5.00",
            "o2,p1,2,3,1,20220501,20.20",
            "o3,p1,1,2,1,20220630,15.15",
        ]
    );
    assert_eq!(
        shop.rows("SELECT * FROM address ORDER BY 1"),
        [
            "-1,,,,,,,,false,false",
            "1,ann,home,1 High St,Leeds,,LS1,GB,false,false",
            "2,ann,work,2 Low St,Leeds,,LS2,GB,false,false",
            "3,bob,home,3 Rue A,Paris,,75001,FR,false,false",
        ]
    );
    assert_eq!(shop.rows("SELECT count(*), sum(price) FROM sales"), ["4,50.45"]);
    assert_eq!(
        shop.rows("SELECT min(date), max(date), count(*) FROM date WHERE date_key > 0"),
        ["2021-01-01,2022-12-31,730"]
    );
}

#[test]
fn the_same_lake_twice_is_one_commit_whatever_its_files() {
    let shop = Shop::new();
    let first = shop.load(&full());
    let tree = tree(shop.dir.path());
    let again = shop.load(&full());
    assert!(again.unchanged);
    assert_eq!(again.commit, first.commit);
    let mut turned = full();
    turned.lines.reverse();
    turned.customers.reverse();
    assert!(shop.load(&turned).unchanged, "the order of rows is nothing");
    assert_eq!(self::tree(shop.dir.path()), tree);
}

/// The warehouse's files.
fn tree(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.join("wh")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_window_changes_the_star_as_the_table_changed() {
    let shop = Shop::new();
    let mut lake = full();
    shop.load(&lake);

    // Ann marries and has a new address; an order comes whose customer is not there yet; an order
    // line comes whose order is not.
    lake.customers[0] = "'2022-08-01T12:00:00Z', 'ann', 'ann@y.org', 'Ann Ray'";
    lake.addresses[0] =
        "'2022-08-01T12:00:00Z', 'ann', 'home', '3 Rue A', 'Paris', NULL, '75001', 'FR'";
    lake.orders.push("'2022-08-02T00:00:00Z', 'ann', 'o4', '2022-08-02T09:00:00Z', 1, 'home'");
    lake.orders.push("'2022-08-02T00:00:00Z', 'cid', 'o5', '2022-08-02T10:00:00Z', 1, 'home'");
    lake.lines.push("'2022-08-02T00:00:00Z', 'o4', 'p2', 'games', 'Chess', 'black', '6.00'");
    lake.lines.push("'2022-08-02T00:00:00Z', 'o5', 'p1', 'books', 'Atlas', 'red', '16.00'");
    lake.lines.push("'2022-08-02T00:00:00Z', 'o6', 'p3', 'books', 'Novel', NULL, '0.01'");
    let report = shop.load(&lake);
    assert_eq!(report.commit.number, 2);
    assert_eq!(
        shop.customers(),
        [
            "-1,,,,false,false,1900-01-01,9999-12-31,true",
            "1,ann,ann@y.org,Ann Lee,false,false,1900-01-01,2022-08-01,false",
            "2,bob,bob@x.org,Bob Ray,false,false,1900-01-01,9999-12-31,true",
            "3,ann,ann@y.org,Ann Ray,false,false,2022-08-01,9999-12-31,true",
            "4,cid,,,true,false,1900-01-01,9999-12-31,true",
        ],
        "a new version, the e-mail in both, and an inferred member"
    );
    assert_eq!(
        shop.sales(),
        [
            "o1,p1,1,1,1,20210412,10.10",
            "o1,p2,1,1,2,20210412,5.00",
            "o2,p1,2,3,1,20220501,20.20",
            "o3,p1,1,2,1,20220630,15.15",
            "o4,p2,3,1,2,20220802,6.00",
            "o5,p1,4,4,1,20220802,16.00",
            "o6,p3,-1,-1,3,-1,0.01",
        ],
        "sales before the change keep the version of their time; what is unknown is -1"
    );
    assert!(shop.load(&lake).unchanged);

    // The late customer comes, with the key that the fact has; so does the late order.
    lake.customers.push("'2022-08-03T00:00:00Z', 'cid', 'cid@x.org', 'Cid Poe'");
    lake.orders.push("'2022-08-03T00:00:00Z', 'bob', 'o6', '2022-08-01T00:00:00Z', 1, NULL");
    let report = shop.load(&lake);
    assert_eq!(
        shop.customers()[4..],
        ["4,cid,cid@x.org,Cid Poe,false,false,1900-01-01,9999-12-31,true"]
    );
    assert_eq!(shop.sales()[5..], ["o5,p1,4,4,1,20220802,16.00", "o6,p3,2,-1,3,20220801,0.01"]);
    let keys = |report: &LoadReport| report.commit.table("keys", "address").unwrap().clone();
    let before = keys(&report);

    // An order goes with its lines, and a customer with the addresses.
    lake.orders.remove(1);
    lake.lines.remove(2);
    lake.customers.remove(1);
    lake.addresses.remove(2);
    let report = shop.load(&lake);
    assert_eq!(keys(&report), before, "keys stay");
    assert_eq!(
        shop.customers()[2],
        "2,bob,bob@x.org,Bob Ray,false,true,1900-01-01,9999-12-31,true"
    );
    assert_eq!(
        shop.sales(),
        [
            "o1,p1,1,1,1,20210412,10.10",
            "o1,p2,1,1,2,20210412,5.00",
            "o3,p1,1,2,1,20220630,15.15",
            "o4,p2,3,1,2,20220802,6.00",
            "o5,p1,4,4,1,20220802,16.00",
            "o6,p3,2,-1,3,20220801,0.01",
        ]
    );
    // And comes back.
    lake.customers.push("'2022-09-01T00:00:00Z', 'bob', 'bob@x.org', 'Bob Ray'");
    shop.load(&lake);
    assert_eq!(
        shop.customers()[2],
        "2,bob,bob@x.org,Bob Ray,false,false,1900-01-01,9999-12-31,true"
    );
    assert_eq!(shop.warehouse.verify().unwrap().problems, []);
    assert!(shop.load(&lake).unchanged);
}

#[test]
fn the_growth_year_on_year_shows_new_and_ended_groups() {
    let shop = Shop::new();
    let mut lake = full();
    lake.orders.push("'2022-07-01T00:00:00Z', 'bob', 'o9', '2021-06-01T00:00:00Z', 1, 'home'");
    lake.lines.push("'2022-07-01T00:00:00Z', 'o9', 'p1', 'books', 'Atlas', 'red', '10.10'");
    shop.load(&lake);
    let name = |text: &str| Name::new(text).unwrap();
    let question = Question::new(name("sales"), name("price"), name("date"))
        .by(name("product"), name("category"))
        .by(name("address"), name("country"));
    let model = Model::parse(MODEL).unwrap();
    let sql = year_on_year(&model, &question).unwrap().to_sql(&DataFusion).unwrap();
    assert_eq!(
        shop.rows(&sql),
        [
            "books,FR,2022,2,10.10,20.20,10.10,100.00,compared",
            "books,GB,2022,2,10.10,15.15,5.05,50.00,compared",
            "games,GB,2022,2,5.00,,-5.00,,ended",
        ]
    );
}

#[test]
fn a_number_that_is_not_unique_stops_the_commit_and_is_named() {
    let shop = Shop::new();
    shop.load(&full());
    let mut lake = full();
    lake.orders.push("'2022-07-02T00:00:00Z', 'bob', 'o1', '2022-05-01T00:00:00Z', 1, 'home'");
    let error = shop.try_load(&lake).unwrap_err();
    let Error::Tests(tests) = &error else { panic!("{error}") };
    assert!(tests.iter().any(|test| test.sample.iter().any(|row| row.contains("o1"))), "{tests:?}");
    assert_eq!(shop.warehouse.status().unwrap().unwrap().number, 1);
    assert_eq!(shop.rows("SELECT count(*) FROM sales"), ["4"]);
}

#[test]
fn a_lake_without_a_row_is_a_star_of_unknown_members() {
    let shop = Shop::new();
    let run = LoadRun { id: "r".into(), loaded_at: 0, source: "nothing".into() };
    let report = shop.warehouse.load(&shop.plan, &[], &run, &|_| ()).unwrap();
    assert_eq!(report.commit.table("dwh", "sales").unwrap().rows, 0);
    assert_eq!(shop.customers(), ["-1,,,,false,false,1900-01-01,9999-12-31,true"]);
    shop.load(&full());
    assert_eq!(shop.rows("SELECT sum(price) FROM sales"), ["50.45"]);
}

/// A shop of many customers, half of whom have had another name and another country since August.
fn many(shop: &Shop, customers: u32, changed: bool) -> [Landing; 4] {
    let now = |odd: &str| match changed {
        true => {
            format!("CASE WHEN {odd} THEN '2022-08-01T12:00:00Z' ELSE '2022-07-01T00:00:00Z' END")
        }
        false => "'2022-07-01T00:00:00Z'".to_owned(),
    };
    let new = |old: &str, new: &str| match changed {
        true => format!("CASE WHEN n % 2 = 1 THEN {new} ELSE {old} END"),
        false => old.to_owned(),
    };
    let series = |rows: u32| format!("FROM (SELECT value AS n FROM generate_series(1, {rows}))");
    let rows = |columns: &[String], rows: u32| {
        let columns = columns.iter().zip(1..).map(|(text, n)| format!("{text} AS column{n}"));
        format!("SELECT {} {}", columns.collect::<Vec<_>>().join(", "), series(rows))
    };
    let text = |text: &str| text.to_owned();
    let user = format!("'a-customer-with-a-name-' || CAST(n % {customers} AS VARCHAR)");
    let order = "'order-' || CAST(n AS VARCHAR)";
    let of_order = format!("'order-' || CAST(n % {} AS VARCHAR)", 2 * customers);
    let date = "'2022-0' || CAST(1 + n % 9 AS VARCHAR) || '-15T00:00:00Z'";
    let full_name = new("'Ann ' || CAST(n AS VARCHAR)", "'Bob ' || CAST(n AS VARCHAR)");
    let country = new("'GB'", "'FR'");
    let customer = [now("n % 2 = 1"), user.clone(), text("'a@x.org'"), full_name];
    let address = [
        now("n % 2 = 1"),
        user.clone(),
        text("'home'"),
        text("'1 High St'"),
        text("'Leeds'"),
        text("CAST(NULL AS VARCHAR)"),
        text("'LS1'"),
        country,
    ];
    let orders = [now("n < 0"), user, text(order), text(date), text("2"), text("'home'")];
    let lines = [
        now("n < 0"),
        of_order,
        text("'p' || CAST(n % 701 AS VARCHAR)"),
        text("'books'"),
        text("'Atlas'"),
        text("'red'"),
        text("CAST(CAST(n % 10000 AS DECIMAL(10,2)) / 100 AS VARCHAR)"),
    ];
    [
        shop.landing_of("customer", &rows(&customer, customers)),
        shop.landing_of("address", &rows(&address, customers)),
        shop.landing_of("order", &rows(&orders, 2 * customers)),
        shop.landing_of("line", &rows(&lines, 4 * customers)),
    ]
}

#[test]
fn a_star_made_on_disk_is_the_star_made_in_memory() {
    let (roomy, tight) = (Shop::with_memory(512 << 20), Shop::with_memory(7 << 20));
    for changed in [false, true] {
        let landing = many(&roomy, 20_000, changed);
        let [in_memory, on_disk] = [&roomy, &tight]
            .map(|shop| shop.try_load_of(&landing).unwrap_or_else(|error| panic!("{error:?}")));
        let rows = |report: &LoadReport| -> Vec<(String, u64, String)> {
            let tables = report.commit.tables.iter();
            tables.map(|t| (t.name.clone(), t.rows, t.digest.clone())).collect()
        };
        assert_eq!(rows(&on_disk), rows(&in_memory));
        let steps = |report: &LoadReport| -> Vec<String> {
            let steps = report.steps.iter().filter(|step| step.on_disk);
            steps.map(|step| step.name.clone()).collect()
        };
        assert_eq!(steps(&in_memory), [""; 0]);
        let steps = steps(&on_disk);
        assert!(steps.iter().any(|step| step == "dwh.sales: facts"), "{steps:?}");
    }
    let versions = "SELECT count(*), sum(CAST(is_current AS INTEGER)) FROM customer";
    assert_eq!(tight.rows(versions), ["30001,20001"]);
}

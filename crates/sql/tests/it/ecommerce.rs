//! The model whose SQL is looked at, and the statements that are made of it.

use keystar_sql::{
    CopySource, DataFusion, Dialect, Ident, Plan, PostgreSql, Question, Redshift, year_on_year,
};
use keystar_star::{Model, Name};

pub(crate) fn model() -> Model {
    Model::parse(include_str!("../../../../examples/ecommerce/model.toml")).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn dialects() -> [(&'static str, &'static dyn Dialect); 3] {
    [("datafusion", &DataFusion), ("postgresql", &PostgreSql), ("redshift", &Redshift)]
}

/// What was the year-on-year quarterly sales growth by product category and country?
pub(crate) fn question() -> Question {
    Question::new(name("sales"), name("price"), name("date"))
        .by(name("product"), name("category"))
        .by(name("address"), name("country"))
}

/// Files and statements: `load.sql` and what stands in it.
pub(crate) fn all(dialect: &dyn Dialect) -> Vec<(&'static str, Vec<String>)> {
    let model = model();
    let plan = Plan::new(&model).unwrap();
    let tests = plan.tests.iter().map(|test| {
        let sql = test.select.to_sql(dialect).unwrap();
        format!("-- {}\n-- {}\n{sql}", test.name, test.explains)
    });
    let answer = year_on_year(&model, &question()).unwrap().to_sql(dialect).unwrap();
    let mut files = vec![("tests.sql", tests.collect()), ("year_on_year.sql", vec![answer])];
    if dialect.name() == "DataFusion" {
        let steps = plan.steps.iter().map(|step| {
            let sql = step.select.to_sql(dialect).unwrap();
            format!("-- {} ({:?})\n{sql}", step.name, step.write)
        });
        files.push(("steps.sql", steps.collect()));
        return files;
    }
    let (loader, reader) = (Ident::new("loader").unwrap(), Ident::new("analysts").unwrap());
    files.push(("ddl.sql", plan.ddl(dialect).unwrap()));
    files.push(("grants.sql", plan.grants(dialect, Some(&loader), Some(&reader)).unwrap()));
    let sources = if dialect.name() == "Redshift" {
        let role = "arn:aws:iam::123456789012:role/keystar-copy";
        let source = |entity: &str| {
            let url = format!("s3://lake/manifests/run-1/{entity}.manifest");
            (name(entity), CopySource::manifest(url, role))
        };
        ["customer", "address", "order", "line"].map(source).into()
    } else {
        Vec::new()
    };
    files.push(("load.sql", plan.script_copying(dialect, &sources).unwrap()));
    files
}

//! One page that says what the lake and the warehouse hold, and how that came about.

mod lines;
mod star;

use std::{collections::BTreeMap, fs, path::Path};

use keystar_lake::Lake;
use keystar_star::Model;

use self::lines::Line;
use super::{
    Error, Growth, Job, Places, Question,
    ledger::{Ledger, Work},
    modelling::model,
    store::Store,
};
use crate::{
    document::{Align, Document, Section, Table},
    page::render,
    units,
};

/// So many lines can be told apart.
const MOST_LINES: usize = 12;

/// Writes the page: the star, rows through the layers, data tests, growth, drift and rejects. It is
/// one file that needs no other.
///
/// # Errors
///
/// [`Error::Usage`] where nothing was loaded yet; [`Error::File`] where it cannot be written.
pub fn report(places: &Places, question: &Question, to: &Path, job: &Job<'_>) -> Result<(), Error> {
    let model = model(&places.model()?)?;
    let ledger = Work::new(places.work()?).ledger()?;
    let store = Store::open(places, job)?;
    let Some(commit) = store.commit()? else {
        return Err(Error::Usage(format!(
            "{} holds nothing yet: `elt run` loads it",
            places.warehouse()?.display()
        )));
    };
    let mut document = Document::new("From DynamoDB to a star schema");
    let loaded_at = units::moment(commit.loaded_at.div_euclid(1000));
    document.about = vec![
        format!("model {}", places.model()?.display()),
        format!("lake {}", places.lake()?.display()),
        format!(
            "warehouse {}, commit {} of {loaded_at}",
            places.warehouse()?.display(),
            commit.number
        ),
    ];
    figures(&mut document, &ledger, &model);
    alerts(&mut document, &ledger);
    growth(&mut document, &model, question, &store)?;
    let mut section = Section::new("The star");
    for (at, fact) in model.facts.iter().enumerate() {
        let caption = format!("{}: one row for each {}", fact.name, list(&fact.grain));
        section = section.with_picture(star::star(&model, fact, at), caption);
    }
    document.section(section);
    layers(&mut document, &model, &ledger, places)?;
    landed(&mut document, &ledger);
    tests(&mut document, &ledger);
    differences(&mut document, &ledger);
    fs::write(to, render(&document)).map_err(|error| Error::file(to, error))
}

fn list(names: &[keystar_star::Name]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn figures(document: &mut Document, ledger: &Ledger, model: &Model) {
    let read: u64 = ledger.landed.iter().map(|landed| landed.read).sum();
    let exports = units::plural(ledger.landed.len() as u64, "export");
    document.figure("Items read", units::count(read), exports);
    if let Some(loaded) = &ledger.loaded {
        let facts: u64 =
            model.facts.iter().map(|fact| loaded.rows_of("dwh", fact.name.as_str())).sum();
        let of = model.facts.iter().map(|fact| fact.name.clone()).collect::<Vec<_>>();
        document.figure("Facts", units::count(facts), list(&of));
        let tests = loaded.tests.len() as u64;
        document.figure("Data tests", units::count(tests), "all passed before the commit");
    }
    let aside: u64 = ledger.landed.iter().map(super::Landed::set_aside).sum();
    document.figure("Set aside", units::count(aside), "each with its reason");
}

fn alerts(document: &mut Document, ledger: &Ledger) {
    for landed in &ledger.landed {
        if !landed.adds_up() {
            document.alerts.push(format!("the items of export {} do not add up", landed.id));
        }
        if landed.set_aside() > 0 {
            let items = units::plural(landed.set_aside(), "item");
            let place = landed.rejects_at.as_ref();
            let place = place.map(|path| format!(": {}", path.display())).unwrap_or_default();
            document.alerts.push(format!("{items} of export {} set aside{place}", landed.id));
        }
        if landed.unknown > 0 {
            let items = units::plural(landed.unknown, "item");
            document.alerts.push(format!("{items} of export {} of no entity", landed.id));
        }
    }
}

/// The chart over all periods, a line a value for each of the attributes, and the last comparison.
fn growth(
    document: &mut Document,
    model: &Model,
    question: &Question,
    store: &Store,
) -> Result<(), Error> {
    let Some(last) = question.ask(model, store)? else { return Ok(()) };
    let Some(all) = question.ask_all(model, store)? else { return Ok(()) };
    let mut section = Section::new(format!("Growth of {}", last.subject()));
    for (at, attribute) in last.by.iter().enumerate() {
        let (labels, lines) = series(&all, at);
        let title = format!("{}.{} by {attribute}", all.fact, all.measure);
        let svg = lines::chart(&title, &labels, &lines, &format!("growth{at}"));
        section = section.with_picture(svg, title);
    }
    if let Some(first) = last.rows.first() {
        let (now, before) = (first.period(last.period), last.before(first));
        section = section.with_table(last.table(&before, &now));
    }
    document.section(section);
    Ok(())
}

/// Sums by period, for each value of one attribute. The first year has nothing to be compared with,
/// and shows as what the second is compared to.
fn series(all: &Growth, attribute: usize) -> (Vec<String>, Vec<Line>) {
    let mut sums: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    let mut periods: BTreeMap<String, ()> = BTreeMap::new();
    let first_year = all.rows.iter().map(|row| row.year).min().unwrap_or_default();
    for row in &all.rows {
        let name = row.group.get(attribute).cloned().flatten();
        let name = name.unwrap_or_else(|| "(unknown)".to_owned());
        let mut add = |period: String, sum: &Option<String>| {
            let value = sum.as_deref().and_then(|sum| sum.parse::<f64>().ok());
            periods.insert(period.clone(), ());
            if let Some(value) = value {
                *sums.entry(name.clone()).or_default().entry(period).or_default() += value;
            }
        };
        add(row.period(all.period), &row.current);
        if row.year == first_year {
            add(all.before(row), &row.previous);
        }
    }
    let labels: Vec<String> = periods.into_keys().collect();
    let mut totals: Vec<(f64, String)> =
        sums.iter().map(|(name, sums)| (sums.values().sum(), name.clone())).collect();
    totals.sort_by(|left, right| right.0.total_cmp(&left.0));
    let lines = totals.into_iter().take(MOST_LINES).map(|(_, name)| {
        let of = sums.remove(&name).unwrap_or_default();
        Line { values: labels.iter().map(|label| of.get(label).copied()).collect(), name }
    });
    let lines = lines.collect();
    (labels, lines)
}

/// How many rows each layer has of each thing.
fn layers(
    document: &mut Document,
    model: &Model,
    ledger: &Ledger,
    places: &Places,
) -> Result<(), Error> {
    let lake = Lake::open(&places.lake()?).map_err(Error::Lake)?;
    let rows_in_lake = |entity: &str| {
        let entities = lake.manifest().map(|manifest| &manifest.entities);
        entities.and_then(|entities| entities.get(entity)).map_or(0, |files| files.rows)
    };
    let mut table = Table::new([
        ("table", Align::Left),
        ("is", Align::Left),
        ("lake", Align::Right),
        ("warehouse", Align::Right),
    ]);
    let loaded = ledger.loaded.as_ref();
    let rows = |name: &str| units::count(loaded.map_or(0, |loaded| loaded.rows_of("dwh", name)));
    for fact in &model.facts {
        let lake = units::count(rows_in_lake(fact.entity.as_str()));
        let name = fact.name.as_str();
        table.row([name.to_owned(), format!("fact of {}", fact.entity), lake, rows(name)]);
    }
    for dimension in &model.dimensions {
        let lake = units::count(rows_in_lake(dimension.entity.as_str()));
        let name = dimension.name.as_str();
        let is = format!("dimension of {}", dimension.entity);
        table.row([name.to_owned(), is, lake, rows(name)]);
    }
    if let Some(calendar) = &model.calendar {
        let name = calendar.name.as_str();
        table.row([name.to_owned(), "calendar".to_owned(), "-".to_owned(), rows(name)]);
    }
    let unknown = rows_in_lake("_unknown");
    if unknown > 0 {
        let cells = ["_unknown", "items of no entity", &units::count(unknown), "-"];
        table.row(cells.map(str::to_owned));
    }
    let remark = "A fact has a row for each of the lake's. A dimension has one for each member and \
                  version, those that facts refer to and the lake does not have, and the unknown \
                  one.";
    document.section(Section::new("Rows through the layers").with_table(table).with_remark(remark));
    Ok(())
}

fn landed(document: &mut Document, ledger: &Ledger) {
    let mut table = Table::new([
        ("export", Align::Left),
        ("kind", Align::Left),
        ("covers", Align::Left),
        ("read", Align::Right),
        ("written", Align::Right),
        ("removed", Align::Right),
        ("unknown", Align::Right),
        ("rejected", Align::Right),
    ]);
    for landed in &ledger.landed {
        let numbers =
            [landed.read, landed.written, landed.removed, landed.unknown, landed.rejected()];
        let texts = [&landed.id, &landed.kind, &landed.covers].map(Clone::clone);
        table.row(texts.into_iter().chain(numbers.map(units::count)));
    }
    document.section(Section::new("Exports").with_table(table));
}

fn tests(document: &mut Document, ledger: &Ledger) {
    let mut table = Table::new([("test", Align::Left), ("what it proves", Align::Left)]);
    for test in ledger.loaded.iter().flat_map(|loaded| &loaded.tests) {
        table.row([test.name.clone(), test.proves.clone()]);
    }
    let remark = "They ran on the new tables before the commit; one that fails stops it.";
    document.section(Section::new("Data tests").with_table(table).with_remark(remark));
}

fn differences(document: &mut Document, ledger: &Ledger) {
    let mut table =
        Table::new([("export", Align::Left), ("what", Align::Left), ("number", Align::Right)]);
    for landed in &ledger.landed {
        for (reason, items) in &landed.rejects {
            let cells = [landed.id.clone(), format!("rejected: {reason}"), units::count(*items)];
            table.row(cells);
        }
        for (reason, members) in &landed.rejected_members {
            let what = format!("rejected member: {reason}");
            table.row([landed.id.clone(), what, units::count(*members)]);
        }
        for drift in &landed.drift {
            let what = format!("drift: {}.{}", drift.entity, drift.attribute);
            table.row([landed.id.clone(), what, units::count(drift.values)]);
        }
    }
    let section = Section::new("Drift and rejects").with_table(table);
    let clean = ledger.landed.iter().all(|it| it.set_aside() == 0 && it.drift.is_empty());
    document.section(match clean {
        true => section.with_remark("None: every item fits the model."),
        false => section,
    });
}

//! Live writes against boto3's `batch_writer`: into the same server, on the same machine, in turns.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::bench::Report;
use crate::dynamodb::{DynamoDb, Keys};
use crate::generate::write_article_items;
use crate::measure::{Cost, Medians};
use crate::python;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The example `live_load` of keystar-transfer. It wants credentials in the environment: any.
    pub program: PathBuf,
    /// The program that this is part of.
    pub kit: PathBuf,
    /// A folder with room for the items, twice.
    pub folder: PathBuf,
    /// Items of the article's shape.
    pub items: u64,
    /// Rounds; the medians are given.
    pub rounds: usize,
}

/// Ours may take this share of boto3's processor time for an item.
const MOST_CPU: f64 = 0.2;
/// Ours must write so many times its items a second.
const LEAST_RATE: f64 = 2.0;

/// Runs it all.
///
/// # Errors
/// When a program fails, or does not write what it was given.
pub fn run(plan: &Plan) -> io::Result<Report> {
    std::fs::create_dir_all(&plan.folder)?;
    let file = plan.folder.join("items.json");
    let mut out = BufWriter::new(std::fs::File::create(&file)?);
    write_article_items(plan.items, 1, &mut out)?;
    out.flush()?;

    let (mut ours, mut theirs) = (Medians::default(), Medians::default());
    for _ in 0..plan.rounds {
        ours.add(one(plan, &|server, work| {
            let arguments = [
                plan.program.display().to_string(),
                file.display().to_string(),
                "users".to_owned(),
                work,
                server.endpoint(),
            ];
            Medians::one(&plan.kit, &arguments)
        })?);
        theirs.add(one(plan, &|server, _| {
            let arguments = [file.display().to_string(), "users".to_owned(), server.endpoint()];
            boto3(&python::run("batch_writer.py", &arguments)?)
        })?);
    }

    let (ours, theirs) = (ours.cost(), theirs.cost());
    let mut report = Report { markdown: String::new(), missed: Vec::new() };
    report.markdown = format!(
        "{} items of the article's shape into Dynoxide, one process; medians of {} rounds in turns.\n\n\
         | | items/s | processor for an item | most memory |\n|---|---:|---:|---:|\n\
         | Keystar | {:.0} | {:.1} µs | {} MB |\n| boto3's `batch_writer` | {:.0} | {:.1} µs | |\n",
        plan.items,
        plan.rounds,
        rate(plan, &ours),
        each(plan, &ours),
        ours.peak_bytes >> 20,
        rate(plan, &theirs),
        each(plan, &theirs),
    );
    let share = each(plan, &ours) / each(plan, &theirs);
    if share > MOST_CPU {
        report.missed.push(format!("{share:.2} of boto3's processor time, not {MOST_CPU}"));
    }
    let times = rate(plan, &ours) / rate(plan, &theirs);
    if times < LEAST_RATE {
        report.missed.push(format!("{times:.2} times boto3's items/s, not {LEAST_RATE}"));
    }
    Ok(report)
}

/// A fresh server, so that no round has to do with another's items; afterwards all of them are there.
fn one(plan: &Plan, load: &dyn Fn(&DynamoDb, String) -> io::Result<Cost>) -> io::Result<Cost> {
    let server = DynamoDb::dynoxide()?;
    let mut client = server.connect()?;
    client.create_table("users", &Keys::partition("key", "S"))?;
    let work = tempfile::tempdir_in(&plan.folder)?;
    let cost = load(&server, work.path().display().to_string())?;
    let (mut found, mut body) = (0, serde_json::json!({"TableName": "users", "Select": "COUNT"}));
    loop {
        let page = client.call("Scan", &body.to_string())?;
        found += page["Count"].as_u64().unwrap_or_default();
        match page.get("LastEvaluatedKey") {
            Some(last) if !last.is_null() => body["ExclusiveStartKey"] = last.clone(),
            _ => break,
        }
    }
    if found == plan.items {
        Ok(cost)
    } else {
        Err(io::Error::other(format!("{found} items in the table, not {}", plan.items)))
    }
}

/// Items, seconds, seconds of the processor.
fn boto3(line: &str) -> io::Result<Cost> {
    let figures: Vec<f64> =
        line.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let [_, wall, cpu] = figures[..] else {
        return Err(io::Error::other(format!("not a cost: {line:?}")));
    };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).map_err(io::Error::other);
    Ok(Cost { wall: seconds(wall)?, cpu: seconds(cpu)?, peak_bytes: 0 })
}

fn rate(plan: &Plan, cost: &Cost) -> f64 {
    plan.items as f64 / cost.wall.as_secs_f64()
}

fn each(plan: &Plan, cost: &Cost) -> f64 {
    cost.cpu.as_secs_f64() * 1e6 / plan.items as f64
}

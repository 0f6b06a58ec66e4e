//! The whole program against `gzip -1` on the same output, in one run, and its memory on large data: the table of
//! `docs/reference/performance.md`.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::generate::{self, Shape};
use crate::measure::{Cost, Medians};
use crate::migrate::{bytes_below, data_files};
use crate::places;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The release build of `migrate`.
    pub migrate: PathBuf,
    /// The release build of this crate's own program, which measures one command at a time.
    pub kit: PathBuf,
    /// A folder with room for a few gigabytes.
    pub folder: PathBuf,
    /// Rounds of the comparison with gzip; the medians are given.
    pub rounds: usize,
    /// Records of the comparison.
    pub records: u64,
    /// Records of the large run that shows that memory is flat; 0 leaves it out.
    pub many_records: u64,
    /// Fields of the hash with many fields; 0 leaves it out.
    pub fields: u64,
    /// Bytes of the large hash; 0 leaves it out.
    pub hash_bytes: u64,
}

const MAX_RESIDENT_BYTES: u64 = 96 << 20;

/// The table, and whether every target was met.
#[derive(Debug)]
pub struct Report {
    /// Markdown.
    pub markdown: String,
    /// Targets that were missed, in words.
    pub missed: Vec<String>,
}

/// Runs it all.
///
/// # Errors
/// When a program fails.
pub fn run(plan: &Plan) -> io::Result<Report> {
    std::fs::create_dir_all(&plan.folder)?;
    let mut report = Report { markdown: String::new(), missed: Vec::new() };
    compare(plan, &mut report)?;
    memory(plan, &mut report)?;
    Ok(report)
}

/// Puts the table between the marks of a page, instead of the one that is there: those that name
/// the script.
///
/// # Errors
/// When the page cannot be read or written, or has no marks.
pub fn write_into(page: &Path, script: &str, table: &str) -> io::Result<()> {
    const END: &str = "<!-- to here -->";
    let begin = format!("<!-- {script} writes from here -->");
    let text = std::fs::read_to_string(page).map_err(|error| places::at(page, &error))?;
    let marks =
        text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        marks.ok_or_else(|| io::Error::other(format!("{}: no marks", page.display())))?;
    std::fs::write(page, format!("{before}{begin}\n\n{}\n\n{END}{after}", table.trim()))
}

fn compare(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let dump = generated(plan, "article", Shape::Article { records: plan.records })?;
    let output = plan.folder.join("out");
    let json = plan.folder.join("items.json");
    let packed = plan.folder.join("items.json.gz");

    // The unit works on what the program itself wrote.
    clear(&output)?;
    Medians::one(&plan.kit, &migrate(plan, &dump, &output, "none", &[]))?;
    let mut all = File::create(&json)?;
    for file in data_files(&output)? {
        io::copy(&mut File::open(file)?, &mut all)?;
    }
    drop(all);

    let gzip = ["sh", "-c", &format!("gzip -1 -c '{}' > '{}'", json.display(), packed.display())]
        .map(String::from);
    let commands = [
        gzip.to_vec(),
        migrate(plan, &dump, &output, "none", &[]),
        migrate(plan, &dump, &output, "gzip", &[]),
        migrate(plan, &dump, &output, "zstd", &[]),
    ];
    let mut medians = [(); 4].map(|()| Medians::default());
    let mut sizes = [0; 4];
    // In turns, so that a slow minute of the machine falls on all of them.
    for _ in 0..plan.rounds {
        for ((command, medians), size) in commands.iter().zip(&mut medians).zip(&mut sizes) {
            clear(&output)?;
            medians.add(Medians::one(&plan.kit, command)?);
            *size = bytes_below(&output.join("data"));
        }
    }
    sizes[0] = packed.metadata()?.len();
    let [unit, none, gzip, zstd] = medians.map(|medians| medians.cost());

    let (dump_bytes, json_bytes) = (dump.metadata()?.len(), json.metadata()?.len());
    let text = &mut report.markdown;
    let _ = writeln!(
        text,
        "{} hashes of the article's shape: {} of RDB, {} of DynamoDB JSON; {} cores; medians of {} rounds in turns.\n",
        grouped(plan.records),
        megabytes(dump_bytes),
        megabytes(json_bytes),
        std::thread::available_parallelism().map_or(1, usize::from),
        plan.rounds,
    );
    let _ = writeln!(
        text,
        "| command | wall s | CPU s | CPU ns a record | output | peak memory | against `gzip -1` | target |"
    );
    let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|");
    row(report, plan.records, "`gzip -1` on the JSON (the unit)", unit, sizes[0], None);
    let ratio = |a: std::time::Duration, b: std::time::Duration| {
        a.as_secs_f64() / b.as_secs_f64().max(1e-9)
    };
    row(
        report,
        plan.records,
        "RDB → JSON",
        none,
        sizes[1],
        Some(("CPU", ratio(none.cpu, unit.cpu), 0.5)),
    );
    row(
        report,
        plan.records,
        "RDB → JSON, gzip",
        gzip,
        sizes[2],
        Some(("wall", ratio(gzip.wall, unit.wall), 0.7)),
    );
    row(
        report,
        plan.records,
        "RDB → JSON, zstd",
        zstd,
        sizes[3],
        Some(("wall", ratio(zstd.wall, unit.wall), 0.5)),
    );
    for (name, cost) in [("none", none), ("gzip", gzip), ("zstd", zstd)] {
        judge_memory(
            report,
            &format!("{} records, {name}", grouped(plan.records)),
            cost.peak_bytes,
        );
    }
    clear(&output)?;
    std::fs::remove_file(json)?;
    std::fs::remove_file(packed)
}

fn row(
    report: &mut Report,
    records: u64,
    name: &str,
    cost: Cost,
    bytes: u64,
    judged: Option<(&str, f64, f64)>,
) {
    let (figure, target) = match judged {
        None => ("1".to_owned(), String::new()),
        Some((what, ratio, target)) => {
            if ratio > target {
                report.missed.push(format!("{name}: {ratio:.2} of gzip's {what}, target {target}"));
            }
            (format!("{what} {ratio:.2}"), format!("≤ {target}"))
        }
    };
    let _ = writeln!(
        report.markdown,
        "| {name} | {:.2} | {:.2} | {} | {} | {:.0} MiB | {figure} | {target} |",
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64(),
        cost.cpu.as_nanos() / u128::from(records.max(1)),
        megabytes(bytes),
        cost.peak_bytes as f64 / f64::from(1 << 20),
    );
}

fn memory(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let collection =
        places::workspace().join("tests/kit/mappings/collection.toml").display().to_string();
    let collection = ["--mapping", collection.as_str()];
    let cases: [(&str, Shape, u64, &[&str]); 3] = [
        ("many", Shape::Article { records: plan.many_records }, plan.many_records, &[]),
        ("fields", Shape::HashFields { fields: plan.fields }, plan.fields, &collection),
        ("bytes", Shape::HashBytes { bytes: plan.hash_bytes }, plan.hash_bytes, &collection),
    ];
    let _ = writeln!(
        report.markdown,
        "\n| input | RDB | compression | wall s | CPU s | peak memory | target |"
    );
    let _ = writeln!(report.markdown, "|---|--:|---|--:|--:|--:|--:|");
    for (name, shape, size, mapping) in cases {
        if size == 0 {
            continue;
        }
        let dump = generated(plan, name, shape)?;
        let words = match shape {
            Shape::HashFields { fields } => {
                format!("one hash of {} fields, one item each", grouped(fields))
            }
            Shape::HashBytes { bytes } => {
                format!("one hash of {}, one item a field", megabytes(bytes))
            }
            _ => format!("{} hashes", grouped(size)),
        };
        for compress in ["none", "gzip", "zstd"] {
            let output = plan.folder.join("out");
            clear(&output)?;
            let cost = Medians::one(&plan.kit, &migrate(plan, &dump, &output, compress, mapping))?;
            clear(&output)?;
            let _ = writeln!(
                report.markdown,
                "| {words} | {} | {compress} | {:.1} | {:.1} | {:.0} MiB | ≤ 96 MiB |",
                megabytes(dump.metadata()?.len()),
                cost.wall.as_secs_f64(),
                cost.cpu.as_secs_f64(),
                cost.peak_bytes as f64 / f64::from(1 << 20),
            );
            judge_memory(report, &format!("{words}, {compress}"), cost.peak_bytes);
        }
        std::fs::remove_file(dump)?;
    }
    Ok(())
}

fn judge_memory(report: &mut Report, name: &str, peak_bytes: u64) {
    if peak_bytes > MAX_RESIDENT_BYTES {
        report.missed.push(format!("{name}: {} MiB resident, target 96 MiB", peak_bytes >> 20));
    }
}

fn migrate(plan: &Plan, dump: &Path, output: &Path, compress: &str, more: &[&str]) -> Vec<String> {
    let program = plan.migrate.display().to_string();
    let (dump, output) = (dump.display().to_string(), output.display().to_string());
    let fixed = [
        &program,
        "run",
        "--from",
        &dump,
        "--to",
        &output,
        "--format",
        "dynamodb-json",
        "--compress",
        compress,
    ];
    fixed.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
}

fn generated(plan: &Plan, name: &str, shape: Shape) -> io::Result<PathBuf> {
    let path = plan.folder.join(format!("{name}.rdb"));
    generate::write(shape, 1, generate::DEFAULT_VERSION, File::create(&path)?)?;
    Ok(path)
}

pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

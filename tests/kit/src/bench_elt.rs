//! `elt` against DuckDB and PySpark on the same export, in one run: the second table of
//! `docs/reference/performance.md`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bench::{Report, clear, grouped, megabytes};
use crate::measure::{Cost, Medians};
use crate::migrate::bytes_below;
use crate::places;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The release build of `elt`.
    pub elt: PathBuf,
    /// The release build of this crate's own program, which measures one command at a time.
    pub kit: PathBuf,
    /// A folder with room for a few gigabytes.
    pub folder: PathBuf,
    /// Rounds of the comparison; the medians are given.
    pub rounds: usize,
    /// Customers of the comparison: about 15 items each.
    pub customers: u64,
    /// Customers of the runs that show that cost grows with the data and memory does not.
    pub series: Vec<u64>,
    /// Whether PySpark takes part.
    pub spark: bool,
}

const MAX_RESIDENT_BYTES: u64 = 256 << 20;

/// Runs it all.
///
/// # Errors
/// When a program fails.
pub fn run(plan: &Plan) -> io::Result<Report> {
    std::fs::create_dir_all(&plan.folder)?;
    let mut report = Report { markdown: String::new(), missed: Vec::new() };
    compare(plan, &mut report)?;
    series(plan, &mut report)?;
    Ok(report)
}

/// The steps of `elt` that are measured, each from nothing.
#[derive(Clone, Copy)]
enum Step {
    Lake,
    Infer,
    Run,
}

impl Step {
    const ALL: [Self; 3] = [Self::Lake, Self::Infer, Self::Run];

    fn words(self) -> &'static str {
        match self {
            Self::Lake => "`elt lake`: export → typed Parquet",
            Self::Infer => "`elt infer`: export → model",
            Self::Run => "`elt run`: export → lake → star → answer",
        }
    }

    fn command(self, plan: &Plan, export: &Path) -> Vec<String> {
        let model = places::workspace().join("examples/ecommerce/model.toml");
        let out = plan.folder.join("out");
        let word = |path: &Path| path.display().to_string();
        let mut command = vec![word(&plan.elt)];
        let mut add = |words: &[&str]| command.extend(words.iter().map(|word| (*word).to_owned()));
        match self {
            Self::Lake => {
                add(&["lake", "--model", &word(&model), "--lake", &word(&out.join("lake"))])
            }
            Self::Infer => add(&["infer", "--to", &word(&out)]),
            Self::Run => add(&[
                "run",
                "--model",
                &word(&model),
                "--lake",
                &word(&out.join("lake")),
                "--warehouse",
                &format!("embedded:{}", word(&out.join("warehouse"))),
            ]),
        }
        add(&["--from", &word(export)]);
        command
    }

    fn measure(self, plan: &Plan, export: &Path) -> io::Result<Cost> {
        let out = plan.folder.join("out");
        clear(&out)?;
        std::fs::create_dir_all(&out)?;
        Medians::one(&plan.kit, &self.command(plan, export))
    }
}

fn compare(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let export = sample(plan, plan.customers)?;
    let data = data_folder(&export)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let peers: &[(&str, &str, &str)] = &[
        ("DuckDB, schema by hand", "venv/bin/python", "duckdb_lake.py"),
        ("PySpark, schema by hand", "peers/bin/python", "pyspark_lake.py"),
    ];
    let peers = if plan.spark { peers } else { &peers[..1] };

    let mut ours = Step::ALL.map(|_| Medians::default());
    let mut theirs: Vec<Medians> = peers.iter().map(|_| Medians::default()).collect();
    let mut lake_bytes = 0;
    // In turns, so that a slow minute of the machine falls on all of them.
    for _ in 0..plan.rounds {
        for (step, medians) in Step::ALL.into_iter().zip(&mut ours) {
            medians.add(step.measure(plan, &export)?);
            if matches!(step, Step::Lake) {
                lake_bytes = bytes_below(&plan.folder.join("out/lake"));
            }
        }
        for ((_, python, script), medians) in peers.iter().zip(&mut theirs) {
            medians.add(peer(plan, python, script, &data, threads)?);
        }
    }
    let [lake, infer, all] = ours.map(|medians| medians.cost());
    let theirs: Vec<Cost> = theirs.iter().map(Medians::cost).collect();

    let _ = writeln!(
        report.markdown,
        "The article's table: {} items, {} of DynamoDB JSON in 4 gzip files of {}; the lake has {}; {threads} cores; medians of {} rounds in turns.\n",
        grouped(items(&export)?),
        megabytes(json_bytes(&data)?),
        megabytes(bytes_below(&data)),
        megabytes(lake_bytes),
        plan.rounds,
    );
    let _ =
        writeln!(report.markdown, "| command | wall s | CPU s | peak memory | against | target |");
    let _ = writeln!(report.markdown, "|---|--:|--:|--:|--:|--:|");
    for ((name, ..), cost) in peers.iter().zip(&theirs) {
        row(report, name, *cost, None);
    }
    let mut judged = vec![];
    for ((name, ..), (cost, target)) in peers.iter().zip(theirs.iter().zip([0.6, 1.0 / 6.0])) {
        let name = name.split(',').next().unwrap_or(name);
        judged.push((format!("{name} {:.2}", ratio(lake, *cost)), ratio(lake, *cost), target));
    }
    row(report, Step::Lake.words(), lake, Some(judged));
    for (step, cost, target) in [(Step::Infer, infer, 1.5), (Step::Run, all, 3.0)] {
        let against = ratio(cost, lake);
        row(
            report,
            step.words(),
            cost,
            Some(vec![(format!("the lake {against:.2}"), against, target)]),
        );
    }
    for (step, cost) in [(Step::Lake, lake), (Step::Infer, infer)] {
        judge_memory(report, step.words(), cost.peak_bytes);
    }
    std::fs::remove_dir_all(export)
}

fn series(plan: &Plan, report: &mut Report) -> io::Result<()> {
    if plan.series.is_empty() {
        return Ok(());
    }
    let _ =
        writeln!(report.markdown, "\n| items | step | wall s | µs an item | CPU s | peak memory |");
    let _ = writeln!(report.markdown, "|--:|---|--:|--:|--:|--:|");
    for customers in &plan.series {
        let export = sample(plan, *customers)?;
        let items = items(&export)?;
        for step in Step::ALL {
            let cost = step.measure(plan, &export)?;
            let _ = writeln!(
                report.markdown,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {} MiB |",
                grouped(items),
                step.words(),
                cost.wall.as_secs_f64(),
                cost.wall.as_secs_f64() * 1e6 / items.max(1) as f64,
                cost.cpu.as_secs_f64(),
                cost.peak_bytes >> 20,
            );
            if matches!(step, Step::Lake | Step::Infer) {
                let name = format!("{} items, {}", grouped(items), step.words());
                judge_memory(report, &name, cost.peak_bytes);
            }
        }
        std::fs::remove_dir_all(export)?;
    }
    clear(&plan.folder.join("out"))
}

fn row(report: &mut Report, name: &str, cost: Cost, judged: Option<Vec<(String, f64, f64)>>) {
    let (mut figures, mut targets) = (vec![], vec![]);
    for (figure, value, target) in judged.unwrap_or_default() {
        if value > target {
            report.missed.push(format!("{name}: {figure}, target {target:.2}"));
        }
        figures.push(figure);
        targets.push(format!("≤ {target:.2}"));
    }
    // Spark works in a process that the kernel does not count as Python's child.
    let (cpu, memory) = match name.starts_with("PySpark") {
        true => (String::new(), String::new()),
        false => {
            (format!("{:.2}", cost.cpu.as_secs_f64()), format!("{} MiB", cost.peak_bytes >> 20))
        }
    };
    let _ = writeln!(
        report.markdown,
        "| {name} | {:.2} | {cpu} | {memory} | {} | {} |",
        cost.wall.as_secs_f64(),
        figures.join(", "),
        targets.join(", "),
    );
}

fn judge_memory(report: &mut Report, name: &str, peak_bytes: u64) {
    if peak_bytes > MAX_RESIDENT_BYTES {
        report.missed.push(format!("{name}: {} MiB resident, target 256 MiB", peak_bytes >> 20));
    }
}

fn ratio(ours: Cost, theirs: Cost) -> f64 {
    ours.wall.as_secs_f64() / theirs.wall.as_secs_f64().max(1e-9)
}

/// A peer's own time, without its start, and its process's memory and processor time.
fn peer(plan: &Plan, python: &str, script: &str, data: &Path, threads: usize) -> io::Result<Cost> {
    let out = plan.folder.join("out");
    clear(&out)?;
    let seconds = plan.folder.join("seconds");
    let command = format!(
        "'{}' '{}' '{}' '{}' {threads} > '{}' 2> '{}'",
        places::installed(python)?.display(),
        places::workspace().join("tests/kit/python").join(script).display(),
        data.display(),
        out.display(),
        seconds.display(),
        plan.folder.join("errors").display(),
    );
    let cost = Medians::one(&plan.kit, &["sh".to_owned(), "-c".to_owned(), command])?;
    let text = std::fs::read_to_string(seconds)?;
    let wall: f64 = text.trim().parse().map_err(io::Error::other)?;
    Ok(Cost { wall: Duration::from_secs_f64(wall), ..cost })
}

/// An export of the sample's table.
fn sample(plan: &Plan, customers: u64) -> io::Result<PathBuf> {
    let export = plan.folder.join("export");
    clear(&export)?;
    let status = Command::new(&plan.elt)
        .args(["sample", "--customers", &customers.to_string(), "--files", "4", "--to"])
        .arg(&export)
        .stdout(std::process::Stdio::null())
        .status()?;
    if status.success() {
        Ok(export)
    } else {
        Err(io::Error::other(format!("elt sample: {status}")))
    }
}

/// The folder with the data files of the only export below a folder.
fn data_folder(export: &Path) -> io::Result<PathBuf> {
    for entry in export.join("AWSDynamoDB").read_dir()? {
        let data = entry?.path().join("data");
        if data.is_dir() {
            return Ok(data);
        }
    }
    Err(io::Error::other(format!("{}: no export", export.display())))
}

/// How many items the manifest counts.
fn items(export: &Path) -> io::Result<u64> {
    let data = data_folder(export)?;
    let manifest = data.with_file_name("manifest-summary.json");
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    manifest["itemCount"].as_u64().ok_or_else(|| io::Error::other("the manifest has no itemCount"))
}

/// Bytes of the text in the gzip files: what the last four bytes of each say.
fn json_bytes(data: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in data.read_dir()? {
        let file = std::fs::read(entry?.path())?;
        if let Some(size) = file.last_chunk::<4>() {
            total += u64::from(u32::from_le_bytes(*size));
        }
    }
    Ok(total)
}

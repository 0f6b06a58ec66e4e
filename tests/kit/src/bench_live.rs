//! `migrate` between live servers, against what people would do without it: the table of live servers in
//! `docs/reference/performance.md`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bench::{Report, clear, grouped};
use crate::dynamodb::{DynamoDb, Keys};
use crate::measure::{Cost, Medians};
use crate::places;
use crate::redis::Redis;

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The release build of `migrate`.
    pub migrate: PathBuf,
    /// The release build of this crate's own program, which measures one command at a time.
    pub kit: PathBuf,
    /// A folder with room for a gigabyte.
    pub folder: PathBuf,
    /// Rounds; the medians are given.
    pub rounds: usize,
    /// Hashes of the server.
    pub records: u64,
    /// Of these, how many the Python job reads, whose rate does not depend on it.
    pub python_records: u64,
    /// Items that are written live.
    pub live_records: u64,
}

const MAX_RESIDENT_BYTES: u64 = 64 << 20;
/// Keys whose commands go to the server at once, as redis-benchmark sends them.
const PIPELINE: u64 = 512;

/// Runs it all.
///
/// # Errors
/// When a program fails.
pub fn run(plan: &Plan) -> io::Result<Report> {
    std::fs::create_dir_all(&plan.folder)?;
    let mut report = Report { markdown: String::new(), missed: Vec::new() };
    read(plan, &mut report)?;
    write(plan, &mut report)?;
    Ok(report)
}

/// A server with that many hashes of the article's shape, named as redis-benchmark names keys.
fn server(records: u64) -> io::Result<Redis> {
    let redis = Redis::start()?;
    // Otherwise it waits five seconds for further replicas before it sends a snapshot.
    redis.connect()?.command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
    let mut stream = std::net::TcpStream::connect(redis.address())?;
    let mut answers = stream.try_clone()?;
    let reader = std::thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
    let mut text = Vec::new();
    for number in 0..records {
        let fields = [
            ("age", (18 + number * 7 % 70).to_string()),
            ("longitude", format!("{:.6}", (number * 104_729 % 360_000_000) as f64 / 1e6 - 180.0)),
            ("name", format!("Person {}", number * 31 % records.max(1))),
            ("email", format!("person.{}@example.org", number * 17 % records.max(1))),
        ];
        let key = format!("{number:012}");
        write!(text, "*10\r\n$4\r\nHSET\r\n$12\r\n{key}\r\n")?;
        for (name, value) in &fields {
            write!(text, "${}\r\n{name}\r\n${}\r\n{value}\r\n", name.len(), value.len())?;
        }
        if text.len() > 1 << 20 {
            stream.write_all(&text)?;
            text.clear();
        }
    }
    stream.write_all(&text)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    // The server hangs up once it has answered all.
    let answered = reader.join().map_err(|_| io::Error::other("a thread broke"))?;
    answered?;
    Ok(redis)
}

/// Reading: the ways of `migrate`, the Python job, redis-benchmark.
fn read(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let redis = server(plan.records)?;
    let dump = redis.save()?;
    let (port, url) = (redis.address().port(), format!("redis://{}", redis.address()));
    let output = plan.folder.join("out");
    let run = |from: &str, more: &[&str]| {
        let words =
            [plan.migrate.display().to_string(), "run".into(), "--from".into(), from.into()];
        let to = ["--to".to_owned(), output.display().to_string()];
        let more = more.iter().map(|word| (*word).to_owned());
        words.into_iter().chain(to).chain(more).collect::<Vec<_>>()
    };
    let file = dump.display().to_string();
    let commands = [
        ("`--from dump.rdb`", run(&file, &[])),
        ("`--from redis://… --via rdb`", run(&url, &["--via", "rdb"])),
        ("`--from redis://…`", run(&url, &[])),
        ("`--from redis://… --jobs 1`", run(&url, &["--jobs", "1"])),
        ("`--from redis://… --via typed`", run(&url, &["--via", "typed"])),
    ];
    let mut medians = [(); 5].map(|()| Medians::default());
    let peer_file = plan.folder.join("peer.rdb");
    let of_peer_file = run(&peer_file.display().to_string(), &[]);
    // The server's own SAVE, redis-cli's snapshot, that and a run from its file, redis-benchmark.
    let mut figures = [(); 4].map(|()| Vec::new());
    for _ in 0..plan.rounds {
        for ((_, command), medians) in commands.iter().zip(&mut medians) {
            clear(&output)?;
            medians.add(Medians::one(&plan.kit, command)?);
        }
        let begun = Instant::now();
        redis.save()?;
        let save = begun.elapsed().as_secs_f64();
        let snapshot = redis_cli(port, &peer_file)?;
        clear(&output)?;
        let run = Medians::one(&plan.kit, &of_peer_file)?.wall.as_secs_f64();
        let rate = benchmark(port, plan.records)?;
        for (figures, figure) in figures.iter_mut().zip([save, snapshot, snapshot + run, rate]) {
            figures.push(figure);
        }
    }
    let [save, peer, two_steps, benchmark] = figures.map(|mut figures| {
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    });
    let (keys, seconds) = python(port, plan.python_records, &plan.folder.join("python.gz"))?;
    let python = keys / seconds;
    let costs = medians.map(|medians| medians.cost());
    let rate = |cost: &Cost| plan.records as f64 / cost.wall.as_secs_f64();
    let [from_file, snapshot, scan, one, typed] = costs;
    let per_second = |seconds: f64| grouped((plan.records as f64 / seconds) as u64);

    let text = &mut report.markdown;
    let _ = writeln!(
        text,
        "{} hashes of the article's shape in Redis on the same machine, to gzip files; {} cores, one of which the server needs; medians of {} rounds in turns.\n",
        grouped(plan.records),
        std::thread::available_parallelism().map_or(1, usize::from),
        plan.rounds,
    );
    let _ = writeln!(text, "| way | keys/s | wall s | CPU s | peak memory | against | target |");
    let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|--:|");
    let _ = writeln!(
        text,
        "| Python job (redis-py, PyYAML, boto3, gzip), {} keys | {} | | | | 1 | |",
        grouped(plan.python_records),
        grouped(python as u64)
    );
    let _ = writeln!(
        text,
        "| `redis-benchmark -P {PIPELINE} DUMP`, writes nothing | {} | | | | | |",
        grouped(benchmark as u64)
    );
    for (name, seconds) in [
        ("the server's own `SAVE`", save),
        ("`redis-cli --rdb`, writes the dump", peer),
        ("`redis-cli --rdb`, then `--from` that dump", two_steps),
    ] {
        let _ = writeln!(text, "| {name} | {} | {seconds:.2} | | | | |", per_second(seconds));
    }
    let judged = [
        (from_file, vec![]),
        (
            snapshot,
            vec![
                ("the dump", rate(&snapshot) / rate(&from_file), 0.8),
                ("the two steps", two_steps / snapshot.wall.as_secs_f64(), 0.8),
            ],
        ),
        (
            scan,
            vec![
                ("redis-benchmark", rate(&scan) / benchmark, 0.6),
                ("Python", rate(&scan) / python, 30.0),
            ],
        ),
        (one, vec![("Python", rate(&one) / python, 30.0)]),
        (typed, vec![]),
    ];
    for ((name, _), (cost, judged)) in commands.iter().zip(judged) {
        let (mut against, mut targets) = (vec![], vec![]);
        for (whom, value, target) in judged {
            against.push(format!("{whom} {value:.2}"));
            targets.push(format!("≥ {target}"));
            if value < target {
                report.missed.push(format!("{name}: {value:.2} of {whom}, target {target}"));
            }
        }
        row(&mut report.markdown, name, plan.records, cost, &against, &targets);
        memory(&mut report.missed, name, cost);
    }
    clear(&output)
}

fn row(
    text: &mut String,
    name: &str,
    records: u64,
    cost: Cost,
    against: &[String],
    targets: &[String],
) {
    let _ = writeln!(
        text,
        "| {name} | {} | {:.2} | {:.2} | {} MiB | {} | {} |",
        grouped((records as f64 / cost.wall.as_secs_f64()) as u64),
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64(),
        cost.peak_bytes >> 20,
        against.join(", "),
        targets.join(", "),
    );
}

fn memory(missed: &mut Vec<String>, name: &str, cost: Cost) {
    if cost.peak_bytes > MAX_RESIDENT_BYTES {
        missed.push(format!("{name}: {} MiB resident, target 64 MiB", cost.peak_bytes >> 20));
    }
}

/// What redis-benchmark reaches for `DUMP` of the same keys, in commands a second.
fn benchmark(port: u16, records: u64) -> io::Result<f64> {
    let (port, records, pipeline) = (port.to_string(), records.to_string(), PIPELINE.to_string());
    let output = Command::new("redis-benchmark")
        .args(["-p", &port, "-n", &records, "-r", &records, "-P", &pipeline, "-c", "1", "--csv"])
        .args(["DUMP", "__rand_int__"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().last().and_then(|line| line.split("\",\"").nth(1)?.parse().ok());
    rate.ok_or_else(|| io::Error::other(format!("redis-benchmark says: {text}")))
}

/// How many seconds redis-cli takes for a snapshot.
fn redis_cli(port: u16, out: &Path) -> io::Result<f64> {
    let begun = Instant::now();
    let output =
        Command::new("redis-cli").args(["-p", &port.to_string(), "--rdb"]).arg(out).output()?;
    match output.status.success() {
        true => Ok(begun.elapsed().as_secs_f64()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// The numbers that a Python script prints.
fn numbers(script: &str, arguments: &[String]) -> io::Result<Vec<f64>> {
    let output = Command::new(places::installed("venv/bin/python")?)
        .arg(places::workspace().join("tests/kit/python").join(script))
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "keystar")
        .env("AWS_SECRET_ACCESS_KEY", "keystar")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Option<Vec<f64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| {
        io::Error::other(format!("{script}: {text}{}", String::from_utf8_lossy(&output.stderr)))
    })
}

fn python(port: u16, records: u64, out: &Path) -> io::Result<(f64, f64)> {
    let arguments = [port.to_string(), records.to_string(), out.display().to_string()];
    match numbers("scan_job.py", &arguments)?.as_slice() {
        [keys, seconds] => Ok((*keys, *seconds)),
        other => Err(io::Error::other(format!("scan_job.py: {other:?}"))),
    }
}

/// Writing to a table: `migrate`, and boto3's batch_writer.
fn write(plan: &Plan, report: &mut Report) -> io::Result<()> {
    let redis = server(plan.live_records)?;
    let dump = redis.save()?.display().to_string();
    let files = plan.folder.join("items");
    let migrate = plan.migrate.display().to_string();
    clear(&files)?;
    let words =
        ["run", "--from", &dump, "--compress", "none", "--to", &files.display().to_string()];
    let mut command = vec![migrate.clone()];
    command.extend(words.map(String::from));
    Medians::one(&plan.kit, &command)?;
    let lines = crate::migrate::data_files(&files)?;
    let file = lines.first().ok_or_else(|| io::Error::other("no items"))?.display().to_string();

    let (mut ours, mut theirs) = (Medians::default(), Medians::default());
    let work = plan.folder.join("work");
    for _ in 0..plan.rounds {
        let dynoxide = DynamoDb::dynoxide()?;
        let mut client = dynoxide.connect()?;
        for table in ["ours", "theirs"] {
            client.create_table(table, &Keys::partition("key", "S"))?;
        }
        clear(&work)?;
        let words = ["run", "--from", &dump, "--to", "dynamodb://ours", "--region", "eu-central-1"];
        let place = ["--endpoint-url", &dynoxide.endpoint(), "--work", &work.display().to_string()];
        let login = ["AWS_ACCESS_KEY_ID=keystar", "AWS_SECRET_ACCESS_KEY=keystar"];
        let mut command = vec!["env".to_owned()];
        command.extend(login.map(String::from));
        command.push(migrate.clone());
        command.extend(words.map(String::from));
        command.extend(place.map(String::from));
        ours.add(Medians::one(&plan.kit, &command)?);
        let arguments = [file.clone(), "theirs".to_owned(), dynoxide.endpoint()];
        let found = numbers("batch_writer.py", &arguments)?;
        let [_, wall, cpu] = found.as_slice() else {
            return Err(io::Error::other(format!("batch_writer.py: {found:?}")));
        };
        theirs.add(Cost {
            wall: Duration::from_secs_f64(*wall),
            cpu: Duration::from_secs_f64(*cpu),
            peak_bytes: 0,
        });
    }
    let (ours, theirs) = (ours.cost(), theirs.cost());
    let per_item = |cost: Cost| cost.cpu.as_secs_f64() * 1e6 / plan.live_records.max(1) as f64;
    let rate = |cost: Cost| plan.live_records as f64 / cost.wall.as_secs_f64();
    let text = &mut report.markdown;
    let _ = writeln!(
        text,
        "\n{} such items written live to Dynoxide on the same machine.\n",
        grouped(plan.live_records)
    );
    let _ = writeln!(
        text,
        "| way | items/s | wall s | client's CPU µs an item | peak memory | against | target |"
    );
    let _ = writeln!(text, "|---|--:|--:|--:|--:|--:|--:|");
    let _ = writeln!(
        text,
        "| boto3's `batch_writer` | {} | {:.2} | {:.1} | | 1 | |",
        grouped(rate(theirs) as u64),
        theirs.wall.as_secs_f64(),
        per_item(theirs)
    );
    let (faster, cheaper) = (rate(ours) / rate(theirs), per_item(ours) / per_item(theirs));
    let _ = writeln!(
        text,
        "| `migrate run --from dump.rdb --to dynamodb://…` | {} | {:.2} | {:.1} | {} MiB | items/s {faster:.2}, CPU {cheaper:.2} | ≥ 2, ≤ 0.2 |",
        grouped(rate(ours) as u64),
        ours.wall.as_secs_f64(),
        per_item(ours),
        ours.peak_bytes >> 20,
    );
    if faster < 2.0 {
        report.missed.push(format!("live writes: {faster:.2} of boto3's items/s, target 2"));
    }
    if cheaper > 0.2 {
        report.missed.push(format!("live writes: {cheaper:.2} of boto3's CPU, target 0.2"));
    }
    memory(&mut report.missed, "live writes", ours);
    clear(&plan.folder)
}

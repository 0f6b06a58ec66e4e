//! The kit's own program: invents data, measures commands, runs the benchmark.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use keystar_kit::bench::{self, Plan};
use keystar_kit::bench_elt;
use keystar_kit::bench_live;
use keystar_kit::generate::{self, Shape};
use keystar_kit::measure;

#[derive(Parser)]
#[command(about = "Invents data, measures commands, runs the benchmark")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write an RDB file of invented data, as Redis would have saved it
    Generate {
        /// What to invent
        shape: Name,
        /// Records, fields or bytes, as the shape has it
        #[arg(
            long,
            alias = "records",
            alias = "fields",
            alias = "bytes",
            default_value_t = 1_000_000
        )]
        size: u64,
        /// The same seed gives the same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// 10 for what Redis 7.0 loads
        #[arg(long, default_value_t = generate::DEFAULT_VERSION)]
        rdb_version: u16,
        /// Where to write
        #[arg(long)]
        out: PathBuf,
        /// Also write the items that a migration must arrive at (shape article)
        #[arg(long)]
        items: Option<PathBuf>,
    },
    /// Run a command and print its wall µs, CPU µs and peak bytes
    Measure {
        /// The command
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Run the whole-program benchmark and print its table
    Bench {
        /// The release build of migrate
        #[arg(long)]
        migrate: PathBuf,
        /// Where to write some gigabytes
        #[arg(long)]
        folder: PathBuf,
        /// Rounds of the comparison
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Records of the comparison
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// Records of the large run; 0 leaves it out
        #[arg(long, default_value_t = 10_000_000)]
        many_records: u64,
        /// Fields of the hash with many fields; 0 leaves it out
        #[arg(long, default_value_t = 2_000_000)]
        fields: u64,
        /// Bytes of the large hash; 0 leaves it out
        #[arg(long, default_value_t = 1_000_000_000)]
        hash_bytes: u64,
        /// Also put the table into this page, between its marks
        #[arg(long, value_name = "PAGE")]
        write: Option<PathBuf>,
        /// Fail when a target is missed
        #[arg(long)]
        strict: bool,
    },
    /// Run migrate between live servers, against Python and redis-benchmark, and print the table
    BenchLive {
        /// The release build of migrate
        #[arg(long)]
        migrate: PathBuf,
        /// Where to write a gigabyte
        #[arg(long)]
        folder: PathBuf,
        /// Rounds of the comparison
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Hashes in the server
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// Of these, how many the Python job reads
        #[arg(long, default_value_t = 30_000)]
        python_records: u64,
        /// Items that are written live
        #[arg(long, default_value_t = 100_000)]
        live_records: u64,
        /// Also put the table into this page, between its marks
        #[arg(long)]
        write: Option<PathBuf>,
        /// Fail when a target is missed
        #[arg(long)]
        strict: bool,
    },
    /// Run elt against DuckDB and PySpark and print the table
    BenchElt {
        /// The release build of elt
        #[arg(long)]
        elt: PathBuf,
        /// Where to write some gigabytes
        #[arg(long)]
        folder: PathBuf,
        /// Rounds of the comparison
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Customers of the comparison, about 15 items each
        #[arg(long, default_value_t = 100_000)]
        customers: u64,
        /// Customers of the runs by size
        #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
        series: Vec<u64>,
        /// Without the comparison with PySpark
        #[arg(long)]
        no_spark: bool,
        /// Also put the table into this page, between its marks
        #[arg(long, value_name = "PAGE")]
        write: Option<PathBuf>,
        /// Fail when a target is missed
        #[arg(long)]
        strict: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Hashes named by IP address, with age, longitude, name and email
    Article,
    /// One hash of so many fields
    HashFields,
    /// One hash of so many bytes
    HashBytes,
    /// Every type in turn
    Mixed,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> io::Result<ExitCode> {
    match verb {
        Verb::Generate { shape, size, seed, rdb_version, out, items } => {
            let shape = match shape {
                Name::Article => Shape::Article { records: size },
                Name::HashFields => Shape::HashFields { fields: size },
                Name::HashBytes => Shape::HashBytes { bytes: size },
                Name::Mixed => Shape::Mixed { records: size },
            };
            let summary = generate::write(shape, seed, rdb_version, File::create(&out)?)?;
            let generate::Summary { records, bytes, compressed } = summary;
            eprintln!(
                "{}: {records} records, {bytes} bytes, {compressed} strings compressed",
                out.display()
            );
            if let Some(items) = items {
                generate::write_article_items(size, seed, BufWriter::new(File::create(items)?))?;
            }
        }
        Verb::Measure { command } => {
            let Some((program, arguments)) = command.split_first() else {
                return Err(io::Error::other("no command"));
            };
            println!("{}", measure::measure_here(Command::new(program).args(arguments))?.line());
        }
        Verb::Bench {
            migrate,
            folder,
            rounds,
            records,
            many_records,
            fields,
            hash_bytes,
            write,
            strict,
        } => {
            let kit = std::env::current_exe()?;
            let plan =
                Plan { migrate, kit, folder, rounds, records, many_records, fields, hash_bytes };
            let report = bench::run(&plan)?;
            return publish(&report, write, "scripts/bench", strict);
        }
        Verb::BenchElt { elt, folder, rounds, customers, series, no_spark, write, strict } => {
            let kit = std::env::current_exe()?;
            let spark = !no_spark;
            let plan = bench_elt::Plan { elt, kit, folder, rounds, customers, series, spark };
            let report = bench_elt::run(&plan)?;
            return publish(&report, write, "scripts/bench-elt", strict);
        }
        Verb::BenchLive {
            migrate,
            folder,
            rounds,
            records,
            python_records,
            live_records,
            write,
            strict,
        } => {
            let kit = std::env::current_exe()?;
            let plan = bench_live::Plan {
                migrate,
                kit,
                folder,
                rounds,
                records,
                python_records,
                live_records,
            };
            let report = bench_live::run(&plan)?;
            return publish(&report, write, "scripts/bench-live", strict);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a benchmark's table, and says which targets were missed.
fn publish(
    report: &bench::Report,
    page: Option<PathBuf>,
    script: &str,
    strict: bool,
) -> io::Result<ExitCode> {
    println!("{}", report.markdown);
    if let Some(page) = page {
        bench::write_into(&page, script, &report.markdown)?;
    }
    for missed in &report.missed {
        eprintln!("missed: {missed}");
    }
    let failed = strict && !report.missed.is_empty();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

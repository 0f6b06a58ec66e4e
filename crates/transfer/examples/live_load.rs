//! Writes a file of items to a table that is there, and says what that cost:
//! `live_load FILE.json TABLE WORK [ENDPOINT]`, where the table's key is `key`, a text.

use std::{error::Error, fs::File, io::BufReader, time::Instant};

use futures_executor::block_on;
use keystar_item::{KeyAttribute, KeySchema, KeyType, Table, json};
use keystar_transfer::{Aws, AwsOptions, ItemSink, LiveOptions, LiveWriter, Origin};

/// Items of a batch: some hundred kilobytes, as a worker of a migration hands over.
const BATCH: u64 = 1000;

#[allow(clippy::print_stdout, reason = "a program's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, table, work, endpoint @ ..] = arguments.as_slice() else {
        return Err("live_load FILE.json TABLE WORK [ENDPOINT]".into());
    };
    let mut options = AwsOptions::default();
    if let Some(url) = endpoint.first() {
        options = options.with_endpoint_url(url);
    }
    let db = Aws::connect(&options)?.dynamodb();
    let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name(table);

    let begun = Instant::now();
    let mut sink = Box::new(LiveWriter::open(&db, LiveOptions::new(table, work)?, None)?);
    let mut encoder = sink.encoder();
    for (n, item) in (0..).zip(json::Items::new(BufReader::new(File::open(file)?))) {
        encoder.push(&item?, Origin(n))?;
        if n % BATCH == BATCH - 1 {
            block_on(sink.write(encoder.take()))?;
        }
    }
    block_on(sink.write(encoder.take()))?;
    let receipt = block_on(sink.finish(&[]))?;
    println!("{} items in {:.3} s", receipt.items, begun.elapsed().as_secs_f64());
    Ok(())
}

//! All items of a table, segment by segment.

use std::{collections::VecDeque, fmt, time::Duration};

use bytes::Bytes;
use keystar_item::{Item, json};
use serde_json::value::RawValue;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    DynamoDb, Error, TableName,
    batch::{self, Patience},
    call::CallError,
    dynamodb::table_error,
    live_rate::Rate,
};

/// Pages that wait to be taken, for each segment.
const QUEUE: usize = 1;
const TIMEOUT: Duration = Duration::from_secs(30);

/// How a table is scanned.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScanTableOptions {
    /// Parts of the table that are read at the same time.
    pub segments: u32,
    /// Whether every write that was acknowledged before is seen; costs twice as much.
    pub consistent: bool,
    /// Read units a second to stay below, if there is such a limit: 8 KB, or 4 KB if consistent.
    pub units_per_second: Option<u64>,
    /// How long a request that gets nowhere is sent again.
    pub patience: Duration,
}

impl Default for ScanTableOptions {
    /// 4 segments, not consistent, 5 minutes of trying.
    fn default() -> Self {
        Self {
            segments: 4,
            consistent: false,
            units_per_second: None,
            patience: Duration::from_secs(300),
        }
    }
}

impl ScanTableOptions {
    /// Sets how many parts are read at the same time.
    #[must_use]
    pub fn with_segments(mut self, segments: u32) -> Self {
        self.segments = segments;
        self
    }

    /// Sets whether every write that was acknowledged before is seen.
    #[must_use]
    pub fn with_consistent(mut self, consistent: bool) -> Self {
        self.consistent = consistent;
        self
    }

    /// Sets the read units a second to stay below.
    #[must_use]
    pub fn with_units(mut self, per_second: Option<u64>) -> Self {
        self.units_per_second = per_second;
        self
    }

    /// Sets how long a request that gets nowhere is sent again.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// The items of a table, by a scan of several segments at once. Each segment reads ahead by two
/// pages of about a megabyte.
///
/// An iterator of items; or, for several threads, of pages: see [`next_page`](Self::next_page).
/// A scan that fails has failed: begin anew.
///
/// ```no_run
/// use keystar_transfer::{Aws, AwsOptions, ScanTableOptions, TableItems};
///
/// let db = Aws::connect(&AwsOptions::default())?.dynamodb();
/// let options = ScanTableOptions::default().with_segments(8);
/// for item in TableItems::open(&db, &"users".parse()?, options)? {
///     println!("{:?}", item?.get("key"));
/// }
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
pub struct TableItems {
    pages: mpsc::Receiver<Result<TablePage, Error>>,
    tasks: Vec<JoinHandle<()>>,
    /// Of the iterator of items.
    items: VecDeque<Item<'static>>,
}

/// Items as the table handed them out: DynamoDB JSON.
#[derive(Clone)]
pub struct TablePage {
    text: Bytes,
    /// Where in the text each item is.
    items: Vec<(u32, u32)>,
}

impl TableItems {
    /// Begins a scan.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if there are not 1 to 1000000 segments. What keeps the table from being
    /// read comes with the first item.
    pub fn open(
        db: &DynamoDb,
        table: &TableName,
        options: ScanTableOptions,
    ) -> Result<Self, Error> {
        if !(1..=1_000_000).contains(&options.segments) {
            return Err(Error::Options("segments are 1 to 1000000"));
        }
        if options.units_per_second == Some(0) {
            return Err(Error::Options("at least one read unit a second"));
        }
        let (sender, pages) = mpsc::channel(QUEUE * (options.segments as usize).min(64));
        let rate = options.units_per_second.map(|units| std::sync::Arc::new(Rate::new(units)));
        let tasks = (0..options.segments)
            .map(|segment| {
                let segment = Segment {
                    db: db.clone(),
                    table: table.clone(),
                    options: options.clone(),
                    number: segment,
                    rate: rate.clone(),
                };
                let sender = sender.clone();
                db.aws().runtime().spawn(async move {
                    if let Err(error) = segment.read(&sender).await {
                        // Nobody wants to know if the reader was dropped.
                        let _ = sender.send(Err(error)).await;
                    }
                })
            })
            .collect();
        Ok(Self { pages, tasks, items: VecDeque::new() })
    }

    /// The next page, in no order; `None` at the end. To be read on whatever thread has time.
    ///
    /// # Errors
    ///
    /// What went wrong; the scan is then at its end.
    pub fn next_page(&mut self) -> Result<Option<TablePage>, Error> {
        // A thread of another runtime may not block on a channel of this one, but may poll it.
        let next = wait_for(&mut self.pages);
        match next {
            None => Ok(None),
            Some(Ok(page)) => Ok(Some(page)),
            Some(Err(error)) => {
                self.stop();
                Err(error)
            }
        }
    }

    fn stop(&mut self) {
        self.pages.close();
        self.tasks.drain(..).for_each(|task| task.abort());
        while self.pages.try_recv().is_ok() {}
    }
}

fn wait_for<T>(channel: &mut mpsc::Receiver<T>) -> Option<T> {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match channel.poll_recv(&mut context) {
            std::task::Poll::Ready(next) => return next,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

impl Iterator for TableItems {
    type Item = Result<Item<'static>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Some(Ok(item));
            }
            let page = match self.next_page() {
                Ok(page) => page?,
                Err(error) => return Some(Err(error)),
            };
            for item in page.items() {
                match item {
                    Ok(item) => self.items.push_back(item.into_owned()),
                    Err(error) => {
                        self.items.clear();
                        self.stop();
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

impl Drop for TableItems {
    fn drop(&mut self) {
        self.stop();
    }
}

impl TablePage {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none: a scan has pages without items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The text of each item: its attributes, `{"key":{"S":"a"}}`.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.items
            .iter()
            .map(|(begin, end)| self.text.get(*begin as usize..*end as usize).unwrap_or_default())
    }

    /// The items.
    ///
    /// # Errors
    ///
    /// Of an item that is none: the answer was damaged.
    pub fn items(&self) -> impl Iterator<Item = Result<Item<'_>, Error>> {
        self.lines().map(|line| json::parse_item(line).map_err(Error::Attributes))
    }
}

impl fmt::Debug for TablePage {
    /// Never the items.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TablePage").field("items", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TableItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableItems").field("segments", &self.tasks.len()).finish_non_exhaustive()
    }
}

struct Segment {
    db: DynamoDb,
    table: TableName,
    options: ScanTableOptions,
    number: u32,
    rate: Option<std::sync::Arc<Rate>>,
}

impl Segment {
    async fn read(&self, pages: &mpsc::Sender<Result<TablePage, Error>>) -> Result<(), Error> {
        let failed = |error| table_error(error, "Scan", &self.table);
        let mut start: Option<String> = None;
        loop {
            // Room first: a page that nobody takes is not asked for.
            let Ok(room) = pages.reserve().await else { return Ok(()) };
            let body = self.body(start.as_deref());
            let mut patience = Patience::new(self.options.patience);
            let wire = self.db.wire();
            let text = batch::call(wire, "Scan", body.into(), TIMEOUT, &mut patience).await;
            let text = text.map_err(|refusal| failed(refusal.error))?;
            let answer: Answer<'_> =
                serde_json::from_slice(&text).map_err(|error| failed(CallError::network(error)))?;
            if let (Some(rate), Some(consumed)) = (&self.rate, answer.consumed) {
                rate.take(consumed.units).await;
            }
            start = answer.last.map(|key| key.get().to_owned());
            let begin = text.as_ptr() as usize;
            let items = answer.items.iter().map(|item| {
                let at = (item.get().as_ptr() as usize).wrapping_sub(begin);
                (at as u32, (at + item.get().len()) as u32)
            });
            let items = items.collect();
            room.send(Ok(TablePage { text, items }));
            if start.is_none() {
                return Ok(());
            }
        }
    }

    fn body(&self, start: Option<&str>) -> String {
        let Self { table, options, number, .. } = self;
        let mut body = format!("{{\"TableName\":\"{table}\"");
        if options.segments > 1 {
            let total = options.segments;
            body.push_str(&format!(",\"Segment\":{number},\"TotalSegments\":{total}"));
        }
        if options.consistent {
            body.push_str(",\"ConsistentRead\":true");
        }
        if self.rate.is_some() {
            body.push_str(",\"ReturnConsumedCapacity\":\"TOTAL\"");
        }
        if let Some(start) = start {
            body.push_str(",\"ExclusiveStartKey\":");
            body.push_str(start);
        }
        body.push('}');
        body
    }
}

#[derive(serde::Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default, rename = "Items")]
    items: Vec<&'a RawValue>,
    #[serde(borrow, default, rename = "LastEvaluatedKey")]
    last: Option<&'a RawValue>,
    #[serde(default, rename = "ConsumedCapacity")]
    consumed: Option<batch::Consumed>,
}

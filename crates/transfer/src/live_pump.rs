//! Requests under way: as many at once as the table takes, each until all of it is taken.
//!
//! One task gives out the work. It alone knows which keys are under way, so that of two items of
//! one key the later one is sent once the earlier one is there.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use keystar_item::json;
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    DynamoDb, Error, LiveOptions, Put,
    batch::{Patience, Writes, unprocessed},
    call::{CallError, CallErrorKind},
    collision::Key,
    dynamodb::table_error,
    live_rate::{Flight, Rate},
    wire::Refusal,
};

/// Requests that wait for their turn.
const QUEUE: usize = 16;

/// The near end.
#[derive(Debug)]
pub(crate) struct Pump {
    orders: mpsc::Sender<Order>,
    /// Why the far end is gone.
    failed: Arc<Mutex<Option<Error>>>,
}

#[derive(Debug)]
enum Order {
    Write(Writes),
    /// Answered once everything before it is in the table: how many items were left as they were.
    Flush(oneshot::Sender<u64>),
}

struct Setup {
    db: DynamoDb,
    options: LiveOptions,
    flight: Flight,
    rate: Option<Rate>,
}

impl Pump {
    pub(crate) fn start(db: &DynamoDb, options: &LiveOptions) -> Self {
        let (orders, queue) = mpsc::channel(QUEUE);
        let failed = Arc::new(Mutex::new(None));
        let setup = Arc::new(Setup {
            db: db.clone(),
            flight: Flight::new(options.max_in_flight),
            rate: options.units_per_second.map(Rate::new),
            options: options.clone(),
        });
        let told = Arc::clone(&failed);
        db.aws().runtime().spawn(run(setup, queue, told));
        Self { orders, failed }
    }

    pub(crate) async fn write(&self, writes: Writes) -> Result<(), Error> {
        match self.orders.send(Order::Write(writes)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Waits until everything is in the table. How many items were left as they were since the
    /// last time.
    pub(crate) async fn flush(&self) -> Result<u64, Error> {
        let (reply, answer) = oneshot::channel();
        if self.orders.send(Order::Flush(reply)).await.is_err() {
            return Err(self.failure());
        }
        answer.await.map_err(|_| self.failure())
    }

    fn failure(&self) -> Error {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.take().unwrap_or(Error::Poisoned)
    }
}

/// What became of a request.
type Done = Result<(Vec<u64>, u64), Error>;

async fn run(
    setup: Arc<Setup>,
    mut queue: mpsc::Receiver<Order>,
    failed: Arc<Mutex<Option<Error>>>,
) {
    let mut flying: JoinSet<Done> = JoinSet::new();
    let mut keys: HashSet<u64> = HashSet::new();
    let mut existing = 0;
    let mut next: Option<Order> = None;
    loop {
        next = match next.take() {
            Some(Order::Write(writes)) => {
                let clear = !writes.hashes().any(|hash| keys.contains(&hash));
                if clear && flying.len() < setup.flight.limit() {
                    keys.extend(writes.hashes());
                    flying.spawn(send(Arc::clone(&setup), writes));
                    None
                } else {
                    Some(Order::Write(writes))
                }
            }
            Some(Order::Flush(reply)) if flying.is_empty() => {
                // Whoever asked may be gone.
                let _ = reply.send(std::mem::take(&mut existing));
                None
            }
            other => other,
        };
        tokio::select! {
            biased;
            Some(done) = flying.join_next(), if !flying.is_empty() => {
                match done.unwrap_or(Err(Error::Poisoned)) {
                    Ok((written, found)) => {
                        existing += found;
                        for hash in written {
                            keys.remove(&hash);
                        }
                    }
                    Err(error) => {
                        // Before the queue is closed: whoever notices that wants to know why.
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            }
            order = queue.recv(), if next.is_none() => match order {
                Some(order) => next = Some(order),
                // The writer was dropped: what is under way is given up.
                None => return,
            },
        }
    }
}

/// Until it is in the table.
async fn send(setup: Arc<Setup>, writes: Writes) -> Done {
    let hashes = writes.hashes().collect();
    let existing = match &setup.options.put {
        Put::Always => {
            send_batch(&setup, writes).await?;
            0
        }
        condition => {
            let mut existing = 0;
            for (write, _) in writes.each() {
                existing += u64::from(!put_if(&setup, Writes::line(write), condition).await?);
            }
            existing
        }
    };
    Ok((hashes, existing))
}

async fn send_batch(setup: &Setup, mut writes: Writes) -> Result<(), Error> {
    let LiveOptions { name, table, timeout, .. } = &setup.options;
    let mut patience = Patience::new(setup.options.patience);
    while !writes.is_empty() {
        let reserved = setup.reserve(writes.len(), writes.bytes()).await;
        let start = setup.flight.start();
        let body = writes.body(name, setup.rate.is_some());
        match setup.db.wire().call("BatchWriteItem", body, *timeout).await {
            Ok(answer) => {
                let (left, units) = writes
                    .left(&answer, table)
                    .map_err(|error| table_error(error, "BatchWriteItem", name))?;
                setup.settle(reserved, units);
                let share = left.len() as f64 / writes.len().max(1) as f64;
                setup.flight.end(start, share);
                if left.len() < writes.len() {
                    patience.renew();
                }
                writes = left;
                if !writes.is_empty() && !patience.pause().await {
                    return Err(table_error(unprocessed(), "BatchWriteItem", name));
                }
            }
            Err(Refusal { error, .. }) if error.is_retryable() => {
                setup.settle(reserved, Some(0.0));
                setup.back_off(start, error, "BatchWriteItem", &mut patience).await?;
            }
            Err(Refusal { error, .. }) if error.code == "ValidationException" => {
                setup.settle(reserved, Some(0.0));
                return Err(setup.find_refused(&writes, error).await);
            }
            Err(Refusal { error, .. }) => return Err(table_error(error, "BatchWriteItem", name)),
        }
    }
    Ok(())
}

/// Whether the item was put; if not, the table has another one.
async fn put_if(setup: &Setup, line: &[u8], condition: &Put) -> Result<bool, Error> {
    let LiveOptions { name, timeout, .. } = &setup.options;
    let mut patience = Patience::new(setup.options.patience);
    let body = setup.put_body(line, condition);
    loop {
        let reserved = setup.reserve(1, line.len()).await;
        let start = setup.flight.start();
        match setup.db.wire().call("PutItem", body.clone(), *timeout).await {
            Ok(answer) => {
                setup.settle(reserved, units_of(&answer));
                setup.flight.end(start, 0.0);
                return Ok(true);
            }
            Err(Refusal { error, body }) if error.code == "ConditionalCheckFailedException" => {
                setup.settle(reserved, None);
                setup.flight.end(start, 0.0);
                // Our own item, put by an attempt whose answer was lost, or by the run that was
                // killed.
                return Ok(is_same(line, &body));
            }
            Err(Refusal { error, .. }) if error.is_retryable() => {
                setup.settle(reserved, Some(0.0));
                setup.back_off(start, error, "PutItem", &mut patience).await?;
            }
            Err(Refusal { error, .. }) if error.code == "ValidationException" => {
                return Err(setup.refused(line, &error));
            }
            Err(Refusal { error, .. }) => return Err(table_error(error, "PutItem", name)),
        }
    }
}

/// Whether the item that stands in the way, which the answer shows, is the one that was to be put.
fn is_same(line: &[u8], answer: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Found<'a> {
        #[serde(borrow, rename = "Item")]
        item: &'a RawValue,
    }
    let Ok(found) = serde_json::from_slice::<Found<'_>>(answer) else { return false };
    let found = json::parse_item(found.item.get().as_bytes());
    matches!((json::parse_item(line), found), (Ok(ours), Ok(theirs)) if ours.is_same(&theirs))
}

fn units_of(answer: &[u8]) -> Option<f64> {
    #[derive(serde::Deserialize)]
    struct Answer {
        #[serde(rename = "ConsumedCapacity")]
        consumed: crate::batch::Consumed,
    }
    serde_json::from_slice::<Answer>(answer).ok().map(|answer| answer.consumed.units)
}

impl Setup {
    /// Waits until so much may be sent. An item is a unit at least, and its text is no shorter than
    /// what it counts as; the answer tells what it did cost.
    async fn reserve(&self, items: usize, bytes: usize) -> f64 {
        let Some(rate) = &self.rate else { return 0.0 };
        let units = bytes.div_ceil(1024).max(items) as f64;
        rate.take(units).await;
        units
    }

    /// What it did cost, if that is known.
    fn settle(&self, reserved: f64, units: Option<f64>) {
        if let (Some(rate), Some(units)) = (&self.rate, units) {
            rate.give_back(reserved - units);
        }
    }

    async fn back_off(
        &self,
        start: u64,
        error: CallError,
        action: &str,
        patience: &mut Patience,
    ) -> Result<(), Error> {
        // A server that is down is not helped by more requests either.
        self.flight.end(start, if error.kind == CallErrorKind::Network { 0.5 } else { 1.0 });
        if patience.pause().await {
            Ok(())
        } else {
            Err(table_error(error, action, &self.options.name))
        }
    }

    fn put_body(&self, line: &[u8], condition: &Put) -> Bytes {
        let LiveOptions { table, name, .. } = &self.options;
        let mut body = format!("{{\"TableName\":\"{name}\",").into_bytes();
        let inner = line.strip_prefix(b"{").and_then(|line| line.strip_suffix(b"}"));
        body.extend_from_slice(inner.unwrap_or(line));
        let key = &table.key.partition.name;
        let mut names = vec![("#k", key.as_str())];
        let mut value = Vec::new();
        let mut expression = "attribute_not_exists(#k)";
        if let Put::IfNewer { attribute } = condition
            && let Ok(item) = json::parse_item(line)
            && let Some(version) = item.get(attribute)
        {
            expression = "attribute_not_exists(#k) OR attribute_not_exists(#v) OR #v < :v";
            names.push(("#v", attribute));
            json::write_value(version, &mut value);
        }
        body.extend_from_slice(
            format!(",\"ConditionExpression\":\"{expression}\",\"ExpressionAttributeNames\":{{")
                .as_bytes(),
        );
        for (n, (placeholder, name)) in names.iter().enumerate() {
            let name = serde_json::Value::from(*name);
            let comma = if n > 0 { "," } else { "" };
            body.extend_from_slice(format!("{comma}\"{placeholder}\":{name}").as_bytes());
        }
        body.push(b'}');
        if !value.is_empty() {
            body.extend_from_slice(b",\"ExpressionAttributeValues\":{\":v\":");
            body.extend_from_slice(&value);
            body.push(b'}');
        }
        if self.rate.is_some() {
            body.extend_from_slice(b",\"ReturnConsumedCapacity\":\"TOTAL\"");
        }
        body.extend_from_slice(b",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
        body.into()
    }

    /// The server does not say which item of a batch it does not like: they go one by one.
    async fn find_refused(&self, writes: &Writes, all: CallError) -> Error {
        let LiveOptions { name, timeout, .. } = &self.options;
        for (write, hash) in writes.each() {
            let mut one = Writes::default();
            one.put(Writes::line(write), hash);
            let body = one.body(name, false);
            if let Err(Refusal { error, .. }) =
                self.db.wire().call("BatchWriteItem", body, *timeout).await
                && error.code == "ValidationException"
            {
                return self.refused(Writes::line(write), &error);
            }
        }
        table_error(all, "BatchWriteItem", name)
    }

    fn refused(&self, line: &[u8], error: &CallError) -> Error {
        let item = json::parse_item(line).ok();
        let key = item.and_then(|item| Key::of(&item, &self.options.table));
        Error::ItemRefused {
            table: self.options.name.to_string(),
            key: key.map_or_else(String::new, |key| key.shown().to_owned()),
            reason: without_contents(&error.message).to_owned(),
        }
    }
}

/// The one message of the service that ends with what was in the item.
fn without_contents(message: &str) -> &str {
    const BEFORE: &str = "cannot be converted to a numeric value";
    match message.find(BEFORE) {
        Some(at) => message.get(..at + BEFORE.len()).unwrap_or(message),
        None => message,
    }
}

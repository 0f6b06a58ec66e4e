//! A proxy before a DynamoDB that goes wrong on purpose: no stand-in throttles, breaks down or loses answers by itself.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::double_http::{Listener, Request, Response, forward};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Of a `BatchWriteItem` every so many-th write is not done and comes back as unprocessed; 1 is all of them. Of a
    /// `BatchGetItem` likewise with the keys.
    Unprocessed(usize),
    /// It is refused with this status and code, and not done.
    Refuse(u16, &'static str),
    /// The connection is closed, and it is not done.
    Unheard,
    /// It is done, and the connection is closed without an answer.
    AnswerLost,
    /// It is done, and answered after this time.
    Slow(Duration),
}

/// One call as a script sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `BatchWriteItem` and so on.
    pub operation: String,
    /// How many calls of this operation there were before.
    pub number: usize,
    /// How many writes or keys it has.
    pub parts: usize,
}

/// What the proxy saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many calls there were of each operation.
    pub calls: BTreeMap<String, usize>,
    /// How many writes were asked for, those that were sent again among them.
    pub writes: usize,
    /// The most writes of one call.
    pub largest: usize,
    /// The most calls that were under way at once.
    pub most_at_once: usize,
    /// How many writes had the key of another write that was under way, or of the same call.
    pub overlaps: usize,
    /// How many faults there were.
    pub faults: usize,
}

type Script = Box<dyn FnMut(&Call) -> Option<Fault> + Send>;

/// Listens on loopback; gone when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    listener: Listener,
    state: Arc<State>,
}

struct State {
    to: SocketAddr,
    /// The key attributes of the tables, to know writes of the same key.
    keys: Vec<String>,
    script: Mutex<Script>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    seen: Seen,
    at_once: usize,
    under_way: HashMap<String, usize>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("to", &self.to).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Before the server at `endpoint`; `keys` are the names of the tables' key attributes.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(
        endpoint: &str,
        keys: &[&str],
        script: impl FnMut(&Call) -> Option<Fault> + Send + 'static,
    ) -> io::Result<Self> {
        let to = endpoint.trim_start_matches("http://").parse().map_err(io::Error::other)?;
        let state = Arc::new(State {
            to,
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
            script: Mutex::new(Box::new(script)),
            now: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let listener = Listener::start(move |request| shared.handle(request))?;
        Ok(Self { listener, state })
    }

    /// Where an SDK finds it.
    pub fn endpoint(&self) -> String {
        self.listener.endpoint()
    }

    /// What goes wrong from now on.
    pub fn script(&self, script: impl FnMut(&Call) -> Option<Fault> + Send + 'static) {
        *self.state.script.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(script);
    }

    /// What it saw so far.
    pub fn seen(&self) -> Seen {
        self.state.now().seen.clone()
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, request: Request) -> Option<Response> {
        let target = request.headers.get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let keys = self.keys_of(&operation, &body);
        let call = self.begin(&operation, &keys, parts(&body));
        let fault = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(&call);
        if fault.is_some() {
            self.now().seen.faults += 1;
        }
        let answer = self.answer(&request, body, fault);
        let mut now = self.now();
        now.at_once -= 1;
        for key in keys {
            if let Some(count) = now.under_way.get_mut(&key) {
                *count -= 1;
            }
        }
        answer
    }

    fn begin(&self, operation: &str, keys: &[String], parts: usize) -> Call {
        let mut now = self.now();
        now.at_once += 1;
        now.seen.most_at_once = now.seen.most_at_once.max(now.at_once);
        now.seen.writes += keys.len();
        now.seen.largest = now.seen.largest.max(keys.len());
        for key in keys {
            let count = now.under_way.entry(key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                now.seen.overlaps += 1;
            }
        }
        let number = now.seen.calls.entry(operation.to_owned()).or_default();
        *number += 1;
        Call { operation: operation.to_owned(), number: *number - 1, parts }
    }

    fn answer(&self, request: &Request, body: Value, fault: Option<Fault>) -> Option<Response> {
        let hand_on = |request: &Request| {
            forward(request, self.to).unwrap_or_else(|error| {
                Response::json(502, &json!({"__type": "BadGateway", "message": error.to_string()}))
            })
        };
        match fault {
            None => Some(hand_on(request)),
            Some(Fault::Refuse(status, code)) => {
                let words = format!("com.amazonaws.dynamodb.v20120810#{code}");
                let body = json!({"__type": words, "message": "on purpose"});
                Some(Response::json(status, &body))
            }
            Some(Fault::Unheard) => None,
            Some(Fault::AnswerLost) => {
                hand_on(request);
                None
            }
            Some(Fault::Slow(time)) => {
                let answer = hand_on(request);
                std::thread::sleep(time);
                Some(answer)
            }
            Some(Fault::Unprocessed(every)) => Some(self.unprocessed(request, body, every)),
        }
    }

    fn unprocessed(&self, request: &Request, mut body: Value, every: usize) -> Response {
        let (mut left, mut name) = (serde_json::Map::new(), "UnprocessedItems");
        let mut count = 0;
        if let Some(tables) = body.get_mut("RequestItems").and_then(Value::as_object_mut) {
            for (table, wanted) in tables.iter_mut() {
                let reads = wanted.get("Keys").is_some();
                let list = if reads { &mut wanted["Keys"] } else { wanted };
                let Some(all) = list.as_array_mut() else { continue };
                let mut turn = 0;
                let (out, rest): (Vec<Value>, Vec<Value>) = all.drain(..).partition(|_| {
                    turn += 1;
                    turn % every == 0
                });
                *all = rest;
                count += all.len();
                if !out.is_empty() {
                    name = if reads { "UnprocessedKeys" } else { name };
                    let out = if reads { json!({ "Keys": out }) } else { Value::from(out) };
                    left.insert(table.clone(), out);
                }
            }
        }
        if count == 0 {
            let empty =
                if name == "UnprocessedKeys" { "Responses" } else { "ItemCollectionMetrics" };
            return Response::json(200, &json!({name: left, empty: {}}));
        }
        let mut some = request.clone();
        some.body = body.to_string().into_bytes();
        let mut answer = forward(&some, self.to)
            .unwrap_or_else(|_| Response::json(502, &json!({"__type": "BadGateway"})));
        if let (200, Ok(mut words)) = (answer.status, serde_json::from_slice::<Value>(&answer.body))
        {
            words[name] = Value::Object(left);
            answer.body = words.to_string().into_bytes();
        }
        answer
    }

    /// One text for the key of each write.
    fn keys_of(&self, operation: &str, body: &Value) -> Vec<String> {
        let key = |item: &Value| self.keys.iter().map(|name| item[name].to_string()).collect();
        match operation {
            "PutItem" => vec![key(&body["Item"])],
            "DeleteItem" => vec![key(&body["Key"])],
            "BatchWriteItem" => {
                let tables = body["RequestItems"].as_object().into_iter().flatten();
                let writes = tables.flat_map(|(_, writes)| writes.as_array().into_iter().flatten());
                writes
                    .map(|write| match write.get("PutRequest") {
                        Some(put) => key(&put["Item"]),
                        None => key(&write["DeleteRequest"]["Key"]),
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

fn parts(body: &Value) -> usize {
    let tables = body["RequestItems"].as_object().into_iter().flatten();
    tables
        .map(|(_, wanted)| wanted.get("Keys").unwrap_or(wanted).as_array().map_or(0, Vec::len))
        .sum()
}

//! Servers that validate as DynamoDB does, and a client that asks them by the plain protocol: it shares no code with
//! what it judges.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::places;
use crate::process::Server;

/// A DynamoDB stand-in on loopback, empty.
#[derive(Debug)]
pub struct DynamoDb {
    server: Server,
    name: &'static str,
}

/// The key attributes of a table: name and type (`S`, `N` or `B`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The partition key.
    pub partition: (String, String),
    /// The sort key.
    pub sort: Option<(String, String)>,
}

impl Keys {
    /// A partition key alone.
    pub fn partition(name: &str, kind: &str) -> Self {
        Self { partition: (name.to_owned(), kind.to_owned()), sort: None }
    }
}

/// An item that the server did not take or did not hand back as it was.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// The server refused it.
    Refused {
        /// The item.
        item: Value,
        /// What the server said.
        reason: String,
    },
    /// It was taken and is not there.
    Missing(Value),
    /// It came back otherwise.
    Changed {
        /// As it was sent.
        sent: Value,
        /// As it came back.
        found: Value,
    },
    /// The table holds what was not sent.
    Unexpected(Value),
}

impl DynamoDb {
    /// Dynoxide.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn dynoxide() -> io::Result<Self> {
        let program = places::installed("tools/bin/dynoxide")?;
        let server = Server::start("dynoxide", Duration::from_secs(10), |_, port| {
            let mut command = Command::new(&program);
            command.args(["--host", "127.0.0.1", "--log", "quiet", "--port"]).arg(port.to_string());
            Ok(command)
        })?;
        Ok(Self { server, name: "dynoxide" })
    }

    /// DynamoDB Local, Amazon's own.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn local() -> io::Result<Self> {
        let home = places::installed("tools/dynamodb-local")?;
        places::installed("tools/dynamodb-local/Loopback.class")?;
        let server = Server::start("dynamodb-local", Duration::from_secs(60), |folder, port| {
            let mut command = Command::new("java");
            let library = home.join("lib");
            command
                .current_dir(folder)
                .arg(format!("-Djava.library.path={}", library.display()))
                .arg("-cp")
                .arg(format!("{}:{}/*", home.display(), library.display()))
                .args(["Loopback", "-inMemory", "-sharedDb", "-disableTelemetry", "-port"])
                .arg(port.to_string());
            Ok(command)
        })?;
        Ok(Self { server, name: "dynamodb-local" })
    }

    /// Which of the two it is.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where an SDK finds it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// A new connection.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn connect(&self) -> io::Result<Client> {
        Client::connect(self.server.address())
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    host: String,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Client {
    /// A connection to any server that speaks the protocol.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self {
            host: address.to_string(),
            reader: BufReader::new(stream.try_clone()?),
            writer: stream,
        })
    }

    /// One call of the API.
    ///
    /// # Errors
    /// What the server refused, with its words; or a broken connection.
    pub fn call(&mut self, operation: &str, body: &str) -> io::Result<Value> {
        // The stand-ins want a signature's form and do not check it.
        write!(
            self.writer,
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=keystar/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-target, \
             Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )?;
        let (status, answer) = self.answer()?;
        if status != 200 {
            return Err(io::Error::other(format!(
                "{operation}: {status}: {}",
                String::from_utf8_lossy(&answer)
            )));
        }
        serde_json::from_slice(&answer).map_err(io::Error::other)
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not HTTP: {first:?}")))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => {
                    length = value.trim().parse().map_err(io::Error::other)?
                }
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if !chunked {
            self.reader.by_ref().take(length).read_to_end(&mut body)?;
            return Ok((status, body));
        }
        loop {
            let size = u64::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            self.reader.by_ref().take(size).read_to_end(&mut body)?;
            self.line()?;
            if size == 0 {
                return Ok((status, body));
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Makes a table that is paid by request.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_table(&mut self, name: &str, keys: &Keys) -> io::Result<()> {
        let mut schema = vec![json!({"AttributeName": keys.partition.0, "KeyType": "HASH"})];
        let mut attributes =
            vec![json!({"AttributeName": keys.partition.0, "AttributeType": keys.partition.1})];
        if let Some((name, kind)) = &keys.sort {
            schema.push(json!({"AttributeName": name, "KeyType": "RANGE"}));
            attributes.push(json!({"AttributeName": name, "AttributeType": kind}));
        }
        let body = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": schema, "AttributeDefinitions": attributes,
        });
        self.call("CreateTable", &body.to_string()).map(drop)
    }

    /// Puts lines of DynamoDB JSON (`{"Item":{…}}`) into a new table and reads all of it back: what is not the same.
    ///
    /// # Errors
    /// When the server breaks, or a line is not JSON; what it refuses is a difference.
    pub fn round_trip(
        &mut self,
        table: &str,
        keys: &Keys,
        lines: &[String],
    ) -> io::Result<Vec<Difference>> {
        self.create_table(table, keys)?;
        let mut sent = BTreeMap::new();
        let mut differences = Vec::new();
        for batch in batches(lines) {
            let mut items = BTreeMap::new();
            for line in batch {
                let parsed: Value = serde_json::from_str(line).map_err(io::Error::other)?;
                let item = parsed
                    .get("Item")
                    .cloned()
                    .ok_or_else(|| io::Error::other("a line without Item"))?;
                items.insert(key_of(&item, keys), item);
            }
            match self.put(table, batch) {
                Ok(()) => sent.extend(items),
                // One bad item spoils its batch: find out which.
                Err(_) => {
                    for (line, (key, item)) in batch.iter().zip(in_order(batch, keys)?) {
                        match self.put(table, std::slice::from_ref(line)) {
                            Ok(()) => drop(sent.insert(key, item)),
                            Err(error) => differences
                                .push(Difference::Refused { item, reason: error.to_string() }),
                        }
                    }
                }
            }
        }

        let mut found = self.scan(table, keys)?;
        for (key, sent) in sent {
            match found.remove(&key) {
                None => differences.push(Difference::Missing(sent)),
                Some(found) if comparable(&sent) != comparable(&found) => {
                    differences.push(Difference::Changed { sent, found });
                }
                Some(_) => {}
            }
        }
        differences.extend(found.into_values().map(Difference::Unexpected));
        Ok(differences)
    }

    fn put(&mut self, table: &str, lines: &[String]) -> io::Result<()> {
        let requests: Vec<String> =
            lines.iter().map(|line| format!(r#"{{"PutRequest":{}}}"#, line.trim())).collect();
        let body = format!(r#"{{"RequestItems":{{"{table}":[{}]}}}}"#, requests.join(","));
        let answer = self.call("BatchWriteItem", &body)?;
        match answer.get("UnprocessedItems") {
            Some(Value::Object(left)) if !left.is_empty() => {
                Err(io::Error::other("items were left unprocessed"))
            }
            _ => Ok(()),
        }
    }

    /// All items of a table, by the texts of their keys.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn scan(&mut self, table: &str, keys: &Keys) -> io::Result<BTreeMap<String, Value>> {
        let mut found = BTreeMap::new();
        let mut body = json!({"TableName": table, "ConsistentRead": true});
        loop {
            let mut page = self.call("Scan", &body.to_string())?;
            let items = page
                .get_mut("Items")
                .and_then(Value::as_array_mut)
                .map(std::mem::take)
                .unwrap_or_default();
            found.extend(items.into_iter().map(|item| (key_of(&item, keys), item)));
            match page.get("LastEvaluatedKey") {
                Some(last) if !last.is_null() => body["ExclusiveStartKey"] = last.clone(),
                _ => return Ok(found),
            }
        }
    }
}

/// At most 25 items and about 4 MB a call.
fn batches(lines: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (index, line) in lines.iter().enumerate() {
        if index - begin == 25 || (index > begin && bytes + line.len() > 4_000_000) {
            batches.push(&lines[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += line.len();
    }
    batches.push(&lines[begin..]);
    batches.retain(|batch| !batch.is_empty());
    batches
}

fn in_order(lines: &[String], keys: &Keys) -> io::Result<Vec<(String, Value)>> {
    let items = lines.iter().map(|line| {
        let mut parsed: Value = serde_json::from_str(line).map_err(io::Error::other)?;
        let item = parsed["Item"].take();
        Ok((key_of(&item, keys), item))
    });
    items.collect()
}

fn key_of(item: &Value, keys: &Keys) -> String {
    let sort = keys.sort.as_ref().map(|(name, _)| item[name].to_string());
    format!("{} {}", item[&keys.partition.0], sort.unwrap_or_default())
}

/// An item with its sets in order: they have none; everything else, the text of numbers too, must come back as it was.
pub fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted = map.iter().map(|(name, value)| {
                let mut value = comparable(value);
                if matches!(name.as_str(), "SS" | "NS" | "BS")
                    && let Value::Array(members) = &mut value
                {
                    members.sort_by_key(Value::to_string);
                }
                (name.clone(), value)
            });
            Value::Object(sorted.collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(comparable).collect()),
        other => other.clone(),
    }
}

use std::collections::BTreeMap;

use keystar_rdb::Db;

use super::link::{Link, Reply};
use crate::Error;

/// What `INFO` says, by name. Empty where the user may not ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Info(BTreeMap<String, String>);

/// What a database holds, as `INFO keyspace` counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keyspace {
    pub(crate) keys: u64,
    pub(crate) expires: u64,
    pub(crate) average_ttl_ms: u64,
}

impl Info {
    /// Asks a server.
    pub(crate) fn of(link: &mut Link) -> Result<Self, Error> {
        match link.try_ask(&["INFO"])? {
            Reply::Error(detail) => match link.refused("INFO", &detail) {
                Error::Forbidden { .. } | Error::Unsupported { .. } => Ok(Self::default()),
                error => Err(error),
            },
            reply => Ok(Self::parse(reply.text().unwrap_or_default())),
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(crate) fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Names the process: cursors are good for no other.
    pub(crate) fn run_id(&self) -> &str {
        self.get("run_id").unwrap_or_default()
    }

    /// The databases that hold keys.
    pub(crate) fn keyspaces(&self) -> BTreeMap<Db, Keyspace> {
        let databases = self.0.range("db0".to_owned().."dc".to_owned());
        databases.filter_map(|(name, value)| keyspace(name, value)).collect()
    }
}

fn keyspace(name: &str, value: &str) -> Option<(Db, Keyspace)> {
    let number = name.strip_prefix("db")?.parse().ok()?;
    let field = |name: &str| {
        let mut pairs = value.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name)?.1.parse().ok()
    };
    let keyspace = Keyspace {
        keys: field("keys")?,
        expires: field("expires").unwrap_or_default(),
        average_ttl_ms: field("avg_ttl").unwrap_or_default(),
    };
    Some((Db(number), keyspace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_read() {
        let info = Info::parse(
            "# Server\r\nrun_id:abc\r\n\r\n# Keyspace\r\n\
             db0:keys=3,expires=1,avg_ttl=500,subexpiry=0\r\ndb11:keys=1,expires=0,avg_ttl=0\r\n",
        );
        assert_eq!(info.run_id(), "abc");
        let found: Vec<_> =
            info.keyspaces().into_iter().map(|(db, one)| (db.0, one.keys)).collect();
        assert_eq!(found, [(0, 3), (11, 1)]);
        assert_eq!(info.keyspaces()[&Db(0)].average_ttl_ms, 500);
    }
}

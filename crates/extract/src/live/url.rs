use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::address::Address;
use crate::Error;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Where a deployment of Redis or Valkey is found, without its password.
///
/// | form | names |
/// |---|---|
/// | `redis://[user@]host[:port][/db]` | a server, or any node of a cluster |
/// | `rediss://…` | the same over TLS |
/// | `unix:///path/to.sock[?db=n]` | a server by its socket |
/// | `redis+sentinel://[user@]host:port,host:port/name[?db=n]` | the primary that Sentinels know by this name |
/// | `rediss+sentinel://…` | the same, Sentinels and servers both over TLS |
///
/// Without a database, every one is meant.
///
/// ```
/// use keystar_extract::RedisUrl;
///
/// let url: RedisUrl = "rediss://reader@cache.example:6380/2".parse()?;
/// assert_eq!(url.to_string(), "rediss://reader@cache.example:6380/2");
/// assert_eq!(url.db(), Some(2));
/// assert!("redis://:secret@cache.example".parse::<RedisUrl>().is_err());
/// # Ok::<(), keystar_extract::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedisUrl {
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) place: Place,
    pub(crate) db: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Server(Address),
    Sentinel { sentinels: Vec<Address>, name: String },
}

impl RedisUrl {
    /// The one database that is meant; `None` means all of them.
    pub fn db(&self) -> Option<u32> {
        self.db
    }

    /// The user that the URL names.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for RedisUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|reason| Error::Url { reason })
    }
}

fn parse(text: &str) -> Result<RedisUrl, &'static str> {
    const SCHEME: &str = "it begins with none of redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://";
    let (scheme, rest) = text.split_once("://").ok_or(SCHEME)?;
    let (tls, sentinel) = match scheme {
        "redis" | "unix" | "redis+unix" => (false, false),
        "rediss" => (true, false),
        "redis+sentinel" => (false, true),
        "rediss+sentinel" => (true, true),
        _ => return Err(SCHEME),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let mut db = query.map(database).transpose()?;
    if scheme.ends_with("unix") {
        let (user, path) = user(rest)?;
        if !path.starts_with('/') {
            return Err("the path of a socket begins with a slash: unix:///path");
        }
        let path = PathBuf::from(decode(path).ok_or("a % in the path is no escape")?);
        return Ok(RedisUrl { tls, user, place: Place::Server(Address::Unix(path)), db });
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = user(authority)?;
    let place = if sentinel {
        let address = |host| Address::parse(host, SENTINEL_PORT);
        let sentinels: Option<Vec<_>> = hosts.split(',').map(address).collect();
        let sentinels = sentinels.ok_or("a Sentinel is named as host or host:port")?;
        if path.is_empty() || path.contains('/') {
            return Err("the name of the primary follows the Sentinels: …/NAME");
        }
        let name = decode(path).ok_or("a % in the name is no escape")?;
        Place::Sentinel { sentinels, name }
    } else {
        if !path.is_empty() {
            db = Some(path.parse().map_err(|_| "what follows the host is a database's number")?);
        }
        let address = Address::parse(hosts, REDIS_PORT);
        Place::Server(address.ok_or("a server is named as host or host:port")?)
    };
    Ok(RedisUrl { tls, user, place, db })
}

/// The user before the `@`. A password is refused: it would stand in the process list and in logs.
fn user(authority: &str) -> Result<(Option<String>, &str), &'static str> {
    let Some((user, rest)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    if user.contains(':') {
        return Err("a password does not belong into a URL: give it by environment or file");
    }
    let user = decode(user).ok_or("a % in the user's name is no escape")?;
    Ok(((!user.is_empty()).then_some(user), rest))
}

fn database(query: &str) -> Result<u32, &'static str> {
    let number = query.strip_prefix("db=").ok_or("the one setting after ? is db=NUMBER")?;
    number.parse().map_err(|_| "db= wants a database's number")
}

/// Undoes %-escapes.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

/// Escapes what would end the part of a URL.
fn encode(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                write!(f, "{}", char::from(byte))?;
            }
            _ => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tls { "s" } else { "" };
        match &self.place {
            Place::Server(Address::Tcp { .. }) => write!(f, "redis{s}://")?,
            Place::Server(Address::Unix(_)) => f.write_str("unix://")?,
            Place::Sentinel { .. } => write!(f, "redis{s}+sentinel://")?,
        }
        if let Some(user) = &self.user {
            encode(f, user)?;
            f.write_str("@")?;
        }
        match &self.place {
            Place::Server(Address::Unix(path)) => encode(f, &path.to_string_lossy())?,
            Place::Server(address) => {
                write!(f, "{address}")?;
                return self.db.map_or(Ok(()), |db| write!(f, "/{db}"));
            }
            Place::Sentinel { sentinels, name } => {
                for (at, sentinel) in sentinels.iter().enumerate() {
                    write!(f, "{}{sentinel}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("/")?;
                encode(f, name)?;
            }
        }
        self.db.map_or(Ok(()), |db| write!(f, "?db={db}"))
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RedisUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_back() {
        for text in [
            "redis://localhost:6379",
            "redis://ada@10.0.0.1:7000/3",
            "rediss://cache.example:6380",
            "redis://[::1]:6379/1",
            "unix:///run/redis.sock",
            "unix://ada@/run/redis.sock?db=2",
            "redis+sentinel://a:26379,b:26380/mymaster",
            "rediss+sentinel://ada@a:26379/mymaster?db=4",
            "redis://a%40b%3Ac@host:6379",
        ] {
            let url: RedisUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(url.to_string(), text);
        }
        let url: RedisUrl = "redis://host".parse().unwrap();
        assert_eq!(url.to_string(), "redis://host:6379");
        assert_eq!(url.db(), None);
        let url: RedisUrl = "redis://a%40b%3Ac@host".parse().unwrap();
        assert_eq!(url.user(), Some("a@b:c"));
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        for (text, reason) in [
            ("localhost:6379", "it begins with none of"),
            ("http://localhost", "it begins with none of"),
            ("redis://:pw@host", "a password does not belong"),
            ("redis://ada:pw@host", "a password does not belong"),
            ("redis+sentinel://ada:pw@a/m", "a password does not belong"),
            ("redis://", "a server is named"),
            ("redis://host:port", "a server is named"),
            ("redis://ho st", "a server is named"),
            ("redis://host/users", "what follows the host"),
            ("redis://host?tls=1", "the one setting"),
            ("unix://run/redis.sock", "the path of a socket"),
            ("redis+sentinel://a:1,b:2", "the name of the primary"),
            ("redis://%zz@host", "a % in the user's name"),
        ] {
            let error = text.parse::<RedisUrl>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("pw"), "{error}");
        }
    }
}

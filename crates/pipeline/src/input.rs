//! Where the records of a job come from, as its user names it.

use std::path::Path;

#[cfg(feature = "live")]
use keystar_extract::{Access, Read, Redis, RedisScan, RedisSnapshot, RedisUrl, ScanOptions};
use keystar_extract::{AppendOnly, Dumps, RdbFile, RdbOptions, Source};
use keystar_transfer::Place;
use serde::{Deserialize, Serialize};
#[cfg(feature = "live")]
use {
    crate::account::Account,
    keystar_transfer::{Aws, AwsOptions},
    std::io,
};

use crate::{Error, Selection};

/// Where the records of a job come from: part of what a run is.
///
/// | place | what is read |
/// |---|---|
/// | `dump.rdb` | a dump, plain or compressed |
/// | `backup/`, `backup-*.rdb`, `s3://BUCKET/PREFIX/`, or several places | dumps side by side, one per shard |
/// | `appendonly.aof`, or a folder with an append-only file | its base and what was appended |
/// | `redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `rediss+sentinel://` | a live Redis |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Input {
    /// The places, as they were given.
    pub places: Vec<String>,
    /// How a live server is read.
    #[serde(default)]
    pub via: Via,
}

/// How a live server is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Via {
    /// `SCAN`, and `DUMP` of every key.
    #[default]
    Scan,
    /// `SCAN`, and a command of the key's type: where `DUMP` is forbidden.
    Typed,
    /// A snapshot, asked for as replicas do (`PSYNC`).
    Rdb,
}

/// What a job needs to reach its places, and must not keep.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reach {
    /// User, password and certificates of a live server.
    #[cfg(feature = "live")]
    pub access: Access,
    /// As whom AWS is asked, and where.
    #[cfg(feature = "live")]
    account: Account,
    /// No more keys than this are read in a second.
    pub keys_per_second: Option<u64>,
    /// No more bytes of values than this are read in a second.
    pub bytes_per_second: Option<u64>,
    /// A scan does not ask how big values are before it asks for them.
    pub skip_sizes: bool,
}

#[cfg(feature = "live")]
impl Reach {
    /// With this user, password and certificates.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Asks AWS as this one, and there: for tables, and for buckets of either side. Nobody is asked
    /// until there is such a place; what was found then is kept, by clones too.
    #[must_use]
    pub fn with_aws(mut self, options: AwsOptions) -> Self {
        self.account = Account::new(options);
        self
    }

    pub(crate) fn aws(&self) -> Result<Aws, keystar_transfer::Error> {
        self.account.connect()
    }

    /// Reads no more than so many keys and bytes of values in a second.
    #[must_use]
    pub fn with_limits(mut self, keys: Option<u64>, bytes: Option<u64>) -> Self {
        (self.keys_per_second, self.bytes_per_second) = (keys, bytes);
        self
    }

    /// Does not ask how big values are before they are asked for.
    #[must_use]
    pub fn with_skip_sizes(mut self, skip: bool) -> Self {
        self.skip_sizes = skip;
        self
    }
}

impl Reach {
    /// A folder or a file, or a URL of one, that is reached so.
    ///
    /// # Errors
    ///
    /// It is in a bucket, and there is no region or there are no credentials.
    pub fn place(&self, url: &str) -> Result<Place, keystar_transfer::Error> {
        #[cfg(feature = "live")]
        if is_object(url) {
            return Ok(Place::from(url).with_access(self.account.bucket_access()?));
        }
        Ok(Place::from(url))
    }

    fn dumps(
        &self,
        places: &[String],
        options: RdbOptions,
    ) -> Result<Dumps, keystar_extract::Error> {
        #[cfg(feature = "live")]
        if let Some(place) = places.iter().find(|place| is_object(place)) {
            let access = self.account.bucket_access().map_err(|error| {
                keystar_extract::Error::Open { path: place.into(), source: io::Error::other(error) }
            })?;
            return Dumps::open_as(places, options, &access);
        }
        Dumps::open(places, options)
    }
}

/// What a place is.
enum Kind<'a> {
    Dump(&'a Path),
    Dumps,
    AppendOnly(&'a Path),
    Live(&'a str),
}

const LIVE: [&str; 5] =
    ["redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://"];

impl Input {
    /// These places; [`Via`] is for a live server.
    ///
    /// # Errors
    ///
    /// There is none, a live server is one of several, or its URL is none.
    pub fn new(
        places: impl IntoIterator<Item = impl Into<String>>,
        via: Via,
    ) -> Result<Self, Error> {
        let input = Self { places: places.into_iter().map(Into::into).collect(), via };
        let live = input.places.iter().filter(|place| is_live(place)).count();
        match (live, input.places.len()) {
            (_, 0) => return Err(Error::Usage("no source is named".into())),
            (0, _) if via != Via::Scan => {
                return Err(Error::Usage("only a live server is read in other ways".into()));
            }
            (0, _) | (1, 1) => {}
            _ => return Err(Error::Usage("a live server is a source by itself".into())),
        }
        #[cfg(feature = "live")]
        if let Kind::Live(url) = input.kind() {
            url.parse::<RedisUrl>().map_err(Error::Source)?;
        }
        Ok(input)
    }

    /// For people: the place, or how many there are.
    pub fn name(&self) -> String {
        match self.places.as_slice() {
            [place] => place.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        }
    }

    /// Whether it is a server that goes on changing: read twice, it is not the same.
    pub fn is_live(&self) -> bool {
        matches!(self.kind(), Kind::Live(_))
    }

    /// Whether a record's offset grows from one to the next, as in a dump. Of a live server's
    /// records it is a hash of the key.
    pub(crate) fn is_ordered(&self) -> bool {
        !self.is_live()
    }

    /// Whether what was begun can be gone on with. A snapshot is another one each time.
    pub(crate) fn is_resumable(&self) -> bool {
        !(self.is_live() && self.via == Via::Rdb)
    }

    /// The URL of a live server.
    #[cfg(feature = "live")]
    pub(crate) fn server(&self) -> Option<&str> {
        match self.kind() {
            Kind::Live(url) => Some(url),
            _ => None,
        }
    }

    /// The dump, where it is a single one.
    pub(crate) fn dump(&self) -> Option<&Path> {
        match self.kind() {
            Kind::Dump(path) => Some(path),
            _ => None,
        }
    }

    /// Sees to it that a live server lets us in, before anything is begun.
    #[cfg_attr(not(feature = "live"), allow(unused_variables, reason = "of a live server only"))]
    pub(crate) fn prepare(&self, reach: &Reach) -> Result<(), keystar_extract::Error> {
        #[cfg(feature = "live")]
        if let Kind::Live(url) = self.kind() {
            Redis::connect(&url.parse()?, &reach.access)?;
        }
        Ok(())
    }

    /// Opens it at its beginning.
    ///
    /// # Errors
    ///
    /// It cannot be reached or opened.
    pub fn open(
        &self,
        selection: &Selection,
        reach: &Reach,
    ) -> Result<Box<dyn Source>, keystar_extract::Error> {
        let options = selection.options();
        Ok(match self.kind() {
            Kind::Dump(path) => Box::new(RdbFile::open(path, options)?),
            Kind::Dumps => Box::new(reach.dumps(&self.places, options)?),
            Kind::AppendOnly(path) => Box::new(AppendOnly::open(path, options)?),
            Kind::Live(url) => self.open_live(url, options, reach)?,
        })
    }

    #[cfg(feature = "live")]
    fn open_live(
        &self,
        url: &str,
        options: RdbOptions,
        reach: &Reach,
    ) -> Result<Box<dyn Source>, keystar_extract::Error> {
        let redis = Redis::connect(&url.parse()?, &reach.access)?;
        if self.via == Via::Rdb {
            return Ok(Box::new(RedisSnapshot::open(&redis, options)?));
        }
        let read = if self.via == Via::Typed { Read::Typed } else { Read::Dump };
        let options = ScanOptions::default()
            .with_filter(options.filter)
            .with_read(read)
            .with_sizes_first(!reach.skip_sizes)
            .with_keys_per_second(reach.keys_per_second)
            .with_bytes_per_second(reach.bytes_per_second);
        Ok(Box::new(RedisScan::open(&redis, options)?))
    }

    #[cfg(not(feature = "live"))]
    fn open_live(
        &self,
        url: &str,
        _: RdbOptions,
        _: &Reach,
    ) -> Result<Box<dyn Source>, keystar_extract::Error> {
        let reason = "this build reads no live servers (feature `live`)";
        Err(keystar_extract::Error::Places { place: url.to_owned(), reason })
    }

    fn kind(&self) -> Kind<'_> {
        let [place] = self.places.as_slice() else { return Kind::Dumps };
        if is_live(place) {
            return Kind::Live(place);
        }
        let path = Path::new(place);
        if is_object(place) {
            Kind::Dumps
        } else if is_append_only(path) {
            Kind::AppendOnly(path)
        } else if path.is_dir() || (place.contains('*') && !path.exists()) {
            Kind::Dumps
        } else {
            Kind::Dump(path)
        }
    }
}

impl<P: AsRef<Path>> From<P> for Input {
    /// A dump, or whatever is at the path.
    fn from(path: P) -> Self {
        Self { places: vec![path.as_ref().display().to_string()], via: Via::default() }
    }
}

fn is_object(place: &str) -> bool {
    place.starts_with("s3://")
}

fn is_live(place: &str) -> bool {
    LIVE.iter().any(|scheme| place.starts_with(scheme))
}

/// A file `*.aof`, a folder with a manifest of such files, or a folder with that folder.
fn is_append_only(path: &Path) -> bool {
    if path.is_file() {
        return path.extension().is_some_and(|extension| extension == "aof");
    }
    let has_manifest = |folder: &Path| {
        let names = folder.read_dir().into_iter().flatten().flatten();
        let mut names = names.map(|entry| entry.file_name());
        names.any(|name| name.to_string_lossy().ends_with(".aof.manifest"))
    };
    has_manifest(path) || has_manifest(&path.join("appendonlydir"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn kind(input: &Input) -> &'static str {
        match input.kind() {
            Kind::Dump(_) => "dump",
            Kind::Dumps => "dumps",
            Kind::AppendOnly(_) => "append-only",
            Kind::Live(_) => "live",
        }
    }

    #[test]
    fn a_place_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir_all(at("data/appendonlydir")).unwrap();
        fs::write(at("data/appendonlydir/appendonly.aof.manifest"), "").unwrap();
        fs::create_dir(at("shards")).unwrap();
        for file in ["dump.rdb", "old.aof", "odd*.rdb"] {
            fs::write(at(file), "").unwrap();
        }
        let cases = [
            (at("dump.rdb"), "dump"),
            (at("missing.rdb"), "dump"),
            (at("odd*.rdb"), "dump"),
            (at("shard-*.rdb"), "dumps"),
            (at("shards"), "dumps"),
            ("s3://bucket/backup/".to_owned(), "dumps"),
            (at("old.aof"), "append-only"),
            (at("data"), "append-only"),
            (at("data/appendonlydir"), "append-only"),
            ("redis://127.0.0.1:6379".to_owned(), "live"),
            ("redis+sentinel://a:1,b:2/main".to_owned(), "live"),
        ];
        for (place, expected) in cases {
            assert_eq!(kind(&Input::new([&place], Via::Scan).unwrap()), expected, "{place}");
        }
        assert_eq!(kind(&Input::new(["a.rdb", "b.rdb"], Via::Scan).unwrap()), "dumps");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused =
            |places: &[&str], via| Input::new(places.to_vec(), via).unwrap_err().to_string();
        assert_eq!(refused(&[], Via::Scan), "no source is named");
        assert_eq!(
            refused(&["redis://a", "dump.rdb"], Via::Scan),
            "a live server is a source by itself"
        );
        assert_eq!(refused(&["dump.rdb"], Via::Rdb), "only a live server is read in other ways");
    }
}

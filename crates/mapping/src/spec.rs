//! What the user writes: a mapping as TOML.

use std::collections::BTreeMap;

use keystar_item::{Billing, Index, KeySchema};
use keystar_rdb::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SpecError;

/// A mapping as the user writes it: one table, and rules that are tried in order.
///
/// Everything has a default, so the empty text is a spec: the one where a hash `i:` with a field
/// `age` becomes `{"key":{"S":"i:"},"value":{"M":{"age":{"N":"6867"}}}}`.
///
/// ```toml
/// [table]
/// key.partition = { name = "pk" }
/// key.sort = { name = "sk" }
///
/// [defaults]
/// sk = "VALUE"
///
/// [[rule]]
/// keys = "user:{id}"
/// types = ["hash"]
/// layout = "attributes"
/// pk = "USER#{id}"
/// sk = "PROFILE"
/// fields = { age = { as = "N" }, password = { drop = true } }
///
/// [[rule]]
/// keys = "user:{id}:orders"
/// layout = "collection"
/// pk = "USER#{id}"
/// sk = "ORDER#"
/// ```
///
/// [`Mapping::from_toml`](crate::Mapping::from_toml) reads and checks it in one go.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MappingSpec {
    /// The table that the items go into.
    #[serde(default)]
    pub table: TableSpec,
    /// What the attributes are called that the mapping itself writes.
    #[serde(default)]
    pub names: NamesSpec,
    /// Which databases are mapped; all, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dbs: Option<Vec<u32>>,
    /// How the number of a database shows in its items.
    #[serde(default)]
    pub db: DbStyle,
    /// What becomes of keys that no rule matches.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// What holds for every rule that does not say otherwise, and for keys that no rule matches.
    #[serde(default)]
    pub defaults: RuleSpec,
    /// The rules: the first that matches a key maps it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleSpec>,
}

/// The table that the items go into.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TableSpec {
    /// The table's name, for the import call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The key; by default a partition key `key` of type S and no sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeySchema>,
    /// Global secondary indexes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// How reads and writes are paid for.
    #[serde(default)]
    pub billing: Billing,
    /// The attribute that holds when an item expires, in epoch seconds; by default `ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_attribute: Option<String>,
    /// What the table has besides its items, where it is made or loaded for you.
    #[serde(default)]
    pub settings: TableSettings,
}

/// What a table has that its items do not ask for.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TableSettings {
    /// The key that encrypts it: `owned` by DynamoDB (the default, without cost), `managed` by AWS
    /// in the account, or the ARN, id or alias of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// Read units a second that billing by request may reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_read_units: Option<u64>,
    /// Write units a second that billing by request may reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_write_units: Option<u64>,
    /// Read units a second that a new table can take at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_read_units: Option<u64>,
    /// Write units a second that a new table can take at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_write_units: Option<u64>,
    /// Whether items expire by the TTL attribute once all are loaded; by default they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<bool>,
    /// Whether the loaded table can be restored to any second of the last 35 days, and exported.
    pub point_in_time_recovery: bool,
    /// Whether the loaded table can be deleted only once that is allowed.
    pub deletion_protection: bool,
    /// What the loaded table's stream of changes shows; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamImages>,
    /// The loaded table's tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// What a table's stream shows of a change.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StreamImages {
    /// The key of the item.
    Keys,
    /// The item after the change.
    New,
    /// The item before the change.
    Old,
    /// Both.
    NewAndOld,
}

/// What the attributes are called that the mapping itself writes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct NamesSpec {
    /// The value, in the layout `item`, and an element's value, in the layout `collection`.
    pub value: String,
    /// The Redis type, where it is written.
    pub r#type: String,
    /// The expiry in epoch milliseconds, where whole seconds do not hold it.
    pub ttl_ms: String,
    /// The expiries of a hash's fields in epoch milliseconds.
    pub field_ttls: String,
    /// The number of the database, with `db = "attribute"`.
    pub db: String,
    /// The number of a part, where one value takes several items; from 0.
    pub part: String,
    /// How many elements, or bytes of a string, the parts before hold.
    pub start: String,
    /// How many parts there are: on the last one.
    pub parts: String,
    /// Where the value lies that was written beside the items.
    pub offload: String,
    /// The Redis key, where the item's key does not give it back. Absent by default: then such
    /// keys are reported as a loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis_key: Option<String>,
}

impl Default for NamesSpec {
    fn default() -> Self {
        Self {
            value: "value".into(),
            r#type: "type".into(),
            ttl_ms: "ttl_ms".into(),
            field_ttls: "field_ttls".into(),
            db: "db".into(),
            part: "part".into(),
            start: "start".into(),
            parts: "parts".into(),
            offload: "offload".into(),
            redis_key: None,
        }
    }
}

/// How the number of a database shows in its items.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DbStyle {
    /// Keys of database 0 as they are, other keys with `db7:` before them. A key of database 0
    /// that begins like that gets `db0:` before it.
    #[default]
    Prefix,
    /// An attribute, on items of other databases than 0.
    Attribute,
    /// Not at all: the caller keeps the databases apart.
    Folder,
}

/// What becomes of keys that no rule matches.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unmatched {
    /// They are mapped as `[defaults]` says.
    #[default]
    Default,
    /// They are left out, and counted.
    Skip,
    /// They are set aside as rejects.
    Reject,
}

/// One rule: which keys it is for, and what becomes of them.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RuleSpec {
    /// The keys: a glob as `SCAN` reads it (`user:*`), or named segments (`user:{id}:orders`),
    /// where a segment is one byte or more and reaches up to the text that follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The keys as a regular expression that must match all of the key; its named groups are the
    /// segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Only values of these types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<TypeName>>,
    /// Only keys of these databases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dbs: Option<Vec<u32>>,
    /// Leaves the keys out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip: bool,
    /// Template of the partition key: text with `{key}`, `{db}` and the names of segments in
    /// braces. By default `{key}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pk: Option<String>,
    /// Template of the sort key; in the layout `collection`, of what precedes the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sk: Option<String>,
    /// How a record becomes items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Which texts become numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// When the Redis type is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<TypeStyle>,
    /// What becomes of keys, and of names of fields, that are not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Binary>,
    /// What becomes of keys that have expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Expired>,
    /// What becomes of items over 400 KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversize: Option<Oversize>,
    /// How the fields of a stream's entry are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_fields: Option<StreamFields>,
    /// Adds `lat` and `lon` to the members of sorted sets, which are taken for geo indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<bool>,
    /// More attributes, e.g. the keys of indexes: templates as for `pk`, which may also name a
    /// field of the hash (`{field:email}`), whole numbers, or truth values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeSpec>,
    /// What is special about single fields of hashes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldSpec>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// An attribute that a rule adds.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(untagged, expecting = "expected a template, a whole number or a truth value")]
#[non_exhaustive]
pub enum AttributeSpec {
    /// A template; without references, a constant text.
    Template(String),
    /// A number.
    Number(i64),
    /// A truth value.
    Bool(bool),
}

/// What is special about a field.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FieldSpec {
    /// The type that the value becomes.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub cast: Option<Cast>,
    /// The attribute's name, instead of the field's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// Leaves the field out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drop: bool,
    /// Replaces the value by the SHA-256 of a secret salt and the value, in hexadecimal digits:
    /// for personal data that must stay comparable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hash: bool,
}

/// How a record becomes items.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Layout {
    /// One item with the value in one attribute.
    #[default]
    Item,
    /// One item; the fields of a hash are attributes of their own. Values of other types as in
    /// `item`.
    Attributes,
    /// One item for each element, told apart by the sort key: field; member; index of a list;
    /// score, then member; id of a stream's entry. Strings, documents and module values, which
    /// have no elements, as in `item`.
    Collection,
}

/// Which texts become numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Numbers {
    /// Those that DynamoDB hands back as the same text: `6867`, `-48.711598`; not `007` or `1.50`.
    #[default]
    Exact,
    /// Every decimal that fits; where the text changes, that is a loss.
    Loose,
    /// None.
    Never,
}

/// When the Redis type is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TypeStyle {
    /// Where the item would not tell it otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never; where the item does not tell it otherwise, that is a loss.
    Never,
}

/// What becomes of keys, and of names, that are not text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Binary {
    /// They are written in base64, with `base64:` before it. Text that begins like that, and the
    /// empty text where DynamoDB does not take it, are written in the same way.
    #[default]
    Base64,
    /// The record is rejected.
    Reject,
}

/// What becomes of keys that have expired.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Expired {
    /// They are mapped like others; DynamoDB will delete them.
    #[default]
    Keep,
    /// They are left out.
    Drop,
}

/// What becomes of items over 400 KB.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Oversize {
    /// The record is rejected.
    #[default]
    Reject,
    /// The value is cut into parts, each an item with as many elements as fit.
    Split,
    /// The value is handed to the caller, to be written beside the items, and the item points
    /// to it.
    Offload,
}

/// How the fields of a stream's entry are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StreamFields {
    /// As a list of names and values in turn, as `XRANGE` answers: nothing is lost.
    #[default]
    List,
    /// As a map, which is handier in queries but keeps no order, and of repeated names only the
    /// last: both are losses.
    Map,
}

/// The type that a field's value becomes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Cast {
    /// Text, also if it looks like a number.
    S,
    /// A number, if it is any decimal that fits.
    N,
    /// A truth value: `1`, `0`, `true` or `false`.
    #[serde(rename = "BOOL")]
    Bool,
    /// NULL, if the text is empty; other values as usual.
    #[serde(rename = "NULL")]
    Null,
    /// A list or a map, if the text is a JSON array or object; other values as usual.
    #[serde(rename = "JSON")]
    Json,
    /// The bytes that the text is the base64 of.
    B,
}

/// A Redis type as the spec names it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names of Redis' types say it")]
pub enum TypeName {
    String,
    List,
    Set,
    Zset,
    Hash,
    Stream,
    Array,
    Json,
    Module,
}

impl From<TypeName> for Kind {
    fn from(name: TypeName) -> Self {
        match name {
            TypeName::String => Self::String,
            TypeName::List => Self::List,
            TypeName::Set => Self::Set,
            TypeName::Zset => Self::SortedSet,
            TypeName::Hash => Self::Hash,
            TypeName::Stream => Self::Stream,
            TypeName::Array => Self::Array,
            TypeName::Json => Self::Json,
            TypeName::Module => Self::Module,
        }
    }
}

impl MappingSpec {
    /// Reads a spec; [`Mapping::try_from`](crate::Mapping) checks it.
    ///
    /// # Errors
    ///
    /// The first thing in the text that is no TOML, or that a spec does not have, with its line
    /// and column and what was expected.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        toml::from_str(text).map_err(|error| SpecError::from_toml(text, &error))
    }
}

/// The JSON schema of specs, ready to be serialised: editors of TOML understand it too.
#[must_use]
pub fn json_schema() -> impl Serialize {
    schemars::schema_for!(MappingSpec)
}

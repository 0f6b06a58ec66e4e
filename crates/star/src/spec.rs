use jiff::civil::Date;

use crate::{Drift, History, KeyTemplate, ModelError, Path, Type, UnnestOver};

/// Things by the names that the user gives them, in the order in which they stand in the text.
pub type Named<T> = Vec<(String, T)>;

/// A model as the user writes it: read, but not yet checked.
///
/// [`Model::try_from`](crate::Model) checks it; [`Model::parse`](crate::Model::parse) reads and
/// checks in one go, and its errors then have a line and a column.
///
/// ```
/// use keystar_star::ModelSpec;
///
/// let spec = ModelSpec::parse(r#"
/// [table]
/// partition_key = "PK"
///
/// [entity.user]
/// pk = "USER#{name}"
/// [entity.user.columns]
/// name = { key = "PK", type = "text(64)" }
/// email = "text(254)"
/// "#)?;
/// assert_eq!(spec.entities.len(), 1);
/// assert_eq!(ModelSpec::parse(&spec.to_toml())?, spec);
/// # Ok::<(), keystar_star::ModelError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// `[table]`: the table's key.
    pub table: TableSpec,
    /// `[entity.<name>]`.
    pub entities: Named<EntitySpec>,
    /// `[dimension.<name>]`.
    pub dimensions: Named<DimensionSpec>,
    /// `[calendar]`.
    pub calendar: Option<CalendarSpec>,
    /// `[fact.<name>]`.
    pub facts: Named<FactSpec>,
}

impl ModelSpec {
    /// Reads a spec.
    ///
    /// # Errors
    ///
    /// Everything in the text that is no TOML, or that a spec does not have, with its line and
    /// column and what to do about it.
    pub fn parse(toml: &str) -> Result<Self, ModelError> {
        crate::decode::spec(toml)
    }
}

/// `[table]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableSpec {
    /// `partition_key`: the attribute's name.
    pub partition_key: String,
    /// `sort_key`: the attribute's name, if the table has one.
    pub sort_key: Option<String>,
}

/// `[entity.<name>]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntitySpec {
    /// `when = { type = "order" }`: attributes that have a value, texts.
    pub when: Named<String>,
    /// `has = ["ttl"]`: attributes that are there.
    pub has: Vec<String>,
    /// `pk = "CUST#{username}"`: the form of the partition key. An entity without a parent has
    /// one, and one for the sort key if the table has that.
    pub pk: Option<KeyTemplate>,
    /// `sk = "ORD#{orderid}"`: the form of the sort key.
    pub sk: Option<KeyTemplate>,
    /// `like = { GSIpk = "ORD#{orderid}" }`: forms of other attributes, such as the keys of
    /// indexes.
    pub like: Named<KeyTemplate>,
    /// `parent = "customer"`: the entity whose items hold this one's.
    pub parent: Option<String>,
    /// `unnest = "address"`: the list or map in the parent.
    pub unnest: Option<Path>,
    /// `over = "map"`: what that is.
    pub over: Option<UnnestOver>,
    /// `unique = [["orderid"]]`: sets of columns that are declared unique.
    pub unique: Vec<Vec<String>>,
    /// `drift = "quarantine"`: by default that, or what the parent says.
    pub drift: Option<Drift>,
    /// `[entity.<name>.columns]`.
    pub columns: Named<ColumnSpec>,
}

/// A column: `email = "text(254)"`, or a table such as
/// `{ from = "contact.email", type = "text(254)", required = true }`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ColumnSpec {
    /// Where the value is found.
    pub source: SourceSpec,
    /// `type`; `None` where the source tells it.
    pub ty: Option<Type>,
    /// `required`: whether a row without the value is a reject.
    pub required: bool,
}

impl ColumnSpec {
    /// A column that may be absent.
    #[must_use]
    pub fn new(source: SourceSpec, ty: Option<Type>) -> Self {
        Self { source, ty, required: false }
    }
}

/// Where a column's value is found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SourceSpec {
    /// The attribute of the column's name, as it is written in the spec.
    Same,
    /// `from = "address.city"`, or the names one by one: `from = ["address", "city"]`.
    From(Path),
    /// `key = "PK"`: a variable of that key's template.
    Key {
        /// The attribute that holds the key.
        attribute: String,
        /// `variable`: its name, if the column has another.
        variable: Option<String>,
    },
    /// `parent = "username"`: a column of the parent.
    Parent(String),
    /// `position = true`: the place in the parent's list, from 0.
    Position,
    /// `entry = true`: the name of the entry in the parent's map.
    Entry,
    /// `element = true`: the list's element, or the entry's value, itself.
    Element,
    /// `is_null = "ttl"`: whether the attribute is there as NULL.
    IsNull(Path),
}

/// `[dimension.<name>]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct DimensionSpec {
    /// `entity`: what it is made of; by default the entity of the dimension's name.
    pub entity: Option<String>,
    /// `key = ["username"]`: the columns of the business key.
    pub key: Vec<String>,
    /// `attributes = { email = "type1", fullname = "type2" }`.
    pub attributes: Named<History>,
}

/// `[calendar]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CalendarSpec {
    /// `name`, by default `date`.
    pub name: Option<String>,
    /// `fiscal_start_month`, by default 1.
    pub fiscal_start_month: Option<u8>,
    /// `first`: a day.
    pub first: Option<Date>,
    /// `last`: a day, included.
    pub last: Option<Date>,
}

/// `[fact.<name>]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FactSpec {
    /// `entity`: whose rows are its rows; by default the entity of the fact's name.
    pub entity: Option<String>,
    /// `grain = ["orderid", "productid"]`.
    pub grain: Vec<String>,
    /// `measures = { price = "price" }`: columns of the fact's own entity.
    pub measures: Named<String>,
    /// `degenerate = { shipto = "order.shipto" }`: columns of the entity or of a join.
    pub degenerate: Named<String>,
    /// `[fact.<name>.join.<alias>]`.
    pub joins: Named<JoinSpec>,
    /// `[fact.<name>.dimensions]`.
    pub dimensions: Named<RoleSpec>,
}

/// `[fact.<name>.join.<alias>]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct JoinSpec {
    /// `entity`: by default the entity of the alias' name.
    pub entity: Option<String>,
    /// `on`: columns of the joined entity, and what they equal.
    pub on: Named<OperandSpec>,
}

/// What a column of a join equals.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OperandSpec {
    /// `"orderid"`, a column of the fact's entity, or `"order.username"`, one of another join.
    Column(String),
    /// `{ text = "home" }`.
    Text(String),
    /// `{ int = 0 }`.
    Int(i64),
}

/// A dimension as a fact uses it: `customer = { key = ["order.username"] }`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RoleSpec {
    /// `dimension`: by default the dimension of the role's name.
    pub dimension: Option<String>,
    /// `key`: what the dimension's business key equals.
    pub key: Vec<String>,
    /// `as_of`: the date or timestamp that tells which version.
    pub as_of: Option<String>,
}

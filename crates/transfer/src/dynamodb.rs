//! Tables: what they are, how they are made, and what is set once they are loaded.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use aws_sdk_dynamodb::{Client, types};
use keystar_item::{Billing, Index, KeyAttribute, KeySchema, KeyType, Projection, Table};

use crate::{Error, aws::Aws, call::CallError, wire::Wire};

/// How often a table that is being made is looked at.
const POLL: Duration = Duration::from_secs(2);
/// A table on a developer's machine is there at once: the first looks come sooner.
const FIRST_POLL: Duration = Duration::from_millis(20);

/// The name of a table: 3 to 255 characters out of `a-z A-Z 0-9 _ - .`.
///
/// ```
/// use keystar_transfer::TableName;
///
/// let table: TableName = "dynamodb://users".parse()?;
/// assert_eq!(table.as_str(), "users");
/// assert_eq!(table, "users".parse()?);
/// assert_eq!(table.url(), "dynamodb://users");
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(
    Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct TableName(String);

impl TableName {
    /// The name alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `dynamodb://` and the name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("dynamodb://{}", self.0)
    }
}

impl FromStr for TableName {
    type Err = Error;

    /// From a name or from `dynamodb://NAME`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.strip_prefix("dynamodb://").unwrap_or(text);
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if (3..=255).contains(&name.len()) && name.bytes().all(valid) {
            return Ok(Self(name.to_owned()));
        }
        let reason = "a table's name has 3 to 255 characters out of a-z A-Z 0-9 _ - .";
        Err(Error::Place { place: text.to_owned(), reason })
    }
}

impl TryFrom<String> for TableName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a table is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableFacts {
    /// Its name, key, global indexes and billing. The attribute for expiry is not looked up.
    pub table: Table,
    /// `ACTIVE`, `CREATING`, `UPDATING`, …
    pub status: String,
    /// Its ARN.
    pub arn: String,
    /// How many items it has, as of the last six hours.
    pub item_count: u64,
    /// How many bytes it has, as of the last six hours.
    pub bytes: u64,
    /// How many local secondary indexes it has.
    pub local_indexes: usize,
    /// Whether it can only be deleted once that is allowed.
    pub deletion_protection: bool,
    /// Whether it has a stream of changes.
    pub stream: bool,
    /// In how many other regions it is.
    pub replicas: usize,
    /// Write units a second that it can take at once, if it says so.
    pub warm_write_units: Option<u64>,
}

/// How a new table is encrypted at rest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Encryption {
    /// With a key that DynamoDB owns: costs nothing.
    #[default]
    Owned,
    /// With the account's key `aws/dynamodb`.
    Managed,
    /// With a key of one's own: its ARN, id or alias.
    Key(String),
}

/// What a new table has that its items do not ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct TableExtras {
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Read units a second that on-demand billing may reach.
    pub max_read_units: Option<u64>,
    /// Write units a second that on-demand billing may reach.
    pub max_write_units: Option<u64>,
    /// Read units a second that it can take at once.
    pub warm_read_units: Option<u64>,
    /// Write units a second that it can take at once.
    pub warm_write_units: Option<u64>,
}

impl TableExtras {
    /// Sets how it is encrypted.
    #[must_use]
    pub fn with_encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// Sets the units a second that on-demand billing may reach.
    #[must_use]
    pub fn with_max_units(mut self, read: Option<u64>, write: Option<u64>) -> Self {
        (self.max_read_units, self.max_write_units) = (read, write);
        self
    }

    /// Sets the units a second that it can take at once.
    #[must_use]
    pub fn with_warm_units(mut self, read: Option<u64>, write: Option<u64>) -> Self {
        (self.warm_read_units, self.warm_write_units) = (read, write);
        self
    }

    /// As the API has it.
    pub(crate) fn sse(&self) -> Option<types::SseSpecification> {
        let sse = types::SseSpecification::builder().enabled(true);
        let sse = sse.sse_type(types::SseType::Kms);
        match &self.encryption {
            Encryption::Owned => None,
            Encryption::Managed => Some(sse.build()),
            Encryption::Key(key) => Some(sse.kms_master_key_id(key).build()),
        }
    }

    pub(crate) fn on_demand(&self) -> Option<types::OnDemandThroughput> {
        (self.max_read_units.is_some() || self.max_write_units.is_some()).then(|| {
            types::OnDemandThroughput::builder()
                .set_max_read_request_units(self.max_read_units.map(units))
                .set_max_write_request_units(self.max_write_units.map(units))
                .build()
        })
    }

    fn warm(&self) -> Option<types::WarmThroughput> {
        (self.warm_read_units.is_some() || self.warm_write_units.is_some()).then(|| {
            types::WarmThroughput::builder()
                .set_read_units_per_second(self.warm_read_units.map(units))
                .set_write_units_per_second(self.warm_write_units.map(units))
                .build()
        })
    }
}

/// What a table's stream shows of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StreamView {
    /// The key.
    Keys,
    /// The item after the change.
    New,
    /// The item before the change.
    Old,
    /// Both.
    NewAndOld,
}

/// What a table gets once it is loaded: before, it would cost or get in the way.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct AfterLoad {
    /// The attribute after which items expire.
    pub ttl_attribute: Option<String>,
    /// Whether it can be restored to any second of the last 35 days, and exported.
    pub point_in_time_recovery: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it can only be deleted once that is allowed.
    pub deletion_protection: bool,
    /// What its stream shows, if it has one.
    pub stream: Option<StreamView>,
}

impl AfterLoad {
    /// Sets the attribute after which items expire.
    #[must_use]
    pub fn with_ttl_attribute(mut self, name: impl Into<String>) -> Self {
        self.ttl_attribute = Some(name.into());
        self
    }

    /// Sets whether it can be restored to any second.
    #[must_use]
    pub fn with_point_in_time_recovery(mut self, on: bool) -> Self {
        self.point_in_time_recovery = on;
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn with_tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets whether it is protected from deletion.
    #[must_use]
    pub fn with_deletion_protection(mut self, on: bool) -> Self {
        self.deletion_protection = on;
        self
    }

    /// Gives it a stream.
    #[must_use]
    pub fn with_stream(mut self, view: StreamView) -> Self {
        self.stream = Some(view);
        self
    }
}

/// The tables of a region. All calls block.
///
/// ```no_run
/// use std::time::Duration;
///
/// use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
/// use keystar_transfer::{Aws, AwsOptions, TableExtras};
///
/// let db = Aws::connect(&AwsOptions::default().with_region("eu-central-1"))?.dynamodb();
/// let table = Table::new(KeySchema::new(KeyAttribute::new("key", KeyType::S))).with_name("users");
/// let name = db.create(&table, &TableExtras::default())?;
/// let facts = db.wait_active(&name, Duration::from_secs(300))?;
/// assert_eq!(facts.table.key, table.key);
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DynamoDb {
    aws: Aws,
    client: Client,
    wire: Wire,
}

impl DynamoDb {
    pub(crate) fn new(aws: Aws) -> Self {
        let mut config = aws_sdk_dynamodb::config::Builder::from(aws.config());
        if let Some(url) = &aws.options().endpoint_url {
            config = config.endpoint_url(url);
        }
        let wire = Wire::new(config.clone());
        Self { client: Client::from_conf(config.build()), wire, aws }
    }

    /// Whose tables these are.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    #[cfg(feature = "s3")]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// What a table is; `None` if there is none of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`], [`Error::Unreachable`] and their like.
    pub fn describe(&self, table: &TableName) -> Result<Option<TableFacts>, Error> {
        let (client, table) = (self.client.clone(), table.clone());
        self.aws.wait(async move { describe(&client, &table).await })
    }

    /// The facts of a table that is `ACTIVE` and has this key.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`], [`Error::TableKey`], [`Error::TableStatus`], and as for
    /// [`describe`](Self::describe).
    pub fn require(&self, table: &TableName, key: &KeySchema) -> Result<TableFacts, Error> {
        let name = || table.to_string();
        let facts = self.describe(table)?.ok_or_else(|| Error::TableMissing { table: name() })?;
        if facts.table.key != *key {
            return Err(Error::TableKey {
                table: name(),
                found: key_text(&facts.table.key),
                expected: key_text(key),
            });
        }
        // A table that is being changed takes items.
        if !matches!(facts.status.as_str(), "ACTIVE" | "UPDATING") {
            return Err(Error::TableStatus { table: name(), status: facts.status });
        }
        Ok(facts)
    }

    /// Begins to make a table; see [`wait_active`](Self::wait_active).
    ///
    /// # Errors
    ///
    /// [`Error::TableExists`]; [`Error::Options`] if the table has no name; a
    /// [`keystar_item::Error`] if DynamoDB would not have such a table.
    pub fn create(&self, table: &Table, extras: &TableExtras) -> Result<TableName, Error> {
        table.validate()?;
        let name = table.name.as_deref().ok_or(Error::Options("a new table needs a name"))?;
        let name: TableName = name.parse()?;
        let parts = TableParts::of(table)?;
        let request = self
            .client
            .create_table()
            .table_name(name.as_str())
            .set_attribute_definitions(Some(parts.attributes))
            .set_key_schema(Some(parts.key))
            .set_global_secondary_indexes(parts.indexes)
            .billing_mode(parts.billing)
            .set_provisioned_throughput(parts.provisioned)
            .set_on_demand_throughput(extras.on_demand())
            .set_warm_throughput(extras.warm())
            .set_sse_specification(extras.sse());
        let table = name.clone();
        self.aws.wait(async move {
            match request.send().await.map_err(CallError::of) {
                Ok(_) => Ok(table),
                Err(error) if error.code == "ResourceInUseException" => {
                    Err(Error::TableExists { table: table.to_string() })
                }
                Err(error) => Err(error.into_error("CreateTable", place(&table))),
            }
        })
    }

    /// Waits until a table and its indexes are there.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`]; [`Error::TableStatus`] if it is not there in that time.
    pub fn wait_active(&self, table: &TableName, patience: Duration) -> Result<TableFacts, Error> {
        let (client, table) = (self.client.clone(), table.clone());
        self.aws.wait(async move { wait_active(&client, &table, patience).await })
    }

    /// Deletes a table and waits until it is gone: for tables of trials.
    ///
    /// # Errors
    ///
    /// [`Error::TableMissing`], [`Error::TableStatus`].
    pub fn delete(&self, table: &TableName, patience: Duration) -> Result<(), Error> {
        let (client, table) = (self.client.clone(), table.clone());
        self.aws.wait(async move {
            let deleted = client.delete_table().table_name(table.as_str()).send().await;
            deleted.map_err(|error| table_error(CallError::of(error), "DeleteTable", &table))?;
            let begun = tokio::time::Instant::now();
            let mut pause = FIRST_POLL;
            while let Some(facts) = describe(&client, &table).await? {
                if begun.elapsed() > patience {
                    let table = table.to_string();
                    return Err(Error::TableStatus { table, status: facts.status });
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(POLL);
            }
            Ok(())
        })
    }

    /// Sets what a loaded table should have; what is as wished is left alone. Repeat it if it
    /// fails.
    ///
    /// # Errors
    ///
    /// As for [`describe`](Self::describe); which of the steps failed is in the error's action.
    pub fn settle(
        &self,
        table: &TableName,
        wanted: &AfterLoad,
        patience: Duration,
    ) -> Result<(), Error> {
        let (client, table, wanted) = (self.client.clone(), table.clone(), wanted.clone());
        self.aws.wait(async move { settle(&client, &table, &wanted, patience).await })
    }
}

/// A table as `CreateTable` and `ImportTable` want it.
pub(crate) struct TableParts {
    pub(crate) attributes: Vec<types::AttributeDefinition>,
    pub(crate) key: Vec<types::KeySchemaElement>,
    pub(crate) indexes: Option<Vec<types::GlobalSecondaryIndex>>,
    pub(crate) billing: types::BillingMode,
    pub(crate) provisioned: Option<types::ProvisionedThroughput>,
}

impl TableParts {
    pub(crate) fn of(table: &Table) -> Result<Self, Error> {
        let (billing, provisioned) = match table.billing {
            Billing::OnDemand => (types::BillingMode::PayPerRequest, None),
            Billing::Provisioned { read_units, write_units } => {
                let units = types::ProvisionedThroughput::builder()
                    .read_capacity_units(units(read_units))
                    .write_capacity_units(units(write_units));
                (types::BillingMode::Provisioned, Some(units.build().map_err(incomplete)?))
            }
        };
        let mut kinds: BTreeMap<&str, KeyType> = BTreeMap::new();
        let indexes = table.indexes.iter().map(|index| &index.key);
        for attribute in std::iter::once(&table.key).chain(indexes).flat_map(KeySchema::attributes)
        {
            kinds.insert(&attribute.name, attribute.kind);
        }
        let attributes = kinds.into_iter().map(|(name, kind)| {
            types::AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind.as_str().into())
                .build()
                .map_err(incomplete)
        });
        let indexes = table.indexes.iter().map(|index| {
            types::GlobalSecondaryIndex::builder()
                .index_name(&index.name)
                .set_key_schema(Some(key_elements(&index.key)?))
                .projection(projection(&index.projection))
                .set_provisioned_throughput(provisioned.clone())
                .build()
                .map_err(incomplete)
        });
        let indexes: Vec<_> = indexes.collect::<Result<_, Error>>()?;
        Ok(Self {
            attributes: attributes.collect::<Result<_, Error>>()?,
            key: key_elements(&table.key)?,
            indexes: Some(indexes).filter(|indexes| !indexes.is_empty()),
            billing,
            provisioned,
        })
    }
}

fn key_elements(key: &KeySchema) -> Result<Vec<types::KeySchemaElement>, Error> {
    let roles = [types::KeyType::Hash, types::KeyType::Range];
    let elements = key.attributes().zip(roles).map(|(attribute, role)| {
        types::KeySchemaElement::builder()
            .attribute_name(&attribute.name)
            .key_type(role)
            .build()
            .map_err(incomplete)
    });
    elements.collect()
}

fn projection(projection: &Projection) -> types::Projection {
    let built = types::Projection::builder();
    match projection {
        Projection::All => built.projection_type(types::ProjectionType::All).build(),
        Projection::KeysOnly => built.projection_type(types::ProjectionType::KeysOnly).build(),
        Projection::Include(names) => built
            .projection_type(types::ProjectionType::Include)
            .set_non_key_attributes(Some(names.clone()))
            .build(),
    }
}

/// A builder of the SDK that lacks a field: we set all of them.
fn incomplete(_: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::Options("a table's description is incomplete")
}

fn units(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// `table users`, for errors.
pub(crate) fn place(table: &TableName) -> String {
    format!("table {table}")
}

/// The error of a call to a table that should be there.
pub(crate) fn table_error(error: CallError, action: &str, table: &TableName) -> Error {
    match error.code.as_str() {
        "ResourceNotFoundException" | "TableNotFoundException" => {
            Error::TableMissing { table: table.to_string() }
        }
        _ => error.into_error(action, place(table)),
    }
}

/// `pk (S), sk (N)`
pub(crate) fn key_text(key: &KeySchema) -> String {
    let attributes =
        key.attributes().map(|key| format!("{} ({})", key.name.escape_debug(), key.kind.as_str()));
    attributes.collect::<Vec<_>>().join(", ")
}

async fn describe(client: &Client, table: &TableName) -> Result<Option<TableFacts>, Error> {
    match client.describe_table().table_name(table.as_str()).send().await {
        Ok(found) => Ok(found.table.map(|found| facts(table, &found))),
        Err(error) => match CallError::of(error) {
            error if error.code == "ResourceNotFoundException" => Ok(None),
            error => Err(error.into_error("DescribeTable", place(table))),
        },
    }
}

async fn wait_active(
    client: &Client,
    table: &TableName,
    patience: Duration,
) -> Result<TableFacts, Error> {
    let begun = tokio::time::Instant::now();
    let mut pause = FIRST_POLL;
    loop {
        let found = client.describe_table().table_name(table.as_str()).send().await;
        let found =
            found.map_err(|error| table_error(CallError::of(error), "DescribeTable", table))?;
        let missing = || Error::TableMissing { table: table.to_string() };
        let found = found.table.ok_or_else(missing)?;
        let indexes = found.global_secondary_indexes();
        let settled = indexes
            .iter()
            .all(|index| matches!(index.index_status(), None | Some(types::IndexStatus::Active)));
        let facts = facts(table, &found);
        if facts.status == "ACTIVE" && settled {
            return Ok(facts);
        }
        if begun.elapsed() > patience {
            let status = if settled { facts.status } else { "building an index".to_owned() };
            return Err(Error::TableStatus { table: table.to_string(), status });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(POLL);
    }
}

fn facts(name: &TableName, found: &types::TableDescription) -> TableFacts {
    let kinds: BTreeMap<&str, KeyType> = found
        .attribute_definitions()
        .iter()
        .map(|attribute| (attribute.attribute_name(), key_type(attribute.attribute_type())))
        .collect();
    let key = |elements: &[types::KeySchemaElement]| key_schema(elements, &kinds);
    let mut table = Table::new(key(found.key_schema())).with_name(name.as_str());
    for index in found.global_secondary_indexes() {
        let described = Index::new(index.index_name().unwrap_or_default(), key(index.key_schema()));
        let projection = match index.projection() {
            Some(projection) => match projection.projection_type() {
                Some(types::ProjectionType::KeysOnly) => Projection::KeysOnly,
                Some(types::ProjectionType::Include) => {
                    Projection::Include(projection.non_key_attributes().to_vec())
                }
                _ => Projection::All,
            },
            None => Projection::All,
        };
        table = table.with_index(described.with_projection(projection));
    }
    let by_request = found
        .billing_mode_summary()
        .is_some_and(|mode| mode.billing_mode() == Some(&types::BillingMode::PayPerRequest));
    if let Some(units) = found.provisioned_throughput().filter(|_| !by_request) {
        table = table.with_billing(Billing::Provisioned {
            read_units: count(units.read_capacity_units()),
            write_units: count(units.write_capacity_units()),
        });
    }
    TableFacts {
        table,
        status: found.table_status().map_or_else(String::new, |status| status.as_str().to_owned()),
        arn: found.table_arn().unwrap_or_default().to_owned(),
        item_count: count(found.item_count()),
        bytes: count(found.table_size_bytes()),
        local_indexes: found.local_secondary_indexes().len(),
        deletion_protection: found.deletion_protection_enabled().unwrap_or_default(),
        stream: found
            .stream_specification()
            .is_some_and(types::StreamSpecification::stream_enabled),
        replicas: found.replicas().len(),
        warm_write_units: found
            .warm_throughput()
            .and_then(types::TableWarmThroughputDescription::write_units_per_second)
            .and_then(|units| u64::try_from(units).ok()),
    }
}

fn count(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

fn key_type(kind: &types::ScalarAttributeType) -> KeyType {
    match kind {
        types::ScalarAttributeType::N => KeyType::N,
        types::ScalarAttributeType::B => KeyType::B,
        _ => KeyType::S,
    }
}

fn key_schema(elements: &[types::KeySchemaElement], kinds: &BTreeMap<&str, KeyType>) -> KeySchema {
    let of = |role: types::KeyType| {
        let element = elements.iter().find(|element| *element.key_type() == role)?;
        let name = element.attribute_name();
        Some(KeyAttribute::new(name, kinds.get(name).copied().unwrap_or_default()))
    };
    let partition = of(types::KeyType::Hash).unwrap_or_else(|| KeyAttribute::new("", KeyType::S));
    let schema = KeySchema::new(partition);
    match of(types::KeyType::Range) {
        Some(sort) => schema.with_sort(sort),
        None => schema,
    }
}

async fn settle(
    client: &Client,
    table: &TableName,
    wanted: &AfterLoad,
    patience: Duration,
) -> Result<(), Error> {
    let facts = wait_active(client, table, patience).await?;
    let name = table.as_str();
    if let Some(attribute) = &wanted.ttl_attribute {
        set_ttl(client, table, attribute).await?;
    }
    if wanted.point_in_time_recovery {
        let action = "UpdateContinuousBackups";
        let on = types::PointInTimeRecoverySpecification::builder()
            .point_in_time_recovery_enabled(true)
            .build()
            .map_err(incomplete)?;
        let request = client
            .update_continuous_backups()
            .table_name(name)
            .point_in_time_recovery_specification(on);
        let begun = tokio::time::Instant::now();
        loop {
            match request.clone().send().await.map_err(CallError::of) {
                Ok(_) => break,
                // Backups of a new table are not possible yet for some seconds.
                Err(error)
                    if error.code == "ContinuousBackupsUnavailableException"
                        && begun.elapsed() < patience =>
                {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(table_error(error, action, table)),
            }
        }
    }
    if !wanted.tags.is_empty() {
        let tags = wanted.tags.iter().map(|(name, value)| {
            types::Tag::builder().key(name).value(value).build().map_err(incomplete)
        });
        let tags = tags.collect::<Result<Vec<_>, Error>>()?;
        let tagged = client.tag_resource().resource_arn(&facts.arn).set_tags(Some(tags));
        let tagged = tagged.send().await;
        tagged.map_err(|error| table_error(CallError::of(error), "TagResource", table))?;
    }
    let update = |error| table_error(CallError::of(error), "UpdateTable", table);
    if let Some(view) = wanted.stream.filter(|_| !facts.stream) {
        let view = match view {
            StreamView::Keys => types::StreamViewType::KeysOnly,
            StreamView::New => types::StreamViewType::NewImage,
            StreamView::Old => types::StreamViewType::OldImage,
            StreamView::NewAndOld => types::StreamViewType::NewAndOldImages,
        };
        let stream = types::StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(view)
            .build()
            .map_err(incomplete)?;
        let request = client.update_table().table_name(name).stream_specification(stream);
        request.send().await.map_err(update)?;
        wait_active(client, table, patience).await?;
    }
    // Last: what went wrong before can still be deleted.
    if wanted.deletion_protection && !facts.deletion_protection {
        let request = client.update_table().table_name(name).deletion_protection_enabled(true);
        request.send().await.map_err(update)?;
        wait_active(client, table, patience).await?;
    }
    Ok(())
}

async fn set_ttl(client: &Client, table: &TableName, attribute: &str) -> Result<(), Error> {
    let name = table.as_str();
    let found = client.describe_time_to_live().table_name(name).send().await;
    let found =
        found.map_err(|error| table_error(CallError::of(error), "DescribeTimeToLive", table))?;
    // May be set once an hour: what is as wished must not be set again.
    let is_set = found.time_to_live_description().is_some_and(|ttl| {
        use types::TimeToLiveStatus::{Enabled, Enabling};
        matches!(ttl.time_to_live_status(), Some(Enabled | Enabling))
            && ttl.attribute_name() == Some(attribute)
    });
    if is_set {
        return Ok(());
    }
    let ttl = types::TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .map_err(incomplete)?;
    let request = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
    let set = request.send().await;
    set.map_err(|error| table_error(CallError::of(error), "UpdateTimeToLive", table))?;
    Ok(())
}

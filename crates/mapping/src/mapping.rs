//! The checked mapping: which rule is for which key.

use keystar_item::{KeyAttribute, KeySchema, KeyType, Table};
use keystar_rdb::{Head, Kind, Record, UnixMillis};

use crate::error::SpecError;
use crate::rule::{KeyKept, Rule, own_names};
use crate::spec::{DbStyle, Expired, MappingSpec, NamesSpec, TableSettings, Unmatched};
use crate::template::Found;

/// A checked mapping: Redis records to DynamoDB items by rule, and back.
///
/// It is made once, from a [`MappingSpec`] or its TOML text, and shared by all threads.
///
/// ```
/// use keystar_item::json;
/// use keystar_mapping::{Mapped, Mapping};
/// use keystar_rdb::{Db, Field, Record, Value};
///
/// let mapping = Mapping::default();
/// let fields = vec![Field::new("age".into(), "6867".into())];
/// let record = Record::new(Db(0), "i:".into(), Value::Hash(fields));
///
/// let mut mapped = Mapped::new();
/// let rule = mapping.route_record(&record).rule().expect("the default takes every key");
/// mapping.map(rule, &record, &mut mapped)?;
///
/// let mut line = Vec::new();
/// json::write_item(&mapped.items[0], &mut line);
/// assert_eq!(line, b"{\"Item\":{\"key\":{\"S\":\"i:\"},\"value\":{\"M\":{\"age\":{\"N\":\"6867\"}}}}}\n");
/// assert_eq!(mapping.record(&mapped.items).unwrap(), record);
/// # Ok::<(), keystar_mapping::Reject>(())
/// ```
#[derive(Debug)]
pub struct Mapping {
    pub(crate) table: Table,
    settings: TableSettings,
    pub(crate) names: NamesSpec,
    pub(crate) ttl: String,
    pub(crate) rules: Vec<Rule>,
    /// The rule for keys that no other matches, if there is one.
    fallback: Option<RuleIndex>,
    unmatched: Unmatched,
    dbs: Option<Vec<u32>>,
    pub(crate) db_style: DbStyle,
    as_of: Option<UnixMillis>,
    pub(crate) salt: Option<Vec<u8>>,
}

/// A rule of a mapping; the last one is `[defaults]`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RuleIndex(u32);

impl RuleIndex {
    /// The rule's place in the spec, from 0; after the last rule, that of `[defaults]`.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// What becomes of a key, told before its value is decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "whoever routes must handle every way")]
pub enum Route {
    /// This rule maps it.
    Rule(RuleIndex),
    /// It is left out.
    Filtered(FilterReason),
    /// It is left out, since it had expired and the rule drops such keys.
    Expired(RuleIndex),
    /// It is set aside: no rule matches it, and the spec wants to hear of such keys
    /// ([`RejectReason::NoRule`](crate::RejectReason::NoRule)).
    Rejected,
}

impl Route {
    /// The rule that maps the key, if one does.
    #[must_use]
    pub const fn rule(self) -> Option<RuleIndex> {
        match self {
            Self::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

/// Why a key is left out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FilterReason {
    /// The spec does not name its database.
    Db,
    /// A rule says to skip it.
    Skipped,
    /// No rule matches it.
    NoRule,
}

impl FilterReason {
    /// The stable name, as in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Skipped => "skipped_by_rule",
            Self::NoRule => "no_rule",
        }
    }
}

impl Mapping {
    /// Reads and checks a spec.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, always with its line and column.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        MappingSpec::from_toml(text)
            .and_then(|spec| Self::try_from(spec).map_err(|error| error.placed(text)))
    }

    /// Sets the moment as of which keys count as expired. Without it, no key does.
    #[must_use]
    pub const fn with_as_of(mut self, as_of: UnixMillis) -> Self {
        self.as_of = Some(as_of);
        self
    }

    /// Sets the secret that goes into hashes before the value. The same salt gives the same
    /// hashes.
    #[must_use]
    pub fn with_salt(mut self, salt: impl Into<Vec<u8>>) -> Self {
        self.salt = Some(salt.into());
        self
    }

    /// Whether a rule hashes fields, so that [`with_salt`](Self::with_salt) must be called before
    /// records are mapped.
    #[must_use]
    pub fn needs_salt(&self) -> bool {
        self.salt.is_none()
            && self.rules.iter().any(|rule| rule.fields.values().any(|field| field.hash))
    }

    /// The table that the items go into.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// What the table has besides its items.
    #[must_use]
    pub const fn settings(&self) -> &TableSettings {
        &self.settings
    }

    /// How the number of a database shows; with [`DbStyle::Folder`] the caller keeps the
    /// databases apart.
    #[must_use]
    pub const fn db_style(&self) -> DbStyle {
        self.db_style
    }

    /// Whether a key had expired at the moment of [`with_as_of`](Self::with_as_of).
    #[must_use]
    #[inline]
    pub fn is_expired(&self, expires_at: Option<UnixMillis>) -> bool {
        matches!((expires_at, self.as_of), (Some(at), Some(now)) if at <= now)
    }

    /// Says what becomes of a key, from its head alone.
    #[must_use]
    #[inline]
    pub fn route(&self, head: &Head<'_>) -> Route {
        self.route_key(head.db.0, &head.key, head.kind(), head.expires_at)
    }

    /// The same for a whole record.
    #[must_use]
    #[inline]
    pub fn route_record(&self, record: &Record<'_>) -> Route {
        self.route_key(record.db.0, &record.key, record.value.kind(), record.expires_at)
    }

    #[inline]
    fn route_key(&self, db: u32, key: &[u8], kind: Kind, expires_at: Option<UnixMillis>) -> Route {
        if self.dbs.as_ref().is_some_and(|dbs| !dbs.contains(&db)) {
            return Route::Filtered(FilterReason::Db);
        }
        let index = self.find_rule(Some(db), key, Some(kind));
        let Some((index, rule)) = index.and_then(|index| Some((index, self.rule(index)?))) else {
            return match self.unmatched {
                Unmatched::Reject => Route::Rejected,
                _ => Route::Filtered(FilterReason::NoRule),
            };
        };
        if rule.skip {
            Route::Filtered(FilterReason::Skipped)
        } else if rule.expired == Expired::Drop && self.is_expired(expires_at) {
            Route::Expired(index)
        } else {
            Route::Rule(index)
        }
    }

    /// The first rule that takes the key.
    #[inline]
    pub(crate) fn find_rule(
        &self,
        db: Option<u32>,
        key: &[u8],
        kind: Option<Kind>,
    ) -> Option<RuleIndex> {
        let takes = |rule: &Rule| {
            kind.is_none_or(|kind| rule.takes(kind))
                && db.is_none_or(|db| rule.takes_db(db))
                && rule.pattern.matches(key)
        };
        let index = self.rules.iter().position(takes)?;
        u32::try_from(index).ok().map(RuleIndex)
    }

    #[inline]
    pub(crate) fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.get())
    }

    /// The indexes of all rules that map keys.
    pub(crate) fn mapping_rules(&self) -> impl Iterator<Item = RuleIndex> {
        let rules = self.rules.iter().zip(0_u32..);
        rules.filter(|(rule, _)| !rule.skip).map(|(_, index)| RuleIndex(index))
    }

    /// Whether the rule is `[defaults]`.
    #[must_use]
    pub fn is_default(&self, rule: RuleIndex) -> bool {
        self.fallback == Some(rule)
    }

    /// The Redis key that the pattern of a rule and what was found in an item's key amount to.
    pub(crate) fn found_key(&self, rule: &Rule, found: &Found) -> Option<Vec<u8>> {
        match &found.key {
            Some(key) => Some(key.clone()),
            None => rule.pattern.key(&found.segments),
        }
    }
}

impl Default for Mapping {
    /// The mapping of the empty spec: a table with the partition key `key`, each record one item
    /// with its value in the attribute `value`.
    fn default() -> Self {
        Self::try_from(MappingSpec::default())
            .unwrap_or_else(|_| unreachable!("the empty spec is a mapping"))
    }
}

impl TryFrom<MappingSpec> for Mapping {
    type Error = SpecError;

    fn try_from(spec: MappingSpec) -> Result<Self, SpecError> {
        let table = table(&spec)?;
        let ttl = table.ttl_attribute.clone().unwrap_or_default();
        let names = &spec.names;
        check_names(names, &table)?;
        if let Some(setting) = spec.defaults.first_of_matching() {
            return Err(SpecError::new(
                format!("defaults.{setting}"),
                "the defaults are for every key",
            )
            .expecting("a rule"));
        }
        if !spec.defaults.fields.is_empty() {
            return Err(
                SpecError::new("defaults.fields", "fields belong to a rule").expecting("a rule")
            );
        }
        if spec.dbs.as_ref().is_some_and(Vec::is_empty) {
            return Err(SpecError::new("dbs", "no databases").expecting("at least one"));
        }
        let mut rules = Vec::with_capacity(spec.rule.len() + 1);
        for (index, rule) in spec.rule.iter().enumerate() {
            rules.push(Rule::new(rule, &format!("rule[{index}]"), &spec, &table, names)?);
        }
        for (index, later) in rules.iter().enumerate() {
            let earlier = rules.iter().take(index).position(|rule: &Rule| rule.shadows(later));
            if let Some(earlier) = earlier {
                let message = format!("never reached: rule[{earlier}] takes every such key before");
                return Err(SpecError::new(format!("rule[{index}]"), message)
                    .expecting("other keys, or the rules in the other order"));
            }
        }
        let mut fallback = None;
        if spec.unmatched == Unmatched::Default && !rules.iter().any(Rule::takes_all) {
            rules.push(Rule::new(&spec.defaults, "defaults", &spec, &table, names)?);
            fallback = u32::try_from(rules.len() - 1).ok().map(RuleIndex);
        }
        if rules.iter().all(|rule| rule.skip) {
            return Err(SpecError::new("rule", "nothing is mapped").expecting("a rule that maps"));
        }
        find_meetings(&mut rules);
        for rule in &mut rules {
            rule.settle(&table);
        }
        Ok(Self {
            table,
            settings: spec.table.settings,
            names: spec.names,
            ttl,
            rules,
            fallback,
            unmatched: spec.unmatched,
            dbs: spec.dbs,
            db_style: spec.db,
            as_of: None,
            salt: None,
        })
    }
}

fn table(spec: &MappingSpec) -> Result<Table, SpecError> {
    let key = spec
        .table
        .key
        .clone()
        .unwrap_or_else(|| KeySchema::new(KeyAttribute::new("key", KeyType::S)));
    let mut table = Table::new(key)
        .with_billing(spec.table.billing)
        .with_ttl_attribute(spec.table.ttl_attribute.as_deref().unwrap_or("ttl"));
    if let Some(name) = &spec.table.name {
        table = table.with_name(name.as_str());
    }
    for index in &spec.table.indexes {
        table = table.with_index(index.clone());
    }
    table.validate().map_err(|error| match error.kind() {
        keystar_item::ErrorKind::Table(rule) => SpecError::new("table", rule),
        _ => SpecError::new("table", error.to_string()),
    })?;
    Ok(table)
}

fn check_names(names: &NamesSpec, table: &Table) -> Result<(), SpecError> {
    let own = own_names(names, table);
    for (index, name) in own.iter().enumerate() {
        if name.is_empty() || name.len() > keystar_item::limits::MAX_KEY_NAME_BYTES {
            return Err(SpecError::new("names", format!("{name:?} is no name of an attribute"))
                .expecting("1 to 255 bytes"));
        }
        if own.iter().take(index).any(|other| other == name) {
            return Err(SpecError::new("names", format!("two attributes are called {name:?}"))
                .expecting("a name for each; [names] renames those of the mapping"));
        }
    }
    Ok(())
}

/// Finds rules whose items may have the same keys: there, more must be written or tried so that
/// items can be told apart on the way back.
fn find_meetings(rules: &mut [Rule]) {
    let count = rules.len();
    for later in 0..count {
        for earlier in 0..later {
            let (Some(a), Some(b)) = (rules.get(earlier), rules.get(later)) else { continue };
            if a.skip || b.skip || !a.may_meet(b) {
                continue;
            }
            let same_keys = a.pattern.shape() == b.pattern.shape();
            for (index, is_later) in [(earlier, false), (later, true)] {
                let Some(rule) = rules.get_mut(index) else { continue };
                if same_keys {
                    rule.shares_keys = true;
                } else if is_later && rule.key_kept == KeyKept::Always {
                    // The earlier rule is tried first on the way back.
                    rule.key_kept = KeyKept::Check;
                }
            }
        }
    }
}

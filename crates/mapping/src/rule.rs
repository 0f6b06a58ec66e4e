//! A checked rule.

use std::collections::HashMap;

use keystar_item::{KeyType, Table};
use keystar_rdb::Kind;

use crate::error::SpecError;
use crate::pattern::Pattern;
use crate::spec::{
    AttributeSpec, Binary, Cast, Expired, Layout, MappingSpec, NamesSpec, Numbers, Oversize,
    RuleSpec, StreamFields, TypeStyle,
};
use crate::template::{Reference, Template, TemplateError};

/// A rule, ready to be applied.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    kinds: u16,
    dbs: Option<Vec<u32>>,
    pub(crate) skip: bool,
    pub(crate) pk: Template,
    pub(crate) sk: Option<Template>,
    pub(crate) layout: Layout,
    pub(crate) numbers: Numbers,
    pub(crate) type_style: TypeStyle,
    pub(crate) binary: Binary,
    pub(crate) expired: Expired,
    pub(crate) oversize: Oversize,
    pub(crate) stream_fields: StreamFields,
    pub(crate) geo: bool,
    pub(crate) attributes: Vec<Extra>,
    pub(crate) fields: HashMap<Vec<u8>, Field>,
    /// Where renamed fields come from.
    pub(crate) renamed: HashMap<String, Vec<u8>>,
    /// Names that fields cannot have in the layout `attributes`.
    pub(crate) reserved: Vec<String>,
    /// Attributes that are keys of indexes, which have one type in every item.
    pub(crate) index_keys: Vec<(String, KeyType)>,
    /// Whether a template tells the database, so that keys need no prefix.
    pub(crate) tells_db: bool,
    /// Whether the Redis key can be read back from the item's key.
    pub(crate) key_kept: KeyKept,
    /// Every key is taken, and is the text of the item's key as it is, with nothing to check and
    /// nothing to report.
    pub(crate) is_key_itself: bool,
    /// Another rule makes items of the same keys, so the type is written where it is not fixed.
    pub(crate) shares_keys: bool,
    /// A hash becomes its key and a map of its fields as they are, and nothing else.
    pub(crate) is_straight: bool,
}

/// Whether the Redis key can be read back from the item's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyKept {
    /// Always.
    Always,
    /// It depends on the key: each is tried.
    Check,
    /// Never: the templates leave something out.
    Never,
}

/// An attribute that the rule adds.
#[derive(Debug)]
pub(crate) struct Extra {
    pub(crate) name: String,
    pub(crate) value: ExtraValue,
    /// The type that it must have as a key of an index.
    pub(crate) kind: KeyType,
}

#[derive(Debug)]
pub(crate) enum ExtraValue {
    Template(Template),
    Number(i64),
    Bool(bool),
}

/// What is special about a field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) cast: Option<Cast>,
    pub(crate) rename: Option<String>,
    pub(crate) drop: bool,
    pub(crate) hash: bool,
}

impl Rule {
    /// Checks a rule; what it leaves open is as `defaults` says. `path` names it in errors.
    pub(crate) fn new(
        spec: &RuleSpec,
        path: &str,
        whole: &MappingSpec,
        table: &Table,
        names: &NamesSpec,
    ) -> Result<Self, SpecError> {
        let defaults = &whole.defaults;
        let at = |setting: &str| format!("{path}.{setting}");
        let pattern = match (&spec.keys, &spec.regex) {
            (Some(_), Some(_)) => {
                return Err(SpecError::new(at("regex"), "a rule has keys or regex, not both"));
            }
            (Some(keys), None) => {
                Pattern::keys(keys).map_err(|message| SpecError::new(at("keys"), message))?
            }
            (None, Some(regex)) => {
                Pattern::regex(regex).map_err(|message| SpecError::new(at("regex"), message))?
            }
            (None, None) => Pattern::Any,
        };
        let kinds = match &spec.types {
            None => u16::MAX,
            Some(types) if types.is_empty() => {
                return Err(SpecError::new(at("types"), "no types").expecting("at least one"));
            }
            Some(types) => types.iter().fold(0, |kinds, name| kinds | bit((*name).into())),
        };
        if spec.dbs.as_ref().is_some_and(Vec::is_empty) {
            return Err(SpecError::new(at("dbs"), "no databases").expecting("at least one"));
        }
        if let (Some(some), Some(all)) = (&spec.dbs, &whole.dbs)
            && let Some(db) = some.iter().find(|db| !all.contains(db))
        {
            let message = format!("database {db} is not mapped at all");
            return Err(SpecError::new(at("dbs"), message).expecting("one of the spec's dbs"));
        }
        let layout = spec.layout.or(defaults.layout).unwrap_or_default();
        let template = |setting: &str, text: &str| {
            Template::new(text, &pattern, false).map_err(|error| template_error(at(setting), error))
        };
        // Templates of the defaults can only name what every key has.
        let default_template = |setting: &str, text: &str| {
            Template::new(text, &Pattern::Any, false)
                .map_err(|error| template_error(format!("defaults.{setting}"), error))
        };
        let pk = match (&spec.pk, &defaults.pk) {
            (Some(text), _) => template("pk", text)?,
            (None, Some(text)) => default_template("pk", text)?,
            (None, None) => Template::key(),
        };
        let sk = match (&spec.sk, &defaults.sk) {
            (Some(text), _) => Some(template("sk", text)?),
            (None, Some(text)) => Some(default_template("sk", text)?),
            (None, None) => None,
        };
        let tells_db = [Some(&pk), sk.as_ref()]
            .into_iter()
            .flatten()
            .any(|template: &Template| template.refers_to(&Reference::Db));
        let mut rule = Self {
            kinds,
            dbs: spec.dbs.clone(),
            skip: spec.skip,
            tells_db,
            layout,
            numbers: spec.numbers.or(defaults.numbers).unwrap_or_default(),
            type_style: spec.r#type.or(defaults.r#type).unwrap_or_default(),
            binary: spec.binary.or(defaults.binary).unwrap_or_default(),
            expired: spec.expired.or(defaults.expired).unwrap_or_default(),
            oversize: spec.oversize.or(defaults.oversize).unwrap_or_default(),
            stream_fields: spec.stream_fields.or(defaults.stream_fields).unwrap_or_default(),
            geo: spec.geo.or(defaults.geo).unwrap_or_default(),
            attributes: Vec::new(),
            fields: HashMap::new(),
            renamed: HashMap::new(),
            reserved: Vec::new(),
            index_keys: Vec::new(),
            key_kept: KeyKept::Never,
            is_key_itself: false,
            shares_keys: false,
            is_straight: false,
            pk,
            sk,
            pattern,
        };
        if !rule.skip {
            rule.check_keys(&at, table)?;
            rule.add_attributes(spec, defaults, &at, table, names)?;
            rule.add_fields(spec, &at)?;
        } else if let Some(setting) = spec.first_of_mapping() {
            return Err(SpecError::new(at(setting), "the rule skips its keys")
                .expecting("nothing on how to map them"));
        }
        Ok(rule)
    }

    fn check_keys(&mut self, at: &dyn Fn(&str) -> String, table: &Table) -> Result<(), SpecError> {
        match (&self.sk, &table.key.sort) {
            (Some(_), None) => {
                return Err(SpecError::new(at("sk"), "the table has no sort key")
                    .expecting("table.key.sort to name one"));
            }
            (None, Some(sort)) if self.layout != Layout::Collection => {
                let message = format!("no template for the sort key {}", sort.name);
                return Err(SpecError::new(at("sk"), message)
                    .expecting("sk here or in the defaults, or unmatched = \"skip\""));
            }
            _ => {}
        }
        if self.layout == Layout::Collection {
            match &table.key.sort {
                Some(sort) if sort.kind == KeyType::S => {}
                _ => {
                    return Err(SpecError::new(
                        at("layout"),
                        "the layout collection needs a sort key of type S",
                    )
                    .expecting("table.key.sort = { name = \"sk\" }"));
                }
            }
            if self.sk.as_ref().is_some_and(Template::ends_open) {
                return Err(SpecError::new(
                    at("sk"),
                    "nothing parts the last reference from the element that follows it",
                )
                .expecting("text at the end of the template"));
            }
        }
        if self.pk.is_constant() && self.sk.as_ref().is_none_or(Template::is_constant) {
            return Err(SpecError::new(at("pk"), "every key would become the same item")
                .expecting("a reference such as {key}"));
        }
        let templates = || [Some(&self.pk), self.sk.as_ref()].into_iter().flatten();
        let has = |reference: &Reference| templates().any(|t| t.refers_to(reference));
        let segments = self.pattern.names().len();
        let named = matches!(self.pattern, Pattern::Named { .. });
        let is_whole =
            has(&Reference::Key) || named && (0..segments).all(|i| has(&Reference::Segment(i)));
        // What follows the text of a sort key's template, an element, may hold its last words.
        let open = self.sk.as_ref().filter(|_| self.layout == Layout::Collection);
        let is_plain = templates().all(|t| t.references().count() < 2)
            && open.is_none_or(Template::is_constant)
            && table.key.attributes().all(|key| key.kind != KeyType::N);
        self.key_kept = match (is_whole && templates().all(Template::is_readable), is_plain) {
            (false, _) => KeyKept::Never,
            (true, true) => KeyKept::Always,
            (true, false) => KeyKept::Check,
        };
        Ok(())
    }

    fn add_attributes(
        &mut self,
        spec: &RuleSpec,
        defaults: &RuleSpec,
        at: &dyn Fn(&str) -> String,
        table: &Table,
        names: &NamesSpec,
    ) -> Result<(), SpecError> {
        self.index_keys = table
            .indexes
            .iter()
            .flat_map(|index| index.key.attributes())
            .map(|key| (key.name.clone(), key.kind))
            .collect();
        let own = own_names(names, table);
        self.reserved = own.iter().map(|name| (*name).to_owned()).collect();
        if self.layout == Layout::Collection {
            // An element's attributes must not depend on the other elements.
            for (name, value) in &spec.attributes {
                if matches!(value, AttributeSpec::Template(text) if text.contains("{field:")) {
                    return Err(SpecError::new(
                        at(&format!("attributes.\"{name}\"")),
                        "an item of the layout collection holds one field only",
                    )
                    .expecting("the layout item or attributes"));
                }
            }
        }
        let inherited = defaults.attributes.iter().filter(|(name, _)| {
            !spec.attributes.contains_key(*name) && !std::ptr::eq(spec, defaults)
        });
        for ((name, value), pattern) in (spec.attributes.iter().map(|a| (a, &self.pattern)))
            .chain(inherited.map(|a| (a, &Pattern::Any)))
        {
            let path = at(&format!("attributes.\"{name}\""));
            if name.is_empty() || own.contains(&name.as_str()) {
                let message = format!("the attribute {name:?} is written by the mapping itself");
                return Err(SpecError::new(path, message).expecting("another name"));
            }
            let value = match value {
                AttributeSpec::Template(text) => ExtraValue::Template(
                    Template::new(text, pattern, true)
                        .map_err(|error| template_error(path, error))?,
                ),
                AttributeSpec::Number(number) => ExtraValue::Number(*number),
                AttributeSpec::Bool(truth) => ExtraValue::Bool(*truth),
            };
            let kind = self.index_kind(name).unwrap_or_default();
            self.reserved.push(name.clone());
            self.attributes.push(Extra { name: name.clone(), value, kind });
        }
        Ok(())
    }

    fn add_fields(
        &mut self,
        spec: &RuleSpec,
        at: &dyn Fn(&str) -> String,
    ) -> Result<(), SpecError> {
        if let (Some((name, _)), false) = (spec.fields.first_key_value(), self.takes(Kind::Hash)) {
            return Err(SpecError::new(
                at(&format!("fields.\"{name}\"")),
                "only hashes have fields, and the rule takes none",
            )
            .expecting("types to name hash"));
        }
        if spec.geo == Some(true) && !self.takes(Kind::SortedSet) {
            return Err(SpecError::new(
                at("geo"),
                "geo indexes are sorted sets, and the rule takes none",
            )
            .expecting("types to name zset"));
        }
        for (name, field) in &spec.fields {
            let path = at(&format!("fields.\"{name}\""));
            let clash = match (field.drop, field.hash, field.cast, &field.rename) {
                (true, true, ..) => Some("drop and hash"),
                (true, _, Some(_), _) => Some("drop and as"),
                (true, _, _, Some(_)) => Some("drop and rename"),
                (_, true, Some(_), _) => Some("hash and as"),
                _ => None,
            };
            if let Some(clash) = clash {
                let message = format!("{clash} contradict each other");
                return Err(SpecError::new(path, message).expecting("one of them"));
            }
            if let Some(to) = &field.rename {
                let is_taken = to.is_empty()
                    || self.layout == Layout::Attributes && self.reserved.contains(to)
                    || self.renamed.contains_key(to);
                if is_taken {
                    let message = format!("the name {to:?} is taken");
                    return Err(
                        SpecError::new(format!("{path}.rename"), message).expecting("another name")
                    );
                }
                self.renamed.insert(to.clone(), name.clone().into_bytes());
            }
            self.fields.insert(
                name.clone().into_bytes(),
                Field {
                    cast: field.cast,
                    rename: field.rename.clone(),
                    drop: field.drop,
                    hash: field.hash,
                },
            );
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn takes(&self, kind: Kind) -> bool {
        self.kinds & bit(kind) != 0
    }

    #[inline]
    pub(crate) fn takes_db(&self, db: u32) -> bool {
        self.dbs.as_ref().is_none_or(|dbs| dbs.contains(&db))
    }

    /// The kind, if the rule takes no other.
    pub(crate) fn only_kind(&self) -> Option<Kind> {
        if self.kinds.count_ones() != 1 {
            return None;
        }
        Kind::ALL.into_iter().find(|kind| self.takes(*kind))
    }

    pub(crate) fn index_kind(&self, name: &str) -> Option<KeyType> {
        self.index_keys.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    }

    /// Whether no key is left for a later rule.
    pub(crate) fn takes_all(&self) -> bool {
        matches!(self.pattern, Pattern::Any) && self.kinds == u16::MAX && self.dbs.is_none()
    }

    /// Whether every key that `later` takes is taken by this rule before.
    pub(crate) fn shadows(&self, later: &Self) -> bool {
        let same_keys =
            matches!(self.pattern, Pattern::Any) || self.pattern.shape() == later.pattern.shape();
        let dbs = match (&self.dbs, &later.dbs) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => theirs.iter().all(|db| ours.contains(db)),
        };
        same_keys && dbs && self.kinds & later.kinds == later.kinds
    }

    /// Finds out, when all else about the rule is known, whether keys need no work, and hashes
    /// next to none.
    pub(crate) fn settle(&mut self, table: &Table) {
        self.is_key_itself = matches!(self.pattern, Pattern::Any)
            && self.pk.is_key()
            && self.sk.is_none()
            && self.layout != Layout::Collection
            && self.key_kept == KeyKept::Always
            && self.type_style != TypeStyle::Never
            && table.key.partition.kind == KeyType::S;
        self.is_straight = self.is_key_itself
            && self.layout == Layout::Item
            && self.numbers == Numbers::Exact
            && self.fields.is_empty()
            && self.attributes.is_empty()
            && !self.writes_type(Kind::Hash)
            && table.indexes.is_empty();
    }

    /// Whether items of the two rules may have the same keys.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let open = [self, other].iter().any(|rule| rule.layout == Layout::Collection);
        self.pk.may_meet(&other.pk, false)
            && match (&self.sk, &other.sk) {
                (Some(a), Some(b)) => a.may_meet(b, open),
                _ => true,
            }
    }

    /// Whether the type of a value is to be written.
    #[inline]
    pub(crate) fn writes_type(&self, kind: Kind) -> bool {
        match self.type_style {
            TypeStyle::Always => true,
            TypeStyle::Never => false,
            TypeStyle::Auto => self.shares_keys || !self.is_plain(kind),
        }
    }

    /// Whether an item without a type is of this kind, if its value looks like it.
    #[inline]
    pub(crate) fn is_plain(&self, kind: Kind) -> bool {
        match self.layout {
            Layout::Item => {
                matches!(kind, Kind::String | Kind::List | Kind::Set | Kind::Hash)
            }
            Layout::Attributes | Layout::Collection => kind == Kind::Hash,
        }
    }
}

/// The names of attributes that the mapping writes itself.
pub(crate) fn own_names<'n>(names: &'n NamesSpec, table: &'n Table) -> Vec<&'n str> {
    let mut own: Vec<&str> = table.key.attributes().map(|key| key.name.as_str()).collect();
    own.extend(table.ttl_attribute.as_deref());
    own.extend(
        [
            &names.value,
            &names.r#type,
            &names.ttl_ms,
            &names.field_ttls,
            &names.db,
            &names.part,
            &names.start,
            &names.parts,
            &names.offload,
        ]
        .map(String::as_str),
    );
    own.extend(names.redis_key.as_deref());
    own
}

fn bit(kind: Kind) -> u16 {
    Kind::ALL.iter().position(|known| *known == kind).map_or(0, |index| 1 << index)
}

fn template_error(path: String, error: TemplateError) -> SpecError {
    match error {
        TemplateError::Syntax(message) => SpecError::new(path, message),
        TemplateError::Unknown { name, expected } => {
            SpecError::new(path, format!("unknown reference {{{name}}}")).expecting(expected)
        }
    }
}

impl RuleSpec {
    /// The first setting that says which keys the rule is for.
    pub(crate) fn first_of_matching(&self) -> Option<&'static str> {
        [
            (self.keys.is_some(), "keys"),
            (self.regex.is_some(), "regex"),
            (self.types.is_some(), "types"),
            (self.dbs.is_some(), "dbs"),
            (self.skip, "skip"),
        ]
        .into_iter()
        .find_map(|(is_set, name)| is_set.then_some(name))
    }

    fn first_of_mapping(&self) -> Option<&'static str> {
        [
            (self.pk.is_some(), "pk"),
            (self.sk.is_some(), "sk"),
            (self.layout.is_some(), "layout"),
            (self.numbers.is_some(), "numbers"),
            (self.r#type.is_some(), "type"),
            (self.binary.is_some(), "binary"),
            (self.expired.is_some(), "expired"),
            (self.oversize.is_some(), "oversize"),
            (self.stream_fields.is_some(), "stream_fields"),
            (self.geo.is_some(), "geo"),
            (!self.attributes.is_empty(), "attributes"),
            (!self.fields.is_empty(), "fields"),
        ]
        .into_iter()
        .find_map(|(is_set, name)| is_set.then_some(name))
    }
}

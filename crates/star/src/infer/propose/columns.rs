//! From attributes to columns: what they are called, of what type, and what becomes child entities.

use super::draft::{Child, Col, Draft, Template, Variable};
use super::entities::{TableNames, plain_name};
use crate::infer::group::Side;
use crate::infer::moments::Form;
use crate::infer::node::{Elements, Field, Node};
use crate::infer::values::{Kind, Values};
use crate::infer::words;
use crate::{ColumnSpec, Name, Path, SourceSpec, Type, UnnestOver};

/// A warehouse's table has at most 1,600 columns, some of them Keystar's own.
const MOST_COLUMNS: usize = 1_500;
/// A map with more paths than that becomes one column.
const MOST_FLAT: usize = 200;

/// What is added to a proposal while columns are made.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) children: Vec<Draft>,
    pub(super) alerts: Vec<String>,
}

/// Gives an entity its columns; what its items hold in lists and maps comes back as children.
pub(super) fn fill(draft: &mut Draft, place: usize, table: &TableNames) -> Findings {
    let mut fill = Fill { columns: Vec::new(), findings: Findings::default(), rows: draft.rows };
    let fields = draft.group.attributes.fields.ordered();
    // Variables that no attribute tells come first.
    for template in draft.templates() {
        for variable in template.variables() {
            let of_attribute = variable
                .attribute
                .as_deref()
                .is_some_and(|attribute| attribute != template.attribute || !table.is_known);
            let known = fill.columns.iter().any(|column: &Col| column.name == variable.name);
            if of_attribute || known {
                continue;
            }
            let attribute = template.attribute.clone();
            let whole = fields.iter().find(|field| *field.name == *attribute);
            let whole = whole.filter(|_| template.pieces.len() == 1).map(|field| &field.node);
            let (ty, notes, values) = match whole.and_then(|node| key_type(variable, node)) {
                Some((ty, notes, values)) => (ty, notes, values),
                None => {
                    let ty = part_type(&variable.values);
                    let notes = range_note(&variable.values, &ty).into_iter().collect();
                    (ty, notes, variable.values.clone())
                }
            };
            fill.columns.push(Col {
                name: variable.name.clone(),
                text: variable.name.clone(),
                spec: ColumnSpec::new(
                    SourceSpec::Key { attribute, variable: None },
                    Some(ty.clone()),
                ),
                ty,
                values,
                present: 1.0,
                notes,
                side: variable.part.clone().map(Side::Part),
                tags: vec![variable.tag.clone()],
            });
        }
    }
    let discriminator = draft.when.as_ref().map(|(name, _)| name.as_str());
    let is_key = |name: &str| {
        Some(name) == discriminator
            || table.is_known && (name == table.partition || Some(name) == table.sort.as_deref())
            || draft.indexes.iter().any(|index| index.template.attribute == name)
    };
    let mut left_out = draft.group.attributes.overflow;
    for field in fields {
        if is_key(&field.name) {
            continue;
        }
        if fill.columns.len() >= MOST_COLUMNS {
            left_out += field.node.values.count;
            continue;
        }
        let path = vec![field.name.to_string()];
        fill.attribute(&field.node, path, "", Some(draft), place);
    }
    if left_out > 0 {
        fill.findings.alerts.push(format!(
            "{}: {} values of further attributes have no column, since a table holds {}",
            draft.name,
            super::count(left_out),
            super::count(MOST_COLUMNS as u64)
        ));
    }
    let Fill { mut columns, findings, .. } = fill;
    for template in draft.templates() {
        for variable in template.variables() {
            if let Some(column) = columns.iter_mut().find(|column| column.name == variable.name) {
                column.tags.push(variable.tag.clone());
            }
        }
    }
    for column in &mut columns {
        column.tags.retain(|tag| !tag.is_empty());
        column.tags.dedup();
    }
    draft.key = key(draft);
    draft.columns = columns;
    findings
}

/// The columns of an entity's key: the variables of the table's key.
fn key(draft: &Draft) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for variable in draft.templates().flat_map(Template::variables) {
        if !key.contains(&variable.name) {
            key.push(variable.name.clone());
        }
    }
    key
}

struct Fill {
    columns: Vec<Col>,
    findings: Findings,
    rows: u64,
}

impl Fill {
    /// Makes columns of an attribute, or of a path in a map; of children only if there is an
    /// entity to be their parent.
    fn attribute(
        &mut self,
        node: &Node,
        path: Vec<String>,
        prefix: &str,
        parent: Option<&Draft>,
        place: usize,
    ) {
        let values = &node.values;
        let last = path.last().cloned().unwrap_or_default();
        let only = |kind: Kind| values.present() > 0 && values.kind(kind) == values.present();
        if only(Kind::M)
            && let Some(fields) = &node.fields
        {
            if let Some(parent) = parent
                && let Some((like, names)) = like_entries(node)
            {
                self.child(parent, place, &path, UnnestOver::Map, &like, Some(&names));
                return;
            }
            let small = node.size() <= MOST_FLAT && !fields.any && !fields.nodes.is_empty();
            if small && path.len() < Path::MAX_NAMES {
                let prefix = format!("{prefix}{}_", plain_name(&last));
                for field in fields.ordered() {
                    let mut path = path.clone();
                    path.push(field.name.to_string());
                    self.attribute(&field.node, path, &prefix, parent, place);
                }
                return;
            }
        }
        if only(Kind::L)
            && let (Some(parent), Some(elements)) = (parent, &node.elements)
            && elements.node.values.present() > 0
            && elements.node.values.kind(Kind::M) == elements.node.values.present()
            && elements.node.fields.as_ref().is_some_and(|fields| !fields.any)
        {
            self.child(parent, place, &path, UnnestOver::List, &elements.node, None);
            return;
        }
        self.column(node, &path, prefix);
    }

    fn column(&mut self, node: &Node, path: &[String], prefix: &str) {
        let last = path.last().map(String::as_str).unwrap_or_default();
        let values = &node.values;
        let is_top = path.len() == 1 && prefix.is_empty();
        let wanted = format!("{prefix}{}", plain_name(last));
        let name = self.free(&wanted);
        let (ty, mut notes) = column_type(last, node);
        if name != Name::fold(&wanted).as_str() {
            notes.insert(0, format!("the name {wanted} is taken"));
        }
        // Where the attribute's own name folds to the column's, the model says it as it is.
        let same = is_top && Name::fold(last).as_str() == name && is_simple(last);
        let source = match Path::new(path.iter().map(String::as_str)) {
            Some(path) if !same => SourceSpec::From(path),
            _ => SourceSpec::Same,
        };
        let text = if same { last.to_owned() } else { name.clone() };
        let present = values.present() as f64 / self.rows.max(1) as f64;
        let mut all = Vec::new();
        if values.present() < self.rows {
            all.push(format!("in {}", super::percent(values.present(), self.rows)));
        }
        if values.kind(Kind::Null) > 0 {
            all.push(format!("{} NULL", super::count(values.kind(Kind::Null))));
        }
        all.append(&mut notes);
        self.columns.push(Col {
            name,
            text,
            spec: ColumnSpec::new(source, Some(ty.clone())),
            ty,
            values: values.clone(),
            present,
            notes: all,
            side: is_top.then(|| Side::Attribute(last.into())),
            tags: Vec::new(),
        });
    }

    /// A name that no column has yet.
    fn free(&self, wanted: &str) -> String {
        let taken = |name: &str| self.columns.iter().any(|column| column.name == name);
        let cut =
            |length: usize| wanted.get(..wanted.floor_char_boundary(length)).unwrap_or(wanted);
        let mut name = cut(Name::MAX_BYTES).to_owned();
        let mut number = 2;
        while taken(&name) {
            let end = format!("_{number}");
            name = format!("{}{end}", cut(Name::MAX_BYTES - end.len()));
            number += 1;
        }
        name
    }

    fn child(
        &mut self,
        parent: &Draft,
        place: usize,
        path: &[String],
        over: UnnestOver,
        member: &Node,
        names: Option<&Values>,
    ) {
        let Some(unnest) = Path::new(path.iter().map(String::as_str)) else { return };
        let rows = member.values.present();
        let mut fill = Fill { columns: Vec::new(), findings: Findings::default(), rows };
        for name in key(parent) {
            let column = self.columns.iter().chain(&parent.columns).find(|col| col.name == name);
            let values = parent
                .templates()
                .flat_map(Template::variables)
                .find(|variable| variable.name == name)
                .map(|variable| variable.values.clone());
            let max_bytes = values.as_ref().and_then(|values| values.text.as_ref());
            let max_bytes = max_bytes.map_or(64, |texts| bound(texts.max_bytes, texts.is_fixed()));
            let ty = column.map_or(Type::Text { max_bytes }, |column| column.ty.clone());
            fill.columns.push(Col {
                name: name.clone(),
                text: name.clone(),
                spec: ColumnSpec::new(SourceSpec::Parent(name), None),
                ty,
                values: values.unwrap_or_default(),
                present: 1.0,
                notes: Vec::new(),
                side: None,
                tags: Vec::new(),
            });
        }
        let field = |name: &str| {
            let fields = member.fields.iter().flat_map(|fields| &fields.nodes);
            fields.into_iter().any(|field| plain_name(&field.name) == name)
                || fill.columns.iter().any(|column| column.name == name)
        };
        let last = path.last().map(String::as_str).unwrap_or_default();
        let name = words::singular(&plain_name(last));
        let member_key = match over {
            UnnestOver::Map if !field("name") => "name".to_owned(),
            UnnestOver::Map if !field("entry") => "entry".to_owned(),
            UnnestOver::List if !field("position") => "position".to_owned(),
            _ => format!("{name}_member"),
        };
        let texts = names.and_then(|names| names.text.as_deref());
        let max_bytes = texts.map_or(64, |texts| bound(texts.max_bytes, texts.is_fixed()));
        let (source, ty) = match over {
            UnnestOver::Map => (SourceSpec::Entry, Type::Text { max_bytes }),
            UnnestOver::List => (SourceSpec::Position, Type::Int),
        };
        let said = matches!(over, UnnestOver::Map).then(|| ty.clone());
        let notes = names.and_then(|names| range_note(names, &ty)).into_iter().collect();
        fill.columns.push(Col {
            name: member_key.clone(),
            text: member_key.clone(),
            spec: ColumnSpec::new(source, said),
            ty,
            values: names.cloned().unwrap_or_default(),
            present: 1.0,
            notes,
            side: None,
            tags: Vec::new(),
        });
        match &member.fields {
            Some(fields) if member.values.kind(Kind::M) > 0 => {
                for field in fields.ordered() {
                    let path = vec![field.name.to_string()];
                    fill.attribute(&field.node, path, "", None, place);
                }
            }
            _ => {
                fill.column(member, &["value".to_owned()], "");
                if let Some(column) = fill.columns.last_mut() {
                    column.spec.source = SourceSpec::Element;
                    column.side = None;
                }
            }
        }
        let mut key = key(parent);
        key.push(member_key);
        let mut group = parent.group.clone();
        group.attributes = crate::infer::node::Attributes::default();
        self.findings.children.push(Draft {
            name,
            when: None,
            partition: Template::default(),
            sort: None,
            indexes: Vec::new(),
            child: Some(Child { parent: place, path: unnest, over }),
            rows,
            columns: fill.columns,
            key,
            unique: Vec::new(),
            group,
            evidence: Vec::new(),
            confidence: parent.confidence.saturating_sub(2),
        });
        self.findings.alerts.append(&mut fill.findings.alerts);
    }
}

/// Of a map whose entries are alike: what they have, and their names as values.
fn like_entries(node: &Node) -> Option<(Node, Values)> {
    let fields = node.fields.as_deref()?;
    if fields.any {
        let all = &fields.nodes.first()?.node;
        return Some((all.clone(), fields.names()));
    }
    let is_map = |field: &Field| {
        let values = &field.node.values;
        values.present() > 0
            && values.kind(Kind::M) == values.present()
            && field.node.fields.is_some()
    };
    if fields.nodes.len() < 2 || !fields.nodes.iter().all(is_map) {
        return None;
    }
    let mut all = Node::default();
    for field in &fields.nodes {
        all.merge(&field.node);
    }
    let names = all.fields.as_ref().map_or(0, |fields| fields.nodes.len());
    // Each entry has most of what any has.
    let alike = fields.nodes.iter().all(|field| {
        let own = field.node.fields.as_ref().map_or(0, |fields| fields.nodes.len());
        own * 10 >= names * 6
    });
    (alike && names > 0).then(|| (all, fields.names()))
}

fn is_simple(attribute: &str) -> bool {
    attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !attribute.starts_with('_')
}

/// The type that holds all values, and what is to be said of it.
fn column_type(name: &str, node: &Node) -> (Type, Vec<String>) {
    let values = &node.values;
    let kinds: Vec<(Kind, &str)> = Kind::ALL
        .into_iter()
        .filter(|(kind, _)| *kind != Kind::Null && values.kind(*kind) > 0)
        .collect();
    let ((kind, _), rest) = match kinds.split_first() {
        Some((first, rest)) => (*first, rest),
        None => return (Type::Text { max_bytes: 16 }, vec!["always NULL".into()]),
    };
    if !rest.is_empty() {
        let shares = kinds
            .iter()
            .map(|(kind, name)| format!("{} {name}", super::count(values.kind(*kind))))
            .collect::<Vec<_>>();
        return (Type::Json, vec![format!("of several types: {}", shares.join(", "))]);
    }
    let mut notes = Vec::new();
    let ty = match kind {
        Kind::S => text_type(name, values, &mut notes),
        Kind::N => number_type(name, values, &mut notes),
        Kind::Bool => Type::Bool,
        Kind::B => {
            let max_bytes = values.max_binary.saturating_mul(5) / 4;
            let max_bytes = max_bytes.max(16).next_power_of_two().min(Type::MAX_BYTES);
            notes.push(format!("up to {} bytes", super::count(values.max_binary.into())));
            Type::Bytes { max_bytes }
        }
        Kind::L | Kind::Ss | Kind::Ns | Kind::Bs => match &node.elements {
            Some(elements) => list_type(name, elements, &mut notes),
            None => Type::Json,
        },
        Kind::M | Kind::Null => {
            if let Some(fields) = &node.fields {
                let names = fields.names();
                notes.push(format!("a map with {} names", super::count(names.sketch.distinct())));
            }
            Type::Json
        }
    };
    notes.extend(range_note(values, &ty));
    (ty, notes)
}

fn list_type(name: &str, elements: &Elements, notes: &mut Vec<String>) -> Type {
    notes.push(format!("up to {} elements", super::count(elements.longest)));
    let values = &elements.node.values;
    let kinds = Kind::ALL.into_iter().filter(|(kind, _)| values.kind(*kind) > 0);
    let kinds: Vec<Kind> = kinds.map(|(kind, _)| kind).collect();
    let mut ignored = Vec::new();
    let element = match kinds.as_slice() {
        [Kind::S] => text_type(name, values, &mut ignored),
        [Kind::N] => number_type(name, values, &mut ignored),
        [Kind::Bool] => Type::Bool,
        _ => return Type::Json,
    };
    Type::List(Box::new(element))
}

fn text_type(name: &str, values: &Values, notes: &mut Vec<String>) -> Type {
    let Some(texts) = values.text.as_deref() else { return Type::Text { max_bytes: 64 } };
    let forms: Vec<Form> = texts.forms.all().collect();
    match forms.as_slice() {
        [form] if !form.is_doubtful() || words::time(name).is_some() => return time_type(*form),
        [form] => notes.push(format!("may be {}", time_type(*form))),
        [one, .., other] => {
            notes.push(format!("look: is it {} or {}?", time_type(*one), time_type(*other)));
        }
        [] => {}
    }
    if !texts.not_truths {
        notes.push("words for true and false".into());
    } else if !texts.not_numbers && forms.is_empty() {
        notes.push("all are numbers, written as text".into());
    }
    if texts.empty > 0 {
        notes.push(format!("{} empty", super::count(texts.empty)));
    }
    if texts.max_bytes > Type::MAX_TEXT_BYTES {
        notes.push(format!("look: up to {} bytes, too many for a warehouse", texts.max_bytes));
    }
    Type::Text { max_bytes: bound(texts.max_bytes, texts.is_fixed()) }
}

fn number_type(name: &str, values: &Values, notes: &mut Vec<String>) -> Type {
    let Some(numbers) = values.number.as_deref() else { return Type::Int };
    if let Some(form) = numbers.forms.all().next() {
        let is_epoch = matches!(form, Form::Seconds | Form::Millis | Form::Micros);
        if is_epoch && words::time(name).is_some() {
            return time_type(form);
        }
        notes.push(format!("may be {}", time_type(form)));
    }
    if !numbers.not_integers && numbers.whole <= 18 {
        return Type::Int;
    }
    // Cents are written without their last zero.
    let scale = if numbers.scale == 1 { 2 } else { numbers.scale };
    let digits = numbers.whole + scale;
    match (u8::try_from(digits), u8::try_from(scale)) {
        (Ok(digits @ 0..=38), Ok(scale @ 0..=Type::MAX_SCALE)) => {
            let roomy = [10, 18, 28, 38].into_iter().find(|precision| digits + 2 <= *precision);
            Type::Decimal { precision: roomy.unwrap_or(38), scale }
        }
        _ => {
            notes.push(format!(
                "look: {} digits before and {} after the point are more than a decimal holds",
                numbers.whole, numbers.scale
            ));
            Type::Double
        }
    }
}

/// The type of a part of a key's text.
fn part_type(values: &Values) -> Type {
    let texts = values.text.as_deref();
    let mut forms = texts.into_iter().flat_map(|texts| texts.forms.all());
    match (forms.next(), forms.next()) {
        (Some(form), None) if !form.is_doubtful() => time_type(form),
        _ => Type::Text {
            max_bytes: texts.map_or(64, |texts| bound(texts.max_bytes, texts.is_fixed())),
        },
    }
}

/// The type of a key that is no text, of which the variable is all; bytes are taken as base64.
fn key_type(variable: &Variable, node: &Node) -> Option<(Type, Vec<String>, Values)> {
    let values = &node.values;
    let only = |kind| values.present() > 0 && values.kind(kind) == values.present();
    if only(Kind::B) {
        let base64 = values.max_binary.div_ceil(3).saturating_mul(4);
        let mut notes = vec!["bytes, as base64".to_owned()];
        let ty = Type::Text { max_bytes: bound(base64, false) };
        notes.extend(range_note(values, &ty));
        return Some((ty, notes, values.clone()));
    }
    let (ty, notes) = only(Kind::N).then(|| column_type(&variable.name, node))?;
    // What is no number of a warehouse's exact ones stays the text that the key has.
    ty.is_key().then(|| (ty, notes, values.clone()))
}

fn time_type(form: Form) -> Type {
    match form.has_time() {
        true => Type::Timestamp(form.format()),
        false => Type::Date(form.format()),
    }
}

/// The bound of a text: with room to grow, unless codes and ids of one length do not.
fn bound(max_bytes: u32, is_fixed: bool) -> u32 {
    if is_fixed && matches!(max_bytes, 1..=3 | 26 | 36) {
        return max_bytes;
    }
    let roomy = max_bytes.saturating_add(max_bytes / 4).clamp(16, Type::MAX_TEXT_BYTES);
    roomy.next_power_of_two().min(Type::MAX_TEXT_BYTES)
}

/// What values there are: all of few, else from where to where.
fn range_note(values: &Values, ty: &Type) -> Option<String> {
    let distinct = values.sketch.distinct();
    if distinct == 0 {
        return None;
    }
    let clean = |text: &str| text.replace(char::is_control, " ");
    let examples = values.examples();
    let total: usize = examples.iter().map(|example| example.len()).sum();
    if values.sketch.is_exact() && distinct as usize == examples.len() && total <= 60 {
        let all: Vec<String> = examples.into_iter().map(clean).collect();
        return Some(all.join(" | "));
    }
    let about = if values.sketch.is_exact() { "" } else { "about " };
    let many = format!("{about}{} values", super::count(super::rounded(&values.sketch)));
    let ends = match ty {
        Type::Text { .. } => None,
        _ => values
            .number
            .as_ref()
            .and_then(|numbers| numbers.range.ends())
            .or_else(|| values.text.as_ref().and_then(|texts| texts.range.ends())),
    };
    let bytes = values.text.as_ref().filter(|_| matches!(ty, Type::Text { .. }));
    Some(match (ends, bytes) {
        (Some((least, most)), _) => format!("{} to {}, {many}", clean(least), clean(most)),
        (None, Some(texts)) => format!("{many}, up to {} bytes", texts.max_bytes),
        (None, None) => many,
    })
}

/// Whether the type is one of these that facts keep and dimensions show.
pub(super) fn is_plain(ty: &Type) -> bool {
    !matches!(ty, Type::Json | Type::List(_) | Type::Struct(_) | Type::Bytes { .. })
}

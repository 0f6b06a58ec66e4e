//! From a spec to its text, which reads back as the same spec.

use std::fmt::{self, Display, Write};

use crate::spec::{ModelSpec, Named, OperandSpec, SourceSpec};
use crate::text::{Key, Quoted};
use crate::{ColumnSpec, Drift, EntitySpec, FactSpec, History, UnnestOver};

impl ModelSpec {
    /// The spec as TOML, without comments.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write(self, &mut text);
        text
    }
}

fn write(spec: &ModelSpec, out: &mut String) -> fmt::Result {
    writeln!(out, "[table]\npartition_key = {}", Quoted(&spec.table.partition_key))?;
    optional(out, "sort_key", spec.table.sort_key.as_deref().map(Quoted))?;
    for (name, entity) in &spec.entities {
        write_entity(out, name, entity)?;
    }
    for (name, dimension) in &spec.dimensions {
        writeln!(out, "\n[dimension.{}]", Key(name))?;
        optional(out, "entity", dimension.entity.as_deref().map(Quoted))?;
        writeln!(out, "key = {}", List(&dimension.key))?;
        inline(out, "attributes", &dimension.attributes, |history| {
            let name = match history {
                History::Overwrite => "type1",
                History::Versions => "type2",
            };
            Quoted(name)
        })?;
    }
    if let Some(calendar) = &spec.calendar {
        writeln!(out, "\n[calendar]")?;
        optional(out, "name", calendar.name.as_deref().map(Quoted))?;
        optional(out, "fiscal_start_month", calendar.fiscal_start_month)?;
        optional(out, "first", calendar.first)?;
        optional(out, "last", calendar.last)?;
    }
    for (name, fact) in &spec.facts {
        write_fact(out, name, fact)?;
    }
    Ok(())
}

fn write_entity(out: &mut String, name: &str, entity: &EntitySpec) -> fmt::Result {
    writeln!(out, "\n[entity.{}]", Key(name))?;
    inline(out, "when", &entity.when, |value| Quoted(value))?;
    if !entity.has.is_empty() {
        writeln!(out, "has = {}", List(&entity.has))?;
    }
    let quoted = |value: &dyn Display| Quoted(&value.to_string()).to_string();
    optional(out, "pk", entity.pk.as_ref().map(|template| quoted(template)))?;
    optional(out, "sk", entity.sk.as_ref().map(|template| quoted(template)))?;
    inline(out, "like", &entity.like, |template| quoted(template))?;
    optional(out, "parent", entity.parent.as_deref().map(Quoted))?;
    optional(out, "unnest", entity.unnest.as_ref().map(|path| quoted(path)))?;
    let over = entity.over.map(|over| match over {
        UnnestOver::List => "list",
        UnnestOver::Map => "map",
    });
    optional(out, "over", over.map(Quoted))?;
    if !entity.unique.is_empty() {
        let sets: Vec<String> = entity.unique.iter().map(|set| List(set).to_string()).collect();
        writeln!(out, "unique = [{}]", sets.join(", "))?;
    }
    let drift = entity.drift.map(|drift| match drift {
        Drift::Quarantine => "quarantine",
        Drift::Evolve => "evolve",
        Drift::Freeze => "freeze",
        Drift::DiscardValue => "discard-value",
        Drift::DiscardRow => "discard-row",
    });
    optional(out, "drift", drift.map(Quoted))?;
    writeln!(out, "\n[entity.{}.columns]", Key(name))?;
    for (name, column) in &entity.columns {
        writeln!(out, "{} = {}", Key(name), column)?;
    }
    Ok(())
}

impl Display for ColumnSpec {
    /// The column's value in TOML: `"text(64)"`, or `{ key = "PK", type = "text(64)" }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ty = self.ty.as_ref().map(ToString::to_string);
        if let (SourceSpec::Same, Some(ty), false) = (&self.source, &ty, self.required) {
            return Quoted(ty).fmt(f);
        }
        let mut settings: Vec<String> = Vec::new();
        match &self.source {
            SourceSpec::Same => {}
            SourceSpec::From(path) => {
                settings.push(format!("from = {}", Quoted(&path.to_string())));
            }
            SourceSpec::Key { attribute, variable } => {
                settings.push(format!("key = {}", Quoted(attribute)));
                settings.extend(variable.iter().map(|name| format!("variable = {}", Quoted(name))));
            }
            SourceSpec::Parent(column) => settings.push(format!("parent = {}", Quoted(column))),
            SourceSpec::Position => settings.push("position = true".into()),
            SourceSpec::Entry => settings.push("entry = true".into()),
            SourceSpec::Element => settings.push("element = true".into()),
            SourceSpec::IsNull(path) => {
                settings.push(format!("is_null = {}", Quoted(&path.to_string())));
            }
        }
        settings.extend(ty.map(|ty| format!("type = {}", Quoted(&ty))));
        settings.extend(self.required.then(|| "required = true".into()));
        write!(f, "{{ {} }}", settings.join(", "))
    }
}

fn write_fact(out: &mut String, name: &str, fact: &FactSpec) -> fmt::Result {
    writeln!(out, "\n[fact.{}]", Key(name))?;
    optional(out, "entity", fact.entity.as_deref().map(Quoted))?;
    writeln!(out, "grain = {}", List(&fact.grain))?;
    inline(out, "measures", &fact.measures, |column| Quoted(column))?;
    inline(out, "degenerate", &fact.degenerate, |column| Quoted(column))?;
    for (alias, join) in &fact.joins {
        writeln!(out, "\n[fact.{}.join.{}]", Key(name), Key(alias))?;
        optional(out, "entity", join.entity.as_deref().map(Quoted))?;
        inline(out, "on", &join.on, |operand| match operand {
            OperandSpec::Column(column) => Quoted(column).to_string(),
            OperandSpec::Text(text) => format!("{{ text = {} }}", Quoted(text)),
            OperandSpec::Int(int) => format!("{{ int = {int} }}"),
        })?;
    }
    if fact.dimensions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n[fact.{}.dimensions]", Key(name))?;
    for (role, spec) in &fact.dimensions {
        write!(out, "{} = {{ ", Key(role))?;
        if let Some(dimension) = &spec.dimension {
            write!(out, "dimension = {}, ", Quoted(dimension))?;
        }
        write!(out, "key = {}", List(&spec.key))?;
        if let Some(as_of) = &spec.as_of {
            write!(out, ", as_of = {}", Quoted(as_of))?;
        }
        out.push_str(" }\n");
    }
    Ok(())
}

/// A list of texts.
struct List<'a>(&'a [String]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|text| Quoted(text).to_string()).collect();
        write!(f, "[{}]", texts.join(", "))
    }
}

fn optional(out: &mut String, name: &str, value: Option<impl Display>) -> fmt::Result {
    match value {
        Some(value) => writeln!(out, "{name} = {value}"),
        None => Ok(()),
    }
}

/// An inline table; nothing if it is empty.
fn inline<'s, T, D: Display>(
    out: &mut String,
    name: &str,
    values: &'s Named<T>,
    show: impl Fn(&'s T) -> D,
) -> fmt::Result {
    if values.is_empty() {
        return Ok(());
    }
    let settings: Vec<String> =
        values.iter().map(|(name, value)| format!("{} = {}", Key(name), show(value))).collect();
    writeln!(out, "{name} = {{ {} }}", settings.join(", "))
}

//! The proposal as a commented `model.toml`.

use std::fmt::{self, Write};

use super::propose::{Draft, Proposal, Template, count, percent};
use crate::spec::{ModelSpec, OperandSpec};
use crate::text::{Key, Quoted};
use crate::{History, UnnestOver};

/// Comments begin at this column, where a line is not longer.
const COMMENTS: usize = 58;
/// Lines of comments are at most so long.
const WIDTH: usize = 100;

impl Proposal {
    /// A `model.toml` that runs as it is; comments say why, how sure, and what else it could be.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let ModelSpec { table, entities, dimensions, calendar, facts } = &self.spec;
        comment(
            out,
            &format!("Proposed from {} items: read it, change it, keep it.", count(self.items)),
        )?;
        if !self.alerts.is_empty() {
            comment(out, "")?;
            comment(out, "Look at:")?;
            for alert in &self.alerts {
                comment(out, &format!("- {alert}"))?;
            }
        }
        writeln!(out, "\n[table]\npartition_key = {}", Quoted(&table.partition_key))?;
        if let Some(sort) = &table.sort_key {
            writeln!(out, "sort_key = {}", Quoted(sort))?;
        }
        for ((name, spec), draft) in entities.iter().zip(&self.drafts) {
            writeln!(out)?;
            for line in self.about(draft) {
                comment(out, &line)?;
            }
            writeln!(out, "[entity.{}]", Key(name))?;
            if !spec.when.is_empty() {
                let when = spec
                    .when
                    .iter()
                    .map(|(name, value)| format!("{} = {}", Key(name), Quoted(value)));
                writeln!(out, "when = {{ {} }}", when.collect::<Vec<_>>().join(", "))?;
            }
            for (setting, template) in [("pk", &spec.pk), ("sk", &spec.sk)] {
                if let Some(template) = template {
                    writeln!(out, "{setting} = {}", Quoted(&template.to_string()))?;
                }
            }
            if !spec.like.is_empty() {
                let like = spec.like.iter().map(|(name, template)| {
                    format!("{} = {}", Key(name), Quoted(&template.to_string()))
                });
                writeln!(out, "like = {{ {} }}", like.collect::<Vec<_>>().join(", "))?;
            }
            if let Some(parent) = &spec.parent {
                writeln!(out, "parent = {}", Quoted(parent))?;
            }
            if let Some(path) = &spec.unnest {
                writeln!(out, "unnest = {}", Quoted(&path.to_string()))?;
            }
            if let Some(over) = spec.over {
                let over = match over {
                    UnnestOver::List => "list",
                    UnnestOver::Map => "map",
                };
                writeln!(out, "over = {}", Quoted(over))?;
            }
            if !spec.unique.is_empty() {
                let sets: Vec<String> = spec.unique.iter().map(|set| list(set)).collect();
                let line = format!("unique = [{}]", sets.join(", "));
                with_comment(out, &line, "no two among the values watched; tested at every load")?;
            }
            writeln!(out, "\n[entity.{}.columns]", Key(name))?;
            for ((text, column), about) in spec.columns.iter().zip(&draft.columns) {
                with_comment(out, &format!("{} = {column}", Key(text)), &about.notes.join("; "))?;
            }
        }
        for (name, dimension) in dimensions {
            writeln!(out)?;
            self.comments(out, name)?;
            writeln!(out, "[dimension.{}]", Key(name))?;
            if let Some(entity) = &dimension.entity {
                writeln!(out, "entity = {}", Quoted(entity))?;
            }
            writeln!(out, "key = {}", list(&dimension.key))?;
            if !dimension.attributes.is_empty() {
                writeln!(out, "\n[dimension.{}.attributes]", Key(name))?;
                for (attribute, history) in &dimension.attributes {
                    let history = match history {
                        History::Overwrite => "type1",
                        History::Versions => "type2",
                    };
                    writeln!(out, "{} = {}", Key(attribute), Quoted(history))?;
                }
            }
        }
        if let Some(calendar) = calendar {
            writeln!(out, "\n[calendar]")?;
            if let Some(name) = &calendar.name {
                writeln!(out, "name = {}", Quoted(name))?;
            }
            if let Some(month) = calendar.fiscal_start_month {
                let note = "the month in which your fiscal year begins";
                with_comment(out, &format!("fiscal_start_month = {month}"), note)?;
            }
        }
        for (name, fact) in facts {
            writeln!(out)?;
            self.comments(out, name)?;
            writeln!(out, "[fact.{}]", Key(name))?;
            if let Some(entity) = &fact.entity {
                writeln!(out, "entity = {}", Quoted(entity))?;
            }
            writeln!(out, "grain = {}", list(&fact.grain))?;
            for (setting, columns) in
                [("measures", &fact.measures), ("degenerate", &fact.degenerate)]
            {
                if !columns.is_empty() {
                    let columns = columns
                        .iter()
                        .map(|(name, column)| format!("{} = {}", Key(name), Quoted(column)));
                    writeln!(out, "{setting} = {{ {} }}", columns.collect::<Vec<_>>().join(", "))?;
                }
            }
            for (alias, join) in &fact.joins {
                writeln!(out, "\n[fact.{}.join.{}]", Key(name), Key(alias))?;
                if let Some(entity) = &join.entity {
                    writeln!(out, "entity = {}", Quoted(entity))?;
                }
                let on = join.on.iter().map(|(column, operand)| {
                    let operand = match operand {
                        OperandSpec::Column(text) => Quoted(text).to_string(),
                        OperandSpec::Text(text) => format!("{{ text = {} }}", Quoted(text)),
                        OperandSpec::Int(int) => format!("{{ int = {int} }}"),
                    };
                    format!("{} = {operand}", Key(column))
                });
                writeln!(out, "on = {{ {} }}", on.collect::<Vec<_>>().join(", "))?;
            }
            if !fact.dimensions.is_empty() {
                writeln!(out, "\n[fact.{}.dimensions]", Key(name))?;
                for (role, spec) in &fact.dimensions {
                    let mut settings = Vec::new();
                    if let Some(dimension) = &spec.dimension {
                        settings.push(format!("dimension = {}", Quoted(dimension)));
                    }
                    settings.push(format!("key = {}", list(&spec.key)));
                    if let Some(as_of) = &spec.as_of {
                        settings.push(format!("as_of = {}", Quoted(as_of)));
                    }
                    writeln!(out, "{} = {{ {} }}", Key(role), settings.join(", "))?;
                }
            }
        }
        Ok(())
    }

    /// What is to be said of an entity: how many items, how sure, what else is known.
    pub(super) fn about(&self, draft: &Draft) -> Vec<String> {
        let rows = count(draft.rows);
        let first = match draft.child.as_ref().and_then(|child| self.drafts.get(child.parent)) {
            Some(parent) => format!("{rows} in {} items of {}", count(parent.rows), parent.name),
            None => format!(
                "{rows} items, {} of all, confidence {} %",
                percent(draft.rows, self.items),
                draft.confidence
            ),
        };
        let mut lines = vec![first];
        // What every item has, the model says itself.
        for index in draft.indexes.iter().filter(|index| index.form().is_none()) {
            let some = match index.share {
                share if share >= 1.0 => String::new(),
                share => format!(" in {:.1} % of them", share * 100.0),
            };
            let Template { attribute, .. } = &index.template;
            lines.push(format!("index key {attribute} = \"{}\"{some}", index.template.text()));
        }
        lines.extend(draft.evidence.iter().cloned());
        lines
    }

    fn comments(&self, out: &mut String, name: &str) -> fmt::Result {
        self.notes.get(name).into_iter().flatten().try_for_each(|line| comment(out, line))
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| Quoted(name).to_string()).collect();
    format!("[{}]", names.join(", "))
}

/// Writes a line of comment, broken where it is too long. What comes from the data is on one line
/// and has no control characters left.
fn comment(out: &mut String, text: &str) -> fmt::Result {
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH && line.len() > 2 {
            writeln!(out, "{line}")?;
            line = String::from("#  ");
        }
        line.push(' ');
        line.extend(word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
    }
    writeln!(out, "{}", line.trim_end())
}

fn with_comment(out: &mut String, line: &str, text: &str) -> fmt::Result {
    if text.is_empty() {
        return writeln!(out, "{line}");
    }
    let clean: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    writeln!(out, "{line:<COMMENTS$} # {clean}")
}

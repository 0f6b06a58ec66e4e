//! The proposal as data for others to draw, and as one self-contained HTML page.

use std::fmt::{self, Display, Write};

use super::propose::{Proposal, count, percent};

mod diagram;

/// An entity of a [`Proposal`], to be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntityProposal {
    /// Its name.
    pub name: String,
    /// How many items are one; of a child entity, how many members there are.
    pub rows: u64,
    /// How sure it is that it is an entity, in percent.
    pub confidence: u8,
    /// The entity whose items hold it.
    pub parent: Option<String>,
    /// Its keys: attribute and template, the table's first, then those of indexes.
    pub keys: Vec<(String, String)>,
    /// The columns that tell its rows apart.
    pub key: Vec<String>,
    /// Its columns.
    pub columns: Vec<ColumnProposal>,
}

/// A column of an [`EntityProposal`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ColumnProposal {
    /// Its name.
    pub name: String,
    /// Its type, as the model writes it.
    pub ty: String,
    /// What is known of its values: counts, ranges, alternatives.
    pub notes: Vec<String>,
}

/// Many rows of one entity to one of another.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RelationProposal {
    /// The entity that refers.
    pub from: String,
    /// The entity referred to.
    pub to: String,
    /// Columns of the entity referred to, and of the one that refers.
    pub on: Vec<(String, String)>,
    /// Why.
    pub evidence: String,
    /// How sure, in percent.
    pub confidence: u8,
}

impl Proposal {
    /// The entities, in the order of the model.
    #[must_use]
    pub fn entities(&self) -> Vec<EntityProposal> {
        let entity = |draft: &super::propose::Draft| EntityProposal {
            name: draft.name.clone(),
            rows: draft.rows,
            confidence: draft.confidence,
            parent: draft
                .child
                .as_ref()
                .and_then(|child| self.drafts.get(child.parent))
                .map(|parent| parent.name.clone()),
            keys: draft
                .templates()
                .filter(|template| !template.attribute.is_empty())
                .chain(draft.indexes.iter().map(|index| &index.template))
                .map(|template| (template.attribute.clone(), template.text()))
                .collect(),
            key: draft.key.clone(),
            columns: draft
                .columns
                .iter()
                .map(|column| ColumnProposal {
                    name: column.name.clone(),
                    ty: column.ty.to_string(),
                    notes: column.notes.clone(),
                })
                .collect(),
        };
        self.drafts.iter().map(entity).collect()
    }

    /// What refers to what.
    #[must_use]
    pub fn relations(&self) -> Vec<RelationProposal> {
        let name =
            |at: usize| self.drafts.get(at).map(|draft| draft.name.clone()).unwrap_or_default();
        self.relations
            .iter()
            .map(|relation| RelationProposal {
                from: name(relation.from),
                to: name(relation.to),
                on: relation.on.clone(),
                evidence: relation.evidence.clone(),
                confidence: relation.confidence,
            })
            .collect()
    }

    /// One HTML page with the entities, how they refer to each other, and the star: no script, no
    /// network, for light and dark screens.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = write!(page, "{}", Page(self));
        page
    }
}

const STYLE: &str = include_str!("page/style.css");

struct Page<'a>(&'a Proposal);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proposal = self.0;
        let entities = proposal.entities();
        let relations = proposal.relations();
        writeln!(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>")?;
        writeln!(
            f,
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>Proposed model</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
        )?;
        let table = &proposal.spec.table;
        let sort = table.sort_key.as_deref().map(|sort| format!(" and {sort}")).unwrap_or_default();
        writeln!(
            f,
            "<header>\n<h1>Proposed model</h1>\n<p>told from {} items with the key {}{}</p>\n</header>",
            count(proposal.items),
            Escaped(&table.partition_key),
            Escaped(&sort),
        )?;
        let spec = &proposal.spec;
        writeln!(f, "<dl class=\"figures\" style=\"--columns: 4\">")?;
        for (name, value) in [
            ("Entities", entities.len()),
            ("Relations", relations.len()),
            ("Dimensions", spec.dimensions.len() + usize::from(spec.calendar.is_some())),
            ("Facts", spec.facts.len()),
        ] {
            writeln!(f, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
        }
        writeln!(f, "</dl>")?;
        if !proposal.alerts.is_empty() {
            writeln!(f, "<section class=\"alerts\" aria-labelledby=\"alerts\">")?;
            writeln!(f, "<h2 id=\"alerts\">Look at</h2>\n<ul>")?;
            for alert in &proposal.alerts {
                writeln!(f, "<li>{}</li>", Escaped(alert))?;
            }
            writeln!(f, "</ul>\n</section>")?;
        }
        section(f, "entities", "Entities", |f| {
            diagram::entities(f, &entities, &relations)?;
            table_of_relations(f, &relations)
        })?;
        for (at, (name, fact)) in spec.facts.iter().enumerate() {
            section(f, &format!("fact{at}"), &format!("Fact {name}"), |f| {
                diagram::star(f, proposal, name, fact, at)?;
                for note in proposal.notes.get(name).into_iter().flatten() {
                    writeln!(f, "<p class=\"remark\">{}</p>", Escaped(note))?;
                }
                Ok(())
            })?;
        }
        for (at, entity) in entities.iter().enumerate() {
            section(f, &format!("entity{at}"), &entity.name, |f| self.entity(f, entity))?;
        }
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            f,
            "<footer><p>Keystar {version}. A proposal from what the items have in common: counts \
             are exact, numbers of distinct values beyond 256 are estimates.</p></footer>"
        )?;
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

impl Page<'_> {
    fn entity(&self, f: &mut fmt::Formatter<'_>, entity: &EntityProposal) -> fmt::Result {
        let rows = count(entity.rows);
        match &entity.parent {
            Some(parent) => {
                writeln!(f, "<p class=\"remark\">{rows} in the items of {}</p>", Escaped(parent))?;
            }
            None => writeln!(
                f,
                "<p class=\"remark\">{rows} items, {} of all, confidence {} %</p>",
                percent(entity.rows, self.0.items),
                entity.confidence
            )?,
        }
        for (attribute, template) in &entity.keys {
            writeln!(
                f,
                "<p class=\"remark\">{} = <code>{}</code></p>",
                Escaped(attribute),
                Escaped(template)
            )?;
        }
        let rows = entity.columns.iter().map(|column| {
            let key = if entity.key.contains(&column.name) { "key" } else { "" };
            [column.name.clone(), column.ty.clone(), key.to_owned(), column.notes.join("; ")]
        });
        write_table(f, &entity.name, ["column", "type", "", "values"], rows)
    }
}

fn table_of_relations(f: &mut fmt::Formatter<'_>, relations: &[RelationProposal]) -> fmt::Result {
    let rows = relations.iter().map(|relation| {
        let own: Vec<&str> = relation.on.iter().map(|(_, own)| own.as_str()).collect();
        [
            format!("{}: {}", relation.from, own.join(", ")),
            relation.to.clone(),
            format!("{} %", relation.confidence),
            relation.evidence.clone(),
        ]
    });
    write_table(f, "Relations", ["refers", "to", "sure", "because"], rows)
}

fn section(
    f: &mut fmt::Formatter<'_>,
    id: &str,
    title: &str,
    body: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    let title = Escaped(title);
    writeln!(f, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>")?;
    body(f)?;
    writeln!(f, "</section>")
}

fn write_table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    names: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    // Focusable, so that a wide table can be scrolled with the keyboard.
    writeln!(
        f,
        "<div class=\"table\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table>\n<thead><tr>",
        Escaped(title)
    )?;
    for name in names {
        writeln!(f, "<th scope=\"col\">{name}</th>")?;
    }
    writeln!(f, "</tr></thead>\n<tbody>")?;
    for row in rows {
        write!(f, "<tr>")?;
        for (at, cell) in row.iter().enumerate() {
            match at {
                0 => write!(f, "<th scope=\"row\">{}</th>", Escaped(cell))?,
                _ => write!(f, "<td>{}</td>", Escaped(cell))?,
            }
        }
        writeln!(f, "</tr>")?;
    }
    writeln!(f, "</tbody>\n</table>\n</div>")
}

/// Text between tags or in an attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Legal in a string, not in a page.
                char if char.is_control() => f.write_char('\u{fffd}')?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

//! The entities and the star as inline SVG. The tables say the same to those who cannot see it.

use std::fmt;

use super::{EntityProposal, Escaped, Proposal, RelationProposal};
use crate::infer::propose::count;
use crate::spec::FactSpec;

/// The width of every diagram in its own units; the page scales it.
const WIDTH: f64 = 720.0;
const BOX: f64 = 168.0;
const LINE: f64 = 16.0;
/// Above the lines of a box, for its name.
const HEAD: f64 = 26.0;
const GAP: f64 = 22.0;
/// Letters that fit into a box.
const LETTERS: usize = 25;
/// Lines that a box shows.
const LINES: usize = 7;

struct Card {
    title: String,
    lines: Vec<String>,
    class: &'static str,
    x: f64,
    y: f64,
}

impl Card {
    fn height(&self) -> f64 {
        HEAD + self.lines.len() as f64 * LINE + 8.0
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, class, .. } = self;
        let height = self.height();
        writeln!(
            f,
            "<g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX}\" height=\"{height:.1}\" rx=\"6\" \
             class=\"card {class}\"/><text x=\"{tx:.1}\" y=\"{ty:.1}\" class=\"strong\">{title}</text>",
            tx = x + 10.0,
            ty = y + 18.0,
            title = Escaped(&cut(&self.title)),
        )?;
        for (at, line) in self.lines.iter().enumerate() {
            writeln!(
                f,
                "<text x=\"{tx:.1}\" y=\"{ty:.1}\">{line}</text>",
                tx = x + 10.0,
                ty = y + HEAD + 11.0 + at as f64 * LINE,
                line = Escaped(&cut(line)),
            )?;
        }
        writeln!(f, "</g>")
    }
}

/// The entities in columns: what is referred to stands left of what refers.
pub(super) fn entities(
    f: &mut fmt::Formatter<'_>,
    entities: &[EntityProposal],
    relations: &[RelationProposal],
) -> fmt::Result {
    const COLUMNS: usize = 3;
    let mut ranks: Vec<usize> = vec![0; entities.len()];
    let place = |name: &str| entities.iter().position(|entity| entity.name == name);
    for _ in 0..entities.len().min(16) {
        for relation in relations {
            if let (Some(from), Some(to)) = (place(&relation.from), place(&relation.to)) {
                let rank = ranks.get(to).copied().unwrap_or(0) + 1;
                if let Some(have) = ranks.get_mut(from) {
                    *have = (*have).max(rank).min(COLUMNS - 1);
                }
            }
        }
    }
    let mut heights = [0.0; COLUMNS];
    let mut cards: Vec<Card> = Vec::new();
    for (entity, rank) in entities.iter().zip(&ranks) {
        let names = entity.columns.iter().map(|column| match entity.key.contains(&column.name) {
            true => format!("* {}", column.name),
            false => column.name.clone(),
        });
        let lines = shortened(names.collect());
        let title = format!("{} {}", entity.name, count(entity.rows));
        let x = *rank as f64 * (WIDTH - BOX) / (COLUMNS - 1) as f64;
        let Some(height) = heights.get_mut(*rank) else { continue };
        let card = Card { title, lines, class: "entity", x, y: *height };
        *height += card.height() + GAP;
        cards.push(card);
    }
    open(f, "entities-diagram", "Entities and what they refer to", &cards)?;
    for relation in relations {
        let (Some(from), Some(to)) = (place(&relation.from), place(&relation.to)) else { continue };
        let (Some(from), Some(to)) = (cards.get(from), cards.get(to)) else { continue };
        let title = format!("{} to {}: {}", relation.from, relation.to, relation.evidence);
        edge(f, from, to, &title)?;
    }
    cards.iter().try_for_each(|card| card.write(f))?;
    writeln!(
        f,
        "</svg>\n<figcaption>* marks the columns that tell rows apart</figcaption>\n</figure>"
    )
}

/// A fact in the middle, its dimensions to both sides.
pub(super) fn star(
    f: &mut fmt::Formatter<'_>,
    proposal: &Proposal,
    name: &str,
    fact: &FactSpec,
    at: usize,
) -> fmt::Result {
    let mut cards: Vec<Card> = Vec::new();
    let mut heights = [0.0, 0.0];
    for (index, (role, spec)) in fact.dimensions.iter().enumerate() {
        let dimension = spec.dimension.as_deref().unwrap_or(role);
        let attributes = proposal.dimension(dimension).map(|dimension| {
            let key = dimension.key.iter().map(|key| format!("* {key}"));
            key.chain(dimension.attributes.iter().map(|(name, _)| name.clone())).collect()
        });
        let calendar = || ["year", "quarter", "month", "day"].map(str::to_owned).to_vec();
        let lines = shortened(attributes.unwrap_or_else(calendar));
        let title = match dimension == role {
            true => role.clone(),
            false => format!("{role} ({dimension})"),
        };
        let side = index % 2;
        let Some(height) = heights.get_mut(side) else { continue };
        let card =
            Card { title, lines, class: "dimension", x: side as f64 * (WIDTH - BOX), y: *height };
        *height += card.height() + GAP;
        cards.push(card);
    }
    let own = fact.grain.iter().map(|name| format!("* {name}"));
    let sums = fact.measures.iter().map(|(name, _)| format!("\u{3a3} {name}"));
    let rest = fact.degenerate.iter().map(|(name, _)| name.clone());
    let lines = shortened(own.chain(sums).chain(rest).collect());
    let title = name.to_owned();
    let mut middle = Card { title, lines, class: "fact", x: (WIDTH - BOX) / 2.0, y: 0.0 };
    let tallest = heights.iter().fold(0.0, |most: f64, height| most.max(*height)) - GAP;
    middle.y = ((tallest - middle.height()) / 2.0).max(0.0);
    cards.push(middle);
    open(f, &format!("star{at}"), &format!("The fact {name} and its dimensions"), &cards)?;
    if let Some((middle, dimensions)) = cards.split_last() {
        for ((role, spec), card) in fact.dimensions.iter().zip(dimensions) {
            let title = format!("{role} by {}", spec.key.join(", "));
            edge(f, middle, card, &title)?;
        }
    }
    cards.iter().try_for_each(|card| card.write(f))?;
    writeln!(f, "</svg>\n<figcaption>* tells rows apart, \u{3a3} is summed</figcaption>\n</figure>")
}

fn open(f: &mut fmt::Formatter<'_>, id: &str, title: &str, cards: &[Card]) -> fmt::Result {
    let height = cards.iter().fold(1.0, |most: f64, card| most.max(card.y + card.height()));
    writeln!(
        f,
        "<figure>\n<svg viewBox=\"-2 -2 {w} {h:.0}\" role=\"img\" aria-labelledby=\"{id}\">\
         <title id=\"{id}\">{title}</title>",
        w = WIDTH + 4.0,
        h = height + 4.0,
        title = Escaped(title),
    )
}

/// A line between the sides of two boxes that face each other.
fn edge(f: &mut fmt::Formatter<'_>, from: &Card, to: &Card, title: &str) -> fmt::Result {
    let middle = |card: &Card| card.y + HEAD / 2.0;
    let (x1, x2, bend) = if from.x > to.x {
        (from.x, to.x + BOX, -60.0)
    } else if from.x < to.x {
        (from.x + BOX, to.x, 60.0)
    } else {
        // In one column: around the left.
        (from.x, to.x, -40.0)
    };
    let (y1, y2) = (middle(from), middle(to));
    let back = if from.x == to.x { bend } else { -bend };
    writeln!(
        f,
        "<path d=\"M{x1:.1} {y1:.1} C{c1:.1} {y1:.1} {c2:.1} {y2:.1} {x2:.1} {y2:.1}\" \
         class=\"edge\"><title>{title}</title></path><circle cx=\"{x2:.1}\" cy=\"{y2:.1}\" r=\"3.5\" \
         class=\"end-of-edge\"/>",
        c1 = x1 + bend,
        c2 = x2 + back,
        title = Escaped(title),
    )
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        let more = lines.len() - (LINES - 1);
        lines.truncate(LINES - 1);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS - 1).chain(['…']).collect()
}

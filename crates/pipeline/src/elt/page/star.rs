//! The star as a picture: the fact in the middle, its dimensions around it.

use std::fmt::{self, Write};

use keystar_star::{Fact, History, Model};

use crate::page::Escaped;

const WIDTH: f64 = 720.0;
const BOX: f64 = 200.0;
const LINE: f64 = 17.0;
const HEAD: f64 = 28.0;
const GAP: f64 = 22.0;
/// More columns than this are counted only.
const MOST: usize = 9;

/// A table: its name, and its columns, of which some are keys.
struct Card {
    title: String,
    lines: Vec<(String, bool)>,
    hidden: usize,
}

impl Card {
    fn new(title: String, mut lines: Vec<(String, bool)>) -> Self {
        let hidden = lines.len().saturating_sub(MOST);
        lines.truncate(MOST);
        Self { title, lines, hidden }
    }

    fn height(&self) -> f64 {
        let lines = self.lines.len() + usize::from(self.hidden > 0);
        HEAD + lines as f64 * LINE + 8.0
    }

    fn write(&self, f: &mut String, x: f64, y: f64, class: &str) -> fmt::Result {
        writeln!(
            f,
            "<g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX}\" height=\"{:.1}\" rx=\"8\" \
             class=\"track\"/><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"5\" height=\"{:.1}\" rx=\"2\" \
             class=\"{class}\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"strong\">{}</text>",
            self.height(),
            self.height(),
            x + 14.0,
            y + 19.0,
            Escaped(&cut(&self.title, 26)),
        )?;
        let hidden = (self.hidden > 0).then(|| (format!("… {} more", self.hidden), false));
        for (at, (line, is_key)) in self.lines.iter().chain(&hidden).enumerate() {
            writeln!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\"{}>{}</text>",
                x + 14.0,
                y + HEAD + LINE * at as f64 + 9.0,
                if *is_key { " class=\"strong\"" } else { "" },
                Escaped(&cut(line, 28)),
            )?;
        }
        writeln!(f, "</g>")
    }
}

/// The picture of one fact.
pub(super) fn star(model: &Model, fact: &Fact, id: usize) -> String {
    let mut lines: Vec<_> =
        fact.dimensions.iter().map(|role| (format!("{}_key", role.role), true)).collect();
    lines.extend(fact.grain.iter().map(|name| (name.to_string(), false)));
    lines.extend(fact.degenerate.iter().map(|(name, _)| (name.to_string(), false)));
    lines.extend(fact.measures.iter().map(|measure| (format!("Σ {}", measure.name), false)));
    let middle = Card::new(format!("{} (fact)", fact.name), lines);
    let around = fact.dimensions.iter().map(|role| {
        let title = match role.role == role.dimension {
            true => role.role.to_string(),
            false => format!("{} ({})", role.role, role.dimension),
        };
        let lines = match model.dimension(&role.dimension) {
            Some(dimension) => {
                let keys = dimension.key.iter().map(|name| (name.to_string(), true));
                let rest = dimension.attributes.iter().map(|attribute| {
                    let history = match attribute.history {
                        History::Versions => ", type 2",
                        _ => "",
                    };
                    (format!("{}{history}", attribute.column), false)
                });
                keys.chain(rest).collect()
            }
            None => ["date", "year", "quarter", "month"]
                .map(|name| (name.to_owned(), name == "date"))
                .to_vec(),
        };
        Card::new(title, lines)
    });
    let (mut left, mut right): (Vec<Card>, Vec<Card>) = (Vec::new(), Vec::new());
    let height = |cards: &[Card]| {
        let gaps = cards.len().saturating_sub(1) as f64 * GAP;
        cards.iter().map(Card::height).sum::<f64>() + gaps
    };
    for card in around {
        let side = if height(&left) <= height(&right) { &mut left } else { &mut right };
        side.push(card);
    }
    let total = height(&left).max(height(&right)).max(middle.height());
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut svg, &middle, [(&left, 0.0), (&right, WIDTH - BOX)], total, (fact, id));
    svg
}

fn draw(
    f: &mut String,
    middle: &Card,
    sides: [(&Vec<Card>, f64); 2],
    total: f64,
    (fact, id): (&Fact, usize),
) -> fmt::Result {
    writeln!(
        f,
        "<svg viewBox=\"0 0 {WIDTH} {total:.0}\" role=\"img\" aria-labelledby=\"star{id}\">\
         <title id=\"star{id}\">The star of {}</title>",
        Escaped(fact.name.as_str())
    )?;
    let x = (WIDTH - BOX) / 2.0;
    let centre = total / 2.0;
    for (cards, side) in sides {
        let gaps = cards.len().saturating_sub(1) as f64 * GAP;
        let mut y = (total - cards.iter().map(Card::height).sum::<f64>() - gaps) / 2.0;
        for card in cards {
            let (from, to) = if side < x { (side + BOX, x) } else { (side, x + BOX) };
            writeln!(
                f,
                "<line x1=\"{from:.1}\" y1=\"{:.1}\" x2=\"{to:.1}\" y2=\"{centre:.1}\"/>",
                y + card.height() / 2.0
            )?;
            card.write(f, side, y, "plain")?;
            y += card.height() + GAP;
        }
    }
    middle.write(f, x, centre - middle.height() / 2.0, "good")?;
    write!(f, "</svg>")
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

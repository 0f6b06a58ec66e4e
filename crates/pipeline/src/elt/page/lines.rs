//! Sums over time, a line for each group.

use std::fmt::{self, Write};

use crate::{page::Escaped, units};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 10.0;
const ROOM: f64 = 220.0;
const BELOW: f64 = 26.0;
const CHAR: f64 = 6.6;

/// A line: its name, and its value at each place; `None` where there is nothing.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

/// The picture, with a legend. All lines have a value, or none, for each label.
pub(super) fn chart(title: &str, labels: &[String], lines: &[Line], id: &str) -> String {
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut svg, title, labels, lines, id);
    svg
}

fn draw(f: &mut String, title: &str, labels: &[String], lines: &[Line], id: &str) -> fmt::Result {
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten());
    let most = ceiling(values().fold(0.0, |most: f64, value| most.max(*value)));
    let longest = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    let column = longest as f64 * CHAR + 34.0;
    let columns = ((WIDTH / column) as usize).max(1);
    let floor = TOP + ROOM;
    let legend = floor + BELOW + 16.0;
    let height = legend + lines.len().div_ceil(columns) as f64 * 22.0;
    writeln!(
        f,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"{id}\">\
         <title id=\"{id}\">{}</title>",
        Escaped(title)
    )?;
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let y = floor - share * ROOM;
        let value = units::compact((most * share).round() as u64);
        writeln!(
            f,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"end\">{value}</text>",
            LEFT - 8.0,
            y + 4.0
        )?;
    }
    let pitch = (WIDTH - LEFT - 20.0) / labels.len().saturating_sub(1).max(1) as f64;
    let x = |at: usize| LEFT + 10.0 + at as f64 * pitch;
    let y = |value: f64| floor - (value / most).clamp(0.0, 1.0) * ROOM;
    // As many labels as there is room for.
    let every = ((8.5 * CHAR / pitch).ceil() as usize).max(1);
    for (at, label) in labels.iter().enumerate().step_by(every) {
        writeln!(
            f,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"middle\">{}</text>",
            x(at),
            floor + 18.0,
            Escaped(label)
        )?;
    }
    for (number, line) in lines.iter().enumerate() {
        let colour = colour(number, lines.len());
        writeln!(f, "<g style=\"stroke: {colour}; fill: {colour}\">")?;
        let points: Vec<_> = line.values.iter().enumerate().collect();
        for part in points.split(|(_, value)| value.is_none()) {
            let place = part.iter().filter_map(|(at, value)| Some((*at, (**value)?)));
            let path = place.clone().map(|(at, value)| format!("{:.1},{:.1}", x(at), y(value)));
            let path = path.collect::<Vec<_>>().join(" ");
            writeln!(f, "<polyline points=\"{path}\" style=\"fill: none; stroke-width: 2\"/>")?;
            for (at, value) in place {
                let label = labels.get(at).map_or("", String::as_str);
                writeln!(
                    f,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"><title>{}, {}: {}</title></circle>",
                    x(at),
                    y(value),
                    Escaped(&line.name),
                    Escaped(label),
                    units::count(value.max(0.0).round() as u64)
                )?;
            }
        }
        let (left, top) =
            ((number % columns) as f64 * column, legend + (number / columns) as f64 * 22.0);
        writeln!(
            f,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"3\"/></g>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            top - 10.0,
            left + 18.0,
            top + 0.5,
            Escaped(&line.name)
        )?;
    }
    write!(f, "</svg>")
}

/// Colours that are told apart on light and dark ground.
fn colour(number: usize, of: usize) -> String {
    let hue = 210.0 + 360.0 * number as f64 / of.max(1) as f64;
    let light = if number.is_multiple_of(2) { 48 } else { 58 };
    format!("hsl({:.0} 62% {light}%)", hue % 360.0)
}

/// A round number that is not below the value.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_ends_has_a_line_that_ends() {
        let labels = ["2021-Q1", "2021-Q2", "2021-Q3"].map(str::to_owned);
        let line = |name: &str, values: [Option<f64>; 3]| Line {
            name: name.to_owned(),
            values: values.to_vec(),
        };
        let lines = [
            line("Books", [Some(1.0), Some(2.0), Some(3.0)]),
            line("<DVDs>", [Some(1.0), None, Some(2.0)]),
        ];
        let svg = chart("Sales", &labels, &lines, "c");
        assert_eq!(svg.matches("<polyline").count(), 3, "a gap is no line: {svg}");
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains("&lt;DVDs&gt;") && !svg.contains("<DVDs>"));
        assert_eq!(ceiling(3.0), 4.0);
        assert_eq!(ceiling(85_000.0), 100_000.0);
        assert_eq!(ceiling(0.0), 1.0);
    }
}

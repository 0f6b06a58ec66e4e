//! Charts as inline SVG. The table below a chart says the same to those who cannot see it.

use std::fmt;

use super::Escaped;
use crate::document::{Bar, Chart, Form, Tone};

/// The width of every chart in its own units; the page scales it.
const WIDTH: f64 = 720.0;
/// A character of the chart's font is about so wide.
const CHAR: f64 = 6.6;

pub(super) fn write(f: &mut fmt::Formatter<'_>, chart: &Chart, at: usize) -> fmt::Result {
    writeln!(f, "<figure>")?;
    match chart.form {
        Form::Bars => bars(f, chart, at)?,
        Form::Columns => columns(f, chart, at)?,
        Form::Shares => shares(f, chart, at)?,
    }
    writeln!(f, "<figcaption>{}</figcaption>\n</figure>", Escaped(&chart.title))
}

/// Horizontal bars: names to the left, numbers to the right.
fn bars(f: &mut fmt::Formatter<'_>, chart: &Chart, at: usize) -> fmt::Result {
    const ROW: f64 = 26.0;
    const LABEL_CHARS: usize = 30;
    let widest = |text: fn(&Bar) -> &str| {
        chart.bars.iter().map(|bar| text(bar).chars().count()).max().unwrap_or(0)
    };
    let left = widest(|bar| &bar.label).min(LABEL_CHARS) as f64 * CHAR + 12.0;
    let right = widest(|bar| &bar.shown) as f64 * CHAR + 12.0;
    let room = (WIDTH - left - right).max(100.0);
    let most = most(chart);
    open(f, chart, at, chart.bars.len() as f64 * ROW)?;
    for (row, bar) in chart.bars.iter().enumerate() {
        let (top, width) = (row as f64 * ROW, length(bar.value, most, room));
        let middle = top + ROW / 2.0 + 4.5;
        writeln!(f, "<g>{}", Tip(bar))?;
        writeln!(
            f,
            "<text x=\"{x:.1}\" y=\"{middle:.1}\" class=\"end\">{label}</text>",
            x = left - 8.0,
            label = Escaped(&cut(&bar.label, LABEL_CHARS)),
        )?;
        writeln!(
            f,
            "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{room:.1}\" height=\"16\" rx=\"3\" \
             class=\"track\"/><rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"16\" rx=\"3\" class=\"{tone}\"/>",
            y = top + 5.0,
            tone = tone(bar.tone),
        )?;
        writeln!(
            f,
            "<text x=\"{x:.1}\" y=\"{middle:.1}\" class=\"end strong\">{shown}</text></g>",
            x = WIDTH,
            shown = Escaped(&bar.shown),
        )?;
    }
    writeln!(f, "</svg>")
}

/// A histogram: columns in the order of the buckets.
fn columns(f: &mut fmt::Formatter<'_>, chart: &Chart, at: usize) -> fmt::Result {
    const TOP: f64 = 22.0;
    const ROOM: f64 = 150.0;
    const BELOW: f64 = 24.0;
    let pitch = WIDTH / chart.bars.len().max(1) as f64;
    let most = most(chart);
    let floor = TOP + ROOM;
    open(f, chart, at, floor + BELOW)?;
    for (column, bar) in chart.bars.iter().enumerate() {
        let (left, height) = (column as f64 * pitch, length(bar.value, most, ROOM));
        let middle = left + pitch / 2.0;
        let chars = (pitch / CHAR) as usize;
        writeln!(
            f,
            "<g>{tip}<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"3\" class=\"{tone}\"/>",
            tip = Tip(bar),
            x = left + 4.0,
            y = floor - height,
            width = pitch - 8.0,
            tone = tone(bar.tone),
        )?;
        if bar.value > 0 {
            writeln!(
                f,
                "<text x=\"{middle:.1}\" y=\"{y:.1}\" class=\"middle strong\">{shown}</text>",
                y = floor - height - 7.0,
                shown = Escaped(&cut(&bar.shown, chars)),
            )?;
        }
        writeln!(
            f,
            "<text x=\"{middle:.1}\" y=\"{y:.1}\" class=\"middle\">{label}</text></g>",
            y = floor + 17.0,
            label = Escaped(&cut(&bar.label, chars)),
        )?;
    }
    writeln!(f, "<line x1=\"0\" y1=\"{floor:.1}\" x2=\"{WIDTH}\" y2=\"{floor:.1}\"/>\n</svg>")
}

/// One bar cut into the parts of a whole, and what the parts are.
fn shares(f: &mut fmt::Formatter<'_>, chart: &Chart, at: usize) -> fmt::Result {
    const BAR: f64 = 30.0;
    const LINE: f64 = 24.0;
    let bars: Vec<&Bar> = chart.bars.iter().filter(|bar| bar.value > 0).collect();
    let whole: f64 = bars.iter().map(|bar| bar.value as f64).sum();
    // The legend in columns of equal width.
    let longest = bars.iter().map(|bar| bar.label.chars().count() + bar.shown.chars().count());
    let column = longest.max().unwrap_or(0) as f64 * CHAR + 48.0;
    let columns = ((WIDTH / column) as usize).max(1);
    let lines = bars.len().div_ceil(columns) as f64;
    open(f, chart, at, BAR + 12.0 + lines * LINE)?;
    let mut left: f64 = 0.0;
    for (place, bar) in bars.iter().enumerate() {
        let width = bar.value as f64 / whole * WIDTH;
        // What is there can be seen.
        let drawn = width.max(2.0).min(WIDTH - left.min(WIDTH - 2.0));
        let x = (place % columns) as f64 * column;
        let y = BAR + 12.0 + (place / columns) as f64 * LINE;
        let class = tone(bar.tone);
        writeln!(
            f,
            "<g>{tip}<rect x=\"{left:.1}\" y=\"0\" width=\"{drawn:.1}\" height=\"{BAR}\" \
             class=\"{class}\"/><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"12\" height=\"12\" rx=\"3\" \
             class=\"{class}\"/><text x=\"{text:.1}\" y=\"{base:.1}\">{label} \
             <tspan class=\"strong\">{shown}</tspan></text></g>",
            tip = Tip(bar),
            text = x + 18.0,
            base = y + 10.5,
            label = Escaped(&bar.label),
            shown = Escaped(&bar.shown),
        )?;
        left += width;
    }
    writeln!(f, "</svg>")
}

fn open(f: &mut fmt::Formatter<'_>, chart: &Chart, at: usize, height: f64) -> fmt::Result {
    writeln!(
        f,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"c{at}\">\
         <title id=\"c{at}\">{title}</title>",
        title = Escaped(&chart.title),
    )
}

/// What a pointer that rests on a bar is told.
struct Tip<'a>(&'a Bar);

impl fmt::Display for Tip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<title>{}: {}</title>", Escaped(&self.0.label), Escaped(&self.0.shown))
    }
}

fn most(chart: &Chart) -> f64 {
    chart.bars.iter().map(|bar| bar.value).max().unwrap_or(0).max(1) as f64
}

/// What is there can be seen.
fn length(value: u64, most: f64, room: f64) -> f64 {
    if value == 0 { 0.0 } else { (value as f64 / most * room).max(2.0) }
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Muted => "muted",
        Tone::Warning => "warning",
        Tone::Bad => "bad",
    }
}

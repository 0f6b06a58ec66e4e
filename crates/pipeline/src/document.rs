//! A result as people read it: the same figures and tables on a terminal and on a page.

use std::{borrow::Cow, fmt};

/// What a result says, in the order in which it is to be read.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// What it is about: the source, the clock.
    pub(crate) about: Vec<String>,
    /// The few numbers that most readers came for.
    pub(crate) figures: Vec<Figure>,
    /// What needs somebody's attention.
    pub(crate) alerts: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// A few words below the value.
    pub(crate) hint: String,
}

#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) chart: Option<Chart>,
    /// Pictures of another kind, as SVG that is safe to stand in a page, with their captions.
    pub(crate) pictures: Vec<(String, String)>,
    pub(crate) tables: Vec<Table>,
    /// Explanations, below the table.
    pub(crate) remarks: Vec<String>,
}

/// A picture of some numbers; pages only, since the table has the numbers too.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) form: Form,
    pub(crate) bars: Vec<Bar>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bars that are compared with each other.
    Bars,
    /// The columns of a histogram, in an order that means something.
    Columns,
    /// The parts of one whole.
    Shares,
}

#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: u64,
    pub(crate) shown: String,
    pub(crate) tone: Tone,
}

/// What a number means to the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Muted,
    Warning,
    Bad,
}

/// Rows of text; columns are as wide as they must be.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(Cow<'static, str>, Align)>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Document {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    pub(crate) fn figure(
        &mut self,
        name: &'static str,
        value: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.figures.push(Figure { name, value: value.into(), hint: hint.into() });
    }

    /// Adds a section, unless it says nothing.
    pub(crate) fn section(&mut self, section: Section) {
        let has_rows = section.tables.iter().any(|table| !table.rows.is_empty());
        if has_rows || !section.remarks.is_empty() || !section.pictures.is_empty() {
            self.sections.push(section);
        }
    }
}

impl Section {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn with_table(mut self, table: Table) -> Self {
        if !table.rows.is_empty() {
            self.tables.push(table);
        }
        self
    }

    #[must_use]
    pub(crate) fn with_remark(mut self, remark: impl Into<String>) -> Self {
        self.remarks.push(remark.into());
        self
    }

    /// Adds a picture; `svg` is written into pages as it is.
    #[cfg(feature = "elt")]
    #[must_use]
    pub(crate) fn with_picture(mut self, svg: String, caption: impl Into<String>) -> Self {
        self.pictures.push((svg, caption.into()));
        self
    }

    /// Adds a chart, unless there is nothing to compare.
    #[must_use]
    pub(crate) fn with_chart(
        mut self,
        title: impl Into<String>,
        form: Form,
        bars: Vec<Bar>,
    ) -> Self {
        if bars.iter().any(|bar| bar.value > 0) {
            self.chart = Some(Chart { title: title.into(), form, bars });
        }
        self
    }
}

impl Bar {
    pub(crate) fn new(label: impl Into<String>, value: u64, shown: impl Into<String>) -> Self {
        Self { label: label.into(), value, shown: shown.into(), tone: Tone::Plain }
    }

    #[must_use]
    pub(crate) fn with_tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.into(), align));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// With columns whose names are data.
    #[cfg(feature = "elt")]
    pub(crate) fn named(columns: impl IntoIterator<Item = (String, Align)>) -> Self {
        let columns = columns.into_iter().map(|(name, align)| (name.into(), align));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn columns(&self) -> &[(Cow<'static, str>, Align)] {
        &self.columns
    }

    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    fn widths(&self) -> Vec<usize> {
        let cell = |row: &[String], at: usize| row.get(at).map_or(0, |cell| cell.chars().count());
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, (name, _))| {
                let widest = self.rows.iter().map(|row| cell(row, at)).max();
                widest.unwrap_or(0).max(name.chars().count())
            })
            .collect()
    }
}

/// Where text is broken on a terminal.
const LINE: usize = 96;
const INDENT: &str = "  ";

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for line in &self.about {
            wrap(f, "", line)?;
        }
        writeln!(f)?;
        let width = self.figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
        let value = self.figures.iter().map(|figure| figure.value.chars().count()).max();
        for figure in &self.figures {
            let text = format!(
                "{INDENT}{:width$}  {:>value$}  {}",
                figure.name,
                figure.value,
                figure.hint,
                value = value.unwrap_or(0)
            );
            writeln!(f, "{}", text.trim_end())?;
        }
        if !self.alerts.is_empty() {
            writeln!(f, "\nLook at")?;
            for alert in &self.alerts {
                wrap(f, "- ", alert)?;
            }
        }
        for section in &self.sections {
            writeln!(f, "\n{section}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title)?;
        for (at, table) in self.tables.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "\n{table}")?;
        }
        let mut remarks = String::new();
        for remark in &self.remarks {
            wrap(&mut remarks, "", remark)?;
        }
        if !remarks.is_empty() {
            write!(f, "\n{}", remarks.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.to_string()).collect();
        for (at, row) in std::iter::once(&header).chain(&self.rows).enumerate() {
            let mut line = String::from(INDENT);
            for ((cell, (_, align)), width) in row.iter().zip(&self.columns).zip(&widths) {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                match align {
                    Align::Left => line.extend([cell.as_str(), pad.as_str()]),
                    Align::Right => line.extend([pad.as_str(), cell.as_str()]),
                }
                line.push_str(INDENT);
            }
            if at > 0 {
                writeln!(f)?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

/// Breaks a text into lines, indented; the lines after the first stand below its words.
fn wrap(f: &mut impl fmt::Write, mark: &str, text: &str) -> fmt::Result {
    let mut line = format!("{INDENT}{mark}");
    let rest = INDENT.len() + mark.len();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > LINE {
            writeln!(f, "{line}")?;
            line = " ".repeat(rest);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(f, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new([("type", Align::Left), ("keys", Align::Right)]);
        table.row(["hash".to_owned(), "1,000".to_owned()]);
        table.row(["zo\u{eb}".to_owned(), "7".to_owned()]);
        let mut document = Document::new("Title");
        document.figure("Records", "7", "of 9");
        document.figure("Bytes of text", "1.00 KiB", "");
        document.alerts.push("word ".repeat(30));
        document.section(Section::new("Types").with_table(table).with_remark("All of them."));
        document.section(Section::new("Nothing").with_table(Table::new([])));
        let expected = "\
Title

  Records               7  of 9
  Bytes of text  1.00 KiB

Look at
  - word word word word word word word word word word word word word word word word word word
    word word word word word word word word word word word word

Types
  type   keys
  hash  1,000
  zo\u{eb}       7
  All of them.
";
        assert_eq!(document.to_string(), expected);
    }
}

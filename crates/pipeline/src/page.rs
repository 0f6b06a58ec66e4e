//! Results as one self-contained HTML page: no network, no script, fit to be forwarded.
//!
//! ```no_run
//! use keystar_pipeline::{Plan, page};
//!
//! # fn example(plan: &Plan) -> std::io::Result<()> {
//! std::fs::write("plan.html", page::plan(plan))
//! # }
//! ```

mod chart;

use std::fmt::{self, Display, Write};

use crate::{
    FormatComparison, Inspection, Plan, Report, Verification,
    document::{Align, Document, Section, Table},
};

/// The page of a [`Plan`].
pub fn plan(plan: &Plan) -> String {
    render(&plan.document())
}

/// The page of an [`Inspection`].
pub fn inspection(inspection: &Inspection) -> String {
    render(&inspection.document())
}

/// The page of a [`Verification`].
pub fn verification(verification: &Verification) -> String {
    render(&verification.document())
}

/// The page of a [`FormatComparison`].
pub fn format_comparison(comparison: &FormatComparison) -> String {
    render(&comparison.document())
}

/// The page of a [`Report`] of a run.
pub fn report(report: &Report) -> String {
    render(&summary::of(report))
}

mod summary;

const STYLE: &str = include_str!("page/style.css");

/// Writes the document as a page.
pub(crate) fn render(document: &Document) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write!(page, "{}", Page(document));
    page
}

struct Page<'a>(&'a Document);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = self.0;
        let title = Escaped(&document.title);
        writeln!(f, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>")?;
        writeln!(
            f,
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
        )?;
        writeln!(f, "<header>\n<h1>{title}</h1>")?;
        for line in &document.about {
            writeln!(f, "<p>{}</p>", Escaped(line))?;
        }
        writeln!(f, "</header>")?;
        figures(f, document)?;
        alerts(f, document)?;
        for (at, section) in document.sections.iter().enumerate() {
            write_section(f, section, at)?;
        }
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            f,
            "<footer><p>Keystar {version}. Numbers in this page are counts of this source; prices \
             and durations are estimates whose assumptions stand beside them.</p></footer>"
        )?;
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

fn figures(f: &mut fmt::Formatter<'_>, document: &Document) -> fmt::Result {
    if document.figures.is_empty() {
        return Ok(());
    }
    // Rows that are full, where they can be.
    let columns = if document.figures.len().is_multiple_of(3) { 3 } else { 4 };
    writeln!(f, "<dl class=\"figures\" style=\"--columns: {columns}\">")?;
    for figure in &document.figures {
        writeln!(
            f,
            "<div><dt>{}</dt><dd>{}</dd><dd class=\"hint\">{}</dd></div>",
            Escaped(figure.name),
            Escaped(&figure.value),
            Escaped(&figure.hint),
        )?;
    }
    writeln!(f, "</dl>")
}

fn alerts(f: &mut fmt::Formatter<'_>, document: &Document) -> fmt::Result {
    if document.alerts.is_empty() {
        return Ok(());
    }
    writeln!(f, "<section class=\"alerts\" aria-labelledby=\"alerts\">")?;
    writeln!(f, "<h2 id=\"alerts\">Look at</h2>\n<ul>")?;
    for alert in &document.alerts {
        writeln!(f, "<li>{}</li>", Escaped(alert))?;
    }
    writeln!(f, "</ul>\n</section>")
}

fn write_section(f: &mut fmt::Formatter<'_>, section: &Section, at: usize) -> fmt::Result {
    let title = Escaped(&section.title);
    writeln!(f, "<section aria-labelledby=\"s{at}\">\n<h2 id=\"s{at}\">{title}</h2>")?;
    if let Some(chart) = &section.chart {
        chart::write(f, chart, at)?;
    }
    for (svg, caption) in &section.pictures {
        writeln!(f, "<figure>\n{svg}\n<figcaption>{}</figcaption>\n</figure>", Escaped(caption))?;
    }
    for table in &section.tables {
        write_table(f, table, &section.title)?;
    }
    for remark in &section.remarks {
        writeln!(f, "<p class=\"remark\">{}</p>", Escaped(remark))?;
    }
    writeln!(f, "</section>")
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &Table, title: &str) -> fmt::Result {
    // Focusable, so that a wide table can be scrolled with the keyboard.
    writeln!(
        f,
        "<div class=\"table\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">",
        Escaped(title)
    )?;
    writeln!(f, "<table>\n<thead><tr>")?;
    for (name, align) in table.columns() {
        writeln!(f, "<th scope=\"col\"{}>{}</th>", class(*align), Escaped(name))?;
    }
    writeln!(f, "</tr></thead>\n<tbody>")?;
    for row in table.rows() {
        write!(f, "<tr>")?;
        for (at, (cell, (_, align))) in row.iter().zip(table.columns()).enumerate() {
            let (class, cell) = (class(*align), Escaped(cell));
            match at {
                0 => write!(f, "<th scope=\"row\"{class}>{cell}</th>")?,
                _ => write!(f, "<td{class}>{cell}</td>")?,
            }
        }
        writeln!(f, "</tr>")?;
    }
    writeln!(f, "</tbody>\n</table>\n</div>")
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Left => "",
        Align::Right => " class=\"right\"",
    }
}

/// Text between tags or in an attribute.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

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
                char if char.is_control() && char != '\n' => f.write_char('\u{fffd}')?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::document::{Bar, Form, Tone};

    /// Checks that tags are closed in order and attributes are quoted, and that the page stands
    /// alone.
    pub(crate) fn assert_well_formed(page: &str) {
        assert!(!page.contains("http"), "the page names an address");
        assert!(
            !page.contains("<script") && !page.contains("javascript:"),
            "the page has a script"
        );
        assert!(!page.contains("url(") && !page.contains("@import"), "the page loads something");
        let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
        let mut open: Vec<&str> = Vec::new();
        let mut rest = body;
        while let Some(start) = rest.find('<') {
            assert!(!rest[..start].contains('>'), "a bare > before {:.80}", &rest[start..]);
            let end = start + rest[start..].find('>').expect("the tag ends");
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed in order");
            } else if !tag.ends_with('/') {
                let name = tag.split([' ', '\n']).next().unwrap();
                open.push(name);
                if name == "style" {
                    rest = &rest[rest.find("</style>").expect("the style ends")..];
                }
            }
            assert!(tag.matches('"').count().is_multiple_of(2), "quotes pair up in <{tag}>");
        }
        assert_eq!(open, [""; 0], "every tag is closed");
        for entity in page.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "an entity in &{entity:.9}"
            );
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "</title><script>alert('\"&amp;')</script>\u{7}";
        let mut document = Document::new(hostile);
        document.about.push(hostile.to_owned());
        document.figure("Records", hostile, hostile);
        document.alerts.push(hostile.to_owned());
        let mut table = Table::new([("key", Align::Left), ("bytes", Align::Right)]);
        table.row([hostile.to_owned(), "1".to_owned()]);
        for form in [Form::Bars, Form::Columns, Form::Shares] {
            let bars = vec![
                Bar::new(hostile, 3, hostile),
                Bar::new("x", 0, "0").with_tone(Tone::Bad),
                Bar::new("huge", u64::MAX, "all").with_tone(Tone::Good),
            ];
            document.section(Section::new(hostile).with_chart(hostile, form, bars));
        }
        document.section(Section::new(hostile).with_table(table).with_remark(hostile));
        assert_well_formed(&render(&document));
    }

    #[test]
    fn an_empty_document_is_a_page() {
        assert_well_formed(&render(&Document::new("Nothing")));
    }
}

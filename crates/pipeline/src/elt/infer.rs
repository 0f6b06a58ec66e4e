use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use keystar_item::scan::Tape;
use keystar_star::infer::{Hints, Profile, Proposal, TableHint};
use keystar_transfer::{Block, Export, ExportKind, parts};
use serde::Serialize;

use super::{Error, Job, reading};
use crate::units;

/// A model that was proposed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Inferred {
    /// Items that it was told from.
    pub items: u64,
    /// Lines that are no item; a run sets them aside.
    pub unreadable: u64,
    /// Where the export is.
    pub from: String,
    /// The model's file.
    pub model: String,
    /// The page that shows it.
    pub page: String,
    /// Its entities.
    pub entities: Vec<String>,
    /// Its dimensions.
    pub dimensions: Vec<String>,
    /// Its facts.
    pub facts: Vec<String>,
    /// What needs somebody's attention.
    pub alerts: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Reads a whole export, the latest full one, and proposes a model for it: `model`, which runs as it
/// is, and a page. Definitions of the table that exist (`hints`: files of NoSQL Workbench, OneTable
/// or ElectroDB, as JSON) lend their names where the items bear them out.
///
/// # Errors
///
/// [`Error::ModelThere`] if the model is there and `overwrite` was not said; [`Error::Hints`];
/// [`Error::Export`]; [`Error::File`].
pub fn infer(
    from: &str,
    model: &Path,
    page: &Path,
    hints: &[PathBuf],
    overwrite: bool,
    job: &Job<'_>,
) -> Result<Inferred, Error> {
    if model.exists() && !overwrite {
        return Err(Error::ModelThere { path: model.to_owned() });
    }
    let hints = definitions(hints)?;
    let export = whole(from)?;
    let read = || {
        let begun = std::time::Instant::now();
        let tallies = reading::read(
            &export,
            job,
            |_| Ok(Tally::new(hints.table())),
            |tally, block| {
                tally.push(block);
                Ok(())
            },
            Ok,
        )?;
        let whole =
            tallies.into_iter().reduce(Tally::merge).unwrap_or_else(|| Tally::new(hints.table()));
        let proposal = Proposal::with_hints(&whole.profile, &hints);
        write(model, &proposal.to_toml())?;
        write(page, &proposal.to_html())?;
        let names = |names: Vec<&String>| names.into_iter().cloned().collect();
        let spec = &proposal.spec;
        Ok(Inferred {
            items: proposal.items,
            unreadable: whole.unreadable,
            from: from.to_owned(),
            model: model.display().to_string(),
            page: page.display().to_string(),
            entities: names(spec.entities.iter().map(|(name, _)| name).collect()),
            dimensions: names(spec.dimensions.iter().map(|(name, _)| name).collect()),
            facts: names(spec.facts.iter().map(|(name, _)| name).collect()),
            alerts: proposal.alerts.clone(),
            seconds: begun.elapsed().as_secs_f64(),
        })
    };
    job.step("infer", export.info().stored_bytes, read, |found, seconds| {
        let items = units::plural(found.items, "item");
        let facts = found.facts.join(", ");
        format!("{items} to {} entities, facts {facts}, in {seconds:.1} s", found.entities.len())
    })
}

/// The latest export that holds every item. Windows beside it are not looked at: what they lack or
/// cover twice does not matter here.
fn whole(from: &str) -> Result<Export, Error> {
    let exports = Export::open_all(from).map_err(Error::Export)?;
    let is_whole = |export: &Export| !matches!(export.info().kind, ExportKind::Incremental { .. });
    exports
        .into_iter()
        .rfind(is_whole)
        .ok_or_else(|| Error::Usage(format!("{from} holds no full export")))
}

fn definitions(files: &[PathBuf]) -> Result<Hints, Error> {
    let mut hints = Hints::default();
    for path in files {
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        let read = Hints::parse(&text);
        hints.extend(read.map_err(|source| Error::Hints { path: path.clone(), source })?);
    }
    Ok(hints)
}

/// What one thread has seen.
struct Tally {
    tape: Tape,
    profile: Profile,
    unreadable: u64,
}

impl Tally {
    fn new(table: TableHint) -> Self {
        let profile = Profile::new(table);
        Self { tape: Tape::new(), profile, unreadable: 0 }
    }

    fn push(&mut self, block: &Block) {
        for (_, line) in block.lines() {
            let item = parts(line).ok().and_then(|parts| parts.item.or(parts.new_image));
            match item.map(|item| self.tape.scan(item)) {
                Some(Ok(item)) => self.profile.observe(item),
                _ => self.unreadable += 1,
            }
        }
    }

    fn merge(self, other: Self) -> Self {
        Self {
            tape: self.tape,
            profile: self.profile.merge(other.profile),
            unreadable: self.unreadable + other.unreadable,
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::file(path, error))
}

impl Inferred {
    /// The command that comes next.
    fn next(&self) -> String {
        let path = Path::new(&self.model);
        let dir = match path.parent().map(Path::display).map(|dir| dir.to_string()) {
            Some(dir) if !dir.is_empty() => dir,
            _ => ".".to_owned(),
        };
        let model = match path.file_name().is_some_and(|name| name == "model.toml") {
            true => String::new(),
            false => format!(" --model {}", self.model),
        };
        format!("elt run --from {} --dir {dir}{model}", self.from)
    }
}

impl fmt::Display for Inferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = units::plural(self.items, "item");
        writeln!(f, "proposed a model from {items} in {:.1} s\n", self.seconds)?;
        for (what, names) in
            [("entities", &self.entities), ("dimensions", &self.dimensions), ("facts", &self.facts)]
        {
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            writeln!(f, "  {what:<11} {names}")?;
        }
        if self.unreadable > 0 {
            let lines = units::plural(self.unreadable, "line");
            writeln!(f, "\n{lines} could not be read; a run sets them aside")?;
        }
        if !self.alerts.is_empty() {
            writeln!(f, "\nlook at")?;
        }
        for alert in &self.alerts {
            writeln!(f, "  - {alert}")?;
        }
        writeln!(f, "\nthe model is {}, its page {}", self.model, self.page)?;
        writeln!(f, "read it, change what is wrong, then: {}", self.next())
    }
}

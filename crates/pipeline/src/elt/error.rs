use std::{
    io,
    path::{Path, PathBuf},
};

use crate::units;

/// Why a job stopped. [`fault`](Error::fault) says who can act, which is what the exit code tells.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The export cannot be read.
    #[error("the export cannot be read")]
    Export(#[source] keystar_transfer::Error),
    /// The model's file is no model: one line for each thing that is wrong, as `file:line:column`.
    #[error("{0}")]
    Model(String),
    /// The model's file cannot be read.
    #[error("cannot read the model {path}", path = path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A model is there already.
    #[error("{path} is there already", path = path.display())]
    ModelThere {
        /// The file.
        path: PathBuf,
    },
    /// A definition of the table that was to help is none that is known.
    #[error("{path}", path = path.display())]
    Hints {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: keystar_star::infer::HintError,
    },
    /// The model and the lake's columns do not go together.
    #[error("the model does not fit the lake")]
    Lock(#[source] keystar_star::LockError),
    /// The lake cannot be written or read.
    #[error("the lake failed")]
    Lake(#[source] keystar_lake::Error),
    /// No SQL can be made of the model.
    #[error("no SQL can be made of the model")]
    Sql(#[source] keystar_sql::Error),
    /// The warehouse cannot be loaded or asked.
    #[error("the warehouse failed")]
    Warehouse(#[source] keystar_warehouse::Error),
    /// A file or a folder of ours cannot be read or written.
    #[error("cannot use {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// An earlier run was killed or interrupted.
    #[error("{path} holds a run of {since} that has not ended", path = path.display())]
    Unfinished {
        /// The run's folder.
        path: PathBuf,
        /// When it began.
        since: String,
    },
    /// A folder holds something else than what was to be written there.
    #[error("{path} holds {holds}", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there.
        holds: String,
    },
    /// What was asked for cannot be written out.
    #[error("cannot write the result")]
    Output(#[source] io::Error),
    /// Something the caller gave is not usable.
    #[error("{0}")]
    Usage(String),
    /// The caller asked the job to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Who can act on an [`Error`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The owner of the data: it broke a rule of the model or a data test.
    Data,
    /// Whoever called: something that was given is not usable.
    Usage,
    /// The author of the model.
    Model,
    /// The source side.
    Source,
    /// The target side.
    Target,
    /// Whoever called: a place belongs to another run.
    Occupied,
    /// Nobody; the job was asked to stop.
    Interrupted,
}

impl Error {
    /// Who can act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Export(error) => export_fault(error),
            Self::Model(_)
            | Self::ModelFile { .. }
            | Self::Hints { .. }
            | Self::Lock(_)
            | Self::Sql(_) => Fault::Model,
            Self::Lake(error) => lake_fault(error),
            Self::Warehouse(error) => warehouse_fault(error),
            Self::File { .. } | Self::Output(_) => Fault::Target,
            Self::Unfinished { .. } | Self::Occupied { .. } | Self::ModelThere { .. } => {
                Fault::Occupied
            }
            Self::Usage(_) => Fault::Usage,
            Self::Interrupted => Fault::Interrupted,
        }
    }

    /// What can be done, in the order of what is likely.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let hint: &str = match self {
            Self::Export(keystar_transfer::Error::Checksum { .. }) => {
                "the file is not the one that was exported: copy it again"
            }
            Self::Export(keystar_transfer::Error::Compressed { .. }) => {
                "the file is damaged or was not copied to its end: copy it again"
            }
            Self::Export(keystar_transfer::Error::Windows(_)) => {
                return vec![
                    "export the time in between, or make a new full export: a run goes on from that"
                        .to_owned(),
                    "if nothing was written in between, --allow-gaps goes on over it".to_owned(),
                ];
            }
            Self::ModelFile { .. } => "`elt infer --from EXPORT` writes a model",
            Self::ModelThere { .. } => "--overwrite writes over it, --to names another file",
            Self::Lake(keystar_lake::Error::Drift { .. }) => {
                "change the model, or the entity's drift: evolve, quarantine, discard-value, \
                 discard-row"
            }
            Self::Warehouse(keystar_warehouse::Error::Tests(tests)) => return failed(tests),
            Self::Warehouse(keystar_warehouse::Error::Memory { .. }) => {
                "--memory MIB gives it more"
            }
            Self::Occupied { .. } => "choose another folder",
            Self::Unfinished { .. } => {
                "if it was killed, --resume goes on with it; --restart builds the lake again"
            }
            Self::Interrupted => "run the same command with --resume",
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }

    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

fn export_fault(error: &keystar_transfer::Error) -> Fault {
    use keystar_transfer::Error as Export;
    match error {
        Export::Place { .. } | Export::Options(_) | Export::SeveralExports { .. } => Fault::Usage,
        _ => Fault::Source,
    }
}

fn lake_fault(error: &keystar_lake::Error) -> Fault {
    use keystar_lake::Error as Lake;
    match error {
        Lake::Lock(_) | Lake::Drift { .. } => Fault::Model,
        Lake::Busy { .. } => Fault::Occupied,
        Lake::Twice { .. } | Lake::NothingToChange { .. } => Fault::Source,
        Lake::AlreadyApplied { .. } => Fault::Usage,
        _ => Fault::Target,
    }
}

fn warehouse_fault(error: &keystar_warehouse::Error) -> Fault {
    use keystar_warehouse::Error as Warehouse;
    match error {
        Warehouse::Tests(_) => Fault::Data,
        Warehouse::Busy { .. } => Fault::Occupied,
        Warehouse::Query { .. } | Warehouse::ReadOnly(_) | Warehouse::UnknownTable { .. } => {
            Fault::Usage
        }
        Warehouse::Plan { .. } => Fault::Model,
        _ => Fault::Target,
    }
}

/// What each failed test proves, and some of the rows that offend it.
fn failed(tests: &[keystar_warehouse::TestResult]) -> Vec<String> {
    const ROWS: usize = 5;
    let mut lines = Vec::new();
    for test in tests {
        let rows = units::plural(test.rows, "row");
        lines.push(format!("{}: {}; {rows} offend it", test.name, test.explains));
        lines.extend(test.sample.iter().take(ROWS).map(|row| format!("  {row}")));
    }
    lines
}

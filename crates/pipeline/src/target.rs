//! Where the items of a run go: files, or a table.

use keystar_mapping::Mapping;
use keystar_rdb::UnixMillis;
use keystar_transfer::{ImportWriter, ItemSink, Mark, Offloads, Place};

#[cfg(feature = "live")]
use crate::{By, table::TableTarget};
use crate::{
    Checks, Error, Interrupt, MigrationOptions, MigrationSpec, Progress, Report, Start,
    load::table_name,
    migration::{Run, SealedFiles},
    workdir::WorkDir,
};

/// Where the items of a run go.
#[derive(Debug)]
pub(crate) enum Target {
    Files(Place),
    #[cfg(feature = "live")]
    Table(Box<TableTarget>),
}

impl Target {
    /// Finds out where; a table's service is not asked yet.
    #[cfg_attr(not(feature = "live"), allow(unused_variables, reason = "of a table only"))]
    pub(crate) fn find(
        spec: &MigrationSpec,
        mapping: &Mapping,
        options: &MigrationOptions,
    ) -> Result<Self, Error> {
        match table_name(&spec.to) {
            None => options.reach.place(&spec.to).map(Self::Files).map_err(Error::Target),
            #[cfg(feature = "live")]
            Some(name) => {
                let table = TableTarget::connect(name, mapping, &spec.load, &options.reach)?;
                Ok(Self::Table(Box::new(table)))
            }
            #[cfg(not(feature = "live"))]
            Some(_) => Err(Error::Usage("this build writes to no tables (feature `live`)".into())),
        }
    }

    /// Sees to it that a run can begin, before anything is read.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        match self {
            Self::Files(_) => Ok(()),
            #[cfg(feature = "live")]
            Self::Table(table) => table.prepare(),
        }
    }

    /// Looks whether a run could begin, and changes nothing.
    pub(crate) fn check(&self, checks: &mut Checks) -> Result<(), Error> {
        match self {
            Self::Files(place) => checks.look("target", place),
            #[cfg(feature = "live")]
            Self::Table(table) => table.check(checks)?,
        }
        Ok(())
    }

    /// Where the files of a run are.
    #[cfg_attr(not(feature = "live"), allow(unused_variables, reason = "of a table only"))]
    pub(crate) fn files(&self, spec: &MigrationSpec) -> Result<Place, Error> {
        match self {
            Self::Files(place) => Ok(place.clone()),
            #[cfg(feature = "live")]
            Self::Table(table) => {
                let none = || Error::Usage(format!("{} holds no files", spec.to));
                spec.files().map(|url| table.place(url)).ok_or_else(none)
            }
        }
    }

    /// What takes the items: new, or as it was at a mark.
    pub(crate) fn sink(
        &self,
        run: &Run,
        mapping: &Mapping,
        work: &WorkDir,
        (mark, start): (Option<&Mark>, Start),
    ) -> Result<Box<dyn ItemSink>, Error> {
        let spec = &run.spec;
        #[cfg(feature = "live")]
        if let (Self::Table(table), By::Live) = (self, spec.load.by) {
            return table.writer(&work.spill(), mark, spec.from.is_live());
        }
        let place = self.files(spec)?;
        let options = spec.import_options(mapping, UnixMillis(run.as_of))?;
        if start == Start::Restart {
            ImportWriter::clear(place.clone()).map_err(Error::Target)?;
        }
        let writer = match mark {
            Some(mark) => ImportWriter::resume(place, &work.spill(), options, mark),
            None => ImportWriter::create(place, &work.spill(), options),
        };
        Ok(Box::new(writer.map_err(Error::Target)?))
    }

    /// Where values go that lie beside the items: with the files; of live writes at the stage, or
    /// else in the work directory.
    #[cfg_attr(not(feature = "live"), allow(unused_variables, reason = "of a table only"))]
    pub(crate) fn offloads(&self, spec: &MigrationSpec, work: &WorkDir) -> Result<Offloads, Error> {
        let place = match self {
            Self::Files(place) => place.clone(),
            #[cfg(feature = "live")]
            Self::Table(table) => match spec.load.stage.as_deref() {
                Some(stage) => table.place(stage),
                None => Place::from(work.root().display().to_string()),
            },
        };
        Offloads::open(place).map_err(Error::Target)
    }

    /// Does what is left once the sink is sealed: an import, the table's settings. Leaves the report
    /// incomplete if that was interrupted.
    #[cfg_attr(not(feature = "live"), allow(unused_variables, reason = "of a table only"))]
    pub(crate) fn finish(
        &self,
        run: &Run,
        options: &MigrationOptions,
        (work, files): (&WorkDir, SealedFiles),
        report: &mut Report,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<(), Error> {
        #[cfg(feature = "live")]
        if let Self::Table(table) = self {
            if let (Some(stage), true) = (run.spec.files(), run.spec.load.by != By::Live) {
                let Some(load) = table.load(stage, &run.token(), work, interrupt, progress)? else {
                    report.complete = false;
                    return Ok(());
                };
                if let Some(reason) = load.stopped() {
                    let table = load.loaded.table.clone();
                    return Err(Error::Load { table, reason: reason.to_owned() });
                }
                // A file may have lost items since it was written: then nothing is refused.
                if !load.loaded.ok() || table.is_short(&load) {
                    table.set_aside(&load, run, options, (work, files), report, interrupt)?;
                    if !report.complete {
                        return Ok(());
                    }
                }
                report.loaded = Some(load.loaded);
            }
            if run.spec.load.sample.is_none() {
                table.settle()?;
            }
        }
        Ok(())
    }
}

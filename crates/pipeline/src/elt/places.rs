use std::path::{Path, PathBuf};

use super::Error;

/// Where the model, the lake, the warehouse and the run's own state are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Places {
    dir: Option<PathBuf>,
    model: Option<PathBuf>,
    lake: Option<PathBuf>,
    warehouse: Option<PathBuf>,
    work: Option<PathBuf>,
}

impl Places {
    /// One folder for all: `DIR/model.toml`, `DIR/lake`, `DIR/warehouse`, `DIR/run`.
    #[must_use]
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()), ..Self::default() }
    }

    /// Each place by itself; what is `None` is looked for in the folder.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a warehouse that is none of ours.
    pub fn new(
        dir: Option<PathBuf>,
        model: Option<PathBuf>,
        lake: Option<PathBuf>,
        warehouse: Option<&str>,
        work: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let warehouse = warehouse.map(warehouse_folder).transpose()?;
        Ok(Self { dir, model, lake, warehouse, work })
    }

    /// The model's file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`], as the others: nobody said where it is.
    pub fn model(&self) -> Result<PathBuf, Error> {
        self.place(self.model.as_ref(), "model.toml", "--model FILE")
    }

    /// The lake's folder.
    ///
    /// # Errors
    ///
    /// As [`model`](Self::model).
    pub fn lake(&self) -> Result<PathBuf, Error> {
        self.place(self.lake.as_ref(), "lake", "--lake DIR")
    }

    /// The warehouse's folder.
    ///
    /// # Errors
    ///
    /// As [`model`](Self::model).
    pub fn warehouse(&self) -> Result<PathBuf, Error> {
        self.place(self.warehouse.as_ref(), "warehouse", "--warehouse PATH")
    }

    /// Where runs keep their state.
    ///
    /// # Errors
    ///
    /// As [`lake`](Self::lake), since it is beside that unless said.
    pub fn work(&self) -> Result<PathBuf, Error> {
        match &self.work {
            Some(work) => Ok(work.clone()),
            None => self.beside_lake("run"),
        }
    }

    /// A file or folder in the folder of all, or beside the lake.
    ///
    /// # Errors
    ///
    /// As [`lake`](Self::lake).
    pub fn beside_lake(&self, name: &str) -> Result<PathBuf, Error> {
        match &self.dir {
            Some(dir) => Ok(dir.join(name)),
            None => Ok(self.lake()?.parent().unwrap_or(Path::new("")).join(name)),
        }
    }

    /// Whether the place of the lake is known.
    #[must_use]
    pub fn has_lake(&self) -> bool {
        self.lake().is_ok()
    }

    /// Whether the place of the warehouse is known.
    #[must_use]
    pub fn has_warehouse(&self) -> bool {
        self.warehouse().is_ok()
    }

    fn place(&self, given: Option<&PathBuf>, name: &str, option: &str) -> Result<PathBuf, Error> {
        let in_dir = || self.dir.as_ref().map(|dir| dir.join(name));
        given.cloned().or_else(in_dir).ok_or_else(|| {
            Error::Usage(format!("{option} is needed, or --dir DIR for a folder that holds {name}"))
        })
    }
}

/// `embedded:PATH`, or just a path.
fn warehouse_folder(place: &str) -> Result<PathBuf, Error> {
    if let Some(path) = place.strip_prefix("embedded:") {
        return Ok(path.into());
    }
    match place.split_once("://").or_else(|| place.split_once(':')) {
        Some((kind @ ("redshift" | "postgresql" | "postgres"), _)) => Err(Error::Usage(format!(
            "this version loads embedded warehouses only, not {kind}: say embedded:PATH; \
             `elt ddl` prints the SQL for others"
        ))),
        _ => Ok(place.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_folder_unless_said() {
        let places = Places::in_dir("shop");
        assert_eq!(places.model().unwrap(), Path::new("shop/model.toml"));
        assert_eq!(places.work().unwrap(), Path::new("shop/run"));
        let lake = Some("data/lake".into());
        let places = Places::new(None, None, lake, Some("embedded:w"), None).unwrap();
        assert_eq!(places.warehouse().unwrap(), Path::new("w"));
        assert_eq!(places.work().unwrap(), Path::new("data/run"));
        let error = places.model().unwrap_err().to_string();
        assert_eq!(
            error,
            "--model FILE is needed, or --dir DIR for a folder that holds model.toml"
        );
        assert!(warehouse_folder("redshift://cluster/db").is_err());
        assert_eq!(warehouse_folder("./w:1").unwrap(), Path::new("./w:1"));
    }
}

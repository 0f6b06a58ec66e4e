use std::io::{Read, Write};

use crate::{
    Error, ImportReader, Place,
    error::OrIo,
    store::{Store, Upload},
};

/// The folder of the values that are too big for an item, beside the import prefix.
pub(crate) const OFFLOAD: &str = "offload";

/// Values too big for any item, as files beside the items: `DIR/offload/NAME`.
///
/// ```
/// use keystar_transfer::Offloads;
///
/// let mut offloads = Offloads::open("memory:///offload-example")?;
/// offloads.write("5f2a", b"the first piece, ", false)?;
/// offloads.write("5f2a", b"and the last", true)?;
/// # Ok::<(), keystar_transfer::Error>(())
/// ```
///
/// A file is complete, and on disk, when its last piece has been written. Writing a value again
/// replaces it, so a replay after a crash changes nothing.
#[derive(Debug)]
pub struct Offloads {
    store: Store,
    open: Option<(String, Upload)>,
}

impl Offloads {
    /// Finds the folder `to`, as [`ImportWriter::create`](crate::ImportWriter::create) does;
    /// nothing is made until a value comes.
    ///
    /// # Errors
    ///
    /// [`Error::Place`]: the URL is of no kind that is known.
    pub fn open(to: impl Into<Place>) -> Result<Self, Error> {
        Ok(Self { store: Store::open(to)?, open: None })
    }

    /// Writes a piece of a value; the pieces of one value follow each other.
    ///
    /// # Errors
    ///
    /// The target's side failed.
    pub fn write(&mut self, name: &str, bytes: &[u8], last: bool) -> Result<(), Error> {
        let path = format!("{OFFLOAD}/{name}");
        let mut upload = match self.open.take() {
            Some((open, upload)) if open == name => upload,
            // A value whose record was given up half-way leaves nothing.
            _ => self.store.create(&path)?,
        };
        upload.write_all(bytes).or_io("write", self.store.place(&path))?;
        if last {
            return upload.complete().or_io("complete", self.store.place(&path));
        }
        self.open = Some((name.to_owned(), upload));
        Ok(())
    }
}

impl Offloads {
    /// Reads a value again.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if it is not there, [`Error::Place`] if the name is none that a value
    /// can have, and any failure of the target's side.
    pub fn read(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        read(&self.store, name)
    }
}

impl ImportReader {
    /// Reads a value that lies beside the items of the folder; see [`Offloads`].
    ///
    /// # Errors
    ///
    /// As for [`Offloads::read`].
    pub fn offload(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        read(&self.store, name)
    }
}

fn read(store: &Store, name: &str) -> Result<Box<dyn Read + Send>, Error> {
    // The name may come from a file that somebody else wrote.
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    if name.starts_with('.') || !name.chars().all(plain) {
        let reason = "no name of a value beside the items";
        return Err(Error::Place { place: name.to_owned(), reason });
    }
    store.read(&format!("{OFFLOAD}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn pieces_become_one_file_and_a_value_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut offloads = Offloads::open(dir.path().to_str().unwrap()).unwrap();
        offloads.write("lost", b"half of", false).unwrap();
        for _ in 0..2 {
            offloads.write("kept", b"one, ", false).unwrap();
            offloads.write("kept", b"two", true).unwrap();
        }
        let kept = dir.path().join("offload/kept");
        assert_eq!(fs::read(kept).unwrap(), b"one, two");
        let item = b"{\"Item\":{\"key\":{\"S\":\"i:\"}}}\n";
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/part-00000.json"), item).unwrap();
        let reader = ImportReader::open(dir.path().to_str().unwrap()).unwrap();
        let mut read = Vec::new();
        reader.offload("kept").unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, b"one, two");
        assert!(matches!(reader.offload("lost"), Err(Error::Missing { .. })));
        assert!(matches!(reader.offload("../data/x"), Err(Error::Place { .. })));
        assert_eq!(fs::read_dir(dir.path().join("offload")).unwrap().count(), 1);
    }
}

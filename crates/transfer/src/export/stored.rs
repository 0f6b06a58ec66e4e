use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::file::{Packing, hex};

/// Bytes that are asked for by a read.
const BUFFER_BYTES: usize = 256 << 10;

/// What the stored bytes of a file are known to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Checksum {
    /// In base64, as exports have it.
    Md5(String),
    /// In hex, as our own manifest has it.
    Sha256(String),
}

impl Checksum {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            Self::Sha256(_) => "SHA-256",
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Md5(text) | Self::Sha256(text) => text,
        }
    }
}

/// The MD5 of a small file.
pub(super) fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

/// What was read of a file's stored bytes until now: shared with whoever reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: u64,
    digest: Digest,
    /// Whether the failure was the store's, and not that of what lies in it.
    failed: bool,
}

#[derive(Debug, Default)]
enum Digest {
    #[default]
    None,
    Md5(Md5),
    Sha256(Sha256),
}

impl Tally {
    pub(super) fn new(checksum: Option<&Checksum>) -> Self {
        let digest = match checksum {
            None => Digest::None,
            Some(Checksum::Md5(_)) => Digest::Md5(Md5::new()),
            Some(Checksum::Sha256(_)) => Digest::Sha256(Sha256::new()),
        };
        Self(Arc::new(Mutex::new(State { digest, ..State::default() })))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    pub(super) fn store_failed(&self) -> bool {
        self.state().failed
    }

    /// The checksum of all bytes up to now, in the form in which it was asked for.
    pub(super) fn checksum(&self) -> Option<String> {
        match &self.state().digest {
            Digest::None => None,
            Digest::Md5(md5) => Some(STANDARD.encode(md5.clone().finalize())),
            Digest::Sha256(sha256) => Some(hex(&sha256.clone().finalize())),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stored bytes, tallied on their way.
struct Stored {
    inner: Box<dyn Read + Send>,
    tally: Tally,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        let mut state = self.tally.state();
        match &read {
            Ok(count) => {
                let bytes = buffer.get(..*count).unwrap_or_default();
                state.bytes += bytes.len() as u64;
                match &mut state.digest {
                    Digest::None => {}
                    Digest::Md5(md5) => md5.update(bytes),
                    Digest::Sha256(sha256) => sha256.update(bytes),
                }
            }
            Err(error) => state.failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        read
    }
}

/// The text of a file. Without a buffer after the decompressor: what reads it asks for much.
pub(super) fn text(
    stored: Box<dyn Read + Send>,
    tally: &Tally,
) -> io::Result<Box<dyn Read + Send>> {
    let stored = Stored { inner: stored, tally: tally.clone() };
    let mut stored = BufReader::with_capacity(BUFFER_BYTES, stored);
    Packing::of(stored.fill_buf()?).undo(stored)
}

//! Files that are not what they should be, told apart from files that cannot be read.

use std::io::ErrorKind;

use keystar_transfer::Error as TransferError;

use crate::Error;

/// The file, the line if it is one line's fault, and what is wrong; or the error, if the bytes are
/// not to blame.
pub(crate) fn of(error: TransferError) -> Result<(String, Option<u64>, String), Error> {
    Ok(match error {
        TransferError::Item { file, line, source } => {
            (file, Some(line), format!("not an item: {source}"))
        }
        TransferError::Row { file, line, reason } => {
            (file, Some(line), format!("not a row: {reason}"))
        }
        TransferError::Damaged { file, reason } => (file, None, reason.to_owned()),
        TransferError::Io { place, source, .. } if is_damage(source.kind()) => {
            (place, None, format!("cannot be decompressed: {source}"))
        }
        error => return Err(Error::Target(error)),
    })
}

/// The decompressors' kinds; a device fails in others.
fn is_damage(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::UnexpectedEof
            | ErrorKind::Other
    )
}

pub(crate) fn in_file(file: &str, line: u64) -> String {
    format!("{file}, line {line}")
}

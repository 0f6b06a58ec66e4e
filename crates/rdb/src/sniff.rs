//! What bytes look like that are no dump.

/// How many bytes are looked at.
pub(crate) const ENOUGH: usize = 512;

/// A name for what the first bytes of an input look like, to be read after “this looks like”.
///
/// ```
/// assert_eq!(keystar_rdb::looks_like(b"*2\r\n$6\r\nSELECT\r\n"), "an append-only file (AOF)");
/// ```
#[must_use]
pub fn looks_like(bytes: &[u8]) -> &'static str {
    const MAGICS: &[(&[u8], &str)] = &[
        (b"REDIS", "a Redis RDB file with a damaged version number"),
        (b"VALKEY", "a Valkey RDB file with a damaged version number"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
        (b"\x04\x22\x4d\x18", "lz4-compressed data"),
        (b"VCS\x01", "a compressed Valkey RDB file (VCS)"),
        (b"VKCS", "a compressed RDB file of a Valkey pre-release (VKCS)"),
        (b"BZh", "bzip2-compressed data"),
        (b"\xfd7zXZ\0", "xz-compressed data"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"version https://git-lfs", "a git-lfs pointer: the file itself was not fetched"),
        (b"file appendonly", "the manifest of an append-only file"),
        (b"$EOF:", "a replication transfer: the dump begins after the first line"),
        (b"#TS:", "an append-only file (AOF)"),
        (b"\x7fELF", "an ELF program"),
        (b"MZ", "a Windows program"),
        (b"SQLite format 3", "an SQLite database"),
        (b"PAR1", "a Parquet file"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG image"),
    ];
    if bytes.is_empty() {
        return "an empty file";
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return "zero bytes only";
    }
    let cut = |magic: &[u8]| {
        bytes.len() < 9
            && (magic.starts_with(bytes) || {
                let digits = bytes.strip_prefix(magic);
                digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
            })
    };
    if cut(b"REDIS") || cut(b"VALKEY") {
        return "the first bytes of an RDB file";
    }
    if let Some((_, name)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return name;
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "a tar archive";
    }
    if is_count(bytes, b'*') {
        return "an append-only file (AOF)";
    }
    if is_count(bytes, b'$') {
        return "a replication transfer: the dump begins after the first line";
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let lower = text.get(..text.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return "an HTML page";
    }
    if lower.starts_with(b"<?xml") || lower.starts_with(b"<error") {
        return "an XML document";
    }
    if lower.starts_with(b"{") || lower.starts_with(b"[") {
        return "JSON";
    }
    // The end may cut a character.
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let printable = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    if valid + 3 >= bytes.len() && valid > 0 && bytes.iter().all(printable) {
        return "text";
    }
    "unknown data"
}

/// Whether this is a mark, a number and a line end.
fn is_count(bytes: &[u8], mark: u8) -> bool {
    let Some(rest) = bytes.strip_prefix(&[mark]) else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits).is_none_or(|&byte| byte == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_people_pass_by_mistake() {
        let mut tar = vec![b'x'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, name) in [
            (&b""[..], "an empty file"),
            (&[0; 100], "zero bytes only"),
            (b"*3\r\n$3\r\nSET", "an append-only file (AOF)"),
            (b"#TS:1628217470\r\n", "an append-only file (AOF)"),
            (b"$1234\r\nREDIS0011", "a replication transfer: the dump begins after the first line"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "a git-lfs pointer: the file itself was not fetched",
            ),
            (b"\n <!DOCTYPE html>", "an HTML page"),
            (b"{\"a\":1}", "JSON"),
            (b"\x1f\x8b\x08", "gzip-compressed data"),
            (b"VCS\x01\x02\0\x01", "a compressed Valkey RDB file (VCS)"),
            (b"REDI", "the first bytes of an RDB file"),
            (b"REDISxyz1", "a Redis RDB file with a damaged version number"),
            (b"hello, world\n", "text"),
            (b"\xff\xfe\x01", "unknown data"),
            (&tar, "a tar archive"),
        ] {
            assert_eq!(looks_like(bytes), name);
        }
    }
}

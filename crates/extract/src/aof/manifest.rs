//! The manifest of a multi-part append-only file: which files, in which order.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Error;

/// The files that hold the data set, in the order in which they are to be read, the base first.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let metadata = path.metadata().map_err(failed)?;
    if !metadata.is_dir() {
        let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
        return if is_manifest { of_manifest(path) } else { Ok(vec![path.to_owned()]) };
    }
    let mut found = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "manifest") {
            found.push(path);
        }
    }
    match &*found {
        [manifest] => of_manifest(manifest),
        [] => Err(place(
            path,
            "there is no manifest: name the folder that the server's \
                               appenddirname says, or an .aof file",
        )),
        _ => Err(place(path, "there are several manifests: name the one that is meant")),
    }
}

fn of_manifest(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let text = fs::read(path).map_err(|source| Error::Open { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let names = parse(&text).map_err(|reason| place(path, reason))?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

fn place(path: &Path, reason: &'static str) -> Error {
    Error::Places { place: path.display().to_string(), reason }
}

/// The names of the files: lines of pairs, `file "a name" seq 1 type b`.
fn parse(text: &[u8]) -> Result<Vec<String>, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "the manifest is no text")?;
    let (mut base, mut increments) = (None, Vec::new());
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines.filter(|line| !line.starts_with('#')) {
        let words = words(line).ok_or("the manifest has a line that cannot be read")?;
        let (mut name, mut number, mut kind) = (None, None, None);
        for pair in words.chunks(2) {
            let [key, value] = pair else { return Err("the manifest has a line with half a pair") };
            match key.to_ascii_lowercase().as_str() {
                "file" => name = Some(value.clone()),
                "seq" => number = value.parse::<u64>().ok(),
                "type" => kind = Some(value.clone()),
                // Where the file stands in the replication stream.
                "startoffset" | "endoffset" => {}
                _ => return Err("the manifest says something that is not known"),
            }
        }
        let (Some(name), Some(number), Some(kind)) = (name, number, kind) else {
            return Err("the manifest has a line without file, seq or type");
        };
        if name.contains(['/', '\\']) {
            return Err("the manifest names a path where only names may be");
        }
        match kind.as_str() {
            "b" if base.is_some() => return Err("the manifest names two base files"),
            "b" => base = Some(name),
            "i" if increments.last().is_some_and(|(last, _)| *last >= number) => {
                return Err("the manifest's increments are not in order");
            }
            "i" => increments.push((number, name)),
            // What an earlier rewrite left.
            "h" => {}
            _ => return Err("the manifest has a type of file that is not known"),
        }
    }
    let names: Vec<_> =
        base.into_iter().chain(increments.into_iter().map(|(_, name)| name)).collect();
    if names.is_empty() { Err("the manifest names no file") } else { Ok(names) }
}

/// The words of a line; those in double quotes may hold blanks and `\x20`.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut word = Vec::new();
            let mut bytes = quoted.bytes().enumerate();
            let end = loop {
                let (at, byte) = bytes.next()?;
                word.push(match byte {
                    b'"' => break at,
                    b'\\' => match bytes.next()?.1 {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'x' => {
                            let digits = [bytes.next()?.1, bytes.next()?.1];
                            let digits = std::str::from_utf8(&digits).ok()?.to_owned();
                            u8::from_str_radix(&digits, 16).ok()?
                        }
                        other => other,
                    },
                    byte => byte,
                });
            };
            words.push(String::from_utf8(word).ok()?);
            rest = quoted.get(end + 1..)?.trim_start();
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_comes_first_and_history_is_left_out() {
        let text = b"# written by hand\r\nfile a.aof.1.incr.aof seq 1 type h\r\n\
            file \"a b\\x2eaof\" seq 2 type i startoffset 0\nfile c seq 3 type i\n\
            file a.aof.2.base.rdb seq 2 type b\n";
        assert_eq!(parse(text).unwrap(), ["a.aof.2.base.rdb", "a b.aof", "c"]);
    }

    #[test]
    fn a_bad_manifest_is_refused() {
        for (text, said) in [
            ("", "names no file"),
            ("file ../../etc/passwd seq 1 type b", "names a path"),
            ("file a seq 1 type b\nfile b seq 2 type b", "two base files"),
            ("file a seq 2 type i\nfile b seq 1 type i", "not in order"),
            ("file a seq 1 type x", "type of file"),
            ("file a seq 1", "without file, seq or type"),
            ("file a seq 1 type", "half a pair"),
            ("file \"a seq 1 type b", "cannot be read"),
            ("file a seq 1 type b colour red", "not known"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

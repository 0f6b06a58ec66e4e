//! Where things are: the workspace, its fixtures, the tools that `scripts/setup` installed, the built program.

use std::io;
use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn workspace() -> PathBuf {
    // `tests/kit` lies two folders deep.
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root.pop();
    root
}

/// `tests/fixtures`: files that others made.
pub fn fixtures() -> PathBuf {
    workspace().join("tests/fixtures")
}

/// The RDB fixtures below `tests/fixtures/rdb`, in order of their names.
///
/// # Errors
/// When there is none, since a test over no files proves nothing.
pub fn rdb_fixtures() -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(&fixtures().join("rdb"), "rdb", &mut found)?;
    found.sort();
    if found.is_empty() {
        return Err(io::Error::other("no .rdb file below tests/fixtures/rdb"));
    }
    Ok(found)
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = folder.read_dir().map_err(|error| at(folder, &error))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}

/// The folder in which `scripts/setup` installs: `$KEYSTAR_CACHE` or `~/.cache/keystar`.
///
/// # Errors
/// When neither variable is set.
pub fn cache() -> io::Result<PathBuf> {
    if let Some(cache) = std::env::var_os("KEYSTAR_CACHE") {
        return Ok(cache.into());
    }
    let home = std::env::var_os("HOME")
        .ok_or_else(|| io::Error::other("neither KEYSTAR_CACHE nor HOME is set"))?;
    Ok(Path::new(&home).join(".cache/keystar"))
}

/// A file that `scripts/setup` installs.
///
/// # Errors
/// When it is not there: a test that needs it fails, it does not skip.
pub fn installed(path: &str) -> io::Result<PathBuf> {
    let full = cache()?.join(path);
    if full.exists() {
        Ok(full)
    } else {
        Err(io::Error::other(format!("{} is missing: run scripts/setup", full.display())))
    }
}

/// The `migrate` program: `$KEYSTAR_MIGRATE`, or the one that cargo built beside the running test.
///
/// # Errors
/// When it was not built.
pub fn migrate() -> io::Result<PathBuf> {
    program("migrate", "KEYSTAR_MIGRATE")
}

/// The `elt` program: `$KEYSTAR_ELT`, or the one that cargo built beside the running test.
///
/// # Errors
/// When it was not built.
pub fn elt() -> io::Result<PathBuf> {
    program("elt", "KEYSTAR_ELT")
}

fn program(name: &str, variable: &str) -> io::Result<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => {
            let test = std::env::current_exe()?;
            let folder = test.ancestors().find(|folder| folder.join(name).is_file());
            folder.map(|folder| folder.join(name)).unwrap_or_default()
        }
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(io::Error::other(format!(
            "the {name} program is not built: cargo build -p keystar-{name}"
        )))
    }
}

pub(crate) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

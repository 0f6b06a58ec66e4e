//! The command line reference is the help text itself, so it cannot drift.

use std::fs;

use crate::{elt, root};

const COMMANDS: [&str; 16] = [
    "demo",
    "sample",
    "infer",
    "check",
    "plan",
    "lake",
    "load",
    "run",
    "query",
    "report",
    "status",
    "verify",
    "archive",
    "ddl",
    "completions",
    "man",
];

fn reference() -> String {
    let mut page = String::from(
        "# Command line of `elt`\n\nThis page is generated from the program's own help by a test; \
         `UPDATE_DOCS=1` rewrites it.\n",
    );
    for command in [None].into_iter().chain(COMMANDS.map(Some)) {
        let (title, args) = match command {
            None => ("elt".to_owned(), vec!["--help"]),
            Some(command) => (format!("elt {command}"), vec![command, "--help"]),
        };
        let help = elt(&args).expect(0);
        page.push_str(&format!("\n## `{title}`\n\n```text\n{}```\n", help.stdout));
    }
    page
}

#[test]
fn the_reference_page_is_current() {
    let path = root().join("docs/reference/elt.md");
    let page = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "run this test with UPDATE_DOCS=1 and read the difference");
}

#[test]
fn completions_and_man_pages_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(elt(&["completions", shell]).expect(0).stdout.contains("elt"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    elt(&["man", dir.path().to_str().unwrap()]).expect(0);
    assert!(dir.path().join("elt-run.1").exists());
}

//! The command line reference is the help text itself, so it cannot drift.

use std::fs;

use crate::{migrate, root, text};

const COMMANDS: [&str; 12] = [
    "check",
    "plan",
    "run",
    "status",
    "verify",
    "inspect",
    "restore",
    "compare-format",
    "dax plan",
    "schema",
    "completions",
    "man",
];

fn reference() -> String {
    let mut page = String::from(
        "# Command line\n\nThis page is generated from the program's own help by a test; \
         `UPDATE_DOCS=1` rewrites it.\n",
    );
    for command in [None].into_iter().chain(COMMANDS.map(Some)) {
        let (title, args) = match command {
            None => ("migrate".to_owned(), vec!["--help"]),
            Some(command) => {
                let words = command.split(' ').chain(["--help"]).collect();
                (format!("migrate {command}"), words)
            }
        };
        let help = migrate(&args);
        assert!(help.status.success(), "{title} --help");
        page.push_str(&format!("\n## `{title}`\n\n```text\n{}```\n", text(&help.stdout)));
    }
    page
}

#[test]
fn the_reference_page_is_current() {
    let path = root().join("docs/reference/cli.md");
    let page = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "run this test with UPDATE_DOCS=1 and read the difference");
}

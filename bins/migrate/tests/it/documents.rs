//! What the documents show is what happens.

use std::{fs, process::Command};

use keystar_mapping::Mapping;

use crate::{migrate, root, text};

const WITH_MAPPINGS: [&str; 3] = [
    "docs/guides/choose-a-mapping.md",
    "docs/guides/migrate-a-live-redis.md",
    "docs/tutorial/first-migration.md",
];

const WITH_COMMANDS: [&str; 8] = [
    "README.md",
    "docs/guides/choose-a-mapping.md",
    "docs/guides/compare-format.md",
    "docs/guides/elasticache.md",
    "docs/guides/import.md",
    "docs/guides/migrate-a-live-redis.md",
    "docs/guides/resume.md",
    "docs/tutorial/first-migration.md",
];

/// The blocks of a page that are fenced as `language`.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            blocks.push(block.collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

#[test]
fn mappings_in_the_documents_hold() {
    let mut found = 0;
    for page in WITH_MAPPINGS {
        for block in blocks(page, "toml") {
            found += 1;
            if let Err(error) = Mapping::from_toml(&block) {
                panic!("{page}: {error}\n{block}");
            }
        }
    }
    assert!(found >= 3, "{found} mappings found");
}

#[test]
fn commands_in_the_documents_are_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut found = 0;
    for page in WITH_COMMANDS {
        let blocks = [blocks(page, "sh"), blocks(page, "console")].concat();
        for line in blocks.iter().flat_map(|block| joined(block)) {
            let line = line.trim().trim_start_matches("$ ");
            if !line.starts_with("migrate ") {
                continue;
            }
            found += 1;
            // Asked for help, the program looks at its arguments and does nothing else.
            let asked = format!("migrate() {{ \"$MIGRATE\" \"$@\" --help; }}\n{line}");
            let output = Command::new("bash")
                .args(["-c", &asked])
                .env("MIGRATE", env!("CARGO_BIN_EXE_migrate"))
                .current_dir(dir.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{page}: {line}\n{}", text(&output.stderr));
        }
    }
    assert!(found >= 30, "{found} commands found");
}

/// The lines of a shell block, those that go on joined.
fn joined(block: &str) -> Vec<String> {
    block.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

#[test]
fn the_example_mapping_carries_the_example_dump_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("shop").to_str().unwrap().to_owned();
    let resp = dir.path().join("shop.resp");
    let shop = "examples/shop.rdb";
    for (args, code) in [
        (vec!["inspect", "--from", shop], 0),
        (vec!["check", "--from", shop, "--to", &out, "--mapping", "examples/shop.toml"], 0),
        (vec!["plan", "--from", shop, "--mapping", "examples/shop.toml"], 0),
        (vec!["run", "--from", shop, "--to", &out, "--mapping", "examples/shop.toml"], 0),
        (vec!["status", "--to", &out], 0),
        (vec!["verify", "--to", &out], 0),
        (vec!["restore", "--from", &out, "--to", resp.to_str().unwrap()], 0),
    ] {
        let output = migrate(&args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    }
    let commands = fs::read(&resp).unwrap();
    assert!(commands.windows(12).any(|bytes| bytes == b"Ada Lovelace"), "the way back");
}

#[test]
fn results_are_json_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out").to_str().unwrap().to_owned();
    let page = dir.path().join("plan.html");
    let shop = "examples/shop.rdb";
    for args in [
        vec!["inspect", "--from", shop, "--json"],
        vec!["plan", "--from", shop, "--json", "--report", page.to_str().unwrap()],
        vec!["check", "--from", shop, "--json"],
        vec!["run", "--from", shop, "--to", &out, "--json"],
        vec!["status", "--to", &out, "--json"],
        vec!["verify", "--to", &out, "--json"],
        vec!["schema"],
    ] {
        let output = migrate(&args);
        let value: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&output.stderr)));
        assert!(value.is_object(), "{args:?}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg"), "a page with charts");
}

#[test]
fn completions_and_man_pages_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        let script = migrate(&["completions", shell]);
        assert!(text(&script.stdout).contains("migrate"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let man = migrate(&["man", dir.path().to_str().unwrap()]);
    assert!(man.status.success());
    assert!(dir.path().join("migrate-run.1").exists());
}

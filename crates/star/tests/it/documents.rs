//! The models that the documents show are models, and the errors that they show are told.

use std::path::{Path, PathBuf};

use keystar_star::{Model, ModelSpec};

/// Every page below `docs`, in order of their names.
fn pages() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// The blocks of a page that are fenced as `language`.
fn blocks(page: &Path, language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(page).unwrap();
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(block.collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// Whether a block is of a model rather than of a mapping.
fn is_model(block: &str) -> bool {
    ["[entity.", "[dimension.", "[calendar]", "[fact."]
        .iter()
        .any(|table| block.lines().any(|line| line.trim_start().starts_with(table)))
}

#[test]
fn models_in_the_documents_hold() {
    let (mut whole, mut parts) = (0, 0);
    for page in pages() {
        for block in blocks(&page, "toml").iter().filter(|block| is_model(block)) {
            // A part refers to what the page does not repeat: it is read, but cannot be checked.
            let result = if block.lines().any(|line| line == "[table]") {
                whole += 1;
                Model::parse(block).map(|_| ())
            } else {
                parts += 1;
                ModelSpec::parse(block).map(|_| ())
            };
            if let Err(error) = result {
                panic!("{}: {error}\n{block}", page.display());
            }
        }
    }
    assert!(whole >= 1, "{whole} whole models found");
    assert!(parts >= 4, "{parts} parts of models found");
}

#[test]
fn errors_in_the_reference_are_those_that_are_told() {
    let told = include_str!("faults.txt");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/model.md");
    let shown = blocks(&page, "text");
    assert!(shown.len() >= 5, "{} blocks of errors found", shown.len());
    for line in shown.iter().flat_map(|block| block.lines()) {
        let is_told = told.lines().any(|told| {
            told.starts_with("= line ")
                && told.split_once(": ").is_some_and(|(_, text)| text == line)
        });
        assert!(is_told, "no case of faults.txt is told {line}");
    }
}

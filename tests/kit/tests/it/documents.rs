//! The pages lead where they say: every relative link of every Markdown file points at something that is there.

use std::path::Path;
use std::process::Command;

use keystar_kit::places;

#[test]
fn links_between_files_lead_somewhere() {
    let root = places::workspace();
    let listed = Command::new("git")
        .current_dir(&root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"])
        .output()
        .unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut links = 0;
    let mut broken = Vec::new();
    for name in listed.split_terminator('\0') {
        // Fixtures are others' texts.
        if name.starts_with("tests/fixtures/") || !root.join(name).exists() {
            continue;
        }
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for target in targets(&text) {
            links += 1;
            let path = target.split('#').next().unwrap();
            let from = Path::new(name).parent().unwrap();
            if !path.is_empty() && !root.join(from).join(path).exists() {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    assert!(links > 0, "no page links to another");
}

/// Relative targets of inline links and images outside code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: Vec<&str> = line.split('`').step_by(2).collect();
        for rest in prose.join("code").split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap();
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            // Rust paths, in READMEs that are also crate documentation, are rustdoc's to check.
            if !elsewhere && !target.contains("::") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

#[test]
fn the_link_finder_finds_links_and_leaves_code_alone() {
    let text = "see [a](b.md#c) and `[x](y)`, ![d](e/f.svg)\n```\n[no](no.md)\n```\n[web](https://example.com)";
    assert_eq!(targets(text), ["b.md#c", "e/f.svg"]);
}

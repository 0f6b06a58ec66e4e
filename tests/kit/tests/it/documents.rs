//! The pages lead where they say, and the tutorial of `elt` shows what happens: every relative link of every Markdown
//! file points at something that is there, and every command of the tutorial prints what stands below it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// The `elt` program: `$KEYSTAR_ELT`, or the one that cargo built beside this test.
fn elt() -> io::Result<PathBuf> {
    let path = match std::env::var_os("KEYSTAR_ELT") {
        Some(path) => PathBuf::from(path),
        None => {
            let test = std::env::current_exe()?;
            let folder = test.ancestors().find(|folder| folder.join("elt").is_file());
            folder.map(|folder| folder.join("elt")).unwrap_or_default()
        }
    };
    match path.is_file() {
        true => Ok(path),
        false => Err(io::Error::other("the elt program is not built: cargo build -p keystar-elt")),
    }
}

/// A fenced block of a page.
struct Block {
    language: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let language = language.to_owned();
            let lines = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block { language, lines: lines.map(str::to_owned).collect() });
        }
    }
    blocks
}

/// Runs lines of a shell in a folder where `elt` is found.
fn shell(lines: &str, folder: &Path, elt: &Path) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["-ec", lines])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", elt.parent().unwrap().display()))
        .output()
        .unwrap()
}

/// A line without its times and sizes, which a compressor's next version may change, nor how it is lined up.
fn plain(line: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in line.split_whitespace() {
        if matches!(word.trim_end_matches([',', ';', ':']), "s" | "B" | "kB" | "MB") {
            words.pop();
            words.push("#");
        }
        words.push(word);
    }
    words.join(" ")
}

/// Whether a line is as it is shown, where `…` stands for anything.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let (line, shown) = (plain(line), plain(shown));
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// Whether what was printed is what is shown; a line `…` stands for any lines, or none.
fn prints_what_is_shown(printed: &[&str], shown: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", shown)) => {
            (0..=printed.len()).any(|start| prints_what_is_shown(&printed[start..], shown))
        }
        Some((first, shown)) => printed.split_first().is_some_and(|(line, printed)| {
            is_as_shown(line, first) && prints_what_is_shown(printed, shown)
        }),
    }
}

#[test]
fn the_tutorial_of_the_warehouse_shows_what_happens() {
    let page = "docs/tutorial/first-warehouse.md";
    let text = std::fs::read_to_string(places::workspace().join(page)).unwrap();
    let elt = elt().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for block in blocks(&text) {
        let lines = block.lines.join("\n");
        match block.language.as_str() {
            // The program is built already.
            "sh" if lines.contains("cargo build") => {}
            "sh" => {
                let ended = shell(&lines, folder.path(), &elt);
                let told = String::from_utf8_lossy(&ended.stderr);
                assert!(ended.status.success(), "{page}: this fails:\n{lines}\n{told}");
            }
            "console" => {
                for command in format!("\n{lines}").split("\n$ ").skip(1) {
                    let (command, shown) = command.split_once('\n').unwrap_or((command, ""));
                    let printed = shell(command, folder.path(), &elt).stdout;
                    let printed = String::from_utf8(printed).unwrap();
                    let shown: Vec<&str> = shown.trim_end().lines().collect();
                    assert!(
                        prints_what_is_shown(
                            &printed.trim_end().lines().collect::<Vec<_>>(),
                            &shown
                        ),
                        "{page} shows something else for\n{command}\nwhich prints\n{printed}"
                    );
                    compared += 1;
                }
            }
            other => panic!("{page}: a block of {other:?} is not run"),
        }
    }
    assert!(compared >= 15, "{compared} commands compared");
    assert!(folder.path().join("shop/report.html").is_file(), "the chart");
}

#[test]
fn what_is_not_shown_is_told_apart() {
    let printed = ["read 3 files, 1.5 kB", "a", "b", "done in 0.3 s"];
    assert!(prints_what_is_shown(&printed, &["read 3 files, 1.7 kB", "…", "done in 0.4 s"]));
    assert!(prints_what_is_shown(&printed, &["read …", "a", "b", "…", "done in 0.4 s"]));
    assert!(!prints_what_is_shown(&printed, &["read 4 files, 1.5 kB", "…", "done in 0.3 s"]));
    assert!(!prints_what_is_shown(&printed, &["read 3 files, 1.5 kB", "a", "done in 0.3 s"]));
    assert!(!prints_what_is_shown(&printed, &["read 3 files, 1.5 kB", "…", "b"]));
    assert!(
        !is_as_shown("1 of 2 are 3", "1 of … is 3") && is_as_shown("1 of 2 is 3", "1 of … is …")
    );
}

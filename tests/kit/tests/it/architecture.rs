//! The crate graph is the one that is drawn, and the crates that only think carry nothing that touches the world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use keystar_kit::places;
use serde_json::Value;

/// What each crate may use of ours. A crate that is not named here fails the test: draw it in first.
const MAY_USE: &[(&str, &[&str])] = &[
    ("keystar-rdb", &[]),
    ("keystar-item", &[]),
    ("keystar-mapping", &["keystar-rdb", "keystar-item"]),
    ("keystar-star", &["keystar-item"]),
    ("keystar-sql", &["keystar-star"]),
    ("keystar-bucket", &[]),
    ("keystar-extract", &["keystar-rdb", "keystar-bucket"]),
    ("keystar-transfer", &["keystar-item", "keystar-bucket"]),
    ("keystar-lake", &["keystar-item", "keystar-star"]),
    ("keystar-warehouse", &["keystar-star", "keystar-sql"]),
    ("keystar-stack", &["keystar-star", "keystar-sql"]),
    (
        "keystar-pipeline",
        &[
            "keystar-rdb",
            "keystar-item",
            "keystar-bucket",
            "keystar-mapping",
            "keystar-star",
            "keystar-sql",
            "keystar-extract",
            "keystar-transfer",
            "keystar-lake",
            "keystar-warehouse",
            "keystar-stack",
        ],
    ),
    (
        "keystar-migrate",
        &[
            "keystar-pipeline",
            "keystar-extract",
            "keystar-transfer",
            "keystar-mapping",
            "keystar-item",
            "keystar-rdb",
        ],
    ),
    (
        "keystar-elt",
        &[
            "keystar-pipeline",
            "keystar-transfer",
            "keystar-lake",
            "keystar-warehouse",
            "keystar-sql",
            "keystar-star",
            "keystar-item",
        ],
    ),
    // Tests stand on the kit; the kit stands on nothing of ours, or it would judge us by ourselves.
    ("keystar-kit", &[]),
];

/// Crates that parse, map, model and write text, and do no more.
const PURE: &[&str] = &[
    "keystar-rdb",
    "keystar-item",
    "keystar-mapping",
    "keystar-star",
    "keystar-sql",
    "keystar-stack",
];

/// What must not be found below a pure crate, by name or by the beginning of the name.
const WORLDLY: &[&str] = &[
    "async-std",
    "aws-",
    "h2",
    "http",
    "hyper",
    "mio",
    "object_store",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tower",
    "tracing",
    "ureq",
];

/// What a pure crate's own code must not call.
const WORLDLY_CALLS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "println!",
    "eprintln!",
    "dbg!",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(places::workspace())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Our packages, with the ones of ours that they use outside tests.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--locked",
    ]))
    .unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let uses = packages.iter().map(|package| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let outside_tests = dependencies.filter(|dependency| dependency["kind"] != "dev");
        let ours = outside_tests
            .map(|dependency| text(&dependency["name"]))
            .filter(|name| names.contains(name));
        (text(&package["name"]), ours.collect())
    });
    uses.collect()
}

#[test]
fn crates_use_only_what_the_design_lets_them_use() {
    let graph = graph();
    assert!(graph.len() >= 8, "only {} packages: {graph:?}", graph.len());
    for (name, used) in graph {
        let allowed = MAY_USE.iter().find(|(crate_name, _)| *crate_name == name);
        let Some((_, allowed)) = allowed else { panic!("{name} is not in the table of crates") };
        for other in used {
            assert!(allowed.contains(&other.as_str()), "{name} must not use {other}");
        }
    }
}

#[test]
fn pure_crates_carry_nothing_that_touches_the_world() {
    let graph = graph();
    let mut seen = 0;
    for name in PURE.iter().filter(|name| graph.contains_key(**name)) {
        seen += 1;
        let tree = cargo(&["tree", "--locked", "-e", "normal", "--prefix", "none", "-p", name]);
        assert!(tree.starts_with(name), "{tree}");
        for line in tree.lines() {
            let below = line.split(' ').next().unwrap();
            let worldly = WORLDLY.iter().any(|worldly| {
                below == *worldly
                    || below.starts_with(&format!("{}-", worldly.trim_end_matches('-')))
                    || below.starts_with(&format!("{}_", worldly.trim_end_matches('-')))
            });
            assert!(!worldly, "{name} carries {below}");
        }
    }
    assert!(seen >= 3, "only {seen} pure crates were looked at");
}

#[test]
fn pure_crates_never_open_connect_print_or_read_the_clock() {
    let mut files = 0;
    for name in PURE {
        let source = places::workspace()
            .join("crates")
            .join(name.trim_start_matches("keystar-"))
            .join("src");
        if source.is_dir() {
            scan(&source, &mut files);
        }
    }
    assert!(files > 10, "only {files} files were read");
}

fn scan(folder: &Path, files: &mut usize) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, files);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        *files += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests close a file; they may do as they like.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for (number, line) in
            code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let call = WORLDLY_CALLS.iter().find(|call| line.contains(**call));
            assert!(call.is_none(), "{}:{}: {}", path.display(), number + 1, line.trim());
        }
    }
}

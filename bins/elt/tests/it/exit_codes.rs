//! Every exit code, with the words that go with it.

use std::fs;

use tempfile::TempDir;

use crate::{elt, text};

/// A sample of few customers with its model.
fn shop() -> (TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (dir, export) = (text(folder.path()), text(&folder.path().join("export")));
    elt(&["sample", "--to", &export, "--customers", "20"]).expect(0);
    let model = text(&folder.path().join("model.toml"));
    elt(&["infer", "--from", &export, "--to", &model]).expect(0);
    (folder, dir, export)
}

#[test]
fn bad_command_lines_are_2() {
    let (_folder, dir, export) = shop();
    for (args, words) in [
        (vec!["run", "--form", "x"], "--from"),
        (vec!["run", "--from", &export], "--model FILE is needed, or --dir DIR"),
        (vec!["run", "--from", &export, "--dir", &dir, "--measure", "price"], "FACT.MEASURE"),
        (vec!["run", "--from", &export, "--dir", &dir, "--at", "2022"], "write it as 2022-Q2"),
        (vec!["load", "--dir", &dir], "holds no lake yet"),
        (vec!["query", "--dir", "nowhere", "SELECT 1"], "nowhere/warehouse is not there"),
        (vec!["sample", "--to", "x", "--windows", "999"], "at most 366 windows"),
        (vec!["check", "--dir", &dir, "--warehouse", "redshift://x"], "elt ddl"),
    ] {
        let ran = elt(&args).expect(2);
        assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn queries_that_are_wrong_are_2_and_change_nothing() {
    let (_folder, dir, export) = shop();
    elt(&["run", "--from", &export, "--dir", &dir]).expect(0);
    for (sql, words) in [
        ("DROP TABLE dwh.sales", "error: only queries can be run here"),
        ("SELECT * FROM dwh.sale", "error: there is no table dwh.sale; did you mean dwh.sales"),
        ("SELEC", "error: "),
    ] {
        let ran = elt(&["query", "--dir", &dir, sql]).expect(2);
        assert!(ran.stderr.starts_with(words), "{sql}: {}", ran.stderr);
    }
}

#[test]
fn a_bad_model_is_3_with_its_place() {
    let (folder, dir, export) = shop();
    let path = folder.path().join("model.toml");
    elt(&["run", "--from", &export, "--dir", "nowhere"]).expect(3);
    let model = fs::read_to_string(&path).unwrap();
    let place = model.lines().position(|line| line.starts_with("partition_key")).unwrap() + 1;
    fs::write(&path, model.replace("partition_key", "partition_kye")).unwrap();
    let ran = elt(&["run", "--from", &export, "--dir", &dir]).expect(3);
    assert!(ran.stderr.contains(&format!("model.toml:{place}:1:")), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean partition_key?"), "{}", ran.stderr);
    let check = elt(&["check", "--from", &export, "--dir", &dir]).expect(3);
    assert!(check.stdout.contains("FAILED   model"), "{}", check.stdout);
    assert!(check.stdout.contains("ok       export"), "the rest is looked at: {}", check.stdout);
}

#[test]
fn what_is_no_export_is_4() {
    let (_folder, dir, _) = shop();
    let ran = elt(&["run", "--from", "does-not-exist", "--dir", &dir]).expect(4);
    assert!(ran.stderr.contains("does-not-exist does not exist"), "{}", ran.stderr);
}

#[test]
fn a_target_that_cannot_be_written_is_5() {
    let (folder, dir, export) = shop();
    fs::write(folder.path().join("lake"), "a file where a folder is needed").unwrap();
    elt(&["run", "--from", &export, "--dir", &dir]).expect(5);
}

#[test]
fn what_belongs_to_others_is_6() {
    let (folder, dir, export) = shop();
    let model = text(&folder.path().join("model.toml"));
    let ran = elt(&["infer", "--from", &export, "--to", &model]).expect(6);
    assert!(ran.stderr.contains("--overwrite"), "{}", ran.stderr);
    let ran = elt(&["sample", "--to", &export, "--customers", "21"]).expect(6);
    assert!(ran.stderr.contains("holds another export"), "{}", ran.stderr);
    // What a killed run leaves.
    fs::create_dir(folder.path().join("run")).unwrap();
    let mark = r#"{"from":"x","since":"2026-01-01T00:00:00Z"}"#;
    fs::write(folder.path().join("run/running.json"), mark).unwrap();
    let ran = elt(&["run", "--from", &export, "--dir", &dir]).expect(6);
    assert!(ran.stderr.contains("a run of 2026-01-01T00:00:00Z that has not ended"));
    assert!(ran.stderr.contains("--resume"), "{}", ran.stderr);
    elt(&["run", "--from", &export, "--dir", &dir, "--resume"]).expect(0);
}

/// A number is declared unique that is not: the data test says which rows, and nothing is loaded.
#[test]
fn a_data_test_that_fails_is_1_and_nothing_is_committed() {
    let (folder, dir, export) = shop();
    let path = folder.path().join("model.toml");
    let model = fs::read_to_string(&path).unwrap();
    assert!(model.contains("[entity.product]\n"), "{model}");
    let unique = "[entity.product]\nunique = [[\"color\"]]\n";
    fs::write(&path, model.replace("[entity.product]\n", unique)).unwrap();
    let ran = elt(&["run", "--from", &export, "--dir", &dir]).expect(1);
    assert!(ran.stderr.contains("landing.product: color is unique"), "{}", ran.stderr);
    assert!(ran.stderr.contains("color="), "the rows are shown: {}", ran.stderr);
    assert!(!folder.path().join("warehouse/commit.json").exists());
}

//! Every exit code, with the words that go with it.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{migrate, text};

const SHOP: &str = "examples/shop.rdb";

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn ran(args: &[&str]) -> Ran {
    let output = migrate(args);
    Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn out() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let out = path(&dir.path().join("out")).to_owned();
    (dir, out)
}

/// A file of these bytes.
fn file(dir: &TempDir, name: &str, bytes: &[u8]) -> String {
    let file = dir.path().join(name);
    fs::write(&file, bytes).unwrap();
    path(&file).to_owned()
}

#[test]
fn a_run_that_carries_everything_is_0_and_verifies() {
    let (_dir, out) = out();
    let run = ran(&["run", "--from", SHOP, "--to", &out]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("read"), "{}", run.stdout);
    assert_eq!(run.stderr, "", "nothing to warn of");
    let verify = ran(&["verify", "--to", &out]);
    assert_eq!(verify.code, Some(0), "{}{}", verify.stdout, verify.stderr);
}

#[test]
fn what_only_a_table_can_have_done_is_2_for_files() {
    let (_dir, out) = out();
    assert_eq!(ran(&["run", "--from", SHOP, "--to", &out]).code, Some(0));
    for more in [&["--sample", "5"][..], &["--repair"]] {
        let verify = ran(&[&["verify", "--to", &out], more].concat());
        assert_eq!(verify.code, Some(2), "{}{}", verify.stdout, verify.stderr);
        assert!(verify.stderr.contains("only a table"), "{}", verify.stderr);
    }
}

#[test]
fn an_unknown_flag_is_2() {
    let run = ran(&["run", "--form", SHOP]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--from"), "a hint: {}", run.stderr);
}

#[test]
fn an_unknown_type_is_2_and_the_types_are_named() {
    let (_dir, out) = out();
    let run = ran(&["run", "--from", SHOP, "--to", &out, "--type", "hsah"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("zset, hash"), "{}", run.stderr);
}

#[test]
fn a_bad_mapping_is_3_with_its_place() {
    let (dir, out) = out();
    let spec = file(&dir, "mapping.toml", b"[[rule]]\nkeys = \"user:{id}\"\nlayuot = \"item\"\n");
    let run = ran(&["run", "--from", SHOP, "--to", &out, "--mapping", &spec]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("mapping.toml:3:1"), "{}", run.stderr);
    assert!(run.stderr.contains("layuot"), "{}", run.stderr);
}

#[test]
fn what_is_no_dump_is_4_and_named() {
    let (dir, out) = out();
    let cases: [(&str, &[u8], &str); 6] = [
        ("a.rdb", b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "AOF"),
        ("b.rdb", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"),
        ("c.rdb", b"<!DOCTYPE html><html></html>", "HTML"),
        ("d.rdb", b"", "empty"),
        ("e.rdb", b"{\"Item\":{}}\n", "JSON"),
        ("f.rdb", b"\x7fELF\x02\x01\x01\0\0\0\0\0", "ELF"),
    ];
    for (name, bytes, word) in cases {
        let dump = file(&dir, name, bytes);
        let run = ran(&["run", "--from", &dump, "--to", &out, "--restart"]);
        assert_eq!(run.code, Some(4), "{name}: {}", run.stderr);
        let stderr = run.stderr.to_lowercase();
        assert!(stderr.contains(&word.to_lowercase()), "{name}: {stderr}");
    }
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let run = ran(&["run", "--from", path(&empty), "--to", &out, "--restart"]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains(".rdb"), "{}", run.stderr);
    let run = ran(&["run", "--from", "no/such.rdb", "--to", &out, "--restart"]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("no/such.rdb"), "{}", run.stderr);
}

#[test]
fn a_truncated_dump_is_4_with_its_offset() {
    let (dir, out) = out();
    let mut bytes = fs::read(crate::root().join(SHOP)).unwrap();
    bytes.truncate(bytes.len() / 2);
    let dump = file(&dir, "half.rdb", &bytes);
    let run = ran(&["run", "--from", &dump, "--to", &out]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("unexpected end"), "{}", run.stderr);
    assert!(run.stderr.contains("at offset"), "{}", run.stderr);
}

#[test]
fn a_checksum_mismatch_is_4_or_a_warning_when_asked() {
    let (dir, out) = out();
    let mut bytes = fs::read(crate::root().join(SHOP)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let dump = file(&dir, "bad.rdb", &bytes);
    let run = ran(&["run", "--from", &dump, "--to", &out]);
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("checksum"), "{}", run.stderr);
    assert!(run.stderr.contains("--no-checksum"), "what to do: {}", run.stderr);
    let run = ran(&["run", "--from", &dump, "--to", &out, "--no-checksum", "--restart"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("checksum"), "a warning: {}", run.stdout);
}

#[test]
fn an_unwritable_target_is_5() {
    let (dir, _) = out();
    let occupied = file(&dir, "a-file", b"");
    let run = ran(&["run", "--from", SHOP, "--to", &occupied]);
    assert_eq!(run.code, Some(5), "{}", run.stderr);
    assert!(run.stderr.contains("a-file"), "{}", run.stderr);
}

#[test]
fn a_folder_of_another_run_is_6_and_says_what_to_do() {
    let (_dir, out) = out();
    assert_eq!(ran(&["run", "--from", SHOP, "--to", &out]).code, Some(0));
    let again = ran(&["run", "--from", SHOP, "--to", &out]);
    assert_eq!(again.code, Some(6));
    assert!(again.stderr.contains("--restart"), "{}", again.stderr);
    let other = ran(&["run", "--from", SHOP, "--to", &out, "--format", "ion", "--resume"]);
    assert_eq!(other.code, Some(6));
    let resumed = ran(&["run", "--from", SHOP, "--to", &out, "--resume"]);
    assert_eq!(resumed.code, Some(0), "a finished run has nothing left to do");
    let restarted = ran(&["run", "--from", SHOP, "--to", &out, "--format", "ion", "--restart"]);
    assert_eq!(restarted.code, Some(0), "{}", restarted.stderr);
    assert!(!Path::new(&out).join("data/part-00000.json.gz").exists(), "the old files are gone");
}

#[test]
fn a_folder_without_a_run_is_2_and_leads_to_the_runs_of_databases() {
    let (dir, out) = out();
    let status = ran(&["status", "--to", &out]);
    assert_eq!(status.code, Some(2));
    assert!(status.stderr.contains("holds no run"), "{}", status.stderr);
    let spec = file(&dir, "mapping.toml", b"db = \"folder\"\n");
    let run = ran(&["run", "--from", SHOP, "--to", &out, "--mapping", &spec]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let verify = ran(&["verify", "--to", &out]);
    assert_eq!(verify.code, Some(2));
    assert!(verify.stderr.contains("--to"), "{}", verify.stderr);
    for db in ["db0", "db1"] {
        let verify = ran(&["verify", "--to", &format!("{out}/{db}")]);
        assert_eq!(verify.code, Some(0), "{db}: {}{}", verify.stdout, verify.stderr);
    }
}

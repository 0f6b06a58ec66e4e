//! A run that is killed anywhere and resumed ends with the same warehouse.

use std::{
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{command, elt, journey::warehouse, text};

const ROUNDS: u32 = 15;

#[test]
fn a_run_that_is_killed_anywhere_is_resumed_to_the_same_warehouse() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    let (export, model) = (at("export"), at("model.toml"));
    elt(&["sample", "--to", &export, "--customers", "60", "--windows", "1"]).expect(0);
    elt(&["infer", "--from", &export, "--to", &model]).expect(0);
    let run = |dir: &str, more: &[&str]| -> Vec<String> {
        let args = ["run", "--from", &export, "--model", &model, "--dir", dir];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    };
    let whole = at("whole");
    let begun = Instant::now();
    let args = run(&whole, &[]);
    elt(&args.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
    let wall = begun.elapsed();
    let expected = warehouse(&whole);
    assert!(expected.iter().all(|rows| rows.len() > 1));

    let mut killed = 0;
    for round in 0..ROUNDS {
        let dir = at(&format!("killed{round}"));
        let mut more: &[&str] = &[];
        // Spread over the run, at no round moments; every third is killed again while it resumes.
        for strike in 0..1 + u32::from(round % 3 == 0) {
            let args = run(&dir, more);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let mut child =
                command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let share = f64::from(round * 67 % ROUNDS) + 0.5 + f64::from(strike) * 0.3;
            sleep(
                wall.mul_f64((share / f64::from(ROUNDS)).min(0.97)).max(Duration::from_millis(5)),
            );
            child.kill().unwrap();
            killed += u32::from(child.wait().unwrap().code().is_none());
            more = &["--resume"];
        }
        let args = run(&dir, &["--resume"]);
        elt(&args.iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        assert!(warehouse(&dir) == expected, "round {round}: another warehouse");
        if round % 5 == 0 {
            elt(&["verify", "--model", &model, "--from", &export, "--dir", &dir]).expect(0);
        }
    }
    assert!(killed >= ROUNDS / 2, "only {killed} runs were killed before their end");
}

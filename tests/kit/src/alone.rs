//! A test in a process of its own: the only way to give it an environment without touching that of the others.

use std::process::Command;

/// Runs the test of that name (with its modules) again in a process of its own, without anybody's settings of AWS and
/// with those given; in that process, runs it.
///
/// # Panics
/// If it fails there, or if there is no test of that name.
#[allow(clippy::panic, reason = "a test says no by a panic")]
pub fn alone(name: &str, environment: &[(&str, &str)], test: impl FnOnce()) {
    const MARK: &str = "KEYSTAR_ALONE";
    if std::env::var(MARK).is_ok_and(|running| running == name) {
        return test();
    }
    let mut command = match std::env::current_exe() {
        Ok(program) => Command::new(program),
        Err(error) => panic!("{error}"),
    };
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("AWS_") {
            command.env_remove(variable);
        }
    }
    let output = command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nowhere/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
        .envs(environment.iter().copied())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "no such test: {name}: {said}");
}

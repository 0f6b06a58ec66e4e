//! A migration as somebody types it: its arguments, its environment, and how it ends.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keystar_kit::migrate::{self, Ended};
use keystar_kit::s3::{ACCESS_KEY, REGION, SECRET_KEY};
use nix::sys::signal::Signal;

/// A migration as somebody types it.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    from: Vec<String>,
    to: String,
    work: PathBuf,
    /// Arguments of `run` and `verify`.
    both: Vec<String>,
    /// Arguments of `run` alone.
    run: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Job {
    pub(crate) fn new(from: impl Into<String>, to: impl Into<String>, work: &Path) -> Self {
        Self {
            from: vec!["--from".to_owned(), from.into()],
            to: to.into(),
            work: work.to_owned(),
            both: Vec::new(),
            run: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With arguments that both `run` and `verify` take: how the two sides are reached.
    pub(crate) fn reach(mut self, arguments: &[&str]) -> Self {
        self.both.extend(arguments.iter().map(|&word| word.to_owned()));
        self
    }

    /// DynamoDB is there.
    pub(crate) fn tables_at(self, endpoint: &str) -> Self {
        self.reach(&["--endpoint-url", endpoint, "--region", REGION])
    }

    /// With arguments that `run` alone takes.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.run.extend(arguments.iter().map(|&word| word.to_owned()));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn folder(&self) -> &Path {
        Path::new(&self.to)
    }

    /// `migrate run`, without anybody's settings of AWS.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut words = vec!["run".to_owned()];
        words.extend(self.from.iter().cloned());
        words.extend(self.run.iter().cloned());
        words.extend(more.iter().map(|&word| word.to_owned()));
        self.program(words)
    }

    fn program(&self, mut words: Vec<String>) -> Command {
        let work = self.work.display().to_string();
        words.extend(["--to", &self.to, "--work", &work].map(str::to_owned));
        words.extend(self.both.iter().cloned());
        let mut command = migrate::command(&words).unwrap();
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("AWS_") {
                command.env_remove(variable);
            }
        }
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs to its end, whatever that is.
    pub(crate) fn end(&self, more: &[&str]) -> Ended {
        self.command(more).output().unwrap().into()
    }

    /// Runs to a good end.
    pub(crate) fn run(&self) -> Ended {
        self.end(&[]).expect_code(&[0]).unwrap()
    }

    /// `migrate verify`, which must find nothing.
    pub(crate) fn verify(&self) -> Ended {
        self.verify_ends().expect_code(&[0]).unwrap()
    }

    pub(crate) fn verify_ends(&self) -> Ended {
        self.program(vec!["verify".to_owned()]).output().unwrap().into()
    }

    /// `migrate verify` that puts right what it finds.
    pub(crate) fn repair(&self) -> Ended {
        let words = vec!["verify".to_owned(), "--repair".to_owned()];
        Ended::from(self.program(words).output().unwrap())
    }

    /// `kill -9` once that is due; whether it came before the end.
    pub(crate) fn kill_when(&self, more: &[&str], is_due: impl FnMut() -> bool) -> bool {
        migrate::strike_when(&mut self.command(more), Signal::SIGKILL, is_due).unwrap().is_some()
    }

    /// Runs to a good end while something happens to the rest of the world. If that fails, the run is ended, and what it
    /// said is told.
    pub(crate) fn run_while(&self, happens: impl FnOnce()) -> Ended {
        let mut command = self.command(&[]);
        let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let happened = panic::catch_unwind(AssertUnwindSafe(happens));
        if happened.is_err() {
            let _ = run.kill();
        }
        let ended = Ended::from(run.wait_with_output().unwrap());
        if let Err(why) = happened {
            let why = why.downcast_ref::<String>().map_or("", String::as_str);
            panic!("{why}; the run said: {}{}", ended.stderr, ended.stdout);
        }
        ended.expect_code(&[0]).unwrap()
    }

    /// A run that cannot be: its exit code and its words.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) -> Ended {
        let ended = self.end(&[]).expect_code(&[code]).unwrap();
        for word in words {
            assert!(ended.stderr.contains(word), "no {word:?} in: {}", ended.stderr);
        }
        ended
    }
}

/// Waits until that is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 60, "not in time: {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

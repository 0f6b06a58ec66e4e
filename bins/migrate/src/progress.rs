//! Shows how far a job is: a bar on a terminal, lines of JSON in a JSON log, nothing elsewhere.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use keystar_pipeline::Progress;

use crate::cli::LogForm;

const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);
const TEMPLATE: &str =
    "{msg:>9} [{bar:32.green}] {percent:>3}%  {bytes}/{total_bytes}  {prefix} keys  eta {eta}";
/// Of a source that knows how many keys it has, but not how many bytes.
const KEYS_TEMPLATE: &str =
    "{msg:>9} [{bar:32.green}] {percent:>3}%  {prefix} of {human_len} keys  eta {eta}";

/// Watches a job until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(what: &'static str, progress: &Arc<Progress>, form: LogForm) -> Self {
        let progress = Arc::clone(progress);
        let (stop, stopped) = channel();
        let terminal = io::stderr().is_terminal();
        let thread = thread::spawn(move || {
            let mut show: Box<dyn FnMut()> = match form {
                LogForm::Json => Box::new(move || line(what, &progress)),
                LogForm::Text if terminal => bar(what, progress),
                LogForm::Text => return,
            };
            let every = if form == LogForm::Json { LINE_EVERY } else { BAR_EVERY };
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                show();
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The bar only shows; if it broke, the job's own result is what counts.
            let _ = thread.join();
        }
    }
}

fn line(what: &str, progress: &Progress) {
    tracing::info!(
        target: "migrate::progress",
        job = what,
        bytes = progress.source_bytes(),
        total_bytes = progress.total_bytes(),
        keys = progress.records(),
        total_keys = progress.total_records(),
        "progress"
    );
}

fn bar(what: &'static str, progress: Arc<Progress>) -> Box<dyn FnMut()> {
    let bar = ClearedBar(ProgressBar::new(0).with_style(style(TEMPLATE)).with_message(what));
    let mut by_keys = false;
    Box::new(move || {
        let (bytes, keys) = (progress.total_bytes(), progress.total_records());
        if !by_keys && bytes == 0 && keys > 0 {
            by_keys = true;
            bar.0.set_style(style(KEYS_TEMPLATE));
        }
        let (length, position) = match by_keys {
            true => (keys.max(progress.records()), progress.records()),
            false => (bytes.max(1), progress.source_bytes()),
        };
        bar.0.set_length(length);
        bar.0.set_position(position);
        let rate = progress.records() as f64 / bar.0.elapsed().as_secs_f64().max(0.001);
        bar.0.set_prefix(format!("{} ({rate:.0}/s)", progress.records()));
    })
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Leaves the terminal as it was: the summary that follows says more.
struct ClearedBar(ProgressBar);

impl Drop for ClearedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

//! Shows how far a job is: a bar and a line a step on a terminal, lines of JSON in a JSON log.

use std::{
    cell::RefCell,
    io::{self, IsTerminal},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use keystar_pipeline::{Progress, elt::Event};

use crate::{cli::LogForm, output};

const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);
const BYTES: &str =
    "{msg:>9} [{bar:32.green}] {percent:>3}%  {bytes}/{total_bytes}  {prefix}  eta {eta}";
const STEPS: &str = "{msg:>9} [{bar:32.green}] {pos:>3}/{len}  {prefix}";

/// Shows the steps of a job as they come.
#[derive(Debug)]
pub(crate) struct Steps {
    progress: Arc<Progress>,
    form: LogForm,
    watch: RefCell<Option<Watch>>,
    /// Whether a line is to stay for each step that ended.
    told: bool,
}

impl Steps {
    pub(crate) fn new(progress: &Arc<Progress>, form: LogForm, told: bool) -> Self {
        Self { progress: Arc::clone(progress), form, watch: RefCell::new(None), told }
    }

    /// Clears the bar of a step that did not end.
    pub(crate) fn stop(&self) {
        *self.watch.borrow_mut() = None;
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Began { step, .. } => {
                *self.watch.borrow_mut() = Some(Watch::start(step, &self.progress, self.form));
            }
            Event::Ended { step, summary } => {
                *self.watch.borrow_mut() = None;
                match self.form {
                    LogForm::Json => {
                        tracing::info!(target: "elt::progress", step, summary, "ended");
                    }
                    LogForm::Text if self.told => output::note(&format!("{step:>8}  {summary}")),
                    LogForm::Text => {}
                }
            }
            _ => {}
        }
    }
}

/// Watches a step until it is dropped.
#[derive(Debug)]
struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    fn start(step: &str, progress: &Arc<Progress>, form: LogForm) -> Self {
        let (step, progress) = (step.to_owned(), Arc::clone(progress));
        let (stop, stopped) = channel();
        let terminal = io::stderr().is_terminal();
        let thread = thread::spawn(move || {
            let mut show: Box<dyn FnMut()> = match form {
                LogForm::Json => Box::new(move || line(&step, &progress)),
                LogForm::Text if terminal => bar(step, progress),
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

fn line(step: &str, progress: &Progress) {
    tracing::info!(
        target: "elt::progress",
        step,
        bytes = progress.source_bytes(),
        total_bytes = progress.total_bytes(),
        rows = progress.records(),
        "progress"
    );
}

fn bar(step: String, progress: Arc<Progress>) -> Box<dyn FnMut()> {
    // A load counts its steps; everything that reads counts bytes.
    let template = if step == "load" { STEPS } else { BYTES };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = ClearedBar(ProgressBar::new(0).with_style(style).with_message(step));
    Box::new(move || {
        bar.0.set_length(progress.total_bytes().max(1));
        bar.0.set_position(progress.source_bytes().min(progress.total_bytes()));
        let rate = progress.records() as f64 / bar.0.elapsed().as_secs_f64().max(0.001);
        bar.0.set_prefix(format!("{} rows ({rate:.0}/s)", progress.records()));
    })
}

/// Leaves the terminal as it was: the summary that follows says more.
struct ClearedBar(ProgressBar);

impl Drop for ClearedBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Error, Growth, Job, Origin, Period, Places, Question, SampleSpec, Start, infer, report, run,
    sample,
};

/// What a demo came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Demo {
    /// The answer.
    pub answer: Growth,
    /// The folder with everything in it.
    pub folder: PathBuf,
    /// The page.
    pub page: PathBuf,
}

impl Demo {
    /// What may be done next, a line each.
    #[must_use]
    pub fn next_steps(&self) -> Vec<String> {
        let folder = self.folder.display();
        vec![
            String::new(),
            format!("the page: {}", self.page.display()),
            format!("the model that was inferred: {}", self.folder.join("model.toml").display()),
            "ask on, for instance:".to_owned(),
            format!(
                "  elt query --dir {folder} \"SELECT category, sum(price) FROM dwh.sales \
                 JOIN dwh.product USING (product_key) GROUP BY 1 ORDER BY 2 DESC\""
            ),
        ]
    }
}

/// Sample data through all steps: export, model, lake, warehouse, answer, page. The same demo in the
/// same folder changes nothing.
///
/// # Errors
///
/// Those of the steps.
pub fn demo(spec: &SampleSpec, to: &Path, job: &Job<'_>) -> Result<Demo, Error> {
    let export = to.join("export");
    let places = Places::in_dir(to);
    sample(spec, &export, job)?;
    let export = export.display().to_string();
    let model = places.model()?;
    if !model.exists() {
        infer(&export, &model, &to.join("model.html"), &[], false, job)?;
    }
    // Of a run that was killed the next one does the rest.
    let question = Question::new(None, &[], Period::Quarter, Some("2022-Q2"))?;
    let done = run(&Origin::new(export), &places, Start::Resume, &question, job)?;
    let page = to.join("report.html");
    let write = || report(&places, &question, &page, job);
    job.step("report", 1, write, |(), seconds| format!("{}, in {seconds:.1} s", page.display()))?;
    let Some(answer) = done.answer else {
        return Err(Error::Model(format!(
            "{}: no fact has a measure and a date, so there is nothing to ask",
            model.display()
        )));
    };
    Ok(Demo { answer, folder: to.to_owned(), page })
}

//! The report as a page: one file without script or anything from elsewhere, for a browser and for print, by day and by
//! night.

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::Report;
use super::drawing::Drawing;
use super::templates::{environment, render};

/// The page.
pub(super) fn text(report: &Report) -> Result<String, String> {
    let drawings: Vec<_> = report.runs.iter().map(|story| Drawing::of(&story.timeline)).collect();
    let environment = environment(None)?;
    render(
        &environment,
        include_str!("report.html.j2"),
        context! { report => Value::from(Serde(report)), drawings => Value::from(Serde(drawings)) },
    )
}

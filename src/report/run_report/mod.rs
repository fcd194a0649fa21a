//! The run report (`--report FILE`): what a change ticket wants to know of a run, in one file that needs nothing else.
//!
//! It hears the same events as text and JSON do. They become a [`Story`], the story's times a [`Timeline`], and each form
//! tells the two in its own way.

mod drawing;
mod html;
mod json;
mod markdown;
mod story;
mod templates;
mod timeline;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::document::VERSION;
use crate::runbook::{Event, Trouble, TroubleKind};
use story::Story;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportForm {
    /// A page for a browser and for print.
    Html,
    /// Text for a ticket.
    Markdown,
    /// Data.
    Json,
}

/// A file that is to hold a report, in the form that its name asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    path: PathBuf,
    form: ReportForm,
}

impl ReportFile {
    /// The file of that name.
    ///
    /// # Errors
    /// When the name ends otherwise than in `.html`, `.md` or `.json`.
    pub fn named(path: impl Into<PathBuf>) -> Result<Self, String> {
        let path = path.into();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let form = match ending.as_deref() {
            Some("html" | "htm") => ReportForm::Html,
            Some("md" | "markdown") => ReportForm::Markdown,
            Some("json") => ReportForm::Json,
            _ => return Err("expected a name that ends in .html, .md or .json".to_owned()),
        };
        Ok(Self { path, form })
    }

    /// Whether it can be written, without leaving anything behind.
    fn check(&self) -> Result<(), Trouble> {
        if self.path.is_dir() {
            return Err(self.trouble("it is a directory"));
        }
        self.new_file().map(drop).map_err(|error| self.trouble(&error.to_string()))
    }

    /// Gives the file its whole content at once: a reader sees the old one or the new one.
    fn write(&self, text: &str) -> Result<(), Trouble> {
        let write = || {
            let mut file = self.new_file()?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)
        };
        write().map(drop).map_err(|error| self.trouble(&error.to_string()))
    }

    /// A file beside it that is deleted where it does not get the name.
    fn new_file(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".etcd-scale-").suffix(".part");
        // A report is there to be passed on, so the umask alone decides who may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(parent.unwrap_or(Path::new(".")))
    }

    fn trouble(&self, what: &str) -> Trouble {
        Trouble::new(TroubleKind::Refused, format!("cannot write the report {}: {what}", self.path.display()))
            .advise("name another file with --report")
    }
}

/// What is known of a run before it begins.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportHead {
    /// The verb.
    pub verb: &'static str,
    /// `namespace/name`, or the name alone where the context's namespace is meant.
    pub statefulset: String,
    /// `user@host`.
    pub operator: String,
    /// What the operator typed.
    pub command: String,
}

/// A report in the making, and the files that are to hold it.
#[derive(Debug)]
pub(super) struct RunReport {
    files: Vec<ReportFile>,
    report: Report,
}

/// All that a report tells.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: u32,
    /// The program and its version.
    program: &'static str,
    #[serde(flatten)]
    head: ReportHead,
    /// The address of the API server.
    server: Option<String>,
    started: Timestamp,
    ended: Timestamp,
    exit_code: u8,
    /// One; two where the second took back what the first left half-way.
    runs: Vec<Story>,
    /// Why no run began, or no second one.
    not_begun: Option<NotBegun>,
}

/// Why no run began.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotBegun {
    outcome: &'static str,
    message: String,
    advice: Option<String>,
}

impl RunReport {
    /// An empty report, once it is sure that its files can be written.
    pub(super) fn begin(files: Vec<ReportFile>, head: ReportHead, now: Timestamp) -> Result<Self, Trouble> {
        files.iter().try_for_each(ReportFile::check)?;
        let report = Report {
            version: VERSION,
            program: concat!("etcd-scale ", env!("CARGO_PKG_VERSION")),
            head,
            server: None,
            started: now,
            ended: now,
            exit_code: 0,
            runs: Vec::new(),
            not_begun: None,
        };
        Ok(Self { files, report })
    }

    /// The names of its files, for a sentence.
    pub(super) fn files(&self) -> String {
        self.files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(" and ")
    }

    /// The API server that was reached.
    pub(super) fn reached(&mut self, server: &str) {
        self.report.server = Some(server.to_owned());
    }

    /// Takes in an event, and when it was.
    pub(super) fn hear(&mut self, event: &Event, now: Timestamp) {
        if let Event::RunStarted { statefulset, goal, dry_run, before, .. } = event {
            self.report.head.statefulset.clone_from(statefulset);
            self.report.runs.push(Story::begin(statefulset, goal, *dry_run, before, now));
        } else if let Some(story) = self.report.runs.last_mut() {
            story.hear(event, now);
        }
    }

    /// What a person was told at the end of the run.
    pub(super) fn closing(&mut self, text: String) {
        if let Some(story) = self.report.runs.last_mut() {
            story.closing = text;
        }
    }

    /// No run began, or no second one.
    pub(super) fn not_begun(&mut self, outcome: &'static str, message: &str, advice: Option<&str>) {
        let (message, advice) = (message.to_owned(), advice.map(str::to_owned));
        self.report.not_begun = Some(NotBegun { outcome, message, advice });
    }

    /// Writes all files, also where one of them cannot be written. The first trouble.
    pub(super) fn end(mut self, exit_code: u8, now: Timestamp) -> Result<(), Trouble> {
        self.report.exit_code = exit_code;
        self.report.ended = now;
        let written = self.files.iter().map(|file| {
            let text = match file.form {
                ReportForm::Html => html::text(&self.report),
                ReportForm::Markdown => markdown::text(&self.report),
                ReportForm::Json => json::text(&self.report),
            };
            let text =
                text.map_err(|what| Trouble::new(TroubleKind::Internal, format!("cannot make the report: {what}")))?;
            file.write(&text)
        });
        written.collect::<Vec<_>>().into_iter().collect()
    }
}

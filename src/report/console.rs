//! The console: hears every event, shows it, asks, and prints results.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::again::again;
use super::commands::Commands;
use super::document::{Document, Lines, VERSION};
use super::prompt::{Line, drop_typed_ahead, read_line, read_password};
use super::run_report::{ReportFile, ReportHead, RunReport};
use super::status::Status;
use super::statuses::Statuses;
use super::text::{BAD, DIM, GOOD, styled};
use super::waiting::{Shown, Unit, Waiting};
use super::{escape::escape, summary, text};
use crate::model::{Goal, Observation};
use crate::runbook::{Event, Interrupt, Proposal, Reply, Reporter, SavedSnapshot, Trouble};

/// The form of results on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document at the end.
    Json,
    /// One event a line.
    Ndjson,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// At a terminal that wants it (`NO_COLOR`, `CLICOLOR`, `TERM`).
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the console speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// The form of results.
    pub format: Format,
    /// Whether text is coloured.
    pub color: Color,
    /// Show commands and bookkeeping too.
    pub verbose: bool,
    /// Show only questions, the end and errors.
    pub quiet: bool,
}

/// A place to write to.
type Writer = Box<dyn Write + Send>;

/// Where everything is shown and asked.
pub struct Console {
    /// For programs.
    out: Writer,
    /// For people.
    err: Writer,
    style: Style,
    waiting: Waiting,
    clock: Box<dyn FnMut() -> Timestamp + Send>,
    lines: Lines,
    document: Document,
    run_report: Option<RunReport>,
    interrupt: Interrupt,
    run: Option<(String, Goal)>,
    commands: Commands,
    /// What was typed to begin the run; empty where it began otherwise.
    typed: Vec<String>,
    /// Whether a run that fails half-way is taken back.
    rollback: bool,
    dry_run: bool,
    /// Why a result could not be written.
    unwritten: Option<io::Error>,
}

impl Console {
    /// A console on the standard streams.
    pub fn new(style: Style, interrupt: Interrupt) -> Self {
        let choice = match style.color {
            Color::Auto => anstream::AutoStream::choice(&std::io::stderr()),
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = std::io::stderr().is_terminal() && !dumb && !style.quiet;
        let waiting = Waiting::new(live, choice != anstream::ColorChoice::Never);
        Self::with(style, interrupt, waiting, Box::new(anstream::stdout()), Box::new(anstream::stderr()))
    }

    /// A console that writes elsewhere, without colours, live lines or anybody to ask.
    pub fn writing_to(style: Style, interrupt: Interrupt, out: Writer, err: Writer) -> Self {
        let plain = |writer| Box::new(anstream::StripStream::new(writer)) as Writer;
        Self::with(style, interrupt, Waiting::new(false, false), plain(out), plain(err))
    }

    fn with(style: Style, interrupt: Interrupt, waiting: Waiting, out: Writer, err: Writer) -> Self {
        Self {
            out,
            err,
            style,
            waiting,
            clock: Box::new(Timestamp::now),
            lines: Lines::default(),
            document: Document::default(),
            run_report: None,
            interrupt,
            run: None,
            commands: Commands::default(),
            typed: Vec::new(),
            rollback: false,
            dry_run: false,
            unwritten: None,
        }
    }

    /// The same by another clock, for events whose times are to be the same every time.
    #[must_use]
    pub fn by_clock(mut self, clock: impl FnMut() -> Timestamp + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The same for somebody who types this to call the program.
    #[must_use]
    pub fn called(mut self, program: &'static str) -> Self {
        self.commands.program = program;
        self
    }

    /// Commands that are advised from now on carry these options, which lead to the same cluster again: `shared` are
    /// kubectl's as well, `own` are not. Those that do not say which StatefulSet they are about carry `set`. Each option
    /// has a space before it.
    pub fn lead_to(&mut self, shared: String, own: String, set: String) {
        (self.commands.shared, self.commands.own, self.commands.set) = (shared, own, set);
    }

    /// Runs from now on are begun by what was typed: these words after the program's name, without a password; or, where
    /// there are none, by something else.
    pub fn begun_by(&mut self, typed: Vec<String>) {
        self.typed = typed;
    }

    /// Whether runs from now on are taken back where they fail half-way.
    pub fn takes_back(&mut self, rollback: bool) {
        self.rollback = rollback;
    }

    /// From now on a report is made of what happens, and written to these files at the end.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn report_to(&mut self, files: Vec<ReportFile>, head: ReportHead) -> Result<(), Trouble> {
        if !files.is_empty() {
            self.run_report = Some(RunReport::begin(files, head, (self.clock)())?);
        }
        Ok(())
    }

    /// The API server was reached at this address.
    pub fn reached(&mut self, server: &str) {
        if let Some(report) = &mut self.run_report {
            report.reached(server);
        }
    }

    /// Whether there is a person at the other end.
    pub fn can_ask() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks for a password at the terminal, without showing it. None where there is nobody to ask, or who is asked
    /// interrupts.
    pub async fn password(&mut self, question: &str) -> Option<String> {
        if !Self::can_ask() {
            return None;
        }
        drop(write!(self.err, "{question}"));
        drop(self.err.flush());
        let password = read_password(&self.interrupt).await;
        self.say("");
        password
    }

    /// Text for people. A reader that has gone away is no error.
    fn say(&mut self, text: &str) {
        let err = &mut self.err;
        self.waiting.suspend(|| drop(writeln!(err, "{text}")));
    }

    /// A result for programs, or for people who asked for it.
    fn print(&mut self, text: &str) {
        match writeln!(self.out, "{text}").and_then(|()| self.out.flush()) {
            // A reader that has gone away has seen enough.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => drop(self.unwritten.get_or_insert(error)),
            _ => {}
        }
    }

    /// Says where a result could not be written, and gives whether that was so.
    pub fn tell_unwritten(&mut self) -> bool {
        let Some(error) = self.unwritten.take() else { return false };
        self.say(&format!("{} cannot write to standard output: {error}", styled(BAD, "error:")));
        true
    }

    fn print_line(&mut self, event: &impl Serialize, now: Timestamp) {
        let line = self.lines.line(event, now);
        self.print(&line.to_string());
    }

    /// Prints what a verb found out, in the form that was asked for: `fields` for programs, `text` for people.
    fn result(&mut self, fields: Value, text: &str) {
        match self.style.format {
            Format::Text => self.print(text),
            Format::Json => {
                let mut document = json!({"version": VERSION});
                if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
                    document.extend(fields);
                }
                self.print(&format!("{document:#}"));
            }
            Format::Ndjson => {
                let now = (self.clock)();
                self.print_line(&fields, now);
            }
        }
    }

    /// Tells programs of a verb that did not come about: where it was to take back a run, in that run's document.
    fn not_begun(&mut self, fields: Value) {
        if self.style.format == Format::Json && !self.document.is_empty() {
            self.document.not_taken_back(fields);
        } else {
            self.result(fields, "");
        }
    }

    /// Shows the state of the cluster.
    pub fn status(&mut self, observation: &Observation) {
        let status = Status::of(observation, &self.commands);
        self.result(json!(status), &status.text());
    }

    /// Shows the state of several StatefulSets, by namespace and name; `namespace` is where they were looked for, none for
    /// everywhere.
    pub fn statuses(
        &mut self,
        namespace: Option<&str>,
        found: &BTreeMap<(String, String), Result<Observation, Trouble>>,
    ) {
        let statuses = Statuses::of(found, &self.commands);
        match self.style.format {
            Format::Text if found.is_empty() => {
                let place = namespace.map_or_else(|| "any namespace".to_owned(), |name| format!("namespace {name}"));
                self.say(&escape(&format!("No StatefulSet in {place} runs etcd.")));
            }
            Format::Ndjson => {
                let now = (self.clock)();
                statuses.documents.iter().for_each(|document| self.print_line(document, now));
            }
            Format::Text | Format::Json => {
                self.result(json!({"statefulsets": statuses.documents}), &statuses.text());
            }
        }
    }

    /// Shows a saved snapshot.
    pub fn snapshot(&mut self, snapshot: &SavedSnapshot) {
        self.waiting.clear();
        let file = escape(&snapshot.file.display().to_string()).into_owned();
        let text = format!("{file}: {} bytes from {}, sha256 {}", snapshot.bytes, snapshot.pod, snapshot.sha256);
        self.result(json!(snapshot), &text);
    }

    /// Says that the cluster is there already.
    pub fn nothing_to_do(&mut self, why: &str) {
        let why = &self.commands.typed(why);
        if let Some(report) = &mut self.run_report {
            report.not_begun("nothing-to-do", why, None);
        }
        let fields = json!({"type": "nothing-to-do", "outcome": "nothing-to-do", "message": why, "exitCode": 0});
        if self.style.format == Format::Text {
            self.say(&format!("{} {}", styled(GOOD, "Nothing to do:"), escape(why)));
        } else {
            self.not_begun(fields);
        }
    }

    /// Says why a verb did not come about.
    pub fn refused(&mut self, trouble: &Trouble, exit_code: u8) {
        self.waiting.clear();
        let mut trouble = trouble.clone();
        self.commands.trouble(&mut trouble);
        let advice = trouble.advice.as_ref().map(|advice| format!("\n  {}", styled(DIM, &format!("-> {advice}"))));
        self.say(&format!("{} {}{}", styled(BAD, "error:"), escape(&trouble.message), advice.unwrap_or_default()));
        let outcome = match exit_code {
            3 => "refused",
            6 => "contradiction",
            7 => "locked",
            130 | 143 => "interrupted",
            _ => "failed",
        };
        if let Some(report) = &mut self.run_report {
            report.not_begun(outcome, &trouble.message, trouble.advice.as_deref());
        }
        if self.style.format != Format::Text {
            let fields = json!({"type": "refused", "outcome": outcome, "trouble": trouble, "exitCode": exit_code});
            self.not_begun(fields);
        }
    }

    /// Shows that it is being found out whether another run lives.
    pub fn locking(&mut self, seen: &str) {
        self.report(&Event::Locking { seen: seen.to_owned() });
    }

    /// Says something to people that is neither an event nor a result.
    pub fn note(&mut self, text: &str) {
        if !self.style.quiet {
            let text = self.commands.typed(text);
            self.say(&text);
        }
    }

    /// Shows how to reach a sandbox that stays.
    pub fn sandbox_started(&mut self, kubeconfig: &Path) {
        let file = kubeconfig.display().to_string();
        self.note("The sandbox is up. To reach it:");
        self.result(json!({"kubeconfig": file}), &format!("export KUBECONFIG={}", escape(&file)));
        self.note("To end it: etcd-scale sandbox down");
    }

    /// Tells whoever started this process that the sandbox is up.
    pub fn sandbox_ready(&mut self, kubeconfig: &Path) {
        self.print(&json!({"version": VERSION, "kubeconfig": kubeconfig.display().to_string()}).to_string());
    }

    /// Prints the document of `-o json`.
    pub fn end(&mut self, exit_code: u8) {
        self.waiting.clear();
        // What kept a run from beginning has been told by itself.
        if self.style.format == Format::Json && !self.document.is_empty() {
            let document = std::mem::take(&mut self.document).end(exit_code);
            self.print(&format!("{document:#}"));
        }
    }

    /// Writes the report. Whether that could be done.
    pub fn write_report(&mut self, exit_code: u8) -> bool {
        self.waiting.clear();
        let Some(report) = self.run_report.take() else { return true };
        let files = report.files();
        match report.end(exit_code, (self.clock)()) {
            Ok(()) => {
                self.note(&format!("The report is in {}", escape(&files)));
                true
            }
            Err(trouble) => {
                self.say(&format!("{} {}", styled(BAD, "error:"), escape(&trouble.message)));
                false
            }
        }
    }

    fn show_wait(&mut self, shown: &Shown<'_>) {
        let (until, seen) = (escape(shown.until), escape(shown.seen));
        let shown = Shown { until: &until, seen: &seen, ..*shown };
        if let Some(line) = self.waiting.show(&shown)
            && !self.style.quiet
        {
            self.say(&format!("       {line}"));
        }
    }
}

impl Reporter for Console {
    fn report(&mut self, event: &Event) {
        // The report and the events have the same times.
        let now = (self.clock)();
        let event = &*self.commands.in_event(event);
        match self.style.format {
            Format::Ndjson => self.print_line(event, now),
            Format::Json => self.document.hear(event),
            Format::Text => {}
        }
        if let Some(report) = &mut self.run_report {
            report.hear(event, now);
        }
        self.waiting.hear(event);
        match event {
            Event::RunStarted { statefulset, goal, dry_run, .. } => {
                self.run = Some((statefulset.clone(), goal.as_ref().clone()));
                self.dry_run = *dry_run;
            }
            Event::Waiting { until, seen, progress, seconds, limit_seconds, .. } => {
                let (progress, time) = (*progress, Some((*seconds, *limit_seconds)));
                return self.show_wait(&Shown { until, seen, progress, unit: Unit::Entries, time });
            }
            Event::Locking { seen } => {
                let shown = Shown { until: "the lock", seen, progress: None, unit: Unit::Entries, time: None };
                return self.show_wait(&shown);
            }
            Event::ChangeProgress { change, done, total } => {
                let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
                let (seen, progress) = (format!("{done}{of} bytes"), total.map(|total| (*done, total)));
                return self.show_wait(&Shown { until: change, seen: &seen, progress, unit: Unit::Bytes, time: None });
            }
            Event::LookProgress { done, total, .. } => {
                let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
                let (seen, progress) = (format!("{done}{of} keys"), total.map(|total| (*done, total)));
                let until = "the keys to be compared";
                return self.show_wait(&Shown { until, seen: &seen, progress, unit: Unit::Entries, time: None });
            }
            Event::RunEnded { summary } => {
                self.waiting.clear();
                if let Some((statefulset, goal)) = &self.run {
                    let again = again(&self.typed, summary, statefulset, goal, &self.commands);
                    let text = summary::closing(summary, statefulset, goal, &again, self.rollback, &self.commands);
                    if let Some(report) = &mut self.run_report {
                        report.closing(anstream::adapter::strip_str(&text).to_string());
                    }
                    self.say(&format!("\n{text}"));
                }
                return;
            }
            _ => {}
        }
        // A dry run is asked for its plan, so it is shown in full.
        let asked_for = self.dry_run && matches!(event, Event::Planned { .. });
        if let Some(text) = text::lines(event, self.style.verbose || asked_for) {
            self.waiting.clear();
            if asked_for || !self.style.quiet {
                self.say(&text);
            }
        }
    }

    async fn confirm(&mut self, proposal: &Proposal, observation: &Observation) -> Reply {
        self.waiting.clear();
        if !Self::can_ask() {
            return Reply::Nobody;
        }
        self.say(&text::question(proposal));
        loop {
            drop_typed_ahead();
            drop(write!(self.err, "      Make this change? [y]es, [N]o, [d]etails, [a]ll: "));
            drop(self.err.flush());
            match read_line(&self.interrupt).await {
                Line::Reply(reply) => return reply,
                Line::Details => {
                    let command = self.commands.command(&proposal.change.command(observation));
                    let undo = self.commands.typed(&proposal.change.undo());
                    self.say(&text::question_details(proposal, &command, &undo));
                }
                Line::Other => self.say("      Please answer yes, no, details or all."),
            }
        }
    }
}

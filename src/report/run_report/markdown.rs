//! The report as text for a ticket: GitHub's Markdown, readable as it stands too.

use std::fmt::Write as _;

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::super::escape::escape;
use super::Report;
use super::templates::{environment, lasting, render};
use super::timeline::Timeline;
use crate::model::PodPhase;

/// So many characters are the length of a run.
const WIDTH: usize = 48;

/// The text.
pub(super) fn text(report: &Report) -> Result<String, String> {
    let mut environment = environment(Some(harmless))?;
    environment.add_filter("code", |text: &str| Value::from_safe_string(code(text)));
    environment.add_filter("block", |text: &str| Value::from_safe_string(block(text)));
    let pictures: Vec<_> = report.runs.iter().map(|story| picture(&story.timeline)).collect();
    render(&environment, include_str!("report.md.j2"), context! { report => Value::from(Serde(report)), pictures })
}

/// Text that means nothing to Markdown, in one line.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let in_a_word = before.is_some_and(char::is_alphanumeric);
        match c {
            '\n' => shown.push(' '),
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            // A quotation, at the beginning.
            '>' if before.is_none() => shown.push_str("&gt;"),
            '_' if in_a_word && rest.peek().is_some_and(|next| next.is_alphanumeric()) => shown.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' => shown.extend(['\\', c]),
            // Somebody's name would be called at.
            '@' if !in_a_word => shown.push_str("&#64;"),
            _ => shown.push(c),
        }
        before = Some(c);
    }
    shown
}

/// The longest run of backticks in a text.
fn backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Code within a line.
fn code(text: &str) -> String {
    let text = escape(text).replace('\n', " ");
    let fence = "`".repeat(backticks(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Lines that stay as they are.
fn block(text: &str) -> String {
    let text = escape(text);
    let fence = "`".repeat((backticks(&text) + 1).max(3));
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

/// The timeline in characters.
fn picture(timeline: &Timeline) -> String {
    let spans = timeline.steps.iter().chain(&timeline.leaders).map(|span| &span.name);
    let names = spans.chain(timeline.pods.iter().map(|lane| &lane.pod));
    let widest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:widest$}  0{:>WIDTH$}\n", "", lasting(timeline.seconds));
    for step in &timeline.steps {
        let row = row(timeline, [(step.from, step.to, '#')]);
        let _ = writeln!(text, "{:widest$} |{row}| {}", step.name, lasting(step.to - step.from));
    }
    for lane in &timeline.pods {
        let row = row(timeline, lane.spans.iter().map(|span| (span.from, span.to, letter(span.phase))));
        let restarts = match lane.restarts.len() {
            0 => String::new(),
            1 => " restarted".to_owned(),
            times => format!(" restarted {times} times"),
        };
        let _ = writeln!(text, "{:widest$} |{row}|{restarts}", lane.pod);
    }
    let mut leaders: Vec<&str> = timeline.leaders.iter().map(|span| span.name.as_str()).collect();
    leaders.sort_unstable();
    leaders.dedup();
    for name in leaders {
        let spans = timeline.leaders.iter().filter(|span| span.name == name);
        let row = row(timeline, spans.map(|span| (span.from, span.to, '*')));
        let _ = writeln!(text, "{name:widest$} |{row}| leads");
    }
    for lane in &timeline.learners {
        let seen: Vec<_> = [lane.points.first(), lane.points.last().filter(|_| lane.points.len() > 1)]
            .into_iter()
            .flatten()
            .map(|point| format!("{} of {} at {}", point.applied, point.leader, lasting(point.at)))
            .collect();
        let _ = writeln!(text, "{} had applied {}", lane.name, seen.join(", "));
    }
    text
}

fn letter(phase: PodPhase) -> char {
    match phase {
        PodPhase::Ready => '=',
        PodPhase::NotReady => '.',
        PodPhase::Terminating => 'x',
    }
}

/// A row of characters; what comes later is written over what was before.
fn row(timeline: &Timeline, spans: impl IntoIterator<Item = (f64, f64, char)>) -> String {
    let mut row = vec![' '; WIDTH];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a small number"
    )]
    let column = |at: f64| ((at / timeline.seconds.max(0.001)).clamp(0.0, 1.0) * WIDTH as f64) as usize;
    for (from, to, letter) in spans {
        let from = column(from).min(WIDTH - 1);
        let to = column(to).clamp(from + 1, WIDTH);
        row[from..to].fill(letter);
    }
    row.into_iter().collect()
}

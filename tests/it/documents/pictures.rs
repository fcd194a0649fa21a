//! Pictures of a terminal in the documents, from a run at one: `make docs` draws them, and here they are compared.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use regex::Regex;
use rexpect::session::PtySession;
use vt100::{Cell, Color, Parser};

use super::story::{QUESTION, SILENCE, Sandbox, Story, hold, lead};
use super::text::form;

/// Where they are, from the top of the repository.
const PLACE: &str = ".github/pictures";

/// Names of all pictures that the story below draws.
pub(super) const PICTURES: &[&str] = &["question", "waiting"];

/// The window.
const ROWS: u16 = 30;
const COLUMNS: u16 = 104;

/// A drawing of the live view begins so: it goes up, or takes its line away.
const DRAWING: &str = r"\x1b\[\d*A|\r\x1b\[2K";

/// How long the live view may take to show what it should.
const LIMIT: Duration = Duration::from_millis(SILENCE);

/// A program at a terminal, and what its window shows.
struct Terminal {
    session: PtySession,
    window: Parser,
}

impl Terminal {
    fn of(story: &Story, line: &str) -> Self {
        let mut shell = story.command(&format!("stty cols {COLUMNS} rows {ROWS}; {line}"));
        shell.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        let session = rexpect::session::spawn_command(shell, Some(SILENCE)).expect("it starts");
        let mut terminal = Self { session, window: Parser::new(cells(ROWS), cells(COLUMNS), 0) };
        terminal.shows(&format!("\x1b[1m$ {line}\x1b[0m\r\n"));
        terminal
    }

    /// Takes what the session has read, which has made a character of every byte.
    fn shows(&mut self, text: &str) {
        let bytes: Vec<u8> = text.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        self.window.process(&bytes);
    }

    /// Reads until it asks.
    #[track_caller]
    fn asks(&mut self) {
        let before = self.session.exp_string(QUESTION).expect("a question");
        self.shows(&before);
        self.shows(QUESTION);
    }

    #[track_caller]
    fn answer(&mut self, answer: &str) {
        self.session.send_line(answer).expect("it listens");
        // The terminal does not echo.
        self.shows(&format!("{answer}\r\n"));
    }

    /// Reads drawing after drawing of the live view until a whole one shows what it should.
    #[track_caller]
    fn comes_to_show(&mut self, shown: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < LIMIT, "it does not come to show that:\n{}", self.window.screen().contents());
            let (drawn, next) = self.session.exp_regex(DRAWING).expect("it draws on");
            self.shows(&drawn);
            if shown(&self.window.screen().rows(0, COLUMNS).collect::<Vec<_>>()) {
                // The next drawing has only begun.
                return;
            }
            self.shows(&next);
        }
    }

    /// Compares what the window shows, from the row with a text on, with the picture of this name.
    #[track_caller]
    fn looks_like(&self, name: &str, from: &str, story: &Story) {
        assert!(PICTURES.contains(&name), "{name} is in no list");
        let drawn = drawn(&self.window, from, story);
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PLACE).join(format!("{name}.svg"));
        let stands = fs::read_to_string(&file).unwrap_or_default();
        if same(&drawn) == same(&stands) {
            return;
        }
        assert!(
            std::env::var_os("DOCS_UPDATE").is_some(),
            "{} shows another run; `make docs` draws it anew\n--- the picture\n{}\n--- the run\n{}",
            file.display(),
            same(&stands),
            same(&drawn)
        );
        fs::create_dir_all(file.parent().expect("a directory")).expect("it can be made");
        fs::write(&file, drawn).expect("it can be written");
    }
}

fn cells(count: u16) -> NonZeroU16 {
    count.try_into().expect("a window has cells")
}

/// A picture without what differs from one run to the next: numbers, the spinner, and what etcd was asked twice for.
fn same(picture: &str) -> String {
    let varying = [("<(svg|text) [^>]*>", ""), ("[\u{2800}-\u{28ff}]", "*"), (r"\d+:\d\d left", "<time> left")];
    let picture = varying.iter().fold(picture.to_owned(), |picture, (pattern, form)| {
        Regex::new(pattern).unwrap().replace_all(&picture, *form).into_owned()
    });
    form(&picture.lines().filter(|row| !row.contains("not yet: ")).collect::<Vec<_>>().join("\n"))
}

/// How a cell is written: its colour, and how strong.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Look {
    color: &'static str,
    bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let color = match cell.fgcolor() {
            Color::Idx(1 | 9) => "#ff7b72",
            Color::Idx(2 | 10) => "#7ee787",
            Color::Idx(3 | 11) => "#e3b341",
            Color::Idx(6 | 14) => "#76e3ea",
            _ if cell.dim() => "#8b949e",
            _ => "#e6edf3",
        };
        Self { color, bold: cell.bold() }
    }
}

/// The window from a row on as an SVG, a line of the file for each row.
#[track_caller]
fn drawn(window: &Parser, from: &str, story: &Story) -> String {
    /// Of a cell, in pixels.
    const ADVANCE: f64 = 7.83;
    const LINE: u16 = 18;
    const MARGIN: u16 = 14;
    let screen = window.screen();
    let first =
        screen.rows(0, COLUMNS).position(|row| row.contains(from)).unwrap_or_else(|| panic!("no row has {from}"));
    let rows: Vec<String> = (0..ROWS).skip(first).map(|row| row_of(screen, row)).collect();
    let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    let (width, height) = (
        f64::from(COLUMNS) * ADVANCE + 2.0 * f64::from(MARGIN),
        u16::try_from(used).expect("a window is small") * LINE + 2 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (at, row) in rows[..used].iter().enumerate() {
        let y = MARGIN + 13 + u16::try_from(at).expect("a window is small") * LINE;
        let row = story.in_the_documents_words(row);
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\">{row}</text>").expect("it is a string");
    }
    svg.push_str("</svg>\n");
    svg
}

/// A row's text in spans of one look each, without what is empty at its end.
fn row_of(screen: &vt100::Screen, row: u16) -> String {
    let mut spans: Vec<(Look, String)> = Vec::new();
    for cell in (0..COLUMNS).filter_map(|column| screen.cell(row, column)) {
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match spans.last_mut() {
            // A blank has any look.
            Some((look, span)) if text == " " || *look == Look::of(cell) => span.push_str(text),
            _ => spans.push((Look::of(cell), text.to_owned())),
        }
    }
    let mut written = String::new();
    let last = spans.len().saturating_sub(1);
    for (at, (look, text)) in spans.iter().enumerate() {
        let text = if at == last { text.trim_end() } else { text };
        if text.is_empty() {
            continue;
        }
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        write!(written, "<tspan fill=\"{}\"{weight}>{text}</tspan>", look.color).expect("it is a string");
    }
    written
}

/// Two questions, and a wait for a pod whose volume is held back.
#[test]
#[ignore = "needs the sandbox"]
fn a_run_at_a_terminal() {
    let sandbox = Sandbox::with(&["rok"]);
    let story = Story::of(sandbox.kubeconfig.clone());
    lead(&story, "rok", "rok-etcd-0");
    hold(&story);

    let mut terminal = Terminal::of(&story, "etcd-scale up --sts rok-etcd -n rok --snapshot before.db");
    terminal.asks();
    terminal.answer("y");
    terminal.asks();
    terminal.answer("y");
    terminal.asks();
    terminal.looks_like("question", "add-learner", &story);

    terminal.answer("all");
    terminal.comes_to_show(|rows| rows.iter().any(|row| row.starts_with("        rok-etcd-2  not scheduled")));
    terminal.looks_like("waiting", "patch-statefulset", &story);
}

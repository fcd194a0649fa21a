//! Pictures of a terminal in the documents, from a run at one: `make docs` draws them, and here they are compared.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;
use rexpect::process::PtyProcess;
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::{Cell, Color, Parser, Screen};

use super::story::{QUESTION, SILENCE, Sandbox, Story, hold, lead};
use super::text::form;

/// Where they are, from the top of the repository.
const PLACE: &str = ".github/pictures";

/// Names of all pictures that the story below draws.
pub(super) const PICTURES: &[&str] = &["question", "waiting"];

/// The window.
const ROWS: u16 = 30;
const COLUMNS: u16 = 104;

/// A program at a terminal, and what its window shows.
struct Terminal {
    /// Ends the program when dropped.
    _process: PtyProcess,
    keys: File,
    output: Receiver<Vec<u8>>,
    window: Parser,
}

impl Terminal {
    fn of(story: &Story, line: &str) -> Self {
        let mut shell = story.command(&format!("stty -echo cols {COLUMNS} rows {ROWS}; {line}"));
        shell.env_remove("NO_COLOR").env("TERM", "xterm-256color");
        let process = PtyProcess::new(shell).expect("it starts");
        let keys = process.get_file_handle().expect("it has a terminal");
        let mut screen = keys.try_clone().expect("it can be read too");
        let (read, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // At the program's end this fails.
            while let Ok(length) = screen.read(&mut buffer) {
                if length == 0 || read.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut window = Parser::new(cells(ROWS), cells(COLUMNS), 0);
        window.process(format!("\x1b[1m$ {line}\x1b[0m\r\n").as_bytes());
        Self { _process: process, keys, output, window }
    }

    /// Reads until the window shows what it should.
    #[track_caller]
    fn comes_to_show(&mut self, what: &str, shown: impl Fn(&Screen) -> bool) {
        let ends = Instant::now() + Duration::from_millis(SILENCE);
        while !shown(self.window.screen()) {
            let left = ends.saturating_duration_since(Instant::now());
            let Ok(read) = self.output.recv_timeout(left) else {
                panic!("it does not come to show {what}:\n{:#?}", rows(self.window.screen()));
            };
            self.window.process(&read);
        }
    }

    /// Reads until it asks.
    #[track_caller]
    fn asks(&mut self) {
        self.comes_to_show("a question", |screen| {
            let (row, _) = screen.cursor_position();
            rows(screen)[usize::from(row)].ends_with(QUESTION)
        });
    }

    #[track_caller]
    fn answer(&mut self, answer: &str) {
        writeln!(self.keys, "{answer}").expect("it listens");
        // The terminal does not echo.
        self.window.process(format!("{answer}\r\n").as_bytes());
    }

    /// Gives the window another width while the program runs.
    #[track_caller]
    fn resize(&mut self, columns: u16) {
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keys, size).expect("it can be resized");
        self.window.screen_mut().set_size(cells(ROWS), cells(columns));
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

fn rows(screen: &Screen) -> Vec<String> {
    screen.rows(0, screen.size().1.get()).collect()
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

/// Whether the window ends with the wait for Rok's third pod, a row for each line. A drawing is whole where the last row
/// is, which is longer than any window here.
fn waits_for_the_third(screen: &Screen) -> bool {
    let rows = rows(screen);
    let used = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    let [.., wait, first, second, third] = &rows[..used] else { return false };
    wait.contains("pod rok-etcd-2 is not schedule")
        && wait.ends_with(" left")
        && first.starts_with("        rok-etcd-0  ready")
        && second.starts_with("        rok-etcd-1  ready")
        && third.starts_with("        rok-etcd-2  not scheduled")
        && third.chars().count() == usize::from(screen.size().1.get())
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
    terminal.comes_to_show("a pod that waits", waits_for_the_third);
    terminal.looks_like("waiting", "patch-statefulset", &story);

    // Each line is cut to the window and has one row, once what was under way for the other width is past.
    for columns in [48, 80] {
        terminal.resize(columns);
        terminal.comes_to_show("lines as wide as the window", waits_for_the_third);
    }
}

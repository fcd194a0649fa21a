//! The documents' own text: its transcripts, and the form in which two of them are the same.

use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::{Captures, Regex};

/// Every document that shows commands, from the top of the repository.
pub(super) const DOCUMENTS: &[&str] =
    &["README.md", "HANDBOOK.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", "CHANGELOG.md"];

/// Transcripts are of several tests, and of one file.
static WRITING: Mutex<()> = Mutex::new(());

/// A document's text.
#[track_caller]
pub(super) fn read(document: &str) -> String {
    fs::read_to_string(path(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn path(document: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(document)
}

/// A transcript in a document: a comment with its name, and the block below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) name: String,
    /// How much of the run it shows.
    view: View,
    pub(super) text: String,
    /// Where the text stands in the document, in lines.
    lines: std::ops::Range<usize>,
}

/// How much of a run is shown. The document says so beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Whole,
    /// Checks that passed are left out.
    WithoutOk,
    /// The steps, what each came to, and the end.
    Outline,
    /// The plan and what follows, long patches cut short.
    Plan,
}

impl View {
    fn of(text: &str, view: Self) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        match view {
            Self::Whole => {}
            Self::WithoutOk => lines.retain(|line| !line.starts_with("    ok ")),
            Self::Outline => lines.retain(|line| OUTLINE.is_match(line)),
            Self::Plan => {
                let plan = lines.iter().position(|line| *line == "Plan").expect("a plan");
                lines.drain(1..plan);
            }
        }
        let text = lines.join("\n");
        if view == Self::Plan { PATCH.replace_all(&text, "-p '...'").into_owned() } else { text }
    }
}

static PATCH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)-p '.*'$").unwrap());

static OUTLINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\$ |etcd-scale: |\d+/\d+ |    done |Done: )").unwrap());

/// The transcripts of a document, in order.
#[track_caller]
pub(super) fn blocks(document: &str, text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(comment) = line.strip_prefix("<!-- transcript: ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let (name, view) = match comment.split_once(", ") {
            None => (comment, View::Whole),
            Some((name, "without ok")) => (name, View::WithoutOk),
            Some((name, "outline")) => (name, View::Outline),
            Some((name, "plan")) => (name, View::Plan),
            Some((_, other)) => panic!("{document}: a view that is not known: {other}"),
        };
        assert_eq!(lines.get(at + 1), Some(&"```console"), "{document}: no block follows {comment}");
        let first = at + 2;
        let end = lines[first..].iter().position(|line| *line == "```").expect("the block ends") + first;
        let (name, text) = (name.to_owned(), lines[first..end].join("\n"));
        blocks.push(Block { name, view, text, lines: first..end });
    }
    blocks
}

/// Compares a run with every block of its name. With `DOCS_UPDATE` set, blocks that show something else are written
/// anew.
#[track_caller]
pub(super) fn compare(name: &str, run: &str) {
    let update = std::env::var_os("DOCS_UPDATE").is_some();
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut shown = false;
    for document in DOCUMENTS {
        let mut text = read(document);
        let count = blocks(document, &text).len();
        for index in 0..count {
            let block = blocks(document, &text).swap_remove(index);
            if block.name != name {
                continue;
            }
            shown = true;
            let run = View::of(run, block.view);
            if form(&run) == form(&block.text) {
                continue;
            }
            assert!(
                update,
                "{document} shows another run of {name}; `make docs` writes it anew\n--- the document\n{}\n--- the \
                 run\n{}",
                form(&block.text),
                form(&run)
            );
            let mut lines: Vec<&str> = text.lines().collect();
            lines.splice(block.lines, run.lines());
            text = format!("{}\n", lines.join("\n"));
            fs::write(path(document), &text).expect("it can be written");
        }
    }
    assert!(shown, "no document shows the transcript {name}");
}

/// What differs from one run to the next, and what is put in its place.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b\d{4}-?\d\d-?\d\dT[0-9:.]+Z", "<time>"),
        (r"\b\d+(\.\d+)? ?(s|ms)\b", "<time>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
        (r"\b[0-9a-f]{64}\b", "<sha256>"),
        (r"\b[0-9a-f]{13,16}\b", "<id>"),
        (r"\b[0-9a-f]{8}\b", "<hash>"),
        (r"\b\d+(\.\d+)? (bytes|MB)\b", "<size>"),
        (r"applied \d+, the leader is at \d+", "<pace>"),
        // A pod that starts anew makes its claim, which may be bound before anybody looks.
        (r"(claim \S+ is bound to volume|none to make: storage class \S+ makes the volume of) \S+", "<volume>"),
        // A slow machine leaves the leader out.
        (r"hashes equal on .*", "hashes equal"),
        (r"data equal where hashed", "data equal"),
        // Advice depends on the etcd at hand.
        (r"\d+ checks passed.* \(", "<count> ("),
        (r"\d+ of \d+ findings", "<count> findings"),
        (r"revision \d+", "revision <revision>"),
    ]
    .map(|(pattern, form)| (Regex::new(pattern).unwrap(), form))
    .into()
});

/// Lines that come and go: waits, and what is said of the etcd at hand.
static FLEETING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^ +(waiting for |not yet: |(ok|advice) +version )").unwrap());

/// A member's columns in a table of `status`: restarts, id, version, size, index.
static ROW: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\S+-\d+ +\S+) +\d+ +(old|new) +\S+ +(\w+ +.+?) +(?:\d\S+|-) +(?:\d\S+|-) +(?:\d+|-)( |$)").unwrap()
});

/// The text with fixed forms for all that differs from one run to the next.
pub(super) fn form(text: &str) -> String {
    let mut formed = String::new();
    for line in text.lines().filter(|line| !FLEETING.is_match(line)) {
        let line =
            ROW.replace(line, |row: &Captures<'_>| format!("{} {} <id> {} <numbers> ", &row[1], &row[2], &row[3]));
        let mut line = line.into_owned();
        for (varying, form) in VARYING.iter() {
            line = varying.replace_all(&line, *form).into_owned();
        }
        // Columns are as wide as what stands in them.
        let indent = line.len() - line.trim_start().len();
        let words: Vec<_> = line.split_whitespace().collect();
        formed.push_str(&" ".repeat(indent));
        formed.push_str(&words.join(" "));
        formed.push('\n');
    }
    formed
}

#[test]
fn what_differs_from_run_to_run_has_one_form() {
    let one = "    done saved to /srv/backup/before.db and verified (0.1 s)\n       waiting for the new member to join, 0 of \
               600 s: pod rok-etcd-2 is not created yet\nrok-etcd-0  2/2  0  new  8e9e05c52164694d  leader  ok  3.4.23  \
               0.0M  12  -";
    let other = "    done saved to /srv/backup/before.db and verified (12.4 s)\nrok-etcd-0  2/2  0  new  91bc3c398fb3c146  \
                 leader  ok  3.5.16  0.1M  7  -";
    assert_eq!(form(one), form(other));
    assert_ne!(form(one), form(&one.replace("leader", "voter")));
    assert_ne!(form(one), form(&one.replace("verified", "saved")));
}

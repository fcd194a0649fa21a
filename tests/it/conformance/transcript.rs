//! What a scenario saw, in words that are the same in every run, and how it is compared with what is expected.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::differences::{DIFFERENCES, Difference, Where};

/// Which API server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Sandbox,
    /// A real one, of Kubernetes 1.`minor`.
    Real {
        minor: u32,
    },
}

impl Server {
    /// Reads `/version`.
    pub(super) fn of(version: &Value) -> Self {
        let text = |field: &str| version[field].as_str().unwrap_or_default();
        if text("gitVersion").ends_with("sandbox") {
            return Self::Sandbox;
        }
        let minor: String = text("minor").chars().take_while(char::is_ascii_digit).collect();
        Self::Real { minor: minor.parse().expect("a minor version") }
    }
}

/// The lines of a scenario.
#[derive(Default)]
pub(super) struct Transcript {
    scenario: String,
    server: Option<Server>,
    /// Words of this run, longest first, and what is written for them.
    words: Vec<(String, String)>,
    lines: Vec<String>,
}

impl Transcript {
    pub(super) fn begin(&mut self, scenario: &str, server: Server) {
        scenario.clone_into(&mut self.scenario);
        self.server = Some(server);
    }

    pub(super) fn learn(&mut self, word: &str, stable: &str) {
        if word.is_empty() || self.words.iter().any(|(known, _)| known == word) {
            return;
        }
        self.words.push((word.to_owned(), stable.to_owned()));
        self.words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    pub(super) fn title(&mut self, title: &str) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.lines.push(format!("# {title}"));
    }

    pub(super) fn note(&mut self, line: &str) {
        let line = self.words.iter().fold(line.to_owned(), |line, (word, stable)| line.replace(word, stable));
        self.lines.push(stable(&line).trim_end().to_owned());
    }

    /// # Panics
    /// When the lines are not the expected ones.
    pub(super) fn compare(self) {
        let Self { scenario, server, mut lines, .. } = self;
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let mut over = Vec::new();
        if let Some(Server::Real { minor }) = server {
            for difference in DIFFERENCES.iter().filter(|difference| difference.concerns(&scenario)) {
                if !translate(&mut lines, difference) && difference.occurs(minor) {
                    over.push(format!("{:?} ({})", difference.real, difference.why));
                }
            }
        }
        settings.bind(|| insta::assert_snapshot!(scenario.as_str(), lines.join("\n")));
        assert!(over.is_empty(), "differences that are listed and no longer occur in {scenario}:\n{}", over.join("\n"));
    }
}

impl Difference {
    fn concerns(&self, scenario: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    /// Whether the real one must say what is listed for it. One that is listed for all scenarios need not be in each.
    fn occurs(&self, minor: u32) -> bool {
        let holds = match self.holds {
            Where::Before(version) => minor < version,
            Where::Everywhere => true,
        };
        holds && !self.scenarios.is_empty()
    }
}

/// Puts the sandbox's words in the place of a real one's, wherever they stand. Whether they stood anywhere. One line for
/// one line may be a part of it.
fn translate(lines: &mut Vec<String>, difference: &Difference) -> bool {
    let Difference { real, sandbox, .. } = difference;
    let mut found = false;
    if let ([real], [sandbox]) = (real, sandbox) {
        for line in lines.iter_mut().filter(|line| line.contains(real)) {
            *line = line.replace(real, sandbox);
            found = true;
        }
        return found;
    }
    let mut at = 0;
    while at + real.len() <= lines.len() {
        if !lines[at..at + real.len()].iter().zip(*real).all(|(line, real)| line.trim_start() == *real) {
            at += 1;
            continue;
        }
        let indent = " ".repeat(lines[at].len() - lines[at].trim_start().len());
        lines.splice(at..at + real.len(), sandbox.iter().map(|line| format!("{indent}{line}")));
        (at, found) = (at + sandbox.len(), true);
    }
    found
}

/// The text without uids, times and addresses.
fn stable(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-:.".contains(letter);
    let mut stable = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let size = rest.find(|letter| is_part(letter) != is_part(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(size);
        // Versions of objects are told in parentheses.
        let version = stable.ends_with('(') && after.starts_with(')') && word.bytes().all(|byte| byte.is_ascii_digit());
        stable.push_str(&if version { "VERSION".to_owned() } else { one(word) });
        rest = after;
    }
    stable
}

fn one(word: &str) -> String {
    // An address may have a port after it, a uid something before it.
    if word.len() >= 36
        && word.is_char_boundary(word.len() - 36)
        && uuid::Uuid::try_parse(&word[word.len() - 36..]).is_ok()
    {
        return format!("{}UID", &word[..word.len() - 36]);
    }
    if word.len() >= 20 && word.parse::<jiff::Timestamp>().is_ok() {
        return "TIME".to_owned();
    }
    let (address, port) = word.split_once(':').map_or((word, String::new()), |(a, port)| (a, format!(":{port}")));
    match address.parse::<Ipv4Addr>() {
        Ok(address) if !address.is_loopback() && !address.is_unspecified() => format!("ADDRESS{port}"),
        _ => word.to_owned(),
    }
}

#[test]
fn what_every_run_has_of_its_own_is_named() {
    let text = "uid 0191c5a4-7c1e-4a56-8f6d-0d2c3b4a5968, from 10.1.2.3:2379 at 2026-01-01T00:00:00Z, 127.0.0.1";
    assert_eq!(stable(text), "uid UID, from ADDRESS:2379 at TIME, 127.0.0.1");
}

#[test]
fn a_listed_difference_is_put_right_wherever_it_is() {
    let difference =
        Difference { scenarios: &["x"], real: &["b", "c"], sandbox: &["B"], holds: Where::Everywhere, why: "" };
    let mut lines: Vec<String> = ["a", "  b", "  c", "b", "b", "c"].map(str::to_owned).into();
    assert!(translate(&mut lines, &difference));
    assert_eq!(lines, ["a", "  B", "b", "B"]);
    assert!(!translate(&mut lines, &difference));
    let part = Difference { real: &["B"], sandbox: &["C"], ..difference };
    assert!(translate(&mut lines, &part));
    assert_eq!(lines, ["a", "  C", "b", "C"]);
}

//! What the documents name is there: checks, exit codes, results for programs, options, commands, links, transcripts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use super::pictures::PICTURES;
use super::text::{DOCUMENTS, blocks, read};
use super::transcripts::TRANSCRIPTS;

/// The part of a document below a heading, down to the next of its kind.
#[track_caller]
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    rest.split("\n## ").next().unwrap_or_default()
}

/// The first cells of a section's tables, where they are code.
fn first_cells(section: &str) -> BTreeSet<String> {
    let cell = Regex::new(r"(?m)^\| `([a-z-]+)`").unwrap();
    cell.captures_iter(section).map(|row| row[1].to_owned()).collect()
}

/// The ids of checks in the sources of a step. Each is named where it is made.
fn ids(sources: &[&str]) -> BTreeSet<String> {
    let made = Regex::new(r#"(?:Check::new\(|\bid: |\bfinding\()"([a-z-]+)""#).unwrap();
    let mut found = BTreeSet::new();
    for source in sources {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/steps").join(source);
        let mut files = vec![path.clone()];
        if path.is_dir() {
            files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        }
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.extend(made.captures_iter(code).map(|id| id[1].to_owned()));
        }
    }
    found
}

#[test]
fn the_handbook_has_every_check_and_no_other() {
    let handbook = read("HANDBOOK.md");
    let prechecks = ids(&["precheck"]);
    assert!(prechecks.len() > 25, "the checks were not found: {prechecks:?}");
    assert_eq!(first_cells(section(&handbook, "Checks before a change")), prechecks);
    assert_eq!(first_cells(section(&handbook, "Proofs after a change")), ids(&["verify.rs", "keys.rs"]));
}

#[test]
fn the_handbook_has_every_exit_code_and_no_other() {
    let handbook = read("HANDBOOK.md");
    let code = Regex::new(r"(?m)^\| ([0-9, ]+) \|").unwrap();
    let told: BTreeSet<u8> = code
        .captures_iter(section(&handbook, "How a run can end"))
        .flat_map(|row| row[1].split(", ").map(|code| code.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    let exits = source("cli/exit.rs");
    let constant = Regex::new(r"pub\(super\) const [A-Z_]+: u8 = (\d+);").unwrap();
    let mut codes: BTreeSet<u8> = constant.captures_iter(&exits).map(|code| code[1].parse().unwrap()).collect();
    assert!(codes.len() > 8, "the exit codes were not found: {codes:?}");
    // Of the signals.
    codes.extend([130, 143]);
    assert_eq!(told, codes);
}

/// A source file's code.
fn source(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap()
}

/// What follows a declaration, to its end.
#[track_caller]
fn declared<'a>(source: &'a str, declaration: &str) -> &'a str {
    let (_, rest) = source.split_once(declaration).unwrap_or_else(|| panic!("no {declaration}"));
    rest.split("\n}").next().unwrap_or_default()
}

/// The words in `text` that `pattern` finds, in lower case, with `between` where a capital began a part of one.
fn worded(text: &str, pattern: &str, between: &str) -> BTreeSet<String> {
    let capital = Regex::new("[A-Z]").unwrap();
    let written = |word: &str| {
        let word = capital.replace_all(word, |found: &regex::Captures| format!("{between}{}", found[0].to_lowercase()));
        word.trim_start_matches(between).to_owned()
    };
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| written(&found[1])).collect()
}

#[test]
fn the_handbook_has_every_outcome_event_and_field_and_no_other() {
    let handbook = read("HANDBOOK.md");
    let section = section(&handbook, "Results for programs");
    let tables: Vec<&str> = section.split("\n\n").filter(|part| part.starts_with("| ")).collect();
    let code = Regex::new("`([a-zA-Z-]+)`").unwrap();
    let told = |head: &str| -> BTreeSet<String> {
        let table = tables.iter().find(|table| table.starts_with(&format!("| {head} |"))).expect(head);
        let cells = table.lines().filter_map(|line| line.split(" | ").next());
        cells.flat_map(|cell| code.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect()
    };
    let (events, document) = (source("runbook/event.rs"), source("report/document.rs"));
    let variant = r"(?m)^    ([A-Z][A-Za-z]+)[ ,]";
    // Of a run that did not begin.
    let mut outcomes = worded(declared(&events, "pub enum Outcome {"), variant, "-");
    outcomes.insert("nothing-to-do".to_owned());
    assert_eq!(told("outcome"), outcomes);
    let mut types = worded(declared(&events, "pub enum Event {"), variant, "-");
    types.extend(["nothing-to-do", "refused"].map(str::to_owned));
    assert_eq!(told("type"), types);
    let summary = declared(&events, "pub struct Summary {");
    let mut fields: BTreeSet<String> = Regex::new(r"pub ([a-z_]+):")
        .unwrap()
        .captures_iter(summary)
        .map(|field| field[1].to_owned())
        .chain(worded(declared(&document, "impl Document {"), r#"insert\("([a-zA-Z]+)""#, "_"))
        .collect();
    assert!(fields.len() > 15, "the fields were not found: {fields:?}");
    fields.insert("version".to_owned());
    let told: BTreeSet<String> =
        told("field").iter().map(|field| worded(field, "(.+)", "_").into_iter().collect()).collect();
    assert_eq!(told, fields);
}

/// The commands that a document shows, with what they are typed at.
fn commands(text: &str) -> Vec<Vec<String>> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("$ etcd-scale "));
    typed
        .map(|line| {
            let line = line.split(" # ").next().unwrap_or_default();
            shlex::split(line).unwrap_or_else(|| panic!("a quotation has no end: {line}"))
        })
        .collect()
}

#[test]
fn every_command_is_understood() {
    let mut seen = 0;
    let place = tempfile::tempdir().unwrap();
    for document in DOCUMENTS {
        for words in commands(&read(document)) {
            // These would start something, or need no cluster.
            if ["sandbox", "completions", "man"].contains(&words[0].as_str()) {
                continue;
            }
            seen += 1;
            let output = Command::new(env!("CARGO_BIN_EXE_etcd-scale"))
                .args(&words)
                .env_remove("KUBECONFIG")
                .env("HOME", "/nonexistent")
                .current_dir(&place)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            // It gets as far as it can without a cluster; what is wrong with a command is told with this.
            assert!(!said.contains("try '--help'"), "{document}: {}: {said}", words.join(" "));
            assert_ne!(output.status.code(), Some(0), "{document}: {}", words.join(" "));
        }
    }
    assert!(seen > 15, "the documents show hardly any command");
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in DOCUMENTS {
        let text = read(document);
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let here = Path::new(document).parent().unwrap();
            let file = if file.is_empty() { root.join(document) } else { root.join(here).join(file) };
            assert!(file.exists(), "{document} leads to {target}, which is not there");
            if heading.is_empty() {
                continue;
            }
            let there = fs::read_to_string(file).unwrap();
            let mut headings = there.lines().filter(|line| line.starts_with('#'));
            let leads = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
            assert!(leads, "{document} leads to {target}, and there is no such heading");
        }
    }
}

#[test]
fn every_transcript_is_told_and_every_story_shown() {
    let all: Vec<_> = DOCUMENTS.iter().flat_map(|document| blocks(document, &read(document))).collect();
    let shown: BTreeSet<&str> = all.iter().map(|block| block.name.as_str()).collect();
    assert_eq!(shown, TRANSCRIPTS.iter().copied().collect());
    for block in &all {
        assert!(block.text.starts_with("$ etcd-scale "), "{} has no command: {}", block.name, block.text);
    }
}

#[test]
fn every_picture_is_shown() {
    let all: String = DOCUMENTS.iter().map(|document| read(document)).collect();
    for name in PICTURES {
        assert!(all.contains(&format!("(.github/pictures/{name}.svg)")), "no document shows {name}");
    }
}

//! Puts what was measured into README.md, between the marks of its part, with the command that measured it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::setting;

/// What a command of these parts is told by.
const SETTINGS: &[&str] = &["BENCH_ROUNDS", "BENCH_SIZES", "BENCH_FLEET"];

/// A file of the repository.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Rewrites a part.
pub(crate) fn put(part: &str, heading: &str, text: &str) {
    let path = file("README.md");
    let readme = fs::read_to_string(&path).expect("README.md can be read");
    let given = SETTINGS.iter().map(|name| (name, setting(name, ""))).filter(|(_, value)| !value.is_empty());
    let given: Vec<_> = given.map(|(name, value)| format!(" {name}='{value}'")).collect();
    let text =
        format!("\n### {heading}\n\n{}\n\nMeasured by `make bench BENCH={part}{}`.\n", text.trim_end(), given.concat());
    fs::write(&path, between(&readme, part, &text)).expect("README.md can be written");
}

/// The text with what stands between the marks of a part replaced.
fn between(readme: &str, part: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- bench {part} -->\n"), format!("<!-- end of bench {part} -->"));
    let (before, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("README.md has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md has no {end}"));
    format!("{before}{begin}{text}{end}{after}")
}

//! Building an overlay, with the program that is there for it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::process::{is_there, run};

/// How long a build may take; remote bases are fetched meanwhile.
const LIMIT: Duration = Duration::from_secs(60);

/// The programs that build, in the order in which they are looked for, and how they are told to.
const BUILDERS: &[(&str, &str)] = &[("kustomize", "build"), ("kubectl", "kustomize")];

/// The objects that an overlay builds.
///
/// # Errors
/// What the builder complains of, or that there is none.
pub(super) async fn build(overlay: &Path) -> Result<Vec<Value>, String> {
    let Some((program, word)) = BUILDERS.iter().find(|(program, _)| is_there(program, overlay)) else {
        return Err("neither kustomize nor kubectl was found to build it with".to_owned());
    };
    // From within, because a path with `.git/` or `_git` in it is taken for a repository's address.
    let said = run(program, &[word, "."], overlay, &[], LIMIT).await?;
    if !said.well {
        return Err(first_lines(&said.complaint));
    }
    let text = String::from_utf8_lossy(&said.out);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
        .map_err(|error| format!("what it builds is no YAML: {}", first_lines(&error.to_string())))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The beginning of a complaint; builders repeat it with more and more around it.
fn first_lines(text: &str) -> String {
    text.trim_start_matches("error: ").lines().take(3).map(str::trim).collect::<Vec<_>>().join(" ")
}

//! Git: the program, asked in forms that do not depend on the operator's configuration.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{Said, run};

/// How long a question to git may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long git may take to commit or push: hooks and signatures are included.
const LIMIT_OF_WRITING: Duration = Duration::from_secs(300);

/// A repository's work tree.
#[derive(Debug, Clone)]
pub(super) struct Git {
    /// Its top directory.
    pub(super) top: PathBuf,
}

impl Git {
    /// The work tree that a directory is in.
    ///
    /// # Errors
    /// What git says where it is in none.
    pub(super) async fn of(directory: &Path) -> Result<Self, String> {
        let here = Self { top: directory.to_owned() };
        let top = here.line(&["rev-parse", "--show-toplevel"]).await?;
        Ok(Self { top: PathBuf::from(top) })
    }

    async fn run(&self, arguments: &[&str], variables: &[(&str, &OsStr)], limit: Duration) -> Result<Said, String> {
        let quiet: [(&str, &OsStr); 2] =
            [("GIT_OPTIONAL_LOCKS", OsStr::new("0")), ("GIT_TERMINAL_PROMPT", OsStr::new("0"))];
        let variables = [&quiet[..], variables].concat();
        // Paths are data here, not patterns.
        let arguments = [&["--literal-pathspecs"][..], arguments].concat();
        run("git", &arguments, &self.top, &variables, limit).await
    }

    /// What git prints, as it stands.
    ///
    /// # Errors
    /// What it complains of.
    pub(super) async fn output(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.output_with(arguments, &[]).await
    }

    pub(super) async fn output_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &OsStr)],
    ) -> Result<Vec<u8>, String> {
        let said = self.run(arguments, variables, LIMIT).await?;
        if said.well { Ok(said.out) } else { Err(said.complaint) }
    }

    /// What git prints, as one text without the line break at its end.
    pub(super) async fn line(&self, arguments: &[&str]) -> Result<String, String> {
        let out = self.output(arguments).await?;
        Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
    }

    /// Has git write something.
    pub(super) async fn write(&self, arguments: &[&str]) -> Result<(), String> {
        let said = self.run(arguments, &[], LIMIT_OF_WRITING).await?;
        if said.well { Ok(()) } else { Err(said.complaint) }
    }

    /// What the last commit has under a path; none where it has nothing, or no text.
    pub(super) async fn committed(&self, path: &str) -> Option<String> {
        let bytes = self.output(&["cat-file", "blob", &format!("HEAD:{path}")]).await.ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Paths that are not as the last commit has them, those it does not know among them.
    pub(super) async fn changed(&self) -> Result<Vec<String>, String> {
        let out = self.output(&["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"]).await?;
        let text = String::from_utf8_lossy(&out);
        Ok(text.split('\0').filter_map(|entry| entry.get(3..)).map(str::to_owned).collect())
    }
}

//! A copy of the last commit in a directory of its own, to try in what a new commit would build. It leaves nothing in
//! the repository: no work tree is registered there, and the index is a file of the copy's own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::git::Git;
use crate::model::FileEdit;

/// The copy. It goes when dropped.
pub(super) struct Checkout {
    directory: TempDir,
}

impl Checkout {
    /// Copies the last commit.
    ///
    /// # Errors
    /// What git complains of, or why there is no room for it.
    pub(super) async fn of(git: &Git) -> Result<Self, String> {
        let directory = tempfile::Builder::new()
            .prefix("etcd-scale-")
            .tempdir()
            .map_err(|error| format!("no temporary directory: {error}"))?;
        let index = directory.path().join("index");
        let variables = [("GIT_INDEX_FILE", index.as_os_str())];
        git.output_with(&["read-tree", "HEAD"], &variables).await?;
        let checkout = Self { directory };
        let prefix = format!("--prefix={}/", checkout.top().display());
        git.output_with(&["checkout-index", "--all", "--quiet", &prefix], &variables).await?;
        Ok(checkout)
    }

    /// The copy's counterpart of the work tree's top.
    pub(super) fn top(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    /// Writes files into it.
    ///
    /// # Errors
    /// The file that could not be written.
    pub(super) fn write(&self, files: &[FileEdit]) -> Result<(), String> {
        files.iter().try_for_each(|file| put(&self.top().join(&file.path), file.to.as_bytes()))
    }

    /// Brings files to the state that they have in the work tree.
    ///
    /// # Errors
    /// The file that could not be copied.
    pub(super) fn take_over(&self, git: &Git, paths: &[String]) -> Result<(), String> {
        for path in paths {
            let (from, to) = (git.top.join(path), self.top().join(path));
            match fs::read(&from) {
                Ok(bytes) => put(&to, &bytes)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => drop(fs::remove_file(&to)),
                // A directory is a repository within the repository.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    let name = path.file_name().unwrap_or_else(|| OsStr::new("a file"));
    written.map_err(|error| format!("cannot write a copy of {}: {error}", name.to_string_lossy()))
}

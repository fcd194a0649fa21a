//! The commit: files are written whole or not at all, and nothing but them is committed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::git::Git;
use crate::model::FileEdit;
use crate::runbook::{Trouble, TroubleKind};

/// How the names of files begin that are not yet in their place.
const UNFINISHED: &str = ".etcd-scale-";

/// How a new file may be read; an old one stays as it was.
const READABLE: u32 = 0o644;

/// Writes files into the work tree and commits them. Where that fails they are put back.
///
/// # Errors
/// What came back; passing where another git is at work in the repository.
pub(super) async fn commit(git: &Git, files: &[FileEdit], message: &str) -> Result<(), Trouble> {
    for file in files {
        let stands = read(git, file)?;
        if stands != file.from && stands.as_ref() != Some(&file.to) {
            return Err(Trouble::new(TroubleKind::Conflict, format!("{} was changed meanwhile", file.path)));
        }
    }
    for file in files {
        clear_away(&git.top.join(&file.path));
    }
    if let Err(trouble) = files.iter().try_for_each(|file| write(git, file, Some(&file.to))) {
        put_back(git, files).await;
        return Err(trouble);
    }
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let added = git.write(&[&["add", "--"][..], &paths].concat()).await;
    let made = match added {
        Ok(()) => git.write(&[&["commit", "--quiet", "-m", message, "--"][..], &paths].concat()).await,
        Err(said) => Err(said),
    };
    let Err(said) = made else { return Ok(()) };
    // The git of a run that was cut off may have finished the same commit.
    if are_committed(git, files).await {
        return Ok(());
    }
    put_back(git, files).await;
    let last: Vec<&str> = said.lines().rev().take(6).collect();
    let told = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(if said.contains("index.lock") {
        Trouble::new(TroubleKind::NotYet, format!("another git is at work in the deployment repository: {told}"))
            .advise("wait for it; where there is none, remove the file index.lock that it left")
    } else {
        Trouble::new(TroubleKind::Refused, format!("git did not take the commit: {told}"))
            .advise("nothing was committed and the files are as before; mend what it complains of, and run the same command again")
    })
}

/// Pushes what is checked out to its upstream.
///
/// # Errors
/// What git complains of.
pub(super) async fn push(git: &Git, upstream: &str) -> Result<(), Trouble> {
    let refused = |said: String| {
        Trouble::new(TroubleKind::Refused, format!("git did not push to {upstream}: {said}"))
            .advise("the commit stands here; push it by hand, and run the same command again")
    };
    let branch = git.line(&["symbolic-ref", "--short", "HEAD"]).await.map_err(refused)?;
    let remote = git.line(&["config", &format!("branch.{branch}.remote")]).await.map_err(refused)?;
    let place = git.line(&["config", &format!("branch.{branch}.merge")]).await.map_err(refused)?;
    git.write(&["push", "--quiet", &remote, &format!("HEAD:{place}")]).await.map_err(refused)
}

async fn are_committed(git: &Git, files: &[FileEdit]) -> bool {
    for file in files {
        if git.committed(&file.path).await.as_ref() != Some(&file.to) {
            return false;
        }
    }
    true
}

fn read(git: &Git, file: &FileEdit) -> Result<Option<String>, Trouble> {
    match fs::read_to_string(git.top.join(&file.path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::new(TroubleKind::Refused, format!("cannot read {}: {error}", file.path))),
    }
}

/// Puts a text in a file's place at once, or removes the file.
fn write(git: &Git, file: &FileEdit, text: Option<&String>) -> Result<(), Trouble> {
    let path = git.top.join(&file.path);
    let done = match text {
        Some(text) => replace(&path, text),
        None => fs::remove_file(&path),
    };
    done.map_err(|error| Trouble::new(TroubleKind::Refused, format!("cannot write {}: {error}", file.path)))
}

/// Removes what a run that was killed while it wrote has left beside a file.
fn clear_away(path: &Path) {
    let beside = path.parent().and_then(|directory| fs::read_dir(directory).ok());
    for entry in beside.into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mode = fs::metadata(path).map_or(READABLE, |metadata| metadata.permissions().mode());
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

async fn put_back(git: &Git, files: &[FileEdit]) {
    for file in files {
        // What cannot be put back is told of by the next look.
        drop(write(git, file, file.from.as_ref()));
    }
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    drop(git.write(&[&["reset", "--quiet", "--"][..], &paths].concat()).await);
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A repository with one commit of `a.yaml`.
    async fn repository() -> (TempDir, Git) {
        let directory = tempfile::tempdir().unwrap();
        let git = Git { top: directory.path().to_owned() };
        git.write(&["init", "--quiet"]).await.unwrap();
        for (name, value) in [("user.name", "Operator"), ("user.email", "op@example.org"), ("commit.gpgsign", "false")]
        {
            git.write(&["config", name, value]).await.unwrap();
        }
        fs::write(git.top.join("a.yaml"), "size: 2\n").unwrap();
        fs::write(git.top.join("other"), "theirs\n").unwrap();
        git.write(&["add", "--all"]).await.unwrap();
        git.write(&["commit", "--quiet", "-m", "First"]).await.unwrap();
        (directory, git)
    }

    fn files() -> Vec<FileEdit> {
        let edit = |path: &str, from: Option<&str>, to: &str| FileEdit {
            path: path.into(),
            from: from.map(str::to_owned),
            to: to.into(),
        };
        vec![edit("a.yaml", Some("size: 2\n"), "size: 3\n"), edit("b.yaml", None, "state: existing\n")]
    }

    async fn told(git: &Git, arguments: &[&str]) -> String {
        git.line(arguments).await.unwrap()
    }

    #[tokio::test]
    async fn nothing_but_the_files_is_committed() {
        let (_directory, git) = repository().await;
        fs::write(git.top.join("other"), "changed\n").unwrap();
        git.write(&["add", "other"]).await.unwrap();
        // What a run that was killed has written is as good as written now.
        fs::write(git.top.join("a.yaml"), "size: 3\n").unwrap();
        fs::write(git.top.join(format!("{UNFINISHED}x")), "si").unwrap();

        commit(&git, &files(), "Scale etcd to 3 members").await.unwrap();

        assert_eq!(
            told(&git, &["show", "--format=%s", "--name-only"]).await,
            "Scale etcd to 3 members\n\na.yaml\nb.yaml"
        );
        assert_eq!(told(&git, &["status", "--porcelain"]).await, "M  other");
        assert_eq!(git.committed("b.yaml").await.as_deref(), Some("state: existing\n"));
        commit(&git, &files(), "Again").await.expect("what is committed already is no trouble");
        assert_eq!(told(&git, &["log", "--format=%s"]).await, "Scale etcd to 3 members\nFirst");
    }

    #[tokio::test]
    async fn what_a_hook_forbids_leaves_nothing_behind() {
        let (_directory, git) = repository().await;
        let hook = git.top.join(".git/hooks/pre-commit");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, "#!/bin/sh\necho no commits on Fridays >&2\nexit 1\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();

        let trouble = commit(&git, &files(), "Scale etcd to 3 members").await.unwrap_err();

        assert!(trouble.kind == TroubleKind::Refused && trouble.message.contains("no commits on Fridays"), "{trouble}");
        assert_eq!(told(&git, &["status", "--porcelain", "--untracked-files=all"]).await, "");
        assert_eq!(told(&git, &["log", "--format=%s"]).await, "First");
    }

    #[tokio::test]
    async fn another_git_at_work_is_waited_for() {
        let (_directory, git) = repository().await;
        fs::write(git.top.join(".git/index.lock"), "").unwrap();
        let trouble = commit(&git, &files(), "Scale etcd to 3 members").await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::NotYet, "{trouble}");
        assert_eq!(fs::read_to_string(git.top.join("a.yaml")).unwrap(), "size: 2\n");
    }

    #[tokio::test]
    async fn a_file_that_was_changed_meanwhile_is_not_written_over() {
        let (_directory, git) = repository().await;
        fs::write(git.top.join("a.yaml"), "size: 5\n").unwrap();
        let trouble = commit(&git, &files(), "Scale etcd to 3 members").await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Conflict, "{trouble}");
        assert!(!git.top.join("b.yaml").exists());
    }
}

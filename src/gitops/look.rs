//! The look at the deployment repository: what would be committed, whether it may be, and what that builds.

use std::path::Path;

use serde_json::Value;

use super::checkout::Checkout;
use super::git::Git;
use super::kustomization::{Patch, enable};
use super::overlay::{Repository, below, is_statefulset, kustomization, templates};
use super::process::is_there;
use super::{build::build, template::render};
use crate::model::{Delivery, Deployment, Fact, FileEdit, GitOps, StatefulSet, Upstream};

/// How many paths are worth naming.
const MOST_NAMED: usize = 3;

/// What has to be in the repository, and the files that this is made from.
struct Wanted {
    files: Vec<FileEdit>,
    sources: Vec<String>,
}

/// Looks at the repository for what it has to say of `to` members.
pub(super) async fn look(repository: &Repository, gitops: &GitOps, set: &StatefulSet, to: i32) -> Deployment {
    let mut found = Deployment::default();
    if let Err(fact) = fill(&mut found, repository, gitops, set, to).await {
        found.obstacles.push(fact);
    }
    found
}

/// Fills in what was found, as far as it goes.
///
/// # Errors
/// The fact without which nothing further can be found out.
async fn fill(
    found: &mut Deployment,
    repository: &Repository,
    gitops: &GitOps,
    set: &StatefulSet,
    to: i32,
) -> Result<(), Fact> {
    let git = Git::of(&repository.directory).await.map_err(|said| {
        Fact::new(
            format!("{} is in no git work tree: {said}", repository.directory.display()),
            "name a clone of the deployment repository with --gitops",
        )
    })?;
    if git.line(&["rev-parse", "--verify", "--quiet", "HEAD"]).await.is_err() {
        return Err(Fact::new("the deployment repository has no commit yet", "commit what is deployed first"));
    }
    found.branch = git.line(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await.unwrap_or_default();
    found.upstream = upstream(&git).await;
    let wanted = wanted(repository, &git, set, to).await?;
    let paths: Vec<&str> = wanted.files.iter().map(|file| file.path.as_str()).collect();
    let changed = git.changed().await.map_err(|said| unreadable(&said))?;
    let dirty = dirty(&git, &wanted, &changed);
    if !dirty.is_empty() {
        found.obstacles.push(Fact::new(
            format!("{} has uncommitted changes", named(&dirty)),
            "commit them or put them away (git stash) first",
        ));
    }
    found.files = wanted.files.iter().filter(|file| file.from.as_ref() != Some(&file.to)).cloned().collect();
    if found.files.is_empty() {
        let arguments = [&["log", "-1", "--format=%h", "--"][..], &paths].concat();
        found.commit = git.line(&arguments).await.ok().filter(|id| !id.is_empty()).map(|id| format!("commit {id}"));
    } else {
        found.obstacles.extend(not_now(&git, found, &paths).await);
    }
    if let Delivery::Command(words) = &gitops.delivery
        && let Some(program) = words.first().filter(|program| !is_there(program, &repository.directory))
    {
        found.obstacles.push(Fact::new(
            format!("the apply command's program {program} was not found"),
            "name one that is on the PATH with --apply-command",
        ));
    }
    let overlay = below(&repository.overlay, &git.top);
    let others: Vec<String> = changed.into_iter().filter(|path| !paths.contains(&path.as_str())).collect();
    found.spec = built(&git, &overlay, &found.files, &others, set).await?;
    Ok(())
}

fn unreadable(said: &str) -> Fact {
    Fact::new(format!("git cannot tell the state of the work tree: {said}"), "see with: git status")
}

/// What the templates render, and the kustomization with their patches enabled, each beside what is committed.
async fn wanted(repository: &Repository, git: &Git, set: &StatefulSet, to: i32) -> Result<Wanted, Fact> {
    let overlay = &repository.overlay;
    let shown = below(overlay, &git.top);
    let unread =
        |error: std::io::Error| Fact::new(format!("{shown} cannot be read: {error}"), "see to its permissions");
    let templates = templates(overlay).map_err(unread)?;
    if templates.is_empty() {
        return Err(Fact::new(
            format!("{shown} has no templates patches/*.yaml.j2 that use ETCD_CLUSTER_SIZE or ETCD_CLUSTER_STATE"),
            "name the overlay that has them with --overlay",
        ));
    }
    let (mut files, mut sources, mut patches) = (Vec::new(), Vec::new(), Vec::new());
    for (template, text) in templates {
        let path = below(&template, &git.top);
        let rendered = render(&path, &text, to)?;
        let document: Value = serde_saphyr::from_str(&rendered).map_err(|error| {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Fact::new(format!("{path} renders to no YAML: {first}"), "mend the template")
        })?;
        let file = path.trim_end_matches(".j2").to_owned();
        let from = below(&template, overlay).trim_end_matches(".j2").to_owned();
        patches.push(Patch { path: from, operations: document.is_array() });
        files.push(FileEdit { from: git.committed(&file).await, path: file, to: rendered });
        sources.push(path);
    }
    let place = kustomization(overlay)
        .ok_or_else(|| Fact::new(format!("{shown} has no kustomization"), "name the overlay with --overlay"))?;
    let path = below(&place, &git.top);
    let from = git
        .committed(&path)
        .await
        .ok_or_else(|| Fact::new(format!("{path} is not committed"), "commit what is deployed first"))?;
    let enabled = enable(&from, &patches, &set.name).map_err(|why| {
        let names: Vec<_> = patches.iter().map(|patch| patch.path.as_str()).collect();
        Fact::new(
            format!("{path} {why}"),
            format!("enable {} in its patches by hand, and commit that", names.join(" and ")),
        )
    })?;
    files.push(FileEdit { path, from: Some(from), to: enabled });
    Ok(Wanted { files, sources })
}

/// Files with changes of somebody's own. What a run that was cut off has written is exactly what is wanted.
fn dirty(git: &Git, wanted: &Wanted, changed: &[String]) -> Vec<String> {
    let theirs = |file: &&FileEdit| {
        let stands = std::fs::read_to_string(git.top.join(&file.path)).ok();
        changed.contains(&file.path) && stands != file.from && stands.as_ref() != Some(&file.to)
    };
    let files = wanted.files.iter().filter(theirs).map(|file| &file.path);
    let sources = wanted.sources.iter().filter(|path| changed.contains(path));
    files.chain(sources).cloned().collect()
}

/// The branch's counterpart elsewhere, as of the last fetch.
async fn upstream(git: &Git) -> Option<Upstream> {
    let name = git.line(&["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"]).await.ok()?;
    let ahead = git.line(&["rev-list", "--count", "@{upstream}..HEAD"]).await.ok()?.parse().ok()?;
    Some(Upstream { name, ahead })
}

/// Operations that leave a file or directory of that name in git's own directory while they are half-done.
const HALF_DONE: &[(&str, &str)] = &[
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
];

/// Why no commit may be made on top of what is checked out.
async fn not_now(git: &Git, found: &Deployment, paths: &[&str]) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (file, operation) in HALF_DONE {
        let place = git.line(&["rev-parse", "--git-path", file]).await;
        if place.is_ok_and(|place| git.top.join(place).exists()) {
            facts.push(Fact::new(
                format!("a git {operation} is under way in the deployment repository"),
                format!("finish it or take it back: git {operation} --abort"),
            ));
            break;
        }
    }
    if found.branch.is_empty() {
        facts.push(Fact::new(
            "no branch is checked out in the deployment repository (detached HEAD)",
            "check out the branch that is deployed: git switch BRANCH",
        ));
    }
    if let Some(upstream) = &found.upstream
        && let Ok(behind) = git.line(&["rev-list", "--count", "HEAD..@{upstream}"]).await
        && behind != "0"
    {
        let how = if upstream.ahead > 0 { "has diverged from" } else { "is behind" };
        facts.push(Fact::new(
            format!("branch {} {how} {}: it lacks {behind} commits", found.branch, upstream.name),
            "bring it up to date first: git pull",
        ));
    }
    if let Err(said) = git.line(&["var", "GIT_COMMITTER_IDENT"]).await {
        let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        facts.push(Fact::new(
            format!("git does not know whose the commit is: {first}"),
            "tell it: git config user.name NAME, git config user.email ADDRESS",
        ));
    }
    if let Ok(ignored) = git.output(&[&["check-ignore", "--"][..], paths].concat()).await {
        let text = String::from_utf8_lossy(&ignored);
        let names: Vec<String> = text.lines().map(str::to_owned).collect();
        facts.push(Fact::new(format!("git ignores {}", named(&names)), "let them be committed: mend .gitignore"));
    }
    facts
}

/// The StatefulSet's `spec` as the overlay builds it with these files. Other changes in the work tree must make no
/// difference to it, because it is the work tree that is applied.
async fn built(
    git: &Git,
    overlay: &str,
    files: &[FileEdit],
    others: &[String],
    set: &StatefulSet,
) -> Result<Value, Fact> {
    let no_copy =
        |said: String| Fact::new(format!("the last commit could not be copied: {said}"), "see with: git status");
    let not_built = |said: String| {
        Fact::new(format!("{overlay} does not build with the rendered patches: {said}"), "see with: kubectl kustomize")
    };
    let checkout = Checkout::of(git).await.map_err(no_copy)?;
    checkout.write(files).map_err(no_copy)?;
    let directory = checkout.top().join(overlay);
    let objects = build_in(&directory).await.map_err(not_built)?;
    if !others.is_empty() {
        checkout.take_over(git, others).map_err(no_copy)?;
        if build_in(&directory).await.ok().as_ref() != Some(&objects) {
            return Err(Fact::new(
                format!("uncommitted changes in {} change what {overlay} builds", named(others)),
                "commit them or put them away (git stash) first",
            ));
        }
    }
    let ours = |object: &&Value| {
        let namespace = object["metadata"]["namespace"].as_str();
        is_statefulset(object, &set.name) && namespace.is_none_or(|namespace| namespace == set.namespace)
    };
    if let Some(object) = objects.iter().find(ours) {
        return Ok(object["spec"].clone());
    }
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let called = |object: &Value| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
    let there: Vec<String> = objects.iter().map(called).collect();
    Err(Fact::new(
        format!("{overlay} builds no StatefulSet {} for namespace {}, but {}", set.name, set.namespace, named(&there)),
        "name the overlay that does with --overlay",
    ))
}

async fn build_in(directory: &Path) -> Result<Vec<Value>, String> {
    if !directory.is_dir() {
        return Err("it is not committed".to_owned());
    }
    build(directory).await
}

/// Some names, and how many more there are.
fn named(list: &[String]) -> String {
    let mut text = list.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        "nothing".clone_into(&mut text);
    }
    if list.len() > MOST_NAMED {
        text = format!("{text} and {} more", list.len() - MOST_NAMED);
    }
    text
}

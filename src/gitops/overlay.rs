//! The overlay: the one directory of the repository whose templates say how large the cluster is.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::build::build;
use super::git::Git;
use super::kustomization::FILES;
use super::template::concerns;

/// How deep the overlay is looked for.
const DEEPEST: usize = 12;

/// A directory with the deployments, and the overlay of one StatefulSet in it.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The directory that was named. The apply command runs there.
    pub(super) directory: PathBuf,
    /// The overlay's directory.
    pub(super) overlay: PathBuf,
    /// The variables that the apply command is given besides its own.
    pub(super) variables: Vec<(String, PathBuf)>,
}

/// Why it is not known which overlay is meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OverlayError {
    /// The directory cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, String),
    /// Nothing there is an overlay of this kind.
    #[error(
        "no directory below {0} has a kustomization and templates patches/*.yaml.j2 that use ETCD_CLUSTER_SIZE or ETCD_CLUSTER_STATE"
    )]
    None(String),
    /// Several are.
    #[error("several overlays may be meant: {}", .0.join(", "))]
    Several(Vec<String>),
    /// What was named is none.
    #[error("{0} has no kustomization")]
    NoKustomization(String),
    /// What was named is elsewhere.
    #[error("{0} is not below {1}")]
    Outside(String, String),
}

impl Repository {
    /// Finds the overlay of a StatefulSet below `directory`: the one that was named, or the only one with templates for
    /// the size; of several the only one that builds such a StatefulSet.
    ///
    /// # Errors
    /// When that is not exactly one.
    pub async fn find(directory: &Path, overlay: Option<&Path>, statefulset: &str) -> Result<Self, OverlayError> {
        let shown = directory.display().to_string();
        let unreadable = |error: std::io::Error| OverlayError::Unreadable(shown.clone(), error.to_string());
        let directory = directory.canonicalize().map_err(unreadable)?;
        let made = |overlay: PathBuf| Self { directory: directory.clone(), overlay, variables: Vec::new() };
        if let Some(named) = overlay {
            let place = directory.join(named);
            return match place.canonicalize().ok().filter(|place| kustomization(place).is_some()) {
                Some(place) if place.starts_with(&directory) => Ok(made(place)),
                Some(place) => Err(OverlayError::Outside(place.display().to_string(), shown)),
                None => Err(OverlayError::NoKustomization(place.display().to_string())),
            };
        }
        let mut found = Vec::new();
        search(&directory, DEEPEST, &mut found);
        if found.len() > 1 {
            let mut building = Vec::new();
            for overlay in &found {
                let built = build(overlay).await.unwrap_or_default();
                if built.iter().any(|object| is_statefulset(object, statefulset)) {
                    building.push(overlay.clone());
                }
            }
            if !building.is_empty() {
                found = building;
            }
        }
        match found.as_slice() {
            [] => Err(OverlayError::None(shown)),
            [overlay] => Ok(made(overlay.clone())),
            several => Err(OverlayError::Several(several.iter().map(|overlay| below(overlay, &directory)).collect())),
        }
    }

    /// The apply command runs with this variable as well.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: PathBuf) -> Self {
        self.variables.push((name.to_owned(), value));
        self
    }

    /// The overlay from the directory that was named, as it is typed there.
    pub fn overlay_from_here(&self) -> String {
        below(&self.overlay, &self.directory)
    }

    /// The overlay from the top of the work tree, which is the same in every clone; from the directory that was named
    /// where that is in no work tree.
    pub async fn overlay_from_top(&self) -> String {
        match Git::of(&self.directory).await {
            Ok(git) => below(&self.overlay, &git.top),
            Err(_) => self.overlay_from_here(),
        }
    }
}

/// Whether a built object is the StatefulSet of that name.
pub(super) fn is_statefulset(object: &serde_json::Value, name: &str) -> bool {
    object["kind"] == "StatefulSet" && object["metadata"]["name"] == name
}

/// A path from one of its parents, with slashes; `.` for that parent itself.
pub(super) fn below(path: &Path, parent: &Path) -> String {
    let text = path.strip_prefix(parent).unwrap_or(path).to_string_lossy().into_owned();
    if text.is_empty() { ".".to_owned() } else { text }
}

/// The kustomization's file in a directory.
pub(super) fn kustomization(directory: &Path) -> Option<PathBuf> {
    FILES.iter().map(|name| directory.join(name)).find(|file| file.is_file())
}

/// The templates of an overlay that have to do with the size, each with its text.
///
/// # Errors
/// When one cannot be read.
pub(super) fn templates(overlay: &Path) -> std::io::Result<Vec<(PathBuf, String)>> {
    let patches = overlay.join("patches");
    if !patches.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(patches)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".yaml.j2") && path.is_file() {
            let text = fs::read_to_string(&path)?;
            if concerns(&text) {
                found.push((path, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn search(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if kustomization(directory).is_some() && templates(directory).is_ok_and(|templates| !templates.is_empty()) {
        found.push(directory.to_owned());
    }
    if depth == 0 {
        return;
    }
    let mut inner: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        // Links could lead in circles.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .map(|entry| entry.path())
        .collect();
    inner.sort();
    for directory in inner {
        search(&directory, depth - 1, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(top: &Path, path: &str, template: &str) {
        let patches = top.join(path).join("patches");
        fs::create_dir_all(&patches).unwrap();
        fs::write(top.join(path).join("kustomization.yaml"), "resources: []\n").unwrap();
        fs::write(patches.join("cluster-size.yaml.j2"), template).unwrap();
    }

    #[tokio::test]
    async fn the_only_overlay_with_such_templates_is_meant() {
        let top = tempfile::tempdir().unwrap();
        let none = Repository::find(top.path(), None, "etcd").await.unwrap_err();
        assert!(matches!(none, OverlayError::None(_)), "{none}");
        overlay(top.path(), "rok/etcd/overlays/deploy", "replicas: {{ ETCD_CLUSTER_SIZE }}");
        overlay(top.path(), "rok/other/overlays/deploy", "replicas: {{ SIZE }}");
        let found = Repository::find(top.path(), None, "etcd").await.unwrap();
        assert_eq!(found.overlay_from_here(), "rok/etcd/overlays/deploy");
        assert_eq!(found.overlay_from_top().await, "rok/etcd/overlays/deploy");
        let named = Repository::find(top.path(), Some(Path::new("rok/other/overlays/deploy")), "etcd").await.unwrap();
        assert_eq!(named.overlay_from_here(), "rok/other/overlays/deploy");
        let inner = top.path().join("rok/other");
        let outside = Path::new("../etcd/overlays/deploy");
        let outside = Repository::find(&inner, Some(outside), "etcd").await.unwrap_err();
        assert!(matches!(outside, OverlayError::Outside(..)), "{outside}");
        let wrong = Repository::find(top.path(), Some(Path::new("rok")), "etcd").await.unwrap_err();
        assert!(matches!(wrong, OverlayError::NoKustomization(_)), "{wrong}");
    }

    #[tokio::test]
    async fn several_are_named() {
        let top = tempfile::tempdir().unwrap();
        for path in ["a", "b"] {
            overlay(top.path(), path, "replicas: {{ ETCD_CLUSTER_SIZE }}");
        }
        let several = Repository::find(top.path(), None, "etcd").await.unwrap_err();
        assert_eq!(several.to_string(), "several overlays may be meant: a, b");
    }
}

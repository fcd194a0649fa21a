//! The deployment repository that a StatefulSet is made from: its patches are rendered, committed, and brought to the
//! cluster by whatever command the operator deploys with.
//!
//! [`WithRepository`] stands in front of a world and does what concerns the repository itself. Git is the `git` program,
//! so that the operator's configuration, hooks and signatures apply; the overlay is built by `kustomize` or `kubectl`.

mod apply_command;
mod build;
mod checkout;
mod commit;
mod git;
mod kustomization;
mod look;
mod overlay;
mod process;
mod template;
mod world;

pub use overlay::{OverlayError, Repository};
pub use world::WithRepository;

/// Reads a text as a file of a deployment repository, for the fuzz target.
#[cfg(fuzzing)]
pub fn fuzz(text: &str) {
    let patch = kustomization::Patch { path: "patches/cluster-size.yaml".to_owned(), operations: true };
    if let Ok(enabled) = kustomization::enable(text, &[patch.clone()], "rok-etcd") {
        // What is enabled is not enabled once more.
        assert_eq!(kustomization::enable(&enabled, &[patch], "rok-etcd").as_ref(), Ok(&enabled));
    }
    if template::concerns(text) {
        let _ = template::render("a.yaml.j2", text, 3);
    }
}

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

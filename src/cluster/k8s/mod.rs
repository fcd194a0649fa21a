//! Kubernetes: the StatefulSet and what belongs to it, by kube.

mod connection;
mod convert;
mod errors;
mod etcds;
mod events;
mod exec;
mod lease;
mod looks;
mod names;
mod read;
mod watch;
mod write;

pub(super) use connection::Connected;
pub use connection::Connection;
#[cfg(fuzzing)]
pub(super) use convert::fuzz;
pub(super) use exec::{Typed, exec};
pub(super) use lease::Lock;
pub use names::Names;
pub(super) use read::Kubernetes;
pub(super) use watch::Watch;

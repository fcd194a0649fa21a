//! What tests on a cluster stand on: clusters of their own to change, the program under test, and ways to look.

mod cluster;
mod kubectl;
mod manifest;
mod namespace;
mod patience;
mod pod_watch;
mod program;
mod standing;

pub(crate) use cluster::{Cluster, is_up};
pub(crate) use kubectl::{kubectl, kubectl_create, kubectl_json, try_kubectl};
pub(crate) use manifest::{CLAIM, Image, Launch, Manifest, SERVICE, SET};
pub(crate) use namespace::Namespace;
pub(crate) use patience::eventually;
pub(crate) use pod_watch::PodWatch;
pub(crate) use program::{Ended, Program, Running, assert_plain};
pub(crate) use standing::{Member, Standing};

/// A setting of the suite from the environment.
pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}

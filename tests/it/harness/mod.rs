//! What tests on a cluster stand on: clusters of their own to change, the program under test, and ways to look.

mod api;
mod certificates;
mod cluster;
mod deployments;
mod kubectl;
mod manifest;
mod namespace;
mod patience;
mod pod_watch;
mod pools;
mod program;
mod standing;
mod writer;

pub(super) use api::{RUNTIME, create, delete, get, list, put, try_get};
pub(super) use certificates::{Pem, Secured};
pub(crate) use cluster::{Cluster, is_up};
pub(crate) use deployments::{APPLY, Deployments, OVERLAY, patch};
pub(super) use kubectl::{kubectl, kubectl_create, try_kubectl};
pub(super) use manifest::{
    CLAIM, GO, Image, Launch, Manifest, ODD_KEY, PEERS_MAP, Peers, SERVICE, SET, path, volume, wal_volume,
};
pub(super) use namespace::Namespace;
pub(super) use patience::eventually;
pub(super) use pod_watch::PodWatch;
pub(super) use pools::{NoPools, Pools};
pub(super) use program::{Ended, Event, Program, Running, assert_plain};
pub(super) use standing::{Member, Standing};
pub(super) use writer::Writer;

/// A setting of the suite from the environment.
pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}

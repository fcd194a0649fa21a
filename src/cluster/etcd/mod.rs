//! etcd: one way to each member, by gRPC through the port-forward or straight to its pod, or by `etcdctl` within it.

mod access;
mod certificate;
mod channel;
mod client;
mod errors;
mod etcdctl;
mod grpc;
mod keys;
mod metrics;
mod paging;
mod reach;
mod read;
mod snapshot;
mod tls;
mod way;
mod write;

pub(super) use client::Etcd;
pub use reach::{Password, Reach, User};

/// Reads a text as whatever etcd, its metrics and its certificates may say.
#[cfg(fuzzing)]
pub(super) fn fuzz(text: &str) {
    etcdctl::fuzz(text);
    metrics::inactive_in(text);
    let _ = certificate::read(text.as_bytes(), Some(text), jiff::Timestamp::UNIX_EPOCH);
}

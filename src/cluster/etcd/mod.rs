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

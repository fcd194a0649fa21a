//! etcd: one gRPC client a member, through the Kubernetes port-forward.

mod client;
mod errors;
mod keys;
mod paging;
mod read;
mod snapshot;
mod tunnel;
mod write;

pub(super) use client::Etcd;

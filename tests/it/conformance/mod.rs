//! The same calls and the same StatefulSets for whatever cluster `KUBECONFIG` names, and one expectation for all: what
//! holds in the sandbox holds on a real cluster.
//!
//! `cargo test --test it conformance:: -- --ignored`, on a real cluster with `--test-threads 2`.
//!
//! A scenario writes what it sees into a transcript, which is compared with the snapshot of its name. Snapshots are the
//! sandbox's words; `differences` is the list of what a real cluster says instead, and why.

mod access;
mod claims;
mod defaults;
mod differences;
mod forms;
mod leases;
mod namespaces;
mod objects;
mod patches;
mod pods;
mod rollouts;
mod room;
mod sets;
mod transcript;
mod validation;
mod watch;
mod watches;

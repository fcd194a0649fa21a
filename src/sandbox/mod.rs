//! A cluster on loopback: etcd's real processes as pods, behind a small Kubernetes API server, in this one program.
//!
//! It is put together as Kubernetes is, so that whatever passes here passes there:
//!
//! - `store`: all objects, versions, changes (etcd's part in a real cluster); knows nothing of what they mean;
//! - `registry`: the rules that all objects follow, and `admission`: those of single kinds. Everybody changes objects
//!   through the registry, and learns of changes by its watch;
//! - `controllers`: StatefulSets, claims and volumes, the scheduler, garbage, namespaces. They see objects and write
//!   objects, nothing else;
//! - `node`: what a node is to a cluster: pods as processes, in namespaces of their own, with names, volumes and probes;
//! - `api`: the API server: addresses, patches, watches, who may do what, and streams into pods;
//! - `faults`: trouble on demand, as objects of a kind of its own (`kubectl apply -f`, and `delete` to end it).

mod admission;
mod api;
mod controllers;
mod faults;
mod kinds;
mod launch;
mod manifest;
mod node;
mod quantity;
mod registry;
mod server;
mod status;
mod store;

pub use launch::{Sandbox, down, hold, up};
pub use server::{KUBECONFIG, Settings, clear_away, isolate, serve};

/// Runs this program as a stage of a container, where its arguments ask for that. To be called before anything else.
pub fn stage() -> Option<std::process::ExitCode> {
    node::stage()
}

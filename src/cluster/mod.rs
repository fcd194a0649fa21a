//! The one place that touches the outside: it observes the cluster, answers looks and applies changes.

mod etcd;
mod k8s;
mod survey;
mod world;

pub use etcd::{Password, Reach, User};
pub use k8s::{Connection, Names};
pub use survey::{Scope, Survey};
pub use world::Cluster;

/// The causes of an error after its own text, innermost last, without repetitions.
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        source = cause.source();
    }
    texts.join(": ")
}

/// Reads a text as whatever Kubernetes and etcd may say, for the fuzz target.
#[cfg(fuzzing)]
pub fn fuzz(text: &str) {
    etcd::fuzz(text);
    k8s::fuzz(text);
}

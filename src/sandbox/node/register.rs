//! The node's own object.

use std::fs;
use std::thread::available_parallelism;

use serde_json::{Value, json};

use super::network::HOST;
use crate::sandbox::kinds;
use crate::sandbox::registry::{Part, Registry, now};
use crate::sandbox::status::Status;

/// What the node says of itself as kubelet's version.
const VERSION: &str = "v1.31.0";

/// Registers the node.
///
/// # Errors
/// When the registry takes no node.
pub(super) fn register(registry: &Registry) -> Result<(), Status> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let node = json!({"metadata": {"name": super::NAME, "labels": {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": super::NAME,
        "kubernetes.io/os": "linux",
    }}, "spec": {}});
    match registry.create(kinds::NODES, "", node, false) {
        Err(error) if error.reason != "AlreadyExists" => return Err(error),
        _ => {}
    }
    let status = status(architecture);
    registry.update(kinds::NODES, "", super::NAME, Part::Status, false, |node| {
        node["status"] = status;
        Ok(())
    })?;
    Ok(())
}

fn status(architecture: &str) -> Value {
    let memory = rustix::system::sysinfo();
    let kibibytes = memory.totalram / 1024 * u64::from(memory.mem_unit);
    let resources = json!({
        "cpu": available_parallelism().map_or(1, usize::from).to_string(),
        "memory": format!("{kibibytes}Ki"),
        "ephemeral-storage": format!("{kibibytes}Ki"),
        "pods": "110",
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now(), "lastTransitionTime": now(),
        })
    };
    let read = |file: &str| fs::read_to_string(file).map(|text| text.trim().to_owned()).unwrap_or_default();
    let system = rustix::system::uname();
    json!({
        "addresses": [
            {"type": "InternalIP", "address": HOST}, {"type": "Hostname", "address": super::NAME},
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "architecture": architecture,
            "operatingSystem": "linux",
            "osImage": "etcd-scale sandbox",
            "kernelVersion": system.release().to_string_lossy(),
            "containerRuntimeVersion": concat!("sandbox://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": VERSION,
            "kubeProxyVersion": VERSION,
            "bootID": read("/proc/sys/kernel/random/boot_id"),
            "machineID": "",
            "systemUUID": "",
        },
    })
}

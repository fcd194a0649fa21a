//! The names that pods find each other by: what cluster DNS would answer, as a file of hosts.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use serde_json::Value;

use super::env::hostname;

/// All names of a cluster, as one namespace sees them.
pub(super) fn lines(services: &[Arc<Value>], pods: &[Arc<Value>], namespace: &str) -> String {
    let mut lines = String::new();
    for service in services {
        let home = service["metadata"]["namespace"].as_str().unwrap_or_default();
        let Some(name) = service["metadata"]["name"].as_str() else { continue };
        let headless = service["spec"]["clusterIP"] == "None";
        for pod in pods.iter().filter(|pod| is_behind(service, pod)) {
            let address = pod["status"]["podIP"].as_str().unwrap_or_default();
            if headless && pod["spec"]["subdomain"] == name && pod["spec"]["hostname"].is_string() {
                line(&mut lines, address, &format!("{}.{name}", hostname(pod)), home, namespace);
            }
            line(&mut lines, address, name, home, namespace);
        }
    }
    lines
}

fn line(lines: &mut String, address: &str, name: &str, home: &str, namespace: &str) {
    let short = if home == namespace { format!(" {name}") } else { String::new() };
    // Writing to text does not fail.
    let _ = writeln!(lines, "{address} {name}.{home} {name}.{home}.svc {name}.{home}.svc.cluster.local{short}");
}

/// Whether a Service's names stand for a pod, as the endpoints controller decides.
fn is_behind(service: &Value, pod: &Value) -> bool {
    let Some(selector) = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty()) else {
        return false;
    };
    let published = service["spec"]["publishNotReadyAddresses"] == true;
    let ends = !pod["metadata"]["deletionTimestamp"].is_null();
    let ended = ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    pod["metadata"]["namespace"] == service["metadata"]["namespace"]
        && selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value)
        && pod["status"]["podIP"].is_string()
        && !ended
        && (published || (is_ready(pod) && !ends))
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// What only the pod itself sees, whatever its state: what kubelet writes.
pub(super) fn own(pod: &Value, address: Ipv4Addr) -> String {
    let name = hostname(pod);
    let full = match (pod["spec"]["subdomain"].as_str(), pod["metadata"]["namespace"].as_str()) {
        (Some(subdomain), Some(namespace)) => format!("{name}.{subdomain}.{namespace}.svc.cluster.local "),
        _ => String::new(),
    };
    format!("127.0.0.1 localhost\n{address} {full}{name}\n")
}

/// Replaces a directory's file of hosts, unless it is as it should be.
pub(super) fn write(directory: &Path, text: &str) -> io::Result<()> {
    let file = directory.join("hosts");
    if fs::read_to_string(&file).is_ok_and(|standing| standing == text) {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    let new = directory.join("hosts.new");
    fs::write(&new, text)?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, address: &str, ready: bool) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name, "namespace": "here", "labels": {"app": "etcd"}},
            "spec": {"hostname": name, "subdomain": "svc"},
            "status": {"podIP": address, "conditions": [{"type": "Ready", "status": if ready {"True"} else {"False"}}]},
        }))
    }

    fn service(published: bool) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": "svc", "namespace": "here"},
            "spec": {"clusterIP": "None", "selector": {"app": "etcd"}, "publishNotReadyAddresses": published},
        }))
    }

    #[test]
    fn ready_pods_have_names() {
        let pods = [pod("p-0", "10.244.0.2", true), pod("p-1", "10.244.0.3", false)];
        let lines = lines(&[service(false)], &pods, "here");
        insta::assert_snapshot!(lines, @r"
        10.244.0.2 p-0.svc.here p-0.svc.here.svc p-0.svc.here.svc.cluster.local p-0.svc
        10.244.0.2 svc.here svc.here.svc svc.here.svc.cluster.local svc
        ");
    }

    #[test]
    fn a_service_may_publish_what_is_not_ready_and_other_namespaces_see_it_by_its_full_name() {
        let lines = lines(&[service(true)], &[pod("p-1", "10.244.0.3", false)], "there");
        insta::assert_snapshot!(lines, @r"
        10.244.0.3 p-1.svc.here p-1.svc.here.svc p-1.svc.here.svc.cluster.local
        10.244.0.3 svc.here svc.here.svc svc.here.svc.cluster.local
        ");
    }

    #[test]
    fn a_pod_that_ends_keeps_its_name_only_where_what_is_not_ready_is_published() {
        let mut ending = (*pod("p-0", "10.244.0.2", true)).clone();
        ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let pods = [Arc::new(ending)];
        assert_eq!(lines(&[service(false)], &pods, "here"), "");
        assert_ne!(lines(&[service(true)], &pods, "here"), "");
    }

    #[test]
    fn a_pod_knows_itself() {
        let text = own(&pod("p-0", "", false), Ipv4Addr::new(10, 244, 0, 2));
        assert_eq!(text, "127.0.0.1 localhost\n10.244.0.2 p-0.svc.here.svc.cluster.local p-0\n");
    }
}

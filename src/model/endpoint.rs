//! How to reach etcd inside a pod: which port its clients use, and the host that its certificate names.

use super::config_file::expanded;
use super::{Container, Observation, Pod, ordinal_of};

/// Ports on which the container may serve clients, likeliest first: what its flags and variables say, then its declared
/// ports, then etcd's default. Which one it is, is known when a member answers there.
pub fn client_ports(container: &Container) -> Vec<u16> {
    let mut ports = Vec::new();
    let mut offer = |port: Option<u16>| {
        if let Some(port) = port.filter(|port| !ports.contains(port)) {
            ports.push(port);
        }
    };
    let configured = |flag: &str, variable: &str| {
        container.flag(flag).or_else(|| container.literal(variable).map(str::to_owned)).unwrap_or_default()
    };
    for urls in [
        configured("advertise-client-urls", "ETCD_ADVERTISE_CLIENT_URLS"),
        configured("listen-client-urls", "ETCD_LISTEN_CLIENT_URLS"),
    ] {
        for url in urls.split(',') {
            offer(port_of(url));
        }
    }
    for (name, port) in &container.ports {
        if name.as_deref().is_some_and(|name| name.contains("client")) {
            offer(Some(*port));
        }
    }
    offer(Some(2379));
    ports
}

/// Hosts by which clients know the member in a pod; its certificate has to name one of them.
///
/// What the member advertises, as the member list has it, else as the template says. Before either is known, the names
/// that the pod has in its Service: nobody else has those.
pub fn client_hosts(observation: &Observation, pod: &Pod) -> Vec<String> {
    let set = &observation.statefulset;
    let of_pod = |urls: &[String]| urls.iter().any(|url| ordinal_of(url, &set.name) == Some(pod.ordinal));
    let listed = observation.members.known().and_then(|members| {
        let member = members.list.iter().find(|member| of_pod(&member.peer_urls))?;
        Some(hosts(member.client_urls.iter().map(String::as_str)))
    });
    if let Some(hosts) = listed.filter(|hosts| !hosts.is_empty()) {
        return hosts;
    }
    let said = set.template.etcd().and_then(|(_, container)| advertised(container, &pod.name));
    if let Some(hosts) = said.map(|urls| hosts(urls.split(','))).filter(|hosts| !hosts.is_empty()) {
        return hosts;
    }
    let (name, service, namespace) = (&pod.name, &set.service_name, &set.namespace);
    let domains = [format!("{namespace}.svc"), format!("{namespace}.svc.cluster.local"), namespace.clone()];
    domains.into_iter().map(|domain| format!("{name}.{service}.{domain}")).collect()
}

/// The client URLs that a pod's member will advertise, where the template alone tells.
pub(super) fn advertised(container: &Container, pod: &str) -> Option<String> {
    let variable = || container.literal("ETCD_ADVERTISE_CLIENT_URLS").map(str::to_owned);
    expanded(container, &container.flag("advertise-client-urls").or_else(variable)?, pod, 0)
}

fn hosts<'a>(urls: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut hosts: Vec<String> = urls.filter_map(host_of).map(str::to_owned).collect();
    hosts.dedup();
    hosts
}

/// The host in a URL, an IPv6 address without its brackets.
pub fn host_of(url: &str) -> Option<&str> {
    let authority = authority_of(url);
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    (!host.is_empty()).then_some(host)
}

/// The port at the end of a URL's authority.
fn port_of(url: &str) -> Option<u16> {
    authority_of(url).rsplit_once(':')?.1.parse().ok()
}

/// Host and port of a URL, with or without a scheme.
pub fn authority_of(url: &str) -> &str {
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn flags_come_before_the_default() {
        let container = Container {
            args: vec!["etcd --listen-client-urls http://0.0.0.0:4001,http://127.0.0.1:2379".into()],
            ports: vec![(Some("client".into()), 5001), (Some("peer".into()), 2380)],
            ..Container::default()
        };
        assert_eq!(client_ports(&container), [4001, 2379, 5001]);
        assert_eq!(port_of("https://[::1]:2379/x"), Some(2379));
        assert_eq!(port_of("http://host"), None);
    }

    #[test]
    fn hosts_stand_between_scheme_and_port() {
        assert_eq!(host_of("https://etcd-0.peers.ns.svc:2379/x"), Some("etcd-0.peers.ns.svc"));
        assert_eq!(host_of("https://[fd00::1]:2379"), Some("fd00::1"));
        assert_eq!(host_of(" http://host"), Some("host"));
        assert_eq!(host_of(""), None);
    }

    #[test]
    fn the_template_may_tell_what_is_advertised() {
        let said = |flag: &str| {
            let args = vec![format!("etcd --advertise-client-urls={flag} --x")];
            advertised(&Container { args, ..Container::default() }, "etcd-2")
        };
        assert_eq!(said("https://${HOSTNAME}.peers:2379").as_deref(), Some("https://etcd-2.peers:2379"));
        assert_eq!(said("https://$me:2379"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(url in "\\PC*|[-a-c:/.@\\[\\]0-9 ]{0,30}", text in "\\PC*|[-a-z=,:/$(){}'\" 0-9]{0,40}") {
            let host = host_of(&url);
            prop_assert!(host.is_none_or(|host| url.contains(host)));
            prop_assert!(url.contains(authority_of(&url)));
            let _ = port_of(&url);
            let args = vec![format!("etcd --listen-client-urls {text} --advertise-client-urls={url}")];
            let container = Container { args, ..Container::default() };
            prop_assert!(client_ports(&container).contains(&2379));
            let _ = advertised(&container, &text);
        }
    }
}

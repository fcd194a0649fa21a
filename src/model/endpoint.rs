//! How to reach etcd inside a pod: which port its clients use.

use super::Container;

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

/// The port at the end of a URL's authority.
fn port_of(url: &str) -> Option<u16> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
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
}

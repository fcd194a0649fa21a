//! etcd's metrics, for the one thing that it tells nowhere else: which peers a member holds inactive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::channel::stream;
use super::client::{Etcd, Found};
use crate::model::{Known, MemberId, Observation};

/// How long reading them may take.
const READING: Duration = Duration::from_secs(5);

/// How much is read: a busy member's are a few hundred KB.
const MOST_BYTES: u64 = 8 << 20;

/// 1 where the member is connected to the peer (`server/etcdserver/api/rafthttp/peer_status.go`).
const ACTIVE_PEERS: &str = "etcd_network_active_peers{";

impl Etcd {
    /// Which other members each member holds inactive, going by those that tell.
    pub(in crate::cluster) async fn inactive_peers(
        &self,
        observation: &Observation,
    ) -> Known<BTreeMap<String, Vec<MemberId>>> {
        let asked = observation.pods.iter().filter_map(|pod| Some((pod.name.clone(), self.found(pod)?)));
        let asked = asked.map(|(pod, found)| async move {
            let metrics = tokio::time::timeout(READING, self.metrics(&pod, &found)).await;
            let metrics = metrics.unwrap_or_else(|_| Err(std::io::Error::other("no answer in time")));
            (pod, metrics)
        });
        let mut inactive = BTreeMap::new();
        let mut why = "no member answers".to_owned();
        for (pod, metrics) in futures::future::join_all(asked).await {
            match metrics {
                Ok(text) => drop(inactive.insert(pod, inactive_in(&text))),
                Err(error) => why = format!("cannot read the metrics of {pod}: {error}"),
            }
        }
        if inactive.is_empty() { Known::Unknown(why) } else { Known::Known(inactive) }
    }

    /// With HTTP/1.0 the text ends with the stream.
    async fn metrics(&self, pod: &str, found: &Found) -> std::io::Result<String> {
        let place = found.place.as_ref().ok_or_else(|| std::io::Error::other("exec does not lead there"))?;
        let connector = self.way.as_ref().and_then(|way| way.tls.as_ref()?.connector.as_ref());
        let secured = connector.map(|connector| {
            let mut config = rustls::ClientConfig::clone(connector.config());
            config.alpn_protocols.clear();
            (TlsConnector::from(Arc::new(config)), found.hosts.clone())
        });
        let mut stream = stream(place, pod, secured.as_ref()).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: etcd\r\n\r\n").await?;
        let mut text = Vec::new();
        let read = stream.take(MOST_BYTES).read_to_end(&mut text).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        // Some servers end TLS without a word, which counts for nothing where the text is there.
        if !text.starts_with("HTTP/1.") || text.split_whitespace().nth(1) != Some("200") {
            read?;
            return Err(std::io::Error::other("it serves none there"));
        }
        Ok(text)
    }
}

/// The peers whose gauge is not 1.
pub(super) fn inactive_in(metrics: &str) -> Vec<MemberId> {
    let peer = |line: &str| {
        let (labels, value) = line.strip_prefix(ACTIVE_PEERS)?.split_once('}')?;
        let remote = labels.split(',').find_map(|label| label.trim().strip_prefix("Remote=\"")?.strip_suffix('"'))?;
        let id = u64::from_str_radix(remote, 16).ok()?;
        (value.trim() != "1").then_some(MemberId(id))
    };
    metrics.lines().filter_map(peer).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn peers_that_are_not_active_are_found() {
        let metrics = "HTTP/1.0 200 OK\r\n\r\n# TYPE etcd_network_active_peers gauge\n\
            etcd_network_active_peers{Local=\"8e9e05c52164694d\",Remote=\"91bc3c398fb3c146\"} 0\n\
            etcd_network_active_peers{Local=\"8e9e05c52164694d\",Remote=\"fd422379fda50e48\"} 1\n\
            etcd_network_client_grpc_received_bytes_total 10\n";
        assert_eq!(inactive_in(metrics), [MemberId(0x91bc_3c39_8fb3_c146)]);
        assert!(inactive_in("").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC*|(etcd_network_active_peers\\{|Remote=\"|[,=\"}{ 0-9a-f\\n]){0,30}") {
            let _ = inactive_in(&text);
        }
    }
}

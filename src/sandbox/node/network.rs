//! The pods' network: one bridge, and for each pod a namespace with an address on it. Nothing of it reaches, or is
//! reached from, the machine's own network.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::netns::NetworkNamespace;

/// The node's own address, the bridge's.
pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
const PREFIX: u8 = 16;

/// The bridge, in a namespace of its own.
#[derive(Debug)]
pub(super) struct Network {
    namespace: NetworkNamespace,
    handle: Handle,
    bridge: u32,
    given: AtomicU16,
}

/// A pod's place on the network. The kernel takes it down when the namespace goes.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) namespace: NetworkNamespace,
    pub(super) address: Ipv4Addr,
    /// The bridge's side of the pod's cable.
    port: u32,
}

impl Network {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let (namespace, handle) = NetworkNamespace::create().await.context("cannot make a network namespace")?;
        let made = handle.link().add(LinkBridge::new("pods").build()).execute().await;
        made.context("the kernel makes no bridge (is its module `bridge` there?)")?;
        let bridge = index(&handle, "pods").await?;
        handle.address().add(bridge, IpAddr::V4(HOST), PREFIX).execute().await?;
        Ok(Self { namespace, handle, bridge, given: AtomicU16::new(1) })
    }

    /// A namespace with a new address: a pod that comes back has another, as in a real cluster.
    pub(super) async fn attach(&self) -> anyhow::Result<Attachment> {
        let number = self.next();
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(10, 244, high, low);
        let (namespace, inside) = NetworkNamespace::create().await.context("cannot make a network namespace")?;
        let name = format!("pod{number}");
        let peer = LinkUnspec::new_with_name(&name).setns_by_fd(self.namespace.file().as_raw_fd()).build();
        let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .name("eth0")
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
        inside.link().add(pair.build()).execute().await.context("the kernel makes no veth pair")?;
        let port = index(&self.handle, &name).await?;
        let plugged = LinkUnspec::new_with_index(port).controller(self.bridge).up().build();
        self.handle.link().set(plugged).execute().await?;
        let (own, loopback) = (index(&inside, "eth0").await?, index(&inside, "lo").await?);
        inside.address().add(own, IpAddr::V4(address), PREFIX).execute().await?;
        for link in [loopback, own] {
            inside.link().set(LinkUnspec::new_with_index(link).up().build()).execute().await?;
        }
        Ok(Attachment { namespace, address, port })
    }

    /// Cuts a pod's cable, or mends it.
    pub(super) async fn plug(&self, attachment: &Attachment, plugged: bool) -> anyhow::Result<()> {
        let link = LinkUnspec::new_with_index(attachment.port);
        let link = if plugged { link.up() } else { link.down() };
        Ok(self.handle.link().set(link.build()).execute().await?)
    }

    fn next(&self) -> u16 {
        loop {
            let number = self.given.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            // Not the network's own, the bridge's, or one that looks like a broadcast.
            if number > 1 && !matches!(number & 0xff, 0 | 0xff) {
                return number;
            }
        }
    }
}

async fn index(handle: &Handle, name: &str) -> anyhow::Result<u32> {
    let mut links = Box::pin(handle.link().get().match_name(name).execute());
    let link = links.try_next().await.with_context(|| format!("no link {name}"))?;
    Ok(link.with_context(|| format!("no link {name}"))?.header.index)
}

//! The members' ways: found when first needed, one a member, and kept while their pod lives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::Api;

use super::access::Access;
use super::channel::{Place, channel};
use super::errors::{call, is_learners};
use super::etcdctl::{Etcdctl, OWN_USER};
use super::reach::Reach;
use super::way::Way;
use crate::model::{
    Alarm, Container, Observation, Pod, Via, authority_of, client_hosts, client_ports, host_of, ordinal_of,
};
use crate::runbook::{Trouble, TroubleKind};

/// How long a member may take to check a password, which is made to take long.
pub(super) const AUTHENTICATE: Duration = Duration::from_secs(4);

/// etcd as one StatefulSet runs it.
pub(in crate::cluster) struct Etcd {
    pub(super) pods: Api<ApiPod>,
    pub(super) reach: Reach,
    /// What was found out about how to get there.
    pub(super) way: Option<Way>,
    /// By the pod's uid, so that a recreated pod gets a new one.
    members: HashMap<String, Found>,
    /// Hosts that the members advertise, by pod.
    advertised: HashMap<String, Vec<String>>,
    /// The alarms as last read, and when.
    pub(super) alarms: Option<(Vec<Alarm>, Instant)>,
}

/// A member that has answered.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) access: Access,
    /// Where it is, unless etcdctl finds it.
    pub(super) place: Option<Place>,
    /// The hosts of which its certificate named one.
    pub(super) hosts: Vec<String>,
}

/// One way to try.
pub(super) struct Candidate {
    port: u16,
    hosts: Vec<String>,
}

impl Etcd {
    pub(in crate::cluster) fn new(pods: Api<ApiPod>, reach: Reach) -> Self {
        Self { pods, reach, way: None, members: HashMap::new(), advertised: HashMap::new(), alarms: None }
    }

    /// Whether each question is a process in a pod.
    pub(in crate::cluster) fn by_exec(&self) -> bool {
        self.way.as_ref().is_some_and(|way| way.via == Via::Exec)
    }

    /// The way to a pod's member, where it has answered before.
    pub(super) fn known(&self, pod: &Pod) -> Option<Access> {
        self.members.get(&pod.uid).map(|found| found.access.clone())
    }

    /// The same, with the hosts that were asked for.
    pub(super) fn found(&self, pod: &Pod) -> Option<Found> {
        self.members.get(&pod.uid).cloned()
    }

    pub(super) fn keep(&mut self, pod: &Pod, found: Found) {
        self.members.insert(pod.uid.clone(), found);
    }

    /// Forgets a way that led nowhere, so that the next call finds a new one.
    pub(super) fn forget(&mut self, pod: &Pod) {
        self.members.remove(&pod.uid);
    }

    /// Forgets the ways to pods that are gone.
    pub(super) fn retain(&mut self, pods: &[Pod]) {
        self.members.retain(|uid, _| pods.iter().any(|pod| pod.uid == *uid));
    }

    /// Takes in what the members advertise. The pods whose certificate was checked for other hosts than those.
    pub(super) fn advertise(&mut self, observation: &Observation) -> Vec<Pod> {
        let secured = self.way.as_ref().is_some_and(|way| way.tls.is_some());
        let mut others = Vec::new();
        if observation.members.known().is_none() {
            return others;
        }
        for pod in &observation.pods {
            let hosts = client_hosts(observation, pod);
            let checked = self.members.get(&pod.uid).map(|found| &found.hosts);
            if secured && checked.is_some_and(|checked| *checked != hosts) {
                others.push(pod.clone());
            }
            self.advertised.insert(pod.name.clone(), hosts);
        }
        others
    }

    /// Ways to try in order to find a pod's member, likeliest first.
    pub(super) fn candidates(&self, observation: &Observation, container: &Container, pod: &Pod) -> Vec<Candidate> {
        let hosts = self.advertised.get(&pod.name).cloned().unwrap_or_else(|| client_hosts(observation, pod));
        let exec = self.way.as_ref().is_some_and(|way| way.via == Via::Exec);
        let secured = self.way.as_ref().is_some_and(|way| way.tls.is_some());
        let ports = client_ports(container).into_iter();
        if !exec {
            return ports.map(|port| Candidate { port, hosts: hosts.clone() }).collect();
        }
        // etcdctl takes one host at a time, and without TLS any that leads there will do.
        let local = if secured { None } else { Some("127.0.0.1".to_owned()) };
        let hosts: Vec<String> = local.into_iter().chain(hosts).collect();
        ports.flat_map(|port| hosts.iter().map(move |host| Candidate { port, hosts: vec![host.clone()] })).collect()
    }

    /// A way to try. Over gRPC it connects at its first call, which with a user is that for a token.
    pub(super) async fn dial(&self, container: &Container, pod: &Pod, candidate: &Candidate) -> Result<Found, Trouble> {
        let way = self.way.as_ref();
        let way = way.ok_or_else(|| Trouble::new(TroubleKind::Internal, "no way to etcd was looked for"))?;
        let hosts = candidate.hosts.clone();
        if way.via == Via::Exec {
            let scheme = if way.tls.is_some() { "https" } else { "http" };
            let host = hosts.first().map(String::as_str).unwrap_or_default();
            let endpoint = format!("{scheme}://{host}:{}", candidate.port);
            let user = self.reach.user.clone();
            let etcdctl = Etcdctl::new(self.pods.clone(), &pod.name, container, &endpoint, &way.paths, user);
            return Ok(Found { access: Access::Etcdctl(Box::new(etcdctl)), place: None, hosts });
        }
        let place = match way.via {
            Via::Direct => Place::Address(self.address(pod, candidate.port)?),
            _ => Place::Port { pods: Box::new(self.pods.clone()), port: candidate.port },
        };
        let connector = way.tls.as_ref().and_then(|tls| tls.connector.clone());
        let secured = connector.map(|connector| (connector, hosts.clone()));
        let connect = async |options: Option<ConnectOptions>| {
            let channel = etcd_client::Channel::Tonic(channel(&place, &pod.name, secured.clone()));
            call(&format!("log in at {}", pod.name), AUTHENTICATE, Client::from_channel(channel, options)).await
        };
        let user = self.reach.user.as_ref().map(|user| {
            let password = user.password.exposed();
            ConnectOptions::new().with_user(&user.name, password).with_auto_token_refresh(true)
        });
        let wants_user = user.is_some();
        let (client, authenticated) = match connect(user).await {
            Ok(client) => (client, wants_user),
            Err(trouble) if is_learners(&trouble) => (connect(None).await?, false),
            Err(trouble) => return Err(trouble),
        };
        Ok(Found { access: Access::Grpc { client: Box::new(client), authenticated }, place: Some(place), hosts })
    }

    /// Whether there is a user to give, by the command line or by the container where etcdctl runs.
    pub(super) fn gives_user(&self, container: &Container) -> bool {
        let by_exec = self.way.as_ref().is_some_and(|way| way.via == Via::Exec);
        self.reach.user.is_some() || (by_exec && container.names(OWN_USER))
    }

    /// Where a pod is reached directly: at the endpoint that was given for it, else at its own address.
    fn address(&self, pod: &Pod, port: u16) -> Result<String, Trouble> {
        let nowhere = || Trouble::new(TroubleKind::NotYet, format!("{} has no address yet", pod.name));
        let given = self.reach.endpoints.iter().find(|endpoint| {
            let host = host_of(endpoint).unwrap_or_default();
            let set = pod.name.rsplit_once('-').map_or("", |(set, _)| set);
            Some(host) == pod.address.as_deref() || ordinal_of(host, set) == Some(pod.ordinal)
        });
        if let Some(endpoint) = given {
            let authority = authority_of(endpoint);
            let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            return Ok(if has_port { authority.to_owned() } else { format!("{authority}:{port}") });
        }
        let address = pod.address.as_ref().ok_or_else(nowhere)?;
        Ok(if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") })
    }
}

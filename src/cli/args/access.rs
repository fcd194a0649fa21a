//! Which StatefulSet is meant, in which cluster, and how the API server and etcd are reached.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{statefulset, time_of_a_call};
use crate::cluster::{Connection, Password, Reach, User};
use crate::model::Via;
use crate::report::quoted;

/// Which StatefulSet, in which cluster.
#[derive(Debug, Args)]
pub(in crate::cli) struct Target {
    /// The StatefulSet that runs etcd
    #[arg(long, value_name = "NAME", value_parser = statefulset)]
    pub(in crate::cli) sts: String,

    #[command(flatten)]
    pub(in crate::cli) access: ClusterAccess,
}

/// Which cluster and namespace, and how the API server and etcd are reached.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClusterAccess {
    /// The namespace [default: the context's]
    #[arg(short, long)]
    pub(in crate::cli) namespace: Option<String>,

    /// Kubeconfig file [default: as kubectl's]
    #[arg(long, value_name = "FILE", help_heading = "Kubernetes")]
    pub(in crate::cli) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(in crate::cli) context: Option<String>,

    /// Act as this user
    #[arg(long = "as", value_name = "USER", help_heading = "Kubernetes")]
    pub(in crate::cli) impersonate: Option<String>,

    /// Act as a member of this group; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonate", help_heading = "Kubernetes")]
    pub(in crate::cli) impersonate_groups: Vec<String>,

    /// How long one call may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time_of_a_call, help_heading = "Kubernetes")]
    pub(in crate::cli) request_timeout: Duration,

    #[command(flatten)]
    pub(in crate::cli) etcd: EtcdAccess,
}

/// How etcd is reached; the names and variables are etcdctl's.
#[derive(Debug, Args)]
pub(in crate::cli) struct EtcdAccess {
    /// How to ask the members
    #[arg(long, value_enum, default_value_t, value_name = "WAY", help_heading = "etcd")]
    pub(in crate::cli) via: ViaChoice,

    /// Where the members are with --via direct, each named after its pod [default: the pods' own addresses]
    #[arg(long, env = "ETCDCTL_ENDPOINTS", value_delimiter = ',', value_name = "URL", help_heading = "etcd")]
    pub(in crate::cli) endpoints: Vec<String>,

    /// The container that runs etcd [default: the one that looks like it]
    #[arg(long, value_name = "NAME", help_heading = "etcd")]
    pub(in crate::cli) container: Option<String>,

    /// The authority that the members' certificates are checked against [default: what etcd's own flags name]
    #[arg(long, env = "ETCDCTL_CACERT", value_name = "FILE", help_heading = "etcd")]
    pub(in crate::cli) cacert: Option<PathBuf>,

    /// The certificate to show to the members [default: what etcd's own flags name]
    #[arg(long, env = "ETCDCTL_CERT", value_name = "FILE", requires = "key", help_heading = "etcd")]
    pub(in crate::cli) cert: Option<PathBuf>,

    /// Its key
    #[arg(long, env = "ETCDCTL_KEY", value_name = "FILE", requires = "cert", help_heading = "etcd")]
    pub(in crate::cli) key: Option<PathBuf>,

    /// User of etcd; the password is asked for where neither this nor `ETCDCTL_PASSWORD` has it
    #[arg(
        long,
        env = "ETCDCTL_USER",
        hide_env_values = true,
        value_name = "NAME[:PASSWORD]",
        value_parser = UserName::parse,
        help_heading = "etcd"
    )]
    pub(in crate::cli) user: Option<UserName>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ViaChoice {
    /// Within the cluster direct, where a pod can be reached; else the first of these that is permitted
    #[default]
    Auto,
    /// gRPC through the Kubernetes port-forward
    PortForward,
    /// `etcdctl` in the pods; streams no snapshot and no keys
    Exec,
    /// gRPC to the pods themselves
    Direct,
}

impl ViaChoice {
    fn chosen(self) -> Option<Via> {
        match self {
            Self::Auto => None,
            Self::PortForward => Some(Via::PortForward),
            Self::Exec => Some(Via::Exec),
            Self::Direct => Some(Via::Direct),
        }
    }
}

/// A user of etcd, perhaps with the password.
#[derive(Debug, Clone)]
pub(in crate::cli) struct UserName {
    pub(in crate::cli) name: String,
    pub(in crate::cli) password: Option<Password>,
}

impl UserName {
    #[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
    fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        let (name, password) = match text.split_once(':') {
            Some((name, password)) => (name, Some(Password::new(password))),
            None => (text, None),
        };
        Ok(Self { name: name.to_owned(), password })
    }
}

impl EtcdAccess {
    /// The options that lead to the same members again, as they are typed, each with a space before it. What stands in
    /// variables is there again.
    pub(in crate::cli) fn options(&self) -> String {
        let given = |variable: &str| std::env::var_os(variable).is_some();
        let file = |option: &str, variable: &str, file: &Option<PathBuf>| {
            let file = file.as_ref().filter(|_| !given(variable))?;
            Some(format!(" --{option} {}", quoted(&file.display().to_string())))
        };
        let endpoints = Some(self.endpoints.join(",")).filter(|list| !list.is_empty() && !given("ETCDCTL_ENDPOINTS"));
        let user = self.user.as_ref().filter(|_| !given("ETCDCTL_USER"));
        [
            self.via.chosen().map(|via| format!(" --via {via}")),
            endpoints.map(|list| format!(" --endpoints {list}")),
            self.container.as_ref().map(|name| format!(" --container {name}")),
            file("cacert", "ETCDCTL_CACERT", &self.cacert),
            file("cert", "ETCDCTL_CERT", &self.cert),
            file("key", "ETCDCTL_KEY", &self.key),
            user.map(|user| format!(" --user {}", user.name)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// As the cluster takes it. A user has its password by now.
    pub(in crate::cli) fn reach(&self) -> Reach {
        let user = self.user.clone().map(|user| {
            let password = user.password.unwrap_or_else(|| Password::new(String::new()));
            User { name: user.name, password }
        });
        Reach {
            via: self.via.chosen(),
            endpoints: self.endpoints.clone(),
            container: self.container.clone(),
            cacert: self.cacert.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            user,
        }
    }
}

impl ClusterAccess {
    /// The options of kubectl's that lead to the same cluster again, as they are typed, each with a space before it.
    pub(in crate::cli) fn cluster_options(&self) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|file| ("kubeconfig", file.display().to_string()));
        let context = self.context.clone().map(|context| ("context", context));
        let user = self.impersonate.clone().map(|user| ("as", user));
        let groups = self.impersonate_groups.iter().map(|group| ("as-group", group.clone()));
        let options = [kubeconfig, context, user].into_iter().flatten().chain(groups);
        options.map(|(option, value)| [" --", option, " ", &quoted(&value)].concat()).collect()
    }

    pub(in crate::cli) fn connection(&self) -> Connection {
        Connection {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            impersonate: self.impersonate.clone(),
            impersonate_groups: self.impersonate_groups.clone(),
            request_timeout: self.request_timeout,
        }
    }
}

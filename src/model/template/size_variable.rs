//! Which variable of the template says how large the cluster is.

use super::{Container, ETCD_OWN_VARIABLES, EnvSource, Template};

/// Which variable tells the start script how many members there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SizeVariable {
    /// Exactly one fits.
    One(String),
    /// No literal equals the size and is used by the command.
    None,
    /// Several fit; which one is meant cannot be told from outside.
    Several(Vec<String>),
    /// The operator named one that is not a literal of the container.
    NotThere(String),
}

/// Flags of etcd that take a number, so that a variable of that name is etcd's own and never the cluster's size.
/// From `etcd --help` of 3.4 to 3.7.
const ETCD_NUMERIC_FLAGS: &[&str] = &[
    "SNAPSHOT_COUNT",
    "HEARTBEAT_INTERVAL",
    "ELECTION_TIMEOUT",
    "MAX_SNAPSHOTS",
    "MAX_WALS",
    "QUOTA_BACKEND_BYTES",
    "BACKEND_BATCH_LIMIT",
    "BACKEND_BATCH_INTERVAL",
    "MAX_TXN_OPS",
    "MAX_REQUEST_BYTES",
    "MAX_CONCURRENT_STREAMS",
    "AUTO_COMPACTION_RETENTION",
    "GRPC_KEEPALIVE_MIN_TIME",
    "GRPC_KEEPALIVE_INTERVAL",
    "GRPC_KEEPALIVE_TIMEOUT",
    "SELF_SIGNED_CERT_VALIDITY",
    "BCRYPT_COST",
    "AUTH_TOKEN_TTL",
    "COMPACTION_BATCH_LIMIT",
    "MAX_LEARNERS",
    "EXPERIMENTAL_MAX_LEARNERS",
    "SNAPSHOT_CATCHUP_ENTRIES",
    "EXPERIMENTAL_SNAPSHOT_CATCHUP_ENTRIES",
    "EXPERIMENTAL_COMPACTION_BATCH_LIMIT",
    "VERSION",
];

impl Template {
    /// The variable that must follow the cluster's size.
    ///
    /// It is a literal that equals the size, is used by the command line or another variable, and is no variable of
    /// etcd or etcdctl themselves: changing `ETCDCTL_API=3` at size 3 would break every probe.
    pub fn size_variable(&self, container: &Container, size: i32) -> SizeVariable {
        let size = size.to_string();
        let fitting: Vec<String> = container
            .env
            .iter()
            .filter(|var| matches!(&var.source, EnvSource::Literal(value) if value.trim() == size))
            .filter(|var| !belongs_to_etcd(&var.name))
            .filter(|var| container.uses(&var.name))
            .map(|var| var.name.clone())
            .collect();
        match fitting.len() {
            0 => SizeVariable::None,
            1 => SizeVariable::One(fitting.into_iter().next().unwrap_or_default()),
            _ => SizeVariable::Several(fitting),
        }
    }
}

impl Container {
    /// Whether the command line or another variable uses `$NAME`, `${NAME...}` or `$(NAME)`.
    fn uses(&self, name: &str) -> bool {
        let in_values = self.env.iter().filter(|var| var.name != name).filter_map(|var| var.source.literal());
        self.command_line().chain(in_values).any(|text| references(text, name))
    }
}

fn belongs_to_etcd(name: &str) -> bool {
    name.starts_with("ETCDCTL_")
        || name.starts_with("ETCDUTL_")
        || ETCD_OWN_VARIABLES.contains(&name)
        || name.strip_prefix("ETCD_").is_some_and(|flag| ETCD_NUMERIC_FLAGS.contains(&flag))
}

/// Whether `text` refers to the variable as a shell or the kubelet would expand it.
fn references(text: &str, name: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let rest = &text[at + 1..];
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let braced = rest.strip_prefix('{').map(|rest| rest.trim_start_matches(['#', '!']));
        let parenthesised = rest.strip_prefix('(');
        [Some(rest), braced, parenthesised].into_iter().flatten().any(|rest| rest.strip_prefix(name).is_some_and(ends))
    }) || arithmetic(text, name)
}

/// Inside `$(( ... ))` a shell expands variables without a dollar sign.
fn arithmetic(text: &str, name: &str) -> bool {
    text.match_indices("$((").any(|(at, _)| {
        let inner = &text[at + 3..];
        let inner = inner.find("))").map_or(inner, |end| &inner[..end]);
        inner.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{literal, rok};
    use super::*;

    #[test]
    fn api_version_is_never_the_size() {
        let template = Template { containers: vec![rok()], ..Template::default() };
        assert_eq!(template.size_variable(&rok(), 3), SizeVariable::One("ETCD_CLUSTER_SIZE".into()));
        assert_eq!(template.size_variable(&rok(), 2), SizeVariable::None);
    }

    #[test]
    fn two_fitting_variables_are_ambiguous() {
        let mut container = rok();
        container.env.push(literal("REPLICAS", "3"));
        container.args.push("echo ${REPLICAS:-1} $(ZONES)".into());
        container.env.push(literal("ZONES", "3"));
        container.env.push(literal("UNUSED", "3"));
        let template = Template { containers: vec![container.clone()], ..Template::default() };
        assert_eq!(
            template.size_variable(&container, 3),
            SizeVariable::Several(vec!["ETCD_CLUSTER_SIZE".into(), "REPLICAS".into(), "ZONES".into()])
        );
    }

    #[test]
    fn references_need_the_whole_name() {
        assert!(references("x $SIZE y", "SIZE"));
        assert!(references("${SIZE:-3}", "SIZE"));
        assert!(references("$(SIZE)", "SIZE"));
        assert!(references("$((SIZE + 1))", "SIZE"));
        assert!(!references("$SIZES", "SIZE"));
        assert!(!references("SIZE", "SIZE"));
    }
}

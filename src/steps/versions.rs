//! Traps of single etcd versions that matter while a member is added.

/// Major, minor, patch.
type Version = (u64, u64, u64);

struct Trap {
    from: Version,
    /// First version without it.
    until: Version,
    what: &'static str,
}

/// From the releases' change logs and the issues named.
const TRAPS: &[Trap] = &[
    Trap {
        from: (3, 5, 0),
        until: (3, 5, 3),
        what: "data may become inconsistent when a member is killed: upgrade to 3.5.3 or later first (etcd-io/etcd#13766)",
    },
    Trap {
        from: (3, 5, 1),
        until: (3, 5, 20),
        what: "a promotion is not written to the v3 store: the member shows as a learner again after an upgrade to 3.6 (etcd-io/etcd#19557)",
    },
    Trap {
        from: (3, 5, 0),
        until: (3, 5, 26),
        what: "removed members may come back to life in an upgrade to 3.6: go to 3.5.26 or later before that (etcd-io/etcd#20967)",
    },
    Trap {
        from: (3, 4, 0),
        until: (3, 4, 24),
        what: "etcd would promote a learner that never started; etcd-scale does not ask it to",
    },
    Trap {
        from: (3, 5, 0),
        until: (3, 5, 7),
        what: "etcd would promote a learner that never started; etcd-scale does not ask it to",
    },
    Trap { from: (3, 4, 0), until: (3, 5, 0), what: "etcd 3.4 has been without fixes since June 2026" },
];

/// Below this, promotion in a cluster of one fails with "not enough started members" (etcd-io/etcd#11640).
const SINGLE_MEMBER_PROMOTION: Version = (3, 4, 4);

pub(super) fn parse(text: &str) -> Option<Version> {
    let core = text.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// What is known to bite in this version.
pub(super) fn traps(version: &str) -> Vec<&'static str> {
    let Some(version) = parse(version) else { return Vec::new() };
    TRAPS.iter().filter(|trap| (trap.from..trap.until).contains(&version)).map(|trap| trap.what).collect()
}

/// Whether a learner of a one-member cluster cannot be promoted in this version.
pub(super) fn cannot_promote_beside_one(version: &str) -> bool {
    parse(version).is_some_and(|version| version < SINGLE_MEMBER_PROMOTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_by_version() {
        assert_eq!(traps("3.4.23").len(), 2);
        assert_eq!(traps("3.5.2").len(), 4);
        assert!(traps("3.6.14").is_empty());
        assert!(traps("unknown").is_empty());
        assert!(cannot_promote_beside_one("3.4.3"));
        assert!(!cannot_promote_beside_one("3.5.0-rc.1"));
    }
}

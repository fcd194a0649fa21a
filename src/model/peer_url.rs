//! Peer URLs: the stable key of a member, and how a new one is made from a live one.

use thiserror::Error;

use super::Member;

/// Why no peer URL for a new member could be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PeerUrlError {
    /// No member's peer URL contains the name of a pod.
    #[error("no member's peer URL names a pod of StatefulSet {0}, so the new member's cannot be derived")]
    NoPattern(String),
    /// Two members would lead to different URLs.
    #[error("the members' peer URLs do not follow one pattern: they would give {0} and {1}")]
    TwoPatterns(String, String),
}

/// The ordinal in a URL or name that contains `<statefulset>-<ordinal>` as a whole word.
pub fn ordinal_of(text: &str, statefulset: &str) -> Option<i32> {
    place_of_ordinal(text, statefulset).and_then(|(from, to)| text[from..to].parse().ok())
}

/// The text with the ordinal replaced. As a number, so that 9 is followed by 10.
pub fn replace_ordinal(text: &str, statefulset: &str, ordinal: i32) -> Option<String> {
    let (from, to) = place_of_ordinal(text, statefulset)?;
    Some(format!("{}{ordinal}{}", &text[..from], &text[to..]))
}

/// The text with one pod's name replaced by another's, wherever it stands as a whole word.
pub fn replace_pod_name(text: &str, from: &str, to: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    if from.is_empty() {
        return text.to_owned(); // it would be found for ever
    }
    let within = |c: char| c.is_ascii_alphanumeric() || c == '-';
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let begins = before.chars().next_back().or(new.chars().next_back()).is_none_or(|c| !within(c));
        let whole = begins && after.chars().next().is_none_or(|c| !within(c));
        new.push_str(before);
        new.push_str(if whole { to } else { from });
        rest = after;
    }
    new + rest
}

/// The first peer URL that a member of this ordinal has, going by the live members' own.
///
/// # Errors
/// When no member's URL names a pod, or when two members' URLs differ in more than the ordinal.
pub fn new_peer_url(members: &[Member], statefulset: &str, ordinal: i32) -> Result<String, PeerUrlError> {
    let mut urls = members
        .iter()
        .filter_map(|member| member.peer_urls.first())
        .filter_map(|url| replace_ordinal(url, statefulset, ordinal));
    let first = urls.next().ok_or_else(|| PeerUrlError::NoPattern(statefulset.to_owned()))?;
    match urls.find(|url| *url != first) {
        Some(other) => Err(PeerUrlError::TwoPatterns(first, other)),
        None => Ok(first),
    }
}

/// The name that a member of this ordinal will give itself, going by the started members' names.
pub fn new_member_name(members: &[Member], statefulset: &str, ordinal: i32) -> Option<String> {
    members.iter().find_map(|member| replace_ordinal(&member.name, statefulset, ordinal))
}

/// Where the digits of the ordinal stand.
fn place_of_ordinal(text: &str, statefulset: &str) -> Option<(usize, usize)> {
    let prefix = format!("{statefulset}-");
    text.match_indices(&prefix).find_map(|(at, _)| {
        let begins = text[..at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
        let from = at + prefix.len();
        let digits = text[from..].bytes().take_while(u8::is_ascii_digit).count();
        let to = from + digits;
        let ends = text[to..].chars().next().is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
        (begins && digits > 0 && ends).then_some((from, to))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::MemberId;

    fn member(url: &str) -> Member {
        Member {
            id: MemberId(1),
            name: String::new(),
            peer_urls: vec![url.to_owned()],
            client_urls: Vec::new(),
            learner: false,
        }
    }

    #[test]
    fn nine_is_followed_by_ten() {
        let url = "https://db-9.db-headless.ns.svc.cluster.local:2380";
        assert_eq!(
            replace_ordinal(url, "db", 10).as_deref(),
            Some("https://db-10.db-headless.ns.svc.cluster.local:2380")
        );
        assert_eq!(ordinal_of(url, "db"), Some(9));
    }

    #[test]
    fn only_whole_names_count() {
        assert_eq!(ordinal_of("http://my-db-1.x:2380", "db"), None);
        assert_eq!(ordinal_of("http://db-1-a.x:2380", "db"), None);
        assert_eq!(ordinal_of("http://db-1:2380", "db"), Some(1));
        assert_eq!(ordinal_of("http://10.0.0.1:2380", "db"), None);
    }

    #[test]
    fn two_patterns_are_refused() {
        let members = [member("http://db-0.a:2380"), member("https://db-1.a:2380")];
        assert!(matches!(new_peer_url(&members, "db", 2), Err(PeerUrlError::TwoPatterns(..))));
        assert!(matches!(new_peer_url(&members[..0], "db", 2), Err(PeerUrlError::NoPattern(_))));
        assert_eq!(new_peer_url(&members[..1], "db", 2).as_deref(), Ok("http://db-2.a:2380"));
    }

    #[test]
    fn only_whole_names_are_replaced() {
        let text = "etcd-2: http://etcd-2.etcd:2380, /etcd-2, my-etcd-2, etcd-21, etcd-2-x, etcd-2etcd-2";
        let wanted = "etcd-3: http://etcd-3.etcd:2380, /etcd-3, my-etcd-2, etcd-21, etcd-2-x, etcd-2etcd-2";
        assert_eq!(replace_pod_name(text, "etcd-2", "etcd-3"), wanted);
    }

    proptest! {
        #[test]
        fn replacing_reads_back(name in "[a-z]([a-z0-9-]{0,8}[a-z])?", from in 0..200i32, to in 0..200i32, port in 1u16..) {
            let url = format!("https://{name}-{from}.svc-x.ns.svc:{port}");
            let replaced = replace_ordinal(&url, &name, to).unwrap();
            prop_assert_eq!(ordinal_of(&replaced, &name), Some(to));
            prop_assert_eq!(replace_ordinal(&replaced, &name, from), Some(url));
        }

        #[test]
        fn any_text_is_survived(text in ".*", name in ".{0,4}") {
            let _ = replace_ordinal(&text, &name, i32::MIN);
            let _ = replace_pod_name(&text, &name, "a");
            let members = [member(&text), member(&name)];
            let _ = (new_peer_url(&members, &name, 1), new_member_name(&members, &name, 1));
        }
    }
}

//! How all keys of a member are read in pages: none too large, and none that makes the member look through all keys.
//!
//! etcd takes a limit in keys only, so the limit follows the size of what came. And it counts the whole range that is
//! asked for, whatever the limit, while writes wait; so a range ends where the prefix ends that the last page's keys
//! have in common, and grows again where little is left below that prefix.

/// How many bytes a page should have.
const WANTED_BYTES: usize = 1 << 20;

/// The limit of the first page, while nothing is known of the values' size.
const FIRST_LIMIT: usize = 100;

/// The highest limit, because the next values may be a thousand times as large.
const MOST_KEYS: usize = 2000;

/// What a key needs beside itself and its value.
const BESIDE: usize = 24;

/// Where the reading of all keys stands: what is asked for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paging {
    /// The first key that was not read.
    pub(super) from: Vec<u8>,
    /// The key before which the range ends; none for the last key of all.
    pub(super) end: Option<Vec<u8>>,
    /// How many keys to ask for.
    pub(super) limit: usize,
    /// How long the prefix is that the range ends with.
    depth: usize,
}

/// What an answer had in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    /// The first and the last key; none where there were no keys.
    pub(super) ends: Option<(&'a [u8], &'a [u8])>,
    /// How many keys.
    pub(super) keys: usize,
    /// Bytes of all keys and values.
    pub(super) bytes: usize,
    /// Whether there are more in the range.
    pub(super) more: bool,
}

impl Paging {
    /// Before the first key, with a range of all.
    pub(super) fn new() -> Self {
        Self { from: vec![0], end: None, limit: FIRST_LIMIT, depth: 0 }
    }

    /// Takes in an answer. Whether it was the last.
    pub(super) fn took(&mut self, page: Page<'_>) -> bool {
        match (page.ends, self.end.take()) {
            (Some((first, last)), _) if page.more => {
                let common = first.iter().zip(last).take_while(|(one, two)| one == two).count();
                self.from = last.to_vec();
                self.from.push(0);
                // A page of one key has all of it in common, and next to nothing is below that.
                self.depth = common.min(last.len().saturating_sub(1));
            }
            (_, None) => return true,
            (_, Some(end)) => {
                self.depth = self.depth.min(end.len());
                if page.keys == 0 {
                    self.depth = self.depth * 3 / 4;
                } else if page.keys < self.limit / 2 {
                    self.depth = self.depth.saturating_sub(1);
                }
                self.from = end;
            }
        }
        self.end = after_prefix(&self.from[..self.depth]);
        if let Some(each) = (page.bytes + page.keys * BESIDE).checked_div(page.keys) {
            self.limit = (WANTED_BYTES / each.max(1)).clamp(1, MOST_KEYS.min(self.limit * 4));
        }
        false
    }

    /// The answer was too large to be taken in. Whether a smaller one can be asked for.
    pub(super) fn too_large(&mut self) -> bool {
        let smaller = self.limit > 1;
        self.limit = (self.limit / 8).max(1);
        smaller
    }
}

/// The first key after all that begin with a prefix; none where there is none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::prelude::*;

    use super::*;

    /// What reading all keys of a store led to.
    #[derive(Default)]
    struct Read {
        keys: Vec<Vec<u8>>,
        requests: usize,
        most_bytes: usize,
        /// Keys in the ranges that were asked for, all together, without the first.
        looked_through: usize,
    }

    fn read_all(store: &BTreeMap<Vec<u8>, usize>, mut paging: Paging) -> Read {
        let mut read = Read::default();
        loop {
            assert!(read.requests < 40 * (store.len() + 40), "it does not end");
            let end = paging.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
            let range = store.range((Bound::Included(paging.from.clone()), end));
            let count = range.clone().count();
            let page: Vec<_> = range.take(paging.limit).collect();
            let bytes = page.iter().map(|(key, size)| key.len() + **size).sum();
            if read.requests > 0 {
                read.looked_through += count;
            }
            read.requests += 1;
            read.most_bytes = read.most_bytes.max(bytes);
            read.keys.extend(page.iter().map(|(key, _)| (*key).clone()));
            let ends = page.first().zip(page.last()).map(|(first, last)| (first.0.as_slice(), last.0.as_slice()));
            if paging.took(Page { ends, keys: page.len(), bytes, more: count > page.len() }) {
                return read;
            }
        }
    }

    proptest! {
        #[test]
        fn every_key_is_read_once_and_in_order(
            store in proptest::collection::btree_map(
                proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(b'/'), Just(b'a'), Just(254), Just(255)], 1..6),
                prop_oneof![Just(1_usize), Just(400_000)],
                0..200,
            ),
            limit in 1..20_usize,
        ) {
            let read = read_all(&store, Paging { limit, ..Paging::new() });
            prop_assert_eq!(read.keys, store.into_keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_page_costs_about_a_page() {
        let numbered = |form: fn(u32) -> String| (0..200_000).map(|at| (form(at).into_bytes(), 50)).collect();
        let stores: [BTreeMap<Vec<u8>, usize>; 3] = [
            numbered(|at| format!("/registry/events/ns-{:02}/pod-{at:07}", at % 7)),
            numbered(|at| format!("{:08x}", at.wrapping_mul(2_654_435_761))),
            numbered(|at| format!("key-{at}")),
        ];
        for store in stores {
            let read = read_all(&store, Paging::new());
            assert_eq!(read.keys.len(), store.len());
            assert!(read.requests < 600, "{} requests", read.requests);
            assert!(read.looked_through < 40 * store.len(), "{} looked through", read.looked_through);
        }
    }

    #[test]
    fn pages_stay_small_where_values_are_large() {
        let store = (0..300).map(|at| (format!("key-{at:04}").into_bytes(), 1_500_000)).collect();
        let mut paging = Paging::new();
        assert!(paging.too_large() && paging.too_large());
        assert!(!paging.too_large(), "one key is the least");
        let read = read_all(&store, paging);
        assert_eq!(read.keys.len(), 300);
        assert!(read.most_bytes < 2_000_000, "{}", read.most_bytes);
    }

    #[test]
    fn what_follows_a_prefix() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}

//! The keys of two members side by side: which differ, and which one of them lacks. Values are compared and never kept.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::MemberId;

/// How many differing keys are kept; the others are counted.
const KEPT: usize = 10;

/// One of two members whose keys are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyHolder {
    /// The member.
    pub member: MemberId,
    /// Its pod.
    pub pod: String,
}

/// A key as a member holds it at one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key itself.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// When it was created.
    pub create_revision: i64,
    /// When it was last written.
    pub mod_revision: i64,
    /// How often it was written since it was created.
    pub version: i64,
    /// The lease that it ends with; 0 for none.
    pub lease: i64,
}

/// Anything that is a key with its value.
pub trait AsKey {
    /// It as a key.
    fn as_key(&self) -> Key<'_>;
}

/// What is known of one member's keys that were not compared yet, in order.
#[derive(Debug)]
pub struct Keys<'a, K> {
    /// The next ones.
    pub next: &'a [K],
    /// Whether no more follow.
    pub ended: bool,
}

/// All of a key but the key and the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldKey {
    /// Size of the value.
    pub bytes: u64,
    /// When it was created.
    pub create_revision: i64,
    /// When it was last written.
    pub mod_revision: i64,
    /// How often it was written since it was created.
    pub version: i64,
    /// The lease that it ends with, as etcdctl shows it.
    pub lease: Option<String>,
}

/// A key that two members do not hold alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DifferentKey {
    /// The key, with every byte escaped that is no printable ASCII.
    pub key: String,
    /// How the member that is compared with holds it; none where it does not.
    pub reference: Option<HeldKey>,
    /// How the other holds it; none where it does not.
    pub other: Option<HeldKey>,
    /// Whether both hold it and the values differ.
    pub values_differ: bool,
}

/// What came of comparing the keys of two members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyComparison {
    /// How many keys were compared, each counted once.
    pub compared: u64,
    /// How many of them differ or are missing on one side.
    pub differing: u64,
    /// The first of those, in order.
    pub first: Vec<DifferentKey>,
    /// Why not all keys were compared, where that is so.
    pub broken_off: Option<String>,
}

impl KeyComparison {
    /// Compares as far as both sides are known. How many keys of each side are done with.
    pub fn go_on<K: AsKey>(&mut self, reference: &Keys<'_, K>, other: &Keys<'_, K>) -> (usize, usize) {
        let (mut at, mut other_at) = (0, 0);
        loop {
            let left = reference.next.get(at).map(AsKey::as_key);
            let right = other.next.get(other_at).map(AsKey::as_key);
            let order = match (&left, &right) {
                (Some(left), Some(right)) => left.key.cmp(right.key),
                (Some(_), None) if other.ended => Ordering::Less,
                (None, Some(_)) if reference.ended => Ordering::Greater,
                _ => return (at, other_at),
            };
            let (left, right) = (left.filter(|_| order.is_le()), right.filter(|_| order.is_ge()));
            at += usize::from(left.is_some());
            other_at += usize::from(right.is_some());
            self.compared += 1;
            if left != right {
                self.note(left, right);
            }
        }
    }

    fn note(&mut self, reference: Option<Key<'_>>, other: Option<Key<'_>>) {
        self.differing += 1;
        if self.first.len() < KEPT
            && let Some(either) = reference.or(other)
        {
            let values_differ = reference.zip(other).is_some_and(|(reference, other)| reference.value != other.value);
            self.first.push(DifferentKey {
                key: either.key.escape_ascii().to_string(),
                reference: reference.map(HeldKey::of),
                other: other.map(HeldKey::of),
                values_differ,
            });
        }
    }
}

impl HeldKey {
    fn of(key: Key<'_>) -> Self {
        Self {
            bytes: key.value.len() as u64,
            create_revision: key.create_revision,
            mod_revision: key.mod_revision,
            version: key.version,
            lease: (key.lease != 0).then(|| format!("{:x}", key.lease)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// A key and all that goes with it.
    type Row = (Vec<u8>, (Vec<u8>, i64, i64));

    impl AsKey for Row {
        fn as_key(&self) -> Key<'_> {
            let (key, (value, mod_revision, lease)) = self;
            Key { key, value, create_revision: 1, mod_revision: *mod_revision, version: 1, lease: *lease }
        }
    }

    type Table = BTreeMap<Vec<u8>, (Vec<u8>, i64, i64)>;

    fn tables() -> impl Strategy<Value = (Table, Table)> {
        let value = || (proptest::collection::vec(0..2_u8, 0..2), 1..3_i64, 0..2_i64);
        let key = || proptest::collection::vec(prop_oneof![Just(0_u8), Just(b'a'), Just(255_u8)], 1..4);
        (proptest::collection::btree_map(key(), value(), 0..40), proptest::collection::btree_map(key(), value(), 0..40))
            .prop_flat_map(|(all, changed)| {
                let keep = proptest::collection::vec(any::<bool>(), all.len());
                (Just(all), Just(changed), keep)
            })
            .prop_map(|(all, changed, keep)| {
                let other = all.clone().into_iter().zip(keep).filter(|(_, kept)| *kept).map(|(row, _)| row);
                let other = other.chain(changed.into_iter().take(3)).collect();
                (all, other)
            })
    }

    /// Compares two tables that come in pages of these sizes.
    fn compared(reference: &Table, other: &Table, sizes: &[(usize, usize)]) -> KeyComparison {
        let rows = |table: &Table| table.clone().into_iter().collect::<Vec<Row>>();
        let (left, right) = (rows(reference), rows(other));
        let (mut at, mut other_at, mut known, mut other_known) = (0, 0, 0, 0);
        let mut comparison = KeyComparison::default();
        for (size, other_size) in sizes.iter().copied().chain([(usize::MAX, usize::MAX)]) {
            known = size.saturating_add(known).min(left.len());
            other_known = other_size.saturating_add(other_known).min(right.len());
            let (used, other_used) = comparison.go_on(
                &Keys { next: &left[at..known], ended: known == left.len() },
                &Keys { next: &right[other_at..other_known], ended: other_known == right.len() },
            );
            at += used;
            other_at += other_used;
        }
        assert_eq!((at, other_at), (left.len(), right.len()), "every key is done with");
        comparison
    }

    proptest! {
        #[test]
        fn pages_make_no_difference(
            (reference, other) in tables(),
            sizes in proptest::collection::vec((0..5_usize, 0..5_usize), 0..20),
        ) {
            let comparison = compared(&reference, &other, &sizes);
            let all: BTreeSet<_> = reference.keys().chain(other.keys()).collect();
            let different: Vec<_> = all.iter().filter(|key| reference.get(**key) != other.get(**key)).collect();
            prop_assert_eq!(comparison.compared, all.len() as u64);
            prop_assert_eq!(comparison.differing, different.len() as u64);
            let named: Vec<_> = comparison.first.iter().map(|different| different.key.clone()).collect();
            let wanted: Vec<_> = different.iter().take(KEPT).map(|key| key.escape_ascii().to_string()).collect();
            prop_assert_eq!(named, wanted);
            for (key, named) in different.iter().zip(&comparison.first) {
                let (one, two) = (reference.get(**key), other.get(**key));
                prop_assert_eq!((named.reference.is_some(), named.other.is_some()), (one.is_some(), two.is_some()));
                let values_differ = one.zip(two).is_some_and(|(one, two)| one.0 != two.0);
                prop_assert_eq!(named.values_differ, values_differ);
            }
        }
    }

    #[test]
    fn a_value_that_differs_alone_is_found_and_not_kept() {
        let table = |value: &[u8]| Table::from([(b"k\n".to_vec(), (value.to_vec(), 2, 16))]);
        let comparison = compared(&table(b"secret"), &table(b"SECRET"), &[]);
        let held = HeldKey { bytes: 6, create_revision: 1, mod_revision: 2, version: 1, lease: Some("10".into()) };
        let different =
            DifferentKey { key: "k\\n".into(), reference: Some(held.clone()), other: Some(held), values_differ: true };
        assert_eq!(comparison, KeyComparison { compared: 1, differing: 1, first: vec![different], broken_off: None });
        assert!(!serde_json::to_string(&comparison).unwrap().to_lowercase().contains("secret"));
    }
}

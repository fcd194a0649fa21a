//! `verify --deep`: which members' keys are compared, and what is said of them.

use etcd_scale::model::{
    Answer, DifferentKey, Goal, Hash, HashPolicy, HeldKey, KeyComparison, KeyHolder, Known, MemberId, Question,
    Request, Verb,
};
use etcd_scale::report::{Console, Format, Style};
use etcd_scale::runbook::{Interrupt, Options, Outcome, Run, Summary};
use etcd_scale::steps;

use super::output::Page;
use super::run::Foreseen;
use super::sample::{rok, up_to};

/// The revision of the sample.
const REVISION: i64 = 9;

fn holder(ordinal: u64) -> KeyHolder {
    KeyHolder { member: MemberId(100 + ordinal), pod: format!("rok-etcd-{ordinal}") }
}

fn pair(reference: u64, other: u64) -> Question {
    Question::Keys { revision: REVISION, reference: holder(reference), other: holder(other) }
}

/// Three members; the first leads. Hashes with their compact revisions.
fn hashed(hashes: [(u32, i64); 3]) -> Foreseen {
    let mut world = Foreseen::new(rok(3));
    for (ordinal, (hash, compact_revision)) in (0..).zip(hashes) {
        let KeyHolder { member, pod } = holder(ordinal);
        let hash = Hash { hash, compact_revision, took_ms: 1 };
        let question = Question::Hash { member, pod, revision: REVISION };
        world.answers.push((question, Answer::Hash(Known::Known(hash))));
    }
    world
}

/// A key with the size of its value and its mod revision on either side.
fn key(key: &str, reference: Option<(u64, i64)>, other: Option<(u64, i64)>) -> DifferentKey {
    let held = |(bytes, mod_revision)| HeldKey { bytes, create_revision: 2, mod_revision, version: 1, lease: None };
    let values_differ = reference.is_some() && other.is_some();
    DifferentKey { key: key.into(), reference: reference.map(held), other: other.map(held), values_differ }
}

fn equal() -> KeyComparison {
    KeyComparison { compared: 1000, ..KeyComparison::default() }
}

fn one_differs() -> KeyComparison {
    KeyComparison { differing: 1, first: vec![key("/a", Some((5, 3)), Some((5, 3)))], ..equal() }
}

fn deep() -> Request {
    let mut request = up_to(3, "run");
    (request.verb, request.to, request.deep) = (Verb::Verify, None, true);
    request
}

struct Told {
    summary: Summary,
    out: String,
    err: String,
    /// The comparisons that were asked for.
    compared: Vec<Question>,
}

async fn verify(mut world: Foreseen, request: &Request, format: Format) -> Told {
    let (out, err) = (Page::default(), Page::default());
    let style = Style { format, ..Style::default() };
    let mut console = Console::writing_to(style, Interrupt::default(), Box::new(out.clone()), Box::new(err.clone()));
    let observation = world.observation.clone();
    let goal = Goal::resolve(request, &observation).unwrap();
    let run = Run::new(steps::verify(), goal, &mut world, &mut console, Interrupt::default(), Options::default());
    let summary = run.drive(observation).await;
    console.end(0);
    let compared = world.asked.into_iter().filter(|question| matches!(question, Question::Keys { .. })).collect();
    Told { summary, out: out.text(), err: err.text(), compared }
}

#[tokio::test]
async fn without_deep_no_key_is_read() {
    let mut request = deep();
    request.deep = false;
    let told = verify(hashed([(1, 1), (2, 1), (1, 1)]), &request, Format::Text).await;
    assert!(matches!(told.summary.outcome, Outcome::Refused { .. }));
    assert!(told.compared.is_empty());
    assert!(told.err.contains("verify --deep"), "{}", told.err);
}

#[tokio::test]
async fn equal_hashes_leave_nothing_to_compare() {
    let told = verify(hashed([(1, 1), (1, 1), (1, 1)]), &deep(), Format::Text).await;
    assert_eq!(told.summary.outcome, Outcome::Done);
    assert!(told.compared.is_empty());
    assert!(told.err.contains("nothing is left to compare"), "{}", told.err);
}

#[tokio::test]
async fn the_odd_one_out_is_compared_with_one_of_the_others() {
    let mut world = hashed([(1, 1), (2, 1), (1, 1)]);
    world.answers.push((pair(2, 1), Answer::Keys(one_differs())));
    let told = verify(world, &deep(), Format::Text).await;
    assert!(matches!(told.summary.outcome, Outcome::Refused { .. }));
    assert_eq!(told.compared, [pair(2, 1)]);
    insta::assert_snapshot!(told.err);
}

#[tokio::test]
async fn each_of_several_hashes_is_compared_once() {
    let told = verify(hashed([(1, 1), (2, 1), (3, 1)]), &deep(), Format::Text).await;
    assert_eq!(told.compared, [pair(0, 1), pair(0, 2)], "of as many, the leader's side is compared with");
}

#[tokio::test]
async fn what_was_not_hashed_is_compared() {
    let mut request = deep();
    request.hash = Some(HashPolicy::None);
    let mut world = hashed([(1, 1), (1, 1), (1, 1)]);
    world.answers.push((pair(0, 1), Answer::Keys(equal())));
    world.answers.push((pair(0, 2), Answer::Keys(equal())));
    let told = verify(world, &request, Format::Text).await;
    assert_eq!(told.summary.outcome, Outcome::Done);
    assert_eq!(told.compared, [pair(0, 1), pair(0, 2)]);
    assert!(told.err.contains("all 1000 keys on rok-etcd-2 are equal to those on rok-etcd-0"), "{}", told.err);
    assert!(told.err.contains("data equal"), "{}", told.err);
}

/// The same with hashes that take so long that the leader is not asked for one.
fn slow(mut world: Foreseen) -> Foreseen {
    for (_, answer) in &mut world.answers {
        if let Answer::Hash(Known::Known(hash)) = answer {
            hash.took_ms = 5000;
        }
    }
    world
}

#[tokio::test]
async fn a_leader_that_was_not_hashed_tells_who_is_the_odd_one() {
    let mut world = slow(hashed([(1, 1), (2, 1), (1, 1)]));
    world.answers.push((pair(0, 1), Answer::Keys(one_differs())));
    world.answers.push((pair(0, 2), Answer::Keys(equal())));
    let told = verify(world, &deep(), Format::Text).await;
    assert!(matches!(told.summary.outcome, Outcome::Refused { .. }));
    assert_eq!(told.compared, [pair(0, 1), pair(0, 2)]);
}

#[tokio::test]
async fn a_leader_that_is_slow_to_hash_is_compared() {
    let mut world = slow(hashed([(1, 1), (1, 1), (1, 1)]));
    world.answers.push((pair(1, 0), Answer::Keys(equal())));
    let told = verify(world, &deep(), Format::Text).await;
    assert_eq!(told.summary.outcome, Outcome::Done);
    assert_eq!(told.compared, [pair(1, 0)]);
}

#[tokio::test]
async fn hashes_of_different_compact_revisions_are_no_proof() {
    let mut world = hashed([(1, 5), (1, 1), (1, 5)]);
    world.answers.push((pair(2, 1), Answer::Keys(equal())));
    let told = verify(world, &deep(), Format::Text).await;
    assert_eq!(told.summary.outcome, Outcome::Done);
    assert_eq!(told.compared, [pair(2, 1)]);
}

#[tokio::test]
async fn equal_keys_do_not_make_up_for_hashes_that_differ() {
    let mut world = hashed([(1, 1), (2, 1), (1, 1)]);
    world.answers.push((pair(2, 1), Answer::Keys(equal())));
    let told = verify(world, &deep(), Format::Text).await;
    assert!(matches!(told.summary.outcome, Outcome::Refused { .. }));
    assert!(told.err.contains("are equal to those on rok-etcd-2, rok-etcd-0 at revision 9"), "{}", told.err);
    assert!(told.err.contains("earlier revisions"), "{}", told.err);
}

#[tokio::test]
async fn a_comparison_that_broke_off_is_no_proof() {
    let mut world = hashed([(1, 1), (1, 1), (1, 1)]);
    let broken_off = Some("cannot read the keys of rok-etcd-1: it was compacted".to_owned());
    let comparison = KeyComparison { broken_off, ..equal() };
    world.answers.push((pair(0, 1), Answer::Keys(comparison)));
    world.answers.push((pair(0, 2), Answer::Keys(equal())));
    let mut request = deep();
    request.hash = Some(HashPolicy::None);
    let told = verify(world, &request, Format::Text).await;
    assert!(matches!(told.summary.outcome, Outcome::Refused { .. }));
    assert!(told.err.contains("it was compacted; 0 of the 1000 that were differ"), "{}", told.err);
}

#[tokio::test]
async fn programs_get_the_keys_too() {
    let world = || {
        let mut world = hashed([(1, 1), (2, 1), (1, 1)]);
        let first = vec![
            key(&"k".repeat(300), Some((5, 3)), Some((7, 4))),
            key("\\x00\\n", Some((5, 3)), None),
            key("/c", None, Some((5, 3))),
        ];
        let comparison = KeyComparison { differing: 3, first, ..equal() };
        world.answers.push((pair(2, 1), Answer::Keys(comparison)));
        world
    };
    let told = verify(world(), &deep(), Format::Json).await;
    let document: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let comparison = &document["keyComparisons"][0];
    assert_eq!(comparison["revision"], 9, "{document:#}");
    assert_eq!(comparison["reference"]["pod"], "rok-etcd-2");
    assert_eq!(comparison["other"]["member"], "65");
    let keys = &comparison["comparison"]["first"];
    assert_eq!(keys[0]["key"], "k".repeat(300), "programs get all of a key");
    assert_eq!(keys[0]["other"]["modRevision"], 4);
    assert_eq!(keys[1]["other"], serde_json::Value::Null);
    let told = verify(world(), &deep(), Format::Ndjson).await;
    let compared = |line: &&str| line.contains("\"type\":\"keys-compared\"");
    assert_eq!(told.out.lines().filter(compared).count(), 1, "{}", told.out);
    for text in [
        &format!("\"{}...(100 more)\": ", "k".repeat(200)),
        "have different values (5 and 7 bytes), mod revision 3 and 4",
        "\"\\x00\\n\": missing on rok-etcd-1; rok-etcd-2 has 5 bytes, mod revision 3",
        "\"/c\": missing on rok-etcd-2; rok-etcd-1 has 5 bytes, mod revision 3",
    ] {
        assert!(told.err.contains(text), "{text}\n{}", told.err);
    }
}

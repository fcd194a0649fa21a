//! The walks that take minutes: clusters of up to five, several rounds, and failures in all of them. `make torture`.

use std::io::Write as _;

use super::life::{down_to, replacing, without};
use super::sample::{by_hand, rok, self_joining, up_to};
use super::walk::{Found, walk};

/// Tells how many states a walk had: the figures of the README.
fn told(what: &str, found: &Found) {
    drop(writeln!(std::io::stderr(), "{what}: {} states, {} refusals", found.states, found.refused));
}

#[test]
#[ignore = "takes minutes"]
fn up_to_five() {
    for (from, to, failures) in [(4, 5, 1), (3, 5, 1), (2, 5, 0), (1, 5, 0)] {
        told(&format!("up {from} -> {to}"), &walk(rok(from), up_to(to, "run"), failures));
    }
}

#[test]
#[ignore = "takes minutes"]
fn up_to_five_on_volumes_by_hand() {
    told("up 3 -> 5 by hand", &walk(by_hand(3), up_to(5, "run"), 0));
    told("up 4 -> 5 by hand", &walk(by_hand(4), up_to(5, "run"), 1));
}

#[test]
#[ignore = "takes minutes"]
fn up_to_five_with_an_image_that_adds_itself() {
    told("up 3 -> 5, adds itself", &walk(self_joining(3), up_to(5, "run"), 0));
}

#[test]
#[ignore = "takes minutes"]
fn down_from_five() {
    for (to, failures) in [(4, 1), (3, 1), (2, 0), (1, 0)] {
        told(&format!("down 5 -> {to}"), &walk(rok(5), down_to(to, "run"), failures));
    }
}

#[test]
#[ignore = "takes minutes"]
fn each_of_five_replaced() {
    for ordinal in 0..5 {
        told(&format!("replace {ordinal} of 5"), &walk(without(ordinal, &rok(5)), replacing(ordinal), 1));
    }
}

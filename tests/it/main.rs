//! All tests from outside, in one binary: the layout of the code, the command line, and the end-to-end suite.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod command_line;
mod conformance;
mod documents;
mod e2e;
mod harness;
mod offline;
mod sandbox;
mod shells;
mod torture;

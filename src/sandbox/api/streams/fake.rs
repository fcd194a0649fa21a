//! A pod for tests.

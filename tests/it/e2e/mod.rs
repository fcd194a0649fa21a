//! The end-to-end suite: the program as operators run it, on whatever cluster `KUBECONFIG` names.
//!
//! `cargo test --test it e2e:: -- --ignored --test-threads 2`
//!
//! The environment tells what the cluster has: `E2E_IMAGE` (an image with etcd, etcdctl and a shell), `E2E_IMAGE_35` or
//! `E2E_35` for the tests on etcd 3.5, `E2E_PULL_POLICY`, and `E2E_STORAGE_CLASS`; for the run within it, `E2E_OWN_IMAGE`
//! (an image of etcd-scale) and, where pods do not reach the API server by its Service, `E2E_API_SERVER` (`HOST:PORT`).
//! `E2E_KILLS` is the number of rounds of killing a run, `E2E_VIA` the way to etcd, `E2E_SEED` repeats one.

mod abort;
mod access;
mod completion;
mod cut_off;
mod down;
mod fleet;
mod gitops;
mod inactive;
mod places;
mod prompts;
mod puls8;
mod refusals;
mod replace;
mod report;
mod rounds;
mod self_joining;
mod settle;
mod stillborn;
mod strategies;
mod unreachable;
mod up;
mod verbs;
mod within;

//! Tests of the loop, the steps and the model together, without a cluster: the world is the model's own prediction.

mod by_commit;
mod catch_up;
mod config_file;
mod disk_pools;
mod input;
mod keys;
mod life;
#[path = "../../../src/model/mangled.rs"]
mod mangled;
mod mistakes;
mod moved;
mod neighbours;
mod output;
mod patch;
mod peer_list;
mod run;
mod run_report;
mod sample;
mod sizes;
mod statuses;
mod torture;
mod volumes;
mod walk;

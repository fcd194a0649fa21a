pub mod cli;
pub mod cluster;
pub mod model;
pub mod report;
pub mod runbook;
pub mod steps;

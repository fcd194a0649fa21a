pub mod model;
pub mod runbook;
pub mod steps;

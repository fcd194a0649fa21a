//! Tests of the loop, the steps and the model together, without a cluster: the world is the model's own prediction.

mod output;
mod patch;
mod run;
mod sample;
mod walk;

//! The loop that walks the steps, and what it needs: verdicts, the trail, events, and two ports to the outside.
//!
//! It knows no etcd and no Kubernetes: it compares changes, counts time and asks, and leaves every meaning to the steps.

mod event;
mod interrupt;
mod plan;
mod ports;
mod run;
mod step;
mod trail;

pub use event::{Event, Outcome, Reached, Summary};
pub use interrupt::Interrupt;
pub use plan::{Plan, PlanEnd, Planned, plan};
pub use ports::{Apply, Depth, LockError, Reply, Reporter, Trouble, TroubleKind, World};
pub use run::{Options, Run};
pub use step::{Done, Finding, Level, Proposal, Refusal, Step, Verdict, Wait, Wake};
pub use trail::{Failing, SavedSnapshot, Trail};

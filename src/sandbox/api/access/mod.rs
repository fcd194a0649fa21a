//! Who may do what: users, and roles bound to them (RBAC), decided as kube-apiserver decides.

mod defaults;
mod review;
mod rules;
mod user;

pub(in crate::sandbox) use defaults::create;
pub(in crate::sandbox) use review::{access_review, rules_review};
pub(in crate::sandbox) use rules::{Request, allowed};
pub(in crate::sandbox) use user::{User, authenticate};

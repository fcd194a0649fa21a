//! How etcd is reached, as the command line has it.

use std::path::PathBuf;

use crate::model::Via;

/// How etcd is reached; etcdctl's own options, and the way.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// `--via`; none for what the permissions and the network allow.
    pub via: Option<Via>,
    /// `--endpoints`, for the direct way; else each pod's own address.
    pub endpoints: Vec<String>,
    /// `--container`; none for the one that looks like etcd's.
    pub container: Option<String>,
    /// `--cacert`; like the next two, else what etcd's own flags name.
    pub cacert: Option<PathBuf>,
    /// `--cert`
    pub cert: Option<PathBuf>,
    /// `--key`
    pub key: Option<PathBuf>,
    /// `--user`
    pub user: Option<User>,
}

/// A user of etcd.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Password,
}

/// A password, which shows in nothing that is printed or logged.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes in a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn exposed(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

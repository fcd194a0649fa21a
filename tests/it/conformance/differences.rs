//! Where a real API server and the sandbox may differ, and why. What is not listed here must be the same.

/// Where a difference is to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "a table need not use every word that it could")]
pub(super) enum Where {
    /// On Kubernetes before 1.`.0`: the sandbox has the ways of a newer one.
    Before(u32),
    /// On every real cluster.
    Everywhere,
    /// On a real cluster it may be or not.
    Sometimes,
}

/// Lines of a transcript that are not the same.
pub(super) struct Difference {
    /// In which scenarios; in all where there are none.
    pub(super) scenarios: &'static [&'static str],
    /// What a real one says, in lines that follow each other.
    pub(super) real: &'static [&'static str],
    /// What the sandbox says there.
    pub(super) sandbox: &'static [&'static str],
    pub(super) holds: Where,
    pub(super) why: &'static str,
}

pub(super) const DIFFERENCES: &[Difference] = &[];

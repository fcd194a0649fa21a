//! The server's own mounts: all that pods write lives in memory that goes when the server goes, however it goes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Where everything that pods write lives.
pub(in crate::sandbox) fn memory(directory: &Path) -> PathBuf {
    directory.join("mem")
}

/// Gives this process mounts of its own, as root of a user namespace of its own where it is not root, and mounts the
/// memory that pods write to. To be called while there is one thread only: the kernel demands it.
///
/// # Errors
/// Where the kernel forbids it: one sentence that names the cause.
pub(in crate::sandbox) fn isolate(directory: &Path) -> anyhow::Result<()> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| refused(error, true))?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(|error| refused(error, false))?;
        // A group map may only be written by one who has given up setting groups.
        let maps =
            [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {user} 1")), ("gid_map", format!("0 {group} 1"))];
        for (file, text) in maps {
            fs::write(format!("/proc/self/{file}"), text).map_err(|error| match error.raw_os_error() {
                Some(code) => refused(Errno::from_raw(code), false),
                None => error.into(),
            })?;
        }
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| refused(error, user.is_root()))?;
    let memory = memory(directory);
    fs::create_dir_all(&memory).with_context(|| format!("cannot make {}", memory.display()))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // A limit, not what is taken. Each etcd sets 128 MB aside for its log, so half of the memory, which is what a tmpfs
    // has unasked, holds fewer than a hundred on a machine of 24 GB.
    if let Err(error) = mount(Some("tmpfs"), &memory, Some("tmpfs"), flags, Some("mode=755,size=75%")) {
        bail!("cannot mount memory on {}: {}", memory.display(), error.desc());
    }
    Ok(())
}

/// Why the kernel gives this program no namespaces.
fn refused(error: Errno, root: bool) -> anyhow::Error {
    if root {
        return anyhow!(
            "the kernel gives no mounts of their own to this process ({}): it runs as root, but perhaps in a container \
             without the right to (CAP_SYS_ADMIN)",
            error.desc()
        );
    }
    let read = |file: &str| fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let cause = if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        "AppArmor keeps user namespaces from programs without a profile \
         (kernel.apparmor_restrict_unprivileged_userns is 1)"
    } else if read("/proc/sys/user/max_user_namespaces") == Some(0)
        || read("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
        || error == Errno::ENOSYS
    {
        "user namespaces are off (user.max_user_namespaces or kernel.unprivileged_userns_clone is 0)"
    } else {
        "perhaps this is a container without the right to make user namespaces"
    };
    anyhow!("the kernel gives no user namespace to this process ({}): {cause}. Root needs none", error.desc())
}

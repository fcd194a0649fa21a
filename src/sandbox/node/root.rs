//! A container's root file system: the machine's programs, and beside them nothing of the machine.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::stage::{Mount, Plan};

/// Directories that a program expects, empty.
const EMPTY: &[&str] = &[
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "tmp",
    "var/cache",
    "var/lib",
    "var/log",
    "var/tmp",
];
/// What of the machine's settings programs need to start, and to trust certificates.
const SETTINGS: &[&str] =
    &["alternatives", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "pki", "ssl"];
const DEVICES: &[&str] = &["full", "null", "random", "tty", "urandom", "zero"];
const NO_TEXT: Option<&str> = None;

/// Makes the plan's root file system, and makes it this process's root.
pub(super) fn build(plan: &Plan) -> anyhow::Result<()> {
    let root = &plan.root;
    mount(Some("tmpfs"), root, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755")).context("cannot mount a root")?;
    for name in EMPTY {
        fs::create_dir_all(root.join(name))?;
    }
    for name in ["tmp", "var/tmp"] {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o1777))?;
    }
    symlink("../run", root.join("var/run"))?;
    programs(plan)?;
    settings(plan)?;
    devices(root)?;
    processes(root)?;
    let mut mounts: Vec<_> = plan.mounts.iter().collect();
    // What lies in another comes after it.
    mounts.sort_by_key(|mount| mount.target.len());
    for mount in mounts {
        attach(root, mount).with_context(|| format!("cannot mount {} on {}", mount.source.display(), mount.target))?;
    }
    enter(root)
}

/// The machine's programs and libraries, and over them the chosen ones.
fn programs(plan: &Plan) -> anyhow::Result<()> {
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let name = entry.file_name();
        let wanted = matches!(name.to_str(), Some(name) if ["bin", "nix", "sbin", "usr"].contains(&name) || name.starts_with("lib"));
        if !wanted {
            continue;
        }
        let target = plan.root.join(&name);
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(entry.path())?, target)?;
        } else if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            bind(&entry.path(), &target)?;
            // Where the kernel does not let it, the file's own permissions have to do.
            let _ = read_only(&target);
        }
    }
    let local = plan.root.join("usr/local/bin");
    if !local.is_dir() {
        bail!("this machine has no directory /usr/local/bin to show the programs in");
    }
    mount(Some("tmpfs"), &local, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))?;
    for program in &plan.programs {
        let target = local.join(&program.name);
        File::create(&target)?;
        bind(&program.path, &target).with_context(|| format!("cannot show {}", program.path.display()))?;
    }
    Ok(())
}

fn settings(plan: &Plan) -> anyhow::Result<()> {
    let etc = plan.root.join("etc");
    let files = [
        ("passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
        ("group", "root:x:0:\nnogroup:x:65534:\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        // A name may have several addresses, as a Service's has.
        ("host.conf", "multi on\n"),
        ("resolv.conf", ""),
    ];
    for (name, text) in files {
        fs::write(etc.join(name), text)?;
    }
    fs::write(etc.join("hostname"), format!("{}\n", plan.hostname))?;
    let names = etc.join("hosts.d");
    fs::create_dir(&names)?;
    bind(&plan.names, &names)?;
    read_only(&names)?;
    symlink("hosts.d/hosts", etc.join("hosts"))?;
    for name in SETTINGS {
        // Some are links to elsewhere in /etc.
        let Ok(source) = Path::new("/etc").join(name).canonicalize() else { continue };
        let target = etc.join(name);
        place(&source, &target)?;
        bind(&source, &target)?;
        let _ = read_only(&target);
    }
    Ok(())
}

fn devices(root: &Path) -> anyhow::Result<()> {
    let dev = root.join("dev");
    for name in DEVICES {
        let target = dev.join(name);
        File::create(&target)?;
        bind(&Path::new("/dev").join(name), &target)?;
    }
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(link))?;
    }
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), &dev.join("shm"), Some("tmpfs"), flags, Some("mode=1777"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = Some("newinstance,ptmxmode=0666,mode=0620");
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, options).context("cannot mount /dev/pts")?;
    Ok(())
}

/// The processes of the container's own namespace. A container around this program may hide parts of its own `/proc`,
/// and then the kernel makes no new one; then it is that one, which at least knows who looks at it.
fn processes(root: &Path) -> anyhow::Result<()> {
    let proc = root.join("proc");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if mount(Some("proc"), &proc, Some("proc"), flags, NO_TEXT).is_err() {
        bind(Path::new("/proc"), &proc)?;
    }
    Ok(())
}

/// Shows a volume where the container wants it.
fn attach(root: &Path, mount: &Mount) -> anyhow::Result<()> {
    let target: PathBuf = Path::new(&mount.target)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(Ok(name)),
            Component::ParentDir => Some(Err(anyhow::anyhow!("the path leads upwards"))),
            _ => None,
        })
        .collect::<anyhow::Result<_>>()?;
    let target = root.join(target);
    if !mount.source.exists() {
        fs::create_dir_all(&mount.source)?;
    }
    place(&mount.source, &target)?;
    bind(&mount.source, &target)?;
    if mount.read_only { read_only(&target) } else { Ok(()) }
}

/// Something of the same sort as the source, to mount that on.
fn place(source: &Path, target: &Path) -> anyhow::Result<()> {
    if source.is_dir() {
        fs::create_dir_all(target)?;
    } else if !target.exists() {
        fs::create_dir_all(target.parent().unwrap_or(target))?;
        File::create(target)?;
    }
    Ok(())
}

fn bind(source: &Path, target: &Path) -> anyhow::Result<()> {
    mount(Some(source), target, NO_TEXT, MsFlags::MS_BIND | MsFlags::MS_REC, NO_TEXT)
        .with_context(|| format!("cannot show {} as {}", source.display(), target.display()))
}

/// Makes a bound directory read-only. In a user namespace the flags that it has already must stay.
fn read_only(target: &Path) -> anyhow::Result<()> {
    // Not nix's flags: those know no relatime where the C library is musl.
    let has = statvfs(target)?.f_flag;
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    for (standing, flag) in [
        (StatVfsMountFlags::NOSUID, MsFlags::MS_NOSUID),
        (StatVfsMountFlags::NODEV, MsFlags::MS_NODEV),
        (StatVfsMountFlags::NOEXEC, MsFlags::MS_NOEXEC),
        (StatVfsMountFlags::NOATIME, MsFlags::MS_NOATIME),
        (StatVfsMountFlags::NODIRATIME, MsFlags::MS_NODIRATIME),
        (StatVfsMountFlags::RELATIME, MsFlags::MS_RELATIME),
    ] {
        if has.contains(standing) {
            flags |= flag;
        }
    }
    mount(NO_TEXT, target, NO_TEXT, flags, NO_TEXT).context("cannot make it read-only")
}

/// Makes a directory this process's root, and lets go of the old one.
fn enter(root: &Path) -> anyhow::Result<()> {
    chdir(root)?;
    pivot_root(".", ".").context("cannot change the root")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}

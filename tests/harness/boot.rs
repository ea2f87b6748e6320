//! A sandbox whose system has booted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Output, Sandbox};

/// A control group for a system that boots. It ends with this.
#[derive(Debug)]
pub(crate) struct Group(PathBuf);

/// A sandbox with systemd as pid 1 of namespaces inside it. The fields end in this order: a group that still has
/// processes cannot be removed.
#[derive(Debug)]
pub(crate) struct Booted {
    pub(crate) sandbox: Sandbox,
    _group: Group,
}

impl Group {
    /// `None` where version 2 of control groups is not mounted, or where no group can be made.
    pub(crate) fn new() -> Option<Self> {
        let tops = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let top = tops.into_iter().find(|top| top.join("cgroup.procs").exists())?;
        let path = top.join(format!("subidctl-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok().map(|()| Self(path))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        /// From the leaves on; files of a group are the kernel's.
        fn remove(group: &Path) -> std::io::Result<()> {
            for entry in std::fs::read_dir(group)?.flatten() {
                if entry.file_type()?.is_dir() {
                    remove(&entry.path())?;
                }
            }
            std::fs::remove_dir(group)
        }
        // The last processes may still be ending.
        for _ in 0..100 {
            if remove(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Booted {
    /// Boots it into multi-user.target, with the units of systemd itself and those that the test put into
    /// `/etc/systemd/system`.
    ///
    /// # Panics
    /// When it has not booted within two minutes.
    pub(crate) fn new(sandbox: Sandbox, group: Group) -> Self {
        // What the host's own services are is no part of a test, and a getty would take its console.
        sandbox
            .run(
                "rm -rf /etc/init.d /etc/rc?.d /etc/fstab /etc/crypttab && cd /etc/systemd/system && \
                 for unit in getty.target proc-sys-fs-binfmt_misc.automount; do ln -sf /dev/null $unit; done",
            )
            .ok();
        sandbox.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        sandbox.write("/root/boot.sh", include_str!("boot.sh"));
        let group_path = group.0.display();
        sandbox
            .run(&format!(
                "setsid sh -c \"$(cat /root/boot.sh)\" boot {group_path} >/root/boot.log 2>&1 </dev/null &"
            ))
            .ok();
        let booted = Self { sandbox, _group: group };
        let up = format!(
            "for _ in $(seq 600); do {ENTER} test -S /run/systemd/private && break; sleep 0.2; done; \
             {ENTER} systemctl is-system-running --wait; cat /root/boot.log"
        );
        booted.sandbox.within(120).run(&up).ok().says("running");
        // In the way of containers; nothing sets a sysctl after the boot.
        booted.run("umount --lazy /proc/sys").ok();
        booted
    }

    /// Runs a shell command in the booted system as root.
    #[must_use = "say what it should have done: ok(), exits(CODE)"]
    pub(crate) fn run(&self, command: &str) -> Output {
        let quoted = command.replace('\'', r"'\''");
        self.sandbox.run(&format!("{ENTER} sh -c '{quoted}'"))
    }
}

/// Enters it through its pid 1.
const ENTER: &str = "nsenter --target \"$(pgrep --oldest --exact systemd)\" --all --";

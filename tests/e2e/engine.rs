//! A real rootless engine in a sandbox, as a witness that is not subidctl.

use crate::harness::{Output, Sandbox, needs};

/// Commands of podman's as a user, without cgroups, network or registry.
pub(crate) struct Podman<'a> {
    sandbox: &'a Sandbox,
    user: &'a str,
}

impl<'a> Podman<'a> {
    /// Prepares an image from the static busybox.
    pub(crate) fn new(sandbox: &'a Sandbox, user: &'a str) -> Self {
        // Hybrid hosts show a cgroup v2 tree beside v1's; a rootless engine must see neither as usable.
        sandbox.run("while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done").ok();
        let image = "mkdir -p /tmp/image/bin && cp -L \"$(command -v busybox)\" /tmp/image/bin/busybox && \
            for applet in sh cat id stat; do ln -sf busybox /tmp/image/bin/$applet; done && \
            tar -C /tmp/image -cf /tmp/image.tar . && chmod 644 /tmp/image.tar";
        sandbox.run(image).ok();
        Self { sandbox, user }
    }

    /// `podman COMMAND`, with storage that works on any file system.
    pub(crate) fn run(&self, command: &str) -> Output {
        let storage = "--storage-driver vfs --cgroup-manager cgroupfs --runtime crun";
        self.sandbox.as_user(self.user).within(180).run(&format!("podman {storage} {command}"))
    }

    /// A map as a container of podman's reads it, blanks squeezed.
    pub(crate) fn container_map(&self, map: &str) -> String {
        self.run("import -q /tmp/image.tar localhost/busybox").ok();
        let run = "run --rm --cgroups=disabled --network none localhost/busybox /bin/cat";
        squeezed(&self.run(&format!("{run} /proc/self/{map}")).ok().stdout)
    }

    /// A map as `podman unshare` shows it, blanks squeezed.
    pub(crate) fn unshare_map(&self, map: &str) -> String {
        squeezed(&self.run(&format!("unshare cat /proc/self/{map}")).ok().stdout)
    }
}

/// One blank between numbers, none at the ends of lines.
pub(crate) fn squeezed(map: &str) -> String {
    map.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn rootless_podman_runs_in_a_sandbox() {
    needs!("unshare", "nsenter", "podman", "crun", "newuidmap", "busybox");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:165536:65536\n").start();
    let podman = Podman::new(&sandbox, "alice");
    for map in ["uid_map", "gid_map"] {
        assert_eq!(podman.unshare_map(map), "0 1001 1\n1 165536 65536\n");
        assert_eq!(podman.container_map(map), "0 1001 1\n1 165536 65536\n");
    }
}

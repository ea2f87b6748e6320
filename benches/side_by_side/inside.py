"""What runs in the sandbox, as pid 1 of its own processes: mounts, accounts, then all measurements."""

import json
import os
import subprocess
from pathlib import Path

from . import curves, hosts, rows
from .measure import Bench

#: The stage, as the sandbox sees it: what is covered below may be where it lies on the host.
HERE = Path("/mnt")
PATH = "/mnt/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(stage: str, quick: bool, only: str, answer: int) -> None:
    """Measures everything and writes the figures as JSON."""
    mounts(stage)
    # sort is fastest so, and nothing else that is measured looks at it.
    os.environ.clear()
    os.environ.update(PATH=PATH, LC_ALL="C", HOME="/root")
    os.chdir("/")
    hosts.settings()
    hosts.first_apply()
    bench = Bench(quick)
    found = curves.measure(bench) if only in "growth" else {}
    figures = rows.measure(bench, found, only)
    with os.fdopen(answer, "w") as pipe:
        json.dump({"rows": figures, "curves": found}, pipe)


def mounts(stage: str) -> None:
    """A private /etc, /home and state folder on the stage's file system; everything else that is written to
    is in memory."""
    mount("--bind", stage, HERE)
    mount("--bind", HERE / "etc", "/etc")
    mount("--bind", HERE / "home", "/home")
    mount("-t", "tmpfs", "-o", "mode=0755", "var", HERE / "var")
    for layer in ("upper", "work"):
        (HERE / "var" / layer).mkdir()
    layers = f"lowerdir=/var,upperdir={HERE}/var/upper,workdir={HERE}/var/work"
    mount("-t", "overlay", "-o", layers, "overlay", "/var")
    Path("/var/lib/subidctl").mkdir(exist_ok=True)
    mount("--bind", HERE / "state", "/var/lib/subidctl")
    for path, mode in (("/run", "0755"), ("/tmp", "1777"), ("/dev/shm", "1777")):
        mount("-t", "tmpfs", "-o", f"mode={mode},nosuid,nodev", "tmpfs", path)
    # A rootless engine takes version 2 of cgroups beside version 1 for usable, and it is not.
    while subprocess.run(["umount", "/sys/fs/cgroup/unified"], stderr=subprocess.DEVNULL).returncode == 0:
        pass
    # As on a host that systemd booted; it is this namespace's alone.
    mount("--make-rshared", "/")


def mount(*words) -> None:
    """mount(8)."""
    subprocess.run(["mount", *map(str, words)], check=True)

"""Where it was measured: what decides about the figures, and nothing that names the machine."""

import os
import re
import subprocess
from pathlib import Path

#: Programs that say their version, with the words that make them.
VERSIONS = {
    "subidctl": ["bin/subidctl", "--version"],
    "podman": ["podman", "--version"],
    "hyperfine": ["hyperfine", "--version"],
    "coreutils": ["sort", "--version"],
    "util-linux": ["unshare", "--version"],
}


def about(stage: Path) -> dict:
    """Machine and versions, each in a few words."""
    kind = output(["findmnt", "-n", "-o", "FSTYPE", "-T", str(stage)])
    versions = {"shadow": shadow()}
    for name, (program, *rest) in VERSIONS.items():
        path = str(stage / program) if "/" in program else program
        versions[name] = number(output([path, *rest]))
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        # What stands behind it is a builder's own.
        "kernel": os.uname().release.split("-")[0],
        "system": system(),
        "files": kind.strip() or "unknown",
        "versions": versions,
    }


def cpu() -> str:
    """The processor's model."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else os.uname().machine


def system() -> str:
    """The distribution's name."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def shadow() -> str:
    """Its programs do not say their version before 4.16, so the package does."""
    package = output(["dpkg-query", "-W", "-f", "${Version}", "passwd"]) or output(["rpm", "-q", "shadow-utils"])
    return number(package.split(":")[-1])


def number(text: str) -> str:
    """The first thing that looks like a version."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "unknown"


def output(words: list) -> str:
    """What a program says; nothing where it is not there or fails."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""

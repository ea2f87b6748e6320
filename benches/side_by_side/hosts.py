"""Hosts that are measured on: the files of /etc and subidctl's state, each saved to be put back before a run."""

import os
import random
import shutil
import subprocess
from pathlib import Path

STATES = Path("/mnt/states")
FILES = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid", "subuid-", "subgid-")
#: The first of the pool.
FIRST = 100_000
#: How many IDs a user gets.
COUNT = 65536
#: The most accounts that a host's lines have.
OWNERS = 10_000
#: The user who has no ranges, and the one to whom subidctl gave some: so its own records are there, as on any
#: host where it ran before.
USER, SERVED = "bench", "served"
HOME = f"/home/{USER}"

#: `reset HOST` makes /etc and the state folder those of a saved host. What it wrote is on the disk before anything
#: is measured, since an fsync of a small file may have to wait for all that was written before.
RESET = """#!/bin/sh
set -e
rm -f /etc/subuid- /etc/subgid- /etc/*.lock
cp -p /mnt/states/$1/etc/* /etc/
find /var/lib/subidctl -mindepth 1 -delete
cp -a /mnt/states/$1/state/. /var/lib/subidctl/
sync -f /etc /var/lib/subidctl
"""


def settings() -> None:
    """What all hosts have in common."""
    write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\ngshadow: files\n")
    write("/etc/subidctl/policy.toml", "[users]\nlogin_accounts = true\n")
    # Debian's, but for the end of the pool: a million lines, and ranges for 10,000 users, do not fit below 600100000.
    lines = ["USERGROUPS_ENAB yes"]
    for kind in ("UID", "GID"):
        lines += [f"{kind}_MIN 1000", f"{kind}_MAX 60000"]
        lines += [f"SUB_{kind}_MIN {FIRST}", f"SUB_{kind}_MAX 2000000000", f"SUB_{kind}_COUNT {COUNT}"]
    write("/etc/login.defs", "\n".join(lines) + "\n")
    write("/mnt/bin/reset", RESET)
    os.chmod("/mnt/bin/reset", 0o755)
    for folder in (HOME, "/run/user/1000"):
        os.makedirs(folder)
        os.chown(folder, 1000, 1000)
        os.chmod(folder, 0o700)


def make(name: str, lines: int, *, new: int = 0, gone: bool = False) -> None:
    """Saves a host with so many lines in each file: of as many accounts, at most `OWNERS`; in no order of IDs,
    as years of coming and going leave them. `new` more accounts have no line; where all owners are `gone`, no line but
    the first has an account."""
    size = span(lines)
    owners = min(lines, OWNERS)
    starts = list(range(FIRST + COUNT, end(lines), size))
    random.Random(9).shuffle(starts)
    with open("/etc/subuid", "w") as file:
        file.write(f"{SERVED}:{FIRST}:{COUNT}\n")
        file.writelines(f"u{number % owners}:{start}:{size}\n" for number, start in enumerate(starts))
    for copy in ("/etc/subgid", "/etc/subuid-", "/etc/subgid-"):
        shutil.copy("/etc/subuid", copy)
    users = [] if gone else [(f"u{number}", 2000 + number) for number in range(owners)]
    accounts(users + [(f"n{number}", 20_000 + number) for number in range(new)])
    save(name)


def span(lines: int) -> int:
    """How many IDs a line of a host has: what useradd gives, or, where owners have several lines, so much that each
    has more than that. So no host has a fault, and audit says the same of each; all of them fit into the pool."""
    return COUNT if lines <= OWNERS else 10 * OWNERS * OWNERS // lines


def end(lines: int) -> int:
    """One past the last ID: all lines lie side by side."""
    return FIRST + COUNT + span(lines) * (lines - 1)


def free(lines: int) -> str:
    """The next user's range."""
    return f"{end(lines)}-{end(lines) + COUNT - 1}"


def first_apply() -> None:
    """What subidctl gave before, on files that had no line: its ledger and history are there ever after."""
    for file in ("/etc/subuid", "/etc/subgid"):
        write(file, "")
    accounts([])
    apply(SERVED)


def apply(user: str) -> None:
    """Gives a user ranges."""
    subprocess.run(["subidctl", "apply", "--yes", user], check=True, capture_output=True)


def accounts(users: list) -> None:
    """The system's own accounts, both users and these."""
    users = [(USER, 1000), (SERVED, 1001), *users]
    passwd = system("/etc/passwd") + [f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh" for name, uid in users]
    group = system("/etc/group") + [f"{name}:x:{uid}:" for name, uid in users]
    write("/etc/passwd", "\n".join(passwd) + "\n")
    write("/etc/group", "\n".join(group) + "\n")
    write("/etc/shadow", "".join(f"{line.split(':')[0]}:!:19000:0:99999:7:::\n" for line in passwd), 0o600)
    write("/etc/gshadow", "".join(f"{line.split(':')[0]}:!::\n" for line in group), 0o600)


def system(path: str) -> list:
    """The lines of accounts below 1000 and of nobody; members of groups are accounts of the machine."""
    fields = [line.split(":") for line in Path(path).read_text().splitlines() if line.count(":") >= 3]
    kept = [line for line in fields if line[2].isdigit() and (int(line[2]) < 1000 or line[2] == "65534")]
    return [":".join(line if len(line) > 4 else [*line[:3], ""]) for line in kept]


def save(name: str) -> None:
    """Keeps the present host under this name."""
    (STATES / name / "etc").mkdir(parents=True)
    for file in FILES:
        shutil.copy2(f"/etc/{file}", STATES / name / "etc")
    subprocess.run(["cp", "-a", "/var/lib/subidctl", STATES / name / "state"], check=True)


def reset(name: str) -> None:
    """Goes back to a saved host."""
    subprocess.run(["reset", name], check=True)


def write(path: str, text: str, mode: int = 0o644) -> None:
    """A file of root's, and the folder that it is in."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text)
    os.chmod(path, mode)

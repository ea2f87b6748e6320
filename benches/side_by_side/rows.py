"""The rows: what is measured, against what, and what is to be reached."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import hosts
from .curves import name
from .measure import Bench, Failed, once, peak

MILLION = 1_000_000
#: What podman's runs get where these machines cannot give more, and what makes them faster.
PODMAN = "podman run --rm --network none --cgroups=disabled localhost/bench true"


def measure(bench: Bench, found: dict, only: str) -> list:
    """All rows as plain data, those of the table first, then what is for information. `found` are the curves."""
    steps = [bulk, one_user, planned, idle, containers, audited, growth, memory]
    rows = []
    for step in steps:
        if only in step.__name__:
            print(f"measuring: {step.__name__}", file=sys.stderr)
            try:
                rows += step(bench, found)
            except Failed as failure:
                # Not to be measured is worse than slow, and no reason to lose the other rows.
                print(failure, file=sys.stderr)
                rows.append(row(f"{step.__name__}: could not be measured", "–", "–", "–", math.inf, "to work", 1))
    return sorted(rows, key=lambda row: row["limit"] is None)


def row(work: str, against: str, own: str, peer: str, ratio: float, goal: str = "", limit: float | None = None,
        also: bool = True) -> dict:
    """`limit`: the most that the ratio may be; `also`: whether the goal's second half is reached."""
    met = None if limit is None else bool(ratio <= limit and also)
    return {"work": work, "against": against, "own": own, "peer": peer, "ratio": ratio, "goal": goal, "limit": limit,
            "met": met}


def pair(work: str, against: str, times: list, goal: str = "", limit: float | None = None, also: bool = True) -> dict:
    """A row of two times."""
    own, peer = times
    return row(work, against, seconds(own), seconds(peer), own / peer, goal, limit, also)


def seconds(value: float) -> str:
    """For people: 1.23 ms."""
    factor, unit = (1, "s") if value >= 1 else (1000, "ms")
    value *= factor
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def bulk(bench: Bench, _found: dict) -> list:
    """Ten thousand users at once."""
    hosts.make("bulk", 10_000, new=10_000)
    Path("/mnt/users").write_text("".join(f"n{number}\n" for number in range(10_000)))
    apply = "subidctl apply --yes --from /mnt/users"
    once(apply, "", False, dict(os.environ))
    for file in ("subuid", "subgid"):
        shutil.copy(f"/etc/{file}", f"/mnt/{file}")
    hosts.reset("bulk")
    floor = "floor /etc subuid /mnt/subuid subgid /mnt/subgid"
    span = hosts.free(10_000)
    times = bench.compare([apply, floor, f"usermod -v {span} -w {span} {hosts.USER}"], "reset bulk")
    work = "10,000 existing users in one `apply --from`, 10,000 lines there"
    held = bench.said("subidctl -v apply --yes --from /mnt/users", r"locks were held for ([0-9.]+) ms", "reset bulk")
    return [
        pair(work, "the floor: the same bytes durably in place", times[:2], "within 3 times", 3),
        pair("of that `apply`, what is done under the locks", "the floor", [held / 1000, times[1]]),
        pair(work, "`usermod -v … -w …` for one user", [times[0], times[2]]),
    ]


def one_user(bench: Bench, _found: dict) -> list:
    """One more user."""
    rows = []
    for lines in (10, 50_000):
        ready(lines)
        span = hosts.free(lines)
        commands = [f"subidctl apply --yes {hosts.USER}", f"usermod -v {span} -w {span} {hosts.USER}"]
        times = bench.compare(commands, f"reset {name(lines)}")
        work = f"`apply` for one user, {lines:,} lines in each file"
        rows.append(pair(work, "`usermod -v … -w …`", times, "no slower", 1))
    return rows


def planned(bench: Bench, _found: dict) -> list:
    """A plan."""
    ready(50_000)
    times = bench.compare([f"subidctl plan {hosts.USER}", "getsubids u5000"])
    return [pair("`plan` for one user, 50,000 lines in each file", "`getsubids` on one of them", times, "no slower", 1)]


def idle(bench: Bench, _found: dict) -> list:
    """Nothing to do."""
    served()
    commands = ["subidctl apply --yes --hook", f"subidctl apply --yes {hosts.USER}", f"getsubids {hosts.USER}"]
    login = {"PAM_TYPE": "open_session", "PAM_USER": hosts.USER}
    hook, plain, peer = bench.compare(commands, extra=login)
    against, goal = "`getsubids` of the same user", ("within 1.5 times", 1.5)
    return [
        pair("`apply --hook` with nothing to do, 10 lines", against, [hook, peer], *goal),
        pair("`apply USER` with nothing to do, 10 lines", against, [plain, peer], *goal),
    ]


def containers(bench: Bench, _found: dict) -> list:
    """What a user does."""
    served()
    image()
    commands = ["subidctl verify", "unshare --map-auto --map-root-user -U true", PODMAN]
    verify, unshare, podman = bench.compare(commands, user=True)
    check, info = bench.compare(["subidctl check", "podman info"], user=True)
    return [
        pair("`verify`", "`unshare --map-auto --map-root-user -U true`", [verify, unshare], "within 1.5 times", 1.5),
        pair("`verify`", "`podman run --rm` of a local image", [verify, podman], "15 times faster", 1 / 15),
        pair("`check`", "`podman info`", [check, info], "10 times faster, and under 30 ms", 0.1, check < 0.03),
    ]


def image() -> None:
    """One for podman: busybox alone, in the user's own storage."""
    root = Path(f"{hosts.HOME}/image")
    (root / "bin").mkdir(parents=True)
    subprocess.run(["cp", "-L", "/bin/busybox", root / "bin/busybox"], check=True)
    (root / "bin/true").symlink_to("busybox")
    tar = f"{root}.tar"
    subprocess.run(["tar", "-C", root, "-cf", tar, "."], check=True)
    once(f"podman import {tar} localhost/bench", "", True, dict(os.environ))


def audited(bench: Bench, _found: dict) -> list:
    """All owners."""
    rows = []
    sort = "sort -t: -k2n /etc/subuid /etc/subgid"
    for gone, limit, goal in ((False, 1, "no slower"), (True, None, "")):
        ready(MILLION, gone)
        times = bench.compare(["subidctl audit", sort])
        whose = ", none of whose owners has an account" if gone else ""
        work = f"`audit`, a million lines in each file{whose}"
        rows.append(pair(work, "`sort -t: -k2n` of both", times, goal, limit))
    return rows


def growth(_bench: Bench, found: dict) -> list:
    """From 100,000 lines to ten times as many."""
    rows = []
    for command in ("plan", "audit", "apply"):
        times = dict(map(tuple, found.get(f"subidctl {command}", [])))
        said = (f"growth: `{command}` at 1,000,000 lines", "at 100,000 lines")
        if MILLION in times:
            rows.append(pair(*said, [times[MILLION], times[MILLION // 10]], "at most 13", 13))
        else:
            rows.append(row(*said, "failed", "–", math.inf, "at most 13", 13))
    return rows


def memory(_bench: Bench, _found: dict) -> list:
    """The peak, against what the files' size allows."""
    ready(MILLION)
    size = sum(os.path.getsize(f"/etc/{file}") for file in ("subuid", "subgid"))
    allowed = 2 * size + 128 * 2 * MILLION + 16_000_000
    rows = []
    for command in (f"plan {hosts.USER}", "audit", f"apply --yes {hosts.USER}"):
        used = peak(f"subidctl {command}", f"reset {name(MILLION)}")
        work = f"peak memory: `{command.split()[0]}`, a million lines in each file"
        said = [f"{value / 1e6:.0f} MB" for value in (used, allowed)]
        rows.append(row(work, "2 × bytes + 128 bytes × lines, of both files, + 16 MB", *said, used / allowed,
                        "at most that", 1))
    return rows


def ready(lines: int, gone: bool = False) -> None:
    """A host with so many lines, made where it was not yet."""
    host = f"gone-{lines}" if gone else name(lines)
    if not (hosts.STATES / host).exists():
        hosts.make(host, lines, gone=gone)
    hosts.reset(host)


def served() -> None:
    """A small host on which the user has ranges."""
    if not (hosts.STATES / "served").exists():
        ready(10)
        hosts.apply(hosts.USER)
        hosts.save("served")
    hosts.reset("served")

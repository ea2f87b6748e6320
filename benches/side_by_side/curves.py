"""Times against the number of lines in each file: what the plot shows, and how time grows."""

import os
import statistics
import subprocess
import sys

from . import hosts
from .measure import Bench, Failed, once

#: A command that takes longer, in seconds, has its last point before.
PATIENCE = 20.0
SIZES = [10**power for power in range(1, 7)]
#: Each command with whether it changes files. All are for one user, or look at one.
COMMANDS = {
    "subidctl plan": (f"subidctl plan {hosts.USER}", False),
    "subidctl audit": ("subidctl audit", False),
    "subidctl apply": (f"subidctl apply --yes {hosts.USER}", True),
    "getsubids": (f"getsubids {hosts.SERVED}", False),
    "usermod": (f"usermod -v {{range}} -w {{range}} {hosts.USER}", True),
    "useradd": ("useradd -M new", True),
}


def name(size: int) -> str:
    """Of the host with so many lines."""
    return f"lines-{size}"


def measure(bench: Bench) -> dict:
    """Of each command its points: lines and the median in seconds. Each round has all sizes, so that how time grows
    does not depend on when which size was measured."""
    times = {command: {} for command in COMMANDS}
    for size in SIZES:
        hosts.make(name(size), size)
    for number in range(bench.rounds):
        for size in SIZES:
            print(f"measuring: round {number + 1} of {bench.rounds}, {size:,} lines", file=sys.stderr)
            hosts.reset(name(size))
            for command in COMMANDS:
                series = times[command].setdefault(size, Series(command, size))
                # Where a size took too long, larger ones are not tried.
                if number == 0 and not any(smaller.pilot is None for smaller in list(times[command].values())[:-1]):
                    series.try_once()
                series.add(bench)
    return {command: [point for one in series.values() for point in one.point()] for command, series in times.items()}


class Series:
    """The times of one command at one size."""

    def __init__(self, command: str, size: int):
        words, self.writes = COMMANDS[command]
        self.words = words.format(range=hosts.free(size))
        self.size = size
        self.prepare = f"reset {name(size)}" if self.writes else ""
        self.pilot = None
        self.times = []

    def try_once(self) -> None:
        """Sees how long it takes; a command for which the plot has no room keeps no time."""
        try:
            self.pilot = once(self.words, self.prepare, False, dict(os.environ), PATIENCE)
        except (subprocess.TimeoutExpired, Failed) as failure:
            print(failure, file=sys.stderr)
            hosts.reset(name(self.size))

    def add(self, bench: Bench) -> None:
        """One round; a command that fails in one keeps no time."""
        if self.pilot is None:
            return
        try:
            self.times += bench.turn(self.words, self.pilot, self.prepare, False, dict(os.environ))
        except Failed as failure:
            print(failure, file=sys.stderr)
            self.pilot, self.times = None, []
        if self.writes:
            hosts.reset(name(self.size))

    def point(self) -> list:
        """Lines and seconds, where there are any."""
        return [[self.size, statistics.median(self.times)]] if self.times else []

"""Times by hyperfine, and peak memory."""

import json
import os
import re
import statistics
import subprocess
import sys
import time

from . import hosts

EXPORT = "/tmp/hyperfine.json"

#: Starts a command and says how much memory it had at most, in KiB. A program of its own: until exec a child has
#: its parent's memory, and that counts.
PEAK = """import os, sys
with open(os.devnull, "w") as null:
    pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 1)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Failed(Exception):
    """A command that is measured did not do its work, and what it said."""


class Bench:
    """How often things are run."""

    def __init__(self, quick: bool):
        # In many short rounds, so that a machine that gets slower for some seconds does so for both of a pair.
        self.rounds = 2 if quick else 9
        self.budget = 0.2
        self.most = 5 if quick else 100

    def compare(self, commands: list, prepare: str = "", user: bool = False, extra: dict | None = None) -> list:
        """The median time of each command in seconds; all have their turn in each round."""
        said = {**os.environ, **(extra or {})}
        pilots = [once(command, prepare, user, said) for command in commands]
        times = [[] for _ in commands]
        for number in range(self.rounds):
            order = list(range(len(commands)))
            for place in order if number % 2 == 0 else reversed(order):
                times[place] += self.turn(commands[place], pilots[place], prepare, user, said)
        return [statistics.median(series) for series in times]

    def turn(self, command: str, pilot: float, prepare: str, user: bool, env: dict) -> list:
        """The times of one round of a command that takes about as long as `pilot`, without a shell between."""
        runs = max(1, min(self.most, int(self.budget / pilot)))
        words = ["hyperfine", "-N", "--style", "none", "--export-json", EXPORT, "--runs", str(runs)]
        words += ["--warmup", "1"] if runs > 1 else []
        words += ["--prepare", prepare] if prepare else []
        # The whole of hyperfine becomes the user, so that nothing stands between it and the command.
        words = as_user([*words, command], env) if user else [*words, command]
        done = subprocess.run(words, env=env, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{command}: failed among the runs of hyperfine: {done.stderr}")
        with open(EXPORT) as file:
            times = json.load(file)["results"][0]["times"]
        os.unlink(EXPORT)
        return times

    def said(self, command: str, figure: str, prepare: str = "") -> float:
        """The median of a figure that a command itself says; `figure` is a pattern with one group."""
        found = []
        for _ in range(min(self.most, 15)):
            subprocess.run(prepare.split(), check=True)
            done = subprocess.run(command.split(), capture_output=True, text=True)
            match = re.search(figure, done.stderr)
            if done.returncode or not match:
                raise Failed(f"{command}: it does not say {figure}: {done.stderr}")
            found.append(float(match[1]))
        return statistics.median(found)


def once(command: str, prepare: str, user: bool, env: dict, patience: float | None = None) -> float:
    """Runs a command once, for its time; `TimeoutExpired` where it takes more than so many seconds."""
    if prepare:
        subprocess.run(prepare.split(), check=True)
    words = as_user(command.split(), env) if user else command.split()
    began = time.monotonic()
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=patience)
    took = time.monotonic() - began
    if done.returncode:
        raise Failed(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return took


def as_user(words: list, env: dict) -> list:
    """The same as the user, in a session of theirs."""
    own = {"HOME": hosts.HOME, "USER": hosts.USER, "LOGNAME": hosts.USER, "XDG_RUNTIME_DIR": "/run/user/1000"}
    settings = [f"{name}={value}" for name, value in {**env, **own}.items()]
    drop = ["setpriv", f"--reuid={hosts.USER}", f"--regid={hosts.USER}", "--init-groups", "--"]
    return [*drop, "env", "-i", "-C", hosts.HOME, *settings, *words]


def peak(command: str, prepare: str = "") -> int:
    """The most memory that a command had, in bytes."""
    if prepare:
        subprocess.run(prepare.split(), check=True)
    words = [sys.executable, "-S", "-c", PEAK, *command.split()]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{command}: exit code {done.returncode}\n{done.stderr}")
    return 1024 * int(done.stdout)

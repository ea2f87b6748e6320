"""What runs on the host: builds, starts the sandbox, and writes down what it measured."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import chart, machine, table

ROOT = Path(__file__).resolve().parents[2]
#: On the disk that the build is on: on a tmpfs an fsync would cost nothing.
STAGE = ROOT / "target/side-by-side"
NEEDED = ("hyperfine", "newuidmap", "getsubids", "podman", "busybox", "cc", "cargo", "unshare", "setpriv")


def run(arguments) -> int:
    """Measures, prints, writes; the exit code."""
    if os.geteuid() != 0:
        sys.exit("benches/side-by-side: it makes namespaces and mounts, so it must run as root")
    missing = [program for program in NEEDED if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")]
    if missing:
        sys.exit(f"benches/side-by-side: not installed: {', '.join(missing)}")
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    shutil.rmtree(STAGE, ignore_errors=True)
    try:
        stage()
        about = machine.about(STAGE)
        measured = sandbox(arguments)
    finally:
        # The mounts were the sandbox's alone and went with it.
        shutil.rmtree(STAGE, ignore_errors=True)
    rows = [table.Row(**row) for row in measured["rows"]]
    print(table.conditions(about), table.markdown(rows), sep="\n\n")
    if arguments.write:
        (ROOT / "benches/performance.svg").write_text(chart.svg(measured["curves"]))
        table.into_readme(ROOT / "README.md", about, rows)
    missed = [row for row in rows if row.met is False]
    for row in missed:
        print(f"missed: {row.work} | {row.against}", file=sys.stderr)
    return 1 if missed else 0


def stage() -> None:
    """What the sandbox needs, in a folder of its own."""
    programs = STAGE / "bin"
    programs.mkdir(parents=True)
    for folder in ("state", "home", "var", "states"):
        (STAGE / folder).mkdir()
    STAGE.chmod(0o755)
    shutil.copy2(ROOT / "target/release/subidctl", programs)
    # It may lie in a folder that only root can enter.
    shutil.copy2(shutil.which("hyperfine"), programs)
    floor = ROOT / "tests/harness/floor.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", programs / "floor", floor], check=True)
    # A copy and no overlay: /etc is an ordinary folder of an ordinary file system, as it is in life.
    subprocess.run(["cp", "-a", "/etc", STAGE / "etc"], check=True)


def sandbox(arguments) -> dict:
    """Runs `inside` in namespaces of its own, and takes its figures through a pipe."""
    read, write = os.pipe()
    own = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    options = {"stage": str(STAGE), "quick": arguments.quick, "only": arguments.only, "answer": write}
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); from side_by_side import inside; "
    code += "inside.run(**json.loads(sys.argv[2]))"
    python = [sys.executable, "-B", "-c", code, str(ROOT / "benches"), json.dumps(options)]
    with subprocess.Popen(["unshare", *own, "--", *python], pass_fds=[write]) as process:
        os.close(write)
        with os.fdopen(read) as answer:
            text = answer.read()
    if process.returncode or not text:
        sys.exit(f"benches/side-by-side: the sandbox ended with exit code {process.returncode}")
    return json.loads(text)

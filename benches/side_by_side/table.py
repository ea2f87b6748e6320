"""The table, and the README's part that is made from it."""

import dataclasses
import math
import re
from pathlib import Path

BEGIN, END = "<!-- benches/side-by-side --write: begin -->", "<!-- benches/side-by-side --write: end -->"
PLOT = (
    "![Time of plan, audit and apply against the lines in each file, beside useradd, usermod and getsubids]"
    "(benches/performance.svg)"
)


@dataclasses.dataclass
class Row:
    """What was measured of one pair, already in words but for the ratio."""

    work: str
    against: str
    own: str
    peer: str
    ratio: float
    goal: str
    #: The most that the ratio may be; `None` for what is for information.
    limit: float | None
    met: bool | None


def markdown(rows: list) -> str:
    """The table."""
    lines = ["| work | against | subidctl | peer | ratio | goal | met |", "|---|---|--:|--:|--:|---|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: "–"}[row.met]
        goal = row.goal or "for information"
        cells = [row.work, row.against, row.own, row.peer, ratio(row.ratio), goal, met]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio(value: float) -> str:
    """subidctl over peer; where that is small, as a fraction; without a time, no number."""
    if math.isinf(value):
        return "–"
    if value < 0.1:
        return f"1/{1 / value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def conditions(about: dict) -> str:
    """Machine and versions, in a sentence each."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(about["versions"].items()))
    cores = f"{about['cores']} core" + ("s" if about["cores"] != 1 else "")
    return (
        f"Measured on {about['cpu']}, {cores}, Linux {about['kernel']}, {about['system']}; /etc and the state folder "
        f"on {about['files']}. {versions}. Medians of hyperfine runs in alternating rounds; a ratio is subidctl over the "
        "peer, and `LC_ALL=C` makes sort as fast as it gets."
    )


def behind(rows: list) -> str:
    """What a reader should not have to look for."""
    missed = [row for row in rows if row.met is False]
    slower = [row for row in rows if row.met and row.ratio > 1 and not row.work.startswith("growth")]
    text = "Every goal was met." if not missed else "Goals missed: " + names(missed) + "."
    return text + (" Slower than what it stands beside, within the goal: " + names(slower) + "." if slower else "")


def names(rows: list) -> str:
    """Rows by their work and ratio."""
    return "; ".join(f"{row.work} ({ratio(row.ratio)} times {row.against})" for row in rows)


def into_readme(path: Path, about: dict, rows: list) -> None:
    """Replaces what stands between the two comments."""
    text = path.read_text()
    part = f"{BEGIN}\n{wrapped(conditions(about))}\n\n{markdown(rows)}\n\n{wrapped(behind(rows))}\n\n{PLOT}\n{END}"
    new, found = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: part, text, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"README.md has no place for the table: {BEGIN}")
    path.write_text(new)


def wrapped(text: str) -> str:
    """As the README's other paragraphs are; code is not split."""
    lines, line = [], ""
    for word in re.findall(r"(?:`[^`]*`|\S)+", text):
        if line and len(line) + len(word) >= 120:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word
    return "\n".join([*lines, line])
